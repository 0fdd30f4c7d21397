"""A sketch with every box, text and line in its place. Other code uses `page_layout` and `dot`.

`panel_layout` places the boxes of one panel, `page_layout` panels and sections, and `routing`
lines.
"""
