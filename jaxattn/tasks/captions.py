"""Mosaics with captions: "a seven left of a two", where the tile of each word is known."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, SupportsIndex

import numpy as np

from jaxattn.core.contracts import Data, Example, InputError, Task
from jaxattn.core.kept import kept
from jaxattn.core.lookup import resolve
from jaxattn.core.words import EOS, RESERVED
from jaxattn.tasks.arguments import as_int, as_list
from jaxattn.tasks.bags import template
from jaxattn.tasks.digits import digits
from jaxattn.tasks.published import TASKS as PUBLISHED
from jaxattn.tasks.readers.catalogue import SETS, Location

__all__ = ["TASKS", "captions"]

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_IMAGES: Mapping[str, Callable[..., Task]] = {"digits": digits, **PUBLISHED}

_TEMPLATE = ("a", None, "left", "of", "a", None)
"""None: what is named there."""

_NAMED = tuple(place for place, word in enumerate(_TEMPLATE) if word is None)


def captions(
    data: Location | None = None,
    images: str = "digits",
    foreground: Iterable[Any] = (0, 1, 2),
    segments: SupportsIndex = 6,
    train: SupportsIndex = 2048,
    test: SupportsIndex = 1024,
    validation: SupportsIndex = 512,
) -> Task:
    """Say what is to be seen in two mosaics side by side: "a two left of a seven".

    Each half is a mosaic of its own, one foreground image among background images, as the task of
    these images draws it; so images of one split are in no other. Of the words, two name a tile,
    which is their foreground. The others, "a", "left", "of" and the end, have none.

    Args:
        data: folder of the images; by default where ``jaxattn data fetch`` puts them.
        images: digits, which come with scikit-learn, or the name of a published set.
        foreground: classes that are named, numbers or, of a published set, names.
        segments: images of both halves together, an even number.
        train: training examples.
        test: test examples.
        validation: validation examples; 0 for none.

    Returns:
        A task whose labels are captions, numbers of words with the end and nothing after it. Equal
        arguments give the same object.

    Raises:
        InputError: unknown images, a folder for digits, an odd number of segments, or what the task
            of these images refuses.
    """
    of_images = resolve("images", _IMAGES, images)
    both = as_int("segments", segments, low=4, why="each half hides one image among others")
    if both % 2:
        raise InputError(
            f"segments: got {both}, expected an even number, two halves; use {both + 1}"
        )
    sizes = {"train": (train, 1), "test": (test, 1), "validation": (validation, 0)}
    counts = {name: 2 * as_int(name, size, low) for name, (size, low) in sizes.items()}
    if images == "digits" and data is not None:
        raise InputError(
            f"data: got {str(data)!r} beside digits, which come with scikit-learn, expected none; "
            "say of which images it is the folder, such as images=cifar10."
        )
    place = {} if images == "digits" else {"data": data}
    chosen = tuple(as_list("foreground", foreground))
    halves = of_images(foreground=chosen, segments=both // 2, **counts, **place)
    names = SETS[images].classes if images in SETS else _NUMBERS
    numbers = sorted(names.index(kind) if isinstance(kind, str) else int(kind) for kind in chosen)
    return _captions(halves, tuple(_word(names[number]) for number in numbers))


TASKS = {"captions": captions}


def _word(name: str) -> str:
    """A class as one word; of a digit its name."""
    if name.isdigit():
        return _NUMBERS[int(name)]
    return "-".join(re.findall("[a-z]+", name.lower()))


@kept
def _captions(halves: Task, names: tuple[str, ...]) -> Task:
    """Two mosaics of `halves` in a row are one example."""
    plain = tuple(dict.fromkeys(word for word in _TEMPLATE if word is not None))
    vocabulary = (*RESERVED, *plain, *names)
    first_name = len(vocabulary) - len(names)
    words = np.array([vocabulary.index(word) if word else 0 for word in _TEMPLATE] + [EOS])

    def joined(data: Data) -> Data:
        bags = data.examples
        pairs = len(bags.label) // 2
        on = bags.foreground.reshape(pairs, 2, -1)
        label: Any = np.tile(words.astype(np.int32), (pairs, 1))
        label[:, _NAMED] = first_name + bags.label.reshape(pairs, 2)
        foreground: Any = np.zeros((pairs, len(words), 2, on.shape[-1]), bool)
        for half, place in enumerate(_NAMED):
            foreground[:, place, half] = on[:, half]
        examples = Example(
            segments=bags.segments.reshape(pairs, -1),
            mask=bags.mask.reshape(pairs, -1),
            label=label,
            foreground=foreground.reshape(pairs, len(words), -1),
            weight=bags.weight.reshape(pairs, 2)[:, 0],
        )
        return Data(examples, data.pool)

    def make(seed: int) -> dict[str, Data]:
        return {split: joined(data) for split, data in halves.make(seed).items()}

    return replace(
        halves,
        name="captions",
        segments=2 * halves.segments,
        classes=len(vocabulary),
        make=make,
        template=template(make(0)["train"]),
        summary=f"{halves.name}: a NAME left of a NAME, of {', '.join(names)}; in pairs: "
        f"{halves.summary}",
        default_model="captioner",
        caption_words=vocabulary,
    )
