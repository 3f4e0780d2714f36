"""What is measured of captions: that of an attention network, word by word.

A word whose tile is known counts as an example counts elsewhere; words without one, such as "of",
say nothing of the focus, and are easy. So measures under the names of `jaxattn.problems.measures`
are means over the words with a known tile, and NaN where there are none.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxattn.core.contracts import Data, Example, MeasureSpec
from jaxattn.problems.inference import INFERENCE_RULES
from jaxattn.problems.large_sets import of_each, unfilled
from jaxattn.problems.measures import SHOWN, average_measures, task_measures
from jaxattn.problems.teacher_forcing import is_word

__all__ = ["caption_measures", "measure_captions"]

_LEFT_OUT = ("mu", "nu", "error_cell_by_class")
"""Of one label by design, or of a few classes."""


def caption_measures(words: int, segments: int) -> tuple[MeasureSpec, ...]:
    """The labels of all measures, of captions of so many words on so many segments."""
    shown = tuple(range(SHOWN))
    return (
        *(spec for spec in task_measures(segments, 0) if spec.name not in _LEFT_OUT),
        MeasureSpec(
            "caption_loss",
            ("inference",),
            (INFERENCE_RULES,),
            unit="nat",
            long_name="cross-entropy of a word, of all words",
            better="less",
            delta=0.01,
        ),
        MeasureSpec(
            "attention_by_word",
            ("shown", "word", "segment"),
            (shown, tuple(range(words)), tuple(range(segments))),
            long_name="attention on each segment for each word of the first examples",
        ),
    )


def measure_captions(
    measured: Callable[[Example], dict[str, Array]],
    batch: Example | Data,
    at_once: int,
    dtype: DTypeLike,
) -> dict[str, Float[Array, "..."]]:
    """The `caption_measures` of a batch; ``attention_shown`` is a mean over known words.

    Args:
        measured: one example to what `jaxattn.problems.measures.measure_one` gives of each word,
            words in front.
        batch: examples with a leading axis.
        at_once: examples seen together, the others after them.
        dtype: of what is filled in.
    """
    each = of_each(measured, batch, at_once, dtype)
    batch = unfilled(batch, dtype)
    real = is_word(batch.label)
    known = real & jnp.any(batch.foreground & batch.mask[:, None], axis=-1)
    shown = _shown(each["attention_shown"], known, real, batch.weight)
    all_words = jnp.where(real, batch.weight[:, None], 0)[..., None]
    of_all = jnp.sum(all_words * each["loss"], axis=(0, 1)) / jnp.sum(all_words)

    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), each)
    words = batch._replace(
        segments=(),
        mask=jnp.repeat(batch.mask, batch.label.shape[1], axis=0),
        label=batch.label.reshape(-1),
        foreground=batch.foreground.reshape(-1, batch.foreground.shape[-1]),
        weight=jnp.where(known, batch.weight[:, None], 0).reshape(-1),
    )
    return _kept(average_measures(flat, words)) | {"caption_loss": of_all, **shown}


def _kept(found: dict[str, Array]) -> dict[str, Array]:
    return {name: values for name, values in found.items() if name not in _LEFT_OUT}


def _shown(
    attention: Float[Array, "example word segment"], known: Array, real: Array, weight: Array
) -> dict[str, Array]:
    """Of the first `SHOWN` examples, by word and as a mean; NaN where nothing counts."""
    counts = real & (weight[:, None] > 0)
    by_word = jnp.where(counts[..., None], attention, jnp.nan)[:SHOWN]
    both = (known & counts)[:SHOWN, :, None]
    # 0 / 0 where no word's tile is known.
    mean = jnp.sum(jnp.where(both, by_word, 0), axis=1) / jnp.sum(both, axis=1)
    more = SHOWN - by_word.shape[0]
    return {
        "attention_shown": jnp.pad(mean, ((0, more), (0, 0)), constant_values=jnp.nan),
        "attention_by_word": jnp.pad(by_word, ((0, more), (0, 0), (0, 0)), constant_values=jnp.nan),
    }
