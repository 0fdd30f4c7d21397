"""Checkpoints in files of every format, as names and tensors; `opening.opened` opens them all."""
