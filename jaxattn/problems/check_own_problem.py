"""A problem of a person's own made ready for some data: looked at, and its measures labelled."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxattn.core.contracts import Batch, Hyper, InputError, Params, Problem
from jaxattn.core.kept import kept
from jaxattn.core.part_rates import leaves_of_part
from jaxattn.core.streams import PRNG
from jaxattn.problems.check_params import check_params, refuse_rounding
from jaxattn.problems.data import cast, everything, head
from jaxattn.problems.own_data import OwnData
from jaxattn.problems.own_measures import labelled, refuse_changing
from jaxattn.problems.own_problem import OwnLoss
from jaxattn.problems.slow_convolution import warn_of_slow_convolution
from jaxattn.problems.tracing import expect, expect_jumps, in_one_line, shaped
from jaxattn.problems.undeclared import (
    draws,
    hyper_shapes,
    key_shape,
    shapes_with_hyper,
    undeclared_key,
)

__all__ = ["at_precision", "prepared"]

_TRIED = 4
"""Examples on which it is tried whether a loss is the mean of those of its examples."""


@kept
def prepared(problem: Problem, data: OwnData, precision: str, by_weight: bool = True) -> Problem:
    """A problem as it learns from some data, in a precision; equal arguments give the same object.

    Args:
        problem: of a person's own.
        data: what it learns from.
        precision: of its parameters.
        by_weight: whether examples may count differently, as they do where batches are filled up.

    Raises:
        InputError: a function that raises while it is traced, is not pure, or reads a
            hyperparameter that nobody declares; parameters that are no floats; a loss that is no
            float scalar, or no mean where examples count differently; a part that is not there.
    """
    problem = at_precision(problem, precision)
    if isinstance(problem.loss, OwnLoss):
        if data.weighted and not problem.separable:
            raise InputError(
                f"problem {problem.name!r}: got examples that count differently, expected all to "
                "count alike, as its loss is no mean over examples (separable=False); leave "
                "weights out."
            )
        problem = problem._replace(loss=replace(problem.loss, by_weight=by_weight))
    shapes = _check(problem, data)
    verify = partial(_check_mean, problem, data)
    return labelled(problem, shapes)._replace(verify=verify)


@kept
def at_precision(problem: Problem, precision: str) -> Problem:
    """The same problem, its parameters in this precision."""

    def init(key: Array, hyper: Hyper) -> Params:
        # Of whatever type its own are: a flow of float32 would fail at its tolerance, after a
        # minute, and training in float64 would not be what a result in float32 says.
        dtype = jax.dtypes.canonicalize_dtype(precision)
        return jax.tree.map(lambda leaf: cast(jnp.asarray(leaf), dtype), problem.init(key, hyper))

    return problem._replace(init=init, precision=precision)


def _check(problem: Problem, data: OwnData) -> dict[str, Any]:
    """Shapes of what it measures, by name; nothing is computed."""
    owner, precision = f"problem {problem.name!r}", problem.precision
    hyper = hyper_shapes(problem.hypers, precision)
    hint = "a pytree of float arrays, made of the key and of hyper."
    params = shapes_with_hyper(
        f"{owner}, init", hint, lambda hyper, key: problem.init(key, hyper), hyper,
        key_shape(),
    )  # fmt: skip
    check_params(f"{owner}, init", params, precision)
    for part in problem.parts:
        leaves_of_part(params, part)
    train = data.make(0)["train"]
    for count in {train.examples.weight.shape[0], *([1] if problem.separable else [])}:
        batch = jax.tree.map(lambda leaf, n=count: shaped(leaf, precision, n), data.template)
        _check_loss(owner, problem, hyper, params, batch)
    expect_jumps(
        owner,
        shapes_with_hyper(owner, "times of jumps.", problem.discontinuities, hyper),
    )
    measured: dict[str, dict[str, Any]] = {}
    for split, whole in data.make(0).items():
        batch = jax.tree.map(lambda leaf: shaped(leaf, precision), whole.examples)
        measured[split] = shapes_with_hyper(
            owner,
            "measures to be numbers or arrays; try them on one batch.",
            lambda hyper, params, batch: problem.measure_split(params, batch, hyper),
            hyper,
            params,
            batch,
        )
    refuse_changing(problem.name, measured)
    return measured["train"]


def _check_loss(owner: str, problem: Problem, hyper: dict, params: Any, batch: Any) -> None:
    def loss(hyper: Hyper, params: Params, batch: Batch, key: Any) -> Any:
        time = hyper["learning_rate"]
        if isinstance(problem.loss, OwnLoss):
            # As it was handed over: a mean by weight would hide what it is.
            return jnp.asarray(problem.loss.of(params, batch.values, hyper, time, key))
        return problem.loss(params, batch, hyper, time, key, ())[0]

    called, key = f"{owner}, loss", key_shape() if problem.stochastic else None
    hint = "a float scalar, the mean over the examples of a batch; try it on one."
    value = shapes_with_hyper(called, hint, loss, hyper, params, batch, key)
    expect(called, "one number a batch", value, (), "reduce it by jnp.mean.")
    refuse_rounding(called, value, problem.precision)
    if key is None and draws(
        lambda key, hyper, params, batch: loss(hyper, params, batch, key), hyper, params, batch
    ):
        raise InputError(undeclared_key(called))
    warn_of_slow_convolution(called, loss, hyper, params, batch, key)


def _check_mean(problem: Problem, data: OwnData) -> None:
    """Refuse a loss that is not the mean of the losses of its examples, tried on a few.

    At the start and next to it, as terms may vanish at one point.

    Raises:
        InputError: with both values.
    """
    few, loss = head(data.make(0)["train"], _TRIED), problem.loss
    count = few.examples.weight.shape[0]
    if not isinstance(loss, OwnLoss) or not loss.separable or problem.stochastic or count < 2:
        return
    precision = problem.precision
    batch = everything(few, precision)
    owner = f"problem {problem.name!r}, loss"
    with jax.ensure_compile_time_eval(), in_one_line(owner, "a mean over examples; try it."):
        both = np.asarray(jax.jit(partial(_both, problem, loss, _hyper(problem)))(batch), float)
    for whole, mean, size in both:
        # Where values cancel, half of the digits are left: a term of another kind is larger.
        room = np.sqrt(float(jnp.finfo(precision).eps)) * max(size, abs(whole))
        if np.isfinite([whole, mean]).all() and abs(whole - mean) > room:
            raise InputError(
                f"{owner}: got {whole:.6g} for {count} examples together and {mean:.6g} as the "
                "mean of each alone, expected the same, as batches are weighted and split; take "
                "the mean over examples, or say separable=False."
            )


def _hyper(problem: Problem) -> dict[str, Array]:
    defaults = {spec.name: spec.default for spec in problem.hypers if spec.default is not None}
    values = {"learning_rate": 0.01, **defaults}
    return {name: jnp.asarray(value, problem.precision) for name, value in values.items()}


def _both(problem: Problem, loss: OwnLoss, hyper: Hyper, batch: Batch) -> Array:
    """Of a start and of a point next to it: the loss of all, the mean one by one, and its size."""
    key = jax.random.key(0, impl=PRNG)
    start = problem.init(key, hyper)
    leaves, structure = jax.tree.flatten(start)
    keys = jax.random.split(key, len(leaves))
    moved = [
        leaf + 0.01 * jax.random.normal(k, leaf.shape, leaf.dtype)
        for k, leaf in zip(keys, leaves, strict=True)
    ]
    time = jnp.zeros((), problem.precision)

    def compared(params: Params) -> Array:
        # As it was handed over, all at once; and one example after the other.
        together = loss.of(params, batch.values, hyper, time, None)
        alone = jax.vmap(
            lambda one: loss.of(params, jax.tree.map(lambda x: x[None], one), hyper, time, None)
        )(batch.values)
        return jnp.stack([together, jnp.mean(alone), jnp.max(jnp.abs(alone))])

    return jnp.stack([compared(start), compared(jax.tree.unflatten(structure, moved))])
