"""IDX files, in which MNIST and Fashion-MNIST are published: plain or gzipped.

Layout: two bytes 0, one for the type (0x08: bytes), one for the number of axes, then the length of
each axis as a big-endian 32-bit number, then the entries (Y. LeCun, C. Cortes and C. J. C. Burges,
The MNIST database of handwritten digits).
"""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.images import DENSEST, Images, ImageSet, checked, inside

__all__ = ["NAMES", "read_idx", "read_idx_set"]

_BYTES = 0x08
_MOST_AXES = 4

NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Files of images and labels of each part; ``.gz`` may follow, and a dot stand for a hyphen."""


def read_idx(path: Path) -> np.ndarray:
    """The bytes of one file, as an array of its shape.

    Raises:
        InputError: it is no IDX file of bytes, or is shorter or longer than its header says; said
            before memory is taken for more than the file can hold.
    """
    packed = path.suffix == ".gz"
    try:
        with gzip.GzipFile(path) if packed else path.open("rb") as file:
            return _read(file, path, path.stat().st_size * (DENSEST if packed else 1))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: got a gzip file that is truncated or damaged ({error}), expected a whole "
            "one; fetch it again"
        ) from error


def _read(file: io.BufferedIOBase, path: Path, most: int) -> np.ndarray:
    """The array of an open file that holds at most so many bytes."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or not 1 <= head[3] <= _MOST_AXES:
        swapped = len(head) == 4 and head[2:] == b"\0\0" and 1 <= head[0] <= _MOST_AXES
        hint = "its bytes are swapped (little-endian)" if swapped else "is it another format?"
        raise InputError(
            f"{path}: got a file that begins with {head.hex() or 'nothing'}, expected IDX "
            f"(0000 08 and the number of axes, 01 to 0{_MOST_AXES}); {hint}"
        )
    if head[2] != _BYTES:
        raise InputError(
            f"{path}: got entries of type 0x{head[2]:02x}, expected 0x{_BYTES:02x}, bytes"
        )
    sizes = file.read(4 * head[3])
    shape = tuple(int(each) for each in np.frombuffer(sizes[: len(sizes) // 4 * 4], ">u4"))
    count = math.prod(shape)
    if len(shape) < head[3] or len(head) + len(sizes) + count > most:
        raise InputError(
            f"{path}: got a header of {' x '.join(map(str, shape)) or 'no'} entries in a file "
            f"that holds {most} bytes at most, expected all of them; fetch it again"
        )
    entries = file.read(count)
    if len(entries) < count or file.read(1):
        more = "more" if len(entries) == count else f"{len(entries)}"
        raise InputError(
            f"{path}: got {more} entries where its header says {count}, expected as many; fetch "
            "it again"
        )
    return np.frombuffer(entries, np.uint8).reshape(shape)


def read_idx_set(folder: Path, classes: tuple[str, ...] | None = None) -> ImageSet | None:
    """The four files of a set; None where there are none of them.

    Args:
        folder: where they lie.
        classes: what the classes are called; by default their numbers.

    Raises:
        InputError: one of a pair is missing, or what `read_idx` and `checked` refuse.
    """
    parts = {part: _part(folder, *names) for part, names in NAMES.items()}
    train = parts["train"]
    if train is None:
        return None
    if classes is None:
        kinds = [
            part.kinds.max() for part in parts.values() if part is not None and part.kinds.size
        ]
        classes = tuple(map(str, range(int(max(kinds, default=0)) + 1)))
    return checked(ImageSet(train, parts["test"], classes, "IDX"), folder)


def _part(folder: Path, images: str, labels: str) -> Images | None:
    found = [_file(folder, name) for name in (images, labels)]
    if found == [None, None]:
        return None
    there, missing = ((images, labels), (labels, images))[found[0] is None]
    if None in found:
        raise InputError(
            f"{folder}: got {there} without {missing}, expected both; fetch the other one"
        )
    pixels, kinds = (read_idx(path) for path in found if path is not None)
    if kinds.ndim != 1:
        raise InputError(f"{found[1]}: got {kinds.ndim} axes, expected 1: a label an image")
    return Images(pixels, kinds.astype(np.int64))


def _file(folder: Path, name: str) -> Path | None:
    base, _, ending = name.rpartition("-idx")
    for written in (name, f"{base}.idx{ending}"):
        for path in (folder / written, folder / f"{written}.gz"):
            if path.exists() or path.is_symlink():
                return inside(folder, path)
    return None
