"""A model that writes words, one after the other, each with its own attention on the segments."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float, Int, PyTree

from jaxattn.core.hyper_spec import HyperSpec
from jaxattn.core.inputs import Example, Params
from jaxattn.core.protocols import InitParams, Represent

__all__ = ["Advance", "ClassifyGiven", "ScoreGiven", "SequenceModel", "StartWords"]


@runtime_checkable
class StartWords(Protocol):
    """``start(params, example, values) -> state``: before the first word; float arrays only."""

    def __call__(self, params: Params, example: Example, values: PyTree, /) -> PyTree:
        """The state before the first word."""


@runtime_checkable
class ScoreGiven(Protocol):
    """``score(params, state, values) -> [segment]``: the focus model, given the words so far."""

    def __call__(
        self, params: Params, state: PyTree, values: PyTree, /
    ) -> Float[Array, " segment"]:
        """One score a segment."""


@runtime_checkable
class ClassifyGiven(Protocol):
    """``classify(params, state, value) -> [word]``: logits of the next word."""

    def __call__(self, params: Params, state: PyTree, value: PyTree, /) -> Float[Array, " class"]:
        """One logit a word."""


@runtime_checkable
class Advance(Protocol):
    """``advance(params, state, word, value) -> state``: after a word that was read off a value."""

    def __call__(
        self, params: Params, state: PyTree, word: Int[Array, ""], value: PyTree, /
    ) -> PyTree:
        """The state before the next word, of the same shapes and dtypes."""


class SequenceModel(NamedTuple):
    """A focus model and a classification model that see a state: the words so far.

    - ``init(key, example, hyper) -> Params``
    - ``represent(params, example, None) -> Values``: leaves ``[segment, ...]``: what is averaged
    - ``start(params, example, values) -> state``
    - ``score(params, state, values) -> [segment]``: the focus model
    - ``classify(params, state, value) -> [word]``: logits of one value, averaged or of one segment
    - ``advance(params, state, word, value) -> state``: the value is the average
    """

    init: InitParams
    represent: Represent
    start: StartWords
    score: ScoreGiven
    classify: ClassifyGiven
    advance: Advance
    hypers: tuple[HyperSpec, ...] = ()
    random_start: bool = True
    """As of a `Model`, like those that follow."""
    tile: int = 4
    smooth: bool = True
