"""A Keras model as a list of calls, to run all of it, or what comes after one of its maps.

No model is made: the layers are called with arrays, so that theirs stay as they are. The calls of a
model inside the model are listed in its place, which makes the maps in it known.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from inspect import signature
from itertools import count
from typing import Any

import keras
from keras import ops

from ..model.graph import PERMUTED, BatchShape, calls_of, functional
from ..model.keras_layers import Tensor
from ..plan.names import CLASSIFIER
from .folds import has_graph

# The tensors of a run by their numbers.
Values = dict[int, Tensor]


@dataclass(frozen=True)
class Step:
    """One call of a layer.

    Attributes:
        layer: what is called.
        name: the layer's name.
        arguments: Keras's record of the arguments.
        sources: the number of each symbolic tensor among them, by its id.
        outputs: the numbers of the tensors that it returns.
        shape: of the first of these.
    """

    layer: Callable[..., Tensor]
    name: str
    arguments: Any
    sources: Mapping[int, int]
    outputs: tuple[int, ...]
    shape: BatchShape

    @property
    def source(self) -> int:
        """The number of its first tensor."""
        return next(iter(self.sources.values()))

    def result(self, given: Mapping[int, Tensor]) -> Tensor:
        """Call the layer outside of training, as `predict` does whatever the model's call says.

        `given` are the tensors by the ids of the symbolic ones.
        """
        arguments, options = self.arguments.fill_in(given)
        if _is_compiled(self.layer):
            return _by_groups(self.layer, *arguments, **options)
        if "training" in signature(getattr(self.layer, "call", self.layer)).parameters:
            options = {**options, "training": False}
        return self.layer(*arguments, **options)

    @property
    def orders(self) -> tuple[str, str] | None:
        """The order of axes before and after it, if it has one."""
        axes = getattr(self.layer, "axes", None)
        dims = getattr(self.layer, "dims", tuple(axes)[1:] if isinstance(axes, tuple) else None)
        is_padding = isinstance(self.layer, keras.layers.ZeroPadding2D)  # its order is what it pads
        order = None if is_padding else getattr(self.layer, "data_format", None)
        return PERMUTED.get(dims) or ((order, order) if order else None)


class Replay:
    """The calls of a model with one input, each after those that it needs.

    Attributes:
        calls: the calls.
        input: the number of the input.
        output: the number of the output.

    Raises:
        ValueError: a model with several inputs or outputs, or without a graph of layers.
    """

    def __init__(self, model: keras.Model) -> None:
        function = functional(model)
        if len(function.inputs) != 1:
            raise ValueError(
                f"{model.name!r} has {len(function.inputs)} inputs: give a model with one"
            )
        self.calls: list[Step] = []
        self._numbers = count()
        self.input = next(self._numbers)
        known = self._listed(function, {id(function.inputs[0]): self.input})
        self.output = known[id(_answer_of(function))]

    def _listed(self, function: keras.Model, known: dict[int, int]) -> dict[int, int]:
        """List the calls of a model; return the numbers of its tensors by their ids."""
        for call in calls_of(function):
            if isinstance(call.operation, keras.layers.InputLayer):
                continue
            given = [known[id(tensor)] for tensor in call.input_tensors]
            own = [id(tensor) for tensor in call.output_tensors]
            if has_graph(call.operation):
                inner = functional(call.operation)
                inside = self._listed(inner, dict(zip(map(id, inner.inputs), given, strict=True)))
                ends = [inside[id(tensor)] for tensor in inner.outputs]
            else:
                ends = [next(self._numbers) for _ in own]
                sources = {id(tensor): known[id(tensor)] for tensor in call.input_tensors}
                self.calls.append(
                    Step(
                        call.operation,
                        call.operation.name,
                        call.arguments,
                        sources,
                        tuple(ends),
                        tuple(call.output_tensors[0].shape),
                    )
                )
            known |= dict(zip(own, ends, strict=True))
        return known

    def maker(self, number: int) -> Step | None:
        """The call that returns a tensor; None for the input."""
        return next((call for call in self.calls if number in call.outputs), None)

    def after(self, number: int) -> list[Step]:
        """The calls that depend on a tensor."""
        reached, found = {number}, []
        for call in self.calls:
            if not reached.isdisjoint(call.sources.values()):
                reached.update(call.outputs)
                found.append(call)
        return found

    def order_of(self, number: int) -> str:
        """The order of axes of a map."""
        while call := self.maker(number):
            if call.orders:
                return call.orders[1]
            number = call.source
        return next((call.orders[0] for call in self.calls if call.orders), "channels_last")

    def exchange(self, call: Step, layer: Callable[..., Tensor]) -> None:
        """Call another layer in a layer's place."""
        self.calls[self.calls.index(call)] = replace(call, layer=layer)

    def run(self, calls: Iterable[Step], values: Values, keep: Iterable[int] = ()) -> Values:
        """Add the results of calls to values; forget what is not kept after its last use.

        The output is always kept.
        """
        calls, kept = list(calls), {self.output, *keep}
        last = {number: call.outputs for call in calls for number in call.sources.values()}
        values = dict(values)
        for call in calls:
            given = {tensor: values[number] for tensor, number in call.sources.items()}
            results = keras.tree.flatten(call.result(given))
            values.update(zip(call.outputs, results, strict=True))
            for number in set(call.sources.values()) - kept:
                if last[number] == call.outputs:
                    del values[number]
        return values


def _is_compiled(layer: Any) -> bool:
    """Whether Keras compiles a layer at every call with arrays, and does not free the result.

    It does so with grouped convolutions on TensorFlow (keras/src/backend/tensorflow/nn.py, `conv`
    in Keras 3.15).
    """
    return (
        keras.backend.backend() == "tensorflow"
        and type(layer) is keras.layers.Conv2D
        and layer.groups > 1
        and not getattr(layer, "quantization_mode", None)
    )


def _by_groups(layer: keras.layers.Conv2D, inputs: Tensor) -> Tensor:
    """The output of a grouped convolution, from a convolution of each group."""
    is_first = layer.data_format == "channels_first"  # in which TensorFlow convolves on no CPU
    x = ops.moveaxis(inputs, 1, -1) if is_first else inputs
    x, kernel = (ops.cast(of, layer.compute_dtype) for of in (x, layer.kernel))
    groups = zip(ops.split(x, layer.groups, -1), ops.split(kernel, layer.groups, -1), strict=True)
    steps = (layer.strides, layer.padding, "channels_last", layer.dilation_rate)
    outputs = ops.concatenate([ops.conv(*group, *steps) for group in groups], -1)
    if layer.use_bias:
        outputs = ops.add(outputs, ops.cast(layer.bias, layer.compute_dtype))
    return layer.activation(ops.moveaxis(outputs, -1, 1) if is_first else outputs)


def _answer_of(function: keras.Model) -> keras.KerasTensor:
    """The output of a model: the only one, or of a dict of maps the predictions."""
    outputs = function.output
    if isinstance(outputs, dict) and CLASSIFIER in outputs:
        return outputs[CLASSIFIER]
    if len(function.outputs) > 1:
        names = ", ".join(map(repr, outputs)) if isinstance(outputs, dict) else len(outputs)
        raise ValueError(
            f"{function.name!r} has several outputs, {names}: give the model of one of them, "
            "keras.Model(model.input, OUTPUT)"
        )
    return function.outputs[0]
