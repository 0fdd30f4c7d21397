"""Checkpoints in files of every format, as names and tensors.

Other code uses `opening.opened`, which opens them all, `checkpoint.Checkpoint`, which it returns,
and `described_graph` for the layers that a Keras file describes.
"""
