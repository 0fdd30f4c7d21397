"""The pictures of the how-tos that are drawn for them."""

from collections.abc import Callable

from resnet_builder import PRESETS, ResnetConfig, plot

from .block_drawing import block_drawing


def _cards(source: str | ResnetConfig, input_shape: tuple[int, int, int]) -> str:
    return plot(source, detail="stage", input_shape=input_shape).render("svg").decode()


# Path in docs/ -> what draws it.
PICTURES: dict[str, Callable[[], str]] = {
    "howto/article.svg": lambda: block_drawing("keras_resnet34"),
    "howto/channels.svg": lambda: _cards("resnet34", (64, 64, 13)),
    "howto/detection.svg": lambda: _cards("resnet18", (128, 192, 3)),
    "howto/options.svg": lambda: block_drawing("seresnet50"),
    "howto/own_block.svg": lambda: block_drawing("resnet18", 2, 1),
    "howto/small_images.svg": lambda: _cards(
        PRESETS["resnet18"].replace(stem="cifar"), (32, 32, 3)
    ),
}
