"""Pickles read as data: arrays and plain containers are made, and nothing is imported or called.

`pickletools` of the standard library takes a pickle apart into its instructions. Where one of them
would call a function, a table of our own says what is made instead, or else a placeholder is.
"""

import pickletools
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, cast

import ml_dtypes  # noqa: F401 - registers bfloat16
import numpy as np

from ..common.checks import shortened
from .checkpoint import Array, is_name

# What is made for the names of functions, from the arguments that they would get, and for what is
# kept outside of the pickle, from its identifier.
Makers = Mapping[str, Callable[..., object]]
Loader = Callable[[Any], object]
DType = np.dtype[Any]

# Longer strings and bytes are the content of arrays, which stays in the file until it is asked for.
# How many bytes their length takes, by instruction.
LONG = 1024
LENGTH_BYTES = {
    **dict.fromkeys(("BINSTRING", "BINUNICODE", "BINBYTES"), 4),
    **dict.fromkeys(("BINUNICODE8", "BINBYTES8", "BYTEARRAY8"), 8),
}

# Upper bounds of the bytes that an instruction takes beside its argument, a placeholder and an item
# of a dict, by tracemalloc, and what they may take in all, beside twice the size of the file.
INSTRUCTION_BYTES = {
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), 110),
    **dict.fromkeys(("EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET", "DICT", "LIST", "FROZENSET"), 90),
    **dict.fromkeys(("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"), 70),
}
OTHER_BYTES, PLACEHOLDER_BYTES, ITEM_BYTES, LEAST_BYTES = 20, 300, 200, 16 * 2**20

# What the state dict of a torch.nn.Module is made of.
MODULE_STATE = ("_parameters", "_buffers", "_modules")

# Names of Python's own library that are data. A pickle that calls another of its names is refused:
# it is never called, but whoever has the file should know.
OF_PYTHON = sys.stdlib_module_names | {"__builtin__", "commands"}
HARMLESS = re.compile(
    r"argparse\.Namespace|types\.SimpleNamespace|functools\.partial|uuid\.UUID|decimal\.Decimal"
    r"|fractions\.Fraction|re\._compile|copy_?reg\._reconstructor"
    r"|(collections|datetime|pathlib(\._local)?)\.\w+"
    r"|(builtins|__builtin__)\.(bool|bytearray|bytes|complex|dict|float|frozenset|int|list|long"
    r"|object|range|set|slice|str|tuple|unicode)"
)


# What is made ------------------------------------------------------------------------------------


class ForbiddenError(ValueError):
    """The name of a function of Python that a pickle calls and that makes no data."""


class Name(str):
    """The name of a function or class."""

    __slots__ = ()


class Placeholder(dict[object, Any]):
    """What stands for an object of any class: the parts that it was saved as, by reference."""

    __slots__ = ("parts", "state")

    def __init__(self, *parts: object) -> None:
        self.parts = parts
        self.state: Any = None

    def items(self) -> Iterator[tuple[object, object]]:  # type: ignore[override]
        """Its parts by number, its items, and its attributes, or a module's state dict."""
        yield from enumerate(self.parts)
        yield from super().items()
        state = self.state if isinstance(self.state, dict) else {"state": self.state}
        is_module = "_modules" in state  # of torch.nn
        groups = [state.get(of) for of in MODULE_STATE] if is_module else [state]
        for group in groups:
            yield from group.items() if isinstance(group, dict) else ()


class OrderedDict(Placeholder):
    """An `OrderedDict`, which Python 2 saved as a list of pairs."""

    __slots__ = ()

    def items(self) -> Iterator[tuple[object, object]]:  # type: ignore[override]
        """Its items, without the attributes that PyTorch gives to a state dict."""
        for pairs in self.parts:
            for pair in pairs if isinstance(pairs, list | tuple) else ():
                if isinstance(pair, list | tuple) and len(pair) == 2:
                    yield pair[0], pair[1]
        yield from dict.items(self)


class NumpyArray(Placeholder):
    """An array of NumPy, whose state is the one of `ndarray.__reduce__`.

    NumPy's own unpickling is not used, because it trusts what it reads. Without a state it is an
    array that has no shape.
    """

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, or an error where it has none."""
        return sizes(self.state[-4])

    def __array__(self, dtype: object = None, copy: object = None) -> Array:
        *_, shape, kind, by_columns, content = self.state
        flat = np.frombuffer(content_of(content), _dtype(kind))
        return flat.reshape(sizes(shape), order="F" if by_columns else "C")


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that stay in the file until they are asked for."""

    file: IO[bytes]
    offset: int
    size: int
    is_text: bool

    def read(self) -> bytes:
        """Read them, or text as the bytes that it stands for."""
        position = self.file.tell()  # of the pickle, which may still be read
        self.file.seek(self.offset)
        content = self.file.read(self.size)
        self.file.seek(position)
        # Python 3 writes bytes as text in protocol 2, a letter for each of them.
        return content.decode().encode("latin-1") if self.is_text else content


def content_of(value: object) -> bytes | bytearray:
    """The bytes of an array, as any version of Python saves them.

    Raises:
        ValueError: they are other objects.
    """
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, Content):
        return value.read()
    if not isinstance(value, bytes | bytearray):
        raise ValueError(f"its values are a {type(value).__name__} of Python, not numbers")
    return value


def sizes(shape: object) -> tuple[int, ...]:
    """Return the shape or the strides of a tensor.

    Raises:
        ValueError: they are no tuple of ints that are at least 0, or one longer than NumPy allows.
    """
    if not isinstance(shape, tuple) or len(shape) > 64:
        raise ValueError("the shape of a tensor is no tuple of at most 64 integers")
    if any(type(n) is not int or not 0 <= n < 2**63 for n in shape):
        raise ValueError("a shape, stride or offset is no integer of at least 0")
    return shape


def _dtype(kind: Placeholder) -> DType:
    """The dtype of the parts of `dtype.__reduce__`."""
    name = shortened(kind.parts[0]) if isinstance(kind.parts[0], str) else "object"
    if not re.fullmatch(r"[?bBhHiIlLqQefd]|[biufc]\d\d?|ml_dtypes\.bfloat16", name):
        raise ValueError(f"its values are of NumPy's dtype {name!r}, not numbers")
    is_big = isinstance(kind.state, tuple) and kind.state[1] == ">"
    dtype: DType = np.dtype(name.removeprefix("ml_dtypes."))
    return dtype.newbyteorder(">" if is_big else "<")


def _from_buffer(content: object, kind: object, shape: object, order: object) -> NumpyArray:
    made = NumpyArray()
    made.state = (shape, kind, order == "F", content)
    return made


_NUMPY = ("numpy.core", "numpy._core")  # the second since NumPy 2
MAKERS: Makers = {
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": lambda text, *_: text,  # `content_of` encodes it
    **{f"{core}.multiarray._reconstruct": lambda *_: NumpyArray() for core in _NUMPY},
    **{f"{core}.numeric._frombuffer": _from_buffer for core in _NUMPY},
}


# How it is read ----------------------------------------------------------------------------------


def unpickled(
    file: IO[bytes],
    size: int,
    makers: Makers = MAKERS,
    persistent: Loader | None = None,
) -> Any:
    """Read a pickle of any protocol from a file's position on.

    Args:
        file: it is read again when the content of an array is asked for.
        size: the bytes of the file. What is made takes twice as many at most, and 16 MiB.
        makers: functions that make arrays, by the names that stand for them in the pickle.
        persistent: makes what is kept outside the pickle, from its identifier.

    Returns:
        containers and numbers of Python, placeholders, and what the functions make.

    Raises:
        ForbiddenError: a pickle that calls a function of Python that makes no data.
        Exception: a broken pickle, or one that holds too much.
    """
    machine = _Machine(makers, persistent, left=2 * size + LEAST_BYTES)
    bounded = cast(IO[bytes], _Bounded(file, size))
    for opcode, argument, start in pickletools.genops(bounded):
        name = opcode.name
        if name in LENGTH_BYTES and len(cast(bytes, argument)) > LONG:
            begin = cast(int, start) + 1 + LENGTH_BYTES[name]
            argument = Content(file, begin, file.tell() - begin, "UNICODE" in name)
        machine.spend(INSTRUCTION_BYTES.get(name, OTHER_BYTES) + sys.getsizeof(argument))
        if name not in _STEPS:
            raise ValueError(f"it has the instruction {name}, which no checkpoint needs")
        _STEPS[name](machine, argument)
    return machine.stack[-1]


class _Bounded:
    """A file that is asked for no more bytes than it has, because Python allocates them first."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.tell, self._read, self._size = file.tell, file.read, size
        # The errors of what is in a line repeat it.
        self.readline = partial(file.readline, max(2**20, size // 8))

    def read(self, size: int) -> bytes:
        return self._read(min(size, self._size))


class _Machine:
    """A pickle's stack and memo."""

    def __init__(self, makers: Makers, persistent: Loader | None, left: int) -> None:
        self.makers, self.persistent, self.left = makers, persistent, left
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def spend(self, memory: int) -> None:
        self.left -= memory
        if self.left < 0:
            raise ValueError("it holds more objects than a checkpoint of its size needs")

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise ValueError("an instruction needs more than was made before")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def marked(self) -> list[Any]:
        """Take what was made since the last mark."""
        begin = self.marks.pop()
        taken = self.stack[begin:]
        del self.stack[begin:]
        return taken

    def remember(self, number: int | None) -> None:
        self.memo[len(self.memo) if number is None else number] = self.stack[-1]

    def append(self, values: list[object]) -> None:
        target = self.stack[-1]
        if isinstance(target, Placeholder):
            self.set_items([of for pair in enumerate(values, len(target)) for of in pair])
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise ValueError("it adds values to what is no list")

    def set_items(self, keys_and_values: list[object]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise ValueError("it sets items of what is no dict")
        self.spend(len(keys_and_values) // 2 * ITEM_BYTES)
        for key, value in zip(keys_and_values[::2], keys_and_values[1::2], strict=True):
            # Others may not be hashable, and to hash tuples in tuples without end ends Python.
            target[key if is_name(key) else f"#{len(target)}"] = value

    def named(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("the name of a function or class is no text")
        self.spend(len(module) + len(name))
        self.push(Name(f"{module}.{name}"))

    def call(self, name: object, arguments: object, *_: object) -> None:
        """Make what the table has for a name, or else a placeholder."""
        if not isinstance(arguments, list | tuple):
            raise ValueError("the arguments of a function or class are no tuple")
        self.spend(PLACEHOLDER_BYTES + 8 * len(arguments))
        name = name if isinstance(name, Name) else Name()
        maker = self.makers.get(name)
        is_of_python = name.partition(".")[0] in OF_PYTHON
        if not maker and is_of_python and not HARMLESS.fullmatch(name):
            raise ForbiddenError(shortened(name))
        self.push((maker or Placeholder)(*arguments))

    def build(self, state: object) -> None:
        if isinstance(target := self.stack[-1], Placeholder):
            target.state = state

    def load(self, identifier: object) -> None:
        if not self.persistent:
            raise ValueError("it has parts outside of the pickle")
        self.spend(PLACEHOLDER_BYTES)
        self.push(self.persistent(identifier))


def _dict(machine: _Machine, _: object) -> None:
    items = machine.marked()
    machine.push({})
    machine.set_items(items)


# What the instructions do, by the names that pickletools has for them.
_Step = Callable[[_Machine, Any], object]
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "SHORT_BINBYTES")
_STEPS: Mapping[str, _Step] = {
    **dict.fromkeys((*_NUMBERS, *_TEXTS, *LENGTH_BYTES), _Machine.push),
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda *_: None),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    # The members of a set need not be hashed, and a list does.
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_SET"), lambda machine, _: machine.push([])),
    **dict.fromkeys(("LIST", "FROZENSET"), lambda machine, _: machine.push(machine.marked())),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "DICT": _dict,
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.pop(3))),
    "APPEND": lambda machine, _: machine.append(machine.pop(1)),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda machine, _: machine.append(machine.marked())),
    "SETITEM": lambda machine, _: machine.set_items(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.marked()),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": lambda machine, _: machine.pop(1),
    "POP_MARK": lambda machine, _: machine.marked(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.remember),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda machine, key: machine.push(machine.memo[key])
    ),
    "GLOBAL": lambda machine, name: machine.named(*name.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.named(*machine.pop(2)),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda machine, _: machine.call(*machine.pop(2))),
    "NEWOBJ_EX": lambda machine, _: machine.call(*machine.pop(3)),
    "BUILD": lambda machine, _: machine.build(*machine.pop(1)),
    "PERSID": _Machine.load,
    "BINPERSID": lambda machine, _: machine.load(*machine.pop(1)),
}
