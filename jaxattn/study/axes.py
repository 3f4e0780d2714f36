"""The axes of a sweep: what varies along each dimension of its result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from jaxattn.core.errors import InputError
from jaxattn.study.checks import MOST, exactly_held, shown, unwrapped

__all__ = ["Axis", "Value", "refuse_clashes", "refuse_taken"]

Value: TypeAlias = bool | int | float | str
"""One value on an axis."""


@dataclass(frozen=True)
class Axis:
    """One dimension of a sweep, and the names that move together along it.

    An axis of one name has that name's values as its coordinate. Zipped and drawn axes have
    several columns: their coordinate counts 0, 1, ..., and each column is a further coordinate.
    Columns are kept in the order of their names, which means nothing.

    Raises:
        InputError: a name that is none, no values, too many, columns of different lengths or of
            mixed kinds, or a repeated point.
    """

    name: str
    columns: tuple[tuple[str, tuple[Value, ...]], ...]

    def __post_init__(self) -> None:
        """Refuse what is no axis."""
        columns = _columns(self.name, self.columns)
        object.__setattr__(self, "columns", columns)
        for name in (self.name, *self.names):
            if not isinstance(name, str) or not name.isidentifier():
                raise InputError(
                    f"axes: got the name {shown(name)}, expected letters, digits and underscores; "
                    "rename it."
                )
        lengths = {name: len(values) for name, values in self.columns}
        if not lengths or not all(lengths.values()):
            raise InputError(f"axis {self.name}: got no values, expected at least one; drop it.")
        if len(lengths) < len(self.columns):
            raise InputError(f"axis {self.name}: got a name twice, expected each once; drop one.")
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{count} of {name}" for name, count in lengths.items())
            raise InputError(
                f"axis {self.name}: got {got}, expected equally many values of what moves "
                "together; lengthen the shorter ones."
            )
        if len(self) > MOST:
            raise InputError(
                f"axis {self.name}: got {len(self)} values, expected at most {MOST}; split it."
            )
        for name, values in self.columns:
            if len(kinds := {_kind(value) for value in values}) > 1:
                raise InputError(
                    f"axis {name}: got {' and '.join(sorted(kinds))}, expected one kind of value."
                )
        seen = set()
        for point in zip(*(values for _, values in self.columns), strict=True):
            if point in seen:
                raise InputError(
                    f"axis {self.name}: got {', '.join(map(shown, point))} twice, expected each "
                    "value once; drop one."
                )
            seen.add(point)

    def __len__(self) -> int:
        """Number of points."""
        return len(self.columns[0][1])

    @property
    def names(self) -> tuple[str, ...]:
        """What varies along it."""
        return tuple(name for name, _ in self.columns)

    @property
    def is_joint(self) -> bool:
        """Whether its coordinate only counts, the values being in further coordinates."""
        return self.names != (self.name,)

    @property
    def coordinate(self) -> tuple[Value, ...]:
        """Its labels: the values of its one column, or 0, 1, ..."""
        return tuple(range(len(self))) if self.is_joint else self.columns[0][1]

    def at(self, index: int) -> dict[str, Value]:
        """The values at one point."""
        return {name: values[index] for name, values in self.columns}


def _columns(axis: Any, given: Any) -> tuple[tuple[str, tuple[Value, ...]], ...]:
    """Columns in the order of their names, numbers of any library as Python's.

    Raises:
        InputError: no pairs of a name and its values.
    """
    pairs = given if isinstance(given, list | tuple) else [given]
    columns: dict[str, list[tuple[Value, ...]]] = {}
    for pair in pairs:
        name, values = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
        values = unwrapped(values)
        if not isinstance(name, str) or not isinstance(values, list | tuple):
            raise InputError(
                f"axis {axis}: got {shown(pair)}, expected a pair of a name and its values."
            )
        columns.setdefault(name, []).append(tuple(_value(name, value) for value in values))
    return tuple((name, values) for name in sorted(columns) for values in columns[name])


def _value(name: str, value: Any) -> Value:
    plain = unwrapped(value)
    if not isinstance(plain, bool | int | float | str):
        raise InputError(f"axis {name}: got {shown(value)}, expected a number or a name.")
    exactly_held(f"axis {name}", plain)
    return plain


def _kind(value: Value) -> str:
    return {bool: "booleans", str: "names"}.get(type(value), "numbers")


def refuse_clashes(axes: tuple[Axis, ...], fixed: Mapping[str, str]) -> None:
    """Each name varies along one axis, and does not hold for all runs as well.

    Args:
        axes: all axes of a sweep.
        fixed: where else a name is given, by name.

    Raises:
        InputError: two axes of a name, or a name given twice.
    """
    dims: set[str] = set()
    axis_of: dict[str, str] = {}
    for axis in axes:
        if axis.name in dims:
            raise InputError(f"axes: got {axis.name!r} twice, expected each name once; drop one.")
        dims.add(axis.name)
        for name in axis.names:
            if name in axis_of:
                raise InputError(
                    f"axes: got {name!r} on the axes {axis_of[name]} and {axis.name}, expected it "
                    "on one; drop it from the other."
                )
            axis_of[name] = axis.name
            if name in fixed:
                raise InputError(
                    f"axes: got {name!r} on the axis {axis.name} and in {fixed[name]}, expected it "
                    "in one place; drop one."
                )
    refuse_taken(axes, {*axis_of, *fixed})


def refuse_taken(axes: tuple[Axis, ...], taken: Iterable[str]) -> None:
    """The name of values that move together is none of the names `taken`.

    Raises:
        InputError: it is one.
    """
    for axis in axes:
        if axis.is_joint and axis.name in taken:
            raise InputError(
                f"axes: got {axis.name!r} as the name of values that move together, which is taken "
                "by something else; rename the axis."
            )
