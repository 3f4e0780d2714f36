"""Training against its continuous limits, in words: when it leaves each, and why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxattn.analysis.limit_departures import DIVERGED, EDGE, STEPS
from jaxattn.analysis.limit_order_findings import is_settled
from jaxattn.analysis.limit_wording import (
    grouped,
    limit_words,
    listed_clauses,
    run_name,
)
from jaxattn.analysis.wording import capital, listed

__all__ = ["departure_findings", "rate_words"]

_LEAVES = "{rate} {name} leaves {limit} (by {share} of its way) {when}"
_STAYS = "{names} never {leave} {limit} (by {share} of its way) at these rates."
_PAST_THE_EDGE = (
    "Why{where}: it has passed the edge of stability by then, as learning rate times sharpness "
    "reaches {edge:.3g} at time {times}."
)
_DIVERGES = "Why{where}: its runs diverge."
_OF_STEPS = "Why{where}: {edge}it is the error of steps of this size{falls}."


def departure_findings(
    records: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """When each paradigm leaves a limit, at which rates it never does, and why.

    Args:
        records: of one limit, from `jaxattn.analysis.limit_departures.departure_records`.
        lines: the order records of all limits.
    """
    stay, limit = [], limit_words(records[0]["limit"])
    share = f"{records[0]['tolerance']:.0%}".replace("%", " %")
    for name, group in grouped(run_name, records):
        rates = sorted(group, key=lambda one: -one["learning_rate"])
        known = [one for one in rates if one["seeds"]]
        left = [one for one in known if one["left"]]
        if known and not left:
            stay.append(name)
        if not left:
            continue
        first, *rest = left
        each = [
            _LEAVES.format(
                rate=rate_words(first), name=name, limit=limit, share=share, when=_when(first)
            ),
            *(f"at {one['learning_rate']:g} {_when(one)}" for one in rest),
        ]
        never = [f"{one['learning_rate']:g}" for one in known if not one["left"]]
        text = capital(listed_clauses(each))
        text += f"; at {listed(never)} it never does." if never else "."
        yield " ".join([text, *_reasons(left, lines)])
    if stay:
        leave = "leaves" if len(stay) == 1 else "leave"
        yield _STAYS.format(names=listed(stay), leave=leave, limit=limit, share=share)


def _when(one: Mapping[str, Any]) -> str:
    part = "" if one["left"] == one["seeds"] else f"; {one['left']} of {one['seeds']} seeds"
    return f"at time {one['time']:.3g} (step {one['step']:.0f}{part})"


def rate_words(one: Mapping[str, Any]) -> str:
    """``at learning rate 0.1``."""
    return f"at learning rate {one['learning_rate']:g}"


def _reasons(
    left: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Why training left, a sentence each reason; those that a finding of its own tells are not."""
    by_why = grouped(lambda one: one["why"], left)
    for why, group in by_why:
        rates = listed(f"{one['learning_rate']:g}" for one in group)
        where = "" if len(by_why) == 1 else f" at {rates}"
        if why == EDGE:
            times = listed(dict.fromkeys(f"{one['edge_time']:.3g}" for one in group))
            yield _PAST_THE_EDGE.format(where=where, edge=group[0]["edge"], times=times)
        elif why == DIVERGED:
            yield _DIVERGES.format(where=where)
        elif why == STEPS:
            mine = (
                line
                for line in lines
                if line["process"] == group[0]["limit"] and run_name(line) == run_name(group[0])
            )
            slope = next((line["slope"] for line in mine if is_settled(line)), np.nan)
            edge = "no edge of stability is passed before; " if group[0]["edge"] > 0 else ""
            falls = f", which falls as the learning rate to the power {slope:.2f}"
            yield _OF_STEPS.format(
                where=where, edge=edge, falls=falls if np.isfinite(slope) else ""
            )
