"""Lesions: a network with blocks removed or reordered, or along selected paths.

After Veit, Wilber and Belongie 2016 (arXiv:1605.06431). Blocks are found by the names of their
layers, so a model loaded from a file works like one just built.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import keras

from .common.checks import look_up
from .model.keras_layers import Tensor
from .model.keras_limits import room_for, without_tensorflow
from .model.locate import networks_of
from .plan.names import ADD


def without_blocks(model: keras.Model, blocks: Iterable[str]) -> keras.Model:
    """Copy a model without the residual branches of some blocks; their shortcuts remain.

    A block with an identity shortcut is replaced by its input (if an activation follows the
    addition, it is applied once more, which changes nothing for ReLU), and a block with a
    projection by the projection. A block without a shortcut, in a plain network or from a custom
    block function, is removed completely if its output has the shape of its input
    (arXiv:1605.06431, section 4.1).

    Args:
        model: a model of this package, or one with the same layer names.
        blocks: names of blocks, such as `"stage2_block1"`, with or without the `layer_prefix`; the
            prefix is required if several networks in the model have a block of that name.

    Returns:
        A model with the same inputs, outputs and weights, not compiled.

    Raises:
        TypeError: not a Keras model, or not a list of names.
        ValueError: a name that is not a block's, or a block that cannot be removed because it
            changes the shape and has no shortcut; the message lists the blocks that can.

    Example:
        >>> from resnet_builder import ResnetBuilder, without_blocks
        >>> model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), classes=10)
        >>> lesioned = without_blocks(model, ["stage2_block2"])
        >>> len(model.layers) - len(lesioned.layers)  # the layers of its residual branch
        6
    """
    known = _blocks_of(model)
    chosen = _chosen(known, blocks)
    stay = [block.name for block in chosen if not block.bypasses]
    if stay:
        can_go = [name for name, block in known.items() if block.bypasses]
        raise ValueError(
            f"{', '.join(stay)} cannot be removed: there is no shortcut, and the output has "
            f"another shape than the input; what can be removed: {', '.join(can_go) or 'nothing'}"
        )
    bypassed = {name for block in chosen for name in block.bypasses}

    def call(layer: keras.Layer, inputs: Tensor, *args: object, **options: object) -> Tensor:
        if layer.name in bypassed:
            # The shortcut comes first at an addition (see `blocks`).
            return inputs[0] if isinstance(inputs, list) else inputs
        return layer(inputs, *args, **options)

    return _copy(model, call)


def reordered(model: keras.Model, order: Iterable[str]) -> keras.Model:
    """Copy a model with some of its blocks in another order.

    The named blocks are permuted among their positions in the model, the first of `order` at the
    first of these positions; all other blocks stay in place. Only blocks of the same kind and size
    can be exchanged (arXiv:1605.06431, section 4.3). The weights move; the names and the rates of
    stochastic depth stay with the positions.

    Args:
        model: a model as in `without_blocks`.
        order: names of blocks, each once.

    Returns:
        A model with the same inputs, outputs and weights, not compiled.

    Raises:
        TypeError: not a Keras model, or not a list of names.
        ValueError: a name that is not a block's or occurs twice, or blocks with other weights.

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
                f"{block.name} does not fit in place of {place.name}: their weights differ in "
                "number or shape"
            )
        for role in place.weights:
            weights_from[place.layers[role].name] = block.layers[role].name
    return _copy(model, weights_from=weights_from)


def along_paths(model: keras.Model) -> keras.Model:
    """Copy a model so that the gradient of each image flows along selected paths only.

    A path selects for every block with a shortcut whether the gradient flows through its residual
    branch (1) or its shortcut (0); the other one is treated as a constant (arXiv:1605.06431,
    section 4.3). The outputs are the model's for every path, and the gradients of all paths add up
    to the model's. Call the copy with `training=False`, because batch norm mixes the images of a
    batch during training.

    Args:
        model: a model as in `without_blocks`, with one input.

    Returns:
        A model with the inputs [images, paths] and the same outputs and weights, not compiled. The
        shape of paths is (batch, blocks), with the blocks in the order of the model.

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
    single = [name for name, block in blocks.items() if ADD not in block.layers]
    if single:
        raise ValueError(f"only one path leads through a block without shortcut: {single[0]}")
    image = keras.Input(batch_shape=model.input.shape, dtype=model.input.dtype, name="image")
    paths = keras.Input((len(blocks),), name="paths")
    gates = {
        block.layers[ADD].name: keras.ops.reshape(paths[:, number], (-1, 1, 1, 1))
        for number, block in enumerate(blocks.values())
    }

    def call(layer: keras.Layer, inputs: Tensor, *args: object, **options: object) -> Tensor:
        if layer.name in gates:
            gate = keras.ops.cast(gates[layer.name], inputs[0].dtype)
            inputs = [_pass_back(inputs[0], 1 - gate), _pass_back(inputs[1], gate)]
        return layer(inputs, *args, **options)

    with room_for(layers=len(model.layers)):
        # A copy has as many inputs as its model, so a second, unused input is added first.
        wider = keras.Model([model.input, paths], model.output, name=model.name)
    return _copy(wider, call, inputs=[image, paths])


def _pass_back(tensor: Tensor, share: Tensor) -> Tensor:
    """The same tensor, which passes a fraction of the gradient back."""
    return keras.ops.stop_gradient((1 - share) * tensor) + share * tensor


@dataclass
class _Block:
    """A block of a model: its name, its name with the prefix, and its layers by role."""

    name: str
    full_name: str
    layers: Mapping[str, keras.Layer]

    @property
    def bypasses(self) -> list[str]:
        """Layers that return their first input if the block is removed; none if it cannot be."""
        if ADD in self.layers:
            return [self.layers[ADD].name]
        layers = list(self.layers.values())
        same = layers[0].input.shape == layers[-1].output.shape
        return [layer.name for layer in layers] if same else []

    @property
    def weights(self) -> dict[str, list[tuple[int, ...]]]:
        """The shapes of its weights by role of their layers."""
        return {
            role: [weight.shape for weight in layer.weights]
            for role, layer in self.layers.items()
            if getattr(layer, "weights", ())
        }


def _blocks_of(model: keras.Model) -> dict[str, _Block]:
    """The blocks by name in the order of the model; prefixed if several networks have the name."""
    networks = networks_of(model)
    counts = Counter(place for network in networks for place in network.blocks)
    blocks = {}
    for network in networks:
        for place, layers in network.blocks.items():
            full_name = f"{network.prefix}{place}"
            name = full_name if counts[place] > 1 else str(place)
            blocks[name] = _Block(name, full_name, layers)
    if not blocks:
        raise ValueError(f"{model.name!r} has no blocks, such as stage1_block1")
    return blocks


def _chosen(known: Mapping[str, _Block], names: Iterable[str]) -> list[_Block]:
    """The blocks with the given names, with or without a prefix."""
    if isinstance(names, str):
        raise TypeError(f"blocks are given as a list of names, not as {names!r}")
    full_names = {block.full_name: block for block in known.values()}
    return [
        full_names[name] if name in full_names else look_up(known, name, "block") for name in names
    ]


def _copy(
    model: keras.Model,
    call: Callable[..., Tensor] = operator.call,
    *,
    weights_from: Mapping[str, str] | None = None,
    inputs: list[Tensor] | None = None,
) -> keras.Model:
    """Copy a model, calling its layers by `call`; `weights_from` maps layers to their sources."""
    with room_for(layers=3 * len(model.layers)), without_tensorflow():
        copy = keras.models.clone_model(model, inputs, call_function=call)
    for layer in copy.layers:
        if layer.weights:
            source = (weights_from or {}).get(layer.name, layer.name)
            layer.set_weights(model.get_layer(source).get_weights())
    return copy
