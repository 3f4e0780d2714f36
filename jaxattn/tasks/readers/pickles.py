"""Python pickles of which nothing is run: arrays, bytes, text, integers, lists and dictionaries.

A pickle is a program: to read one as Python does is to run what its author wrote. Here it is looked
through first, and the few functions that arrays are made of are replaced by others that take notes.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxattn.core.contracts import InputError

__all__ = ["read_pickle"]

_TEXT_MOST = 4
"""Times the size of a file that bytes written as text may come to, as one text may be asked for
again and again."""

_MOST = 1 << 30
"""Bytes of a file: thirty times those of the largest batch that is published."""

_EXPECTED = "arrays of bytes, bytes, text, integers, lists and dictionaries"

_REFUSED = frozenset(
    [
        *("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"),
        *("FLOAT", "BINFLOAT", "EMPTY_SET", "ADDITEMS", "FROZENSET"),
        *("NEXT_BUFFER", "READONLY_BUFFER"),
    ]
)
"""Operations that none of what is expected is written by."""


def read_pickle(path: Path) -> dict[Any, Any]:
    """The dictionary that a pickle holds, its arrays as arrays of NumPy.

    Written by Python 2, whose text is bytes then, or 3.

    Raises:
        InputError: it holds anything else, or is truncated or damaged.
    """
    if (size := path.stat().st_size) > _MOST:
        raise InputError(f"{path}: got {size} bytes, expected at most {_MOST} of a batch of images")
    data = path.read_bytes()
    try:
        _look_through(data)
        return _only_expected(_Reader(data).load())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (
        *(pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError),
        *(AttributeError, OverflowError),
    ) as error:
        raise InputError(
            f"{path}: got a pickle that is truncated or damaged ({error}), expected a whole one; "
            "fetch it again"
        ) from error


def _look_through(data: bytes) -> None:
    """Refuse what takes more memory than the file has bytes, and operations that are not expected.

    Python itself takes the memory that a length or a place in a pickle asks for, and then reads.
    """
    for operation, argument, _ in pickletools.genops(data):
        if operation.name in _REFUSED:
            raise InputError(f"got the operation {operation.name}, expected {_EXPECTED}")
        if "PUT" in operation.name and argument is not None and argument > len(data):
            raise InputError(
                f"got a place {argument} in a pickle of {len(data)} bytes, expected one of its own"
            )


class _StandIn:
    """What a pickle gets for a function that it asks for: it can be called, and nothing else."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *given: Any) -> Any:
        return self._function(*given)

    def __setstate__(self, state: Any) -> None:
        raise InputError("got a pickle that changes a function, expected data alone")


class _Kind:
    """Stands for ``numpy.dtype``: its name is noted, and nothing else is believed."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)

    def __setstate__(self, state: Any) -> None:
        del state


class _Array:
    """Stands for an array: what it says of itself is noted until all of it has been read."""

    def __init__(self, *_: Any) -> None:
        self.shape, self.kind, self.by_column, self.data = (), None, False, None

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.kind, self.by_column, self.data = state

    @classmethod
    def of_buffer(cls, data: Any, kind: Any, shape: Any, order: Any) -> "_Array":
        """As protocol 5 writes it."""
        array = cls()
        array.__setstate__((1, shape, kind, order != "C", bytes(data)))
        return array

    def made(self) -> np.ndarray:
        """The array.

        Raises:
            InputError: it is not one of bytes, row after row.
        """
        name = getattr(self.kind, "name", None)
        if name not in ("u1", "uint8") or self.by_column or not isinstance(self.data, bytes):
            raise InputError(
                f"got an array of type {name!r}, expected bytes (u1) row after row, as images are "
                "published; convert it"
            )
        return np.frombuffer(self.data, np.uint8).reshape(self.shape)


class _Reader(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="bytes")
        self._left = _TEXT_MOST * len(data)

    def _bytes(self, text: Any, encoding: Any) -> bytes:
        """Stands for ``_codecs.encode``, as which Python 3 writes bytes that Python 2 can read."""
        if encoding not in ("latin1", b"latin1") or not isinstance(text, str):
            raise InputError("got bytes in an encoding, expected latin1, as Python writes them")
        self._left -= len(text)
        if self._left < 0:
            raise InputError("got the same text again and again, expected what fits the file")
        return text.encode("latin1")

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("numpy.core.multiarray", "_reconstruct"): _Array,
            ("numpy._core.multiarray", "_reconstruct"): _Array,
            ("numpy.core.numeric", "_frombuffer"): _Array.of_buffer,
            ("numpy._core.numeric", "_frombuffer"): _Array.of_buffer,
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Kind,
            ("_codecs", "encode"): self._bytes,
        }
        if (module, name) not in known:
            raise InputError(
                f"got a pickle that asks for {module}.{name}, expected {_EXPECTED}; nothing of it "
                "was run"
            )
        return _StandIn(known[module, name])


def _only_expected(value: Any) -> dict[Any, Any]:
    """A dictionary of arrays, bytes, text, integers, and lists of those but arrays.

    Raises:
        InputError: it is anything else.
    """
    if not isinstance(value, dict):
        raise InputError(f"got a {type(value).__name__}, expected a dictionary of arrays")
    # The same list may be there under a million names.
    known: dict[int, Any] = {}

    def made(entry: Any) -> Any:
        if isinstance(entry, _Array):
            return entry.made()
        for each in entry if isinstance(entry, list) else [entry]:
            if not isinstance(each, bytes | str | int):
                raise InputError(f"got a {type(each).__name__}, expected {_EXPECTED}")
        return entry

    for name, entry in value.items():
        made(name)
        if id(entry) not in known:
            known[id(entry)] = made(entry)
    return {name: known[id(entry)] for name, entry in value.items()}
