"""What trained models write of held-out mosaics, and how it is judged."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from jaxattn.analysis.caption_metrics import CAPTION_METRICS, caption_metrics
from jaxattn.core.contracts import SequenceModel, Status, Task
from jaxattn.core.words import text_of
from jaxattn.engine.checkpoints import final_params
from jaxattn.experiments.labels import labelled
from jaxattn.problems.attention import softmax
from jaxattn.problems.data import everything, head
from jaxattn.problems.decoding import Written, decode

__all__ = ["CENTRES", "map_of", "references_of", "written_by"]

_EDGES = (0.0, 0.2, 0.3, 1.0)
"""Of the bins of PAPER 3.8, of attention and of answers alike."""
CENTRES = (0.1, 0.25, 0.65)

Write = Callable[[Any], Written]


def written_by(
    ds: xr.Dataset, task: Task, model: SequenceModel, folder: Path, most: int
) -> xr.Dataset:
    """Judge what every run of a sweep writes, each paradigm by its own rule, greedily.

    An example is written once, and held against all captions of it.

    Args:
        ds: the result of the sweep.
        task: of captions, of which the first `most` test examples are written.
        model: that was trained.
        folder: of the sweep, which keeps the parameters.
        most: examples.

    Returns:
        ``caption_metric [paradigm, seed, metric]`` and ``written_map [paradigm, seed, attention_3,
        answer_3]``, NaN where a run did not end well; the words of the first example.
    """
    names, seeds = ds["paradigm"].values, ds["seed"].values
    data = head(task.make(0)["test"], most)
    batch = everything(data, "float32")
    references = references_of(task, "test", data.examples.label)
    metrics = np.full((len(names), len(seeds), len(CAPTION_METRICS)), np.nan)
    maps = np.full((len(names), len(seeds), len(CENTRES), len(CENTRES)), np.nan)
    for row, name in enumerate(names):
        write = _writer(task, model, str(ds["natural_inference"].sel(paradigm=name).item()))
        for column, seed in enumerate(seeds):
            status = ds["status"].sel(paradigm=name, seed=seed).values
            if not Status.ended_well(status).all():
                continue
            params = final_params(folder, {"paradigm": str(name), "seed": int(seed)})
            found: Written = jax.tree.map(np.asarray, write(params, batch))
            texts = [text_of(words, task.caption_words) for words in found.words]
            metrics[row, column] = list(caption_metrics(texts, references).values())
            maps[row, column] = map_of(found, data.examples.label, data.examples.foreground)
    tiles = np.asarray(data.examples.foreground[0])
    places = np.where(tiles.any(-1), tiles.argmax(-1), -1)
    words = [task.caption_words[word] for word in data.examples.label[0]]
    long = "share of named tiles by attention on them and chance of their word, when it is greatest"
    return xr.Dataset(
        {
            "caption_metric": labelled("paradigm seed metric", metrics, "%", "greedy captions"),
            "written_map": labelled("paradigm seed attention_3 answer_3", maps, "%", long),
            "first_caption": labelled("word", words, "1", "the first held-out caption"),
            "first_tile": labelled("word", places, "1", "tile of each of its words; -1: none"),
        },
        {
            "paradigm": names,
            "seed": seeds,
            "metric": list(CAPTION_METRICS),
            "attention_3": list(CENTRES),
            "answer_3": list(CENTRES),
        },
    )


def references_of(task: Task, split: str, label: Any) -> Sequence[Sequence[str]]:
    """What people wrote of the first examples of a split: all captions of each that are known.

    Args:
        task: of captions.
        split: such as test.
        label: of those examples ``[example, word]``.
    """
    if task.references is None:
        return [(text_of(words, task.caption_words),) for words in label]
    return task.references[split][: len(label)]


@lru_cache(maxsize=8)
def _writer(task: Task, model: SequenceModel, rule: str) -> Callable[[Any, Any], Written]:
    """Greedy captions of a batch, as long as those of the task."""
    length, hyper = len(task.template.label), {"temperature": jnp.ones((), "float32")}

    def write(params: Any, batch: Any) -> Written:
        def of_one(example: Any) -> Written:
            return decode(model, softmax, params, example, hyper, rule, length)

        return jax.vmap(of_one)(batch)

    return jax.jit(write)


def map_of(found: Written, label: Any, foreground: Any) -> np.ndarray:
    """The heat map of PAPER 3.8, in percent ``[attention, answer]``: rows from little attention.

    Of every word that names one tile of an example: its greatest chance over the steps of the
    caption that was written, and the attention on its tile at that step.

    Args:
        found: captions of examples.
        label: true words ``[example, word]``.
        foreground: tile of each word ``[example, word, segment]``.
    """
    counts = np.zeros((len(CENTRES), len(CENTRES)))
    for example, words in enumerate(np.asarray(label)):
        tiles = np.asarray(foreground[example])
        named = [place for place in range(len(words)) if tiles[place].any()]
        for place in named:
            if sum(words[other] == words[place] for other in named) > 1:
                continue  # two tiles of one name: which is meant cannot be told
            chance = found.probabilities[example, :, words[place]]
            step = int(np.nanargmax(chance))
            attention = found.attention[example, step][tiles[place]].sum()
            # What rounding puts beyond 1 belongs to the last bin.
            bins = np.digitize([attention, chance[step]], _EDGES[1:-1])
            counts[tuple(bins)] += 1
    return 100 * counts / max(counts.sum(), 1)
