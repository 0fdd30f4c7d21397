"""export: a model as a file for another runtime, with the proof that it computes the same."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from ..common.checks import described
from ..common.files import whole_file
from ..common.quiet import quiet
from ..common.shapes import fits
from ..common.tables import Table, Tabular
from ..common.words import short
from ..model.keras_layers import Tensor
from ..model.keras_limits import room_for
from ..model.locate import check_model
from .folding import fold_batch_norm
from .folds import folding_report
from .formats import BACKENDS, Array, Runtime, check_limits, check_target
from .images import preprocessing as image_preparation
from .litert import open_litert, write_litert

# Of the images for int8, each that is compared and does not calibrate.
HELD = 5
# The images of the comparison, the side of those of a model without a size, and of a batch.
COMPARED, SIDE, BATCH = 2, 64, 32
# The kinds of operators that a table lists.
LISTED = 12
# Probabilities below this are equal.
LEAST = 1e-30
# A time is the median of this many runs, which together take about as many seconds at most.
RUNS, SECONDS = 20, 2.0


@dataclass(frozen=True)
class ExportReport(Tabular):
    """What was written, and how near its outputs are to the model's; prints as a table.

    Attributes:
        file: the file or folder.
        format: `"ONNX"`, `"LiteRT"`, `"SavedModel"` or `"PyTorch"`.
        dtype: `"float32"`, `"float16"` (weights) or `"int8"` (weights and computation).
        bytes: size of all that was written.
        difference: the largest of an output from the model's, as a fraction of the model's largest.
            In float32 and float16, of the logits if the output is a softmax, which hides what they
            differ by where the network is sure.
        agreement: with int8, the share of the images with the model's class; else None.
        images: number of images that were compared; with int8, images that did not calibrate it.
        seconds: time of one image in the format's runtime on this machine.
        keras_seconds: time of one image in Keras.
        operators: how often each operator is in the file, the most frequent first; for ONNX and
            LiteRT.
        notes: what was done before, in words.

    Example:
        >>> from tempfile import mkdtemp
        >>> from resnet_builder import ResnetBuilder, export
        >>> model = ResnetBuilder.from_preset("resnet8_cifar")
        >>> report = export(model, f"{mkdtemp()}/network.onnx")
        >>> report.difference < 1e-5
        True
        >>> report.operators["Conv"]
        7
    """

    file: str
    format: str
    dtype: str
    bytes: int
    difference: float
    agreement: float | None
    images: int
    seconds: float
    keras_seconds: float
    operators: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """A row for each number."""
        same = "" if self.agreement is None else f"{self.agreement:.1%} of {self.images} images"
        counts = [f"{name} {count}" for name, count in self.operators.items()]
        listed = ", ".join(counts[:LISTED])
        if more := len(counts[LISTED:]):
            listed += f", and {more} kinds more"
        rows = (
            ("size", f"{short(self.bytes)}B"),
            ("largest relative difference", f"{self.difference:.1e}"),
            ("equal classes", same),
            ("time of an image", f"{1000 * self.seconds:.1f} ms"),
            ("in Keras", f"{1000 * self.keras_seconds:.1f} ms"),
            ("operators", listed),
        )
        return Table(
            title=f"{self.file}: {self.format}, {self.dtype}",
            header=("measure", "value"),
            rows=tuple(row for row in rows if row[1]),
            note="\n".join(self.notes),
        )


def export(
    model: keras.Model,
    path: str | Path,
    *,
    preprocessing: str | keras.Model | None = None,
    fold: bool = False,
    dtype: str = "float32",
    images: npt.ArrayLike | None = None,
    limit: float | None = None,
    agreement: float | None = None,
) -> ExportReport:
    """Write a model for another runtime, and compare what that computes with the model.

    The format is that of the path's ending:

    * `.onnx`: ONNX, with any Keras backend. Batches, and rows and columns that are None in the
      model, stay free. Nodes have the names of the layers, weights those of the variables, inputs
      and outputs those of the model. It needs the extra `resnet-builder[onnx]`. Weights of more
      than 2 GiB are in a second file beside it, `PATH.data`.
    * `.tflite`: LiteRT (formerly TensorFlow Lite), with Keras on TensorFlow.
    * no ending: a folder with a SavedModel, with Keras on TensorFlow or JAX.
    * `.pt2`: a program of `torch.export`, with Keras 3.15 or newer on PyTorch.

    The file or folder is replaced if it exists; after an error it is as it was.

    Args:
        model: any functional or sequential Keras model in float32.
        path: file or folder to write.
        preprocessing: a checkpoint's name, as in `preprocessing`, or a model that prepares images,
            which is put before the model: the file takes photographs of any size, of uint8.
        fold: whether batch norms are folded first, as `fold_batch_norm` does.
        dtype: for LiteRT, `"float16"` for weights of half the size, or `"int8"` for a file that
            computes with integers only, inputs and outputs included. Batch norms are folded for it.
        images: for int8, images as the model takes them: at least 2 and better some hundreds. Every
            fifth is compared, and the others set the range of each layer.
        limit: largest accepted relative difference; nothing is written if it is more.
        agreement: for int8, the smallest accepted share of images with the model's class, likewise.

    Returns:
        The report: size, operators, differences, times.

    Raises:
        TypeError: not a Keras model.
        ValueError: an unsupported ending; an option that the format does not have; a layer without
            a counterpart in the format, by its name; a limit that is missed.
        ImportError: a package of the format is not installed.
        RuntimeError: Keras runs on a backend that does not write the format.
        OSError: the path cannot be written.

    Example:
        >>> from tempfile import mkdtemp
        >>> from resnet_builder import ResnetBuilder, export
        >>> model = ResnetBuilder.from_preset("resnet8_cifar")
        >>> report = export(model, f"{mkdtemp()}/network.onnx", fold=True, limit=1e-5)
        >>> report.format, report.notes
        ('ONNX', ('7 of 7 batch norms folded',))
    """
    check_model(model)
    path = Path(path)
    target = _target(path, dtype)
    check_limits(dtype, limit, agreement)
    calibrating, compared = _parted(model, images, dtype)
    notes: tuple[str, ...] = ()
    if preprocessing is not None:
        model, notes = _prepared(model, preprocessing, dtype), ("the images are prepared inside",)
    written = model
    if fold or dtype == "int8":
        written, notes = fold_batch_norm(model), (*notes, folding_report(model).summary)
    with whole_file(path) as unfinished, room_for(len(model.layers)):
        target.write(written, unfinished, dtype, calibrating)
        report = replace(
            _compared(model, target.opened(unfinished, model), compared),
            file=str(path),
            format=target.name,
            dtype=dtype,
            bytes=sum(of.stat().st_size for of in unfinished.parent.rglob("*") if of.is_file()),
            notes=notes,
        )
        _check(report, limit, agreement)
    return report


# Formats ------------------------------------------------------------------------------------------


def _runtime(model: keras.Model, function: Callable[[Tensor], Tensor]) -> Runtime:
    """A function that takes what the model takes, and returns what it returns."""

    def run(inputs: list[Array]) -> list[Array]:
        found = function(keras.tree.pack_sequence_as(model.input, inputs))
        return list(map(np.asarray, keras.tree.flatten(found)))

    return Runtime(run)


def _open_onnx(path: Path, model: keras.Model) -> Runtime:
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [of.name for of in session.get_inputs()]
    graph = onnx.load(path, load_external_data=False).graph
    return Runtime(
        lambda inputs: session.run(None, dict(zip(names, inputs, strict=True))),
        Counter(node.op_type for node in graph.node),
    )


def _write_onnx(model: keras.Model, path: Path, dtype: str, images: Array | None) -> None:
    from .onnx_file import write_onnx

    write_onnx(model, path)


def _write_saved_model(model: keras.Model, path: Path, dtype: str, images: Array | None) -> None:
    with quiet():
        model.export(path, format="tf_saved_model", verbose=False)


def _open_saved_model(path: Path, model: keras.Model) -> Runtime:
    import tensorflow as tf

    with quiet():
        loaded = tf.saved_model.load(str(path))
    return _runtime(model, lambda given: loaded.serve(given))  # which keeps its variables


def _write_program(model: keras.Model, path: Path, dtype: str, images: Array | None) -> None:
    import torch

    batch = {0: torch.export.Dim("batch", min=1)}
    shapes = keras.tree.map_structure(lambda _: batch, model.input)
    with quiet():
        model.export(path, format="torch", verbose=False, dynamic_shapes=shapes)


def _open_program(path: Path, model: keras.Model) -> Runtime:
    import torch

    with quiet():
        program = torch.export.load(str(path)).module()

    def function(given: Tensor) -> Tensor:
        with torch.no_grad():
            return program(keras.tree.map_structure(torch.from_numpy, given))

    return _runtime(model, function)


class Format(NamedTuple):
    """A format: its name, who writes it, what reads it, and what it needs.

    Attributes:
        packages: what is imported -> how it is installed.
    """

    name: str
    write: Callable[[keras.Model, Path, str, Array | None], None]
    opened: Callable[[Path, keras.Model], Runtime]
    backends: tuple[str, ...]
    packages: Mapping[str, str] = {}


FORMATS = {
    ".onnx": Format(
        "ONNX",
        _write_onnx,
        _open_onnx,
        BACKENDS,
        dict.fromkeys(("onnx", "onnxruntime"), "resnet-builder[onnx]"),
    ),
    ".tflite": Format("LiteRT", write_litert, lambda path, _: open_litert(path), BACKENDS[:1]),
    "": Format(
        "SavedModel",
        _write_saved_model,
        _open_saved_model,
        BACKENDS[:2],
        {"tensorflow": "tensorflow"},
    ),
    ".pt2": Format("PyTorch", _write_program, _open_program, BACKENDS[2:]),
}


def _target(path: Path, dtype: str) -> Format:
    """The format of a path, which can be written here.

    Raises:
        ValueError, ImportError, RuntimeError, OSError: as in `export`.
    """
    check_target(path, dtype)
    target = FORMATS[path.suffix]
    backend = keras.backend.backend()
    if backend not in target.backends:
        needed = " or ".join(target.backends)
        raise RuntimeError(
            f"cannot write {str(path)!r}: {target.name} is written with Keras on {needed}, and it "
            f"runs on {backend}: save the model as .keras, and load and export it in a process "
            f"with KERAS_BACKEND={target.backends[0]}; .onnx is written with any"
        )
    for package, source in target.packages.items():
        if find_spec(package) is None:
            raise ImportError(
                f"{target.name} files need the package {package}: pip install '{source}'"
            )
    return target


# What is compared ---------------------------------------------------------------------------------


def _parted(
    model: keras.Model, images: npt.ArrayLike | None, dtype: str
) -> tuple[Array | None, Array | None]:
    """The images that set the ranges, and those that are compared."""
    if dtype != "int8":
        if images is not None:
            raise ValueError("images set the ranges of dtype='int8': leave them out")
        return None, None
    if images is None:
        raise ValueError(
            "dtype='int8' needs images=, an array of images as the model takes them, which sets "
            "the range of numbers in each layer: some hundreds of the data set"
        )
    array = np.asarray(images, "float32")
    if len(model.inputs) != 1:
        raise ValueError(f"dtype='int8' is for models with one input, got {len(model.inputs)}")
    if not fits(array.shape, model.inputs[0].shape) or len(array) < 2:
        raise ValueError(
            f"images must be at least 2 as the model takes them, {model.inputs[0].shape}, got "
            f"{described(array)}"
        )
    rows_and_columns = model.inputs[0].shape[1:]
    if None in rows_and_columns:
        raise ValueError(
            f"dtype='int8' needs an input of known size, and the model takes {rows_and_columns}: "
            "build it with rows and columns, and weights=model"
        )
    held = np.arange(len(array)) % HELD == 0
    return array[~held], array[held]


def _prepared(model: keras.Model, source: str | keras.Model, dtype: str) -> keras.Model:
    """The model with the preparation of images before it."""
    if dtype == "int8":
        raise ValueError(
            "dtype='int8' takes images of one size: prepare them before, without preprocessing="
        )
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise ValueError("preprocessing is put before a model with one input, of images")
    channels = model.inputs[0].shape[1:]
    order = (
        "channels_first" if channels[0] in (1, 3) and channels[2] not in (1, 3) else "channels_last"
    )
    prepare = (
        source if isinstance(source, keras.Model) else image_preparation(source, data_format=order)
    )
    image = keras.Input(prepare.input_shape[1:], dtype="uint8", name="images")
    prepared = prepare(keras.ops.cast(image, "float32"))
    if not fits(prepared.shape, model.inputs[0].shape):
        raise ValueError(
            f"preprocessing gives images of {prepared.shape[1:]}, and the model takes "
            f"{model.input_shape[1:]}: build it with that input_shape, or give "
            "preprocessing=preprocessing(size=...)"
        )
    return keras.Model(image, model(prepared), name=model.name)


def _compared(model: keras.Model, runtime: Runtime, images: Array | None) -> ExportReport:
    """The differences between a runtime's outputs and the model's, and the times of both."""
    inputs = [images] if images is not None else [_random(x) for x in model.inputs]
    ours = _runtime(model, model.predict_on_batch)
    with quiet():
        expected, found = _outputs(ours, inputs), _outputs(runtime, inputs)
        first = [array[:1] for array in inputs]
        seconds, keras_seconds = _seconds(runtime, first), _seconds(ours, first)
    return ExportReport(
        file="",
        format="",
        dtype="",
        bytes=0,
        difference=max(map(_difference if images is not None else _of_logits, found, expected)),
        agreement=None if images is None else _agreement(found, expected),
        images=len(inputs[0]),
        seconds=seconds,
        keras_seconds=keras_seconds,
        operators=dict(Counter(runtime.operators).most_common()),
    )


def _random(x: keras.KerasTensor) -> Array:
    """A batch of random numbers for an input."""
    rng = np.random.Generator(np.random.PCG64(0))
    shape = (COMPARED, *(size or SIDE for size in x.shape[1:]))
    if x.dtype.startswith("float"):
        return rng.standard_normal(shape).astype(x.dtype)
    return rng.integers(0, 256 if x.dtype == "uint8" else 2, shape).astype(x.dtype)


def _outputs(runtime: Runtime, inputs: list[Array]) -> list[Array]:
    """The outputs for all images, batch by batch."""
    starts = range(0, len(inputs[0]), BATCH)
    parts = [runtime.run([array[start : start + BATCH] for array in inputs]) for start in starts]
    return [np.concatenate(of) for of in zip(*parts, strict=True)]


def _difference(found: Array, expected: Array) -> float:
    largest = float(np.abs(expected).max(initial=0))
    return float(np.abs(np.subtract(found, expected, dtype="float64")).max(initial=0)) / (
        largest or 1
    )


def _of_logits(found: Array, expected: Array) -> float:
    """The difference of the logits of a softmax, or of any other output itself."""
    for axis in {-1, 1 % expected.ndim}:
        is_softmax = expected.shape[axis] > 1 and expected.min(initial=0) >= 0
        if is_softmax and np.allclose(expected.sum(axis, dtype="float64"), 1, atol=1e-3):
            logits = (np.log(of.clip(LEAST)) for of in (found, expected))
            return _difference(*(of - of.mean(axis, keepdims=True) for of in logits))
    return _difference(found, expected)


def _agreement(found: list[Array], expected: list[Array]) -> float:
    """The share of equal classes."""
    same = [one.argmax(-1) == other.argmax(-1) for one, other in zip(found, expected, strict=True)]
    return float(np.mean(np.concatenate([of.ravel() for of in same])))


def _seconds(runtime: Runtime, inputs: list[Array]) -> float:
    """The median time of a call."""
    runtime.run(inputs)
    times: list[float] = []
    while len(times) < RUNS and sum(times) < SECONDS:
        start = perf_counter()
        runtime.run(inputs)
        times.append(perf_counter() - start)
    return median(times)


def _check(report: ExportReport, limit: float | None, agreement: float | None) -> None:
    """Raise a ValueError if a limit is missed."""
    missed = []
    if limit is not None and not report.difference <= limit:
        missed.append(f"the largest relative difference is {report.difference:.1e}, above {limit}")
    if agreement is not None and (report.agreement or 0) < agreement:
        missed.append(f"{report.agreement:.1%} of the images keep their class, below {agreement}")
    if missed:
        raise ValueError(f"{report.file} is not written: {' and '.join(missed)}")
