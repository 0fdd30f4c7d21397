"""The network as plain data; the interface is `network.make_plan` and the classes of `layers`."""
