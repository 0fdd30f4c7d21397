"""Recipes to train by, freezing, backups, and training on several devices."""
