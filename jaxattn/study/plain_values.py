"""Plain values: what can be written down in TOML and JSON, read back, and is still the same."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from jaxattn.core.arrays import refuse_missing
from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import nearest
from jaxattn.flow import optimiser_of
from jaxattn.study.checks import exactly_held, number, shown, unwrapped
from jaxattn.study.fields import AUTO
from jaxattn.study.settings import AGAINST_DEFAULTS, DEFAULTS, FIXED, STATIC, YOUNGER, Settings

__all__ = ["checked_settings", "plain_table"]

_ELSEWHERE = {"flow_seeds": "flows to be asked for by dynamics in [output]"}
_TABLE = {one.name: one for one in fields(Settings)}


def plain_table(name: str, given: Any) -> dict[str, Any]:
    """A table of plain values, as one's own: tuples as lists, numbers of any library as Python's.

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
    refuse_missing(name, value)
    value = unwrapped(value)
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if value is not None and not isinstance(value, bool | int | float | str):
        raise InputError(
            f"{name}: got {shown(value)}, expected a number, text, or a list of them; name a "
            "component of your own by its import path, package.module:attribute."
        )
    exactly_held(name, value)
    return value


def checked_settings(
    given: dict[str, Any], swept: set[str], usual: Mapping[str, Any] = DEFAULTS
) -> dict[str, Any]:
    """Settings that all runs share, in their one form, with the defaults of those not given.

    Args:
        given: plain values.
        swept: names on axes, which get no default.
        usual: what auto stands for.

    Raises:
        InputError: an unknown name, or a value of another kind or out of its bounds.
    """
    known = (*FIXED, *STATIC)
    for name in given:
        if name in _ELSEWHERE:
            raise InputError(f"settings: got {name!r}, expected {_ELSEWHERE[name]}.")
        if name not in (*known, "hypers"):
            raise InputError(
                f"settings: got {name!r}, expected one of {', '.join((*known, 'hypers'))}; "
                f"{nearest(name, known)} (hyperparameters belong in [settings.hypers])"
            )
    given = {n: at for n, at in given.items() if n not in YOUNGER or not _is_auto(at)}
    names = [n for n in known if n in given or n not in (*swept, *YOUNGER)]
    suits = _suits(_setting("against", given.get("against", AUTO), usual), usual)
    settings = {name: _setting(name, given.get(name, AUTO), suits) for name in names}
    return {**settings, "hypers": _hypers(given.get("hypers", {}))}


def _suits(against: list[str], usual: Mapping[str, Any]) -> Mapping[str, Any]:
    """What auto stands for. Beside limits a solver has to suit the model, which may vary."""
    if not against:
        return usual
    solver = {"flow_solver": AUTO, "flow_rtol": AUTO}
    return {**usual, **AGAINST_DEFAULTS, **solver, "optimiser": optimiser_of(against)}


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == AUTO


def _setting(name: str, value: Any, suits: Mapping[str, Any]) -> Any:
    """One setting as plain values; what was not said is what the settings have by default."""
    if _is_auto(value):
        return suits[name] if name in suits else _plain(name, _TABLE[name].default)
    kind, called = _TABLE[name].metadata["kind"], f"settings.{name}"
    if kind.is_component and not isinstance(value, str):
        raise InputError(f"{called}: got {shown(value)}, expected a name in quotes.")
    if name == "batch_size" and value is None:
        return None
    read = kind.read(called, value)
    if name == "batch_size" and read == "all":
        return None
    if name == "vary" and read is not None:
        return sorted(set(read))
    return _plain(name, kind.plain(read))


def _hypers(given: Any) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise InputError(f"settings.hypers: got {shown(given)}, expected a table of numbers.")
    return {name: number(f"settings.hypers.{name}", value) for name, value in given.items()}
