"""The table of networks and that of their published checkpoints; `resolving.resolve` reads both."""
