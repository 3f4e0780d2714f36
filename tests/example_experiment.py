"""A made-up experiment, run in milliseconds: what reproducing and reporting are tested on."""

from dataclasses import dataclass, replace

from example_fixed_focus import example_fixed_focus, falls, rises
from matplotlib.figure import Figure

from jaxattn.experiments.fixed_focus.experiment import FIXED_FOCUS
from jaxattn.experiments.fixed_focus.findings import findings, numbers
from jaxattn.plots import Drawing
from jaxattn.reports.experiment import Experiment
from jaxattn.run.compare import Progress


@dataclass(frozen=True)
class Size:
    seeds: int = 5
    failed: int = 0
    interrupted: bool = False


def ran(size, to):
    to.on_progress(Progress("hard", "train", 1, 1, 0))
    ds = example_fixed_focus({"hard": rises}, failed=size.failed)
    to.keep(ds)
    if size.interrupted:
        raise KeyboardInterrupt
    return ds.isel(seed=slice(size.seeds))


MADE_UP = Experiment(
    name="made-up",
    summary="nothing is trained",
    scales={"smoke": Size(), "small": Size(failed=2), "paper": Size(interrupted=True)},
    run=ran,
    figures=lambda ds: [Drawing("empty", "Nothing", "Nothing is drawn.", Figure)],
    numbers=numbers,
    findings=findings,
)

DRAWN = replace(
    MADE_UP,
    name="drawn",
    run=lambda size, to: example_fixed_focus({"soft": falls, "hard": rises}, failed=size.failed),
    figures=FIXED_FOCUS.figures,
)
"""With two paradigms, and a figure that shows them."""
