"""Captions and boxes as COCO publishes them (PAPER 5.5), with features of its images or the images.

A folder holds, of each part such as ``train2014``: ``captions_PART.json``; perhaps
``instances_PART.json``; and either ``features_PART.npz``, with ``image_id [image]`` and ``features
[image, segment, feature]`` of a square grid, or the images in a folder PART.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from PIL import Image, UnidentifiedImageError

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.catalogue import Location, home

__all__ = ["CocoPart", "coco_folder", "part_names", "read_part"]


class CocoPart(NamedTuple):
    """One part: images in the order of their numbers, and what was said of each."""

    features: np.ndarray
    """``[image, segment, feature]``, float32."""
    captions: tuple[tuple[str, ...], ...]
    """Of each image, as they were written, in the order of their numbers."""
    boxes: tuple[Mapping[str, tuple[float, float, float, float]], ...]
    """Of each image, by name of a category that has exactly one: left, top, right and bottom as
    shares of the image."""
    left_out: Mapping[str, int]
    """How many of what was left out, and which was the first, by what it was."""


def coco_folder(data: Location | None = None) -> Path:
    """Where the files lie, from the root: at `data`, or in the folder ``coco`` of a user's data.

    Raises:
        InputError: there is no such folder.
    """
    folder = (home("coco") if data is None else Path(data)).absolute()
    if not folder.is_dir():
        raise InputError(
            f"coco: got no folder {folder}, expected one with captions_train2014.json and the "
            "like; say where it is by data, or set JAXATTN_DATA to the folder that holds it as "
            "coco."
        )
    return folder


def part_names(folder: Path) -> list[str]:
    """The parts that have captions, such as ``train2014``."""
    return sorted(path.stem.removeprefix("captions_") for path in folder.glob("captions_*.json"))


def read_part(folder: Path, part: str, grid: int, patch: int) -> CocoPart:
    """One part of a folder.

    What cannot be used is left out and counted: captions and boxes of images that are not listed or
    not there, and images that cannot be read.

    Args:
        folder: of the files.
        part: such as ``train2014``.
        grid: segments along a side of an image, where there are no features.
        patch: pixels along a side of a segment, likewise.

    Raises:
        InputError: with file and record: JSON that is cut or not as published, features of another
            shape, or no image that has a caption.
    """
    out: dict[str, int] = {}
    path = folder / f"captions_{part}.json"
    said = _json(path)
    listed = {
        _field(path, "images", n, one, "id"): one for n, one in _records(path, said, "images")
    }
    spoken: dict[Any, list[tuple[Any, str]]] = {}
    for n, one in _records(path, said, "annotations"):
        number, text = (_field(path, "annotations", n, one, key) for key in ("image_id", "caption"))
        if number not in listed:
            _count(out, f"captions of images not listed, first annotation {n} of {path.name}")
            continue
        spoken.setdefault(number, []).append((one.get("id", n), str(text)))
    packed = folder / f"features_{part}.npz"
    wanted = {number: one for number, one in listed.items() if number in spoken}
    if packed.is_file():
        known = _features(packed)
    else:
        known = _patches(folder / part, path, wanted, grid, patch, out)
    there = sorted(number for number in wanted if number in known)
    for number in wanted.keys() - known.keys() if packed.is_file() else ():
        _count(out, f"images without features in {packed.name}, first {number}")
    if not there:
        raise InputError(
            f"{path}: got no caption of an image that is there, expected features in {packed.name} "
            f"or images in {folder / part}; add them."
        )
    boxes = _boxes(folder / f"instances_{part}.json", listed, out)
    return CocoPart(
        np.stack([known[number] for number in there]).astype(np.float32, copy=False),
        tuple(tuple(text for _, text in sorted(spoken[number])) for number in there),
        tuple(boxes.get(number, {}) for number in there),
        out,
    )


def _count(out: dict[str, int], what: str) -> None:
    """One more of a kind, told by its words up to ``first``; the first one names itself."""
    kind = what.split(", first ")[0]
    known = next((key for key in out if key.split(", first ")[0] == kind), what)
    out[known] = out.get(known, 0) + 1


def _json(path: Path) -> Mapping[str, Any]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: got {error.strerror}, expected a file; put it there.") from error
    except ValueError as error:
        raise InputError(
            f"{path}: got JSON that is cut or damaged ({error}), expected all of it; get it again."
        ) from error
    if not isinstance(whole, dict):
        raise InputError(f"{path}: got {type(whole).__name__}, expected an object as of COCO.")
    return whole


def _records(path: Path, whole: Mapping[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    records = whole.get(name)
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise InputError(
            f"{path}: got no list {name!r} of objects, expected one as of COCO; is it another file?"
        )
    return list(enumerate(records))


def _field(path: Path, name: str, number: int, record: Mapping[str, Any], key: str) -> Any:
    if key not in record:
        raise InputError(
            f"{path}: got {name} {number} without {key!r}, expected it in every one; repair it."
        )
    return record[key]


def _features(path: Path) -> dict[Any, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as packed:
            numbers, features = packed["image_id"], packed["features"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(
            f"{path}: got a file that cannot be read ({error}), expected arrays image_id and "
            "features; write it by numpy.savez."
        ) from error
    side = round(features.shape[1] ** 0.5) if features.ndim == 3 else 0
    if features.ndim != 3 or side**2 != features.shape[1] or numbers.shape != features.shape[:1]:
        raise InputError(
            f"{path}: got features of shape {features.shape} for image_id of shape "
            f"{numbers.shape}, expected [image, segment, feature] of a square grid; reshape them."
        )
    finite = np.isfinite(features).reshape(len(features), -1).all(axis=1)
    if not finite.all():
        first = numbers[np.argmin(finite)]
        raise InputError(
            f"{path}: got NaN or infinity in the features of image {first}, expected numbers."
        )
    return dict(zip(numbers.tolist(), features, strict=True))


def _patches(
    folder: Path,
    path: Path,
    wanted: Mapping[Any, Mapping[str, Any]],
    grid: int,
    patch: int,
    out: dict[str, int],
) -> dict[Any, np.ndarray]:
    """Pixels of each cell of a grid, -1 to 1, by number of the image."""
    found, side = {}, grid * patch
    for place, (number, one) in enumerate(wanted.items()):
        name = str(_field(path, "images", place, one, "file_name"))
        try:
            with Image.open(folder / Path(name).name) as image:
                pixels = np.asarray(image.convert("RGB").resize((side, side)), np.float32)
        except (OSError, UnidentifiedImageError, ValueError):
            _count(out, f"images that are missing or cannot be read, first {name}")
            continue
        cells = (pixels / 127.5 - 1).reshape(grid, patch, grid, patch, 3).transpose(0, 2, 1, 3, 4)
        found[number] = cells.reshape(grid * grid, -1)
    return found


def _boxes(
    path: Path, listed: Mapping[Any, Mapping[str, Any]], out: dict[str, int]
) -> dict[Any, dict[str, tuple[float, float, float, float]]]:
    """By image and category, where there is one box alone; nothing where there is no file."""
    if not path.exists():
        return {}
    whole = _json(path)
    names = {
        _field(path, "categories", n, one, "id"): str(_field(path, "categories", n, one, "name"))
        for n, one in _records(path, whole, "categories")
    }
    found: dict[Any, dict[str, list[Any]]] = {}
    for n, one in _records(path, whole, "annotations"):
        keys = ("image_id", "category_id", "bbox")
        number, kind, box = (_field(path, "annotations", n, one, key) for key in keys)
        if number not in listed or kind not in names:
            what = f"boxes of unknown images or categories, first annotation {n} of {path.name}"
            _count(out, what)
            continue
        size = [listed[number].get(key, 0) for key in ("width", "height")]
        if len(box) != 4 or min(size) <= 0:
            raise InputError(
                f"{path}: got bbox {box} of annotation {n} in an image of {size[0]} x {size[1]}, "
                "expected 4 numbers in an image of some size; repair it."
            )
        left, top, wide, high = box
        ends = (left / size[0], top / size[1], (left + wide) / size[0], (top + high) / size[1])
        found.setdefault(number, {}).setdefault(names[kind], []).append(ends)
    return {
        number: {name: ends[0] for name, ends in of.items() if len(ends) == 1}
        for number, of in found.items()
    }
