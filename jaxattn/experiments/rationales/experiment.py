"""Text with rationales: do people's words and those that are attended agree, and by which paradigm?

Posts are learnt from by soft, hard, LVML and hybrid attention from the same starts and in the same
order (PAPER 3.6). Posts are invented ones, or those of a folder as HateXplain has it. Of ten posts
the words are kept and drawn with their attention; they are in the folder of the run alone.
"""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from jaxattn import plots
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import Task
from jaxattn.core.text import printable
from jaxattn.experiments.claims.figures import focus_on
from jaxattn.experiments.in_chunks import run_in_chunks
from jaxattn.experiments.rationales.config import SCALES, Rationales, sweep_of
from jaxattn.experiments.rationales.figures import POSTS, posts_drawn
from jaxattn.experiments.rationales.findings import findings, numbers
from jaxattn.problems.data import head
from jaxattn.problems.measures import SHOWN
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.study.spec import Spec
from jaxattn.tasks import rationales

__all__ = ["RATIONALES", "run"]

MEASURES = (
    *("accuracy", "loss", "error_cell", "answer_map", "time_to_focus"),
    *("attention_foreground", "focus_accuracy", "attention_shown"),
    *("token_f1", "token_iou", "token_auprc", "comprehensiveness", "sufficiency"),
)


def sweeps(size: Rationales) -> dict[str, Spec]:
    """The sweep that one size is."""
    return {"rationales": sweep_of(size, MEASURES)}


def run(size: Rationales, to: Listeners) -> xr.Dataset:
    """Train every paradigm, in chunks; the result so far is heard of after each."""
    (spec,) = sweeps(size).values()
    ds = run_in_chunks(spec, to)
    task = rationales(**size.task)
    return ds.assign_attrs({POSTS: canonical_json(_shown(task))})


def _shown(task: Task) -> dict[str, Any]:
    """Words and rationales of the posts whose attention is kept, the first ones of each split."""
    assert task.vocabulary is not None
    words = np.array(list(map(printable, task.vocabulary.words)), object)
    shown = {}
    for name, data in task.make(0).items():
        of = head(data, SHOWN).examples
        posts = zip(of.segments, of.mask, of.foreground, strict=True)
        shown[name] = [
            {"words": words[at[mask]].tolist(), "rationale": marked[mask].astype(int).tolist()}
            for at, mask, marked in posts
        ]
    return shown


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """How attention finds the rationale, what the answer makes of it, and ten posts by paradigm."""
    one = ds.isel(learning_rate=[0])
    maps = (
        "Per cent of the held-out posts with a rationale by attention on it (across) and chance "
        "given to the right class (up), in steps of 0.2, at the end of training, mean over seeds, "
        "a row a paradigm: left as published, right by its own rule of inference (PAPER 3.6)."
    )
    found = (
        "Attention on the rationale of held-out posts that have one, against training: medians and "
        "bands over seeds."
    )
    return [
        plots.Drawing("focus", "Finding the rationale", found, partial(focus_on, one)),
        plots.Drawing(
            "maps",
            "Attention against the answer",
            maps,
            partial(plots.answer_maps, one, split="test"),
        ),
        *(_posts(one, str(name)) for name in ds["paradigm"].values if POSTS in ds.attrs),
    ]


def _posts(ds: xr.Dataset, name: str) -> plots.Drawing:
    words = (
        f"Posts as they are, with attention of {name} at the end of training, of the first seed: "
        "the darker a word, the more attention it has beside the most of its post. Underlined is "
        "the rationale. Held-out posts come first."
    )
    draw = partial(posts_drawn, ds, name)
    return plots.Drawing(f"posts_{name}", f"Ten posts, {name}", words, draw)


RATIONALES = Experiment(
    name="rationales",
    summary="text with rationales: whether attended words are those that people decide by",
    scales=SCALES,
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    sweeps=sweeps,
)
