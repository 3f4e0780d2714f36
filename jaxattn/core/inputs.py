"""What the functions of a component are given: examples, parameters, hyperparameters, a context.

Everything is written for one example; leading axes (examples, rows of a sweep) come from ``vmap``.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

__all__ = [
    "Batch",
    "Context",
    "Data",
    "Example",
    "Hyper",
    "Keys",
    "Params",
    "Splits",
    "split_names",
]

Params: TypeAlias = PyTree
"""Trainable arrays: ``{"shared": ..., "focus": ..., "classify": ...}``; parts may be empty."""

Hyper: TypeAlias = dict[str, Float[Array, ""]]
"""Traced scalars by name: what a sweep varies without compiling again."""


class Example(NamedTuple):
    """One bag of segments.

    At a masked-out position a segment may hold any finite value; it never matters.
    """

    segments: PyTree[Shaped[Array, "segment ..."]]
    mask: Bool[Array, " segment"]
    label: Int[Array, "*word"]
    foreground: Bool[Array, "*word segment"]
    weight: Float[Array, ""]


class Batch(NamedTuple):
    """Examples of any kind: what a loss of one's own learns from."""

    values: PyTree[Shaped[Array, "example ..."]]
    """As they are: every leaf has a leading axis of examples."""
    weight: Float[Array, " example"]
    """How much each counts."""


class Data(NamedTuple):
    """Many examples (leading axis), whose segments may be indices into a pool.

    With a pool, every leaf of ``examples.segments`` holds int32 row numbers of the matching
    leaf of `pool`; `jaxattn.problems.data.take` replaces them by the rows. The pool is shared by
    all examples and all seeds, so thousands of mosaics cost their indices only. Where a leaf holds
    images as bytes it is `jaxattn.core.pixels.Pixels`, which says on what scale they are read.
    """

    examples: Any
    """An `Example`, or a `Batch`."""
    pool: PyTree | None = None
    learning_weight: Any = None
    """How much each example counts in what is learnt, ``[example]``; None: as it is measured."""


class Splits(NamedTuple):
    """What a run learns from, and the named sets it is measured on."""

    learn: Data
    evaluate: dict[str, Data]

    @property
    def names(self) -> tuple[str, ...]:
        """What it is measured on, as the axis ``split`` of measures has it."""
        return split_names(self.evaluate)


def split_names(evaluate: Iterable[str]) -> tuple[str, ...]:
    """Names of splits in the order of an axis: the learning set first, the test set last.

    A dictionary that JAX has handed on has lost the order of its keys.
    """
    return tuple(sorted(evaluate, key=lambda name: (name != "train", name == "test", name)))


class Keys(NamedTuple):
    """Named streams of randomness of one seed; see `jaxattn.streams`."""

    data: Array
    init: Array
    order: Array
    sample: Array


class Context(NamedTuple):
    """What a paradigm's loss may read besides attention and values."""

    hyper: Hyper
    time: Float[Array, ""]
    key: Array | None
    state: PyTree
