"""A spec read: from the text of a TOML file, or from plain values as TOML and JSON give them."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from jaxattn.core.errors import InputError, in_a_line
from jaxattn.study.axes import Axis
from jaxattn.study.checks import known_keys, shown
from jaxattn.study.plain_values import plain_table
from jaxattn.study.spec import Layout, Spec
from jaxattn.study.values import read_axis, read_column

__all__ = ["from_plain", "parse_spec"]

TABLES = (
    "task",
    "model",
    "problem",
    "data",
    "measures",
    "settings",
    "axes",
    "layout",
    "output",
    "stop",
)
_UNITS = {"": 1, "B": 1} | {
    f"{letter}{kind}": base**power
    for power, letter in enumerate("kMGT", 1)
    for kind, base in (("B", 1000), ("iB", 1024))
}
_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)\s*")


def parse_spec(text: str) -> Spec:
    """The spec that the text of a TOML file describes.

    Raises:
        InputError: no TOML, with the line; or what `from_plain` refuses.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"spec: got what is no TOML: {in_a_line(error)}; mend it there."
        ) from error
    return from_plain(tables)


def from_plain(tables: Mapping[str, Any]) -> Spec:
    """A spec from its tables: of a TOML file, or as `jaxattn.study.spec_hash.to_plain` gives them.

    Raises:
        InputError: an unknown key, or anything that `Spec` refuses.
    """
    tables = plain_table("spec", tables)
    known_keys("spec", tables, TABLES)
    if "axes" not in tables:
        raise InputError("spec: got no [axes], expected what varies; add it.")
    output = tables.get("output", {})
    if isinstance(output, Mapping) and "processes" in output and "dynamics" not in output:
        # As specs called them before.
        output = {"dynamics" if key == "processes" else key: at for key, at in output.items()}
    known_keys("output", output, ("dynamics", "measures", "params"))
    measures = output.get("measures")
    return Spec(
        task=plain_table("task", tables.get("task", {})),
        axes=_axes(tables["axes"]),
        model=_optional("model", tables),
        settings=plain_table("settings", tables.get("settings", {})),
        dynamics=_names("output.dynamics", output.get("dynamics", ["train"])),
        measures=None if measures is None else _names("output.measures", measures),
        layout=_layout(tables.get("layout", {})),
        keep_params=output.get("params", False),
        own_measures=plain_table("measures", tables.get("measures", {})),
        **{name: _optional(name, tables) for name in ("problem", "data", "stop")},
    )


def _optional(name: str, tables: Mapping[str, Any]) -> dict[str, Any] | None:
    return None if tables.get(name) is None else plain_table(name, tables[name])


def _axes(given: Any) -> tuple[Axis, ...]:
    if isinstance(given, Mapping):
        return tuple(read_axis(name, written) for name, written in given.items())
    if not isinstance(given, list):
        raise InputError(f"axes: got {shown(given)}, expected a table of names and their values.")
    return tuple(_axis(one) for one in given)


def _axis(given: Any) -> Axis:
    known_keys("axes", given, ("name", "columns"))
    if not isinstance(given.get("name"), str):
        raise InputError(f"axes: got {shown(given)}, expected a name for each axis of a list.")
    columns = plain_table("axes.columns", given.get("columns"))
    # A value may come again with others beside it.
    return Axis(given["name"], tuple(read_column(*column) for column in columns.items()))


def _layout(given: Any) -> Layout:
    known = tuple(f.name for f in fields(Layout))
    known_keys("layout", given, known)
    layout = dict(given)
    if "memory" in layout:
        layout["memory"] = _bytes(layout["memory"])
    if layout.get("groups") is not None:
        layout["groups"] = _pairs(layout["groups"])
    return Layout(**layout)


def _pairs(given: Any) -> tuple[tuple[int, int], ...]:
    pairs = isinstance(given, list) and all(isinstance(p, list) and len(p) == 2 for p in given)
    if not pairs:
        raise InputError(f"layout.groups: got {shown(given)}, expected pairs [tile, tiles].")
    return tuple((tile, tiles) for tile, tiles in given)


def _bytes(given: Any) -> int:
    """A number of bytes, or one with its unit: 512 MiB, 2 GiB, 1.5 GB."""
    if isinstance(given, str) and (size := _SIZE.fullmatch(given)) and size[2] in _UNITS:
        return int(float(size[1]) * _UNITS[size[2]])
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    raise InputError(
        f'layout.memory: got {shown(given)}, expected bytes, as 1073741824, "512 MiB" or "2 GiB".'
    )


def _names(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise InputError(f"{name}: got {shown(given)}, expected a list of names.")
    return tuple(given)
