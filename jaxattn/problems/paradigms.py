"""Paradigms: the loss of one example under soft, hard, LVML, hybrid attention and EM.

Those that sample a segment are in `sampled_paradigms`.

A paradigm sees the log attention of the segments, the values it weighs and `read`, which turns
one value into log probabilities over classes. Sources: Vashisht & Ramaswamy (ECAI 2023).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxattn.core.contracts import Context, Hyper, HyperSpec, Paradigm, Reader
from jaxattn.core.kept import kept
from jaxattn.core.lookup import refuse_borrowed_name
from jaxattn.core.protocols import PlainLoss
from jaxattn.problems.attention import average
from jaxattn.problems.declared import declared_hypers, takes
from jaxattn.problems.sampled_paradigms import SAMPLED

__all__ = [
    "PARADIGMS",
    "as_paradigm",
    "em",
    "hard",
    "hybrid",
    "known_as",
    "lvml",
    "reads_segments",
    "soft",
]

Loss = tuple[Float[Array, ""], tuple[()]]


def _each(read: Reader, values: PyTree, label: Int[Array, ""]) -> Float[Array, " segment"]:
    """Log probability of the label, by segment."""
    if read.of_segments is not None:
        return read.of_segments
    return jax.vmap(read.log_probability, in_axes=(0, None))(values, label)


def _soft(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    read: Reader,
    label: Int[Array, ""],
    context: Context,
) -> Loss:
    del context
    return -read.log_probability(average(log_attention, values), label), ()


def _hard(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    read: Reader,
    label: Int[Array, ""],
    context: Context,
) -> Loss:
    del context
    return jnp.sum(jnp.exp(log_attention) * -_each(read, values, label)), ()


def _lvml(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    read: Reader,
    label: Int[Array, ""],
    context: Context,
) -> Loss:
    del context
    return -jax.nn.logsumexp(log_attention + _each(read, values, label)), ()


def _em(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    read: Reader,
    label: Int[Array, ""],
    context: Context,
) -> Loss:
    joint = log_attention + _each(read, values, label)
    responsibility = jax.nn.softmax(joint)
    # Where there is no attention both factors end at 0 * -inf, which counts as 0.
    terms = responsibility * jnp.where(responsibility > 0, joint, 0)
    # The value with the derivatives of LVML, of every order: holding the responsibilities constant
    # gives its gradient, but the gradient moves with them.
    likelihood, _ = _lvml(log_attention, values, read, label, context)
    return likelihood + jax.lax.stop_gradient(-jnp.sum(terms) - likelihood), ()


def _hybrid(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    read: Reader,
    label: Int[Array, ""],
    context: Context,
) -> Loss:
    # Where time is the same for all rows this stays a branch; under a vmap over rows it becomes a
    # select and both losses are paid.
    return jax.lax.cond(
        context.time < context.hyper["switch_time"],
        lambda: _soft(log_attention, values, read, label, context),
        lambda: _hard(log_attention, values, read, label, context),
    )


def _at_switch(hyper: Hyper) -> Float[Array, " jump"]:
    return jnp.reshape(hyper["switch_time"], (1,))


soft = Paradigm("soft", _soft, natural_inference="average-input")
"""Soft attention: cross-entropy of the averaged value, ``CE(g(sum_j a_j x_j), y)``."""

hard = Paradigm("hard", _hard, natural_inference="argmax-segment")
"""Hard attention, exact expectation over the segment picked: ``sum_j a_j CE(g(x_j), y)``."""

lvml = Paradigm("lvml", _lvml, natural_inference="average-output")
"""Latent variable marginal likelihood: ``-log sum_j a_j softmax(g(x_j))_y``."""

hybrid = Paradigm(
    "hybrid",
    _hybrid,
    natural_inference="argmax-segment",
    hypers=(
        HyperSpec(
            "switch_time",
            None,
            low=0.0,
            unit="time",
            doc="soft before it, hard from it on",
            of_run=0.25,
        ),
    ),
    discontinuities=_at_switch,
)
"""Soft attention until `switch_time`, then hard attention from the same parameters.

Training resets the optimiser state at the switch; a flow clips its step to it. In a comparison that
says nothing of it a run switches after a quarter of its own length, not of the longest one's:
another learning rate then changes no row that was there.
"""

em = Paradigm("em", _em, natural_inference="average-output")
"""Expectation maximisation by gradient: ``-sum_j r_j log(a_j softmax(g(x_j))_y)``.

The responsibilities ``r_j``, proportional to ``a_j softmax(g(x_j))_y``, are those of the current
parameters, held constant. The gradient is therefore exactly LVML's (Fisher's identity), and every
step by it the same; higher derivatives are LVML's too, as the gradient moves with the parameters.
The value is LVML's plus the entropy of r, at most the logarithm of the number of segments above it,
and need not fall along a path on which LVML's does.
"""

PARADIGMS: Mapping[str, Paradigm] = {p.name: p for p in (soft, hard, lvml, hybrid, em, *SAMPLED)}


def known_as(paradigm: Paradigm) -> str | None:
    """Which of `PARADIGMS` has this loss; None: a loss of one's own, of which no theory knows.

    By the loss itself, never by the name: exact theory must ask this.
    """
    return next((name for name, known in PARADIGMS.items() if known.loss is paradigm.loss), None)


def reads_segments(paradigm: Paradigm) -> bool:
    """Whether its loss reads segment after segment, as they are, for the probability of the label.

    By the loss itself: one of one's own may change the values, or the label, that it hands on.
    """
    return paradigm.loss in (_hard, _lvml, _em, _hybrid)


@kept
def as_paradigm(function: Paradigm | PlainLoss, name: str = "") -> Paradigm:
    """A `Paradigm` from a plain loss of one example.

    ``function(log_attention, values, read, label, context)`` returns a scalar, or a pair
    ``(scalar, aux)``. One that draws says so by a parameter more, called ``key``: it is given a
    key of its own for every example of every step. What it reads of ``context.hyper`` it declares
    as an attribute, ``function.hypers = {name: default}``. The name defaults to the function's own.

    Raises:
        InputError: a paradigm or function of one's own under the name of a built-in; hypers that
            are none.
    """
    if isinstance(function, Paradigm):
        refuse_borrowed_name("paradigm", PARADIGMS, function.name, function)
        return function
    name = name or getattr(function, "__name__", "custom")
    refuse_borrowed_name("paradigm", PARADIGMS, name, function)
    draws = "key" in takes(function, "key")
    hypers = declared_hypers(f"paradigm {name!r}", getattr(function, "hypers", ()))

    # What it returns is a person's own, and may be anything: `check_components` looks at it.
    def loss(*arguments: Any) -> Any:
        key = {"key": arguments[-1].key} if draws else {}
        result = function(*arguments, **key)
        return result if isinstance(result, tuple) else (result, ())

    return Paradigm(name, loss, hypers=hypers, stochastic=draws)
