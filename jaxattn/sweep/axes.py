"""The axes of a sweep: what varies along each dimension of its result."""

from dataclasses import dataclass
from typing import TypeAlias

from jaxattn.contracts import InputError

__all__ = ["Axis", "Value"]

Value: TypeAlias = bool | int | float | str
"""One value on an axis."""


@dataclass(frozen=True)
class Axis:
    """One dimension of a sweep, and the names that move together along it.

    An axis of one name has that name's values as its coordinate. Zipped and drawn axes have
    several columns: their coordinate counts 0, 1, ..., and each column is a further coordinate.

    Raises:
        InputError: no values, columns of different lengths, or a repeated point.
    """

    name: str
    columns: tuple[tuple[str, tuple[Value, ...]], ...]

    def __post_init__(self) -> None:
        """Refuse what is no axis."""
        lengths = {name: len(values) for name, values in self.columns}
        if not lengths or not all(lengths.values()):
            raise InputError(f"axis {self.name}: got no values, expected at least one; drop it.")
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{count} of {name}" for name, count in lengths.items())
            raise InputError(
                f"axis {self.name}: got {got}, expected equally many values of what moves "
                "together; lengthen the shorter ones."
            )
        points = list(zip(*(values for _, values in self.columns), strict=True))
        if len(set(points)) < len(points):
            twice = next(point for at, point in enumerate(points) if point in points[:at])
            raise InputError(
                f"axis {self.name}: got {', '.join(map(str, twice))} twice, expected each value "
                "once; drop one."
            )

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

    def at(self, index: int) -> dict[str, Value]:
        """The values at one point."""
        return {name: values[index] for name, values in self.columns}
