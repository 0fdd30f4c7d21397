"""Lesions: a network without some of its blocks, in another order, or along some of its paths.

After Veit, Wilber and Belongie 2016 (arXiv:1605.06431). Blocks are found by the names of their
layers, so a model from a file is as good as one just built.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from ..common.checks import look_up
from ..common.recursion import room_for
from ..model.layers import Tensor
from ..model.network import networks_of
from ..plan.names import ADD


def without_blocks(model: keras.Model, blocks: Iterable[str]) -> keras.Model:
    """A copy of a model without the residual branches of some blocks: the shortcuts remain.

    What remains of a block with an identity shortcut is its input (behind an addition that is
    followed by an activation: activated once more, which changes nothing for ReLU), of one with a
    projection the projection. A block of a plain network, which has no shortcut, goes as a whole,
    if its output has the shape of its input (arXiv:1605.06431, section 4.1), and so does a block
    function of your own.

    Args:
        model: a model of this package, or one with the same names of layers.
        blocks: names of blocks: `"stage2_block1"`. A `layer_prefix` may come before them; if
            several networks are joined in the model, it has to.

    Returns:
        A model with the same inputs, outputs and weights, not compiled.

    Raises:
        TypeError: not a Keras model, or not a list of names.
        ValueError: a name that is not a block's, or a block that cannot go because nothing else
            makes the shape that follows; the message lists the blocks that can.

    Example:
        >>> from resnet_builder import ResnetBuilder, without_blocks
        >>> model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), classes=10)
        >>> lesioned = without_blocks(model, ["stage2_block2"])
        >>> len(model.layers) - len(lesioned.layers)  # two convolutions, and what goes with them
        6
    """
    known = _blocks_of(model)
    chosen = _chosen(known, blocks)
    stay = [block.name for block in chosen if not block.bypasses]
    if stay:
        can_go = [name for name, block in known.items() if block.bypasses]
        raise ValueError(
            f"{', '.join(stay)} cannot be removed: no shortcut leads past, and the output has "
            f"another shape than the input; what can be removed: {', '.join(can_go) or 'nothing'}"
        )
    bypassed = {name for block in chosen for name in block.bypasses}

    def call(layer: Any, inputs: Any, *args: Any, **options: Any) -> Tensor:
        if layer.name in bypassed:
            # The shortcut comes first at an addition (see `blocks`).
            return inputs[0] if isinstance(inputs, list) else inputs
        return layer(inputs, *args, **options)

    return _copy(model, call)


def reordered(model: keras.Model, order: Iterable[str]) -> keras.Model:
    """A copy of a model with some of its blocks in another order.

    The named blocks take the places that they have in the model among themselves, the first of
    `order` the foremost; all others stay where they are. Only blocks of one kind and size can take
    each other's places (arXiv:1605.06431, section 4.3). What moves are the weights; the names, and
    the rates of stochastic depth, belong to the places.

    Args:
        model: as in `without_blocks`.
        order: names of blocks, each once.

    Returns:
        A model with the same inputs, outputs and weights, not compiled.

    Raises:
        TypeError: not a Keras model, or not a list of names.
        ValueError: a name that is not a block's or comes twice, or blocks with other weights.

    Example:
        >>> from resnet_builder import ResnetBuilder, reordered
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> swapped = reordered(model, ["stage1_block3", "stage1_block2"])
        >>> there = swapped.get_layer("stage1_block2_conv1").kernel
        >>> bool((there.numpy() == model.get_layer("stage1_block3_conv1").kernel.numpy()).all())
        True
    """
    known = _blocks_of(model)
    chosen = _chosen(known, order)
    if len({block.name for block in chosen}) < len(chosen):
        raise ValueError(f"a block is named twice: {', '.join(block.name for block in chosen)}")
    places = [block for block in known.values() if block in chosen]
    weights_from = {}
    for place, block in zip(places, chosen, strict=True):
        if place.weights != block.weights:
            raise ValueError(
                f"{block.name} does not fit where {place.name} is: their weights differ in number "
                "or shape"
            )
        for role in place.weights:
            weights_from[place.layers[role].name] = block.layers[role].name
    return _copy(model, weights_from=weights_from)


def along_paths(model: keras.Model) -> keras.Model:
    """A copy of a model through which the gradient of each image flows along paths of your choice.

    A path says of every block with a shortcut whether the gradient passes its residual branch (1)
    or its shortcut (0); what it does not pass counts as a constant (arXiv:1605.06431, section 4.3).
    The answers are the model's own whatever the path, and the gradients of all paths add up to the
    model's. Batch norm mixes the images of a batch in training: call it with `training=False`.

    Args:
        model: as in `without_blocks`, with one input.

    Returns:
        A model of [images, paths], where paths are (batch, blocks in the order of the model), with
        the same outputs and weights, not compiled.

    Raises:
        TypeError: not a Keras model.
        ValueError: a model without blocks, or with a block that has no shortcut.

    Example:
        >>> from resnet_builder import ResnetBuilder, along_paths
        >>> model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), classes=10)
        >>> [tensor.shape for tensor in along_paths(model).inputs]
        [(None, 32, 32, 3), (None, 8)]
    """
    blocks = _blocks_of(model)
    single = [name for name, block in blocks.items() if not block.has_shortcut]
    if single:
        raise ValueError(f"only one path leads through a block without shortcut: {single[0]}")
    image = keras.Input(batch_shape=model.input.shape, dtype=model.input.dtype, name="image")
    paths = keras.Input((len(blocks),), name="paths")
    gates = {
        block.layers[ADD].name: keras.ops.reshape(paths[:, number], (-1, 1, 1, 1))
        for number, block in enumerate(blocks.values())
    }

    def call(layer: Any, inputs: Any, *args: Any, **options: Any) -> Tensor:
        if layer.name in gates:
            gate = keras.ops.cast(gates[layer.name], inputs[0].dtype)
            inputs = [_pass_back(inputs[0], 1 - gate), _pass_back(inputs[1], gate)]
        return layer(inputs, *args, **options)

    with room_for(layers=len(model.layers)):
        # A copy has as many inputs as its model: here is one with a second, which leads nowhere.
        wider = keras.Model([model.input, paths], model.output, name=model.name)
    return _copy(wider, call, inputs=[image, paths])


def _pass_back(tensor: Tensor, share: Tensor) -> Tensor:
    """The tensor, through which a share of the gradient flows back."""
    return keras.ops.stop_gradient((1 - share) * tensor) + share * tensor


@dataclass
class _Block:
    """A block of a model: its name, also with the network's prefix, and its layers by role."""

    name: str
    full_name: str
    layers: Mapping[str, Any]

    @property
    def has_shortcut(self) -> bool:
        return ADD in self.layers

    @property
    def bypasses(self) -> list[str]:
        """The layers that return their first input if the block is removed; none: it stays."""
        if self.has_shortcut:
            return [self.layers[ADD].name]
        layers = list(self.layers.values())
        same = layers[0].input.shape == layers[-1].output.shape
        return [layer.name for layer in layers] if same else []

    @property
    def weights(self) -> dict[str, list[tuple[int, ...]]]:
        """The shapes of its weights, by the roles of their layers."""
        return {
            role: [weight.shape for weight in layer.weights]
            for role, layer in self.layers.items()
            if getattr(layer, "weights", ())
        }


def _blocks_of(model: keras.Model) -> dict[str, _Block]:
    """The blocks in the order of the model, by name: with the prefix if there are networks."""
    networks = networks_of(model)
    blocks = {}
    for network in networks:
        for place, layers in network.blocks.items():
            full_name = f"{network.prefix}{place}"
            name = full_name if len(networks) > 1 else str(place)
            blocks[name] = _Block(name, full_name, layers)
    if not blocks:
        raise ValueError(f"{model.name!r} has no blocks, such as stage1_block1")
    return blocks


def _chosen(known: Mapping[str, _Block], names: Iterable[str]) -> list[_Block]:
    """The blocks with those names, with or without a prefix."""
    if isinstance(names, str):
        raise TypeError(f"blocks are given as a list of names, not as {names!r}")
    full_names = {block.full_name: block for block in known.values()}
    return [
        full_names[name] if name in full_names else look_up(known, name, "block") for name in names
    ]


def _copy(
    model: keras.Model,
    call: Callable[..., Tensor] = lambda layer, *args, **options: layer(*args, **options),
    *,
    weights_from: Mapping[str, str] | None = None,
    inputs: list[Tensor] | None = None,
) -> keras.Model:
    """A copy, whose layers are called by `call`; `weights_from` says whose weights some have."""
    with room_for(layers=3 * len(model.layers)):
        copy = keras.models.clone_model(model, inputs, call_function=call)
    for layer in copy.layers:
        if layer.weights:
            source = (weights_from or {}).get(layer.name, layer.name)
            layer.set_weights(model.get_layer(source).get_weights())
    return copy
