"""Selective dependence classification: who is right for the right reason (PAPER 3.4).

Mosaics of real images, one of them foreground, are learnt by every paradigm from the same starts
and in the same order, at several lengths of a bag and several learning rates. What is judged is the
table of PAPER 1.6: the focus on the foreground or not, the answer right or not, by each rule of
inference, on the mosaics learnt from, on other mosaics of the same images (the published protocol),
and on mosaics of held-out images.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import xarray as xr

from jaxattn import plots
from jaxattn.experiments.in_chunks import run_in_chunks
from jaxattn.experiments.mosaics import PUBLISHED, SMOKE, Mosaics, sweep_of
from jaxattn.experiments.sdc.figures import by_length, cells_of
from jaxattn.experiments.sdc.findings import findings, numbers
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.study.spec import Spec

__all__ = ["SDC", "run"]

_ALL = ("soft", "hard", "lvml", "hybrid", "em")
MEASURES = ("error_cell", "accuracy", "loss", "attention_foreground", "time_to_focus")


def sweeps(sizes: Mosaics) -> dict[str, Spec]:
    """The sweep that one size is."""
    return {sizes.task: sweep_of(sizes, MEASURES)}


def run(sizes: Mosaics, to: Listeners) -> xr.Dataset:
    """Train all of it, in chunks; the result so far is heard of after each."""
    (spec,) = sweeps(sizes).values()
    return run_in_chunks(spec, to)


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """FTPT by the length of a bag, then the four cells at each length."""
    words = (
        "Share of mosaics that are right for the right reason (FTPT), a panel for each set of "
        "mosaics, each paradigm by its own rule of inference at its best learning rate: the mean "
        "over seeds and its 95 % interval, against the images of a mosaic."
    )
    first = plots.Drawing("by_length", "Right for the right reason", words, partial(by_length, ds))
    return [first, *(_cells(ds, length) for length in map(int, ds["segments"].values))]


def _cells(ds: xr.Dataset, length: int) -> plots.Drawing:
    words = (
        f"Focus and prediction, true or false, as shares of held-out mosaics of {length} images; "
        "each paradigm by its own rule of inference, at the learning rate that is best for most. "
        "Means over seeds, with 95 % intervals of the edges."
    )
    draw = partial(cells_of, ds, length)
    return plots.Drawing(f"error_cells_{length}", f"Mosaics of {length} images", words, draw)


SCALES: Mapping[str, Mosaics] = {
    "smoke": replace(SMOKE, segments=(3, 5)),
    "small": Mosaics(
        task="fashion-mnist",
        model="mlp",
        paradigms=_ALL,
        segments=(5, 20),
        learning_rates=(0.01, 0.02, 0.05),
        train=2048,
        new_mosaics=1024,
        test=1024,
        steps=300,
        evaluate=512,
    ),
    "paper": replace(
        PUBLISHED,
        paradigms=_ALL,
        segments=(5, 20, 50, 100),
        learning_rates=(0.05, 0.02, 0.005),
        new_mosaics=10000,
    ),
}

SDC = Experiment(
    name="sdc",
    summary="who is right for the right reason on mosaics of real images, by bag length",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
)
