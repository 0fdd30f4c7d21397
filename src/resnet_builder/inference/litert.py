"""LiteRT (formerly TensorFlow Lite) files of Keras models, and what runs them."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from ..common.quiet import quiet
from .formats import Array, Runtime


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


def open_litert(path: Path) -> Runtime:
    """A file in TensorFlow's interpreter."""
    import tensorflow as tf

    with quiet():
        interpreter = tf.lite.Interpreter(model_path=str(path))
        operators = Counter(of["op_name"] for of in interpreter._get_ops_details())
        serve = interpreter.get_signature_runner()

    def run(inputs: list[Array]) -> list[Array]:
        ends = serve.get_input_details()
        given = {
            name: _quantized(array, *end["quantization"])
            for (name, end), array in zip(ends.items(), inputs, strict=True)
        }
        found, outputs = serve(**given), serve.get_output_details()
        numbered = sorted(found, key=lambda name: int(name.rpartition("_")[2]))
        return [_numbers(found[name], *outputs[name]["quantization"]) for name in numbered]

    return Runtime(run, operators)


def _quantized(array: Array, scale: float, zero: int) -> Array:
    """Numbers as int8; unchanged if the input has no scale."""
    if not scale:
        return array
    whole: Array = np.round(np.asarray(array, "float32") / np.float32(scale)) + zero
    return np.clip(whole, -128, 127).astype("int8")


def _numbers(array: Array, scale: float, zero: int) -> Array:
    """What int8 stands for; unchanged if the output has no scale."""
    if not scale:
        return array
    numbers: Array = (np.asarray(array, "float32") - np.float32(zero)) * np.float32(scale)
    return numbers
