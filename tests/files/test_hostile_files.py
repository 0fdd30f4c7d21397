"""Hostile files: nothing in them runs, what they state is checked, and memory has a bound."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resnet_builder.files.opening import opened
from resnet_builder.weights import tensors

from .faults import archive, tensor
from .tensor_recipe import Call, Name, Outside, instructions, of_python_2, pickled

# Files take three times their size in memory at most, and so much.
MORE_MEMORY = 32 * 2**20


def npz(**named: Any) -> bytes:
    written = io.BytesIO()
    np.savez_compressed(written, **named)
    return written.getvalue()


def of_torch(root: Any, **storages: bytes) -> bytes:
    """A file of torch.save, with storages by their keys."""
    data = {f"net/data/{key}": content for key, content in storages.items()}
    return archive({"net/data.pkl": pickled(root), **data})


# Calls --------------------------------------------------------------------------------------------

FORBIDDEN = [
    *("os.mkdir", "posix.mkdir", "nt.mkdir", "pathlib.os.mkdir", "builtins.open", "shutil.rmtree"),
    *("os.system", "posix.system", "subprocess.Popen", "subprocess.check_output", "pty.spawn"),
    *(
        "builtins.eval",
        "builtins.exec",
        "builtins.compile",
        "builtins.__import__",
        "runpy.run_path",
    ),
    *("__builtin__.eval", "__builtin__.execfile", "commands.getoutput", "builtins.getattr"),
    *("importlib.import_module", "operator.attrgetter", "types.CodeType", "types.FunctionType"),
    *("pickle.loads", "marshal.loads", "socket.socket", "webbrowser.open", "ctypes.CDLL"),
]
UNKNOWN = ["torch.hub.load", "numpy.load", "numpy.testing._private.utils.runstring", "mine.Model"]
WAYS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "reduce": lambda name, inside: name + b"(" + inside + b"tR",
    "new": lambda name, inside: name + b"(" + inside + b"t\x81",
    "new with keywords": lambda name, inside: name + b"(" + inside + b"t}\x92",
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_called(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good = instructions(of_python_2(np.ones((1, 1, 1, 1), np.float32)))
    for name in FORBIDDEN + UNKNOWN:
        call = WAYS[way](instructions(Name(name)), instructions("made"))
        root = b"}(" + instructions("a.weight") + good + instructions("b") + call + b"u."
        Path("net.pkl").write_bytes(b"\x80\x02" + root)
        if name in UNKNOWN:
            with opened("net.pkl") as checkpoint:
                assert list(checkpoint.shapes) == ["a.weight"]
        else:
            with pytest.raises(
                ValueError, match=rf"^cannot load net\.pkl: .*its pickle calls {name},"
            ):
                opened("net.pkl").__enter__()
        assert list(tmp_path.iterdir()) == [tmp_path / "net.pkl"]


# What files state ---------------------------------------------------------------------------------

STATED: dict[str, tuple[bytes, str]] = {
    "a huge shape": (
        of_torch({"a": tensor((10**6, 10**6), (0, 0))}, a=b"1234" * 4),
        "a tensor of shape (1000000, 1000000) is larger than its storage of 4 numbers",
    ),
    "a huge shape of NumPy": (
        pickled({"a": of_python_2(np.ones(4))}).replace(b"K\x04t", b"K\xfft"),
        "a cannot be read: cannot reshape array of size 4",
    ),
    "an offset": (of_torch({"a": tensor((1,), (1,), 4)}, a=b"1234" * 4), "is larger than its"),
    "a stride": (of_torch({"a": tensor((2, 2), (3, 1))}, a=b"1234" * 4), "is larger than its"),
    "a negative stride": (
        of_torch({"a": tensor((2,), (-1,), 3)}, a=b"1234" * 4),
        "a shape, stride or offset is no integer of at least 0",
    ),
    "a negative offset": (of_torch({"a": tensor((2,), (1,), -3)}, a=b"1234" * 4), "of at least 0"),
    "a short storage": (of_torch({"a": tensor((4,), (1,))}, a=b"1234" * 3), "which are too few"),
    "no storage": (of_torch({"a": tensor((4,), (1,))}), "no item named 'net/data/a'"),
    "a storage elsewhere": (
        of_torch({"a": tensor((4,), (1,), key="../../etc/passwd")}),
        "no item named 'net/data/../../etc/passwd'",
    ),
    "an object as shape": (of_torch({"a": tensor({}, (1,))}, a=b"1234" * 4), "no tuple of at most"),
    "many axes": (of_torch({"a": tensor((1,) * 65, (1,) * 65)}, a=b"1234" * 4), "at most 64"),
    "a number as storage": (
        of_torch({"a": Call("torch._utils._rebuild_tensor_v2", (3, 0, (1,), (1,)))}),
        "a tensor has no storage",
    ),
    "an array of objects": (
        pickle.dumps({"a": np.array([None, {}], dtype=object)}, 2),
        "its values are a list of Python, not numbers",
    ),
    "strings": (pickle.dumps({"a": np.array(["one"])}, 2), "of NumPy's dtype 'U3', not numbers"),
    "objects in .npz": (npz(a=np.array({"b": 1}, dtype=object)), "Object arrays cannot be loaded"),
    "text": (pickled("text"), "it holds str, not tensors by name"),
    "an extension": (b"\x80\x02\x82\x01.", "it has the instruction EXT1"),
    "outside": (pickled({"a": Outside(("storage",))}), "it has parts outside of the pickle"),
}


def read_all(path: Path) -> None:
    with opened(path) as checkpoint:
        for name in checkpoint.shapes:
            tensors._read(checkpoint, name)


@pytest.mark.parametrize("case", STATED)
def test_what_is_stated_is_checked(case: str, tmp_path: Path) -> None:
    content, message = STATED[case]
    path = tmp_path / "net"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^cannot load ") as raised:
        read_all(path)
    assert str(raised.value).startswith(f"cannot load {path}: ")
    assert message in str(raised.value)


# Memory -------------------------------------------------------------------------------------------

_ARRAY = instructions(of_python_2(np.ones((1, 1, 1, 1), np.float32)))
_OBJECT = instructions(Name("a.B")) + b"q\1"


@lru_cache
def bombs(count: int) -> dict[str, bytes]:
    """Files of some hundred bytes more than `count`, which would take much memory."""
    pickles = {
        "dicts": b"](" + b"}" * count + b"e",
        "lists": b"](" + b"]" * count + b"e",
        "tuples": b"(" + b"N\x85" * (count // 2) + b"t",
        "nested": b"N" + b"\x85" * count,
        "memo": b"}" + b"".join(b"r" + struct.pack("<I", n) for n in range(0, count, 5)),
        "huge memo": b"}r\xff\xff\xff\xff",
        "objects": b"](" + _OBJECT + b"h\1)R" * (count // 4) + b"e",
        "parts": b"]((" + b"N" * count + b"tq\2" + _OBJECT + b"h\1h\2R" * 9999 + b"e",
        "names": b"](" + instructions("a" * 1000) + b"q\1" + b"h\1h\1\x93" * (count // 5) + b"e",
        "laughs": b"}("
        + instructions("a")
        + b"]q\0"
        + b"".join(b"0](h%ch%ceq%c" % (n, n, n + 1) for n in range(200))
        + b"u",
        "arrays": b"}("
        + instructions("a")
        + b"("
        + _ARRAY
        + b"q\2"
        + b"h\2" * (count // 2)
        + b"tu",
        "long names": b"}("
        + instructions("a" * 1000)
        + b"}(" * 0
        + b"("
        + _ARRAY
        + b"q\2"
        + b"h\2" * (count // 2)
        + b"tu",
        "bytes": b"\x8e" + struct.pack("<Q", 2**50) + b"a",
        "text": b"X\xff\xff\xff\xffa",
        "an integer": b"\x8b\xff\xff\xff\x7fa",
        "digits": b"I" + b"9" * count + b"\n",
        "a line": b"S" + b"\xff" * count + b"\n",
        "within itself": b"}q\1(" + instructions("a") + b"h\1u",
    }
    files = {name: b"\x80\x02" + content + b"." for name, content in pickles.items()}
    zeros = {"net/data.pkl": b"\x80\x02](" + b"N" * 3 * 10**7 + b"e."}
    files["a packed pickle"] = archive(zeros, zipfile.ZIP_DEFLATED)
    header = b"\x93NUMPY\2\0\xff\xff\xff\xff" + b" " * 3 * 10**7
    files["a packed header"] = archive({"a.npy": header}, zipfile.ZIP_DEFLATED)
    files["a packed .npz"] = npz(a=np.zeros(10**7, np.float32))
    files["a directory"] = archive({f"{n:x}.npy": b"" for n in range(count // 50)})
    return files


@pytest.mark.parametrize("count", [10**4, pytest.param(10**6, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", bombs(0))
def test_memory_has_a_bound(name: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "net"
    path.write_bytes(bombs(count)[name])
    assert peak(path) < 3 * path.stat().st_size + MORE_MEMORY


def peak(path: Path) -> int:
    """Bytes that reading all tensors took, or the refusal."""
    tracemalloc.start()
    with suppress(ValueError, FileNotFoundError):
        read_all(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


DEEP: dict[str, Any] = {
    "a key": {"deep": 1},
    "a shape": {"a": tensor("deep", (1,))},
    "a storage": {"a": tensor((1,), (1,), key="deep")},
    "bytes": {"a": Call("torch.storage._load_from_bytes", ("deep",))},
    "a dtype": {"a": Call("numpy.dtype", ("deep",))},
    "a dtype of PyTorch": {
        "a": Call("torch._utils._rebuild_tensor_v3", (0, 0, 0, 0, 0, 0, "deep"))
    },
    "a type": {"a": Call("torch._tensor._rebuild_from_type_v2", ("deep", "deep", "deep", 0))},
    "a class": {"a": Call("copyreg._reconstructor", ("deep", "deep"))},
}


@pytest.mark.parametrize("place", DEEP)
@pytest.mark.parametrize(
    "deep",
    [
        pytest.param(b"]q\0" + b"0h\0h\0\x86q\0" * 100, id="two in each"),
        pytest.param(b"N" + b"\x85" * 10**6, id="one in each", marks=pytest.mark.slow),
    ],
)
def test_tuples_in_tuples(deep: bytes, place: str, tmp_path: Path) -> None:
    """To hash, compare or print these would end Python, or take all memory."""
    content = pickled(DEEP[place]).replace(instructions("deep"), deep)
    for name, file in {"net.pkl": content, "net.pth": archive({"net/data.pkl": content})}.items():
        (tmp_path / name).write_bytes(file)
        with pytest.raises(ValueError, match=rf"^cannot load .*{name}: "):
            read_all(tmp_path / name)
