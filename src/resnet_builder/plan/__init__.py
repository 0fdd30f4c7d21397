"""The network as plain data.

Other code uses `network.make_plan` for a whole network, `units`, `blocks` and `shortcuts` for parts
of one, the classes of `layers`, `describe` for their words, and `names` for names of layers.
"""
