"""A tile of rows in parts, each a stage: what runs have in common is traced and compiled once.

Initial parameters and measures are the same functions for all paradigms and dynamics of one
precision, and the order of minibatches for all that train. What is left of a paradigm is the path
of its parameters, and the objective with its gradient along it. So the path hands on the
parameters at all saves, and needs memory for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Integer, PyTree

from jaxattn.core.contracts import (
    Data,
    Hyper,
    MeasureSpec,
    Params,
    Path,
    Problem,
    Splits,
    Trajectory,
)
from jaxattn.core.kept import kept
from jaxattn.core.protocols import Measure, StartParams
from jaxattn.core.streams import streams
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import joined, make_loss_probe, make_measure
from jaxattn.problems.check_problem import checked, checked_measure, checked_probe
from jaxattn.problems.data import as_learnt, everything
from jaxattn.problems.large_sets import filled
from jaxattn.problems.microbatch import gradient_in_pieces
from jaxattn.problems.minibatches import Order, epoch_rows
from jaxattn.run.own_error import SHARE
from jaxattn.run.stage import Call, Stage

__all__ = ["Dynamics", "RowInParts", "make_parts"]


@dataclass(frozen=True, eq=False)
class Dynamics:
    """A dynamics without its measures: training, or a limit."""

    path: Callable[..., Path]
    """``path(params, hyper, learn, train, keys, rows)``; `train` is what is measured, `rows` are
    those of minibatches, or None."""
    end: Callable[[Path, Hyper, Array], Trajectory]
    end_reads: tuple[str, ...]
    """Hyperparameters that `end` reads."""
    steps: int | None
    """How many steps training takes at most; None: of a limit, which draws no minibatches."""


@dataclass(frozen=True, eq=False)
class RowInParts:
    """How a tile of rows is computed in parts; see `make_parts`."""

    problem: Problem
    order: Order
    dynamics: Dynamics
    probes: tuple[Probe, ...]
    vary_init: bool
    start: Stage
    path: Stage
    judge: Stage
    measure: Stage | None
    end: Stage

    def common(self, call: Call, data: Splits) -> PyTree:
        """What all tiles on one device share: the order of minibatches, where seeds do."""
        if not self.order.shared:
            return None
        return self._rows(call, np.zeros((), np.uint32), data)

    def __call__(
        self, call: Call, seeds: Any, hypers: Mapping[str, Any], data: Splits, common: PyTree
    ) -> Trajectory:
        """The rows of one tile ``[row]``: shapes, or arrays, as `call` has it."""
        own = {name: values for name, values in hypers.items() if name != SHARE}
        few = self._read(own, self.problem.reads)
        starts = seeds if self.vary_init else np.zeros(seeds.shape, seeds.dtype)
        params = call(self.start, starts, few)
        rows = common if self.order.shared else self._rows(call, seeds, data)
        train = data.evaluate["train"]
        path = call(self.path, seeds, hypers, params, data.learn, train, rows)
        along = (path.time, path.params, path.state, path.scale)
        measures = path.of_loss or call(self.judge, seeds, own, along, train)
        if self.measure is not None:
            more = call(self.measure, few, path.params, data.evaluate)
            measures = joined(measures, self.problem, more, self.probes)
        path = path._replace(state=(), scale=None, of_loss=())
        end = self._read(own, self.dynamics.end_reads)
        trajectory = call(self.end, path, end, measures["objective"])
        return trajectory._replace(measures=measures)

    def _rows(self, call: Call, seeds: Any, data: Splits) -> PyTree:
        if self.dynamics.steps is None or not self.order.in_epochs:
            return None
        count = data.learn.examples.weight.shape[-1]
        stage = _order_stage(self.order, count, self.dynamics.steps)
        return call(stage, seeds)

    @staticmethod
    def _read(hypers: Mapping[str, Any], reads: tuple[str, ...] | None) -> dict[str, Any]:
        """Those that a part may read: no others, so that paradigms which have some share it."""
        allowed = None if reads is None else {"learning_rate", *reads}
        return {name: at for name, at in hypers.items() if allowed is None or name in allowed}


@kept
def make_parts(
    problem: Problem,
    dynamics: Dynamics,
    order: Order,
    probes: tuple[Probe, ...],
    measures: frozenset[str] | None,
    vary_init: bool,
    vary_data: bool,
) -> RowInParts:
    """The rows of `make_row`, in parts.

    Args:
        problem: what is learnt.
        dynamics: how.
        order: of minibatches.
        probes: what else is measured of the loss.
        measures: the problem's measures to keep; None: all.
        vary_init: as in `make_row`.
        vary_data: whether examples have a leading axis ``[row]`` too.
    """
    names = frozenset(spec.name for spec in problem.measures)
    wanted = names if measures is None else names & measures
    # Own problems measure by functions of their own; those of attention are one for all paradigms.
    owner = f"problem {problem.name!r}" if problem.name and problem.reads is None else "problem"
    return RowInParts(
        problem=problem,
        order=order,
        dynamics=dynamics,
        probes=probes,
        vary_init=vary_init,
        start=_start_stage(problem.init),
        path=_path_stage(problem, dynamics, order.shared, vary_data),
        judge=_judge_stage(problem, probes, vary_data),
        measure=_measure_stage(
            problem.measure,
            problem.measure_split,
            problem.measures,
            owner,
            wanted,
            problem.precision,
            vary_data,
        )
        if wanted
        else None,
        end=_end_stage(dynamics.end),
    )


@kept
def _start_stage(init: StartParams) -> Stage:
    def start(seed: Integer[Array, ""], hyper: Hyper) -> Params:
        return init(streams(seed).init, hyper)

    return Stage(jax.vmap(start), once=True)


# Of nobody's own: an order that samples draws at every step.
@lru_cache(maxsize=64)
def _order_stage(order: Order, count: int, steps: int) -> Stage:
    def rows(seed: Integer[Array, ""]) -> Any:
        return epoch_rows(order, count, steps, streams(seed).order)

    return Stage(rows if order.shared else jax.vmap(rows), once=True)


@kept
def _path_stage(problem: Problem, dynamics: Dynamics, shared_order: bool, vary_data: bool) -> Stage:
    del problem  # keeps it

    def path(
        seed: Integer[Array, ""],
        hyper: Hyper,
        params: Params,
        learn: Data,
        train: Data,
        rows: Any,
    ) -> Path:
        return dynamics.path(params, hyper, learn, train, streams(seed), rows)

    examples = _axis(vary_data)
    axes = (0, 0, 0, examples, examples, None if shared_order else 0)
    return Stage(jax.vmap(path, in_axes=axes))


@kept
def _judge_stage(problem: Problem, probes: tuple[Probe, ...], vary_data: bool) -> Stage:
    sound = checked(problem)
    of_loss = make_loss_probe(sound, gradient_in_pieces(sound), tuple(map(checked_probe, probes)))

    def judge(
        seed: Integer[Array, ""], hyper: Hyper, along: tuple, train: Data
    ) -> dict[str, Array]:
        # Probes see the whole set.
        read = everything if probes else filled
        batch, key = read(as_learnt(train), problem.precision), streams(seed).sample

        def at_save(save: tuple) -> dict[str, Array]:
            time, params, state, scale = save
            return of_loss(params, hyper, batch, time, key, state, scale)

        return jax.lax.map(at_save, along)

    return Stage(jax.vmap(judge, in_axes=(0, 0, 0, _axis(vary_data))))


@kept
def _measure_stage(
    measure: Measure,
    measure_split: Measure,
    specs: tuple[MeasureSpec, ...],
    owner: str,
    wanted: frozenset[str],
    precision: str,
    vary_data: bool,
) -> Stage:
    each, whole = (checked_measure(one, specs, owner) for one in (measure, measure_split))
    of_splits = make_measure(each, whole)

    def measured(hyper: Hyper, params: Params, evaluate: dict[str, Data]) -> dict[str, Array]:
        splits = {name: filled(split, precision) for name, split in evaluate.items()}

        def at_save(params: Params) -> dict[str, Array]:
            found = of_splits(params, hyper, splits)
            return {name: values for name, values in found.items() if name in wanted}

        return jax.lax.map(at_save, params)

    def of_rows(hyper: Any, params: Params, evaluate: dict[str, Data]) -> dict[str, Array]:
        axes = dict.fromkeys(evaluate, _axis(vary_data))
        return jax.vmap(measured, in_axes=(0, 0, axes))(hyper, params, evaluate)

    return Stage(of_rows)


@kept
def _end_stage(end: Callable[[Path, Hyper, Array], Trajectory]) -> Stage:
    return Stage(jax.vmap(end))


def _axis(vary_data: bool) -> Any:
    """Of data, to vmap over: examples may have one, pools have none."""
    return Data(0, None, 0) if vary_data else None
