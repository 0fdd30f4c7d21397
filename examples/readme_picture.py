"""Draw the picture at the top of the README: ResNet-34 beside its plain counterpart.

As in Figure 3 of the paper (arXiv:1512.03385), every block is drawn. Run it from the top of the
repository with: python examples/readme_picture.py
"""

from resnet_builder import compare, plot

compare("plain34", "resnet34").plot("docs/resnet34.png", fold=False)
plot("resnet50", "docs/resnet50.png")
