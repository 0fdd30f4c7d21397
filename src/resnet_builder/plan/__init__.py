"""The network as plain data. Other code uses `network.make_plan` and the classes of `layers`."""
