"""The hybrid experiment in numbers and in sentences, both made from its Dataset alone."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.wording import listed
from jaxattn.experiments.wording import Line

__all__ = ["findings", "numbers", "share_of_run"]

_ASKED = {
    "most-attention": "attention on the foreground at the end",
    "first-to-focus": "time to focus",
    "accuracy": "accuracy",
    "right-reason": "share right for the right reason",
}


def share_of_run(ds: xr.Dataset, time: float) -> float:
    """The share of the run after which a hybrid switches at this time."""
    return time / float(ds["time"].max())


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each switch, question and rival (soft or hard), of held-out mosaics.

    The hybrid less its rival, with an interval that holds together with all the others', and the
    verdict of `jaxattn.analysis.contrasts`.
    """
    table = contrasts(ds)
    return [
        _line(ds, row)
        for row in table.to_dict("records")
        if row["question"] in _ASKED and "hybrid" in (row["a"], row["b"])
    ]


def _line(ds: xr.Dataset, row: Mapping[Any, Any]) -> Line:
    first = row["a"] == "hybrid"
    ends = (row["low"], row["high"]) if first else (-row["high"], -row["low"])
    return {
        "switch": share_of_run(ds, row["switch_time"]),
        "question": row["question"],
        "rival": row["b"] if first else row["a"],
        "difference": row["estimate"] if first else -row["estimate"],
        "low": ends[0],
        "high": ends[1],
        "unit": row["unit"],
        "better": row["better"],
        "verdict": row["verdict"],
        "seeds": int(row["seeds"]),
    }


def findings(ds: xr.Dataset) -> list[str]:
    """For each question at which switches the hybrid is ahead of soft, of hard, or behind."""
    lines = numbers(ds)
    said = []
    for question, words in _ASKED.items():
        for rival in ("soft", "hard"):
            same = [x for x in lines if (x["question"], x["rival"]) == (question, rival)]
            if same:
                said.append(f"{words}, hybrid against {rival}: {_verdicts(same)}.")
    return said


def _verdicts(lines: list[Line]) -> str:
    groups: dict[str, list[str]] = {}
    for line in lines:
        sign = 1 if line["better"] == "more" else -1
        word = line["verdict"]
        if word == "differs":
            word = "better" if sign * line["difference"] > 0 else "worse"
        groups.setdefault(word, []).append(f"{100 * line['switch']:.0f} %")
    seeds = min(line["seeds"] for line in lines)
    parts = [f"{word} with a switch after {listed(at)} of the run" for word, at in groups.items()]
    return f"{'; '.join(parts)} ({seeds} seeds)"
