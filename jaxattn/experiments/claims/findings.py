"""Every claim of the paper as a statement with its verdict, by set of images and in theory."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.intervals import interval
from jaxattn.analysis.wording import interval_words, number_words, unit_words
from jaxattn.experiments.claims.config import SCALES
from jaxattn.experiments.claims.theory import exact
from jaxattn.experiments.mosaics import Mosaics
from jaxattn.experiments.wording import Line
from jaxattn.results.dataset import ABSENT

__all__ = ["CLAIMS", "Claim", "claims_of", "findings", "numbers", "of_set", "sentences"]

THEORY = "theory"
HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
EQUAL, REVERSED = "equal within delta", "reversed"


class Claim(NamedTuple):
    """``a`` has more of what a question asks than ``b``, or less of it."""

    name: str
    words: str
    question: str
    a: str
    b: str
    sign: int
    """Of a - b: 1 or -1."""


CLAIMS = (
    Claim("early", "soft finds the segment sooner than hard", "first-to-focus", "soft", "hard", -1),
    Claim("late", "hard gains more attention late than soft", "late-gain", "hard", "soft", 1),
    Claim(
        "hybrid early", "hybrid finds it sooner than hard", "first-to-focus", "hybrid", "hard", -1
    ),
    Claim(
        "hybrid late", "hybrid ends with more attention than soft", "most-attention",
        "hybrid", "soft", 1,
    ),
)  # fmt: skip
"""Claims 3 and 4 of the abstract, taken apart."""

SIGNATURE = "soft, hard and LVML end as different models"
FORCE = "at a fixed focus the gain by more attention falls under soft, not under hard"
_MODELS = ("soft", "hard", "lvml")
_ENDS = ("most-attention", "accuracy", "right-reason")


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each claim and set, and for each claim in theory.

    What the claim is about (a less b), its interval, p, the verdict, how many seeds there are and,
    of what is undecided, about how many would decide.
    """
    lines = list(exact([str(claim.name) for claim in CLAIMS]))
    for name in map(str, ds["data"].values):
        lines += claims_of(of_set(ds, name).drop_dims("fixed_data", errors="ignore"), name)
    if "fixed_focus_fall" in ds:
        falls = ds["fixed_focus_fall"]
        for name in map(str, ds["fixed_data"].values):
            lines.append({"claim": "force", "data": name, **_force(falls.sel(fixed_data=name))})
    return lines


def claims_of(one: xr.Dataset, name: str) -> list[Line]:
    """A line for each claim that can be judged on one set, as `numbers` has them.

    Args:
        one: what was learnt from it, by soft, hard, LVML and hybrid attention.
        name: of the set.
    """
    table = contrasts(one)
    signature = {"claim": "signature", "data": name, **_signature(table)}
    return [signature, *({"claim": c.name, "data": name, **_of(c, table)} for c in CLAIMS)]


def of_set(ds: xr.Dataset, name: str) -> xr.Dataset:
    """What was learnt from one set, of the seeds that it had."""
    one = ds.sel(data=name)
    there = (one["status"] != ABSENT).any([dim for dim in one["status"].dims if dim != "seed"])
    return one.isel(seed=there.values)


def _of(claim: Claim, table: pd.DataFrame) -> Line:
    row = _row(table, claim.question, claim.a, claim.b)
    if row is None:
        return {"verdict": UNDECIDED, "seeds": 0}
    return {
        "difference": row["estimate"],
        "low": row["low"],
        "high": row["high"],
        "unit": row["unit"],
        "p": row["p"],
        "verdict": (verdict := _verdict(str(row["verdict"]), claim.sign * row["side"])),
        **_why(verdict, str(row["verdict"]) == "equal"),
        "seeds": int(row["seeds"]),
        "needed": row["needed"],
    }


def _row(table: pd.DataFrame, question: str, a: str, b: str) -> Mapping[Any, Any] | None:
    """The contrast a - b, turned round where the table has b - a; None: it has neither."""
    for row in table.to_dict("records"):
        if row["question"] == question and {row["a"], row["b"]} == {a, b}:
            if row["a"] == a:
                return row
            ends = {"low": -row["high"], "high": -row["low"]}
            return {**row, "estimate": -row["estimate"], "side": -row["side"], **ends}
    return None


def _verdict(word: str, side: float) -> str:
    """Whether the claim holds: differences that were shown, and equality within delta, decide."""
    if word == "differs":
        return HOLDS if side > 0 else FAILS
    return FAILS if word == "equal" else UNDECIDED


def _why(verdict: str, alike: bool) -> Line:
    """Of what does not hold: whether the two are equal within delta, or it is the other way."""
    return {"why_not": EQUAL if alike else REVERSED} if verdict == FAILS else {}


def _signature(table: pd.DataFrame) -> Line:
    """Holds where each two of the paradigms differ in something that is asked of their ends."""
    found = {pair: _pair(table, *pair) for pair in combinations(_MODELS, 2)}
    said = set(found.values())
    verdict = HOLDS if said == {HOLDS} else FAILS if said == {FAILS} else UNDECIDED
    rows = [row for pair in found for q in _ENDS if (row := _row(table, q, *pair)) is not None]
    alike = [" and ".join(pair) for pair, word in found.items() if word != HOLDS]
    seeds = min((int(row["seeds"]) for row in rows), default=0)
    words = {"verdict": verdict, "seeds": seeds, "not_told_apart": ", ".join(alike)}
    return words | _why(verdict, True)


def _pair(table: pd.DataFrame, a: str, b: str) -> str:
    words = {str(row["verdict"]) for q in _ENDS if (row := _row(table, q, a, b)) is not None}
    return HOLDS if "differs" in words else FAILS if words == {"equal"} else UNDECIDED


def _force(falls: xr.DataArray) -> Line:
    """How much more of its peak the gain loses under soft than under hard, over the same seeds."""
    more = (falls.sel(paradigm="soft") - falls.sel(paradigm="hard")).values
    seeds = int(np.isfinite(more).sum())
    found = interval(more)
    verdict = HOLDS if found.low > 0 else FAILS if found.high < 0 else UNDECIDED
    return {
        "difference": float(found.mean),
        "low": float(found.low),
        "high": float(found.high),
        "unit": "1",
        "verdict": verdict,
        **_why(verdict, False),
        "seeds": seeds,
    }


def findings(ds: xr.Dataset) -> list[str]:
    """A sentence a claim: on what it holds, on what it does not, and what is undecided.

    Then, of each set that was learnt for less long than is published, what that would take.
    """
    said = sentences(numbers(ds))
    return said + [sentence for sizes in SCALES["paper"].sets for sentence in _short(ds, sizes)]


def sentences(lines: list[Line]) -> list[str]:
    """A sentence a claim: on what it holds, on what it does not, and what is undecided."""
    words = {"signature": SIGNATURE, "force": FORCE, **{one.name: one.words for one in CLAIMS}}
    parts = {claim: list(_parts(lines, name)) for name, claim in words.items()}
    return [f"{claim}: {'; '.join(told)}." for claim, told in parts.items() if told]


def _short(ds: xr.Dataset, published: Mosaics) -> Iterator[str]:
    """Of one set, if it was learnt from, and in fewer steps than are published."""
    name = published.task
    if name not in ds["data"].values:
        return
    steps = int(ds["step"].sel(data=name).max() if "data" in ds["step"].dims else ds["step"].max())
    if steps < published.steps:
        yield (
            f"{name} was learnt from for {steps} steps; scale paper takes {published.steps}, of "
            f"{published.batch_size} mosaics by {published.model}, for {published.seeds} seeds."
        )


def _parts(lines: list[Line], claim: str) -> Iterator[str]:
    for verdict in (HOLDS, FAILS, UNDECIDED):
        same = [x for x in lines if (x["claim"], x["verdict"]) == (claim, verdict)]
        if same:
            yield f"{verdict} on {', '.join(map(_told, same))}"


def _told(line: Line) -> str:
    """``digits (-0.5 [-0.7, -0.3] time, 8 seeds)``."""
    if line["data"] == THEORY:
        return THEORY
    parts = []
    if np.isfinite(line.get("difference", np.nan)):
        ends = interval_words(line["low"], line["high"])
        parts.append(f"{number_words(line['difference'])} {ends}{unit_words(line['unit'])}")
    parts.append(f"{line['seeds']} seeds")
    if line["verdict"] == UNDECIDED and np.isfinite(line.get("needed", np.nan)):
        parts.append(f"about {line['needed']:.0f} would decide")
    if line.get("why_not"):
        parts.append(line["why_not"])
    if line.get("not_told_apart"):
        parts.append(f"not told apart: {line['not_told_apart']}")
    return f"{line['data']} ({', '.join(parts)})"
