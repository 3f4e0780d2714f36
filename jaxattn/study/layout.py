"""A sweep laid out: the plan of each group, and chunks numbered through all of them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

import numpy as np
from jaxtyping import Float

from jaxattn.core.contracts import InputError
from jaxattn.study.groups import THEORY, Group, make_groups
from jaxattn.study.plan import Chunk, Plan, make_plan
from jaxattn.study.spec import Spec
from jaxattn.training.saves import clocks

__all__ = ["Sweep", "lay_out", "plan_of"]


@dataclass(frozen=True, eq=False)
class Sweep:
    """A spec with its layout, whole: what a chunk is a function of.

    Raises:
        InputError: a spec that is not laid out, or laid out for other groups.
    """

    spec: Spec
    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        """Refuse what is not laid out."""
        laid = self.spec.layout.groups
        if laid is None or len(laid) != len(self.groups):
            raise InputError(
                f"layout: got {'none' if laid is None else f'one of {len(laid)} groups'}, expected "
                f"one of {len(self.groups)}; lay the spec out with jaxattn.study.layout.lay_out."
            )

    @classmethod
    def of(cls, spec: Spec) -> "Sweep":
        """The sweep of a spec that has been laid out."""
        return cls(spec, make_groups(spec))

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """The rows of each group."""
        laid = self.spec.layout.groups or ()
        return tuple(
            plan_of(group, tile, tiles)
            for group, (tile, tiles) in zip(self.groups, laid, strict=True)
        )

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(plan.chunk_count for plan in self.plans))

    @property
    def chunk_count(self) -> int:
        """Chunks of all groups."""
        return self._ends[-1]

    @cached_property
    def dynamics(self) -> tuple[str, ...]:
        """What its rows are of: training first, then flows or limits, exact theory last."""
        run = dict.fromkeys(group.dynamics for group in self.groups if group.dynamics != THEORY)
        exact = any(group.dynamics == THEORY for group in self.groups)
        return (*run, *((THEORY,) if exact else ()))

    @property
    def rows(self) -> int:
        """Runs of all groups."""
        return sum(plan.size for plan in self.plans)

    def locate(self, number: int) -> tuple[Group, Plan, Chunk]:
        """The chunk of this number, 0 <= number < `chunk_count`."""
        place = bisect_right(self._ends, number)
        first = self._ends[place - 1] if place else 0
        plan = self.plans[place]
        return self.groups[place], plan, plan.chunk(number - first)


def lay_out(spec: Spec, groups: Sequence[Group], laid: Sequence[tuple[int, int]]) -> Sweep:
    """Fix the tile, and the tiles of a chunk, of each group."""
    layout = replace(spec.layout, groups=tuple((int(tile), int(tiles)) for tile, tiles in laid))
    return Sweep(replace(spec, layout=layout), tuple(groups))


def plan_of(group: Group, tile: int, tiles: int, *, by_cost: bool = True) -> Plan:
    """The rows of a group in tiles of `tile` rows, `tiles` of them a chunk.

    Flows are in the order of their cost, unless nobody asks for the order (`by_cost` False).
    """
    cost = _horizon(group) if by_cost and group.dynamics == "flow" else None
    return make_plan(group.axes, group.seeds, group.constants, tile=tile, at_once=tiles, cost=cost)


def _horizon(group: Group) -> Float[np.ndarray, " point"]:
    """Time that a flow covers at each point of the traced axes: what its steps grow with."""
    study = group.study
    return np.asarray(clocks(study.optimiser, group.hypers, (0, study.settings.steps)))[:, -1]
