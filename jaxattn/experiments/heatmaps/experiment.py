"""Heatmaps: attention on the foreground against the chance of the right class (PAPER 3.5).

After training, examples are counted by both in cells of 0.2, with fixed edges. The published maps
read all paradigms by the average of the input, whatever they were trained by; both readings are
here, that one and each paradigm's own.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import xarray as xr

from jaxattn import plots
from jaxattn.experiments.heatmaps.findings import findings, numbers
from jaxattn.experiments.in_chunks import run_in_chunks
from jaxattn.experiments.mosaics import PUBLISHED, SMOKE, Mosaics, sweep_of
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.study.spec import Spec

__all__ = ["HEATMAPS", "run"]

MEASURES = ("answer_map", "loss", "accuracy", "attention_foreground")


def sweeps(sizes: Mosaics) -> dict[str, Spec]:
    """The sweep that one size is."""
    return {sizes.task: sweep_of(sizes, MEASURES)}


def run(sizes: Mosaics, to: Listeners) -> xr.Dataset:
    """Train every paradigm, in chunks; the result so far is heard of after each."""
    (spec,) = sweeps(sizes).values()
    return run_in_chunks(spec, to)


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """A map for each paradigm and reading, on held-out mosaics and on those learnt from."""
    words = (
        "Per cent of the mosaics by attention on the foreground (across) and chance given to the "
        "right class (up), in steps of 0.2, at the end of training, mean over seeds, a row a "
        "paradigm: left as published, right by its own rule of inference; {}."
    )
    of_splits = {"test": "held-out mosaics", "train": "the mosaics learnt from"}
    one = ds.isel(segments=0)
    return [
        plots.Drawing(
            f"maps_{split}",
            f"Attention against the answer, {whose}",
            words.format(whose),
            partial(plots.answer_maps, one, split=split),
        )
        for split, whose in of_splits.items()
    ]


SCALES: Mapping[str, Mosaics] = {
    "smoke": SMOKE,
    "small": Mosaics(
        task="fashion-mnist",
        model="mlp",
        learning_rates=(0.05,),
        train=2048,
        test=1024,
        steps=600,
        evaluate=1024,
    ),
    "paper": replace(
        PUBLISHED, task="cifar100", model="cnn-cifar100", train=50000, steps=150 * 196, saves=11
    ),
}

HEATMAPS = Experiment(
    name="heatmaps",
    summary="attention on the foreground against the chance of the right class, two readings",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
)
