"""What sentences about continuous limits share: names of limits and runs, lists, groups."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxattn.analysis.wording import setting_words
from jaxattn.flow import LIMITS

__all__ = ["grouped", "limit_words", "listed_clauses", "run_name"]

_NOT_SWEPT = {
    *("limit", "process", "paradigm", "learning_rate", "tolerance", "seeds", "left", "diverged"),
    *("time", "step", "edge", "edge_time", "why", "slope", "low", "high", "local", "rates"),
}


def limit_words(name: str) -> str:
    """What a continuous limit is called in a sentence."""
    known = LIMITS.get(name)
    return f"the limit {name}" if known is None else known.words


def run_name(one: Mapping[str, Any]) -> str:
    """A paradigm, and where it was run if more than the learning rate was swept."""
    words = setting_words({key: one[key] for key in one if key not in _NOT_SWEPT})
    return f"{one['paradigm']} ({words})" if words else str(one["paradigm"])


def grouped(
    key: Callable[[Mapping[str, Any]], str], records: Sequence[Mapping[str, Any]]
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Records that have a key in common, in the order in which the keys come."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in records:
        groups.setdefault(key(one), []).append(one)
    return list(groups.items())


def listed_clauses(parts: Sequence[str]) -> str:
    """As `jaxattn.analysis.wording.listed`, of parts that have an "and" of their own."""
    return ", ".join(parts)
