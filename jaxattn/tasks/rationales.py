"""Text with rationales: posts whose label is to be told, and the words that people decide it by."""

import functools
from collections import Counter
from hashlib import sha256 as digest_of
from typing import Any, SupportsIndex

import numpy as np

from jaxattn.core.buckets import buckets_of
from jaxattn.core.contracts import Data, InputError, Task
from jaxattn.core.inputs import Example
from jaxattn.core.vocabulary import PAD, UNKNOWN, Vocabulary
from jaxattn.tasks.annotation import Labelled, Posts, annotated, learning_weight_of
from jaxattn.tasks.arguments import as_int
from jaxattn.tasks.bags import template
from jaxattn.tasks.made_posts import made_posts
from jaxattn.tasks.readers.catalogue import Location, stamp
from jaxattn.tasks.readers.posts import folder_of, parse_posts, read_posts
from jaxattn.tasks.readers.vectors import read_vectors

__all__ = ["TASKS", "rationales"]


def rationales(
    data: Location | None = None,
    label: str = "first",
    rationale: str = "annotator",
    least_count: SupportsIndex = 1,
    vectors: Location | None = None,
    learning_weight: str = "even",
    sha256: str | None = None,
) -> Task:
    """Tell the label of a post; the foreground is its rationale (PAPER 3.6).

    A segment is a word, by its number in the vocabulary of the training posts; posts are filled up
    to the longest one, and masked there. Splits are as published. A post without a rationale has no
    foreground, and no part in what is measured of the focus. All seeds learn from the same posts.

    Args:
        data: folder of ``dataset.json`` and ``post_id_divisions.json``, as HateXplain has them;
            None: posts of invented words, see `made_posts`.
        label: of the ``first`` annotator, as published, or of the ``majority``.
        rationale: of one ``annotator``, their ``union``, or words that half mark (``mean``).
        least_count: words that training posts have less often are unknown ones.
        vectors: text file of word vectors, a word and its numbers a line, which embeddings start
            from; words that it has not are drawn. None: all are.
        learning_weight: how much a training post counts in the loss: as any other (``even``); so
            that each class counts alike (``balanced``); or by the share of its annotators who chose
            its label (``agreement``). In measures all posts count alike.
        sha256: of the posts and vectors that are expected, which a sweep writes down; None: any.

    Raises:
        InputError: what the readers refuse, other posts than expected, or another way to decide.
    """
    path = None if data is None else folder_of(data)
    return _task(
        None if path is None else str(path),
        () if path is None else stamp(path),
        label,
        rationale,
        as_int("least_count", least_count, low=1),
        None if vectors is None else (str(folder_of(vectors)), stamp(folder_of(vectors))),
        learning_weight,
        sha256,
    )


TASKS = {"rationales": rationales}


@functools.lru_cache(maxsize=4)
def _task(
    path: str | None,
    files: tuple[tuple[str, int, int], ...],
    label: str,
    rationale: str,
    least: int,
    vectors: tuple[str, tuple[tuple[str, int, int], ...]] | None,
    learning_weight: str,
    sha256: str | None,
) -> Task:
    del files  # others are another task
    read = parse_posts(*made_posts()) if path is None else read_posts(path)
    posts = annotated(read, label, rationale)
    words = _vocabulary(posts, least)
    longest = max(len(post.tokens) for of in posts.splits.values() for post in of)
    numbers = {word: number for number, word in enumerate(words)}
    made = {name: _bags(of, numbers, posts.classes, longest) for name, of in posts.splits.items()}
    learnt = learning_weight_of(posts.splits["train"], learning_weight)
    made["train"] = made["train"]._replace(learning_weight=learnt)
    vocabulary = Vocabulary(words, None if vectors is None else read_vectors(vectors[0], words))
    content = "" if path is None else _content(made, vocabulary)
    if sha256 not in (None, content):
        raise InputError(
            f"{path}: got posts of SHA-256 {content}, expected {sha256}, those that were asked "
            "for; give the folder of those."
        )
    return Task(
        "rationales",
        segments=longest,
        classes=len(posts.classes),
        make=lambda seed: dict(made),
        template=template(made["train"]),
        summary=_summary(posts),
        card=_summary(posts),
        default_model="text",
        content=content,
        buckets=buckets_of(made["train"].examples.mask),
        vocabulary=vocabulary,
    )


def _vocabulary(posts: Posts, least: int) -> tuple[str, ...]:
    """The words of the training posts in the order in which they come, after `PAD`, `UNKNOWN`."""
    counts = Counter(token for post in posts.splits["train"] for token in post.tokens)
    return ("", "?", *(word for word, count in counts.items() if count >= least))


def _bags(
    posts: list[Labelled], numbers: dict[str, int], classes: tuple[str, ...], longest: int
) -> Data:
    shape = (len(posts), longest)
    segments = np.full(shape, PAD, np.int32)
    mask, foreground = np.zeros(shape, bool), np.zeros(shape, bool)
    for row, post in enumerate(posts):
        count = len(post.tokens)
        segments[row, :count] = [numbers.get(token, UNKNOWN) for token in post.tokens]
        mask[row, :count] = True
        foreground[row, :count] = post.rationale
    label = np.array([classes.index(post.label) for post in posts], np.int32)
    given: Any = (segments, mask, label, foreground, np.ones(len(posts)))
    return Data(Example(*given))


def _content(made: dict[str, Data], vocabulary: Vocabulary) -> str:
    """SHA-256 of what is learnt from, wherever it lies."""
    digest = digest_of("\n".join(vocabulary.words).encode(errors="backslashreplace"))
    vectors = () if vocabulary.vectors is None else (vocabulary.vectors,)
    weights = [data.learning_weight for data in made.values() if data.learning_weight is not None]
    for leaves in (*(data.examples for data in made.values()), vectors, weights):
        for leaf in leaves:
            plain = np.ascontiguousarray(leaf, leaf.dtype.newbyteorder("<"))
            digest.update(f"{plain.dtype.str}{plain.shape}".encode())
            digest.update(plain.data)
    return digest.hexdigest()


def _summary(posts: Posts) -> str:
    sizes = ", ".join(f"{len(of)} {name}" for name, of in posts.splits.items())
    met = "; ".join(f"{count} {words}" for words, count in posts.counts.items() if count)
    return f"posts by label ({', '.join(posts.classes)}) with rationales: {sizes}. {met}"
