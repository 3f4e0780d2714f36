"""What is recorded at a save point, by training and by flow alike, and how a row ended."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxattn.core.contracts import Batch, Data, Example, Hyper, InputError, Params, Problem, Status
from jaxattn.core.inputs import split_names
from jaxattn.core.part_rates import Part, leaves_of_part
from jaxattn.core.protocols import Measure
from jaxattn.probes.probe import Probe

__all__ = [
    "DIVERGENCE",
    "Health",
    "Keep",
    "joined",
    "make_loss_probe",
    "make_measure",
    "make_probe",
    "of_slope",
    "part_names",
    "row_status",
]

Keep: TypeAlias = bool | Literal["last"]
"""Which parameters a trajectory holds: none, those at every save, or the last ones alone."""

Slope: TypeAlias = Callable[..., tuple[Float[Array, ""], Params, PyTree]]
"""``slope(params, batch, hyper, time, key, state) -> (loss, gradient, state)``."""

DIVERGENCE = 100.0
"""A row has diverged when its loss exceeds this multiple of its start, or of 1 where it starts
below a hundredth, at two saves in a row."""


REST = "rest"
"""What is called so belongs to no part that has a name."""


def part_names(params: Params, parts: tuple[Part, ...] = ()) -> tuple[str, ...]:
    """The parts of `params` that hold anything, in order: what gradient norms are split by.

    Args:
        params: or what is like them.
        parts: those that have names of their own; none: what a dictionary has at its top.
    """
    return tuple(_parts(params, parts))


def _parts(tree: Params, parts: tuple[Part, ...]) -> dict[str, PyTree]:
    """The parts by name; what is in none of them last."""
    if parts:
        leaves = jax.tree.leaves(tree)
        chosen = {part.name: leaves_of_part(tree, part) for part in parts}
        taken = {number for numbers in chosen.values() for number in numbers}
        if rest := tuple(number for number in range(len(leaves)) if number not in taken):
            chosen[REST] = rest
        return {name: [leaves[number] for number in at] for name, at in chosen.items()}
    if not isinstance(tree, dict):
        return {"all": tree}
    return {name: tree[name] for name in sorted(tree) if jax.tree.leaves(tree[name])}


def _norm(tree: PyTree) -> Float[Array, ""]:
    return jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(tree)))


def _stack(splits: Sequence[Any]) -> Any:
    """All splits with an axis in front, the shorter ones filled up by examples of weight 0."""
    longest = max(batch.weight.shape[0] for batch in splits)

    def fill(batch: Any) -> Any:
        count = batch.weight.shape[0]
        rows = jnp.minimum(jnp.arange(longest, dtype=jnp.int32), count - 1)
        filled = jax.tree.map(lambda leaf: leaf[rows], batch) if count < longest else batch
        return filled._replace(weight=jnp.where(jnp.arange(longest) < count, filled.weight, 0))

    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(fill, splits))


def _of_splits(
    measure: Callable[[Any], dict[str, Array]], splits: Sequence[Any]
) -> dict[str, Array]:
    """What is measured of each split whole, together where they are equally long and filled in."""
    filled = not any(isinstance(batch, Data) for batch in splits)
    if filled and len({batch.weight.shape[0] for batch in splits}) == 1:
        return jax.vmap(measure)(jax.tree.map(lambda *leaves: jnp.stack(leaves), *splits))
    return jax.tree.map(lambda *values: jnp.stack(values), *map(measure, splits))


def make_probe(
    problem: Problem, slope: Slope, keep_params: Keep, probes: tuple[Probe, ...] = ()
) -> Callable[..., tuple[dict[str, Array], Any]]:
    """``probe(params, hyper, evaluate, learnt, time, key, state, scale, found)``.

    Gives measures and parameters, None in place of these where they are not kept. `evaluate` holds
    batches by split name, `learnt` is the learning set as it counts in the loss. The
    measures are those of `make_loss_probe`, where they are not `found` already, and of
    `make_measure`.

    Raises:
        InputError: when traced, two measures of one name.
    """
    of_loss = make_loss_probe(problem, slope, probes)
    of_splits = make_measure(problem.measure, problem.measure_split)

    def probe(
        params: Params,
        hyper: Hyper,
        evaluate: dict[str, Example | Batch | Data],
        learnt: Example | Batch | Data,
        time: Float[Array, ""],
        key: Array,
        state: PyTree,
        scale: Params,
        found: dict[str, Array],
    ) -> tuple[dict[str, Array], Params | None]:
        measures = found or of_loss(params, hyper, learnt, time, key, state, scale)
        own = of_splits(params, hyper, evaluate)
        return joined(measures, problem, own, probes), params if keep_params is True else None

    return probe


def make_loss_probe(
    problem: Problem, slope: Slope, probes: tuple[Probe, ...] = ()
) -> Callable[..., dict[str, Array]]:
    """``of_loss(params, hyper, batch, time, key, state, scale) -> measures``: of the loss in force.

    They are the objective (the training loss at that time), the gradient norms, and those of
    `probes`, which see `scale`; `batch` is the learning set that is measured.

    Args:
        problem: whose loss it is.
        slope: gives that loss and its gradient, in pieces where the whole of a set would not fit.
        probes: what else is measured of the loss.

    Raises:
        InputError: when traced, two measures of one name.
    """

    def of_loss(
        params: Params,
        hyper: Hyper,
        batch: Example | Batch | Data,
        time: Float[Array, ""],
        key: Array,
        state: PyTree,
        scale: Params | None,
    ) -> dict[str, Array]:
        def in_force(params: Params) -> Float[Array, ""]:
            return problem.loss(params, batch, hyper, time, key, state)[0]

        objective, gradient, _ = slope(params, batch, hyper, time, key, state)
        measures = of_slope(problem, objective, gradient)
        for extra in probes:
            more = extra.measure(in_force, params, hyper, scale)
            measures = _joined(measures, f"probe {extra.name!r}", more)
        return measures

    return of_loss


def of_slope(problem: Problem, objective: Float[Array, ""], gradient: Params) -> dict[str, Array]:
    """What is recorded of a loss and its gradient."""
    norms = [_norm(part) for part in _parts(gradient, problem.parts).values()]
    return {"objective": objective, "gradient_norm": jnp.stack(norms)}


def make_measure(
    measure: Measure, measure_split: Measure
) -> Callable[[Params, Hyper, dict[str, Any]], dict[str, Array]]:
    """``of_splits(params, hyper, evaluate) -> {name: [split, ...]}``, a problem's own measures.

    Splits are in the order of `split_names`. One that is too large to be filled in is `Data`.

    Raises:
        InputError: when traced, two measures of one name.
    """

    def of_splits(params: Params, hyper: Hyper, evaluate: dict[str, Any]) -> dict[str, Array]:
        # One measurement of all splits together: the compiler sees the network once, not twice.
        # Compile time, not run time, is what a small comparison costs.
        splits = [evaluate[name] for name in split_names(evaluate)]

        def own_of(batch: Any) -> dict[str, Array]:
            return measure(params, batch, hyper)

        large = any(isinstance(split, Data) for split in splits)
        own = _of_splits(own_of, splits) if large else jax.vmap(own_of)(_stack(splits))
        whole = _of_splits(lambda batch: measure_split(params, batch, hyper), splits)
        return _joined(own, "measures of whole splits", whole)

    return of_splits


def joined(
    of_loss: dict[str, Any],
    problem: Problem,
    of_splits: dict[str, Any],
    probes: tuple[Probe, ...],
) -> dict[str, Any]:
    """All measures of one problem, and of its probes: arrays, or their shapes.

    Raises:
        InputError: two of one name.
    """
    for probe in probes:
        own = {spec.name: of_loss[spec.name] for spec in probe.specs if spec.name in of_loss}
        _joined(of_splits, f"probe {probe.name!r}", own)
    return _joined(of_loss, f"problem {problem.name!r}", of_splits)


def _joined(known: dict[str, Any], owner: str, more: dict[str, Any]) -> dict[str, Any]:
    """Both; a measure does not take another one's name, such as that of the loss in force."""
    if taken := sorted(known.keys() & more.keys()):
        raise InputError(
            f"{owner}: got the measure {taken[0]!r}, whose name another one has, expected a name "
            "of its own; rename it."
        )
    return known | more


class Health(NamedTuple):
    """What a row's saves so far say of its divergence, carried from save to save.

    A loss that is not finite, or above `DIVERGENCE` times its first value at two saves in a row, is
    divergence; where the first is next to 0, it says nothing of the scale, and 1 stands for it.
    (Cross-entropy in log space rarely gives NaN, so a rate far too large shows by the second rule.)
    """

    first: Float[Array, ""]
    """Size of the loss at the first save; NaN before it."""
    large: Bool[Array, ""]
    """Whether the loss of the save before was above `DIVERGENCE` times the first."""
    diverged: Bool[Array, ""]
    reached: Float[Array, ""]
    """Time of the last good save; 0 before there is one."""

    @classmethod
    def unknown(cls, time: Float[Array, ""]) -> "Health":
        """Before the first save; `time` gives the precision."""
        zero, no = jnp.zeros_like(time), jnp.asarray(False)
        return cls(jnp.full_like(time, jnp.nan), no, no, zero)

    def after(self, objective: Float[Array, ""], time: Float[Array, ""]) -> "Health":
        """After one more save."""
        # A loss that is NaN at the first save is divergence whatever comes.
        first = jnp.abs(objective).astype(self.first.dtype)
        first = jnp.where(jnp.isnan(self.first), first, self.first)
        # A loss that starts at 0, or next to it, has no scale: to grow is no divergence.
        large = objective > DIVERGENCE * jnp.where(first < 1 / DIVERGENCE, 1, first)
        diverged = self.diverged | ~jnp.isfinite(objective) | (self.large & large)
        return Health(first, large, diverged, jnp.where(diverged, self.reached, time))

    def status(self, params: Params) -> Int[Array, ""]:
        """How a row ends that ends here: parameters that are not finite are divergence too."""
        leaves = jax.tree.leaves(params)
        valid = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
        ended = jnp.where(self.diverged | ~valid, Status.DIVERGED, Status.DONE)
        return ended.astype(jnp.int32)


def row_status(
    objective: Float[Array, " save"], time: Float[Array, " save"], params: Params
) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """Status of a training row, by the rule of `Health`, and the time of its last good save."""

    def after(health: Health, save: tuple[Array, Array]) -> tuple[Health, None]:
        return health.after(*save), None

    health, _ = jax.lax.scan(after, Health.unknown(time[0]), (objective, time))
    return health.status(params), health.reached
