"""When training leaves its continuous limits and why, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.limit_departures import DIVERGED, EDGE, OWN_ERROR, STEPS
from jaxattn.analysis.limit_gaps import WELL_ABOVE
from jaxattn.analysis.limit_predictions import expected_order
from jaxattn.analysis.limit_wording import edge_save, grouped, is_settled, limit_words, run_name
from jaxattn.analysis.wording import capital, listed

__all__ = ["departure_sentences"]

_LEAVES = (
    "at learning rate {rate:g} {name} is seen to have left {limit} (by {share} of its way) {when}"
)
_STAYS = "{names} never {leave} {limit} (by {share} of its way) at these rates."
_OF_SOLVER = (
    "that is less than {times} times the limit's own error, {own_error:.1e}, and may be the "
    "solver's; ask for a smaller flow_rtol"
)
_OF_EDGE = (
    "growth past the edge of stability; learning rate times sharpness is seen to have reached "
    "{edge:.3g} {save}, and the part of the distance along the top eigenvector, {percent:.0f} %, "
    "grows {growth:.3g} times a step, where {expected_growth:.3g} is expected"
)
_NOT_PASSED = "no edge of stability is passed before; "
_NOT_BY_IT = (
    "the edge of stability is passed {save}, but it is not growth past it: the part of the "
    "distance along the top eigenvector, {percent:.0f} %, grows {growth:.3g} times a step, where "
    "{expected_growth:.3g} is expected; "
)
_NOT_SEEN = (
    "the edge of stability is passed {save}, but no growth along the top eigenvector is seen "
    "between then and when it has left; "
)
_EXCESS = "The distance is {ratios} what order {order:g} predicts from the rate {source}."
_NO_SMALLER = "No smaller rate predicts how large that is{where}."
_NO_ORDER = "No order is expected with minibatches, so smaller rates do not predict it."


def departure_sentences(
    ds: xr.Dataset, records: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """When each paradigm leaves a limit, at which rates it never does, and why.

    Args:
        ds: the result.
        records: of one limit, from `jaxattn.analysis.limit_departures.departure_records`.
        lines: the order records of all limits.
    """
    stay, limit = [], limit_words(records[0]["limit"])
    share = f"{records[0]['tolerance']:.0%}".replace("%", " %")
    for name, group in grouped(run_name, records):
        rates = sorted(group, key=lambda record: -record["learning_rate"])
        known = [record for record in rates if record["seeds"]]
        left = [record for record in known if record["left"]]
        if not left:
            stay += [name] if known else []
            continue
        first, *rest = left
        each = [
            _LEAVES.format(
                rate=first["learning_rate"],
                name=name,
                limit=limit,
                share=share,
                when=_when(first),
            ),
            *(f"at {record['learning_rate']:g} {_when(record)}" for record in rest),
        ]
        never = [f"{record['learning_rate']:g}" for record in known if not record["left"]]
        text = capital("; ".join(each))
        text += f"; at {listed(never)} it never does." if never else "."
        yield " ".join([text, *_reasons(ds, left, lines)])
    if stay:
        leave = "leaves" if len(stay) == 1 else "leave"
        yield _STAYS.format(names=listed(stay), leave=leave, limit=limit, share=share)


def _when(record: Mapping[str, Any]) -> str:
    left, seeds = record["left"], record["seeds"]
    part = "" if left == seeds else f"; {left} of {seeds} seeds"
    when = f"by step {record['step']:.0f} (time {record['time']:.3g}{part})"
    before = record["within_step"]
    return when if np.isnan(before) else f"{when}, within at step {before:.0f}"


def _reasons(
    ds: xr.Dataset, left: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Why training left, a sentence each reason; those that a finding of its own tells are not."""
    by_reason = grouped(lambda record: _reason(record, lines), left)
    for reason, group in by_reason:
        if not reason:
            continue
        where = "" if len(by_reason) == 1 else f" at {_rates(group)}"
        said = [f"Why{where}: {reason}."]
        yield " ".join([*said, *(_excesses(ds, group) if group[0]["why"] == STEPS else ())])


def _rates(group: Sequence[Mapping[str, Any]]) -> str:
    return listed(f"{record['learning_rate']:g}" for record in group)


def _reason(record: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> str:
    """Why training left at one rate; "" where another finding tells."""
    why = record["why"]
    if why == EDGE:
        return _OF_EDGE.format(**_seen_of_edge(record))
    if why == OWN_ERROR:
        return _OF_SOLVER.format(times=WELL_ABOVE, **record)
    if why == DIVERGED:
        edge = _edge(record)
        return f"{'' if edge == _NOT_PASSED else edge}its runs diverge"
    if why != STEPS:
        return ""
    mine = (
        line
        for line in lines
        if line["dynamics"] == record["limit"] and run_name(line) == run_name(record)
    )
    slope = next((line["slope"] for line in mine if is_settled(line)), np.nan)
    falls = f", which falls as the learning rate to the power {slope:.2f}"
    falls = falls if np.isfinite(slope) else ""
    return f"{_edge(record)}it is the error of steps of this size{falls}"


def _edge(record: Mapping[str, Any]) -> str:
    """Where training stood to the edge of stability when it left, if one is known."""
    if not record["edge"] > 0:
        return ""
    if not record["edge_step"] <= record["step"]:
        return _NOT_PASSED
    seen = _NOT_BY_IT if np.isfinite(record["growth"]) else _NOT_SEEN
    return seen.format(**_seen_of_edge(record))


def _seen_of_edge(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "save": edge_save(record), "percent": 100 * record["along"]}


def _excesses(ds: xr.Dataset, group: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How the distances compare with what smaller rates predict."""
    order = expected_order(ds, group[0]["limit"])
    if not np.isfinite(order):
        yield _NO_ORDER
        return
    known = [record for record in group if np.isfinite(record["excess"])]
    for source, those in grouped(lambda record: f"{record['from_rate']:g}", known):
        ratios = listed(_ratio(record, len(group) > 1) for record in those)
        yield _EXCESS.format(ratios=ratios, order=order, source=source)
    if unknown := [record for record in group if record not in known]:
        where = f" at {_rates(unknown)}" if known else ""
        yield _NO_SMALLER.format(where=where)


def _ratio(record: Mapping[str, Any], is_one_of_many: bool) -> str:
    """``1.05 times (1.00 to 1.10 over seeds) at 0.4``."""
    low, high = f"{record['excess_low']:.2f}", f"{record['excess_high']:.2f}"
    spread = f" ({low} to {high} over seeds)" if low != high else ""
    at = f" at {record['learning_rate']:g}" if is_one_of_many else ""
    return f"{record['excess']:.2f} times{spread}{at}"
