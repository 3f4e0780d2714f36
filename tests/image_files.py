"""Sets of images in files, as they are published."""

import pickle
import struct
from pathlib import Path

import numpy as np


def idx(array: np.ndarray) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def write_idx(folder: Path, pixels: np.ndarray, kinds: np.ndarray, pack=lambda data: data) -> None:
    ending = "" if pack(b"") == b"" else ".gz"
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(idx(pixels)))
        labels = kinds.astype(np.uint8)
        (folder / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels)))


def planes(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).reshape(len(pixels), -1)


def batch(pixels: np.ndarray, kinds: np.ndarray, labels: bytes = b"labels") -> dict:
    names = [b"a"] * len(kinds)
    return {b"data": planes(pixels), labels: kinds.tolist(), b"filenames": names}


def write_cifar(folder: Path, pixels, kinds, protocol: int) -> None:
    for number in range(1, 6):
        written = pickle.dumps(batch(pixels, kinds), protocol=protocol)
        (folder / f"data_batch_{number}").write_bytes(written)
    (folder / "test_batch").write_bytes(pickle.dumps(batch(pixels, kinds), protocol=protocol))
