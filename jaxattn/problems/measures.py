"""What is measured of an attention network.

Everything but ``attention_shown`` is a mean over examples by weight; measures of the focus are
taken over the examples whose foreground is known, and are NaN where none is.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import (
    Data,
    Example,
    MeasureColumn,
    MeasureSpec,
    MeasureWording,
    Reader,
)
from jaxattn.problems.attention import entropy
from jaxattn.problems.inference import INFERENCE_RULES, infer
from jaxattn.problems.large_sets import of_each, unfilled

__all__ = [
    "BINS",
    "CELLS",
    "DECILES",
    "EDGES",
    "MEASURES",
    "MOST_CLASSES",
    "SHOWN",
    "View",
    "average_measures",
    "mean_of_views",
    "measure_examples",
    "measure_one",
    "task_measures",
]

CELLS = ("FTPT", "FFPT", "FTPF", "FFPF")
"""Focus true / false x prediction true / false (PAPER 1.6)."""

DECILES = tuple(round(0.1 * i, 1) for i in range(1, 10))

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Edges of the bins of `answer_map`, of the attention and of the answer alike (PAPER 3.5)."""

BINS = tuple(round(low + 0.1, 1) for low in EDGES[:-1])
"""Centres of those bins. A bin holds its lower edge; the last one holds 1 too."""

SHOWN = 4
"""Examples of each split, the first ones, whose attention is kept segment by segment."""

MOST_CLASSES = 10
"""Tasks of more classes have no ``error_cell_by_class``: of so many it takes as much memory at
every save as all other measures together."""

_BY_RULE = (("inference",), (INFERENCE_RULES,))

_RIGHT_FOR_THE_RIGHT_REASON = MeasureSpec(
    "FTPT",
    unit="%",
    better="more",
    delta=1.0,
    whole=100.0,
    place=40,
    compared=50,
    wording=MeasureWording(
        "is most often right for the right reason",
        "more than",
        "the share right for the right reason",
        asked_first=False,
    ),
    column=MeasureColumn("right for the right reason", digits=1),
)
_RIGHT_FOR_THE_WRONG_REASON = MeasureSpec(
    "FFPT", unit="%", place=50, column=MeasureColumn("right for the wrong reason")
)

MEASURES = (
    MeasureSpec(
        "loss",
        *_BY_RULE,
        unit="nat",
        long_name="cross-entropy of the answer",
        better="less",
        delta=0.01,
        headline=True,
        place=70,
        compared=20,
        wording=MeasureWording(
            "ends with the lowest loss", "less than", "the final loss", asked_first=False
        ),
        column=MeasureColumn("loss", digits=3),
    ),
    MeasureSpec(
        "accuracy",
        *_BY_RULE,
        unit="%",
        long_name="accuracy",
        better="more",
        delta=1.0,
        whole=100.0,
        headline=True,
        place=30,
        compared=10,
        wording=MeasureWording("ends most accurate", "more than", "the final accuracy"),
        column=MeasureColumn("accuracy", digits=1),
    ),
    MeasureSpec(
        "error_cell",
        ("inference", "cell"),
        (INFERENCE_RULES, CELLS),
        unit="%",
        long_name="share of examples by focus and prediction true or false",
        headline=True,
        parts=(_RIGHT_FOR_THE_RIGHT_REASON, _RIGHT_FOR_THE_WRONG_REASON),
    ),
    MeasureSpec(
        "answer_map",
        ("inference", "attention_bin", "answer_bin"),
        (INFERENCE_RULES, BINS, BINS),
        unit="%",
        long_name="share of examples by attention on the foreground and chance of the right class",
    ),
    MeasureSpec(
        "focus_accuracy",
        unit="%",
        long_name="most attention is on the foreground",
        better="more",
        delta=1.0,
        whole=100.0,
        headline=True,
        compared=40,
        spoken=False,
    ),
    MeasureSpec(
        "attention_foreground",
        long_name="attention on the foreground, mean",
        better="more",
        delta=0.01,
        whole=1.0,
        headline=True,
        place=20,
        compared=30,
        wording=MeasureWording(
            "ends with most attention on the foreground",
            "more than",
            "the final attention on the foreground",
        ),
        column=MeasureColumn(
            "attention on the foreground", digits=3, narrow="attention on foreground"
        ),
    ),
    MeasureSpec(
        "attention_foreground_decile",
        ("quantile",),
        (DECILES,),
        long_name="attention on the foreground, deciles over examples",
    ),
    MeasureSpec(
        "attention_entropy", unit="nat", long_name="entropy of the attention", headline=True
    ),
    MeasureSpec("mu", long_name="logit gap of the right class, foreground read alone"),
    MeasureSpec("nu", long_name="score gap between foreground and background"),
)
"""What is a mean over examples: its labels, and how it is told."""


def task_measures(segments: int, classes: int) -> tuple[MeasureSpec, ...]:
    """The `MEASURES`, and those whose labels a task decides, which has bags of so many segments.

    ``attention_shown`` is of the first `SHOWN` examples. ``error_cell_by_class`` is there up to
    `MOST_CLASSES`: the shares that each label has of ``error_cell``. They are shares of all
    examples, so that they add up to ``error_cell``; divided by their sum over cells they are those
    of the examples of one class.
    """
    shown = MeasureSpec(
        "attention_shown",
        ("shown", "segment"),
        (tuple(range(SHOWN)), tuple(range(segments))),
        long_name="attention on each segment of the first examples",
    )
    by_class = MeasureSpec(
        "error_cell_by_class",
        ("inference", "class", "cell"),
        (INFERENCE_RULES, tuple(range(classes)), CELLS),
        unit="%",
        long_name="share of examples by class, focus and prediction true or false",
    )
    return (*MEASURES, shown, *([by_class] if classes <= MOST_CLASSES else []))


class View(NamedTuple):
    """What one example looks like to a trained pair."""

    scores: Float[Array, " segment"]
    log_attention: Float[Array, " segment"]
    values: PyTree
    read: Reader


def measure_one(view: View, example: Example) -> dict[str, Array]:
    """What is measured of one example, before `average_measures`."""
    each = jax.vmap(view.read)(view.values)
    answers = infer(view.log_attention, view.values, each, view.read)
    dtype = view.scores.dtype
    on = example.foreground & example.mask
    off = ~example.foreground & example.mask
    focus_true = on[jnp.argmax(view.log_attention)]
    right = jnp.argmax(answers, axis=-1) == example.label
    parts = [focus_true & right, ~focus_true & right, focus_true & ~right, ~focus_true & ~right]
    cells = 100 * jnp.stack(parts, axis=-1).astype(dtype)
    # Log probabilities differ from logits by one constant, so gaps between classes are the same.
    read_on = jnp.sum(jnp.where(on[:, None], each, 0.0), axis=0) / jnp.sum(on, dtype=dtype)
    others = (jnp.sum(read_on) - read_on[example.label]) / (read_on.size - 1)

    def mean_score(at: Array) -> Array:
        return jnp.sum(jnp.where(at, view.scores, 0.0)) / jnp.sum(at, dtype=dtype)

    attention = jnp.exp(view.log_attention)
    attention_on = jnp.sum(jnp.where(on, attention, 0.0))
    attention_bins = _bin(attention_on)[None, :, None]
    answer_bins = jax.vmap(_bin)(jnp.exp(answers[:, example.label]))[:, None, :]
    measured = {
        "loss": -answers[:, example.label],
        "accuracy": 100 * right.astype(dtype),
        "error_cell": cells,
        "answer_map": 100 * attention_bins * answer_bins,
        "focus_accuracy": 100 * focus_true.astype(dtype),
        "attention_foreground": attention_on,
        "attention_entropy": entropy(view.log_attention),
        "mu": read_on[example.label] - others,
        "nu": mean_score(on) - mean_score(off),
        "attention_shown": attention,
    }
    if (classes := read_on.size) > MOST_CLASSES:
        return measured
    of_label = jax.nn.one_hot(example.label, classes, dtype=dtype)[None, :, None]
    return measured | {"error_cell_by_class": cells[:, None] * of_label}


def _bin(share: Float[Array, ""]) -> Float[Array, " bin"]:
    """1 in the bin of the share and 0 in the others; NaN is in none."""
    # What rounding puts beyond 0 or 1 belongs to the first or last bin.
    low = jnp.asarray((-jnp.inf, *EDGES[1:-1]), share.dtype)
    high = jnp.asarray((*EDGES[1:-1], jnp.inf), share.dtype)
    return ((low <= share) & (share < high)).astype(share.dtype)


def _shown(
    values: Float[Array, "example segment"], weight: Float[Array | np.ndarray, " example"]
) -> Array:
    """The first `SHOWN` rows; NaN for an example that does not count or is not there."""
    counted = jnp.where(weight[:SHOWN, None] > 0, values[:SHOWN], jnp.nan)
    return jnp.pad(counted, ((0, SHOWN - counted.shape[0]), (0, 0)), constant_values=jnp.nan)


_OF_FOCUS = (
    *("error_cell", "error_cell_by_class", "answer_map"),
    *("focus_accuracy", "attention_foreground", "mu", "nu"),
)


def mean_of_views(
    look: Callable[[View, Example], Array],
    see: Callable[[Example], View],
    batch: Example | Data,
    at_once: int | None,
    dtype: DTypeLike,
) -> Array:
    """The mean by weight of what `look` gives of each example; see `measure_examples`."""
    each = jnp.asarray(of_each(lambda one: look(see(one), one), batch, at_once, dtype))
    weight = unfilled(batch, dtype).weight
    column = weight.reshape(weight.shape + (1,) * (each.ndim - 1))
    # What does not count may be 0 / 0: keep it out of the sum.
    return jnp.sum(jnp.where(column > 0, column * each, 0), axis=0) / jnp.sum(weight)


def measure_examples(
    see: Callable[[Example], View],
    batch: Example | Data,
    at_once: int | None = None,
    dtype: DTypeLike = "float32",
    lengths: tuple[int, ...] = (),
) -> dict[str, Float[Array, "..."]]:
    """The `task_measures` of a batch of examples.

    Args:
        see: one example to its `View`.
        batch: examples with a leading axis, or a set of them too large to be filled in whole;
            weights may be zero but not all of them.
        at_once: examples seen together, the others after them; None: all.
        dtype: of what is filled in.
        lengths: of buckets, where bags are of unlike lengths.
    """
    each = of_each(
        lambda example: measure_one(see(example), example), batch, at_once, dtype, lengths
    )
    return average_measures(each, unfilled(batch, dtype))


def average_measures(each: dict[str, Array], examples: Example) -> dict[str, Float[Array, "..."]]:
    """The `task_measures` of examples of which everything is measured.

    Args:
        each: of `measure_one`, with a leading axis of examples.
        examples: these.
    """
    each = dict(each)
    shown = _shown(each.pop("attention_shown"), examples.weight)
    known = jnp.any(examples.foreground & examples.mask, axis=-1)
    # A bag that is all foreground (a rationale of every word) has no gap to its background.
    gap = known & jnp.any(~examples.foreground & examples.mask, axis=-1)
    counts = dict.fromkeys(_OF_FOCUS, known) | {"nu": gap}

    def mean(name: str, values: Array) -> Array:
        weight = examples.weight * counts[name] if name in counts else examples.weight
        # What does not count may be 0 / 0: keep it out of the sum.
        column = weight.reshape(weight.shape + (1,) * (values.ndim - 1))
        return jnp.sum(jnp.where(column > 0, column * values, 0.0), axis=0) / jnp.sum(weight)

    means = {name: mean(name, values) for name, values in each.items()}
    counted = jnp.where(known & (examples.weight > 0), each["attention_foreground"], jnp.nan)
    levels = jnp.asarray(DECILES, dtype=counted.dtype)
    deciles = jnp.nanquantile(counted, levels)
    return means | {"attention_foreground_decile": deciles, "attention_shown": shown}
