"""Which samples a batch of training holds, and how it is put together."""
