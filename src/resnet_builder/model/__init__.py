"""Keras models built from a plan, and read back.

Other code uses `assemble` and `record` for models of this package, and for any Keras model `graph`
(its layers and connections), `locate` (the residual networks inside it) and `sections`.
"""
