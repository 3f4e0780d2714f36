"""A problem of a person's own: where it starts and a loss, and nothing of attention."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import (
    Batch,
    Hyper,
    InputError,
    Params,
    Part,
    Problem,
)
from jaxattn.core.lookup import refuse_unwritable_name
from jaxattn.core.protocols import Discontinuities, StartParams
from jaxattn.problems.declared import declared_hypers, takes
from jaxattn.problems.own_measures import read_measures, with_measures

__all__ = ["OwnLoss", "problem"]

_DRAWN = ("time", "key")
"""What a loss is given besides, where it has an argument of that name."""


@runtime_checkable
class LossOfBatch(Protocol):
    """``loss(params, batch, hyper) -> float scalar``; it may also take ``time=`` and ``key=``."""

    def __call__(self, params: Params, batch: PyTree, hyper: Hyper, /) -> Float[Array, ""]:
        """The mean over the examples of a batch."""


def problem(
    init: StartParams,
    loss: LossOfBatch,
    measures: Any = None,
    *,
    hypers: Any = (),
    unit: str = "1",
    smooth: bool = True,
    parts: Any = None,
    separable: bool = True,
    discontinuities: Discontinuities | None = None,
    name: str = "",
) -> Problem:
    """A learning problem from where it starts and what it loses: for `jaxattn.compare`.

    A `batch` is any pytree whose leaves have a leading axis of examples. What only measures need
    (a target, a solution known beforehand) rides in the data, or in the closure of a measure.

    Args:
        init: ``init(key, hyper) -> params``, any pytree of float arrays.
        loss: ``loss(params, batch, hyper) -> float scalar``, the mean over the examples of a batch.
            It may take ``time=``, on the optimiser's clock, and ``key=``: one that takes a key
            draws, by another one at every step (and for every example, where they have weights).
        measures: ``{name: f}`` with ``f(params, batch, hyper)`` of a whole split: a number or an
            array; ``(f, {dim: coords})`` names its axes, ``(f, MeasureSpec)`` says all that there
            is to be said of it.
        hypers: what `init`, `loss` and `measures` read of `hyper`: ``{name: default}``, or
            `HyperSpec` with bounds and units.
        unit: of the loss.
        smooth: False where the gradient jumps, as at the kinks of ReLU: flows are then solved at a
            lower order.
        parts: ``{name: params -> subtree}``: each has a gradient norm of its own, and ``NAME_rate``
            multiplies its learning rate. By default the parts are what a dictionary has at its top.
        separable: the loss of a batch is the weighted mean of the losses of batches of one; it is
            tried on a few examples before anything is compiled. False where it is not (terms within
            a batch, such as its statistics): then no batch may be filled up, and limits of the
            noise of batches are refused.
        discontinuities: ``discontinuities(hyper) -> [jump]``, times at which the loss jumps.
        name: by default that of the loss.

    Raises:
        InputError: what is no function, no hyperparameter or no name. Shapes are looked at by
            `jaxattn.compare`, which knows the data.
    """
    for what, function in (("init", init), ("loss", loss)):
        if not callable(function):
            raise InputError(
                f"problem, {what}: got {type(function).__name__}, expected a function; see "
                "help(jaxattn.problem)."
            )
    name = name or _name_of(loss)
    refuse_unwritable_name("problem", name)
    declared, own_parts = declared_hypers("problem", hypers), _parts(parts)
    given = takes(loss, *_DRAWN)
    own = Problem(
        init=init,
        loss=OwnLoss(loss, given, separable),
        measure=_nothing,
        discontinuities=discontinuities or _no_jumps,
        hypers=(*declared, *(part.rate for part in own_parts)),
        name=name,
        natural_inference="",
        stochastic="key" in given,
        unit=unit,
        smooth=smooth,
        separable=separable,
        parts=own_parts,
    )
    return with_measures(own, read_measures(measures))


@dataclass(frozen=True, eq=False)
class OwnLoss:
    """A person's own loss as that of a `Batch`: of the whole, or its examples' mean by weight."""

    function: Any
    given: frozenset[str]
    """Which of `_DRAWN` it takes."""
    separable: bool
    by_weight: bool = True
    """Whether examples may count differently; where all count alike, the whole is taken at once, by
    the program that the function is."""

    def of(
        self, params: Params, values: PyTree, hyper: Hyper, time: Array, key: Array | None
    ) -> Array:
        """The loss of some examples as it was handed over, which knows no weights."""
        more = {"time": time, "key": key}
        return self.function(params, values, hyper, **{name: more[name] for name in self.given})

    def __call__(
        self,
        params: Params,
        batch: Batch,
        hyper: Hyper,
        time: Array,
        key: Array | None,
        state: PyTree,
    ) -> tuple[Float[Array, ""], PyTree]:
        """The loss and the state as it came; see `jaxattn.core.protocols.BatchLoss`."""
        if not (self.separable and self.by_weight):
            return self.of(params, batch.values, hyper, time, key), state
        count = batch.weight.shape[0]
        keys = jax.random.split(key, count) if "key" in self.given and key is not None else None
        alone = jax.tree.map(lambda leaf: leaf[:, None], batch.values)
        losses = jax.vmap(
            lambda values, key: self.of(params, values, hyper, time, key),
            in_axes=(0, None if keys is None else 0),
        )(alone, keys)
        total = jnp.sum(batch.weight)
        # A minibatch in which nothing counts teaches nothing: 0, not 0 / 0.
        mean = jnp.sum(batch.weight * losses) / jnp.where(total > 0, total, 1)
        return mean, state


def _nothing(params: Params, batch: Any, hyper: Hyper) -> dict[str, Array]:
    del params, batch, hyper
    return {}


def _no_jumps(hyper: Hyper) -> Float[Array, " jump"]:
    del hyper
    return jnp.zeros((0,))


def _name_of(loss: Any) -> str:
    name = getattr(loss, "__name__", "")
    return name if name.isidentifier() and name != "loss" else "problem"


def _parts(given: Any) -> tuple[Part, ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping) or not all(callable(select) for select in given.values()):
        raise InputError(
            f"problem, parts: got {type(given).__name__}, expected functions by name; write "
            "parts={'first': lambda params: params['w1']}."
        )
    for name in given:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError(
                f"problem, parts: got the name {name!r}, expected letters, digits and underscores; "
                "rename it."
            )
    return tuple(Part(name, select) for name, select in given.items())
