"""Faults of files, drawn at random: their bytes, what their format states, bombs, and no files."""

import io
import json
import os
import pickle
import socket
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resnet_builder.files.tensor_files import TORCH_MAKERS

from .tensor_recipe import Call, Name, Outside, pickled

Random = np.random.Generator
Fault = Callable[[Path, Random], None]

# A pipe outside of the folder, beside which the file stands: who reads it takes what is in it.
SECRET = "../../secret"


def chosen(rng: Random, values: Any) -> Any:
    values = list(values)
    return values[rng.integers(len(values))]


def spoil(path: Path, rng: Random) -> None:
    """Spoil a file by one to three faults: any, or one of its format."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        if not path.is_file() or not path.stat().st_size:
            return
        first = path.read_bytes()[:64]
        kind = next((kind for kind, of in KINDS.items() if of(first)), "")
        faults = OF_KIND.get(kind, ())
        if faults and rng.integers(3):
            chosen(rng, faults)(path, rng)
        else:
            chosen(rng, (some_bytes,) * 8 + (cut,) * 3 + (no_file,))(path, rng)


# Of any file --------------------------------------------------------------------------------------


def some_bytes(path: Path, rng: Random) -> None:
    """Change, remove or repeat some bytes, or make them the largest number."""
    content = bytearray(path.read_bytes())
    # The first and the last bytes tell where the others are.
    size = max(1, min(len(content), int(rng.choice([100, 2000, 10**6]))))
    place = int(rng.integers(size)) * int(rng.choice([-1, 1])) % max(1, len(content))
    end = place + int(rng.choice([1, 1, 4, 8, 100]))
    match rng.integers(6):
        case 0 | 1:
            content[place:end] = rng.bytes(end - place)
        case 2:
            content[place] ^= 1 << int(rng.integers(8))
        case 3:
            content[place:end] = b"\xff" * (end - place)
        case 4:
            content[place:place] = content[place:end] * int(rng.integers(1, 50))
        case _:
            del content[place:end]
    path.write_bytes(content)


def cut(path: Path, rng: Random) -> None:
    content = path.read_bytes()
    place = int(rng.integers(len(content)))
    path.write_bytes(content[:place] if rng.integers(3) else content[place:])


def no_file(path: Path, rng: Random) -> None:
    """Put something in the place of a file that is none."""
    path.unlink()
    match rng.integers(6):
        case 0:
            os.mkfifo(path)
        case 1:
            path.symlink_to(SECRET)
        case 2:
            path.symlink_to(path.name)
        case 3:
            path.symlink_to("/dev/zero")
        case 4:
            path.mkdir()
        case _:
            with socket.socket(socket.AF_UNIX) as plug:
                here = os.open(path.parent, os.O_RDONLY)  # the path of a socket has 107 bytes
                plug.bind(f"/proc/self/fd/{here}/{path.name}")
                os.close(here)


# JSON ---------------------------------------------------------------------------------------------

ODD_TEXTS = (
    SECRET,
    "/etc/passwd",
    "..",
    ".",
    "",
    "\0",
    "a\udc80",
    "x" * 10**4,
    "index.json",
    "os.system",
)
ODD_NUMBERS = (
    -1,
    0,
    1,
    10**6,
    2**31,
    2**63,
    2**70,
    10**400,
    1.5,
    1e308,
    float("inf"),
    float("nan"),
)
ODD_VALUES: tuple[Any, ...] = (
    *ODD_TEXTS,
    *ODD_NUMBERS,
    None,
    True,
    [],
    {},
    [[]],
    [None],
    {"config": {"name": 1}},
)


def deep() -> Any:
    value: Any = []
    for _ in range(900):
        value = [value]
    return value


def odd_json(value: Any, rng: Random) -> Any:
    """The same JSON with another value in one place."""
    if isinstance(value, dict | list) and value and rng.integers(8):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = chosen(rng, keys)
        match rng.integers(8):
            case 0:
                del value[key]
            case 1 if isinstance(value, dict):
                value[chosen(rng, ODD_TEXTS)] = value[key]
            case 1 if isinstance(value, list):
                value *= int(rng.choice([2, 1000]))
            case _:
                value[key] = odd_json(value[key], rng)
        return value
    match rng.integers(12):
        case 0:
            return deep()
        case 1:
            return [value] * 100
        case 2 if isinstance(value, int) and not isinstance(value, bool):
            return value * int(rng.choice([-1, 2, 1000, 10**9]))
    return chosen(rng, ODD_VALUES)


def other_json(path: Path, rng: Random) -> None:
    content = path.read_text(encoding="utf-8", errors="surrogateescape")
    try:
        text = json.dumps(odd_json(json.loads(content), rng))
    except Exception:  # it is spoilt already
        text = content * 2
    match rng.integers(20):
        case 0:
            text = "[" * 10**5
        case 1:
            text = '{"a":' * 10**5
        case 2:
            text = "[" + "{}," * 10**5 + "1]"
        case 3:
            text = "9" * 5000
        case 4:
            text = text.replace(":", ": " + " " * 1000)
    path.write_bytes(text.encode("utf-8", errors="surrogateescape"))


# safetensors --------------------------------------------------------------------------------------


def other_header(path: Path, rng: Random) -> None:
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header, data = content[8 : 8 + size], content[8 + size :]
    if not rng.integers(4):
        stated = chosen(rng, (0, 1, size - 1, size + 1, 2**31, 2**63, 2**64 - 1))
        path.write_bytes(struct.pack("<Q", stated) + header + data)
        return
    try:
        stated = json.loads(header)
    except Exception:  # it is spoilt already
        return
    one = chosen(rng, stated)
    match rng.integers(5):
        case 0:
            stated[one]["shape"] = chosen(
                rng, ([2**40] * 2, [2**63, 2], [0], [1] * 100, [-1], [1.5])
            )
        case 1:
            stated[one]["data_offsets"] = chosen(rng, ([0, 2**63], [5, 1], [-4, 0], [0, 0], [0]))
        case 2:
            stated[one]["dtype"] = chosen(
                rng, ("F4", "F8_E4M3", "I8", "BOOL", "F64", "C64", "BF16", "")
            )
        case _:
            stated = odd_json(stated, rng)
    text = json.dumps(stated).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


# Zip archives -------------------------------------------------------------------------------------


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return written.getvalue()


def json_bomb() -> bytes:
    return b"[" + b"{}," * (2 * 10**7) + b"1]"


@cache
def bomb(name: str) -> bytes:
    """An archive of some hundred KiB, in which a file has 80 MB."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr(name, bytes(8 * 10**7))
    return written.getvalue()


def other_members(path: Path, rng: Random) -> None:
    """Change a member, or what is said of it; the checksums are right."""
    try:
        with zipfile.ZipFile(path) as file:
            members = {name: file.read(name) for name in file.namelist()}
    except Exception:  # it is spoilt already
        return
    if not members:
        return
    name = chosen(rng, members)
    if rng.integers(2):  # what the others are read by
        name = next((of for of in members if of.endswith(("data.pkl", ".h5", ".json"))), name)
    kind = chosen(rng, [zipfile.ZIP_STORED] * 3 + [zipfile.ZIP_DEFLATED] * 3 + [zipfile.ZIP_BZIP2])
    match rng.integers(20):
        case 0:
            # Without the others, which a bomb need not have, it is packed once.
            path.write_bytes(bomb(name))
            return
        case 1 if "config.json" in members:
            members["config.json"], kind = json_bomb(), zipfile.ZIP_DEFLATED
        case 2:
            members |= {f"{number:x}.npy": b"" for number in range(3000)}
        case 3:
            members[chosen(rng, (SECRET, "/etc/passwd", "a/../b"))] = members.pop(name)
        case 4:
            del members[name]
        case _:
            inner = path.with_name(f"{path.name}.member")
            inner.write_bytes(members[name])
            spoil(inner, rng)
            if inner.is_file() and inner.resolve() == inner and not inner.is_fifo():
                members[name] = inner.read_bytes()
            inner.rmdir() if inner.is_dir() and not inner.is_symlink() else inner.unlink(True)
    content = bytearray(archive(members, kind))
    if not rng.integers(8):
        end = content.rfind(b"PK\1\2")
        stated = chosen(rng, (0xFFFFFFFF, 0x7FFFFFFF, 0, 1))
        place = chosen(rng, (8, 20, 24, 42))  # flags, compressed size, size, offset
        content[end + place : end + place + 4] = struct.pack("<I", stated)
    path.write_bytes(content)


def other_array(path: Path, rng: Random) -> None:
    """Change what the header of a .npy states."""
    header: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": (4,)}
    odd = ((2**40,) * 2, (2**63, 2), (), (0,), (-1,), (1,) * 100, [4], "x")
    kinds = ("O", "<f8", "V2", "V2147483647", "U9", [("a", "<f4", (2**20, 2**20))], "x", 5)
    header["shape"], header["descr"] = chosen(rng, odd), chosen(rng, ("<f4", *kinds))
    written = repr(header).encode().ljust(118) + b"\n"
    path.write_bytes(b"\x93NUMPY\2\0" + struct.pack("<I", len(written)) + written + bytes(64))


# Pickles ------------------------------------------------------------------------------------------

ODDS = (-1, 0, 1, 2**31, 2**63, 2**70, 1.5, None, True, "x", "<", (), (1,), (-1,), (2**40,) * 3)
NAMES = ("torch.FloatStorage", "numpy.ndarray", "numpy.dtype", "ml_dtypes.bfloat16", "os.system")


def tensor(shape: Any, strides: Any, offset: Any = 0, count: Any = 4, key: Any = "a") -> Call:
    storage = Outside(("storage", Name("torch.FloatStorage"), key, "cpu", count))
    return Call("torch._utils._rebuild_tensor_v2", (storage, offset, shape, strides, False, {}))


def odd_value(rng: Random, depth: int = 0) -> Any:
    """Any arguments of any functions that make tensors."""
    inside = [odd_value(rng, depth + 1) for _ in range(rng.integers(7) if depth < 4 else 0)]
    calls = [*TORCH_MAKERS, *NAMES, "numpy.core.multiarray.scalar", "copyreg._reconstructor"]
    match rng.integers(9):
        case 0 | 1:
            return Call(chosen(rng, calls), tuple(inside), inside if rng.integers(2) else None)
        case 2:
            return {f"{n}.weight": value for n, value in enumerate(inside)}
        case 3:
            return inside if rng.integers(2) else tuple(inside)
        case 4:
            return Outside(("storage", Name(chosen(rng, NAMES)), "a", "cpu", *inside))
        case 5:
            return tensor(*(chosen(rng, ODDS) for _ in range(4)))
        case 6:
            return Name(chosen(rng, calls))
        case _:
            return chosen(rng, ODDS)


def other_pickle(path: Path, rng: Random) -> None:
    path.write_bytes(pickled({f"{n}.weight": odd_value(rng) for n in range(3)}))


def running(path: Path, rng: Random) -> None:
    """A pickle that runs a command when Python's own pickle loads it."""
    made = path.with_name("made")

    class Command:
        def __reduce__(self) -> Any:
            return chosen(rng, ((os.mkdir, (str(made),)), (os.system, (f"mkdir {made}",))))

    path.write_bytes(pickle.dumps({"a.weight": Command()}, int(rng.integers(2, 6))))


# HDF5 ---------------------------------------------------------------------------------------------


def external_storage(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    file.create_dataset(where, shape, "f4", external=[(str(other), 0, h5py.h5f.UNLIMITED)])


def external_link(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    file[where] = h5py.ExternalLink(str(other), "/kernel")


def virtual(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource(str(other), "kernel", shape)
    file.create_virtual_dataset(where, layout)


def growing_virtual(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    """Its shape is that of the other file, which HDF5 opens when the shape is asked for."""
    endless = (None, *shape[1:])
    layout = h5py.VirtualLayout(shape, "f4", maxshape=endless)
    source = h5py.VirtualSource(str(other), "kernel", shape, "f4", maxshape=endless)
    layout[0 : h5py.h5s.UNLIMITED] = source[0 : h5py.h5s.UNLIMITED]
    file.create_virtual_dataset(where, layout)


def soft_link(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    file["out"] = h5py.ExternalLink(str(other), "/")
    file[where] = h5py.SoftLink("/out/kernel")


def link_of_a_group(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    group = where.rpartition("/")[0]
    del file[group]
    file[group] = h5py.ExternalLink(str(other), "/")


def cycle(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    file[where] = file


def named_type(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    file[where] = np.dtype("f4")


def unstored(file: h5py.File, where: str, shape: Any, other: Path) -> None:
    file.create_dataset(where, (7, 7, 3, 2**30), "f4", chunks=(7, 7, 3, 4), fillvalue=1)


# What takes the place of a tensor, and the refusal of it.
ELSEWHERE = {
    external_storage: "is kept in another file",
    external_link: "is kept in another file or place",
    virtual: "is kept in another file",
    growing_virtual: "is kept in another file",
    soft_link: "is kept in another file or place",
    link_of_a_group: "is kept in another file or place",
    cycle: "is neither a tensor nor a group in this file",
    named_type: "is neither a tensor nor a group in this file",
    unstored: r"are said to have \d+ bytes",
}

ODD_TYPES = (
    "i1",
    "f2",
    "f8",
    "c8",
    "?",
    "S5",
    "V2",
    "V8",
    [("a", "f4"), ("b", "S3")],
    h5py.string_dtype(),
    h5py.vlen_dtype("f4"),
    h5py.ref_dtype,
    h5py.enum_dtype({"a": 1}),
)
ODD_SHAPES = ((), (0,), (1,), (2,) * 32, (5, 3), (1024, 1024, 15), h5py.Empty("f4"))


def other_hdf5(path: Path, rng: Random) -> None:
    """Put something odd in the place of a tensor, a group or an attribute."""
    try:
        with h5py.File(path, "r+") as file:
            paths: list[str] = []
            file.visit(paths.append)
            where = chosen(rng, paths)
            match rng.integers(8):
                case 0 | 1:
                    odd_attribute(file[where] if rng.integers(2) else file, rng)
                case 2:
                    del file[where]
                case 3:
                    file[f"{where}/odd" if rng.integers(2) else "odd"] = file[chosen(rng, paths)]
                case 4:
                    odd_shape(file, where, rng)
                case 5:
                    del file[where]
                    file.create_dataset(where, (3,), chosen(rng, ODD_TYPES))
                case _:
                    where = chosen(rng, [of for of in paths if hasattr(file[of], "shape")])
                    shape = file[where].shape
                    del file[where]
                    chosen(rng, ELSEWHERE)(file, where, shape, path.parent / SECRET)
    except Exception:  # it is spoilt already
        return


def odd_shape(file: h5py.File, where: str, rng: Random) -> None:
    shape = chosen(rng, ODD_SHAPES)
    del file[where]
    if isinstance(shape, tuple) and shape:
        packed = chosen(rng, ("gzip", "lzf", None))
        file.create_dataset(where, shape, "f4", compression=packed, chunks=True)
    else:
        file[where] = shape if shape else np.float32(1)


def odd_attribute(item: Any, rng: Random) -> None:
    name = chosen(
        rng, [*item.attrs, "name", "layer_names", "weight_names", "model_config", "dtype"]
    )
    odd = (
        *ODD_TEXTS[:6],
        b"\xff\xfe",
        5,
        -1.5,
        [1, 2],
        [b"a", b"a"],
        ["layers", "x"],
        np.zeros(8000),
    )
    configs = ("[" * 9999, '{"config": {"layers": [1, {}]}}', '{"config": 1}', "{}", "9" * 5000)
    item.attrs[name] = chosen(rng, odd + configs + (h5py.Empty("f4"), np.zeros((2, 2), "S3")))


# --------------------------------------------------------------------------------------------------

# The kind of a file by its first bytes, and faults of it.
KINDS: dict[str, Callable[[bytes], bool]] = {
    "safetensors": lambda first: first[8:9] == b"{",
    "zip": lambda first: first.startswith(b"PK\3\4"),
    "hdf5": lambda first: first.startswith(b"\x89HDF"),
    "npy": lambda first: first.startswith(b"\x93NUMPY"),
    "json": lambda first: first.startswith((b"{", b"[")),
    "pickle": lambda first: first.startswith((b"\x80", b"}q", b"(dp")),
}
OF_KIND: dict[str, tuple[Fault, ...]] = {
    "safetensors": (other_header,),
    "zip": (other_members,),
    "hdf5": (other_hdf5,),
    "npy": (other_array,),
    "json": (other_json,),
    "pickle": (other_pickle, running),
}
