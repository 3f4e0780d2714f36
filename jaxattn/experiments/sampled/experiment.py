"""Hard attention by samples: bias and variance of its gradients, and what they cost in training.

REINFORCE without and with a moving baseline, the straight-through estimator and Gumbel-softmax at
several temperatures, against the exact expectation over the segment that is picked: first their
gradients at the same parameters along exact training, then whole runs from the same starts and in
the same order.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

import xarray as xr

from jaxattn import plots
from jaxattn.experiments.in_chunks import run_in_chunks, run_once
from jaxattn.experiments.labels import spec_json
from jaxattn.experiments.mosaics import PUBLISHED, SMOKE, Mosaics, sweep_of
from jaxattn.experiments.sampled.estimators import EXACT, estimators
from jaxattn.experiments.sampled.figures import gradients_along_training, training
from jaxattn.experiments.sampled.findings import findings, numbers
from jaxattn.experiments.sampled.gradients import gradients
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.study.spec import Spec

__all__ = ["SAMPLED", "Samples", "run"]

MEASURES = ("attention_foreground", "time_to_focus", "accuracy", "loss")


@dataclass(frozen=True)
class Samples(Mosaics):
    """One size."""

    optimiser: str = "sgd"
    paradigms: tuple[str, ...] = (EXACT, "reinforce", "straight-through", "gumbel-softmax")
    decays: tuple[float, ...] = (1.0, 0.9)
    """Of REINFORCE's baseline; 1: there is none."""
    temperatures: tuple[float, ...] = (0.1, 0.5, 1.0)
    """Of Gumbel-softmax."""
    looks: tuple[float, ...] = (0.0, 0.125, 0.25, 0.5, 1.0)
    """Shares of the run at which gradients are compared."""
    draws: int = 256
    """Of each gradient."""

    @property
    def look_steps(self) -> tuple[int, ...]:
        """The same in steps."""
        return tuple(round(share * self.steps) for share in self.looks)


def sweeps(sizes: Samples) -> dict[str, Spec]:
    """The sweep of whole runs."""
    axes = {
        "baseline_decay": list(sizes.decays),
        "gumbel_temperature": list(sizes.temperatures),
    }
    return {sizes.task: sweep_of(sizes, MEASURES, axes)}


def run(sizes: Samples, to: Listeners) -> xr.Dataset:
    """Train all of it, in chunks, then compare gradients; heard of after each chunk."""
    ((folder, spec),) = sweeps(sizes).items()
    # Not beside the gradients: a sweep has a folder to itself.
    chunks = None if to.chunks is None else to.chunks / folder
    trained = run_in_chunks(spec, to._replace(chunks=chunks))
    name = spec_json("sampled", sizes)
    every = estimators(sizes.decays, sizes.temperatures)

    def compared(to: Listeners) -> xr.Dataset:
        found = gradients(spec, every, sizes.look_steps, sizes.draws, to)
        return found.assign_attrs(spec=name)

    found = run_once("gradients", name, compared, to).load()
    return trained.assign({name: found[name] for name in found.data_vars})


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """The gradients along training, where they are compared already, and whole runs."""
    along = (
        "Gradients of estimators against that of the exact expectation on the same minibatch, "
        "along training by the latter; a column for each part of the network. Above, how far they "
        "go along the exact one (1: all the way, as without bias); in the middle the squared bias, "
        "below the variance of one draw, both over the square of the exact gradient. Means over "
        "seeds with 95 % intervals, each on its own. Estimates of a squared bias of 0 scatter "
        "about it; they are drawn to scale up to 0.01."
    )
    runs = (
        "Whole runs by each estimator beside exact hard attention, from the same starts and in the "
        "same order, on held-out mosaics: time until half of the attention is on the foreground, "
        "and accuracy at the end by its own rule of inference. A dot is a seed, a bar the mean; a "
        "row for each learning rate."
    )
    whole = plots.Drawing("training", "What samples cost in training", runs, partial(training, ds))
    if "along" not in ds:
        return [whole]
    title = "Bias and variance of gradients"
    drawn = plots.Drawing("gradients", title, along, partial(gradients_along_training, ds))
    return [drawn, whole]


def _samples(sizes: Mosaics, **more: object) -> Samples:
    """The size of another experiment, with this one's optimiser and paradigms."""
    own = {"optimiser": Samples.optimiser, "paradigms": Samples.paradigms}
    return Samples(**(asdict(sizes) | own | more))  # type: ignore[arg-type]  # fields by name, of several types


SCALES: Mapping[str, Samples] = {
    "smoke": replace(
        _samples(SMOKE, learning_rates=(0.5,), saves=21),
        temperatures=(0.5, 1.0),
        # It starts from zero, where a focus has no gradient.
        looks=(0.25, 1.0),
        draws=32,
    ),
    "small": Samples(
        task="digits",
        model="mlp",
        segments=(10,),
        learning_rates=(0.05, 0.2),
        train=2048,
        test=1024,
        steps=800,
        # Small, so that draws are not averaged away.
        batch_size=32,
        evaluate=512,
        saves=81,
        seeds=16,
        draws=128,
    ),
    "paper": _samples(PUBLISHED),
}

SAMPLED = Experiment(
    name="sampled",
    summary="hard attention by samples: bias, variance and cost of estimators of its gradient",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
)
