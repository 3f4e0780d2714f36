"""Fixed focus: what the classification model learns, and what more attention would gain it.

The attention alpha on the foreground is imposed, so only the classification model learns. How the
gap ``L(alpha) - L(alpha + 0.01)`` moves meanwhile is the force on a focus that were free to move,
and the published explanation of how the paradigms differ (PAPER 3.1 to 3.3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from jaxattn import plots
from jaxattn.core.contracts import (
    Example,
    Hyper,
    MeasureSpec,
    Model,
    Params,
    Problem,
    Splits,
    Task,
    Trajectory,
)
from jaxattn.core.kept import kept
from jaxattn.core.streams import PRNG
from jaxattn.experiments.fixed_focus.config import (
    ALPHAS,
    MOMENTUM,
    FixedFocus,
    FixedFocusImages,
    Size,
)
from jaxattn.experiments.fixed_focus.figures import fixed_focus, reaches_limits
from jaxattn.experiments.fixed_focus.findings import findings, numbers
from jaxattn.experiments.labels import labelled, spec_json
from jaxattn.probes.record import part_names
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.data import check
from jaxattn.problems.microbatch import in_pieces
from jaxattn.problems.minibatches import Order
from jaxattn.reports.experiment import Experiment, Listeners, Tally
from jaxattn.results.dataset import assemble, block
from jaxattn.run.job import tiles_at_once
from jaxattn.run.tiles import fetch, make_row, make_runner, make_tile, wait
from jaxattn.study.plan import Plan, make_plan
from jaxattn.theory.fixed_focus import LIMITS, ahead_of, gap_limit
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

__all__ = [
    "FIXED_FOCUS",
    "FIXED_FOCUS_IMAGES",
    "check_size",
    "data_of",
    "dataset_of",
    "described",
    "losses_of",
    "problem_of",
    "run",
    "train",
]

PRECISION = "float32"

PIECE = 256
"""Bags of a piece when all of them are measured: twice as fast as all at once."""

MEASURES = (
    MeasureSpec("loss", unit="nat", long_name="loss L(alpha)"),
    MeasureSpec("loss_ahead", unit="nat", long_name="loss L(alpha + 0.01), same parameters"),
)


def losses_of(problem: Problem, params: Params, batch: Example, hyper: Hyper) -> dict[str, Array]:
    """``L(alpha)`` and ``L(min(alpha + 0.01, 1))`` on these examples at the same parameters."""

    def at(alpha: Array) -> Array:
        start = jnp.zeros_like(alpha)  # these losses do not change with time
        return problem.loss(params, batch, hyper | {"alpha": alpha}, start, None, ())[0]

    # Together, as what is read of a segment is the same for both.
    alpha = hyper["alpha"]
    now, ahead = jax.vmap(at)(jnp.stack([alpha, ahead_of(alpha)]))
    return {"loss": now, "loss_ahead": ahead}


@kept
def problem_of(task: Task, model: Model, paradigm: str) -> Problem:
    """Classification under an imposed attention, measured at that attention and a little more."""
    problem = in_pieces(attention_problem(task, model, paradigm, "imposed", PRECISION), PIECE)

    def measure(params: Params, batch: Example, hyper: Hyper) -> dict[str, Array]:
        return losses_of(problem, params, batch, hyper)

    return problem._replace(measure=measure, measures=MEASURES)


@kept
def _runner(problem: Problem, config: Size, devices: tuple[jax.Device, ...]) -> Any:
    def batch_metrics(
        params: Params, batch: Example, hyper: Hyper, time: Array
    ) -> dict[str, Array]:
        del time
        return problem.measure(params, batch, hyper)

    order = Order("fixed", config.batch_size)
    optimiser = as_optimiser("momentum")
    dynamics = make_train(problem, optimiser, config.saves, order, batch_metrics=batch_metrics)
    tile = make_tile(make_row(problem, dynamics, order.shared, True), False)
    return make_runner(tile, False, devices)


def _plan(config: Size, paradigm: str, tile: int) -> Plan:
    return make_plan(
        {"alpha": ALPHAS},
        range(config.seeds),
        {"learning_rate": config.rates[paradigm], "momentum": MOMENTUM},
        tile=tile,
        at_once=tiles_at_once(jax.devices()),
    )


def data_of(config: Size) -> Splits:
    """The bags to learn from, all of which are measured."""
    drawn = config.task.make(0)["train"]
    check(drawn, f"{config.task.name}, train", config.task.classes)

    def cast(leaf: Any) -> np.ndarray:
        return leaf.astype(PRECISION) if leaf.dtype.kind == "f" else np.asarray(leaf)

    bags = jax.tree.map(cast, drawn)
    return Splits(bags, {"train": bags})


def train(config: Size, paradigm: str, data: Splits, tally: Tally) -> Trajectory:
    """All alphas and seeds of one paradigm in calls of one compiled program, ``[alpha, seed]``.

    Args:
        config: the size.
        paradigm: soft, hard or lvml.
        data: of `config`'s task.
        tally: of the rows of all paradigms.
    """
    problem, watch = problem_of(config.task, config.model, paradigm), tally.to.watch
    plan, run = _plan(config, paradigm, problem.tile), _runner(problem, config, _devices())
    finished = []
    for chunk in plan.chunks():
        hypers = {k: v.astype(problem.precision) for k, v in plan.hypers_of(chunk.rows).items()}
        timed = partial(watch.compiling, paradigm)
        begun = run(plan.seed_of(chunk.rows), hypers, data, compiling=timed)
        watch.ran(paradigm, *wait(begun))
        out = fetch(begun)
        real = chunk.rows >= 0
        finished.append(jax.tree.map(lambda leaf, real=real: leaf[real], out))
        tally.add(paradigm, out.status[real])
    rows = jax.tree.map(lambda *leaves: np.concatenate(leaves), *finished)
    return jax.tree.map(lambda leaf: leaf.reshape(*plan.shape, *leaf.shape[1:]), rows)


def _devices() -> tuple[jax.Device, ...]:
    return tuple(jax.devices())


def check_size(config: Size) -> None:
    """Refuse a size whose images are nowhere to be found.

    Raises:
        InputError: what its task refuses.
    """
    problem_of(config.task, config.model, "soft")


def run(config: Size, to: Listeners) -> xr.Dataset:
    """Train every paradigm; the result so far is heard of after each.

    Returns:
        A Dataset with the dims of a comparison (paradigm, dynamics, alpha, seed, save, split). The
        split "minibatch" is as published: the unweighted mean over an epoch's minibatches of the
        loss on the minibatch just used, after its step; "train" is all bags at the epoch's end.
    """
    data, trained = data_of(config), {}
    tally = Tally(to, "train", config.rows)
    for paradigm in config.rates:
        trained[paradigm] = train(config, paradigm, data, tally)
        ds = dataset_of(config, trained)
        to.keep(ds)
    return ds


def dataset_of(config: Size, trained: Mapping[str, Trajectory]) -> xr.Dataset:
    """The paradigms trained so far as one Dataset, with their gaps and the limits of both losses.

    Args:
        config: the size.
        trained: NumPy arrays ``[alpha, seed, ...]`` by paradigm.
    """
    axes = {"alpha": ALPHAS, "seed": range(config.seeds)}
    problem = problem_of(config.task, config.model, "soft")
    parts = part_names(jax.eval_shape(problem.init, jax.random.key(0, impl=PRNG), {}))
    labels = [spec.over_splits(("train", "minibatch")) for spec in MEASURES]
    blocks = {
        (name, "train"): block(_with_minibatches(rows), axes, labels, parts)
        for name, rows in trained.items()
    }
    ds = assemble(blocks, axes, {"spec": described(config, list(trained))})
    ds["gap"] = (ds["loss"] - ds["loss_ahead"]).assign_attrs(
        units="nat", long_name="L(alpha) - L(alpha + 0.01)"
    )
    alphas, names, classes = np.asarray(ALPHAS), list(trained), config.task.classes
    limits = {
        "loss": [LIMITS[name](alphas, classes) for name in names],
        "gap": [gap_limit(name, alphas, classes) for name in names],
    }
    for name, values in limits.items():
        words = f"{name} {config.limit}"
        ds[f"{name}_limit"] = labelled("paradigm alpha", values, "nat", words)
    rates, step = np.asarray([config.rates[name] for name in names]), np.asarray(config.saves)
    time = np.multiply.outer(rates / (1 - MOMENTUM), step)
    return ds.assign_coords(
        epoch=("save", step // config.steps_per_epoch, {"long_name": "epoch"}),
        step=labelled("save", step, "step", "training step"),
        learning_rate=labelled("paradigm", rates, "time/step", "step size"),
        time=labelled("paradigm save", time, "time", "heavy ball's clock"),
    )


def _with_minibatches(rows: Trajectory) -> Trajectory:
    """The averages over minibatches as one more split of the measures."""
    averages = {name: at[..., None] for name, at in (rows.batch_metrics or {}).items()}
    both: dict[str, Any] = {
        name: np.concatenate([rows.measures[name], at], -1) for name, at in averages.items()
    }
    return rows._replace(measures=rows.measures | both)


def described(config: Size, paradigms: Sequence[str] = ()) -> str:
    """What a result says it is of.

    Args:
        config: the size.
        paradigms: trained so far; by default all of them.
    """
    return spec_json(
        config.name,
        config,
        task=config.task.name,
        classes=config.task.classes,
        model=config.network,
        attention="imposed",
        paradigms=list(paradigms or config.rates),
        hypers={"alpha": ALPHAS, "learning_rate": config.rates, "momentum": MOMENTUM},
        optimiser="momentum",
        order="fixed",
        vary=["init"],
        precision=PRECISION,
    )


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """The one figure: both losses against epochs, by paradigm and alpha."""
    dotted = (
        "the limit as time goes to infinity."
        if reaches_limits(ds)
        else "a classifier that is perfect on the foreground and uniform on the background; one "
        "that remembers its training bags may get below its loss."
    )
    caption = (
        "Above, the loss L(alpha) while the attention alpha on the foreground is held constant; "
        "below, what 0.01 more attention would gain at the same classifier. A column for each "
        "paradigm, a colour for each alpha. Solid: mean over an epoch's minibatches just after "
        "their steps, median and band over seeds; dashed: all bags at the epoch's end; dotted: "
        f"{dotted}"
    )
    title = "Learning at a fixed focus"
    return [plots.Drawing("fixed_focus", title, caption, partial(fixed_focus, ds))]


FIXED_FOCUS = Experiment(
    name=FixedFocus.name,
    summary="what the classifier learns at a fixed attention, and what more attention would gain",
    scales={
        "smoke": FixedFocus(classes=5, segments=5, bags=640, points=100, epochs=60, seeds=6),
        "small": FixedFocus(seeds=6, epochs=60),
        "paper": FixedFocus(),
    },
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    check=check_size,
)

FIXED_FOCUS_IMAGES = replace(
    FIXED_FOCUS,
    name=FixedFocusImages.name,
    summary="fixed-focus for a perceptron on mosaics of Fashion-MNIST; at scale paper of CIFAR",
    scales={
        "smoke": FixedFocusImages(bags=512, epochs=20, seeds=2, images="fashion-mnist", width=16),
        "small": FixedFocusImages(bags=2560, epochs=40, seeds=4, images="fashion-mnist"),
        "paper": FixedFocusImages(),
        "paper-cifar100": FixedFocusImages(images="cifar100"),
    },
)
