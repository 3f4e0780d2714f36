"""The left-over class: bags that are not solved go to the class that is left.

Whoever has learnt to see all classes but one needs not find the last: a bag in which none of the
others is seen is of that class. How often hard attention, LVML and hybrids end in this trap, and
whether more often than soft attention, is counted by the number of foreground classes, the images
of a mosaic and the learning rate, from the same starts and in the same order.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

import xarray as xr

from jaxattn import plots
from jaxattn.experiments.in_chunks import run_each
from jaxattn.experiments.mosaics import PUBLISHED, SMOKE, Mosaics, sweep_of
from jaxattn.experiments.trap.figures import by_class, depth, share_of_seeds
from jaxattn.experiments.trap.findings import findings, most_apart, numbers
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.study.spec import Spec

__all__ = ["TRAP", "Traps", "run"]

MEASURES = ("error_cell", "error_cell_by_class", "accuracy", "loss", "attention_foreground")


@dataclass(frozen=True)
class Traps(Mosaics):
    """One size; of each number of classes the first classes of the task are foreground."""

    optimiser: str = "sgd"
    classes: tuple[int, ...] = (2, 3, 5)

    @property
    def foregrounds(self) -> dict[int, tuple[int, ...]]:
        """The foreground classes by their number."""
        return {count: tuple(range(count)) for count in self.classes}


def sweeps(sizes: Traps) -> dict[str, Spec]:
    """A sweep for each number of classes, by that number."""
    return {
        str(count): sweep_of(replace(sizes, foreground=chosen), MEASURES)
        for count, chosen in sizes.foregrounds.items()
    }


def run(sizes: Traps, to: Listeners) -> xr.Dataset:
    """Train all sweeps, in chunks; the result so far is heard of after each."""
    specs = sweeps(sizes)
    index = xr.IndexVariable(
        "classes", list(sizes.foregrounds), {"long_name": "foreground classes"}
    )
    return run_each(specs, index, to)


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """How far each seed is trapped, how many are, and the classes where most are."""
    where = "a column of panels for each number of foreground classes, a row for each learning rate"
    far = (
        "How much more often bags of one class are right for the wrong reason than bags of the "
        f"others, on held-out mosaics, each paradigm by its own rule of inference; {where}. A dot "
        "is a seed, a bar the mean. Above the dashed line a run is trapped: no uniform guess is."
    )
    share = f"The share of seeds that are trapped, with its exact 95 % interval; {where}."
    classes, segments, rate = most_apart(ds)
    one = (
        f"Where a paradigm is trapped furthest beyond soft attention, at {classes} foreground "
        f"classes, mosaics of {segments} images and learning rate {rate:g}: focus and prediction, "
        "true or false, of the held-out mosaics of each class, each paradigm by its own rule of "
        "inference. Means over seeds, with 95 % intervals of the edges."
    )
    return [
        plots.Drawing("depth", "How far runs are trapped", far, partial(depth, ds)),
        plots.Drawing(
            "share_of_seeds", "How many seeds are trapped", share, partial(share_of_seeds, ds)
        ),
        plots.Drawing("by_class", "Which class is left", one, partial(by_class, ds)),
    ]


SCALES: Mapping[str, Traps] = {
    "smoke": Traps(**(asdict(SMOKE) | {"optimiser": Traps.optimiser}), classes=(2, 3)),
    "small": Traps(
        task="digits",
        model="mlp",
        segments=(5, 10, 20),
        learning_rates=(0.05, 0.2),
        train=2048,
        test=1024,
        steps=400,
        batch_size=128,
    ),
    "paper": Traps(
        **(
            asdict(PUBLISHED)
            | {"optimiser": Traps.optimiser, "segments": (5, 20, 50), "saves": 31}
            | {"learning_rates": (0.05, 0.02, 0.005)}
        )
    ),
}

TRAP = Experiment(
    name="trap",
    summary="the class that is left: bags that are not solved go to it, by classes and bag length",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
)
