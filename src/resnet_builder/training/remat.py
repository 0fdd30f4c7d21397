"""Gradient checkpointing: a block's activations are computed again in the backward pass."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import keras

from ..common.checks import unknown
from ..model.graph import calls_of, functional, model_graph
from ..model.keras_layers import Tensor
from ..model.locate import holder_of, owners
from ..plan.names import HEAD

Tensors = dict[int, Tensor]  # values of a graph's tensors by the ids of these


@dataclass(frozen=True)
class Segment:
    """Calls of layers that follow each other in a graph.

    Attributes:
        calls: Keras's records of the calls.
        inputs: tensors that other calls compute.
        outputs: tensors that other calls use, or that the model returns.
        is_recomputed: whether only the inputs are kept for the backward pass.
    """

    calls: Sequence[Tensor]
    inputs: Sequence[keras.KerasTensor]
    outputs: Sequence[keras.KerasTensor]
    is_recomputed: bool

    def run(self, tensors: Tensors, *, training: bool) -> None:
        """Add the values of the outputs to the tensors."""
        for call in self.calls:
            args, kwargs = call.arguments.fill_in(tensors)
            if getattr(call.operation, "_call_has_training_arg", False):
                kwargs["training"] = training
            values = keras.tree.flatten(call.operation(*args, **kwargs))
            tensors |= {
                id(of): value for of, value in zip(call.output_tensors, values, strict=True)
            }

    def run_twice(self, tensors: Tensors) -> None:
        """The same in training, and again in the backward pass, with gradients of the second run.

        A variable that changes, such as a moving mean or the state of a random generator, has its
        value from before in both runs, and is changed once.
        """
        layers = dict.fromkeys(call.operation for call in self.calls)
        variables = [of for layer in layers for of in getattr(layer, "variables", ())]
        trained = [of for of in variables if of.trainable]
        kept = [of for of in variables if not of.trainable]
        before = [keras.ops.copy(of.value) for of in kept]

        def run(*given: Tensor) -> tuple[Tensor, ...]:
            images, weights = given[: len(self.inputs)], given[len(self.inputs) :]
            mapping = zip([*trained, *kept], [*weights, *before], strict=True)
            with keras.StatelessScope(list(mapping)) as scope:
                inside = {id(of): value for of, value in zip(self.inputs, images, strict=True)}
                self.run(inside, training=True)
                after = [keras.ops.stop_gradient(scope.get_current_value(of)) for of in kept]
            return (*(inside[id(of)] for of in self.outputs), *after)

        images = [tensors[id(of)] for of in self.inputs]
        weights = [keras.ops.convert_to_tensor(of.value) for of in trained]
        values = keras.remat(run)(*images, *weights)
        for of, value in zip(self.outputs, values, strict=False):
            tensors[id(of)] = value
        for of, value in zip(kept, values[len(self.outputs) :], strict=True):
            of.assign(value)


def rematerialize(model: keras.Model, parts: bool | Iterable[str] = True) -> keras.Model:
    """Keep only the inputs of blocks in training, and compute the rest again for the gradients.

    Training takes less memory, and about half as much time again (arXiv:1604.06174). The layers,
    weights, gradients, moving statistics, random drops and saved files are the same. After loading
    a model from a file, call this function again.

    With JAX on a CPU it saves no memory: XLA's pass `cse` merges the second computation with the
    first, as it does with `jax.checkpoint` alone.

    Args:
        model: a functional model with one or several networks of this package, which is changed.
        parts: parts whose blocks are computed again, such as `("stem", "stage1")`. Default: True,
            the stem and all stages; False for none. The larger a part's maps, the more it saves.

    Returns:
        The model.

    Raises:
        TypeError: not a Keras model.
        ValueError: a model without such a network, or a part that it does not have.

    Example:
        >>> from resnet_builder import ResnetBuilder, rematerialize
        >>> model = rematerialize(ResnetBuilder.from_preset("resnet18", (32, 32, 3), 5))
        >>> model.compile("sgd", "sparse_categorical_crossentropy")
    """
    if parts is False:
        return model
    network = holder_of(model)
    segments = _segments(network, parts)
    function, as_before = functional(network), network.call

    def call(inputs: Tensor, training: bool | None = None, **context: object) -> Tensor:
        if not training:
            return as_before(inputs, training=training, **context)
        values = function._standardize_inputs(inputs)
        tensors = {id(of): value for of, value in zip(function.inputs, values, strict=True)}
        for segment in segments:
            if segment.is_recomputed:
                segment.run_twice(tensors)
            else:
                segment.run(tensors, training=True)
        flat = [tensors[id(of)] for of in function.outputs]
        return keras.tree.pack_sequence_as(function._outputs_struct, flat)

    network.call = call
    return model


def _segments(network: keras.Model, parts: Iterable[str] | Literal[True]) -> list[Segment]:
    """The calls of a model by blocks, each after its inputs."""
    graph = zip(calls_of(network), owners(model_graph(network)), strict=True)
    placed = [(call, of.place if of else None) for call, of in graph if not call.is_input]
    known = list(dict.fromkeys(of.part for _, of in placed if of and of != HEAD))
    wanted = known if parts is True else list(parts)
    for part in wanted:
        if part not in known:
            raise ValueError(unknown("part", part, known))
    used = {id(of) for of in functional(network).outputs}
    found = []
    for place, group in groupby(reversed(placed), key=lambda of: of[1]):
        calls = [call for call, _ in group][::-1]
        made = {id(of): of for call in calls for of in call.output_tensors}
        given = {id(of): of for call in calls for of in call.input_tensors}
        outputs = [of for name, of in made.items() if name in used]
        inputs = [of for name, of in given.items() if name not in made]
        used |= given.keys()
        found.append(Segment(calls, inputs, outputs, bool(place) and place.part in wanted))
    return found[::-1]
