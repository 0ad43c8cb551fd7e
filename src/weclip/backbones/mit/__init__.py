"""MiT of SegFormer: an encoder that is trained."""
