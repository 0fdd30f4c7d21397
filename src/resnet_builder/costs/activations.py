"""What a plan's activations take and see: memory, strides and receptive fields. No Keras."""

from collections.abc import Iterator
from typing import NamedTuple

from ..common.shapes import known_product
from ..plan import layers
from ..plan.layers import Layer, Strided
from ..plan.network import Plan

FLOAT32 = 4  # bytes

# Layers whose output is their input, under another name or in another shape.
SAME = (layers.Identity, layers.Reshape, layers.Dropout)

# Layers that write over an input that no other layer reads, as compiled code does.
IN_PLACE = (
    *(layers.BatchNorm, layers.GroupNorm, layers.Activation, layers.Softmax),
    *(layers.ChannelScale, layers.Add, layers.Multiply, layers.Divide),
)

# Layers whose gradient needs their inputs. Sums, pads, averages and subsampling need nothing.
READ_AGAIN = (
    *(layers.Conv, layers.ChannelConv, layers.ChannelScale, layers.Dense, layers.MaxPool),
    *(layers.BatchNorm, layers.GroupNorm, layers.GroupDeviation, layers.Attention),
    *(layers.Multiply, layers.Divide, layers.WeightedSum),
)

# Activations with a gradient that follows from their output; others need their input.
OF_OUTPUT = ("relu", "relu6", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softmax")

# Layers that see the whole map.
WHOLE = (layers.GlobalPool, layers.WeightedSum, layers.Tokens, layers.GroupDeviation)


class Memory(NamedTuple):
    """Bytes of the activations of one image in float32; None if its size is unknown.

    Attributes:
        inference: the most that is held at once.
        training: all that is kept for the backward pass.
    """

    inference: int | None
    training: int | None


def activation_memory(plan: Plan) -> Memory:
    """The memory of a plan's activations, as `Profile` defines it."""
    sizes, kept = _sizes(plan), kept_for_training(plan)
    if sizes is None or kept is None:
        return Memory(None, None)
    inference = FLOAT32 * _most_at_once(plan, _tensors(plan), sizes)
    return Memory(inference, sum(kept.values()))


def kept_for_training(plan: Plan) -> dict[str, int] | None:
    """The bytes that training keeps of the outputs of layers, by name; None if one is unknown."""
    sizes, tensors = _sizes(plan), _tensors(plan)
    kept = {tensors[name] for layer in plan.layers for name in _needed(layer)}
    return None if sizes is None else {name: FLOAT32 * sizes[name] for name in kept}


def _sizes(plan: Plan) -> dict[str, int] | None:
    """The elements of the outputs of layers by name; None if one is unknown."""
    sizes = {layer.name: known_product(*layer.output_shape) for layer in plan.layers}
    known = {name: size for name, size in sizes.items() if size is not None}
    return known if len(known) == len(sizes) else None


def _tensors(plan: Plan) -> dict[str, str]:
    """The layer that made the tensor that each layer puts out."""
    made: dict[str, str] = {}
    for layer in plan.layers:
        made[layer.name] = made[layer.inputs[0]] if isinstance(layer, SAME) else layer.name
    return made


def _needed(layer: Layer) -> Iterator[str]:
    """The layers whose outputs the gradient of a layer needs."""
    activation = getattr(layer, "function", getattr(layer, "activation", None))
    is_of_output = activation in OF_OUTPUT
    if isinstance(layer, layers.Softmax | layers.MaxPool) or is_of_output:
        yield layer.name
    if isinstance(layer, READ_AGAIN) or (activation and not is_of_output):
        yield from layer.inputs


def _most_at_once(plan: Plan, tensors: dict[str, str], sizes: dict[str, int]) -> int:
    """The elements of the tensors held at once, at most, if each goes after its last reader."""
    last = {tensors[name]: number for number, of in enumerate(plan.layers) for name in of.inputs}
    held = most = 0
    for number, layer in enumerate(plan.layers):
        size = sizes[layer.name]
        read = {tensors[name] for name in layer.inputs}
        done = [sizes[name] for name in read if last[name] == number]
        if tensors[layer.name] != layer.name:
            continue
        held += size
        most = max(most, held - size * (isinstance(layer, IN_PLACE) and size in done))
        held -= sum(done)
    return most


# Strides and receptive fields ---------------------------------------------------------------------


class View(NamedTuple):
    """What a pixel of a map sees of the image, along one side; None after a pool over a whole map.

    Attributes:
        stride: pixels of the image between the centres of two neighbours.
        receptive_field: pixels of the image that convolutions and pools carry to it.
    """

    stride: int | None
    receptive_field: int | None


NO_VIEW = View(None, None)


def views(plan: Plan) -> dict[str, View]:
    """The view of each layer's output.

    A window of k pixels adds (k - 1) * dilation * stride pixels (Araujo, Norris and Sim 2019,
    https://distill.pub/2019/computing-receptive-fields/). What sees a whole map only to weigh or
    normalise one, such as squeeze-and-excitation, is left out.
    """
    found: dict[str, View] = {}
    for layer in plan.layers:
        before = [found[name] for name in layer.inputs] or [View(1, 1)]
        stride = max(view.stride or 0 for view in before)
        field = max(view.receptive_field or 0 for view in before)
        if isinstance(layer, Strided):
            field += (layer.kernel_size - 1) * layer.dilation * stride
            stride *= layer.strides[0]
        sees = stride and not isinstance(layer, WHOLE)
        found[layer.name] = View(stride, field) if sees else NO_VIEW
    return found
