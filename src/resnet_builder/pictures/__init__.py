"""Pictures of networks. Other code uses `plot.plot`, `plot.plot_side_by_side` and `diagram`.

A network is read, then laid out, then drawn. The words of this folder:

* sketch: the content of a picture, without places (`sketch/`).
* section: a part of a network, such as a stage, the stem or the head.
* panel: the boxes of a block, or of another part that may be repeated.
* box: layers that are drawn as one, such as a convolution with its batch norm and activation.
* cell: a part of a box, with the words for one layer.
* edge: a connection between two boxes of a panel; that of a shortcut has a role.
* port: an end of a skip, which is a connection past the panels between, as in a U-Net.
* page: a sketch with every place (`page/`, and for the browser `browser/`).
* lane: a section on a page.
* frame: a rectangle on a page, around a lane or a panel.
* line: an edge or a skip on a page.
* card: a section or a layer in words, where Graphviz places it (`cards`).
"""
