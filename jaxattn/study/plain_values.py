"""Plain values: what can be written down in TOML and JSON, read back, and is still the same."""

from collections.abc import Mapping
from dataclasses import fields
from math import isfinite
from typing import Any

import numpy as np

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import nearest
from jaxattn.study.axes import shown
from jaxattn.study.resolve import FIXED, STATIC
from jaxattn.study.settings import VARIED, Settings
from jaxattn.study.values import EXACT, whole_number

__all__ = ["checked_settings", "plain_table"]

_INTEGERS = ("steps", "evaluate", "flow_examples")
_NUMBERS = ("flow_rtol", "focus_level", "fit_level")
_NAMES = ("optimiser", "schedule", "order", "attention", "flow_solver", "precision")
_ELSEWHERE = {
    "flow_seeds": "flows to be asked for by processes in [output]",
    "against": "continuous limits to be asked for of jaxattn compare; leave it out",
    "curvature": "the sharpness to be asked for of jaxattn compare; leave it out",
}
_HELD = 2**31 - 1
_SAVES = 100_000


def plain_table(name: str, given: Any) -> dict[str, Any]:
    """A table of plain values, as one's own: tuples as lists, NumPy numbers as Python's.

    Raises:
        InputError: no table, or a value that TOML and JSON cannot both hold.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"{name}: got {shown(given)}, expected a table of names and values.")
    start = f"{name}." if name != "spec" else ""
    return {_key(name, key): _plain(f"{start}{key}", value) for key, value in given.items()}


def _key(name: str, key: Any) -> str:
    if not isinstance(key, str) or not key.isidentifier():
        raise InputError(f"{name}: got the key {shown(key)}, expected letters, digits and _.")
    return key


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain_table(name, value)
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(name, item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is not None and not isinstance(value, bool | int | float | str):
        raise InputError(
            f"{name}: got {shown(value)}, expected a number, text, or a list of them; name a "
            "component of your own by its import path, package.module:attribute."
        )
    if isinstance(value, float) and not isfinite(value):
        raise InputError(f"{name}: got {value}, expected a finite number.")
    if isinstance(value, int) and abs(value) > EXACT:
        raise InputError(f"{name}: got {shown(value)}, expected an integer within 2**53.")
    return value


def checked_settings(given: dict[str, Any], swept: set[str]) -> dict[str, Any]:
    """Settings that all runs share, of the right types, with the defaults of those not given.

    Args:
        given: plain values.
        swept: names on axes, which get no default.

    Raises:
        InputError: an unknown name, or a value of another type.
    """
    known = (*FIXED, *STATIC, "hypers")
    for name in given:
        if name in _ELSEWHERE:
            raise InputError(f"settings: got {name!r}, expected {_ELSEWHERE[name]}.")
        if name not in known:
            raise InputError(
                f"settings: got {name!r}, expected one of {', '.join(known)}; "
                f"{nearest(name, known) or 'hyperparameters belong in [settings.hypers].'}"
            )
    found = {f.name: f.default for f in fields(Settings) if f.name in known and f.name not in swept}
    found |= {**given, "hypers": _hypers(given.get("hypers", {}))}
    for name, value in found.items():
        if name in _INTEGERS or (name == "batch_size" and value not in (None, "all")):
            whole_number(f"settings.{name}", value, 1, _HELD)
        if name in _NUMBERS:
            found[name] = _number(f"settings.{name}", value)
        if name in _NAMES and not isinstance(value, str):
            raise InputError(f"settings.{name}: got {shown(value)}, expected a name in quotes.")
    if found.get("batch_size") == "all":
        found["batch_size"] = None
    if isinstance(found["saves"], list):
        for step in found["saves"]:
            whole_number("settings.saves", step, 0, _HELD)
    else:
        whole_number("settings.saves", found["saves"], 2, _SAVES)
    if (vary := found["vary"]) is not None:
        if not isinstance(vary, list) or not all(one in VARIED for one in vary):
            raise InputError(
                f"settings.vary: got {shown(vary)}, expected a list of {', '.join(VARIED)}."
            )
        found["vary"] = sorted(set(vary))
    return found


def _hypers(given: Any) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise InputError(f"settings.hypers: got {shown(given)}, expected a table of numbers.")
    return {name: _number(f"settings.hypers.{name}", value) for name, value in given.items()}


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name}: got {shown(value)}, expected a number.")
    return float(value)
