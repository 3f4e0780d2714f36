"""Training against its continuous limits, in words: of which order, when it leaves them, why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.departure_findings import departure_sentences
from jaxattn.analysis.edge_of_stability import edge_in, products
from jaxattn.analysis.limit_departures import FOLLOWS, departure_records
from jaxattn.analysis.limit_gaps import WELL_ABOVE, limits_in, order_records
from jaxattn.analysis.limit_wording import (
    edge_save,
    grouped,
    is_settled,
    limit_words,
    run_name,
    slope_words,
)
from jaxattn.analysis.wording import Finding, capital, listed
from jaxattn.flow import LIMITS
from jaxattn.results.dataset import spec_of

__all__ = ["gap_findings"]

_SETTING, _MEASURE = "training against its continuous limits", "distance"

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
    "Rates at which runs diverge or reach the edge of stability{within} are in no order, which is "
    "fitted to {counts}."
)

_OWN_ERROR = (
    "{limit} has an error of its own of {errors}: so far is a row of it from itself, solved at a "
    "tenth of its tolerances."
)
_UNKNOWN_ERROR = (
    "The own error of {limit} is not known for {names}: no row of it here was solved to its end at "
    "a tenth of its tolerances."
)
_WITHIN_ERROR = (
    "At {counts} the distance from {limit} is less than {times} times its own error and may be the "
    "solver's: no order is claimed of it; ask for a smaller flow_rtol."
)

_KINKS = (
    "The model's gradient jumps, as at the kinks of ReLU: corrections beyond order 1 assume that "
    "it does not, and a path that slides along a kink may leave its limit at any learning rate."
)
_REACHES = (
    "{name} is seen to have reached the edge of stability, learning rate times sharpness of "
    "{edge:.3g}, {each}."
)
_BELOW = (
    "Training stays below the edge of stability, {edges}: learning rate times sharpness is at most "
    "{most:.2g}."
)


def gap_findings(ds: xr.Dataset) -> list[Finding]:
    """How training relates to each of its limits, a sentence each; [] of a result without any.

    Of which order it follows them, when it leaves them and why, and where it stands to the edge of
    stability.
    """
    limits = limits_in(ds)
    if not limits:
        return []
    records, lines = departure_records(ds), order_records(ds)
    said: list[str] = []
    for limit in limits:
        said += _of_orders(ds, limit, [line for line in lines if line["dynamics"] == limit])
        own = [record for record in records if record["limit"] == limit]
        said += departure_sentences(ds, own, lines)
        if "own_error" in ds:
            said += _of_own_error(limit, own)
    if not spec_of(ds).get("smooth", True):
        said.append(_KINKS)
    return [Finding(_SETTING, _MEASURE, text) for text in (*said, *_of_edge(ds, records))]


def _of_orders(ds: xr.Dataset, limit: str, lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whether training follows a limit, of which order, and how well that is known.

    Args:
        ds: the result.
        limit: by name.
        lines: its `jaxattn.analysis.limit_gaps.order_records`.
    """
    known, called = LIMITS.get(limit), limit_words(limit)
    if known is not None and known.stochastic:
        yield _IN_LAW.format(limit=capital(called))
        return
    if within := [line for line in lines if line["rates_within_it"]]:
        counts = (
            f"{line['rates_within_it']} of {ds.sizes['learning_rate']} learning rates of "
            f"{run_name(line)}"
            for line in within
        )
        yield _WITHIN_ERROR.format(counts=listed(counts), limit=called, times=WELL_ABOVE)
    lines = [line for line in lines if np.isfinite(line["slope"])]
    follow = [line for line in lines if line["slope"] >= FOLLOWS]
    expected = f"; {words}" if (words := _expected(ds, limit)) else ""
    if follow:
        first, *rest = ((run_name(line), slope_words(line)) for line in follow)
        each = [_FOLLOWS.format(name=first[0], limit=called, slope=first[1])]
        each += [f"{name} to {slope}" for name, slope in rest]
        yield f"{', '.join(each)}{expected}."
    for line in lines:
        if line["slope"] < FOLLOWS:
            told = {"name": run_name(line), "slope": slope_words(line), "expected": expected}
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
        more = ", or come too close to the limit's own error," if within else ""
        yield _LEFT_OUT.format(counts=listed(counts), within=more)


def _of_own_error(limit: str, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How far a limit is solved, as far as it is known; of a stochastic one nothing is.

    Args:
        limit: by name.
        records: its `jaxattn.analysis.limit_departures.departure_records`.
    """
    known, called = LIMITS.get(limit), limit_words(limit)
    if known is not None and known.stochastic:
        return
    errors = {
        name: max(record["own_error"] for record in group)
        for name, group in grouped(run_name, records)
    }
    sure = [f"{error:.1e} for {name}" for name, error in errors.items() if np.isfinite(error)]
    if sure:
        yield _OWN_ERROR.format(limit=capital(called), errors=listed(sure))
    if lost := [name for name, error in errors.items() if not np.isfinite(error)]:
        yield _UNKNOWN_ERROR.format(limit=called, names=listed(lost))


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


def _of_edge(ds: xr.Dataset, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where learning rate times sharpness of training reaches the edge, or how near it comes."""
    product = products(ds)
    if edge_in(ds) is None or product is None:
        return
    first = [record for record in records if record["limit"] == records[0]["limit"]]
    below = [record for record in first if np.isnan(record["edge_time"])]
    for name, group in grouped(run_name, first):
        over = [record for record in group if np.isfinite(record["edge_time"])]
        if over:
            largest, *rest = sorted(over, key=lambda record: -record["learning_rate"])
            each = [f"{edge_save(largest)} at learning rate {largest['learning_rate']:g}"]
            each += [f"{edge_save(record)} at {record['learning_rate']:g}" for record in rest]
            yield _REACHES.format(name=name, edge=largest["edge"], each=listed(each))
    if len(below) == len(first):
        most = float(product.sel(dynamics="train").max())
        if np.isnan(most):
            return
        edges = sorted({float(f"{record['edge']:.3g}") for record in first})
        yield _BELOW.format(edges=listed(f"{edge:g}" for edge in edges), most=most)
