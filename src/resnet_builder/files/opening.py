"""Checkpoints opened from files of any format, folders and dicts."""

import fnmatch
import os
import zipfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ..common.checks import described
from ..common.hub import FILE_ENDINGS, check_digest, download, is_repository
from ..presets.checkpoints import PublishedWeights, in_table
from .checkpoint import Checkpoint, broken, check_regular, from_arrays, refused
from .keras_files import WEIGHTS_IN_ARCHIVE, hdf5_file, keras_archive
from .keras_hub import BACKBONE_FILE, CONFIG_FILE, HEAD_FILE, preset_folder
from .torch_files import pytorch_file, safetensors_file

Reader = Callable[[Path], AbstractContextManager[Checkpoint]]

ALLOWED = (
    'weights are "imagenet", a repository as owner/name, a dict of arrays, a file (safetensors, '
    "PyTorch, or of Keras: .weights.h5, .h5, .keras), or a folder with such a file"
)

UNKNOWN = f"its content is of no known format; {ALLOWED}"


def opened(source: object) -> AbstractContextManager[Checkpoint]:
    """Open a source of `load_weights`, downloaded if necessary; an opened one stays open.

    Raises:
        TypeError: a source of another type.
        ValueError: a broken file or one of an unknown format; names that are not strings; a
            download with another hash.
        OSError: a file that cannot be read, or a cache that cannot be written.
        ConnectionError: a URL or the hub cannot be reached, and the file is not in the cache.
        ImportError: the package that reads such files, or that downloads them, is not installed.
    """
    if isinstance(source, Checkpoint):
        return nullcontext(source)
    if hasattr(source, "layers") and not isinstance(source, type):
        from .described_graph import of_model  # it needs Keras, which a model has loaded

        return nullcontext(of_model(source))
    if isinstance(source, Mapping):
        return nullcontext(from_arrays("the dict", source))
    if isinstance(source, str):
        source = in_table(source) or (from_hub(source) if is_repository(source) else source)
    if isinstance(source, PublishedWeights):
        source = _published(source)
    if not isinstance(source, str | os.PathLike):
        is_a_list = isinstance(source, list | tuple)
        hint = "; model.set_weights takes the list of model.get_weights" if is_a_list else ""
        raise TypeError(
            f"weights come from a file, a folder or a dict of arrays, not from {described(source)}"
            f"{hint}"
        )
    path = Path(source)
    if not os.path.exists(path):  # noqa: PTH110 - unlike Path.exists, False for any text
        hint = "" if path.name.lower().endswith(FILE_ENDINGS) else f"; {ALLOWED}"
        raise FileNotFoundError(
            f"cannot load {described(str(path))}: there is no such file or folder{hint}"
        )
    return (_open_folder if path.is_dir() else _open_file)(path)


# Files ------------------------------------------------------------------------------------------


def _open_file(path: Path) -> AbstractContextManager[Checkpoint]:
    check_regular(path)
    with path.open("rb") as file:  # unreadable files say so here
        first = file.read(64)
    if not first:
        raise refused(path, "the file is empty")
    if first[8:9] == b"{":  # a header of JSON, after its length, which is any 8 bytes
        return safetensors_file(path)
    matching = (known for signature, known in CONTENTS.items() if first.startswith(signature))
    return _read_or_refused(path, next(matching, UNKNOWN))


def _archive(path: Path) -> AbstractContextManager[Checkpoint]:
    """Open a zip archive, in which both PyTorch and Keras write."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # zipfile raises any error of a broken directory
        raise broken(path, "PyTorch or .keras file", error) from error
    matching = (known for pattern, known in ARCHIVES.items() if fnmatch.filter(names, pattern))
    return _read_or_refused(path, next(matching, UNKNOWN))


def _read_or_refused(path: Path, known: Reader | str) -> AbstractContextManager[Checkpoint]:
    if isinstance(known, str):
        raise refused(path, known)
    return known(path)


# The first bytes of a file, and its reader, or what it is and what to do with it.
CONTENTS: dict[bytes, Reader | str] = {
    b"\x89HDF\r\n\x1a\n": hdf5_file,
    b"PK\x03\x04": _archive,
    b"\x80": pytorch_file,  # a pickle, as PyTorch wrote before 1.6
    b"version https://git-lfs": "it is a pointer of Git LFS and not the file itself: run git lfs "
    "pull, or download the file",
    b"{": "it is JSON, perhaps the index of a checkpoint in several files: load these with the "
    "library that wrote them, and pass the dict of arrays, or save one file",
    b"\x93NUMPY": "it is a single array of NumPy, without a name: pass a dict of arrays",
}
# The same by the name of a file in a zip archive.
ARCHIVES: dict[str, Reader | str] = {
    WEIGHTS_IN_ARCHIVE: keras_archive,
    "*/constants.pkl": "it is TorchScript, which is a program: save its tensors by torch.save("
    "torch.jit.load(file).state_dict(), path), and load that",
    "*.npy": "it is a .npz of NumPy: pass dict(numpy.load(file))",
    "*/data.pkl": pytorch_file,
}


# Folders ----------------------------------------------------------------------------------------

# The file that a folder or a repository is recognised by, in the order of preference, and the
# function that opens the folder, if it is not enough to open the file.
FOLDER_FILES: dict[str, Reader | None] = {
    "model.safetensors": None,
    "pytorch_model.bin": None,
    BACKBONE_FILE: preset_folder,
}


def _open_folder(path: Path) -> AbstractContextManager[Checkpoint]:
    for name, reader in FOLDER_FILES.items():
        if (path / name).exists():
            return reader(path) if reader else _open_file(path / name)
    raise FileNotFoundError(
        f"cannot load {path}: the folder has none of {', '.join(FOLDER_FILES)}; name a file in it"
    )


def _published(weights: PublishedWeights) -> Path:
    if "://" in weights.source:
        return _from_url(weights)
    folder = Path(weights.source)
    return folder if folder.is_dir() else from_hub(weights.source)


def from_hub(repository: str) -> Path:
    """Return the checkpoint of a repository: a file, or the folder of a preset of keras-hub.

    Raises:
        OSError, ImportError, ValueError: as in `download`.
    """
    return download(repository, tuple(FOLDER_FILES), {BACKBONE_FILE: (HEAD_FILE, CONFIG_FILE)})


def cached_name(weights: PublishedWeights) -> str:
    """The name of a file in the cache, where several projects have a `resnet50.pth`.

    One with a checksum has the name of its URL, as in the libraries' own caches.
    """
    name = weights.source.rpartition("/")[2]
    return name if weights.checksum else f"{weights.library}-{name}"


def _from_url(weights: PublishedWeights) -> Path:
    """The file in the cache of keras.applications, downloaded if it is not there."""
    import keras  # for its cache; the hub's files do not need it

    try:
        name = cached_name(weights)
        file = Path(keras.utils.get_file(name, origin=weights.source, cache_subdir="models"))
    except OSError:
        raise
    except Exception as error:  # what Keras raises if the server cannot be reached
        raise ConnectionError(
            f"{weights.name!r} is not in the cache and cannot be downloaded ({error}): on a "
            f"machine with access, download {weights.source}, and give its path"
        ) from error
    algorithm, _, digest = weights.checksum.partition(":")
    if digest:
        check_digest(file, algorithm, digest, weights.source)
    return file
