"""The command `resnet-builder`."""
