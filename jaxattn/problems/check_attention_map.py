"""Whether an attention map gives the logarithm of attention: seen by evaluating it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from jaxattn.core.contracts import AttentionMap, Example, HyperSpec, InputError, Task
from jaxattn.core.kept import kept
from jaxattn.problems.attention import softmax
from jaxattn.problems.tracing import in_one_line, shaped

__all__ = ["check_attention_map"]

DRAWS = 3
ROUNDING = 100
"""How far the attention of a bag may sum to other than 1, in units of its precision."""


def check_attention_map(
    attention: AttentionMap,
    task: Task,
    name: str,
    hypers: tuple[HyperSpec, ...],
    precision: str,
) -> None:
    """Refuse a map that is not log attention on a few drawn scores; computes once.

    Every draw is tried with the segments of the task's template that are real, and, where there are
    three or more, with one of them masked out.

    Args:
        attention: the map alone; at the defaults of its hyperparameters.
        task: its template says how many segments there are, and of what.
        name: what to call the map in messages.
        hypers: what some component of the problem declares.
        precision: dtype of the scores.

    Raises:
        InputError: attention that is NaN, does not sum to 1, or falls on masked-out segments.
    """
    # A softmax asks nothing of a task; the other map that ships needs a foreground.
    if attention is softmax:
        return
    try:
        _evaluate(task, attention, name, attention.hypers, precision)
    except InputError as error:
        # It may read what only another component declares; else all problems share one program.
        if not isinstance(error.__cause__, KeyError):
            raise
        _evaluate(task, attention, name, hypers, precision)


@kept
def _evaluate(
    task: Task, attention: AttentionMap, name: str, hypers: tuple[HyperSpec, ...], precision: str
) -> None:
    template = _prepared(
        jax.tree.map(lambda leaf: np.asarray(leaf, shaped(leaf, precision).dtype), task.template)
    )
    dtype = template.weight.dtype
    rate = HyperSpec("learning_rate", 1.0)
    hyper = {
        spec.name: np.asarray(spec.default, dtype)
        for spec in (rate, *hypers)
        if spec.default is not None
    }
    hint = "log attention of every segment; try it on one score vector."
    apply = jax.jit(attention.apply)
    drawn = np.random.default_rng(0).normal(size=(DRAWS, task.segments)).astype(dtype)
    for example in _masked(template):
        for scores in drawn:
            with jax.ensure_compile_time_eval(), in_one_line(name, hint):
                log_attention = np.asarray(apply(scores, example, hyper))
            _refuse(name, log_attention, np.asarray(example.mask))


def _refuse(name: str, log_attention: np.ndarray, mask: Bool[np.ndarray, " segment"]) -> None:
    wide = log_attention.astype(float)
    if np.isnan(wide).any():
        raise InputError(
            f"{name}: got NaN, expected log attention, -inf where there is none; check what it "
            "divides by, and that one real segment is enough."
        )
    if (wide[~mask] > -np.inf).any():
        worst = wide[~mask].max()
        raise InputError(
            f"{name}: got log attention {worst:g} at a masked-out segment, expected -inf; put "
            "jnp.where(example.mask, scores, -jnp.inf) before it is normalised."
        )
    total = float(np.sum(np.exp(wide)))
    with np.errstate(divide="ignore"):
        gap = abs(np.log(total))
    if not gap <= ROUNDING * float(jnp.finfo(log_attention.dtype).eps):
        looks = "; it looks like attention itself: take its log" if _sums_to_one(wide) else ""
        raise InputError(
            f"{name}: got log attention whose exponentials sum to {total:.6g}, expected 1"
            f"{looks or '; end it by jax.nn.log_softmax over the segments'}."
        )


def _sums_to_one(values: Float[np.ndarray, " segment"]) -> bool:
    return bool((values >= 0).all() and abs(values.sum() - 1) < 1e-3)


def _prepared(example: Example) -> Example:
    """Two real segments at least, the first one the foreground: maps may need both kinds."""
    mask: Any = np.array(example.mask)
    if mask.sum() < 2:
        mask[:] = True
    foreground: Any = np.zeros_like(example.foreground)
    foreground[..., np.argmax(mask)] = True
    return example._replace(mask=mask, foreground=foreground)


def _masked(example: Example) -> list[Example]:
    """The example, and where three or more segments are real, one in which the last is not."""
    real = np.flatnonzero(example.mask)
    if len(real) < 3:
        return [example]
    fewer: Any = np.array(example.mask)
    fewer[real[-1]] = False
    return [example, example._replace(mask=fewer)]
