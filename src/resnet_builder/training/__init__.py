"""Training recipes, freezing, backups, and training on several devices.

Other code uses the public names of `recipes`, `trainable`, `backup` and `distributed`.
"""
