"""A continuous limit solved: as a pure function, on the time axis of training, in the same form."""

import zlib
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.batches import Order
from jaxattn.contracts import (
    Example,
    Hyper,
    InputError,
    Keys,
    Params,
    Problem,
    Splits,
    Status,
    Trajectory,
)
from jaxattn.data import everything
from jaxattn.descent import Optimiser, Saves, last_step, steps_of
from jaxattn.flow.limit import Equation, Ground, Limit
from jaxattn.flow.limits import limit_for
from jaxattn.integrate import Solution, integrate, integrate_sde
from jaxattn.probe import Keep, make_probe

__all__ = ["make_flow"]

# crc32 is fixed by its standard; a number that no step of a run has.
_NOISE = zlib.crc32(b"brownian motion")
_SUBSTEPS = 8


@lru_cache(maxsize=256)
def make_flow(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves,
    keep_params: Keep = False,
    solver: Any = "tsit5",
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 100_000,
    *,
    limit: str | Limit = "flow",
    order: Order = Order("fixed", None),  # noqa: B008 - frozen
) -> Callable[[Params, Hyper, Splits, Keys], Trajectory]:
    """A continuous limit of training as ``flow(params, hyper, data, keys)``.

    It takes the arguments of `make_train` and gives the same `Trajectory`, measured at the times
    that training reaches at its saves; the loss is that of the whole learning set. Steps end at
    the discontinuities of the loss, so a hybrid switches exactly, and a limit with a state of its
    own (a velocity, moments) starts anew there, as the optimiser does.

    Args:
        problem: what is learnt, at precision float64.
        optimiser: gives the clock (and the focus rate, which multiplies the focus part's flow).
        saves: those of the training beside it: steps, increasing from 0, or `AtTimes`.
        keep_params: whether the trajectory holds the parameters at every save; ``"last"``: those
            at the end alone, without an axis of saves.
        solver: a solver of `integrate`, by name or itself.
        rtol: relative tolerance of one step.
        atol: absolute tolerance of one step.
        max_steps: steps after which a row counts as failed.
        limit: one of `LIMITS`, by name or itself.
        order: how the training beside it draws its minibatches; read by limits that know noise.
            In those all examples count alike: a row whose weights differ fails.

    A limit with noise has a path of its own for every ``keys.sample``. It takes eight even steps
    for each one of training, whatever `solver` and tolerances: with noise of size sqrt(eta) a
    solver of weak error O(h^4 + eta h), at h = eta/8, stays well below the eta^2 of the limit
    itself (G. N. Milstein and M. V. Tretyakov, SIAM J. Sci. Comput. 18 (1997) 1067).

    Raises:
        InputError: the problem is not float64, or its loss is random; the optimiser has no such
            limit, or not with minibatches in this order.
    """
    one = limit_for(limit, optimiser, order)
    if problem.precision != "float64":
        raise InputError(f"a flow needs a float64 problem: got {problem.precision!r}.")
    if problem.stochastic:
        raise InputError(
            f"{one.name}: got {problem.name!r}, whose loss draws samples, expected a loss that "
            "parameters and data determine; take the expected loss."
        )
    probe = make_probe(problem, keep_params)

    def flow(params: Params, hyper: Hyper, data: Splits, keys: Keys) -> Trajectory:
        steps = steps_of(saves, optimiser, hyper)
        times = optimiser.clock(hyper, last_step(saves))[steps]
        batch = everything(data.learn, problem.precision)
        evaluate = {
            name: everything(split, problem.precision) for name, split in data.evaluate.items()
        }
        state = problem.state(params)
        ground = _ground(problem, optimiser, hyper, batch, state, order)
        if one.orders is not None:
            even = jnp.all(batch.weight == batch.weight[0])
            params = jax.tree.map(lambda leaf: jnp.where(even, leaf, jnp.nan), params)
        tolerances = {"rtol": rtol, "atol": atol, "solver": solver, "max_steps": max_steps}
        jumps = problem.discontinuities(hyper)
        with jax.default_matmul_precision("highest"):
            if one.stochastic:
                equation = one.equation(ground, params, times[0])
                key = jax.random.fold_in(keys.sample, _NOISE)
                step = hyper["learning_rate"] / _SUBSTEPS
                solution = _solve_noisy(equation, times, jumps, key, step, max_steps)
            elif one.restarts and jumps.size:
                solution = _in_pieces(one, ground, params, times, jumps, tolerances)
            else:
                solution = _solve(one, ground, params, times[0], times, tolerances, jumps)
            measures, kept = jax.lax.map(
                lambda save: probe(save[0], hyper, evaluate, save[1], keys.sample, state),
                (solution.values, times),
            )
        if keep_params == "last":
            kept = jax.tree.map(lambda leaf: leaf[-1], solution.values)
        sound = jnp.all(jnp.isfinite(measures["objective"]))
        failed = jnp.asarray(Status.SOLVER_FAILED, solution.status.dtype)
        return Trajectory(
            step=steps.astype(times.dtype),
            time=times,
            measures=measures,
            status=jnp.where(sound, solution.status, failed).astype(jnp.int32),
            time_reached=solution.time_reached,
            work=solution.work,
            params=kept,
        )

    return flow


def _ground(
    problem: Problem,
    optimiser: Optimiser,
    hyper: Hyper,
    batch: Example,
    state: PyTree,
    order: Order,
) -> Ground:
    def loss(time: Array, params: Params, batch: Example) -> Array:
        # A deterministic loss reads no key.
        return problem.loss(params, batch, hyper, time, None, state)[0]

    def gradient(time: Array, params: Params) -> Params:
        raw = jax.grad(loss, argnums=1)(time, params, batch)
        return optimiser.clipped(raw, hyper)

    def scale(tree: Params) -> Params:
        if "focus_rate" not in hyper:
            return tree
        faster = jax.tree.map(lambda leaf: hyper["focus_rate"] * leaf, tree["focus"])
        return {**tree, "focus": faster}

    def downhill(time: Array, params: Params) -> Params:
        return scale(jax.tree.map(jnp.negative, gradient(time, params)))

    def losses(time: Array, params: Params) -> Float[Array, " example"]:
        alone = jax.tree.map(lambda leaf: leaf[:, None], batch)
        return jax.vmap(lambda example: loss(time, params, example))(alone)

    def gradients(time: Array, params: Params) -> Params:
        alone = jax.tree.map(lambda leaf: leaf[:, None], batch)
        of_one = jax.grad(loss, argnums=1)
        return jax.vmap(lambda example: of_one(time, params, example))(alone)

    examples = batch.weight.shape[0]
    return Ground(downhill, gradient, losses, gradients, scale, hyper, order, examples)


def _solve(
    limit: Limit,
    ground: Ground,
    params: Params,
    origin: Array,
    times: Float[Array, " save"],
    tolerances: dict[str, Any],
    jumps: Float[Array, " jump"] | None = None,
) -> Solution:
    equation = limit.equation(ground, params, origin)
    return integrate(
        lambda time, state, args: equation.field(time, state),
        equation.start,
        times,
        save=lambda time, state, args: equation.read(time, state),
        jumps=jumps,
        **tolerances,
    )


def _solve_noisy(
    equation: Equation,
    times: Float[Array, " save"],
    jumps: Float[Array, " jump"],
    key: Array,
    step: Float[Array, ""],
    max_steps: int,
) -> Solution:
    noise = equation.noise
    assert noise is not None
    return integrate_sde(
        lambda time, state, args: equation.field(time, state),
        lambda time, state, args, dw: noise(time, state, dw),
        equation.start,
        times,
        key,
        draws=equation.draws,
        step=step,
        jumps=jumps,
        save=lambda time, state, args: equation.read(time, state),
        max_steps=max_steps,
    )


def _in_pieces(
    limit: Limit,
    ground: Ground,
    params: Params,
    times: Float[Array, " save"],
    jumps: Float[Array, " jump"],
    tolerances: dict[str, Any],
) -> Solution:
    """A limit that starts anew at every jump, from the parameters that it has reached."""
    inner = jnp.clip(jnp.sort(jnp.where(jnp.isnan(jumps), jnp.inf, jumps)), times[0], times[-1])
    edges = [times[0], *inner, times[-1]]
    found: Solution | None = None
    for number, (start, end) in enumerate(pairwise(edges)):
        if number < inner.size:
            # The field is that before the jump, also in the last stage of the last step.
            end = jnp.maximum(start, end - 4 * jnp.finfo(end.dtype).eps * jnp.abs(end))
        # Piece by piece all saves, those before and after it at its ends.
        saves = jnp.concatenate([jnp.clip(times, start, end), end[None]])
        saves = saves.at[0].set(start)
        piece = _solve(limit, ground, params, start, saves, tolerances)
        params = jax.tree.map(lambda leaf: leaf[-1], piece.values)
        piece = piece._replace(values=jax.tree.map(lambda leaf: leaf[:-1], piece.values))
        found = piece if found is None else _joined(found, piece, times >= start)
    assert found is not None
    return found


def _joined(before: Solution, after: Solution, later: Array) -> Solution:
    def take(old: Array, new: Array) -> Array:
        return jnp.where(later.reshape(later.shape + (1,) * (old.ndim - 1)), new, old)

    whole = before.status == Status.DONE
    return Solution(
        values=jax.tree.map(take, before.values, after.values),
        status=jnp.where(whole, after.status, before.status),
        time_reached=jnp.where(whole, after.time_reached, before.time_reached),
        work=jax.tree.map(jnp.add, before.work, after.work),
        crossed=after.crossed,
    )
