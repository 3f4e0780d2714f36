"""Paired differences as sentences: who leads, over whom for sure, and who cannot be told apart."""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from jaxattn.analysis.measures import wording_of
from jaxattn.core.contracts import MeasureSpec

__all__ = [
    "Confidence",
    "Finding",
    "Lead",
    "capital",
    "compared",
    "listed",
    "names_in",
    "never",
    "nothing",
    "setting_words",
    "value_words",
]


def setting_words(at: Mapping[Any, Any]) -> str:
    """Values by name as they are spoken of: "learning rate 0.05, optimiser adam"."""
    words = (f"{str(name).replace('_', ' ')} {value_words(value)}" for name, value in at.items())
    return ", ".join(words)


def value_words(value: Any) -> str:
    """One value of an axis: a number, a name, or yes and no."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)


class Finding(NamedTuple):
    """One statement: what it speaks of, and the sentence.

    `setting` is where it holds ("learning rate 0.05"), `measure` what was compared; both are
    empty for what holds of the whole result. `sure` tells whether it names a difference.
    """

    setting: str
    measure: str
    text: str
    sure: bool = False


_UNITS = {"1": "", "time": ""}
_NEAR = 0.2
"""A corrected p up to which a pair is worth another look with more seeds."""


class Confidence(IntEnum):
    """What a sentence names: a sure difference, one that more seeds may show, or none."""

    SURE = 0
    NEAR = 1
    NONE = 2


class Lead(NamedTuple):
    """What lies between two paradigms, the one that does better first.

    `size` and its interval, `low` to `high`, count in favour of `ahead`; NaN is unknown, as where
    a time was never reached. `p` and the verdict, `differs`, are after correction.
    """

    ahead: str
    behind: str
    size: float
    low: float
    high: float
    p: float
    differs: bool

    @classmethod
    def of(cls, pair: Mapping[str, Any], least: bool) -> "Lead":
        """From a line of `jaxattn.analysis.paired_differences.differences`."""
        means = pair["interval_of"] == "mean"
        size = pair["mean_difference"] if means else pair["median_difference"]
        # Where no size is known, the balance of signs still says which way it goes.
        way = size if np.isfinite(size) else pair["effect_size"]
        favour = -1 if least else 1
        names = (str(pair["paradigm_a"]), str(pair["paradigm_b"]))
        differs = pair["verdict"] == "differs"
        lead = cls(*names, size, pair["low"], pair["high"], pair["p_holm"], differs).signed(favour)
        return lead.turned() if favour * way < 0 else lead

    def signed(self, sign: int) -> "Lead":
        """The same paradigms, counted the other way where `sign` is -1."""
        low, high = (self.low, self.high) if sign > 0 else (-self.high, -self.low)
        return self._replace(size=sign * self.size, low=low, high=high)

    def turned(self) -> "Lead":
        """Seen from the other paradigm."""
        return self._replace(ahead=self.behind, behind=self.ahead).signed(-1)

    def words(self, unit: str) -> str:
        """``hard by 1 [0.6, 1.4]``."""
        by = f" by {_amount(self.size, unit)}" if np.isfinite(self.size) else ""
        return f"{self.behind}{by}{self._interval()}"

    def level_words(self, unit: str) -> str:
        """``lvml (0.3 [-0.1, 0.7])``."""
        if not np.isfinite(self.size):
            return self.behind
        return f"{self.behind} ({_amount(self.size, unit)}{self._interval()})"

    def _interval(self) -> str:
        if np.isnan(self.low) or np.isnan(self.high):
            return ""
        return f" [{_end(self.low)}, {_end(self.high)}]"


def _amount(value: float, unit: str) -> str:
    # A difference of shares is in points: 2 % more of 10 % would be something else.
    return f"{_number(value)} points" if unit == "%" else _with_unit(value, unit)


def _with_unit(value: float, unit: str) -> str:
    return f"{_number(value)} {_UNITS.get(unit, unit)}".rstrip()


def _number(value: float) -> str:
    # Rounded first, so that what rounds to nothing is 0 and not -0.
    return f"{float(f'{value:.3g}') + 0.0:g}"


def _end(value: float) -> str:
    return _number(value) if np.isfinite(value) else "unknown"


def compared(
    spec: MeasureSpec,
    pairs: Sequence[Mapping[str, Any]],
    medians: Mapping[str, float],
    levels: Mapping[str, float],
) -> tuple[Confidence, str]:
    """What is said of one measure at one setting, and how sure it is.

    Args:
        spec: of the measure.
        pairs: the lines of `jaxattn.analysis.paired_differences.differences` of it, each with a
            verdict.
        medians: by paradigm, where they are to be shown.
        levels: what ``focus_level`` and ``fit_level`` were.

    Returns:
        A sentence; of what is `Confidence.NONE` only the words that `nothing` puts together.
    """
    spoken, unit = wording_of(spec), str(pairs[0]["unit"])
    names = names_in(pairs)
    shown = {name: _with_unit(medians[name], unit) for name in names if name in medians}
    leads = [Lead.of(pair, spec.better == "less") for pair in pairs]
    sure = [lead for lead in leads if lead.differs]
    if not sure:
        each = ", ".join(f"{name} {value}" for name, value in shown.items())
        what = f"{spoken.noun} (medians: {each})" if each else spoken.noun
        near = min(leads, key=lambda lead: lead.p)
        if not (near.low > 0 and near.p <= _NEAR):
            return Confidence.NONE, what
        text = nothing(names, [what])
        text += f" Closest to one: {near.ahead} {spoken.ahead} {near.words(unit)}, "
        return Confidence.NEAR, f"{text}p = {near.p:.2g} after correction."
    # Who is ahead of most others; among equals the one named first.
    leader = max(names, key=lambda name: sum(lead.ahead == name for lead in leads))
    own = [lead if lead.ahead == leader else lead.turned() for lead in leads if leader in lead[:2]]
    median = f" (median {shown[leader]})" if leader in shown else ""
    over = [lead.words(unit) for lead in own if lead.differs]
    level = [lead.level_words(unit) for lead in own if not lead.differs]
    if over:
        text = f"{leader} {spoken.leads.format(**levels)}{median}: {spoken.ahead} {listed(over)}"
        text += f"; no difference found from {listed(level)}." if level else "."
    else:
        text = f"No sure leader in {spoken.noun}: "
        text += f"no difference found between {leader}{median} and {listed(level)}."
    if further := [lead for lead in sure if leader not in lead[:2]]:
        each = listed(f"{lead.ahead} {spoken.ahead} {lead.words(unit)}" for lead in further)
        text += f" {'Also' if over else 'But'} {each}."
    return Confidence.SURE, text


def nothing(names: Sequence[str], what: Sequence[str]) -> str:
    """No difference found: between whom, and in what."""
    which = f"any two of {listed(names)}" if len(names) > 2 else listed(names)
    return f"No difference found between {which} in {'; in '.join(what)}."


def names_in(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The paradigms of these pairs, each once, in their order."""
    return list(dict.fromkeys(str(pair[f"paradigm_{side}"]) for side in "ab" for pair in pairs))


def never(spec: MeasureSpec, levels: Mapping[str, float]) -> str:
    """What is said of a time that no run reached."""
    what = wording_of(spec).leads.format(**levels).removeprefix("is first to ")
    return f"No run came to {what}."


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def capital(text: str) -> str:
    """The text with a capital letter in front."""
    return text[:1].upper() + text[1:]
