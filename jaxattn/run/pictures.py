"""The pictures behind a result: what the first examples of each split look like.

They are stored with a result, beside ``attention_shown``, so that they can be drawn without the
task.
"""

import math

import jax
import numpy as np
import xarray as xr

from jaxattn.core.contracts import Data, InputError, Task
from jaxattn.core.pixels import is_pixels
from jaxattn.problems.data import head
from jaxattn.problems.measures import SHOWN
from jaxattn.run.data_source import Sources
from jaxattn.run.job import Job
from jaxattn.study.study import Study
from jaxattn.study.subject import AttentionNetwork

__all__ = ["pictures_of"]


def pictures_of(study: Study, sources: Sources, job: Job) -> xr.Dataset:
    """The examples whose ``attention_shown`` is measured, so that it can be drawn on them.

    They are those of the first seed; where seeds vary the data, the others have seen others.

    Args:
        study: of the comparison.
        sources: the data of its rows.
        job: any of its jobs.

    Returns:
        ``picture [split, shown, segment, height, width(, colour)]``, float32, NaN where there is
        no segment; ``picture_foreground [split, shown, segment]``; ``picture_seen [seed]``: whether
        these are a seed's data. Empty where the task has no pictures.

    Raises:
        InputError: segments that are not of the shape the task says.
    """
    subject, first = study.subject, study.seeds[0]
    if not isinstance(subject, AttentionNetwork) or subject.task.picture is None:
        return xr.Dataset()
    task = subject.task
    splits = sources.splits(first, job).evaluate
    shape = (len(splits), SHOWN, task.segments)
    picture = np.full((*shape, *subject.task.picture), np.nan, np.float32)
    foreground = np.zeros(shape, bool)
    for place, data in enumerate(splits.values()):
        shown = head(data, SHOWN)
        pixels = _pixels(shown, task)
        mask = np.asarray(shown.examples.mask)
        picture[place, : len(mask)][mask] = pixels[mask]
        # Of a caption: of any of its words.
        of_words = np.asarray(shown.examples.foreground).reshape(len(mask), -1, task.segments)
        foreground[place, : len(mask)] = of_words.any(axis=1)
    seen = [seed == first or "data" not in study.vary for seed in study.seeds]
    dims = ("split", "shown", "segment")
    pixel = ("height", "width", "colour")[: len(subject.task.picture)]
    words = {"units": "1", "long_name": "segments of the first examples, as pictures"}
    return xr.Dataset(
        {
            "picture": ((*dims, *pixel), picture, words),
            "picture_foreground": (dims, foreground, {"long_name": "the segment is foreground"}),
            "picture_seen": ("seed", seen, {"long_name": "the pictures are of this seed's data"}),
        },
        {
            "split": list(splits),
            "shown": np.arange(SHOWN),
            "segment": np.arange(task.segments),
            "seed": np.asarray(study.seeds, np.int64),
        },
    )


def _pixels(data: Data, task: Task) -> np.ndarray:
    """Every segment as a picture, ``[bag, segment, *picture]``."""
    assert task.picture is not None
    leaves = jax.tree.leaves(data.examples.segments)
    if data.pool is not None:
        pools = jax.tree.leaves(data.pool, is_leaf=is_pixels)
        rows = zip(pools, leaves, strict=True)
        leaves = [
            pool[indices] if is_pixels(pool) else np.asarray(pool)[indices]
            for pool, indices in rows
        ]
    shapes = [leaf.shape[2:] for leaf in leaves]
    if [math.prod(shape) for shape in shapes] != [math.prod(task.picture)]:
        found = " and ".join(map(str, shapes))
        raise InputError(
            f"{task.name}: got segments of shape {found} and the picture {task.picture}, expected "
            "one array with as many numbers a segment as a picture has; correct Task.picture or "
            "leave it out."
        )
    return np.asarray(leaves[0]).reshape(*leaves[0].shape[:2], *task.picture)
