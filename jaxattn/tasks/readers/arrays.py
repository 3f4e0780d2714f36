"""Images and classes in one .npz file of NumPy."""

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.images import DENSEST, Images, ImageSet, checked

__all__ = ["read_npz"]

_NAMES = (("X", "y"), ("x_train", "y_train"))
_TEST_NAMES = (("X_test", "y_test"), ("x_test", "y_test"))


def read_npz(path: Path) -> ImageSet:
    """``X`` [image, height, width (, 3)] and ``y`` [image]; ``X_test`` and ``y_test`` too.

    As Keras has them, ``x_train`` and so on, they are understood too. Classes are numbered in their
    order.

    Raises:
        InputError: no such arrays, or not of bytes and integers; a file that is damaged, that holds
            objects, or whose arrays are larger than it says: before memory is taken for them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            train = _part(archive, path, _NAMES)
            test = _part(archive, path, _TEST_NAMES)
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError) as error:
        raise InputError(
            f"{path}: got what NumPy cannot read ({error}), expected .npz with X and y"
        ) from error
    if train is None:
        raise InputError(f"{path}: got no X and y, expected images and the class of each")
    known = np.unique(np.concatenate([part.kinds for part in (train, test) if part is not None]))

    def numbered(part: Images) -> Images:
        return part._replace(kinds=np.searchsorted(known, part.kinds))

    whole = ImageSet(numbered(train), test and numbered(test), tuple(map(str, known)), "npz")
    return checked(whole, path)


def _part(
    archive: zipfile.ZipFile, path: Path, names: tuple[tuple[str, str], ...]
) -> Images | None:
    """Images and classes under the first of these pairs of names of which one is there."""
    there = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    for pair in names:
        found = [there.get(name) for name in pair]
        if None not in found:
            pixels, kinds = (_array(archive, info, path) for info in found if info is not None)
            if kinds.dtype.kind not in "iu" or kinds.ndim not in (1, 2) or kinds.size != len(kinds):
                raise InputError(
                    f"{path}: got {pair[1]} of type {kinds.dtype} and shape {kinds.shape}, "
                    "expected integers [image]"
                )
            return Images(pixels, kinds.reshape(-1).astype(np.int64))
        if any(found):
            raise InputError(f"{path}: got one of {pair[0]} and {pair[1]}, expected both")
    return None


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """One array, if it is as large as both its headers say."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise InputError(f"{path}: got {info.filename} of version {version}, expected 1 or 2")
        shape, _, dtype = read(member)
        there = info.file_size - member.tell()
    most = DENSEST * max(info.compress_size, 1)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != there or info.file_size > most:
        raise InputError(
            f"{path}: got {info.filename}, said to hold {dtype} of shape {shape} in {there} bytes, "
            f"{info.compress_size} of them packed, expected numbers that fill it"
        )
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)
