"""write_weights: a network's weights under the names of another library, in a file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from ..common.checks import choice, of_extra
from ..common.files import check_place, whole_file
from ..config import FIELDS, UNSEEN
from ..files.checkpoint import Array
from ..model.locate import check_model
from ..model.record import RECORDS
from ..plan.names import LayerName
from .expected import Target
from .load import target_of
from .naming import KERAS, TORCH, Origin
from .origins import LIBRARIES, origin_in


@dataclass(frozen=True)
class WrittenWeights:
    """What `write_weights` wrote.

    Attributes:
        file: the file.
        origin: the library that the names are from.
        tensors: number of tensors in the file.
        notes: what the other network must compute and the names do not show, in sentences.

    Example:
        >>> from tempfile import mkdtemp
        >>> from resnet_builder import ResnetBuilder, write_weights
        >>> small = {"repetitions": (1,), "filters": 8, "input_shape": (8, 8, 3)}
        >>> model = ResnetBuilder.from_preset("resnet18", activation="silu", **small)
        >>> written = write_weights(model, f"{mkdtemp()}/small.npz", names="timm")
        >>> written.origin, written.tensors
        ("torchvision's or timm's ResNet", 20)
        >>> written.notes
        ("the names do not show activation='silu': the network must have it too",)
    """

    file: str
    origin: str
    tensors: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        first = f"{self.tensors} tensors in {self.file}, named as in {self.origin}"
        return "\n".join([first, *(f"- {note}" for note in self.notes)])


def write_weights(model: keras.Model, path: str | Path, *, names: str = "keras") -> WrittenWeights:
    """Write a network's weights under the names of a library, for its network of that kind.

    It is the inverse of `load_weights`, by the same tables: axes are in the library's order, batch
    norms have the library's epsilon (the variance takes the difference, which is exact), and
    tensors that only the library has, such as `num_batches_tracked`, are added. Numbers are in
    single precision, or in double if the model's are. The file is written whole or not at all.

    Args:
        model: a model of `ResnetBuilder`, trained or not, loaded from a file, or with or without
            its classifier.
        path: the file, which is replaced if it exists. Its ending is its format: `.safetensors`;
            `.npz` of NumPy; or `.h5` in the layout of Keras 2, which `Model.load_weights` and
            `keras.applications` read.
        names: `"keras"` (the names of the model's layers), `"torchvision"`, `"timm"`,
            `"transformers"` (of `ResNetForImageClassification` and `RegNetForImageClassification`)
            or `"keras.applications"`; `"timm.byobnet"` for timm's `resnext26ts` and `*_clip_gap`,
            which are equal to other networks of timm with other names; `"smp"` for a whole `unet`,
            `fpn` or `deeplab` of segmentation_models.pytorch.

    Returns:
        A report of the file.

    Raises:
        TypeError: not a Keras model.
        ValueError: an unknown library or ending, no network or several in the model, or a network
            that the library does not have; the message says which layers have no name there.
        OSError: the file cannot be written.
        ImportError: a .safetensors without the package safetensors.

    Example:
        >>> from tempfile import mkdtemp
        >>> from resnet_builder import ResnetBuilder, write_weights
        >>> model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), 5)
        >>> file = f"{mkdtemp()}/resnet18.safetensors"
        >>> write_weights(model, file, names="torchvision").tensors
        122
    """
    check_model(model)
    path = Path(path)
    if path.suffix not in FORMATS:
        endings = ", ".join(FORMATS)
        raise ValueError(f"cannot write {str(path)!r}: its ending must be one of {endings}")
    check_place(path)
    target = target_of(model)
    origin = origin_for(target, choice(names, LIBRARIES, "names"))
    if path.suffix == ".h5" and origin.layout is not KERAS:
        raise ValueError(
            f"a .h5 is a file of Keras, with Keras's names: write those of {names} to a "
            ".safetensors or a .npz"
        )
    tensors = dict(_tensors(target, origin))
    with whole_file(path) as unfinished:
        FORMATS[path.suffix](unfinished, tensors, origin)
    return WrittenWeights(str(path), origin.name, len(tensors), tuple(_notes(model, origin)))


# Names ------------------------------------------------------------------------------------------


def origin_for(target: Target, library: str) -> Origin:
    """The names that a library gives to the layers of a network.

    Raises:
        ValueError: the library has no such network.
    """
    try:
        return origin_in(library, target.expected)
    except ValueError as error:
        refusal = f"cannot write {target.model.name!r} under the names of {library}: {error}"
        raise ValueError(refusal) from None


# Tensors ----------------------------------------------------------------------------------------


def _tensors(target: Target, origin: Origin) -> Iterator[tuple[str, Array]]:
    """The tensors by the origin's names."""
    for weight, (variable, layer) in target.weights.items():
        kept = "float64" if variable.dtype == "float64" else "float32"
        value = keras.ops.convert_to_numpy(keras.ops.cast(variable, kept))
        name, of_layer = weight[1], LayerName.parse(weight[0])
        if name == "kernel" and of_layer and of_layer.is_standardized and not origin.is_own:
            value = _unstandardized(value, layer, origin.standardizing_epsilon)
        if name == "moving_variance" and origin.epsilon is not None:
            # Variance + epsilon is then the same with the origin's epsilon.
            value = value + (layer.epsilon - origin.epsilon)
        yield origin.whole_tensor(weight), origin.array(weight, value)
        if name == "moving_variance" and origin.layout.counter:
            yield origin.whole_tensor((weight[0], origin.layout.counter)), np.array(0)
        if name == "kernel" and origin.has_biases and weight[0] in target.expected.norms:
            yield origin.whole_tensor((weight[0], "bias")), np.zeros(value.shape[-1], value.dtype)


def _unstandardized(kernel: Array, layer: keras.Layer, epsilon: float) -> Array:
    """The kernel of which the other library's weight standardisation makes this one.

    A filter of variance s gets the variance v = s / (s + epsilon), so s is epsilon / (1 - v) * v.
    """
    wide = kernel.astype("float64")
    mean, variance = (of(wide, axis=(0, 1, 2)) for of in (np.mean, np.var))
    if np.abs(mean).max() > 1e-4 or variance.min() < 0.99 or variance.max() > 1 + 1e-4:
        raise ValueError(
            f"the kernel of {layer.name} is not standardised: it is random or was trained here, "
            "where training does not standardise it, so a network with weight standardisation "
            'cannot compute the same: write it with names="keras"'
        )
    return np.asarray(wide * np.sqrt(epsilon / np.maximum(1 - variance, epsilon)), kernel.dtype)


def _notes(model: keras.Model, origin: Origin) -> Iterator[str]:
    record = RECORDS.get(model)
    if record is None or origin.is_own:
        return
    known = ("stride_in_3x3", "weight_standardization")
    for name in (*UNSEEN, *origin.unshown):
        value = getattr(record.config, name)
        if name in known or value == FIELDS[name].default:
            continue
        yield f"the names do not show {name}={value!r}: the network must have it too"


# Files ------------------------------------------------------------------------------------------


def _write_safetensors(file: Path, tensors: Mapping[str, Array], origin: Origin) -> None:
    safetensors = of_extra("safetensors.numpy", f"writing the safetensors file {file.name}")
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    # Some libraries refuse a file that does not say which of them wrote it.
    safetensors.numpy.save_file(
        contiguous, file, {"format": "pt" if origin.layout is TORCH else "np"}
    )


def _write_npz(file: Path, tensors: Mapping[str, Array], origin: Origin) -> None:
    with file.open("wb") as opened:
        np.savez(opened, allow_pickle=False, **tensors)


def _write_hdf5(file: Path, tensors: Mapping[str, Array], origin: Origin) -> None:
    """Write the layout of Keras 2: keras/src/legacy/saving/legacy_h5_format.py."""
    import h5py

    layers: dict[str, dict[str, Array]] = {}
    for name, array in tensors.items():
        layers.setdefault(origin.layout.split(name)[0], {})[name] = array
    with h5py.File(file, "w") as hdf5:
        hdf5.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, of_layer in layers.items():
            group = hdf5.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in of_layer]
            for name, array in of_layer.items():
                group[name] = array


FORMATS: dict[str, Callable[[Path, Mapping[str, Array], Origin], None]] = {
    ".safetensors": _write_safetensors,
    ".npz": _write_npz,
    ".h5": _write_hdf5,
}
