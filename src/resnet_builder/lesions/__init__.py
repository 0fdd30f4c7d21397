"""Lesion studies: remove blocks, reorder them, or select paths (arXiv:1605.06431)."""
