"""Checkpoints of other libraries: recognised by their names, loaded completely or not at all.

Other code uses `load.load_weights`, `report.WeightsReport`, `recognise.recognise` for the origin of
a checkpoint, and `expected.expected_weights` for the names that an origin gives to weights.
"""
