"""Captions of photographs, from COCO's files on disk: which words name a box is known."""

import functools
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256 as digest_of
from typing import Any, SupportsIndex

import numpy as np

from jaxattn.core.contracts import Data, Example, InputError, Task
from jaxattn.core.words import EOS, PAD, RESERVED, UNK
from jaxattn.tasks.arguments import as_int
from jaxattn.tasks.bags import template
from jaxattn.tasks.readers.catalogue import Location, stamp
from jaxattn.tasks.readers.coco import CocoPart, coco_folder, part_names, read_part

__all__ = ["TASKS", "coco", "tiles_in", "words_of"]

Box = tuple[float, float, float, float]


def coco(
    data: Location | None = None,
    longest: SupportsIndex = 16,
    least: SupportsIndex = 5,
    grid: SupportsIndex = 7,
    patch: SupportsIndex = 8,
    sha256: str | None = None,
) -> Task:
    """Captions of photographs (PAPER 3.8, 5.5), of the files described in the reader of COCO.

    A dataset seed draws one caption of each image. Words are lower case without accents, and
    ``. ! ?``; those rarer than `least` in the training captions are unknown. A word that names a
    category of which the image has exactly one box has the cells of that box as its foreground.

    Args:
        data: the folder.
        longest: most words of a caption, its end among them; longer captions are left out.
        least: how often a word occurs in training that is in the vocabulary.
        grid: segments along a side of an image, where there are no features.
        patch: pixels along a side of a segment, likewise.
        sha256: of the images and captions that are expected, which a sweep writes down; None: any.

    Returns:
        A task whose summary counts what was left out, which a warning tells too; its references
        are all captions of an image, the long ones among them. Parts are "train", and "test" of
        what is called val, or "validation" beside one that is called test.

    Raises:
        InputError: no folder, no training captions, others than expected, or what the reader
            refuses.
    """
    folder = coco_folder(data)
    sizes = (("longest", longest, 2), ("least", least, 1), ("grid", grid, 2), ("patch", patch, 1))
    task = _coco(
        folder, stamp(folder), *(as_int(name, value, low=low) for name, value, low in sizes)
    )
    if sha256 not in (None, task.content):
        raise InputError(
            f"{folder}: got images and captions of SHA-256 {task.content}, expected {sha256}, "
            "those that were asked for; give the folder of those."
        )
    return task


TASKS = {"coco": coco}


def words_of(caption: str) -> list[str]:
    """Its words, lower case, accents stripped, with ``. ! ?`` as words of their own."""
    plain = unicodedata.normalize("NFKD", caption).encode("ascii", "ignore").decode().lower()
    return re.findall(r"[a-z]+|[.!?]", plain)


def tiles_in(box: Box, side: int) -> np.ndarray:
    """Which cells of a square grid have their centre in a box, else the one that its centre is in.

    Args:
        box: left, top, right, bottom as shares of the image.
        side: cells along a side; they are in rows from the top.
    """
    left, top, right, bottom = box
    centre = (np.arange(side) + 0.5) / side
    inside = np.outer((centre >= top) & (centre < bottom), (centre >= left) & (centre < right))
    if not inside.any():
        middle = side * (top + bottom) / 2, side * (left + right) / 2
        row, column = (min(max(int(at), 0), side - 1) for at in middle)
        inside[row, column] = True
    return inside.reshape(-1)


@functools.lru_cache(maxsize=2)
def _coco(folder: Any, files: Any, longest: int, least: int, grid: int, patch: int) -> Task:
    del files  # others are another task
    parts = _split_names(str(folder), part_names(folder))
    read = {split: read_part(folder, part, grid, patch) for split, part in parts.items()}
    shapes = {split: one.features.shape[1:] for split, one in read.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(
            f"{folder}: got features of shapes {shapes}, expected the same in all parts."
        )
    short = {split: _short(one, longest) for split, one in read.items()}
    counts = Counter(word for texts in short["train"] for text in texts for word in text)
    kept = sorted(word for word, count in counts.items() if count >= least)
    vocabulary = (*RESERVED, *kept)
    return _task(str(folder), read, short, vocabulary, longest)


def _split_names(folder: str, names: Sequence[str]) -> dict[str, str]:
    """The part of each split."""
    kinds = ("train", "val", "test")
    of = {kind: [name for name in names if name.startswith(kind)] for kind in kinds}
    if len(of["train"]) != 1 or max(map(len, of.values())) > 1:
        raise InputError(
            f"{folder}: got captions of {', '.join(names) or 'nothing'}, expected one part that is "
            "called train..., and at most one each of val... and test...; see captions_PART.json."
        )
    found = {"train": of["train"][0]}
    if of["val"]:
        found["validation" if of["test"] else "test"] = of["val"][0]
    if of["test"]:
        found["test"] = of["test"][0]
    return found


def _short(part: CocoPart, longest: int) -> list[list[list[str]]]:
    """Words of the captions of each image that are not too long."""
    every = [[words_of(text) for text in texts] for texts in part.captions]
    return [[text for text in texts if 0 < len(text) < longest] for texts in every]


def _task(
    folder: str,
    read: Mapping[str, CocoPart],
    short: Mapping[str, list[list[list[str]]]],
    vocabulary: tuple[str, ...],
    longest: int,
) -> Task:
    number = {word: place for place, word in enumerate(vocabulary)}
    used = {split: [i for i, texts in enumerate(of) if texts] for split, of in short.items()}
    if empty := [split for split, rows in used.items() if not rows]:
        raise InputError(
            f"{folder}: got no caption shorter than {longest} words in {empty[0]}, expected some; "
            "raise longest."
        )
    every = [one.features for one in read.values()]
    segments = every[0].shape[1]
    pool = np.concatenate(every).reshape(-1, every[0].shape[2])
    counts = [0, *(len(features) for features in every)]
    firsts = dict(zip(read, np.cumsum(counts[:-1]).tolist(), strict=True))

    def examples(split: str, seed: SupportsIndex) -> Example:
        rng = np.random.default_rng(as_int("dataset seed", seed, low=0))
        rows = used[split]
        label: Any = np.full((len(rows), longest), PAD, np.int32)
        foreground: Any = np.zeros((len(rows), longest, segments), bool)
        for row, image in enumerate(rows):
            texts = short[split][image]
            words = texts[int(rng.integers(len(texts)))]
            label[row, : len(words) + 1] = [*(number.get(word, UNK) for word in words), EOS]
            for name, box in read[split].boxes[image].items():
                for at in _places(words, name):
                    foreground[row, at] |= tiles_in(box, round(segments**0.5))
        cells: Any = (firsts[split] + np.array(rows))[:, None] * segments + np.arange(segments)
        ones: Any = np.ones(cells.shape, bool)
        weight: Any = np.ones(len(rows))
        return Example(cells.astype(np.int32), ones, label, foreground, weight)

    def make(seed: int) -> dict[str, Data]:
        return {split: Data(examples(split, seed), pool) for split in read}

    cards = {split: _card(read[split], len(used[split])) for split in read}
    told = "; ".join(f"{split}: {card}" for split, card in cards.items())
    if any("left out" in card for card in cards.values()):
        warnings.warn(f"{folder}: {told}", UserWarning, stacklevel=2)
    said = f"captions of photographs, {len(vocabulary)} words; {told}"
    return Task(
        name="coco",
        segments=segments,
        classes=len(vocabulary),
        make=make,
        template=template(make(0)["train"]),
        summary=said,
        card=said,
        default_model="captioner",
        content=_content(pool, read),
        caption_words=vocabulary,
        references={split: _references(read[split], rows) for split, rows in used.items()},
    )


def _references(part: CocoPart, images: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """All captions of each image, also long ones and rare words; those without a word are none."""
    every = [[" ".join(words_of(text)) for text in part.captions[image]] for image in images]
    return tuple(tuple(filter(None, texts)) for texts in every)


def _places(words: Sequence[str], name: str) -> list[int]:
    """Where a caption names a category, one or several of it."""
    of = words_of(name)
    alike = [tuple(of), (*of[:-1], f"{of[-1]}s")]
    starts = [i for i in range(len(words)) if tuple(words[i : i + len(of)]) in alike]
    return [start + more for start in starts for more in range(len(of))]


def _card(part: CocoPart, used: int) -> str:
    """How many images are used, and what was left out."""
    out = dict(part.left_out)
    if fewer := len(part.captions) - used:
        out["images whose captions are all too long or empty"] = fewer
    told = [f"{count} {what}" for what, count in out.items()]
    return f"{used} images" + (f", left out {'; '.join(told)}" if told else "")


def _content(pool: np.ndarray, read: Mapping[str, CocoPart]) -> str:
    digest = digest_of(np.ascontiguousarray(pool).tobytes())
    for split, part in read.items():
        digest.update(repr((split, part.captions, part.boxes)).encode())
    return digest.hexdigest()
