"""A table from operations of keras.ops to nodes of ONNX: those of networks, heads, preprocessing.

Layers that do the same have the same writers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np
from onnx import numpy_helper

from .onnx_activations import same, single, unary
from .onnx_graph import Call, Graph, Value, Writer

# Arithmetic ---------------------------------------------------------------------------------------


def _arithmetic(kind: str) -> Writer:
    """Operands of a layer or operation, two by two, as the type of the result."""

    def compute(graph: Graph, call: Call) -> Value:
        ranks = {len(x.shape) for x in call.inputs}
        if isinstance(call.operation, keras.Layer) and len(ranks) > 1:
            raise call.refuse("its inputs have different numbers of axes: put a Reshape before it")
        operands = keras.tree.flatten(call.given)
        while len(operands) > 1:
            names = graph.aligned(operands[:2], call.dtype)
            operands[:2] = [graph.node(kind, *names)]
        made: Value = operands[0]
        return made

    return compute


def _comparison(kind: str) -> Writer:
    def compare(graph: Graph, call: Call) -> Value:
        dtypes = [
            x.dtype if isinstance(x, Value) else type(x)
            for x in call.given
            if not isinstance(x, np.ndarray)
        ]
        return graph.node(kind, *graph.aligned(call.given, keras.backend.result_type(*dtypes)))

    return compare


def _floor_divide(graph: Graph, call: Call) -> Value:
    # float64 is exact for int32, and onnxruntime rounds integers to zero.
    quotient = graph.node("Div", *graph.aligned(call.given, "float64"))
    return graph.cast(graph.node("Floor", quotient), call.dtype)


def _remainder(graph: Graph, call: Call) -> Value:
    if not call.dtype.startswith("int"):
        raise call.refuse("it is of other numbers than integers")
    return graph.node("Mod", *graph.aligned(call.given, call.dtype))


def _divide_no_nan(graph: Graph, call: Call) -> Value:
    x, y = graph.aligned(call.tensors(2), call.dtype)
    zero = graph.constant(np.zeros((), call.dtype))
    return graph.node("Where", graph.node("Equal", y, zero), zero, graph.node("Div", x, y))


def _where(graph: Graph, call: Call) -> Value:
    return graph.node("Where", *graph.aligned(call.given, "bool", call.dtype, call.dtype))


def _square(graph: Graph, call: Call) -> Value:
    return graph.node("Mul", call.input, call.input)


def _round(graph: Graph, call: Call) -> Value:
    if call.operation.decimals:
        raise call.refuse("it rounds to decimals")
    return graph.node("Round", call.input)


def _cast(graph: Graph, call: Call) -> Value:
    return graph.cast(call.input, call.dtype)


def _ones(graph: Graph, call: Call) -> Value:
    number = numpy_helper.from_array(np.ones(1, call.dtype))
    return graph.node("ConstantOfShape", graph.node("Shape", call.input), value=number)


def _cumulative_sum(graph: Graph, call: Call) -> Value:
    x, axis = graph.cast(call.input, call.dtype), call.operation.axis
    if axis is None and len(x.shape) > 1:
        raise call.refuse("it has no axis")
    return graph.node("CumSum", x, np.int64(x.axis(axis or 0)))


def _reduction(kind: str) -> Writer:
    def reduce(graph: Graph, call: Call) -> Value:
        axis = call.operation.axis
        axes = range(len(call.input.shape)) if axis is None else np.ravel(axis).tolist()
        return reduced(graph, call, kind, axes)

    return reduce


def reduced(graph: Graph, call: Call, kind: str, axes: Iterable[int]) -> Value:
    """A sum, mean or maximum over axes of Keras."""
    x, keeps = graph.cast(call.input, call.dtype), bool(call.operation.keepdims)
    gone = {axis % len(x.shape) for axis in axes}
    left = [axis for axis in x.order if axis not in gone]
    if not keeps and left != sorted(left):
        x = graph.plain(x)
    numbers = np.array(sorted(x.axis(axis) for axis in gone), "int64")
    made = graph.node(kind, x, numbers, keepdims=int(keeps))
    return replace(made, moved=x.moved and keeps)


# Products -----------------------------------------------------------------------------------------


def _matmul(graph: Graph, call: Call) -> Value:
    factors = (graph.plain(graph.cast(x, call.dtype)) for x in call.tensors(2))
    return graph.node("MatMul", *factors)


def _einsum(graph: Graph, call: Call) -> Value:
    """With the letters of each factor in the order of its axes."""
    left, arrow, right = call.operation.subscripts.replace(" ", "").partition("->")
    letters = left.split(",")
    if "." in left or not arrow or len(letters) != len(call.inputs):
        raise call.refuse(f"its equation is {call.operation.subscripts!r}")
    orders = (
        "".join(axes[axis] for axis in x.order)
        for axes, x in zip(letters, call.inputs, strict=True)
    )
    factors = [graph.cast(x, call.dtype) for x in call.inputs]
    made = graph.node("Einsum", *factors, equation=f"{','.join(orders)}->{right}")
    return replace(made, moved=False)


def _dot_product_attention(graph: Graph, call: Call) -> Value:
    """Queries, keys and values of (batch, tokens, heads, channels)."""
    operation = call.operation
    if any(given is not None for given in call.given[3:]):
        raise call.refuse("it has a mask, a bias or a scale")
    if operation.is_causal or operation.attn_logits_soft_cap:
        raise call.refuse("it is causal, or has a cap")
    query, key, value = map(graph.plain, call.tensors(3))
    scaled = graph.node("Mul", query, np.float32(call.output.shape[-1] ** -0.5))
    queries = graph.node("Transpose", scaled, perm=[0, 2, 1, 3])
    keys = graph.node("Transpose", key, perm=[0, 2, 3, 1])
    values = graph.node("Transpose", value, perm=[0, 2, 1, 3])
    weights = graph.node("Softmax", graph.node("MatMul", queries, keys), axis=-1)
    return graph.node("Transpose", graph.node("MatMul", weights, values), perm=[0, 2, 1, 3])


# Parts and orders ---------------------------------------------------------------------------------

# Of a slice to the end of an axis of any size.
END = 2**31 - 1


def sliced(graph: Graph, x: Value, slices: Mapping[int, slice]) -> Value:
    """Slices of axes of Keras."""
    rows = [(x.axis(axis), *_limits(part)) for axis, part in slices.items() if part != slice(None)]
    if not rows:
        return x
    axes, starts, stops, steps = np.array(rows, "int64").T
    return graph.node("Slice", x, starts, stops, axes, steps)


def _limits(part: slice) -> tuple[int, int, int]:
    """The start, stop and step of a slice of an axis of any size."""
    step = part.step or 1
    first, last = (0, END) if step > 0 else (END, -END)
    start = first if part.start is None else part.start
    return start, last if part.stop is None else part.stop, step


def _item(graph: Graph, call: Call) -> Value:
    """x[...] with slices and numbers."""
    key = call.given[1]
    keys = list(key) if isinstance(key, tuple | list) else [key]
    parts = [part for part in keys if isinstance(part, int | slice)]
    if len(parts) < len(keys):
        raise call.refuse("its index is not of numbers and slices")
    numbers = [axis for axis, part in enumerate(parts) if isinstance(part, int)]
    slices = [part if isinstance(part, slice) else slice(part, part + 1 or None) for part in parts]
    x = graph.plain(call.input) if numbers else call.input
    x = sliced(graph, x, dict(enumerate(slices)))
    return graph.node("Squeeze", x, np.array(numbers, "int64")) if numbers else x


def _flip(graph: Graph, call: Call) -> Value:
    x, axis = call.input, call.operation.axis
    axes = range(len(x.shape)) if axis is None else np.ravel(axis).tolist()
    return sliced(graph, x, {number % len(x.shape): slice(None, None, -1) for number in axes})


def padded(
    graph: Graph, x: Value, pairs: Mapping[int, tuple[int, int]], mode: str = "constant"
) -> Value:
    """Zeros or a reflection, of sizes before and after axes of Keras."""
    both = [pairs.get(axis, (0, 0)) for axis in x.order]
    return graph.node("Pad", x, np.array(both, "int64").T.ravel(), mode=mode)


def _pad(graph: Graph, call: Call) -> Value:
    operation, x = call.operation, call.input
    if operation.mode not in ("constant", "reflect") or any(call.given[1:]):
        raise call.refuse(f"mode={operation.mode!r}, or a constant other than 0")
    widths = np.broadcast_to(operation.pad_width, (len(x.shape), 2)).tolist()
    return padded(graph, x, dict(enumerate(widths)), operation.mode)


def joined(graph: Graph, call: Call) -> Value:
    """A concatenation."""
    values = graph.aligned(call.inputs, call.dtype)
    like = next(x for x in values if isinstance(x, Value))
    return graph.node("Concat", *values, axis=like.axis(call.operation.axis))


def _repeated(graph: Graph, call: Call) -> Value:
    x, axis, times = call.input, call.operation.axis, call.operation.repeats
    size = None if axis is None else x.shape[axis]
    if size is None or not isinstance(times, int):
        raise call.refuse("it repeats an axis of unknown size, or each entry differently")
    return graph.node("Gather", x, np.repeat(np.arange(size), times), axis=x.axis(axis))


def _taken(graph: Graph, call: Call) -> Value:
    """Entries along an axis, by their numbers in a tensor of one axis."""
    (x, places), axis = call.tensors(2), call.operation.axis
    if len(places.shape) != 1 or axis is None:
        raise call.refuse("it has no axis, or its numbers have several")
    return graph.node("Gather", x, places, axis=x.axis(axis))


def reshaped(graph: Graph, call: Call) -> Value:
    """Another shape, of which one size may be unknown."""
    shape = [-1 if size is None else size for size in call.output.shape]
    if shape.count(-1) > 1:
        raise call.refuse(
            f"the sizes of {tuple(call.output.shape)} are unknown: give the model a fixed size"
        )
    return graph.node("Reshape", graph.plain(call.inputs[0]), np.array(shape, "int64"))


def permuted(graph: Graph, x: Value, perm: Sequence[int]) -> Value:
    """Another order of axes, without a node if ONNX stores that one already."""
    for moved in (True, False):
        if [perm[axis] for axis in replace(x, moved=moved).order] == x.order:
            return replace(x, moved=moved)
    made = graph.node("Transpose", x, perm=[x.axis(axis) for axis in perm])
    return replace(made, moved=False)


def _transpose(graph: Graph, call: Call) -> Value:
    axes = call.operation.axes
    backwards = range(len(call.output.shape))[::-1]
    return permuted(graph, call.input, backwards if axes is None else axes)


def _unsqueezed(graph: Graph, call: Call) -> Value:
    axes = np.ravel(call.operation.axis) % len(call.output.shape)
    return graph.node("Unsqueeze", graph.plain(call.input), axes.astype("int64"))


# The tables ---------------------------------------------------------------------------------------

# Layers and operations with these names.
BOTH: dict[str, Writer] = {
    "Add": _arithmetic("Add"),
    "Subtract": _arithmetic("Sub"),
    "Multiply": _arithmetic("Mul"),
    "Maximum": _arithmetic("Max"),
    "Minimum": _arithmetic("Min"),
    "Concatenate": joined,
    "Reshape": reshaped,
}
# Operations by the names of their classes, which are not public.
OPERATIONS: dict[str, Writer] = BOTH | {
    "Absolute": unary(single("Abs")),
    "Ceil": unary(single("Ceil")),
    "Floor": unary(single("Floor")),
    "Sqrt": unary(single("Sqrt")),
    "StopGradient": unary(same),
    "Square": _square,
    "Round": _round,
    "Cast": _cast,
    "OnesLike": _ones,
    "Divide": _arithmetic("Div"),
    "TrueDivide": _arithmetic("Div"),
    "FloorDivide": _floor_divide,
    "DivideNoNan": _divide_no_nan,
    "Mod": _remainder,
    "Power": _arithmetic("Pow"),
    "LogicalAnd": _arithmetic("And"),
    "Less": _comparison("Less"),
    "LessEqual": _comparison("LessOrEqual"),
    "Greater": _comparison("Greater"),
    "GreaterEqual": _comparison("GreaterOrEqual"),
    "Where": _where,
    "Cumsum": _cumulative_sum,
    "Mean": _reduction("ReduceMean"),
    "Sum": _reduction("ReduceSum"),
    "Max": _reduction("ReduceMax"),
    "Matmul": _matmul,
    "Einsum": _einsum,
    "DotProductAttention": _dot_product_attention,
    "GetItem": _item,
    "Take": _taken,
    "Repeat": _repeated,
    "Flip": _flip,
    "Pad": _pad,
    "Transpose": _transpose,
    "ExpandDims": _unsqueezed,
}
