"""What sentences about continuous limits share: names of limits, runs and slopes, groups."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxattn.analysis.wording import setting_words
from jaxattn.flow import LIMITS

__all__ = [
    "edge_save",
    "grouped",
    "is_settled",
    "limit_words",
    "run_name",
    "slope_words",
]

_SPREAD = 0.25
"""Local slopes further apart than this are no one power."""

_NOT_SWEPT = {
    *("limit", "dynamics", "paradigm", "learning_rate", "tolerance", "seeds", "left", "diverged"),
    *("time", "step", "within_time", "within_step", "edge", "edge_time", "edge_step", "why"),
    *("slope", "low", "high", "local", "rates", "own_error", "rates_within_it"),
    *("along", "growth", "expected_growth"),
    *("from_rate", "predicted", "excess", "excess_low", "excess_high"),
}


def limit_words(name: str) -> str:
    """What a continuous limit is called in a sentence."""
    known = LIMITS.get(name)
    return f"the limit {name}" if known is None else known.words


def run_name(record: Mapping[str, Any]) -> str:
    """A paradigm, and where it was run if more than the learning rate was swept."""
    words = setting_words({key: record[key] for key in record if key not in _NOT_SWEPT})
    return f"{record['paradigm']} ({words})" if words else str(record["paradigm"])


def grouped(
    key: Callable[[Mapping[str, Any]], str], records: Sequence[Mapping[str, Any]]
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Records that have a key in common, in the order in which the keys come."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return list(groups.items())


def slope_words(line: Mapping[str, Any]) -> str:
    """A fitted order and its interval, where there is one: ``1.02 [0.98, 1.06]``."""
    words = f"{line['slope']:.2f}"
    if np.isfinite(line["low"]):
        words += f" [{line['low']:.2f}, {line['high']:.2f}]"
    return words


def is_settled(line: Mapping[str, Any]) -> bool:
    """Whether there are local slopes of a fitted order, and they are one power."""
    return bool(line["local"]) and bool(np.ptp(line["local"]) <= _SPREAD)


def edge_save(record: Mapping[str, Any]) -> str:
    """``by step 12 (time 4.8)``, where training has reached the edge, or that it begins there."""
    if record["edge_step"] == 0:
        return "from the start"
    return f"by step {record['edge_step']:.0f} (time {record['edge_time']:.3g})"
