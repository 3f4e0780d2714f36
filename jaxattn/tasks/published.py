"""Mosaics of published sets of images, whose files lie on disk."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, SupportsIndex

from jaxattn.core.contracts import InputError, Task
from jaxattn.tasks.arguments import as_int, as_list, bag_length
from jaxattn.tasks.downsample import downsampled
from jaxattn.tasks.mosaic import mosaic
from jaxattn.tasks.readers.catalogue import (
    ANIMALS_AND_PEOPLE,
    SETS,
    Location,
    content_of,
    find,
    read_set,
    stamp,
)

__all__ = ["TASKS", "cifar10", "cifar100", "fashion_mnist", "mnist"]

_MANY = 4
"""Tasks that are remembered; each may hold 180 MB of images, unless it shares them."""


def _of_set(name: str, usual: tuple[Any, ...], words: str) -> Callable[..., Task]:
    """The factory of the tasks of one set.

    Args:
        name: of the set.
        usual: the foreground by default.
        words: what the set is.
    """

    def factory(
        data: Location | None = None,
        foreground: Iterable[Any] = usual,
        segments: SupportsIndex = 5,
        train: SupportsIndex = 2048,
        test: SupportsIndex = 1024,
        validation: SupportsIndex = 512,
        new_mosaics: SupportsIndex = 0,
        position: str = "random",
        downsample: SupportsIndex = 1,
        sha256: str | None = None,
    ) -> Task:
        sizes = {"train": (train, 1), "test": (test, 1), "validation": (validation, 0)}
        sizes["new_mosaics"] = (new_mosaics, 0)
        path = find(name, data)
        return _task(
            name,
            str(path),
            stamp(path),
            tuple(sorted(_number(name, kind) for kind in as_list("foreground", foreground))),
            bag_length(segments),
            tuple((what, as_int(what, size, low=low)) for what, (size, low) in sizes.items()),
            position,
            as_int("downsample", downsample, low=1),
            sha256,
        )

    factory.__name__ = factory.__qualname__ = name.replace("-", "_")
    factory.__doc__ = f"""{words}

    Test mosaics are of the official test images, all others of the training images. Pixels stay
    bytes, and are read as ``(x / 255 - 0.5) / 0.5``. See `jaxattn.tasks.mosaic.mosaic`.

    Args:
        data: folder of its files; by default where ``jaxattn data fetch {name}`` puts them.
        foreground: classes to tell apart, numbers or names.
        segments: images of a mosaic.
        train: training mosaics.
        test: test mosaics.
        validation: validation mosaics; 0 for none, which leaves their images to training.
        new_mosaics: other mosaics of the training images (PAPER 3.4); 0 for none.
        position: of the foreground image: "random", or "first" (PAPER 3.2, 3.3).
        downsample: images are made smaller so many times along each side, by means over blocks.
        sha256: of the images as published and their classes that are expected, which a sweep
            writes down; None: any.

    Raises:
        InputError: no files there, other images than expected, or what `downsampled` and `mosaic`
            refuse.
    """
    return factory


mnist = _of_set(
    "mnist",
    (0, 1),
    "One digit, 0 or 1, among other handwritten digits (LeCun et al. 1998; PAPER 5.3).",
)
fashion_mnist = _of_set(
    "fashion-mnist",
    (0, 1, 2),
    "A T-shirt, trouser or pullover among other pieces of clothing (Xiao et al. 2017).",
)
cifar10 = _of_set(
    "cifar10",
    (0, 1, 2),
    "A plane, car or bird among other small photographs (Krizhevsky 2009; PAPER 3.2, 3.4).",
)
cifar100 = _of_set(
    "cifar100",
    ANIMALS_AND_PEOPLE,
    "One of 50 classes of animals and people among things and plants (PAPER 3.3, 3.4).",
)

TASKS = {
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
}


def _number(name: str, kind: Any) -> int:
    """The number of a class that is given by number or name.

    Raises:
        InputError: there is none.
    """
    classes = SETS[name].classes
    if isinstance(kind, str):
        if kind not in classes:
            raise InputError(
                f"foreground: got {kind!r}, expected classes of {name}: {', '.join(classes)}; "
                "pick among them"
            )
        return classes.index(kind)
    return as_int("foreground", kind, low=0)


@functools.lru_cache(maxsize=_MANY)
def _task(
    name: str,
    path: str,
    files: tuple[tuple[str, int, int], ...],
    foreground: tuple[int, ...],
    segments: int,
    sizes: tuple[tuple[str, int], ...],
    position: str,
    block: int,
    sha256: str | None,
) -> Task:
    del files  # others are another task
    whole = read_set(name, path)
    content = content_of(whole)
    if sha256 not in (None, content):
        raise InputError(
            f"{path}: got images and classes of SHA-256 {content}, expected {sha256}, those that "
            "were asked for; give the folder of those"
        )
    assert whole.test is not None
    task = mosaic(
        downsampled(whole.train.pixels, block),
        whole.train.kinds,
        foreground,
        segments,
        name=name,
        X_test=downsampled(whole.test.pixels, block),
        y_test=whole.test.kinds,
        position=position,
        **dict(sizes),
    )
    return replace(task, content=content)
