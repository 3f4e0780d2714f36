"""Each question answered in one line, from the table of contrasts and from nothing else."""

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.measures import measure_named, title_of, wording_of
from jaxattn.analysis.wording import (
    capital,
    interval_words,
    listed,
    number_words,
    setting_words,
    unit_words,
)
from jaxattn.core.contracts import MeasureSpec, MeasureWording
from jaxattn.results.dataset import spec_of

__all__ = ["Answer", "answers", "swept_in"]

_LEVELS = {"focus_level": 0.5, "fit_level": 90.0}

Contrast = Mapping[str, Any]


class Answer(NamedTuple):
    """A question and its answer.

    `setting` is where it holds, empty where there is one place only. `text` is one line: who is
    ahead, of whom, by how much; `more` says the rest. `sure` tells whether a difference is named.
    """

    question: str
    title: str
    setting: str
    text: str
    more: str
    sure: bool

    @property
    def line(self) -> str:
        """The question and its answer."""
        return f"{self.title}{'' if self.title.endswith('?') else ':'} {self.text}"


def answers(ds: xr.Dataset, table: pd.DataFrame | None = None) -> list[Answer]:
    """One answer a question, and a place where more than rates was swept.

    Brackets hold simultaneous intervals. Paradigms that are the same in every seed so far speak as
    one. Levels that are told are means over seeds.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        table: its `jaxattn.analysis.contrasts.contrasts`, where the caller has them already.

    Raises:
        InputError: not a result of training.
    """
    table = contrasts(ds) if table is None else table
    if table.empty:
        return []
    said = []
    at = [*swept_in(ds, table), "question"]
    for place, group in table.groupby(at, sort=False):
        where = {name.removesuffix("_a"): of for name, of in zip(at[:-1], place, strict=False)}
        parts = [
            _of_part(ds, part.to_dict("records"))
            for _, part in group.groupby(["measure", "at"], sort=False)
        ]
        sure = any(line == "differs" for line in group["verdict"])
        first, setting = group.iloc[0], setting_words(where) if where else ""
        text, more = (" ".join(filter(None, each)) for each in zip(*parts, strict=True))
        said.append(Answer(str(place[-1]), str(first["title"]), setting, text, more, sure))
    return said


def swept_in(ds: xr.Dataset, table: pd.DataFrame) -> list[str]:
    """The columns of contrasts that say where they are, but for a rate of its own for each."""
    names = list(map(str, table.columns))
    swept = names[names.index("learning_rate_b") + 1 : names.index("measure")]
    # Rates that move together with other values are those of both.
    return swept if "learning_rate" in ds.dims else ["learning_rate_a", *swept]


def _of_part(ds: xr.Dataset, lines: Sequence[Contrast]) -> tuple[str, str]:
    """What is said first of one measure at one place, and what besides."""
    measure = measure_named(ds, lines[0]["measure"])
    assert measure is not None  # the table was made of this result
    words = _words(measure.spec, lines[0]["at"], ds)
    if all(line["seeds"] < 2 for line in lines):
        return f"{words.noun} is known of fewer than 2 seeds; run 6 or more.", ""
    if not any(line["same"] or np.isfinite(line["p"]) for line in lines):
        never = words.leads.removeprefix("is first to ")
        return f"no run came to {never}." if measure.spec.of else f"{words.noun}: unknown.", ""
    if len(lines) < comb(ds.sizes["paradigm"], 2):
        # Only some pairs were asked for: none of them is first, or last, of all.
        return f"{'; '.join(_alone(line, words) for line in lines)}.", ""
    if lines[0]["at"] == "late exponent":
        return _exponents(lines, words), " ".join(_of_leaders(*_merged(lines), words))
    return _of_leaders(*_merged(lines), words)


def _exponents(lines: Sequence[Contrast], words: MeasureWording) -> str:
    """Means over seeds, and beside them those of the exact theory where there is one."""
    levels = {}
    for line in lines:
        for side in "ab":
            theory = line[f"theory_{side}"]
            beside = f" (theory {number_words(theory)})" if np.isfinite(theory) else ""
            levels[line[side]] = f"{line[side]} {number_words(line[f'mean_{side}'])}{beside}"
    return f"{capital(words.noun.removeprefix('the '))}, means: {', '.join(levels.values())}."


def _words(spec: MeasureSpec, at: str | float, ds: xr.Dataset) -> MeasureWording:
    """How a quantity is spoken of, by the words of its measure."""
    asked = spec_of(ds)
    levels = {name: asked.get(name, level) for name, level in _LEVELS.items()}
    words, title = wording_of(spec), title_of(spec)
    if at == "end":
        return MeasureWording(words.leads.format(**levels), words.ahead, words.noun)
    half = "over the last half of the run"
    if at == "late gain":
        if spec.better == "less":
            noun = f"the fall in {title} {half}"
            return MeasureWording(f"falls most in {title} {half}", "further than", noun)
        noun = f"the gain in {title} {half}"
        return MeasureWording(f"gains most {title} {half}", "more than", noun)
    if at == "late exponent":
        rest = f"{spec.whole:g} - {title}" if spec.whole else title
        noun = f"the late exponent ({rest} falls as that power of time {half})"
        return MeasureWording(f"has the largest {noun.removeprefix('the ')}", "larger than", noun)
    early = f"after {100 * float(at):g} % of the run"
    best = "least" if spec.better == "less" else "most"
    return MeasureWording(f"has {best} {title} {early}", words.ahead, f"{title} {early}")


def _merged(lines: Sequence[Contrast]) -> tuple[list[Contrast], dict[str, list[str]]]:
    """Contrasts between paradigms that differ, and for each those that are the same so far."""
    alike: dict[str, list[str]] = {}
    for line in lines:
        for side in "ab":
            alike.setdefault(line[side], [line[side]])
    for line in lines:
        if line["same"] and (one := alike[line["a"]]) is not (other := alike[line["b"]]):
            one += other
            for name in other:
                alike[name] = one
    first = {name: group[0] for name, group in alike.items()}
    kept = [
        line for line in lines if first[line["a"]] == line["a"] and first[line["b"]] == line["b"]
    ]
    apart = [line for line in kept if line["a"] != line["b"] and not line["same"]]
    return apart, {name: group for name, group in alike.items() if first[name] == name}


def _of_leaders(
    lines: Sequence[Contrast], alike: Mapping[str, Sequence[str]], words: MeasureWording
) -> tuple[str, str]:
    """Whom no one is ahead of, ahead of whom they are by how much; and what besides."""
    names = {name: listed(group) for name, group in alike.items()}
    sure = [_forward(line) for line in lines if line["verdict"] == "differs"]
    if not sure:
        return _of_level(lines, names, words), ""
    leaders = _leaders(sure, list(alike))
    every = [name for leader in leaders for name in alike[leader]]
    text = f"{listed(every)} {_plural(words.leads) if len(every) > 1 else words.leads}: "
    said = []
    for name in dict.fromkeys(line["b"] for line in sure if line["a"] in leaders):
        over = [line for line in sure if line["b"] == name and line["a"] in leaders]
        least = min(over, key=lambda line: np.nan_to_num(abs(line["estimate"]), nan=np.inf))
        whose = f"; the least is {names[least['a']]}'s" if len(over) > 1 else ""
        said.append(f"{words.ahead} {names[name]} by {_size(least)} {_seeds(least, whose)}")
    rest = [line for line in lines if line["verdict"] != "differs"]
    near = [line for line in rest if len({line["a"], line["b"]} & set(leaders)) == 1]
    said += [_level(_seen_from(line, _of_two(line, leaders)), names) for line in near]
    same = [
        f"{listed(alike[n])} are the same so far in every seed" for n in leaders if alike[n][1:]
    ]
    further = [
        f"{names[line['a']]} {words.ahead} {names[line['b']]} by {_size(line)} {_seeds(line)}"
        for line in sure
        if line["a"] not in leaders
    ]
    more = [*same, *(_level(line, names) for line in rest if line not in near), *further]
    return f"{text}{'; '.join(said)}.", f"{'; '.join(more)}." if more else ""


def _leaders(sure: Sequence[Contrast], names: Sequence[str]) -> list[str]:
    """Of those that no one is ahead of, the one ahead of most, and all that are ahead of the same.

    Where everyone is behind someone, whoever is ahead of most.
    """
    over = {name: {line["b"] for line in sure if line["a"] == name} for name in names}
    behind = {line["b"] for line in sure}
    unbeaten = [name for name in names if name not in behind] or list(names)
    most = max(unbeaten, key=lambda name: len(over[name]))
    return [name for name in unbeaten if over[name] == over[most]]


def _of_two(line: Contrast, leaders: Sequence[str]) -> str:
    return str(line["a"] if line["a"] in leaders else line["b"])


def _of_level(lines: Sequence[Contrast], names: Mapping[str, str], words: MeasureWording) -> str:
    """What is said where no difference is sure: what comes nearest to one, and what is equal."""
    if not lines:
        return f"{listed(names.values())} are the same so far in every seed, in {words.noun}."
    undecided = [line for line in lines if line["verdict"] == "undecided"]
    if not undecided:
        return f"no two differ in {words.noun}: {'; '.join(_level(o, names) for o in lines)}."
    nearest = _forward(min(undecided, key=lambda line: np.nan_to_num(line["p"], nan=np.inf)))
    text = f"undecided in {words.noun}; nearest to a difference is {names[nearest['a']]}, "
    text += f"{words.ahead} {names[nearest['b']]} by {_size(nearest)} {_seeds(nearest)}"
    text += _more_seeds(nearest)
    equal = [_level(line, names) for line in lines if line["verdict"] == "equal"]
    return f"{text}; {'; '.join(equal)}." if equal else f"{text}."


def _alone(line: Contrast, words: MeasureWording) -> str:
    """One contrast that was asked for by itself."""
    names = {name: name for name in (line["a"], line["b"])}
    if line["verdict"] != "differs":
        return f"{_level(line, names)}, in {words.noun}"
    line = _forward(line)
    said = f"{line['a']} {words.ahead} {line['b']} by {_size(line)} {_seeds(line)}"
    return f"{said}, in {words.noun}"


def _forward(line: Contrast) -> dict[str, Any]:
    """The contrast with the paradigm first that does better; where none is, with the larger."""
    wrong = line["side"] > 0 if line["better"] == "less" else line["side"] < 0
    return _seen_from(line, line["b"] if wrong else line["a"])


def _seen_from(line: Contrast, name: str) -> dict[str, Any]:
    """The contrast with this paradigm first."""
    if line["a"] == name:
        return dict(line)
    turned = dict(line)
    for pair in ("a b", "mean_a mean_b", "theory_a theory_b", "learning_rate_a learning_rate_b"):
        one, other = pair.split()
        turned[one], turned[other] = line[other], line[one]
    for key in ("estimate", "steps", "side"):
        turned[key] = -line[key]
    return turned | {"low": -line["high"], "high": -line["low"]}


def _size(line: Contrast) -> str:
    """``3.75 [1.15, 6.34] in time, 18.7 steps``: without a sign it counts forward."""
    back = line["side"] < 0
    low, high = (-line["high"], -line["low"]) if back else (line["low"], line["high"])
    return _amount(-line["estimate"] if back else line["estimate"], low, high, line, back)


def _amount(estimate: float, low: float, high: float, line: Contrast, back: bool = False) -> str:
    inside = interval_words(low, high)
    if np.isnan(estimate):
        return f"a median that is open {inside}".rstrip()
    unit = " in time" if line["unit"] == "time" else unit_words(line["unit"])
    words = f"{number_words(estimate)} {inside}".rstrip() + unit
    steps = -line["steps"] if back else line["steps"]
    return f"{words}, {number_words(steps)} steps" if np.isfinite(steps) else words


def _seeds(line: Contrast, more: str = "") -> str:
    return f"({line['favour']} of {line['seeds']} seeds{more})"


def _level(line: Contrast, names: Mapping[str, str]) -> str:
    """``soft - lvml undecided, 0.05 [-0.5, 0.6], about 40 seeds would decide``."""
    pair = f"{names[line['a']]} - {names[line['b']]}"
    if line["same"]:
        return f"{pair} the same so far in every seed"
    size = _amount(line["estimate"], line["low"], line["high"], line)
    if line["verdict"] == "equal":
        return f"{pair} equal within {number_words(line['delta'])}, {size}"
    few = "too few seeds" if line["seeds"] < 2 else "undecided"
    return f"{pair} {few}, {size}{_more_seeds(line)}"


def _more_seeds(line: Contrast) -> str:
    return f", about {line['needed']:.0f} seeds would decide" if line["needed"] > 0 else ""


def _plural(leads: str) -> str:
    """The verb of several: "is first" as "are first"."""
    verb, _, rest = leads.replace(" its ", " their ").partition(" ")
    return f"{ {'is': 'are', 'has': 'have'}.get(verb, verb.removesuffix('s')) } {rest}"
