"""A flow cut in legs at fixed edges: where it can be stored, resumed to the bit, and stopped."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxattn.core.contracts import (
    Hyper,
    InputError,
    Keys,
    Params,
    Problem,
    Splits,
    Status,
    Trajectory,
)
from jaxattn.flow.events import Stop
from jaxattn.flow.flow import WHOLE, ended
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext
from jaxattn.flow.limits.gradient import LIMIT as FLOW
from jaxattn.flow.run_context import checked_limit, run_context
from jaxattn.flow.solve import event_of
from jaxattn.integrate import Carry, Solution, begin, piece, stability_interval
from jaxattn.probes.curvature import rate_scale, top_eigenvalues
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep, make_probe
from jaxattn.problems.check_problem import checked
from jaxattn.problems.data import everything
from jaxattn.problems.minibatches import Order
from jaxattn.training.legs import Legs, Span, spans_of
from jaxattn.training.optimisers import Optimiser

__all__ = ["FlowCarry", "Longest", "make_flow_legs", "stable_step"]

Longest: TypeAlias = Callable[[RunContext, Float[Array, ""], Params], Float[Array, ""]]
"""``longest(context, time, params)``: no step of the leg that begins there is longer."""


class FlowCarry(NamedTuple):
    """What one leg of a flow hands to the next: arrays alone, to be stored as they are."""

    start: Params
    """Where the flow started, which its equation may depend on."""
    solve: Carry
    sound: Bool[Array, ""]
    """Whether the solver went on so far, through finite losses."""


@lru_cache(maxsize=64)
def stable_step(solver: str = "tsit5", share: float = 0.9, depth: int = 32) -> Longest:
    """Steps of gradient flow as long as its sharpness lets an explicit solver be stable.

    Measured where each leg begins, by `depth` steps of Lanczos. Error control alone finds that
    limit by rejected steps; a flow whose sharpness rises within a leg still has it to fall back on.

    Args:
        solver: the flow's.
        share: of the largest stable step.
        depth: steps of Lanczos, each a product with the Hessian.

    Raises:
        InputError: an implicit solver, whose steps need no such limit; the extra ``curvature`` is
            not installed.
    """
    reach = stability_interval(solver)
    if not np.isfinite(reach):
        raise InputError(
            f"stable_step: got the solver {solver!r}, whose steps are stable at any length, "
            "expected an explicit one; leave longest out."
        )

    def longest(context: RunContext, time: Float[Array, ""], params: Params) -> Float[Array, ""]:
        scale = rate_scale(params, context.hyper)
        sharpest = top_eigenvalues(lambda at: context.loss(time, at), params, scale, 1, depth)[0]
        return jnp.where(sharpest > 0, share * reach / sharpest, jnp.inf)

    return longest


@lru_cache(maxsize=64)
def make_flow_legs(
    problem: Problem,
    optimiser: Optimiser,
    saves: tuple[int, ...],
    every: int,
    keep_params: Keep = False,
    solver: Any = "tsit5",
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 100_000,
    *,
    limit: str | Limit = "flow",
    order: Order = WHOLE,
    probes: tuple[Probe, ...] = (),
    until: Stop | None = None,
    unit: float | None = None,
    longest: Longest | None = None,
) -> Legs:
    """The flow of `make_flow`, with an edge at every `every`-th save after the first.

    Steps end at the edges, and the step that was to come is carried over them, so that an edge
    shortens no step but the one that it cuts: a flow that is resumed from a stored `FlowCarry` is
    bit for bit what it would have been. All legs are one compiled program.

    Args:
        problem: as for `make_flow`.
        optimiser: as for `make_flow`.
        saves: steps, increasing from 0.
        every: saves of a leg.
        keep_params: as for `make_flow`.
        solver: as for `make_flow`.
        rtol: as for `make_flow`.
        atol: as for `make_flow`.
        max_steps: as for `make_flow`, of one leg.
        limit: as for `make_flow`.
        order: as for `make_flow`.
        probes: as for `make_flow`.
        until: as for `make_flow`.
        unit: as for `make_flow`.
        longest: what no step is longer than, such as `stable_step`; of gradient flow only.

    Raises:
        InputError: as `make_flow`; `every` below 1; a limit with noise, or, when it is begun, one
            that starts anew where the loss jumps; `longest` with another limit than flow.
    """
    one = _checked(limit, problem, optimiser, order, longest)
    problem = checked(problem)
    probe = make_probe(problem, keep_params, probes)
    tolerances = {"rtol": rtol, "atol": atol, "solver": solver}

    def times_of(hyper: Hyper, steps: Any) -> Float[Array, "*save"]:
        return optimiser.clock(hyper, saves[-1])[jnp.asarray(steps, jnp.int32)]

    def build(start: Params, hyper: Hyper, data: Splits) -> tuple[RunContext, LimitODE]:
        batch = everything(data.learn, problem.precision)
        context = run_context(problem, optimiser, hyper, batch, problem.state(start), order)
        return context, one.equation(context, start, times_of(hyper, 0))

    def begin_flow(
        params: Params, hyper: Hyper, data: Splits, keys: Keys
    ) -> tuple[FlowCarry, Float[Array, " save"]]:
        del keys
        _check_jumps(one, problem, hyper)
        times = times_of(hyper, saves)
        with jax.default_matmul_precision("highest"):
            _, equation = build(params, hyper, data)
            solve = begin(_field(equation), equation.start, times[0], times[-1], unit=unit,
                          **tolerances)  # fmt: skip
        return FlowCarry(params, solve, jnp.asarray(True)), times

    def leg(
        carry: FlowCarry, span: Span, hyper: Hyper, data: Splits, keys: Keys
    ) -> tuple[FlowCarry, Trajectory]:
        times = times_of(hyper, span.ends)
        evaluate = {
            name: everything(split, problem.precision) for name, split in data.evaluate.items()
        }
        state = problem.state(carry.start)
        with jax.default_matmul_precision("highest"):
            context, equation = build(carry.start, hyper, data)
            here = equation.read(carry.solve.time, carry.solve.y)
            most = None if longest is None else longest(context, carry.solve.time, here)
            solve, solution = piece(
                _field(equation),
                carry.solve,
                times,
                times[-1],
                jumps=problem.discontinuities(hyper),
                save=lambda time, state, args: equation.read(time, state),
                until=event_of(until, context, equation),
                longest=most,
                max_steps=max_steps,
                **tolerances,
            )

            def measure(params: Params, time: Array) -> tuple[dict[str, Array], Params | None]:
                scale = rate_scale(params, hyper)
                return probe(params, hyper, evaluate, time, keys.sample, state, scale)

            measures, kept = jax.lax.map(lambda save: measure(*save), (solution.values, times))
        part = _part(carry.sound, span, times, solution, measures, kept)
        if keep_params == "last":
            part = part._replace(params=equation.read(solve.time, solve.y))
        return FlowCarry(carry.start, solve, part.status != Status.SOLVER_FAILED), part

    return Legs(saves, keep_params, spans_of(saves, every), begin_flow, leg)


def _checked(
    limit: str | Limit,
    problem: Problem,
    optimiser: Optimiser,
    order: Order,
    longest: Longest | None,
) -> Limit:
    one = checked_limit(limit, problem, optimiser, order)
    if one.stochastic:
        raise InputError(
            f"{one.name}: got legs, expected a run in one go, as its Brownian path depends on "
            "where it is cut; use make_flow."
        )
    if longest is not None and one is not FLOW:
        raise InputError(
            f"{one.name}: got a longest step, which is measured of gradient flow; expected none."
        )
    return one


def _check_jumps(limit: Limit, problem: Problem, hyper: Hyper) -> None:
    if limit.restarts and problem.discontinuities(hyper).size:
        raise InputError(
            f"{limit.name}: got {problem.name!r}, whose loss jumps, in legs, expected a loss "
            "without jumps, as its state starts anew there; use make_flow."
        )


def _part(
    sound: Array,
    span: Span,
    times: Float[Array, " save"],
    solution: Solution,
    measures: dict[str, Array],
    kept: Params | None,
) -> Trajectory:
    """The saves of one leg; those beyond its length are NaN."""
    own = jnp.arange(times.size) < span.length

    def only_own(leaf: Array) -> Array:
        return jnp.where(own.reshape(own.shape + (1,) * (leaf.ndim - 1)), leaf, jnp.nan)

    known = times <= solution.time_reached
    objective = jnp.where(own, measures["objective"], 0.0)
    return Trajectory(
        step=jnp.asarray(span.ends).astype(times.dtype),
        time=times,
        measures=jax.tree.map(only_own, measures),
        status=ended(solution, jnp.where(sound, objective, jnp.nan), known),
        time_reached=solution.time_reached,
        work=solution.work,
        params=jax.tree.map(only_own, kept),
    )


def _field(equation: LimitODE) -> Callable[..., Any]:
    return lambda time, state, args: equation.field(time, state)
