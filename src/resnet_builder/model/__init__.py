"""Keras models built from a plan, and read back."""
