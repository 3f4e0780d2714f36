"""A made-up table of contrasts, as `jaxattn.analysis.contrasts.contrasts` gives it."""

from typing import Any

import pandas as pd

NAN, OPEN = float("nan"), float("inf")

_ASKED = {
    "first-to-focus": ("Who finds the segment first?", "time_to_focus", "time", "less", 0.5),
    "most-attention": ("Who ends with most on it?", "attention_foreground", "1", "more", 0.01),
    "accuracy": ("Who answers best?", "accuracy", "%", "more", 0.5),
}


def contrast(question: str, a: str, b: str, **others: Any) -> dict[str, Any]:
    """A line; what `others` do not say is that of a difference that 6 of 6 seeds show."""
    title, measure, unit, better, delta = _ASKED[question]
    line = {
        **{"question": question, "title": title, "a": a, "b": b, "measure": measure, "at": "end"},
        **{"learning_rate_a": 0.05, "learning_rate_b": 0.05, "unit": unit, "better": better},
        **{"split": "test", "selection": "none", "theory_a": NAN, "theory_b": NAN, "delta": delta},
        **{"estimate": 2.0, "estimate_of": "mean", "low": 1.0, "high": 3.0, "p": 0.001},
        **{"verdict": "differs", "favour": 6, "seeds": 6, "side": 1.0, "marginal_low": 1.5},
        **{"marginal_high": 2.5, "same": False, "needed": NAN, "steps": NAN},
        **{"mean_a": 3.0, "mean_b": 1.0},
    }
    return line | others


def example_contrasts() -> pd.DataFrame:
    """Every kind of line: each verdict, an open end, nothing known, 0 by construction, twice."""
    time, attention, accuracy = "first-to-focus", "most-attention", "accuracy"
    no_interval = dict.fromkeys(("low", "high", "marginal_low", "marginal_high", "p"), NAN)
    same = {**no_interval, "estimate": 0.0, "same": True, "verdict": "equal", "favour": 0}
    unknown = {**no_interval, "estimate": NAN, "verdict": "undecided"}
    inside = {"estimate": -0.004, "low": -0.009, "high": 0.001, "marginal_low": -0.006}
    inside |= {"marginal_high": -0.002, "verdict": "equal", "favour": 4}
    lines = [
        contrast(time, "hard", "soft", steps=10.0),
        contrast(time, "hybrid", "soft", **same),
        contrast(time, "lvml", "hard", low=-OPEN, verdict="undecided", estimate_of="median"),
        contrast(attention, "hybrid", "soft", estimate=0.06, low=0.04, high=0.08)
        | {"marginal_low": 0.05, "marginal_high": 0.07},
        contrast(attention, "lvml", "hybrid", **inside),
        contrast(accuracy, "lvml", "soft", **unknown),
    ]
    again = contrast(attention, "hybrid", "soft") | {"question": "hybrid", "title": "The hybrid?"}
    return pd.DataFrame([*lines, again])


def labels_of(table: pd.DataFrame) -> list[str]:
    """The pairs as a figure names them."""
    return [f"{a} \N{MINUS SIGN} {b}" for a, b in zip(table["a"], table["b"], strict=True)]
