"""CIFAR-10 and CIFAR-100, in their layouts for Python and of bytes.

A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.images import Images, ImageSet, checked, inside
from jaxattn.tasks.readers.pickles import read_pickle

__all__ = ["BATCHES", "NAMES_10", "read_cifar"]

NAMES_10: tuple[str, ...] = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
"""What the classes of CIFAR-10 are called."""

_SIDE, _CHANNELS = 32, 3
_PIXELS = _SIDE * _SIDE * _CHANNELS

BATCHES: tuple[str, ...] = tuple(f"data_batch_{number}" for number in range(1, 6))
"""Files of CIFAR-10 to learn from, without their ending."""


def read_cifar(folder: Path) -> ImageSet | None:
    """What lies in a folder in one of four layouts; None where it is none of them.

    Of CIFAR-100 the hundred fine classes.

    Raises:
        InputError: a batch is missing, holds something else, or is not as long as it should be.
    """
    for reader in (_ten_of_python, _hundred_of_python, _ten_of_bytes, _hundred_of_bytes):
        if (found := reader(folder)) is not None:
            return checked(found, folder)
    return None


def _ten_of_python(folder: Path) -> ImageSet | None:
    paths = _paths(folder, BATCHES, "test_batch")
    if paths is None:
        return None
    *train, test = (_of_python(path, "labels") for path in paths)
    names = NAMES_10
    if (meta := folder / "batches.meta").exists():
        names = _names(inside(folder, meta), "label_names")
    return ImageSet(_joined(train), test, names, "CIFAR-10, for Python")


def _hundred_of_python(folder: Path) -> ImageSet | None:
    if (folder / "train").is_dir():
        return None
    paths = _paths(folder, ("train",), "test")
    if paths is None:
        return None
    train, test = (_of_python(path, "fine_labels") for path in paths)
    names = tuple(map(str, range(100)))
    if (meta := folder / "meta").exists():
        names = _names(inside(folder, meta), "fine_label_names")
    return ImageSet(train, test, names, "CIFAR-100, for Python")


def _ten_of_bytes(folder: Path) -> ImageSet | None:
    paths = _paths(folder, BATCHES, "test_batch", ending=".bin")
    if paths is None:
        return None
    *train, test = (_of_bytes(path, labels=1) for path in paths)
    return ImageSet(_joined(train), test, NAMES_10, "CIFAR-10, bytes")


def _hundred_of_bytes(folder: Path) -> ImageSet | None:
    paths = _paths(folder, ("train",), "test", ending=".bin")
    if paths is None:
        return None
    train, test = (_of_bytes(path, labels=2) for path in paths)
    return ImageSet(train, test, tuple(map(str, range(100))), "CIFAR-100, bytes")


def _paths(folder: Path, train: Sequence[str], test: str, ending: str = "") -> list[Path] | None:
    """The files of all batches; None where there is none of those to learn from.

    Raises:
        InputError: some are there, and not all.
    """
    names = [f"{name}{ending}" for name in (*train, test)]
    missing = [name for name in names if not (folder / name).exists()]
    if set(names[:-1]) <= set(missing):
        return None
    if missing:
        raise InputError(
            f"{folder}: got CIFAR without {', '.join(missing)}, expected {len(names)} batches; "
            "unpack the whole archive"
        )
    return [inside(folder, folder / name) for name in names]


def _of_python(path: Path, labels: str) -> Images:
    batch = {_text(name): value for name, value in read_pickle(path).items()}
    data, kinds = batch.get("data"), batch.get(labels)
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != _PIXELS:
        shape = getattr(data, "shape", None)
        raise InputError(
            f"{path}: got data of shape {shape}, expected [image, {_PIXELS}] bytes of CIFAR"
        )
    if not isinstance(kinds, list) or len(kinds) != len(data):
        count = len(kinds) if isinstance(kinds, list) else "no"
        raise InputError(f"{path}: got {len(data)} images and {count} {labels}, expected as many")
    if not all(isinstance(kind, int) and 0 <= kind < 100 for kind in kinds):
        raise InputError(f"{path}: got {labels} that are no numbers below 100, expected those")
    return Images(_by_rows(data), np.array(kinds, np.int64))


def _of_bytes(path: Path, labels: int) -> Images:
    """Records of labels, the last of which is the fine one, and 3,072 bytes."""
    record = labels + _PIXELS
    size = path.stat().st_size
    if size == 0 or size % record:
        raise InputError(
            f"{path}: got {size} bytes, expected records of {record}; is it truncated?"
        )
    table = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, record)
    return Images(_by_rows(table[:, labels:]), table[:, labels - 1].astype(np.int64))


def _by_rows(planes: np.ndarray) -> np.ndarray:
    """Published as planes of red, green and blue; ``[image, height, width, channel]``."""
    whole = planes.reshape(-1, _CHANNELS, _SIDE, _SIDE)
    return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))


def _joined(parts: Sequence[Images]) -> Images:
    return Images(*(np.concatenate(leaves) for leaves in zip(*parts, strict=True)))


def _names(path: Path, name: str) -> tuple[str, ...]:
    meta = {_text(key): value for key, value in read_pickle(path).items()}
    names = meta.get(name)
    if not isinstance(names, list) or not names:
        raise InputError(f"{path}: got no {name}, expected a list of what the classes are called")
    return tuple(map(_text, names))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
