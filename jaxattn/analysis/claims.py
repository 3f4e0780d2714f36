"""The four claims of the paper's abstract, held against one result: holds, does not, undecided."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import pandas as pd
import xarray as xr

from jaxattn.analysis.answers import swept_in
from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.wording import listed, setting_words

__all__ = ["Claim", "claims"]

Verdict = Literal["holds", "does not hold", "undecided"]

_SIGNATURE = ("soft", "hard", "lvml")
_ENDS = ("most-attention", "accuracy", "right-reason")
"""Questions of what a model that has learnt is like."""


class Claim(NamedTuple):
    """A claim, where it was tried, what this result says of it, and why."""

    name: str
    text: str
    setting: str
    verdict: Verdict
    why: str


class _Need(NamedTuple):
    """A contrast that a claim needs: `ahead` better than `behind`."""

    question: str
    at: str
    ahead: str
    behind: str
    words: str


_FAST_THEN_SLOW = (
    _Need("first-to-focus", "end", "soft", "hard", "soft finds the segment before hard"),
    _Need("late-gain", "late gain", "hard", "soft", "hard gains more than soft late"),
)
_BEST_OF_BOTH = (
    _Need("hybrid", "end", "hybrid", "hard", "the hybrid finds the segment before hard"),
    _Need("hybrid", "end", "hybrid", "soft", "the hybrid ends with more attention on it than soft"),
)


def claims(ds: xr.Dataset, table: pd.DataFrame | None = None) -> list[Claim]:
    """What a result says of the claims of Vashisht & Ramaswamy (ECAI 2023), abstract.

    One holds where every contrast that it needs differs in its favour, and does not where one
    differs the other way or is equal; else it is undecided, as where two are the same so far. Of
    the second no comparison can say anything: it is of a focus that is held fixed.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        table: its `jaxattn.analysis.contrasts.contrasts`, where the caller has them already.

    Returns:
        All four, of each place where more than rates was swept; [] where paradigms were not
        compared at all.

    Raises:
        InputError: not a result of training.
    """
    table = contrasts(ds) if table is None else table
    if table.empty:
        return []
    swept, said = swept_in(ds, table), []
    for place, group in table.groupby(swept, sort=False) if swept else [((), table)]:
        where = {name.removesuffix("_a"): at for name, at in zip(swept, place, strict=True)}
        setting = setting_words(where) if where else ""
        said += [Claim(name, text, setting, *told) for name, text, told in _of_place(group)]
    return said


def _of_place(table: pd.DataFrame) -> Iterator[tuple[str, str, tuple[Verdict, str]]]:
    text = "Soft, hard and LVML attention leave different signatures in what they learn."
    yield "Signatures differ", text, _signature(table)
    text = "The signature follows from how the classifier learns while the focus is fixed."
    why = "a comparison trains both at once; jaxattn reproduce fixed-focus holds the focus fixed"
    yield "Fixed focus explains it", text, ("undecided", why)
    text = "Soft attention finds the segment fast and splutters later; hard does the opposite."
    yield "Soft fast, then splutters", text, _needed(table, _FAST_THEN_SLOW)
    text = "A hybrid, soft and then hard, combines the advantages of both."
    yield "The hybrid combines both", text, _needed(table, _BEST_OF_BOTH)


def _signature(table: pd.DataFrame) -> tuple[Verdict, str]:
    """Whether each two of the three differ in some measure of what they are at the end."""
    apart, alike, open_ = [], [], []
    for pair in combinations(_SIGNATURE, 2):
        lines = table[table["question"].isin(_ENDS) & (table["at"] == "end")]
        of_pair = lines["a"].isin(pair) & lines["b"].isin(pair)
        # What is the same in every seed so far says nothing of what is to come.
        lines = lines[of_pair & ~lines["same"].astype(bool)]
        verdicts, name = set(lines["verdict"]), " and ".join(pair)
        if "differs" in verdicts:
            apart.append(name)
        elif verdicts == {"equal"}:
            alike.append(name)
        else:
            open_.append(name)
    if alike:
        return "does not hold", f"equal in all that is asked of the end: {listed(alike)}"
    if open_:
        return "undecided", f"no difference is sure at the end between {'; '.join(open_)}"
    return "holds", f"at the end differ {'; '.join(apart)}"


def _needed(table: pd.DataFrame, needs: Sequence[_Need]) -> tuple[Verdict, str]:
    verdicts, why = [], []
    for need in needs:
        verdict = _of_need(table, need)
        verdicts.append(verdict)
        why.append(f"{need.words}: {verdict}")
    if "does not hold" in verdicts:
        return "does not hold", "; ".join(why)
    return ("undecided" if "undecided" in verdicts else "holds"), "; ".join(why)


def _of_need(table: pd.DataFrame, need: _Need) -> Verdict:
    lines = table[(table["question"] == need.question) & (table["at"] == need.at)]
    pair = {need.ahead, need.behind}
    for line in lines.to_dict("records"):
        if {line["a"], line["b"]} != pair:
            continue
        if line["verdict"] == "undecided" or line["same"]:
            return "undecided"
        less, first = line["better"] == "less", line["a"] == need.ahead
        in_favour = (line["side"] < 0) == (less == first)
        return "holds" if line["verdict"] == "differs" and in_favour else "does not hold"
    return "undecided"
