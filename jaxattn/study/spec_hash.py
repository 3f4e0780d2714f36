"""A spec written down: as plain values, as canonical JSON, as a hash; and two specs compared."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from jaxattn.core.canonical_json import canonical_json, plain
from jaxattn.study.resolve import CONTENT
from jaxattn.study.spec import Spec

__all__ = ["difference", "spec_hash", "spec_json", "to_plain"]

_LONGEST = 60
"""Characters of a list that is shown whole in a difference."""


def to_plain(spec: Spec) -> dict[str, Any]:
    """The tables of `spec` with nothing left to default; axes a list, as their order counts.

    So it means the same under a later version, and its hash does not depend on what was left out.
    """
    own = {"problem": spec.problem, "data": spec.data} if spec.problem else {}
    return plain(
        {
            **(own or {"task": spec.task, "model": spec.model}),
            **({"measures": spec.own_measures} if spec.own_measures else {}),
            "settings": spec.settings,
            "axes": [{"name": axis.name, "columns": dict(axis.columns)} for axis in spec.axes],
            "layout": asdict(spec.layout),
            "output": {
                "dynamics": spec.dynamics,
                "measures": spec.measures,
                "params": spec.keep_params,
            },
            "stop": spec.stop,
        }
    )


def spec_json(spec: Spec) -> str:
    """Canonical JSON: `jaxattn.study.parse.from_plain` of what it says is the spec again."""
    return canonical_json(to_plain(spec))


def spec_hash(spec: Spec) -> str:
    """SHA-256 of the canonical JSON: what the chunks of one sweep have in common.

    Data on disk are told by what they hold, not by where they lie.
    """
    return sha256(canonical_json(_anywhere(to_plain(spec))).encode()).hexdigest()


def difference(a: Spec, b: Spec) -> list[str]:
    """What differs, a line each: ``settings.steps: 200 there, 300 here``; `a` is there."""
    there, here = (_leaves(_anywhere(to_plain(spec))) for spec in (a, b))
    names = [name for name in sorted({*there, *here}) if there.get(name) != here.get(name)]
    orders = ", ".join(there["axes"]), ", ".join(here["axes"])
    if "axes" in names and set(there["axes"]) != set(here["axes"]):
        names.remove("axes")  # said by the axis that one of them has not
    said = [_said(name, there.get(name), here.get(name)) for name in names if name != "axes"]
    if "axes" in names:
        said.insert(0, f"order of axes: {orders[0]} there, {orders[1]} here")
    return said


def _anywhere(tables: dict[str, Any]) -> dict[str, Any]:
    """Without the folder of data whose SHA-256 is told."""
    task = tables.get("task", {})
    if CONTENT not in task:
        return tables
    return {**tables, "task": {name: at for name, at in task.items() if name != "data"}}


def _leaves(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted name; ``axes`` are their names in order, each column by its own name."""
    axes = tables["axes"]
    leaves = {"axes": [axis["name"] for axis in axes]}
    for axis in axes:
        for name, values in axis["columns"].items():
            joint = "" if name == axis["name"] else f".{name}"
            leaves[f"axes.{axis['name']}{joint}"] = values
    rest = {name: table for name, table in tables.items() if name != "axes"}
    return leaves | dict(_dotted("", rest))


def _dotted(start: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _dotted(f"{start}{key}.", value)
        else:
            yield f"{start}{key}", value


def _said(name: str, there: Any, here: Any) -> str:
    texts = _text(there), _text(here)
    if all(isinstance(value, list) for value in (there, here)) and max(map(len, texts)) > _LONGEST:
        if len(there) == len(here):
            at = next(n for n in range(len(here)) if there[n] != here[n])
            name = f"{name}: value {at + 1} of {len(here)} is"
            return f"{name} {_text(there[at])} there, {_text(here[at])} here"
        texts = f"{len(there)} values", f"{len(here)} values"
    return f"{name}: {texts[0]} there, {texts[1]} here"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)
