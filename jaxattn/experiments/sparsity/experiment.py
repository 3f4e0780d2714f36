"""Sparse attention: whether maps with exact zeros focus better, or only on fewer segments.

The predecessor's table (PAPER 6.5): accuracy, the share right for the right reason, how many
segments have attention, its entropy and its distance from one segment alone, of soft attention by
softmax, softmax with a penalty on its entropy, entmax, sparsemax and spherical softmax, from the
same starts and in the same order.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial

import xarray as xr

from jaxattn import plots
from jaxattn.experiments.in_chunks import run_in_chunks
from jaxattn.experiments.mosaics import PUBLISHED, SMOKE, Mosaics, sweep_of
from jaxattn.experiments.sparsity.figures import by_map, where_it_is
from jaxattn.experiments.sparsity.findings import findings, numbers
from jaxattn.experiments.sparsity.measures import OWN
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.study.spec import Spec

__all__ = ["SPARSITY", "Maps", "run"]

MEASURES = ("accuracy", "error_cell", "attention_entropy", "attention_foreground", "loss", *OWN)


@dataclass(frozen=True)
class Maps(Mosaics):
    """One size: the published optimiser, soft attention, a number of maps."""

    optimiser: str = "adam"
    paradigms: tuple[str, ...] = ("soft",)
    attention: tuple[str, ...] = ("softmax", "softmax+entropy", "entmax", "sparsemax", "spherical")
    entropy_weight: float = 0.01


def sweeps(sizes: Maps) -> dict[str, Spec]:
    """The sweep that one size is."""
    axes = {"attention": list(sizes.attention), "entropy_weight": [sizes.entropy_weight]}
    return {sizes.task: sweep_of(sizes, MEASURES, axes, OWN)}


def run(sizes: Maps, to: Listeners) -> xr.Dataset:
    """Train all of it, in chunks; the result so far is heard of after each."""
    (spec,) = sweeps(sizes).values()
    return run_in_chunks(spec, to)


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """The table as a figure, and how sparse and right attention becomes on the way."""
    table = (
        "What soft attention ends with under each map, on held-out mosaics. A dot is a seed, a bar "
        "the mean with its 95 % interval. Open diamonds, of CIFAR-10 alone: means that the "
        "predecessor published, of another protocol, and no result of ours."
    )
    way = (
        "Attention on the foreground against the number of segments that have attention, from the "
        "first save (a ring) to the last (a dot): means over seeds, on held-out mosaics."
    )
    return [
        plots.Drawing("by_map", "What each map ends with", table, partial(by_map, ds)),
        plots.Drawing("where_it_is", "How many segments, and which", way, partial(where_it_is, ds)),
    ]


def _maps(sizes: Mosaics, **more: object) -> Maps:
    """The size of another experiment, with this one's optimiser and paradigm."""
    own = {"optimiser": Maps.optimiser, "paradigms": Maps.paradigms}
    return Maps(**(asdict(sizes) | own | more))


SCALES: Mapping[str, Maps] = {
    "smoke": _maps(SMOKE, model="mlp", learning_rates=(0.005,)),
    "small": Maps(
        task="digits",
        model="mlp",
        learning_rates=(0.002,),
        segments=(9,),
        train=2048,
        test=1024,
        steps=800,
        batch_size=128,
        saves=21,
        seeds=16,
    ),
    "paper": _maps(
        PUBLISHED,
        learning_rates=(0.0005,),
        segments=(9,),
        batch_size=250,
        steps=60 * 120,
        saves=61,
    ),
}

SPARSITY = Experiment(
    name="sparsity",
    summary="attention maps with exact zeros and a penalty on entropy, beside softmax",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
)
