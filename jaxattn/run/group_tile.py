"""What a tile of a group's rows computes: in parts, or each row whole."""

from typing import Any

import jax
from jaxtyping import PyTree

from jaxattn.core.contracts import Data, Hyper, Keys, Params, Path, Problem, Splits, Trajectory
from jaxattn.core.kept import kept
from jaxattn.flow import LIMITS
from jaxattn.flow.path import make_flow_end, make_flow_path
from jaxattn.flow.solve import Tolerances
from jaxattn.flow.solver import choose_solver
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep
from jaxattn.problems.minibatches import Order
from jaxattn.run.device import WIDER
from jaxattn.run.own_error import SHARE
from jaxattn.run.parts import Dynamics, make_parts
from jaxattn.run.tiles import Row, Tile, make_row, make_tile
from jaxattn.study.groups import Group
from jaxattn.study.study import Study
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.saves import AtTimes, OwnTimes, Saves, last_step
from jaxattn.training.train import make_train, make_train_end, make_train_path

__all__ = ["MOST_BYTES", "bytes_of", "tile_of"]

MOST_BYTES = 1 << 25
"""Bytes of the parameters of a tile at all its saves, above which a row measures as it trains: of
many rows at once they would be most of what a run needs. An accelerator's tile has as many more."""


def tile_of(
    group: Group,
    tile: int,
    params: PyTree,
    probes: tuple[Probe, ...],
    measures: frozenset[str] | None,
    keep_params: Keep,
    vary_data: bool,
) -> Tile:
    """How a tile of a group's rows is computed; nothing is compiled yet.

    In parts, where parameters at all saves are few enough; else whole, measured on the way.

    Args:
        group: what the rows share.
        tile: how many they are.
        params: shapes of the parameters of one.
        probes: what is measured besides the problem's own measures.
        measures: the problem's measures to keep; None: all.
        keep_params: as in `make_train`.
        vary_data: whether rows have data of their own.
    """
    study, problem = group.study, group.problem
    vary_init, scaled = "init" in study.vary, bool(probes)
    how = (problem, study.optimiser, study.saves, study.order)
    if group.dynamics != "train":
        dynamics = _limit(group, params, keep_params, scaled)
    elif tile * _bytes_of_path(study, params, scaled) <= _most_bytes(tile, problem.tile):
        dynamics = _training(
            problem, study.optimiser, study.saves, study.order, keep_params, scaled
        )
    else:
        how = (problem, study.optimiser, study.saves, study.order)
        train = make_train(*how, keep_params=keep_params, probes=probes)
        row = make_row(problem, train, study.order.shared, vary_init)
        unwanted = frozenset(spec.name for spec in problem.measures) - (measures or frozenset())
        return make_tile(row if measures is None else _without(row, unwanted), vary_data)
    return make_parts(problem, dynamics, study.order, probes, measures, vary_init, vary_data)


def bytes_of(shapes: PyTree) -> int:
    """Of arrays of these shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))


def _bytes_of_path(study: Study, params: PyTree, scaled: bool) -> int:
    """Of the parameters of one row at all saves."""
    return len(study.save_steps) * bytes_of(params) * (2 if scaled else 1)


def _most_bytes(tile: int, usual: int) -> int:
    """`MOST_BYTES` of a tile, by its rows alone: who lays a sweep out may have another device."""
    return MOST_BYTES * (WIDER if tile >= WIDER * usual else 1)


@kept
def _training(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves | OwnTimes,
    order: Order,
    keep_params: Keep,
    scaled: bool,
) -> Dynamics:
    path = make_train_path(problem, optimiser, saves, order, scaled)
    assert not isinstance(saves, OwnTimes)
    reads = [spec.name for spec in optimiser.hypers] if isinstance(saves, AtTimes) else []
    end = make_train_end(optimiser, saves, keep_params)
    return Dynamics(path, end, tuple(reads), last_step(saves))


def _limit(group: Group, params: PyTree, keep_params: Keep, scaled: bool) -> Dynamics:
    study = group.study
    how = Tolerances(**_solving(group, params))
    return _solved(
        group.problem,
        study.optimiser,
        study.saves,
        how,
        group.dynamics,
        study.order,
        keep_params,
        scaled,
    )


@kept
def _solved(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves | OwnTimes,
    how: Tolerances,
    limit: str,
    order: Order,
    keep_params: Keep,
    scaled: bool,
) -> Dynamics:
    solve = make_flow_path(
        problem, optimiser, saves, how, limit=limit, order=order, is_scaled=scaled
    )

    def path(
        params: Params, hyper: Hyper, learn: Data, train: Data, keys: Keys, rows: None
    ) -> Path:
        del train, rows
        own = {name: value for name, value in hyper.items() if name != SHARE}
        return solve(params, own, learn, keys, hyper.get(SHARE, 1.0))

    reads = [spec.name for spec in optimiser.hypers] if isinstance(saves, AtTimes) else []
    return Dynamics(path, make_flow_end(optimiser, saves, keep_params), tuple(reads), None)


def _solving(group: Group, params: PyTree) -> dict[str, Any]:
    """How a limit is solved: as asked, or at times of its own as suits those."""
    study, asked = group.study, group.study.settings
    if isinstance(study.saves, OwnTimes):
        count = sum(leaf.size for leaf in jax.tree.leaves(params))
        chosen = choose_solver(
            study.saves,
            count,
            asked.solve,
            smooth=study.subject.smooth,
            stochastic=LIMITS[group.dynamics].stochastic,
        )
        return chosen.arguments()
    return {
        "solver": asked.flow_solver,
        "rtol": asked.flow_rtol,
        "atol": asked.flow_atol,
        "max_steps": _most_steps(study),
    }


def _most_steps(study: Study) -> int:
    """Steps after which a flow is given up.

    Where training is stable, an explicit solver needs fewer steps than it: one that needs many more
    is stuck, as along a kink of a ReLU.
    """
    return 4 * study.saves.most + 1000 if isinstance(study.saves, AtTimes) else 100_000


@kept
def _without(row: Row, measures: frozenset[str]) -> Row:
    """`row` without these measures: the compiler does not compute them."""

    def less(seed: Any, hyper: Hyper, data: Splits) -> Trajectory:
        trajectory = row(seed, hyper, data)
        kept = {name: at for name, at in trajectory.measures.items() if name not in measures}
        return trajectory._replace(measures=kept)

    return less
