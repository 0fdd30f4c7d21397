"""Draw the picture at the top of the README: a ResNet of two blocks, layer by layer.

Run it from the top of the repository with: python examples/readme_picture.py
"""

from resnet_builder import ResnetBuilder, plot

model = ResnetBuilder.from_preset(
    "resnet18", (32, 32, 3), classes=10, stem="cifar", repetitions=(1, 1), name="two blocks"
)
plot(model, "docs/two_blocks.png", detail="layer")
