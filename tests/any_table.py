"""Tables of sweeps at random: good ones, in which a key, a value or a table is changed."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from any_request import JUNK
from hypothesis import strategies as st

__all__ = ["CHANGED", "GOOD", "as_toml", "is_small"]

TASK = {"name": "orthogonal", "classes": 3, "train": 8, "test": 4, "points": 4, "validation": 0}
GOOD: tuple[dict[str, Any], ...] = (
    {"task": TASK, "axes": {"paradigm": ["soft"], "seed": {"count": 2}}},
    {
        "task": TASK,
        "model": {"name": "linear"},
        "settings": {"steps": 4, "saves": [0, 1, 4], "hypers": {"focus_rate": 1.0}},
        "axes": {
            "paradigm": ["soft", "hybrid"],
            "segments": [2, 3],
            "learning_rate": {"log": [0.1, 1.0], "count": 3},
            "temperature": {"range": [0.5, 1.5], "count": 2},
            "seed": [7, 3],
        },
        "layout": {"tile": 2, "chunk": 4, "memory": "512 MiB"},
        "output": {"measures": ["accuracy", "time_to_focus"], "params": True},
        "stop": {"converged": {"measure": "objective", "below": 1e-3}, "every": 2},
    },
    {
        "task": {"name": "orthogonal-population", "classes": 3},
        "settings": {"steps": 3, "saves": 2, "against": ["flow", "modified"], "batch_size": "all"},
        "axes": {
            "paradigm": ["hard"],
            "draw": {
                "random": {"learning_rate": {"range": [0.1, 0.2]}, "temperature": [1, 2]},
                "count": 3,
                "seed": 5,
            },
            "seed": {"count": 1, "first": 4},
        },
    },
    {
        "task": TASK,
        "settings": {"optimiser": "adam", "order": "fixed", "vary": ["init", "data"]},
        "axes": {
            "size": {"zip": {"segments": [2, 3], "batch_size": [4, 2]}},
            "beta1": [0.5, 0.9],
            "paradigm": ["lvml", "em"],
            "schedule": ["constant", "cosine"],
            "seed": [0],
        },
        "output": {"dynamics": ["flow", "train"]},
        "layout": {"pad_segments": False},
    },
)
WORDS = st.sampled_from(
    [
        *("task", "name", "axes", "settings", "hypers", "layout", "output", "stop", "seed", "zip"),
        *("random", "count", "range", "log", "paradigm", "learning_rate", "segments", "save"),
        *("split", "status", "dynamics", "precision", "vary", "time", "two words", "", "a.b", "µ"),
        *("batch_size", "steps", "memory", "columns", "first", "loss", "mu", "$x$", "two\nlines"),
    ]
)
VALUES = st.one_of(
    JUNK,
    WORDS,
    st.sampled_from(
        [
            np.float64(0.5),
            np.int64(3),
            np.array([0.25, 0.5]),
            [0.5, 1],
            [True, False],
            [1, True],
            ["soft", "nobody"],
            [0.1, 0.1],
            {"count": 10**9},
            {"log": [0.0, 1.0], "count": 3},
            {"range": [1e308, -1e308], "count": 3},
            "2 GiB",
            "0 B",
            1e-320,
            2**53 + 1,
        ]
    ),
)

CHANGES = (*["alike"] * 8, "value", "value", "name", "drop", "nest", "list", "add")


def _places(tables: Any, start: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where anything stands in nested tables and lists."""
    if isinstance(tables, dict | list):
        for key in tables if isinstance(tables, dict) else range(len(tables)):
            yield (*start, key)
            yield from _places(tables[key], (*start, key))


def _are_numbers(values: list[Any]) -> bool:
    return all(type(value) in (int, float) for value in values)


def _alike(draw: st.DrawFn, value: Any) -> Any:
    """Something like a value: often as good as it."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        # Of NumPy's own integers the largest has 63 bits.
        small = [float(value), np.int64(value)] if abs(value) < 2**63 else []
        return draw(st.sampled_from([value + 1, value - 1, *small]))
    if isinstance(value, float):
        narrow = [np.float32(value)] if abs(value) < 1e38 else []
        return draw(st.sampled_from([2 * value, str(value), [value], *narrow]))
    if isinstance(value, list) and value:
        others = [value[::-1], value[:1], tuple(value), np.array(value, dtype=object)]
        others += [[*value, value[0]], *([np.array(value)] if _are_numbers(value) else [])]
        return draw(st.sampled_from(others))
    return draw(WORDS) if isinstance(value, str) else value


@st.composite
def _changed(draw: st.DrawFn) -> dict[str, Any]:
    tables = copy.deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
        *inside, key = draw(st.sampled_from(list(_places(tables)) or [("task",)]))
        at: Any = tables
        for name in inside:
            at = at[name]
        change = draw(st.sampled_from(CHANGES))
        if change == "name" and isinstance(at, dict):
            at[draw(WORDS)] = at.pop(key)
        elif change == "drop":
            del at[key]
        elif change == "nest":
            at[key] = {draw(WORDS): at[key]}
        elif change == "list":
            at[key] = [at[key]]
        elif change == "add" and isinstance(at, dict):
            at[draw(WORDS)] = copy.deepcopy(draw(VALUES))
        elif change == "alike":
            at[key] = _alike(draw, at[key])
        else:
            at[key] = copy.deepcopy(draw(VALUES))
    return tables


def is_small(value: Any) -> bool:
    """Whether a task of these sizes is made in no time: its points are drawn when it is."""
    if isinstance(value, dict | list | tuple):
        return all(map(is_small, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int | float | np.int64) or not 99 < value < 2**54


CHANGED = _changed().filter(is_small)


def as_toml(tables: dict[str, Any]) -> str:
    """Plain tables as the text of a TOML file: every table inline."""
    return "".join(f"{json.dumps(key)} = {_inline(value)}\n" for key, value in tables.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_inline(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value)
