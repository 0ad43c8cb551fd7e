"""The doors through which text and files of unknown origin come in: one for each kind.

Everything that goes wrong behind a door becomes an `InputError` of one line. Images have their door
in `data/images/decoding.py`, tensors in `backbones/weight_files/`.
"""
