"""A network under construction: layers are added in order, each after its inputs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeVar

from ..common.words import Description
from ..config import ResnetConfig
from .layers import Conv, Layer

L = TypeVar("L", bound=Layer)

# Layers that form a group: a box in a picture, a line in a table.
Unit = tuple[Layer, ...]


class Composite(tuple[Layer, ...]):
    """A unit of layers with several paths.

    Attributes:
        shown: layers and descriptions that tables and pictures show for it.
    """

    shown: tuple[Layer | Description, ...]

    def __new__(cls, layers: Iterable[Layer], *shown: Layer | Description) -> "Composite":
        """Group layers under what is shown for them."""
        unit = super().__new__(cls, layers)
        unit.shown = shown
        return unit


@dataclass
class Draft:
    """The layers of a network or of a block, with the conventions of its config.

    Attributes:
        config: config of the network.
        layers: the layers added so far, in order.
    """

    config: ResnetConfig
    layers: list[Layer] = field(default_factory=list)

    def add(self, kind: type[L], name: str, *inputs: Layer, **fields: Any) -> L:
        """Add a layer with the given input layers; without any, it has the config's image."""
        layer = kind(
            name=name,
            inputs=tuple(map(attrgetter("name"), inputs)),
            input_shape=inputs[0].output_shape if inputs else self.config.input_shape,
            **fields,
        )
        self.layers.append(layer)
        return layer

    def add_conv(self, name: str, x: Layer, filters: int, **fields: Any) -> Conv:
        """Add a convolution with the initialiser and the weight decay of the config."""
        config = self.config
        return self.add(
            Conv,
            name,
            x,
            filters=filters,
            initializer=config.kernel_initializer,
            weight_decay=config.weight_decay,
            **fields,
        )

    def since(self, start: int) -> Unit:
        """The layers added after the first `start`, as one unit."""
        return tuple(self.layers[start:])
