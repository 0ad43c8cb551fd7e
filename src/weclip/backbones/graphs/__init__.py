"""Work of the device that is recorded once and replayed, where its shapes stay the same."""
