"""`jaxattn.critical_rate`: the largest learning rate at which training stays near its limit."""

from collections.abc import Mapping, Sequence
from math import ceil, inf, isfinite
from typing import Any, Literal

import jax.numpy as jnp
import pandas as pd

from jaxattn.api.arguments import names_its_arguments
from jaxattn.core.contracts import AttentionMap, InputError, Model, Task
from jaxattn.flow import LIMITS
from jaxattn.run.critical_rate import OnBracket, find_critical_rates
from jaxattn.study.fields import bounded_number, count, one_name
from jaxattn.study.settings import Settings
from jaxattn.study.study import resolve_settings
from jaxattn.training.optimisers import Optimiser

__all__ = ["critical_rate"]

_ABOVE_0 = bounded_number(0.0, inf, is_open=True)


@names_its_arguments
def critical_rate(
    task: str | Task = "digits",
    model: str | Model | Any = None,
    paradigm: Any = "soft",
    *,
    tolerance: float,
    low: float,
    high: float,
    length: float = 10.0,
    seeds: int | Sequence[int] = 4,
    limit: str = "flow",
    width: float = 0.05,
    saves: int = 41,
    hypers: Mapping[str, Any] | None = None,
    optimiser: str | Optimiser | Any = "auto",
    order: str = "shuffled",
    batch_size: int | Literal["auto", "all"] | None = "auto",
    attention: str | AttentionMap | Any = "softmax",
    vary: str | Sequence[str] | None = None,
    flow_examples: int = 512,
    flow_solver: str | Any = "auto",
    flow_rtol: float | Literal["auto"] = "auto",
    flow_atol: float | Literal["auto"] = "auto",
    on_bracket: OnBracket | None = None,
) -> pd.DataFrame:
    """The largest learning rate at which training stays within a tolerance of its limit.

    For each seed by itself, by bisection in the logarithm of the rate between `low` and `high`.
    Training is held against its limit as by ``jaxattn.compare(against=...)``: from the same start,
    on the same examples, for the same length of time. Where staying within is not monotone in the
    rate, it is one rate of several at which that changes.

    Everything is compiled once, whatever the number of rates. Training at a rate takes ``length``
    over that rate steps (with momentum b, over ``rate / (1 - b)``), so most of the time goes into
    the smallest rates: a `low` that is not far too low saves it.

    Args:
        task: as in `jaxattn.compare`.
        model: as in `jaxattn.compare`.
        paradigm: one: its name, a `Paradigm`, or a plain loss of one example.
        tolerance: share of the furthest that the limit comes from its start; training has left it
            at a save at which it is as far from it, as in `jaxattn.departures`.
        low: a learning rate at which every seed stays within.
        high: a learning rate at which every seed leaves. It is taken down to the next one that
            makes the length in whole steps.
        length: of time on the optimiser's clock, over which training has to stay.
        seeds: how many (0, 1, ...), or which.
        limit: a continuous limit, one of `jaxattn.flow.LIMITS` without noise.
        width: bisect until the two rates of a bracket are no further apart than this share of the
            smaller.
        saves: at which training is held against its limit: so many times, equally spaced, at most
            one a step at `high`.
        hypers: the other hyperparameters, a number each.
        optimiser: as in `jaxattn.compare`, at a constant learning rate.
        order: as in `jaxattn.compare`.
        batch_size: as in `jaxattn.compare`; auto: all.
        attention: as in `jaxattn.compare`.
        vary: as in `jaxattn.compare`.
        flow_examples: as in `jaxattn.compare`.
        flow_solver: as in `jaxattn.compare`.
        flow_rtol: as in `jaxattn.compare`.
        flow_atol: as in `jaxattn.compare`.
        on_bracket: called with the bracket after every bisection, and with the one that was asked
            for before anything runs.

    Returns:
        A line a seed: ``seed``; ``within`` and ``left``, the bracket: training stays within at the
        one and leaves at the other; ``share_within`` and ``share_left``, how far it comes at them,
        as shares of the limit's way (infinite: it diverges); ``own_error`` of the limit, such a
        share too (NaN: not known); ``steps`` that training takes at ``within``; ``status``,
        solver_failed where the limit was not solved at some rate, and NaN in the rest of the line.
        The median over seeds is ``table["within"].median()``.

    Raises:
        InputError: anything that cannot be done, before anything is compiled; then, rates that are
            no bracket of every seed, or a tolerance that is not well above the own error of the
            limit.
    """
    numbers = {"tolerance": tolerance, "low": low, "high": high, "length": length, "width": width}
    tolerance, low, high, length, width = (
        _ABOVE_0.read(name, value) for name, value in numbers.items()
    )
    if not low < high:
        raise InputError(
            f"high: got {high:g}, expected a learning rate above low, {low:g}; take a larger one."
        )
    limit = one_name("limit").read("limit", limit)
    if limit in LIMITS and LIMITS[limit].stochastic:
        raise InputError(
            f"limit: got {limit!r}, expected one without noise, whose paths do not part from "
            "training by nature; take flow."
        )
    other = dict(hypers or {})
    _refuse_axes(other)
    asked: dict[str, Any] = {
        "task": task,
        "model": model,
        "paradigms": (paradigm,),
        "seeds": seeds,
        "optimiser": optimiser,
        "order": order,
        "batch_size": batch_size,
        "attention": attention,
        "vary": vary,
        "flow_examples": flow_examples,
        "flow_solver": flow_solver,
        "flow_rtol": flow_rtol,
        "flow_atol": flow_atol,
        "against": (limit,),
        "curvature": 0,
    }
    at_high = resolve_settings(Settings(**asked, steps=1, hypers={**other, "learning_rate": high}))
    constants = {name: jnp.asarray(values[0]) for name, values in at_high.grid.items()}
    pace = float(at_high.optimiser.pace(constants))
    steps = max(1, ceil(length / (high * pace) * (1 - 1e-9)))
    top = length / (steps * pace)
    if not low < top:
        raise InputError(
            f"length: got {length:g}, expected one of two steps and more at low, {low:g}; take a "
            "longer one."
        )
    rates = {**other, "learning_rate": (low, top)}
    saves = count(2).read("saves", saves)
    study = resolve_settings(Settings(**asked, steps=steps, saves=saves, hypers=rates))
    return find_critical_rates(study, limit, tolerance, width, on_bracket)


def _refuse_axes(hypers: Mapping[str, Any]) -> None:
    for name, value in hypers.items():
        if name == "learning_rate":
            raise InputError(
                "hypers: got learning_rate, expected the others alone; it is looked for between "
                "low and high."
            )
        if not isinstance(value, int | float) or not isfinite(value):
            raise InputError(
                f"hypers: got {name} = {value!r}, expected a number; call critical_rate once for "
                "each of several."
            )
