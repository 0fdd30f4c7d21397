"""The plan in Keras, and Keras models read back."""
