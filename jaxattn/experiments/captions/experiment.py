"""Captions: whether the claims of the paper hold where every word has attention.

A model says what is to be seen in two mosaics side by side; two words of a caption name a tile.
Soft, hard, LVML and hybrid attention learn from the same starts and in the same order. Measured are
attention on the tile of a word, the claims, and what the trained models write. So it is of
photographs in a folder as COCO has them, where a word that names a box has the cells of that box.
"""

from functools import partial

import xarray as xr

from jaxattn import plots
from jaxattn.analysis.caption_metrics import caption_metrics
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError
from jaxattn.experiments.captions.config import SCALES, Captions, sweep_of
from jaxattn.experiments.captions.figures import attention_by_word, words_on_tiles, written_maps
from jaxattn.experiments.captions.findings import findings, numbers
from jaxattn.experiments.captions.written import written_by
from jaxattn.experiments.claims.figures import focus_on
from jaxattn.experiments.in_chunks import run_each
from jaxattn.models import captioner
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.results.dataset import spec_of
from jaxattn.study.spec import Spec
from jaxattn.tasks import TASKS

__all__ = ["CAPTIONS", "run"]

MEASURES = (
    *("attention_foreground", "time_to_focus", "accuracy", "error_cell", "loss", "caption_loss"),
    *("answer_map", "attention_by_word"),
)


def sweeps(config: Captions) -> dict[str, Spec]:
    """A sweep for each set of images, by its name."""
    return {images: sweep_of(config, images, MEASURES, params=True) for images in config.sets}


def check(config: Captions) -> None:
    """Miss what judges captions before anything is learnt, not after.

    Raises:
        InputError: the extra ``captions`` is not installed.
    """
    del config
    caption_metrics(["a"], [["a"]])


def run(config: Captions, to: Listeners) -> xr.Dataset:
    """Train all sets in chunks, then have what was trained write; heard of after each set."""
    if to.chunks is None:
        raise InputError(
            "captions: got no folder for the chunks, expected one, as parameters are kept there; "
            "run it by jaxattn.experiments.reproduce."
        )
    check(config)
    specs = sweeps(config)
    index = xr.IndexVariable("data", list(specs), {"long_name": "images that captions are of"})
    learnt = run_each(specs, index, to)
    written = []
    for images in specs:
        asked = config.task(images)
        task = TASKS[asked.pop("name")](**asked)
        model = captioner(task.classes, config.width)
        one = learnt.sel(data=images)
        written.append(written_by(one, task, model, to.chunks / images, config.evaluate))
    return learnt.merge(xr.concat(written, index), combine_attrs="override")


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """Attention on tiles, its course, one caption word by word, and the heat maps."""
    tiles = (
        "Attention on the tile that a word names, on held-out mosaics at the end of training: a "
        "dot is a seed, a bar the mean with its 95 % interval. The dashed line is chance."
    )
    words = (
        "Attention for each word of the first held-out caption, given the true words before it, at "
        "the end of training; means over seeds. Frames: the tile that the word names."
    )
    maps = (
        "The heat map of PAPER 3.8, of captions that were written greedily: attention on the tile "
        "of a word at the step where its chance is greatest, and that chance; percent of named "
        "tiles, means over seeds."
    )
    known = [plots.Drawing("words_on_tiles", "Words on tiles", tiles, partial(words_on_tiles, ds))]
    if "written_map" in ds:
        known += [
            plots.Drawing("by_word", "A caption", words, partial(attention_by_word, ds)),
            plots.Drawing("written_maps", "What is written", maps, partial(written_maps, ds)),
        ]
    return [*known, *(_focus(ds, str(name)) for name in ds["data"].values)]


def _focus(ds: xr.Dataset, name: str) -> plots.Drawing:
    words = (
        "Attention on the tile of a word, of held-out mosaics, against training: medians and bands "
        f"over seeds, {name}."
    )
    one = ds.sel(data=name).assign_attrs(spec=canonical_json({**spec_of(ds), "task": "captions"}))
    return plots.Drawing(
        f"focus_{name}", f"Finding the tile: {name}", words, partial(focus_on, one)
    )


CAPTIONS = Experiment(
    name="captions",
    summary="attention for every word: captions of mosaics, the claims, and what is written",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
    check=check,
)
