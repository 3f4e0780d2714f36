"""Training against its continuous limits, in words: of which order it follows each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.limit_departures import FOLLOWS
from jaxattn.analysis.limit_wording import limit_words, listed_clauses, run_name
from jaxattn.analysis.wording import capital, listed
from jaxattn.flow import LIMITS
from jaxattn.results.dataset import spec_of

__all__ = ["is_settled", "order_findings"]

_SPREAD = 0.25
"""Local slopes further apart than this are no one power."""

_IN_LAW = (
    "{limit} is a limit in law: its paths have noise of their own, so their distance from training "
    "says how wide paths spread, and no order is claimed."
)
_FOLLOWS = "{name} follows {limit} to order {slope} in the learning rate"
_NOT_FOLLOWED = (
    "{name} does not follow {limit}: the distance does not fall with the learning rate (order "
    "{slope}{expected})."
)
_NO_POWER = (
    "That is no one power yet: between neighbouring rates, from the largest to the smallest, the "
    "slope goes {slopes}."
)
_LEFT_OUT = (
    "Rates at which runs diverge or reach the edge of stability are in no order, which is fitted "
    "to {counts}."
)


def order_findings(ds: xr.Dataset, limit: str, lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whether training follows a limit, of which order, and how well that is known.

    Args:
        ds: the result.
        limit: by name.
        lines: its `jaxattn.analysis.limit_departures.order_records`.
    """
    known, called = LIMITS.get(limit), limit_words(limit)
    if known is not None and known.stochastic:
        yield _IN_LAW.format(limit=capital(called))
        return
    lines = [line for line in lines if np.isfinite(line["slope"])]
    follow = [line for line in lines if line["slope"] >= FOLLOWS]
    expected = f"; {words}" if (words := _expected(ds, limit)) else ""
    if follow:
        first, *rest = ((run_name(line), _slope_words(line)) for line in follow)
        each = [_FOLLOWS.format(name=first[0], limit=called, slope=first[1])]
        each += [f"{name} to {slope}" for name, slope in rest]
        yield f"{listed_clauses(each)}{expected}."
    for line in lines:
        if line["slope"] < FOLLOWS:
            told = {"name": run_name(line), "slope": _slope_words(line), "expected": expected}
            yield _NOT_FOLLOWED.format(limit=called, **told)
    if wild := [line for line in follow if not is_settled(line)]:
        slopes = (
            f"from {line['local'][0]:.2f} to {line['local'][-1]:.2f} for {run_name(line)}"
            for line in wild
        )
        yield _NO_POWER.format(slopes=listed(slopes))
    asked = ds.sizes["learning_rate"]
    if few := [line for line in lines if line["rates"] < asked]:
        counts = (f"{line['rates']} of {asked} for {run_name(line)}" for line in few)
        yield _LEFT_OUT.format(counts=listed(counts))


def is_settled(line: Mapping[str, Any]) -> bool:
    """Whether the local slopes are one power."""
    return bool(np.ptp(line["local"]) <= _SPREAD)


def _expected(ds: xr.Dataset, limit: str) -> str:
    """What order is expected, where one is."""
    known, spec = LIMITS.get(limit), spec_of(ds)
    if known is None or (spec.get("batch_size") is not None and not known.batch_orders):
        return ""  # of one's own; or a mean over minibatches, around which the paths spread
    held = known.held_fixed
    words = f"{known.convergence_order:g} is expected"
    if known.convergence_order > 1 and not spec.get("smooth", True):
        words += " of a smooth model"
    if set(held) - set(spec.get("hypers", {})):
        words += f" with {listed(held)} held fixed"
    return words


def _slope_words(line: Mapping[str, Any]) -> str:
    words = f"{line['slope']:.2f}"
    if np.isfinite(line["low"]):
        words += f" [{line['low']:.2f}, {line['high']:.2f}]"
    return words
