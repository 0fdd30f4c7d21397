"""The command `resnet-builder`; its entry is `main.main`, and other code uses nothing of it."""
