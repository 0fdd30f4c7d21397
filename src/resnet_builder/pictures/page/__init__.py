"""A sketch with every box, text and line in its place. Other code uses `layout` and `drawing`."""
