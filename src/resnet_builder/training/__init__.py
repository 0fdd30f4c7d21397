"""Recipes to train by, and freezing."""
