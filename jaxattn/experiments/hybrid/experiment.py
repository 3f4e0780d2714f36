"""Hybrid: soft attention first, then hard, with the time of the change swept, in training.

The reduced system has the same question in closed form (`jaxattn reproduce switch`); here networks
learn from mosaics of real images. Every time of the change is held against soft and hard attention
alone, from the same starts and in the same order.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import xarray as xr

from jaxattn import plots
from jaxattn.experiments.hybrid.figures import by_switch
from jaxattn.experiments.hybrid.findings import findings, numbers
from jaxattn.experiments.in_chunks import run_in_chunks
from jaxattn.experiments.mosaics import PUBLISHED, SMOKE, Mosaics, sweep_of
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.study.spec import Spec

__all__ = ["HYBRID", "Switches", "run"]

MEASURES = ("attention_foreground", "time_to_focus", "accuracy", "error_cell", "loss")


@dataclass(frozen=True)
class Switches(Mosaics):
    """One size; its optimiser is plain SGD, whose clock is steps times learning rate."""

    optimiser: str = "sgd"
    paradigms: tuple[str, ...] = ("soft", "hard", "hybrid")
    switches: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    """Shares of the run after which hard attention begins."""

    @property
    def times(self) -> list[float]:
        """The same in learning time."""
        (rate,) = self.learning_rates
        return [share * rate * self.steps for share in self.switches]


def sweeps(sizes: Switches) -> dict[str, Spec]:
    """The sweep that one size is."""
    axes: dict[str, Any] = {"switch_time": sizes.times}
    return {sizes.task: sweep_of(sizes, MEASURES, axes)}


def run(sizes: Switches, to: Listeners) -> xr.Dataset:
    """Train all of it, in chunks; the result so far is heard of after each."""
    (spec,) = sweeps(sizes).values()
    return run_in_chunks(spec, to)


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """What each time of the change ends with, beside soft and hard attention alone."""
    words = (
        "The hybrid against the share of the run after which it goes over from soft to hard "
        "attention: attention on the foreground at the end, time until it is on half of it, and "
        "accuracy, on held-out mosaics, by its own rule of inference. Means over seeds with 95 % "
        "intervals; bands: the same of soft and of hard attention alone."
    )
    return [plots.Drawing("by_switch", "When to switch", words, partial(by_switch, ds))]


def _switches(sizes: Mosaics, **more: Any) -> Switches:
    """The size of another experiment, with this one's optimiser and paradigms."""
    own = {"optimiser": Switches.optimiser, "paradigms": Switches.paradigms}
    return Switches(**(asdict(sizes) | own | more))


SCALES: Mapping[str, Switches] = {
    "smoke": _switches(SMOKE, learning_rates=(0.5,), switches=(0.25, 0.75), saves=9),
    "small": Switches(
        task="fashion-mnist",
        model="mlp",
        learning_rates=(0.2,),
        train=2048,
        test=1024,
        steps=400,
        evaluate=512,
        saves=41,
    ),
    "paper": _switches(PUBLISHED),
}

HYBRID = Experiment(
    name="hybrid",
    summary="soft attention first, then hard: when the change pays, on mosaics of real images",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
)
