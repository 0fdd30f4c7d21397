"""Checkpoints opened from files of any format, folders and dicts."""

import fnmatch
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from ..common.checks import described, shortened
from ..common.files import json_object
from ..common.hub import FILE_ENDINGS, check_digest, download, is_repository
from ..presets.checkpoints import PublishedWeights, in_table
from .checkpoint import Checkpoint, broken, check_regular, from_arrays, refused
from .keras_files import WEIGHTS_IN_ARCHIVE, hdf5_file, keras_archive
from .keras_hub import BACKBONE_FILE, CONFIG_FILE, HEAD_FILE, preset_folder
from .tensor_files import npz_file, pickle_file, pytorch_archive, safetensors_file

Reader = Callable[[Path], AbstractContextManager[Checkpoint]]

ALLOWED = (
    'weights are "imagenet", "features", a repository as owner/name, a dict, a file (safetensors, '
    "PyTorch, or of Keras: .weights.h5, .h5, .keras; .npz, or .pkl of arrays), or a folder with "
    "such a file"
)

# What the directory of a zip archive and the index of a checkpoint may have: names of some thousand
# tensors. The directory may have a tenth of the archive, too.
DIRECTORY_BYTES, INDEX_BYTES = 2**20, 2**19

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
    in_3x3 = None
    if isinstance(source, PublishedWeights):
        in_3x3, source = source.changes.get("stride_in_3x3"), _published(source)
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
    folder, file = (path, _open_folder(path)) if path.is_dir() else (path.parent, _open_file(path))
    return _striding(file, _strides_beside(folder) if in_3x3 is None else in_3x3)


@contextmanager
def _striding(
    opened: AbstractContextManager[Checkpoint], in_3x3: bool | None
) -> Iterator[Checkpoint]:
    """A checkpoint that says whether its bottlenecks stride in their 3x3 convolution, if known."""
    with opened as checkpoint:
        stated = {} if in_3x3 is None else {"stride_in_3x3": in_3x3}
        yield replace(checkpoint, meta={**checkpoint.meta, **stated})


def _strides_beside(folder: Path) -> bool | None:
    """What a config.json of transformers in a folder says of the strides."""
    with suppress(OSError, ValueError):
        in_first = json_object(folder / CONFIG_FILE).get("downsample_in_bottleneck")
        return None if in_first is None else not in_first
    return None


# Files ------------------------------------------------------------------------------------------


def _open_file(path: Path, *, is_part: bool = False) -> AbstractContextManager[Checkpoint]:
    """Open a file, which may be a part of a checkpoint in several files."""
    check_regular(path)
    with path.open("rb") as file:  # unreadable files say so here
        first = file.read(64)
    if not first:
        raise refused(path, "the file is empty")
    if first[8:9] == b"{":  # a header of JSON, after its length, which is any 8 bytes
        return safetensors_file(path)
    matching = (known for signature, known in CONTENTS.items() if first.startswith(signature))
    known = next(matching, None) or _text(first) or UNKNOWN
    return _read_or_refused(path, UNKNOWN if is_part and known is index_file else known)


def _text(first: bytes) -> str:
    """What a file of text is, which a server may send in place of another; else empty."""
    line = first.split(b"\n")[0].decode("utf-8", errors="ignore").strip()
    if b"\0" in first or not line.isprintable() or not line:
        return ""
    is_page = line.lower().startswith(("<!doctype html", "<html"))
    kind = "a web page" if is_page else "text"
    return f"it is {kind}, {line!r}: {UNKNOWN}"


def _archive(path: Path) -> AbstractContextManager[Checkpoint]:
    """Open a zip archive, in which PyTorch, NumPy and Keras write."""
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # zipfile raises any error of a broken directory
        raise broken(path, "PyTorch or .keras file, or .npz", error) from error
    matching = (known for pattern, known in ARCHIVES.items() if fnmatch.filter(names, pattern))
    return _read_or_refused(path, next(matching, UNKNOWN))


def _check_directory(path: Path) -> None:
    """Refuse an archive of countless files, of which Python keeps ten times what it reads.

    Raises:
        ValueError: the directory at its end is too large.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 2**17))
        end = file.read()
    # Of the last record (APPNOTE 4.3.16), and of the one before it in large archives (4.3.14).
    last = end.rfind(b"PK\5\6")
    if last < 0:
        raise ValueError("its end is missing: download it again")
    large = end[max(0, last - 76) : last]
    stated = int.from_bytes(end[last + 12 : last + 16], "little")
    if large.startswith(b"PK\6\6"):
        stated = int.from_bytes(large[40:48], "little")
    if stated > DIRECTORY_BYTES + size // 10:
        raise ValueError(f"the directory of its files is said to have {stated} bytes")


def _read_or_refused(path: Path, known: Reader | str) -> AbstractContextManager[Checkpoint]:
    if isinstance(known, str):
        raise refused(path, known)
    return known(path)


# A checkpoint in several files -------------------------------------------------------------------


@contextmanager
def index_file(path: Path) -> Iterator[Checkpoint]:
    """Open the index of a checkpoint in several files, and the files.

    Raises:
        ValueError: a broken index or file.
        OSError: a file is missing or cannot be read.
    """
    places = _places(path)
    with ExitStack() as files:
        parts: dict[str, Checkpoint] = {}
        for name in dict.fromkeys(places.values()):
            if not (path.parent / name).exists():
                raise FileNotFoundError(f"cannot load {path}: its file {name} is missing")
            parts[name] = files.enter_context(_open_file(path.parent / name, is_part=True))
        for tensor, name in places.items():
            if tensor not in parts[name].shapes:
                raise refused(path, f"its {shortened(tensor)} is not in {name}")
        shapes = {tensor: parts[name].shapes[tensor] for tensor, name in places.items()}
        yield Checkpoint(str(path), shapes, lambda tensor: parts[places[tensor]].read(tensor))


def parts_of(index: Path) -> list[str]:
    """The files beside an index that have its tensors.

    Raises:
        ValueError: a broken index.
    """
    return list(dict.fromkeys(_places(index).values()))


def _places(index: Path) -> dict[str, str]:
    """The file of each tensor, by an index: files in its folder, and no others."""
    if index.stat().st_size > INDEX_BYTES:
        raise refused(index, f"it is JSON of more than {INDEX_BYTES} bytes, and no index")
    try:
        places = json_object(index).get("weight_map")
    except ValueError as error:
        raise broken(index, "index of a checkpoint in several files", error) from error
    if not places or not isinstance(places, dict):
        why = "it is JSON, but not the index of a checkpoint in several files, for it has no"
        raise refused(index, f"{why} weight_map of tensors and their files")
    for name in places.values():
        if (
            not isinstance(name, str)
            or not re.fullmatch(r"[^/\\:\0]+", name)
            or name in (".", "..")
        ):
            raise refused(index, f"it names the file {described(name)}, which is not in its folder")
    return places


# The first bytes of a file, and its reader, or what it is and what to do with it.
CONTENTS: dict[bytes, Reader | str] = {
    b"\x89HDF\r\n\x1a\n": hdf5_file,
    b"PK\x03\x04": _archive,
    b"\x80": pickle_file,  # of protocol 2 or more, as PyTorch wrote before 1.6
    b"}q": pickle_file,  # a dict in protocol 1
    **dict.fromkeys((b"(dp", b"ccollections\n"), pickle_file),  # and 0
    b"version https://git-lfs": "it is a pointer of Git LFS and not the file itself: run git lfs "
    "pull, or download the file",
    b"{": index_file,
    b"\x93NUMPY": "it is a single array of NumPy, without a name: pass a dict of arrays",
}
# The same by the name of a file in a zip archive.
ARCHIVES: dict[str, Reader | str] = {
    WEIGHTS_IN_ARCHIVE: keras_archive,
    "*/data.pkl": pytorch_archive,  # of TorchScript, too
    "*.npy": npz_file,
}


# Folders ----------------------------------------------------------------------------------------

INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")

# The file that a folder or a repository is recognised by, in the order of preference, and the
# function that opens the folder, if it is not enough to open the file.
FOLDER_FILES: dict[str, Reader | None] = {
    "model.safetensors": None,
    "pytorch_model.bin": None,
    "open_clip_model.safetensors": None,
    **dict.fromkeys(INDICES),
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
    """Return the checkpoint of a repository: a file, or a folder if it is in several.

    Raises:
        OSError, ImportError, ValueError: as in `download`.
    """
    companions = {
        BACKBONE_FILE: lambda _: (HEAD_FILE, CONFIG_FILE),
        **dict.fromkeys(INDICES, parts_of),
    }
    return download(repository, tuple(FOLDER_FILES), companions)


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
