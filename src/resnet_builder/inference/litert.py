"""LiteRT (formerly TensorFlow Lite) files of Keras models, and what runs them."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from ..common.quiet import quiet

Array = npt.NDArray[np.generic]


def write_litert(model: keras.Model, path: Path, dtype: str, images: Array | None) -> None:
    """Convert a model with its weights as constants.

    Keras's own export leaves them in variables, which need a first call, allows operators of
    TensorFlow, which LiteRT itself does not run, and exports to LiteRT from Keras 3.13 on only.

    Args:
        dtype: `"float32"`, `"float16"` for the weights, or `"int8"` for all of the computation.
        images: with int8, what the ranges of the maps are measured on.

    Raises:
        ValueError: an operation that LiteRT does not have.
    """
    import tensorflow as tf

    holder = tf.Module()
    holder.serve = tf.function(
        _with_constants(model),
        input_signature=[
            tf.TensorSpec(x.shape, x.dtype, name=re.sub(r"\W", "_", x.name)) for x in model.inputs
        ],
    )
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [holder.serve.get_concrete_function()], holder
        )
    if dtype != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if dtype == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if dtype == "int8" and images is not None:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    with quiet():
        try:
            content = converter.convert()
        except Exception as error:  # of several classes, which TensorFlow does not publish
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ValueError(f"{model.name!r} cannot be written as LiteRT: {lines[0]}") from error
    path.write_bytes(content)


def _with_constants(model: keras.Model) -> Callable[..., list[keras.KerasTensor]]:
    """The function of a model, with the numbers of its variables in the graph."""
    import tensorflow as tf

    trainable, others = (
        [tf.constant(keras.ops.convert_to_numpy(variable)) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )

    def serve(*inputs: keras.KerasTensor) -> list[keras.KerasTensor]:
        given = keras.tree.pack_sequence_as(model.input, list(inputs))
        outputs, _ = model.stateless_call(trainable, others, given, training=False)
        return list(keras.tree.flatten(outputs))

    return serve


class LiteRT:
    """A file in TensorFlow's interpreter; called with the inputs of a batch.

    Attributes:
        operators: how often each operator is in the file.
    """

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        with quiet():
            interpreter = tf.lite.Interpreter(model_path=str(path))
            self.operators = dict(Counter(of["op_name"] for of in interpreter._get_ops_details()))
            self._serve = interpreter.get_signature_runner()

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs, of int8 as the numbers that they stand for."""
        ends = self._serve.get_input_details()
        given = {
            name: _quantized(array, **_scale(end))
            for (name, end), array in zip(ends.items(), inputs, strict=True)
        }
        with quiet():  # what is said of the first batch
            found = self._serve(**given)
        outputs = self._serve.get_output_details()
        numbered = sorted(found, key=lambda name: int(name.rpartition("_")[2]))
        return [_numbers(found[name], **_scale(outputs[name])) for name in numbered]


Scale = dict[str, float]


def _scale(end: dict[str, tuple[float, int]]) -> Scale:
    """The scale and the zero of an input or output of int8; 0 of one that has none."""
    scale, zero = end["quantization"]
    return {"scale": scale, "zero": zero}


def _quantized(array: Array, scale: float, zero: float) -> Array:
    if not scale:
        return array
    return np.clip(np.round(array / np.float32(scale)) + zero, -128, 127).astype("int8")


def _numbers(array: Array, scale: float, zero: float) -> Array:
    return (array.astype("float32") - zero) * np.float32(scale) if scale else array
