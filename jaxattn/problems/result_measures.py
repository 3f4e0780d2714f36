"""What every result has beside the measures of its problem, and how a measure says what it is.

A measure is known by its name, or says what it is in the attributes of its variable: that is how
the measures of a `Problem` of one's own are summarised, compared and spoken of.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import MeasureColumn, MeasureSpec, MeasureWording
from jaxattn.core.text import printable
from jaxattn.problems.measures import MEASURES

__all__ = [
    "ATTRIBUTE",
    "GRADIENT_NORM",
    "KNOWN",
    "OBJECTIVE",
    "RESULT_MEASURES",
    "TIMES",
    "attributes_of",
    "measure_of",
]

OBJECTIVE = MeasureSpec(
    "objective",
    unit="nat",
    long_name="training loss",
)

GRADIENT_NORM = MeasureSpec(
    "gradient_norm",
    ("part",),
    unit="nat",
    long_name="norm of the loss gradient by part of the parameters",
)

TIMES = (
    MeasureSpec(
        "time_to_focus",
        unit="time",
        better="less",
        delta=0.01,
        headline=True,
        place=10,
        compared=60,
        wording=MeasureWording(
            "is first to have {focus_level:g} of its attention on the foreground",
            "sooner than",
            "the time to focus",
        ),
        column=MeasureColumn("time to focus", digits=1),
        of="attention_foreground",
    ),
    MeasureSpec(
        "time_to_fit",
        unit="time",
        better="less",
        delta=0.01,
        headline=True,
        place=60,
        compared=70,
        wording=MeasureWording(
            "is first to be {fit_level:g} % accurate",
            "sooner than",
            "the time to fit",
            asked_first=False,
        ),
        column=MeasureColumn("time to fit"),
        of="accuracy",
    ),
)
"""When a measure first reaches a level, which the run chooses."""

RESULT_MEASURES = (
    OBJECTIVE,
    GRADIENT_NORM,
    *TIMES,
    MeasureSpec("time_reached", unit="time", long_name="time of the last good save"),
    MeasureSpec(
        "evaluations", long_name="gradients evaluated (minibatches, or vector fields of a flow)"
    ),
    MeasureSpec("steps", long_name="steps taken"),
    MeasureSpec("rejected", long_name="steps rejected by the solver"),
)

KNOWN: Mapping[str, MeasureSpec] = {spec.name: spec for spec in (*MEASURES, *RESULT_MEASURES)}
"""All that are known by name, the problem's first."""

ATTRIBUTE = "measure"
"""Where a variable says what it is, as JSON, beside ``units`` and ``long_name``."""

_LABELS = ("name", "dims", "coords", "unit", "long_name")
"""What the rest of a labelled array says."""


def attributes_of(spec: MeasureSpec) -> dict[str, str]:
    """Attributes of the variable of a measure; those of a known one need not say what it is."""
    labels = {"units": printable(spec.unit), "long_name": printable(spec.long_name)}
    silent = MeasureSpec(spec.name)
    told, *usual = (
        {key: value for key, value in asdict(each).items() if key not in _LABELS}
        for each in (spec, silent, KNOWN.get(spec.name, silent))
    )
    return labels if told in usual else {**labels, ATTRIBUTE: canonical_json(told)}


def measure_of(name: str, attributes: Mapping[Any, Any]) -> MeasureSpec:
    """What a variable with these attributes is: what it says itself, or what its name says."""
    names = (("units", "unit"), ("long_name", "long_name"))
    labels: dict[str, Any] = {label: str(attributes[at]) for at, label in names if at in attributes}
    if ATTRIBUTE in attributes:
        return _from_plain({**json.loads(attributes[ATTRIBUTE]), "name": name, **labels})
    return replace(KNOWN.get(name, MeasureSpec(name)), **labels)


def _from_plain(plain: Mapping[str, Any]) -> MeasureSpec:
    told = {key: value for key, value in plain.items() if key not in ("dims", "coords")}
    for name, kind in (("wording", MeasureWording), ("column", MeasureColumn)):
        if told.get(name) is not None:
            told[name] = kind(**told[name])
    told["parts"] = tuple(map(_from_plain, told.get("parts", ())))
    return MeasureSpec(**told)
