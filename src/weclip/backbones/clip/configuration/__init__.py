"""What the files beside the weights say of a CLIP: how it computes, what it was trained to read."""
