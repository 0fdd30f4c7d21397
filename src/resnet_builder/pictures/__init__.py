"""Pictures of networks. Other code uses `plot.plot`, `plot.plot_side_by_side` and `diagram`.

A network is read into a sketch (`sketch/`: what is drawn), which is laid out on a page (`page/`:
where it is drawn). The words of this folder:

* sketch: the content of a picture, without places.
* section: a part of a network, such as a stage, the stem or the head.
* panel: the boxes of a block, or of another part that may be repeated.
* box: layers that are drawn as one, such as a convolution with its batch norm and activation.
* cell: a part of a box, with the words for one layer.
* edge: a connection between two boxes of a panel; an edge of a shortcut has a role.
* skip: a connection past the panels between, as in a U-Net; a port is one of its two ends.
* page: every element of a picture at its place; `browser` has one for each state of a section.
* lane: a section on a page. Frames are the rectangles around lanes and panels.
* column: boxes of a panel below each other, or panels of a page; a track is the column of a line.
* line: an edge or a skip on a page; a fork is a point at which lines part.
* card: a section or a layer in words, where Graphviz places it (`cards`).
"""
