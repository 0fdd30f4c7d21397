"""Checkpoints of other libraries: recognised by their names, loaded completely or not at all."""
