"""A spec written down: as plain values, as canonical JSON, as a hash; and two specs compared."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from jaxattn.canonical import canonical_json, plain
from jaxattn.sweep.spec import Spec

__all__ = ["difference", "spec_hash", "spec_json", "to_plain"]

_LONGEST = 60
"""Characters of a value in a line of differences."""


def to_plain(spec: Spec) -> dict[str, Any]:
    """The tables of `spec` with nothing left to default; axes a list, as their order counts."""
    return plain(
        {
            "task": spec.task,
            "model": spec.model,
            "settings": spec.settings,
            "axes": [{"name": axis.name, "columns": dict(axis.columns)} for axis in spec.axes],
            "layout": asdict(spec.layout),
            "output": {
                "processes": spec.processes,
                "measures": spec.measures,
                "params": spec.keep_params,
            },
            "stop": spec.stop,
        }
    )


def spec_json(spec: Spec) -> str:
    """Canonical JSON: `jaxattn.sweep.from_plain` of what it says is the spec again."""
    return canonical_json(to_plain(spec))


def spec_hash(spec: Spec) -> str:
    """SHA-256 of the canonical JSON: what the chunks of one sweep have in common."""
    return sha256(spec_json(spec).encode()).hexdigest()


def difference(a: Spec, b: Spec) -> list[str]:
    """What differs, a line each: ``settings.steps: 200 there, 300 here``; `a` is there."""
    there, here = (dict(_lines("", _by_axis(to_plain(spec)))) for spec in (a, b))
    return [
        f"{name}: {_short(there, name)} there, {_short(here, name)} here"
        for name in dict.fromkeys((*there, *here))
        if there.get(name, there) != here.get(name, here)
    ]


def _by_axis(tables: dict[str, Any]) -> dict[str, Any]:
    axes = {axis["name"]: axis["columns"] for axis in tables["axes"]}
    flat = {
        name: columns.get(name) if list(columns) == [name] else columns
        for name, columns in axes.items()
    }
    return {**tables, "axes": {**flat, "order": list(axes)}}


def _lines(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, item in value.items():
        yield from _lines(f"{path}.{key}" if path else key, item)


def _short(lines: Mapping[str, Any], name: str) -> str:
    if name not in lines or lines[name] is None:
        return "none"
    value = lines[name]
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
