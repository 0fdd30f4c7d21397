"""Recipes to train by, freezing, runs that survive a kill, more than one device and machine."""
