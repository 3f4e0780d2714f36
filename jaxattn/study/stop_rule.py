"""When a row of training may end before its last step: asked of its measures, at edges."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxattn.core.contracts import InputError, MeasureSpec, Problem, Status
from jaxattn.core.lookup import resolve

__all__ = ["Rule", "Stop"]

Rule: TypeAlias = Callable[
    [Mapping[str, Float[np.ndarray, "row save ..."]], Bool[np.ndarray, " row"]],
    Int[np.ndarray, " row"],
]
"""``rule(measures so far, diverged so far) -> Status``: RUNNING where a row is to go on."""

_OBJECTIVE = MeasureSpec("objective")
_NORM = MeasureSpec("gradient_norm")
_TEXT, _NUMBER, _WHOLE, _FLAG = (str,), (int, float), (int,), (bool,)
_WORDS = {_TEXT: "a name", _NUMBER: "a number", _WHOLE: "an integer", _FLAG: "true or false"}
_KEYS = {"every": _WHOLE, "diverged": _FLAG}
_LEVEL_KEYS = {"measure": _TEXT, "split": _TEXT, "below": _NUMBER, "above": _NUMBER}


@dataclass(frozen=True)
class Stop:
    """What ends a row early; looked at after every `every` saves.

    Raises:
        InputError: nothing to stop by, or a level that is none.
    """

    every: int = 1
    measure: str | None = None
    """A row has converged once this is at the level or beyond: a measure of the problem that is
    one number (by inference rule: under the paradigm's own), ``objective``, or ``gradient_norm``
    (of all parts together). None: no row converges."""
    split: str = "train"
    """Where `measure` is taken; the objective and the gradient have no split."""
    below: float | int | None = None
    """The level, from above: at or below it a row has converged."""
    above: float | int | None = None
    """The level, from below."""
    diverged: bool = True
    """Whether rows that have diverged end too."""

    def __post_init__(self) -> None:
        """Refuse what stops nothing, and levels that are none."""
        if self.every < 1:
            raise InputError(f"stop: got every = {self.every}, expected at least 1.")
        levels = {"below": self.below, "above": self.above}
        given = {name: level for name, level in levels.items() if level is not None}
        for name, level in given.items():
            if not isfinite(level):
                raise InputError(f"stop: got {name} = {level}, expected a finite number.")
        if self.measure is None and not self.diverged:
            raise InputError(
                "stop: got nothing to stop by, expected `converged`, `diverged = true` or both; "
                "leave `stop` out to stop no row."
            )
        if self.measure is None and given:
            raise InputError(f"stop: got {', '.join(given)} of no measure; name a measure.")
        if self.measure is not None and len(given) != 1:
            got = "both below and above" if given else "neither below nor above"
            raise InputError(f"stop: got {got} for {self.measure}, expected one of the two.")

    @classmethod
    def from_plain(cls, table: Mapping[str, Any]) -> "Stop":
        """The rule of a table as TOML gives it.

        ``{every = 2, converged = {measure = "objective", below = 1e-3}, diverged = true}``;
        `converged` may name a ``split`` too.

        Raises:
            InputError: a key that is not known, or what is no `Stop`.
        """
        level = table.get("converged", {})
        if not isinstance(level, Mapping) or ("converged" in table and "measure" not in level):
            raise InputError(
                f"stop: got converged = {level!r}, expected a table such as "
                '{measure = "objective", below = 1e-3}.'
            )
        rest = {name: value for name, value in table.items() if name != "converged"}
        _checked(_KEYS, "key of stop", rest)
        _checked(_LEVEL_KEYS, "key of stop.converged", level)
        return cls(**rest, **level)

    def rule(self, problem: Problem, splits: Sequence[str], dynamics: str = "train") -> Rule:
        """The decision for rows of a problem, as a pure function of NumPy arrays.

        Divergence goes before convergence; a row that diverged and may go on never converges.

        Args:
            problem: gives the names of the measures, and the paradigm's own inference rule.
            splits: those it is measured on, in the order of the measures' axis.
            dynamics: stopping is for training; a flow's steps are its solver's.

        Raises:
            InputError: no such measure or split, one that is not one number, or another dynamics.
        """
        if dynamics != "train":
            raise InputError(
                f"stop: got the dynamics {dynamics!r}, expected train: `stop` is for training; "
                "leave it out, or sweep the two apart."
            )
        read = None if self.measure is None else self._reader(problem, splits)
        level = self.below if self.above is None else self.above

        def rule(measures: Mapping[str, np.ndarray], diverged: np.ndarray) -> np.ndarray:
            ends = np.full(len(diverged), int(Status.RUNNING))
            if read is not None:
                # Sides are written out, as NaN is on neither.
                last = read(measures)
                reached = last <= level if self.above is None else last >= level
                ends[reached & ~diverged] = Status.CONVERGED
            if self.diverged:
                ends[diverged] = Status.DIVERGED
            return ends

        return rule

    def _reader(
        self, problem: Problem, splits: Sequence[str]
    ) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
        """The number that is compared with the level, at the last save there is."""
        specs = {spec.name: spec for spec in (_OBJECTIVE, _NORM, *problem.measures)}
        usable = {name: spec for name, spec in specs.items() if spec.dims in ((), ("inference",))}
        if self.measure in specs and self.measure not in usable:
            raise InputError(
                f"stop: got the measure {self.measure!r}, which has the axis "
                f"{specs[self.measure].dims[-1]}, expected one number: {', '.join(sorted(usable))}."
            )
        spec = resolve("measure to stop by", usable, self.measure)
        if spec is _OBJECTIVE:
            return lambda measures: measures["objective"][:, -1]
        if spec is _NORM:
            return lambda measures: np.sqrt(np.sum(measures["gradient_norm"][:, -1] ** 2, axis=-1))
        name = spec.name
        split = resolve("split to stop by", {s: at for at, s in enumerate(splits)}, self.split)
        if not spec.dims:
            return lambda measures: measures[name][:, -1, split]
        rule = spec.coords[0].index(problem.natural_inference)
        return lambda measures: measures[name][:, -1, split, rule]


def _checked(known: Mapping[str, tuple[type, ...]], kind: str, table: Mapping[str, Any]) -> None:
    for name, value in table.items():
        types = resolve(kind, known, str(name))
        # True is an integer to Python, and to nobody else.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise InputError(f"stop: got {name} = {value!r}, expected {_WORDS[types]}.")
