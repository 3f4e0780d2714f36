"""Images in a folder for each class: ``class/image.png``, or ``train/class/``, ``test/class/``."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.images import Images, ImageSet, checked, inside

__all__ = ["read_folder"]

_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_MOST_SIDE = 4096
"""Pixels of a side: a header may promise more than there is memory for."""


def read_folder(folder: Path) -> ImageSet | None:
    """Images by class, the classes in the order of their names; None where there are none.

    All grey, or all in colour: one picture in colour makes all so.

    Raises:
        InputError: an image that cannot be read, is of another size than the first or too large, or
            lies elsewhere; a class of the test images without any to learn from.
    """
    split = (folder / "train").is_dir()
    train = _by_class(folder / "train" if split else folder)
    test = _by_class(folder / "test") if split and (folder / "test").is_dir() else {}
    if not train:
        return None
    if unknown := sorted(test.keys() - train.keys()):
        raise InputError(
            f"{folder}: got test images of class {unknown[0]!r} and none to learn from, expected "
            "the same classes"
        )
    names = tuple(train)
    read = [_read(folder, train, names), _read(folder, test, names) if test else None]
    colours = any(part is not None and part.pixels.ndim == 4 for part in read)
    first, second = (part and _in_colour(part) if colours else part for part in read)
    assert first is not None
    return checked(ImageSet(first, second, names, "folders of images"), folder)


def _by_class(folder: Path) -> dict[str, list[Path]]:
    """Paths of images by the name of their folder, both sorted; folders without images are none."""
    found = {}
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        images = sorted(path for path in each.iterdir() if path.suffix.lower() in _ENDINGS)
        if images:
            found[each.name] = images
    return found


def _read(folder: Path, by_class: dict[str, list[Path]], names: tuple[str, ...]) -> Images:
    paths = [(path, names.index(name)) for name, paths in by_class.items() for path in paths]
    images: list[np.ndarray] = []
    for path, _ in paths:
        images.append(_image(inside(folder, path)))
        if images[-1].shape[:2] != images[0].shape[:2]:
            raise InputError(
                f"{path}: got an image of {_size(images[-1])} pixels, expected {_size(images[0])} "
                f"as {paths[0][0].name} has; bring all to one size"
            )
    if any(image.ndim == 3 for image in images):
        images = [image if image.ndim == 3 else _thrice(image) for image in images]
    return Images(np.stack(images), np.array([kind for _, kind in paths], np.int64))


def _image(path: Path) -> np.ndarray:
    """Grey bytes ``[height, width]``, or colours ``[height, width, 3]``."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if max(picture.size) > _MOST_SIDE:
                raise InputError(
                    f"{path}: got {picture.width} x {picture.height} pixels, expected sides of at "
                    f"most {_MOST_SIDE}; make it smaller"
                )
            grey = picture.mode in ("1", "L", "LA", "I;16")
            return np.asarray(picture.convert("L" if grey else "RGB"))
    except (OSError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path}: got an image that cannot be read ({error}), expected a whole one"
        ) from error


def _in_colour(images: Images) -> Images:
    return images if images.pixels.ndim == 4 else images._replace(pixels=_thrice(images.pixels))


def _thrice(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=-1)


def _size(image: Any) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
