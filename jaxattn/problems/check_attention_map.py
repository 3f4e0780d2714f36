"""Whether an attention map gives the logarithm of attention: seen by evaluating it."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxattn.core.buckets import Buckets
from jaxattn.core.contracts import AttentionMap, Example, Hyper, HyperSpec, InputError, Task
from jaxattn.core.kept import kept
from jaxattn.core.streams import PRNG
from jaxattn.problems.attention import softmax
from jaxattn.problems.tracing import in_one_line, shaped

__all__ = ["alone_or_together", "check_attention_map", "values_of"]

Result = TypeVar("Result")

SIZES = (1, 1, 8)
"""Of the scores that are drawn: large ones show what a map does where attention is zero."""
ROUNDING = 100
"""How far the attention of a bag may sum to other than 1, in units of its precision."""


def check_attention_map(
    attention: AttentionMap,
    task: Task,
    name: str,
    hypers: tuple[HyperSpec, ...],
    precision: str,
) -> None:
    """Refuse a map that is not log attention on a few drawn scores, or not to be learnt by.

    It computes once. A map that draws is seen by its mean, and with a key.

    Every draw is tried with the segments of the task's template that are real, and, where there are
    three or more, with one of them masked out.

    Args:
        attention: the map alone; at the defaults of its hyperparameters.
        task: its template says how many segments there are, and of what.
        name: what to call the map in messages.
        hypers: what some component of the problem declares.
        precision: dtype of the scores.

    Raises:
        InputError: attention that is NaN, does not sum to 1, falls on masked-out segments, or, of
            bags of unlike lengths, changes with how many of those there are; a gradient that is NaN
            or infinite.
    """
    # A softmax asks nothing of a task; what else ships is looked at like one of a person's own.
    if attention is softmax:
        return
    alone_or_together(
        lambda known: _evaluate(task, attention, name, known, precision), attention.hypers, hypers
    )


def alone_or_together(
    look: Callable[[tuple[HyperSpec, ...]], Result],
    own: tuple[HyperSpec, ...],
    hypers: tuple[HyperSpec, ...],
) -> Result:
    """Look at a map with what it declares; where that is not enough, with what all do.

    It may read what only another component declares; else all problems share one program.
    """
    try:
        return look(own)
    except InputError as error:
        if not isinstance(error.__cause__, KeyError):
            raise
        return look(hypers)


@kept
def _evaluate(
    task: Task, attention: AttentionMap, name: str, hypers: tuple[HyperSpec, ...], precision: str
) -> None:
    template = _prepared(
        jax.tree.map(lambda leaf: np.asarray(leaf, shaped(leaf, precision).dtype), task.template)
    )
    dtype, shape = template.weight.dtype, (len(SIZES), task.segments)
    draw = np.random.default_rng(0)
    drawn = draw.normal(size=shape) * np.asarray(SIZES)[:, None]
    towards = draw.normal(size=task.segments).astype(dtype)
    hyper = values_of(hypers, dtype)
    hint = "log attention of every segment; try it on one score vector."

    @jax.jit
    def seen(scores: Array, example: Example, key: Array | None) -> tuple[Array, Array]:
        def mean(scores: Array) -> tuple[Array, Array]:
            log_attention = attention.attend(scores, example, hyper, key)
            return jnp.sum(jnp.exp(log_attention) * towards), log_attention

        gradient, log_attention = jax.grad(mean, has_aux=True)(scores)
        return log_attention, gradient

    for key in (None, jax.random.key(0, impl=PRNG)) if attention.stochastic else (None,):
        for example in _masked(template):
            for scores in drawn.astype(dtype):
                with jax.ensure_compile_time_eval(), in_one_line(name, hint):
                    log_attention, gradient = map(np.asarray, seen(scores, example, key))
                _refuse(name, log_attention, np.asarray(example.mask))
                _refuse_gradient(name, gradient)
    if task.buckets is not None:
        with jax.ensure_compile_time_eval(), in_one_line(name, hint):
            _refuse_length(name, attention, template, drawn[0].astype(dtype), task.buckets, hyper)


def _refuse_length(
    name: str,
    attention: AttentionMap,
    template: Example,
    scores: np.ndarray,
    buckets: Buckets,
    hyper: Hyper,
) -> None:
    """A set of bags of unlike lengths is computed without what is masked out at their end."""
    shortest = buckets.lengths[0]
    short: Any = np.arange(len(scores)) < shortest
    whole = template._replace(mask=short, foreground=template.foreground & short)
    cut = jax.tree.map(lambda leaf: leaf[..., :shortest], (whole.mask, whole.foreground))
    segments = jax.tree.map(lambda leaf: leaf[:shortest], whole.segments)
    alone = whole._replace(segments=segments, mask=cut[0], foreground=cut[1])
    found = np.exp(attention.attend(jnp.asarray(scores), whole, hyper, None))[:shortest]
    other = np.exp(attention.attend(jnp.asarray(scores[:shortest]), alone, hyper, None))
    if not np.allclose(found, other, rtol=0, atol=ROUNDING * float(jnp.finfo(found.dtype).eps)):
        raise InputError(
            f"{name}: got other attention where segments that are masked out at a bag's end are "
            "left out, expected the same; count jnp.sum(example.mask) in place of the scores."
        )


def values_of(hypers: tuple[HyperSpec, ...], dtype: Any) -> Hyper:
    """Hyperparameters at their defaults, and a learning rate."""
    specs = (HyperSpec("learning_rate", 1.0), *hypers)
    on = [spec for spec in specs if spec.default is not None]
    return {spec.name: jnp.asarray(spec.default, dtype) for spec in on}


def _refuse_gradient(name: str, gradient: np.ndarray) -> None:
    """Of the mean of some values by attention, as soft attention learns by it."""
    if not np.isfinite(gradient).all():
        raise InputError(
            f"{name}: got a gradient that is {'NaN' if np.isnan(gradient).any() else 'infinite'}, "
            "expected a finite one; where attention is zero the log has none: end it by "
            "jaxattn.problems.log_attention.log_of(attention) in place of jnp.log."
        )


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
        looks = "; it looks like attention itself: take its log by log_of of log_attention"
        looks = looks if _sums_to_one(wide) else ""
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
