"""What the functions of a component are given: examples, parameters, hyperparameters, a reader.

Everything is written for one example; leading axes (examples, rows of a sweep) come from ``vmap``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

__all__ = [
    "Batch",
    "Context",
    "Data",
    "Example",
    "Hyper",
    "Keys",
    "Params",
    "Reader",
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
    all examples and all seeds, so thousands of mosaics cost their indices only.
    """

    examples: Any
    """An `Example`, or a `Batch`."""
    pool: PyTree | None = None


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


@jax.custom_jvp
def _entry(values: Any, at: Any) -> Any:
    """``values[at]``, whose gradient is no scatter: of many rows a GPU adds those in any order.

    Of ``values [class]``; JAX hands constants to it as arrays of its own kind.
    """
    return values[at]


@_entry.defjvp
def _entry_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    values, at = primals
    moved = jnp.where(jnp.arange(values.size, dtype=at.dtype) == at, tangents[0], 0)
    return _entry(values, at), jnp.sum(moved)


@dataclass(frozen=True)
class Reader:
    """What a paradigm reads a value with: ``read(value) -> log probabilities [class]``."""

    logits: Callable[[PyTree], Float[Array, " class"]]

    def __call__(self, value: PyTree) -> Float[Array, " class"]:
        """Log probability of every class."""
        return jax.nn.log_softmax(self.logits(value))

    def log_probability(self, value: PyTree, label: Int[Array, ""]) -> Float[Array, ""]:
        """``read(value)[label]``, a sixth cheaper with its gradient.

        Only one class is normalised. Shifted before they are summed, so that a loss far below the
        rounding of the logits keeps its digits.
        """
        logits = self.logits(value)
        top = jax.lax.stop_gradient(jnp.max(logits))
        return (_entry(logits, label) - top) - jnp.log(jnp.sum(jnp.exp(logits - top)))


class Context(NamedTuple):
    """What a paradigm's loss may read besides attention and values."""

    hyper: Hyper
    time: Float[Array, ""]
    key: Array | None
    state: PyTree
