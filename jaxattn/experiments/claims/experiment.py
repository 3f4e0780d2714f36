"""The claims of the paper, on theory, several sets of images, text and captions, side by side.

Every set is learnt by soft, hard, LVML and hybrid attention from the same starts; how the
classification model learns while the focus is fixed is trained beside. Of the reduced system the
same is known exactly. Each claim is then a statement with its verdict, by set.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

from jaxattn import plots
from jaxattn.core.canonical_json import canonical_json
from jaxattn.experiments.captions.config import sweep_of as sweep_of_captions
from jaxattn.experiments.claims.config import SCALES, Claims
from jaxattn.experiments.claims.figures import focus_on, verdicts
from jaxattn.experiments.claims.findings import findings, numbers, of_set
from jaxattn.experiments.fixed_focus.experiment import FIXED_FOCUS, check_size, described
from jaxattn.experiments.fixed_focus.figures import finished_rows
from jaxattn.experiments.in_chunks import run_each, run_once
from jaxattn.experiments.labels import labelled
from jaxattn.experiments.mosaics import sweep_of
from jaxattn.experiments.rationales.config import sweep_of as sweep_of_posts
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.results.dataset import spec_of
from jaxattn.study.spec import Spec

__all__ = ["CLAIMS", "run"]

MEASURES = ("attention_foreground", "time_to_focus", "accuracy", "error_cell", "loss")

_POSTS, _CAPTIONS = "rationales", "captions"

ALPHA = 0.6
"""The attention at which the fixed focus is judged: in the middle of those that are trained."""


def sweeps(config: Claims) -> dict[str, Spec]:
    """A sweep for each set of images, by its name, one of posts and one of captions."""
    sets = map(config.of_seeds, config.sets)
    specs = {sizes.task: sweep_of(sizes, MEASURES) for sizes in sets}
    # Results are joined, save by save.
    saves = config.sets[0].saves
    if config.posts is not None:
        posts = replace(config.of_seeds(config.posts), data=config.data, saves=saves)
        specs[_POSTS] = sweep_of_posts(posts, MEASURES)
    if config.captions is not None:
        said = replace(config.of_seeds(config.captions), saves=saves)
        specs[_CAPTIONS] = sweep_of_captions(said, said.sets[0], MEASURES)
    return specs


def check(config: Claims) -> None:
    """Refuse images of the fixed focus that are not there, before anything is learnt from others.

    Raises:
        InputError: what their task refuses.
    """
    for size in config.fixed:
        check_size(config.of_seeds(size))


def run(config: Claims, to: Listeners) -> xr.Dataset:
    """Train all sets in chunks, then the fixed focus; what is done is heard of after each."""
    check(config)
    specs = sweeps(config)
    sizes_fixed = [config.of_seeds(size) for size in config.fixed]
    tasks = [size.task for size in sizes_fixed]
    sets_index = xr.IndexVariable("data", list(specs), {"long_name": "what is learnt from"})
    learnt = run_each(specs, sets_index, to, _of_one_length)
    falls = {}
    for size, task in zip(sizes_fixed, tasks, strict=True):
        ds = run_once(f"fixed-{task.name}", described(size), partial(FIXED_FOCUS.run, size), to)
        falls[task.name] = falls_of(ds)
    index = xr.IndexVariable("fixed_data", list(falls), {"long_name": "learnt at a fixed focus"})
    return learnt.assign(fixed_focus_fall=xr.concat(falls.values(), index))


def _of_one_length(ds: xr.Dataset) -> xr.Dataset:
    """Without the axis of the images of a mosaic, which has one entry and posts have not."""
    return ds.isel(segments=0, drop=True) if "segments" in ds.dims else ds


def falls_of(ds: xr.Dataset) -> xr.DataArray:
    """How much of its peak the gain by 0.01 more attention has lost at the end, by seed.

    Args:
        ds: of the experiment on the fixed focus; the attention is `ALPHA`.
    """
    rows = []
    for name in ds["paradigm"].values:
        gaps = finished_rows(ds.sel(paradigm=name, alpha=ALPHA), "gap", "train")
        lost = np.full(ds.sizes["seed"], np.nan)
        lost[: len(gaps)] = 1 - gaps[:, -1] / gaps.max(axis=1)
        rows.append(lost)
    words = "share of its peak that the gain by more attention lost, at a fixed focus"
    variable = xr.Variable(*labelled("paradigm seed", rows, "1", words))
    return xr.DataArray(variable, {"paradigm": ds["paradigm"].values, "seed": ds["seed"].values})


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """The verdicts as a grid, then how the focus is found on each set."""
    words = (
        "Every claim (down) on theory and on every set (across). Holds and does not hold "
        "are verdicts that hold all together for each set, but the force has an interval of its "
        "own; undecided says how many seeds would decide. Numbers are what the claim is about, as "
        "its line in the table says. What does not hold is equal within what counts as no "
        "difference, or reversed. Empty: not asked of these."
    )
    first = plots.Drawing("verdicts", "Which claims hold", words, partial(verdicts, ds))
    return [first, *(_focus(ds, str(name)) for name in ds["data"].values)]


def _focus(ds: xr.Dataset, name: str) -> plots.Drawing:
    words = (
        "Attention on the foreground of held-out mosaics, the rationale of held-out posts, or the "
        f"tile of a word of captions, against training: medians and bands over seeds, {name}."
    )
    one = of_set(ds, name)
    # What is joined says what the first set is of.
    one = one.assign_attrs(spec=canonical_json({**spec_of(ds), "task": name}))

    draw = partial(focus_on, one)
    return plots.Drawing(f"focus_{name}", f"Finding the segment: {name}", words, draw)


CLAIMS = Experiment(
    name="all",
    summary="every claim of the paper, on theory, images, text and captions, side by side",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
    check=check,
)
