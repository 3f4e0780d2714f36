"""Bias and variance of each estimator's gradient along training by the exact expectation."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, PyTree

from jaxattn.core.contracts import Example, Hyper, Params, Problem
from jaxattn.experiments.labels import labelled
from jaxattn.experiments.sampled.estimators import EXACT, Estimator
from jaxattn.probes.record import part_names
from jaxattn.problems.data import everything, head
from jaxattn.reports.experiment import Listeners
from jaxattn.results.dataset import SCHEMA_VERSION
from jaxattn.run.tiles import start_of
from jaxattn.study.groups import Group, make_groups
from jaxattn.study.spec import Spec
from jaxattn.training.train import make_train_path

__all__ = ["gradients"]

_FOUND = {
    "along": "gradient along the exact one, as a share of it",
    "bias": "squared bias of the gradient over the exact one's square",
    "variance": "variance of one draw's gradient over the exact one's square",
}


def gradients(
    spec: Spec, every: Sequence[Estimator], looks: Sequence[int], draws: int, to: Listeners
) -> xr.Dataset:
    """Each estimator beside the exact gradient of a minibatch, at steps of exact training.

    At the first learning rate, from the starts and in the order of the sweep; always on the same
    minibatch, the first examples of the training set. Where REINFORCE has a baseline it is the
    exact loss, which is what a moving one is an average of.

    Args:
        spec: of the sweep, in which the exact expectation is trained.
        every: the estimators.
        looks: the steps of training, increasing from 0.
        draws: of each gradient; an even number.
        to: hears how long it takes.

    Returns:
        ``along``, ``bias`` (of two halves of the draws, so that where there is none it is 0 on
        average, and may be below) and ``variance`` ``[estimator, part, look, seed]``.
    """
    groups = {group.paradigm: group for group in make_groups(spec)}
    exact = groups[EXACT]
    with to.watch.running("gradients, compilation included"):
        trained, batch = _trained(exact, looks)
        hyper = _hyper(exact)
        shape = (len(every), len(exact.seeds))
        found: dict[str, list[Any]] = {name: [] for name in _FOUND}
        for estimator, seed in np.ndindex(shape):
            one = every[estimator]
            problem, settings = groups[one.paradigm].problem, _hyper(groups[one.paradigm])
            settings |= {name: jnp.asarray(at, problem.precision) for name, at in one.at.items()}
            params = jax.tree.map(lambda leaf, seed=seed: leaf[seed], trained)
            keys = jax.random.split(jax.random.key(seed), draws)
            moments = _compiled(exact.problem, problem)
            at = moments(params, batch, hyper, settings, keys, one.has_baseline)
            for name, values in at.items():
                found[name].append(np.asarray(values))
    parts = part_names(jax.tree.map(lambda leaf: leaf[0, 0], trained))
    variables = {
        # [estimator, seed, look, part] as computed.
        name: labelled(
            "estimator part look seed",
            np.stack(values).reshape(*shape, len(looks), len(parts)).transpose(0, 3, 2, 1),
            "1",
            _FOUND[name],
        )
        for name, values in found.items()
    }
    coords = {
        "estimator": [one.label for one in every],
        "part": list(parts),
        "look": labelled("look", looks, "step", "step of training"),
        "seed": list(exact.seeds),
    }
    return xr.Dataset(variables, coords, {"schema_version": SCHEMA_VERSION})


def _hyper(group: Group) -> Hyper:
    """What it reads, at the first of its points."""
    return {
        name: jnp.asarray(values[0], group.problem.precision)
        for name, values in group.hypers.items()
    }


def _trained(group: Group, looks: Sequence[int]) -> tuple[Params, Example]:
    """Parameters ``[seed, look, ...]`` of training, and the minibatch that is looked at."""
    study, problem = group.study, group.problem
    learn = study.subject.splits(0)["train"]
    first = everything(head(learn, study.order.examples(len(learn.examples.weight))), "float32")
    # A probe's path finds no objective on its way, and so asks for nothing to measure.
    path = make_train_path(problem, study.optimiser, tuple(looks), study.order, is_scaled=True)
    hyper = _hyper(group)

    @jax.jit
    def of_seed(seed: Array, learn: Any) -> Params:
        keys, start = start_of(seed, study.order.shared, True)
        return path(problem.init(start, hyper), hyper, learn, learn, keys, None).params

    seeds = [of_seed(jnp.asarray(seed, jnp.uint32), learn) for seed in group.seeds]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds), first


def _compiled(exact: Problem, problem: Problem) -> Any:
    return partial(_moments, exact, problem)


@partial(jax.jit, static_argnums=(0, 1))
def _moments(
    exact: Problem,
    problem: Problem,
    trained: Params,
    batch: Example,
    hyper: Hyper,
    settings: Hyper,
    keys: Array,
    has_baseline: Array,
) -> dict[str, Array]:
    """What is found at every look of one seed: ``{name: [look, part]}``."""
    start = jnp.zeros((), exact.precision)

    def of_look(params: Params) -> dict[str, Array]:
        (loss, _), truth = jax.value_and_grad(exact.loss, has_aux=True)(
            params, batch, hyper, start, None, ()
        )
        state = jax.tree.map(
            lambda fresh: jnp.where(has_baseline, loss, fresh), problem.state(params)
        )

        def add(sums: PyTree, key: Array) -> tuple[PyTree, None]:
            drawn = jax.grad(problem.loss, has_aux=True)(
                params, batch, settings, start, key, state
            )[0]
            # From the exact one, so that no large square is taken from another.
            away = jax.tree.map(jnp.subtract, drawn, truth)
            squares = jax.tree.map(jnp.square, away)
            return jax.tree.map(jnp.add, sums, (away, squares)), None

        def mean(keys: Array) -> PyTree:
            nothing = jax.tree.map(jnp.zeros_like, (truth, truth))
            sums, _ = jax.lax.scan(add, nothing, keys)
            return jax.tree.map(lambda total: total / keys.shape[0], sums)

        away, squares = jax.lax.map(mean, keys.reshape(2, -1))
        found = [
            _against(truth[part], away[part], squares[part], keys.shape[0])
            for part in part_names(truth)
        ]
        return jax.tree.map(lambda *values: jnp.stack(values), *found)

    return jax.lax.map(of_look, trained)


def _against(truth: PyTree, away: PyTree, squares: PyTree, draws: int) -> dict[str, Array]:
    """Of one part, by what it is away from the exact gradient.

    Args:
        truth: the exact gradient.
        away: the mean distance from it of each half of the draws ``[2, ...]``.
        squares: the mean of its squares, likewise.
        draws: in all.
    """

    def dot(one: PyTree, other: PyTree) -> Array:
        products = jax.tree.map(jnp.vdot, one, other)
        return jnp.sum(jnp.stack(jax.tree.leaves(products)))

    first, second = (jax.tree.map(lambda leaf, half=half: leaf[half], away) for half in (0, 1))
    mean = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), away)
    total = jnp.sum(jnp.stack([jnp.sum(leaf) for leaf in jax.tree.leaves(squares)])) / 2
    size = dot(truth, truth)
    return {
        "along": 1 + dot(truth, mean) / size,
        # Of two halves, which are independent: its noise has mean 0 and no skew, where the square
        # of one mean holds its noise squared.
        "bias": dot(first, second) / size,
        "variance": (total - dot(mean, mean)) * (draws / (draws - 1)) / size,
    }
