"""What several annotators say of a post as one label and one rationale, and what had to be decided.

HateXplain keeps up to three annotators a post. The published text experiments take the first one's
label and the first rationale that is there, whosoever it is (PAPER 3.6, 5.4).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.posts import Post, PostFiles

__all__ = [
    *("LABELS", "LEARNING_WEIGHTS", "RATIONALES", "Labelled", "Posts", "annotated", "data_card"),
    "learning_weight_of",
]

LABELS = ("first", "majority")
"""The first annotator's, as published, or that of more annotators than any other."""

RATIONALES = ("annotator", "union", "mean")
"""Of one annotator; words that any of them marks; or that at least half of them mark."""

LEARNING_WEIGHTS = ("even", "balanced", "agreement")
"""How much a post counts in what is learnt: as any other; so much that every class counts as any
other; or by the share of its annotators who chose its label."""

_EMPTY = "empty posts, left out"
_UNDECIDED = "posts without a majority, left out"
_LENGTH = "rationales of another length than their post, cut or filled up with 0"
_ANOTHER = "posts with rationales of some annotators only, which may be another's than the label"
_NONE = "posts without a rationale"


class Labelled(NamedTuple):
    """One post, decided."""

    name: str
    tokens: Sequence[str]
    label: str
    rationale: Bool[np.ndarray, " token"]
    """Words that decide the label; none where nobody says."""
    agreement: float
    """The share of its annotators who chose its label."""


class Posts(NamedTuple):
    """Posts by split, decided, and how often each thing had to be decided."""

    path: str
    splits: Mapping[str, list[Labelled]]
    classes: tuple[str, ...]
    """Labels of the training posts, sorted: the classes."""
    counts: Mapping[str, int]
    """Of what was met, in words; also what was not, as 0."""


def annotated(files: PostFiles, label: str = "first", rationale: str = "annotator") -> Posts:
    """One label and one rationale for each post that can have them.

    Args:
        files: the posts.
        label: one of `LABELS`.
        rationale: one of `RATIONALES`; ``annotator``: the first there is, or where labels are by
            majority that of the first annotator who is of the majority.

    Raises:
        InputError: another way to decide; a post for which no training post has the label; a split
            without a post; fewer than 2 classes.
    """
    for name, given, known in (
        ("label", label, LABELS),
        ("rationale", rationale, RATIONALES),
    ):
        if given not in known:
            raise InputError(f"{name}: got {given!r}, expected one of {', '.join(known)}.")
    counts: Counter[str] = Counter(
        {"posts in no split, left out": files.outside}
        | dict.fromkeys((_EMPTY, _UNDECIDED, _LENGTH, _ANOTHER, _NONE), 0)
    )
    splits = {
        name: [
            decided
            for post in posts
            if (decided := _decided(post, label, rationale, counts)) is not None
        ]
        for name, posts in files.splits.items()
    }
    if bare := [name for name, posts in splits.items() if not posts]:
        raise InputError(
            f"{files.path}: got no post to use in {', '.join(bare)}, expected one or more in each "
            "split; divide the posts anew."
        )
    classes = tuple(sorted({post.label for post in splits["train"]}))
    if len(classes) < 2:
        raise InputError(
            f"{files.path}: got the label {classes[0]!r} alone in train, expected 2 or more; "
            "divide the posts anew."
        )
    for name, posts in splits.items():
        for post in posts:
            if post.label not in classes:
                raise InputError(
                    f"{files.path}: got post {post.name!r} of {name} labelled {post.label!r}, "
                    f"expected a label of the training posts: {', '.join(classes)}; correct it."
                )
    return Posts(files.path, splits, classes, dict(counts))


def _decided(post: Post, label: str, rationale: str, counts: Counter[str]) -> Labelled | None:
    if not post.tokens:
        counts[_EMPTY] += 1
        return None
    whose = 0
    if label == "majority":
        (most, votes), *others = Counter(post.labels).most_common()
        if others and others[0][1] == votes:
            counts[_UNDECIDED] += 1
            return None
        whose = post.labels.index(most)
    count = len(post.tokens)
    marks = np.zeros((len(post.rationales), count), bool)
    for place, one in enumerate(post.rationales):
        counts[_LENGTH] += len(one) != count
        marks[place, : len(one)] = one[:count]
    counts[_ANOTHER] += 0 < len(marks) != len(post.labels)
    chosen = _chosen(marks, rationale, whose if len(marks) == len(post.labels) else 0)
    counts[_NONE] += not chosen.any()
    chosen_label = post.labels[whose]
    agreement = post.labels.count(chosen_label) / len(post.labels)
    return Labelled(post.name, post.tokens, chosen_label, chosen, agreement)


def _chosen(
    marks: Bool[np.ndarray, "rationale token"], rationale: str, whose: int
) -> Bool[np.ndarray, " token"]:
    if not len(marks):
        return np.zeros(marks.shape[1], bool)
    if rationale == "annotator":
        return marks[whose]
    return marks.mean(0) >= (0.5 if rationale == "mean" else 1 / len(marks))


def learning_weight_of(posts: Sequence[Labelled], how: str) -> Float[np.ndarray, " post"] | None:
    """How much each post counts in what is learnt; None: as it is measured.

    Args:
        posts: those that are learnt from.
        how: one of `LEARNING_WEIGHTS`.

    Raises:
        InputError: another way.
    """
    if how not in LEARNING_WEIGHTS:
        raise InputError(
            f"learning_weight: got {how!r}, expected one of {', '.join(LEARNING_WEIGHTS)}."
        )
    if how == "even":
        return None
    if how == "agreement":
        return np.array([post.agreement for post in posts])
    counts = Counter(post.label for post in posts)
    return np.array([len(posts) / (len(counts) * counts[post.label]) for post in posts])


def data_card(posts: Posts) -> dict[str, str | int]:
    """What the posts are and what had to be decided, a line each; no text of theirs."""
    lengths = np.array([len(post.tokens) for of in posts.splits.values() for post in of])
    known = {token for post in posts.splits["train"] for token in post.tokens}
    card: dict[str, str | int] = {}
    for name, of in posts.splits.items():
        labels = Counter(post.label for post in of)
        shares = ", ".join(f"{label} {labels[label]}" for label in posts.classes)
        card[f"{name} posts"] = f"{len(of)}: {shares}"
    card["words of a post"] = f"{lengths.min()} to {lengths.max()}, median {np.median(lengths):g}"
    card["different words of train"] = len(known)
    for name in posts.splits:
        words = [token in known for post in posts.splits[name] for token in post.tokens]
        if name != "train":
            card[f"unknown words of {name}"] = f"{len(words) - sum(words)} of {len(words)}"
    return card | dict(posts.counts)
