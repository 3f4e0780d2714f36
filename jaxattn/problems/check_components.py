"""What a person hands in as model, attention map and paradigm, checked before it is compiled.

All by shapes and dtypes alone: nothing is computed, so no device is touched.
"""

from typing import Any

import jax
from jaxtyping import PyTree

from jaxattn.core.contracts import (
    AttentionMap,
    Context,
    HyperSpec,
    InputError,
    Model,
    Paradigm,
    Reader,
    Task,
)
from jaxattn.core.kept import kept
from jaxattn.core.lookup import nearest
from jaxattn.core.protocols import Penalise
from jaxattn.problems.check_model import Sights, check_classes, check_model, tell_of_speed
from jaxattn.problems.check_params import refuse_rounding
from jaxattn.problems.inference import INFERENCE_RULES
from jaxattn.problems.tracing import described, expect, expect_jumps, same_kind, shapes_of
from jaxattn.problems.undeclared import (
    draws,
    hint_at_key,
    hyper_shapes,
    key_shape,
    shapes_with_hyper,
    undeclared_key,
)

__all__ = ["check_components"]

_LOSS_FIX = "reduce it to one number, of the dtype of the log attention."


def check_components(
    task: Task,
    model: Model,
    attention: AttentionMap,
    paradigm: Paradigm,
    names: tuple[str, str],
    hypers: tuple[HyperSpec, ...],
    precision: str,
) -> None:
    """Refuse components whose functions do not fit each other or the task, in one line.

    Args:
        task: its template and number of classes say what fits.
        model: what it represents, scores and classifies.
        attention: its log attention.
        paradigm: its loss of one example, its state, and when it jumps.
        names: what to call the attention map and the paradigm.
        hypers: what some component declares.
        precision: dtype of parameters, examples and hyperparameters.

    Raises:
        InputError: a function that raises while it is traced, is not pure, or draws on a key
            undeclared; arrays of a wrong shape or type; a hyperparameter that nobody declares; an
            unknown rule of inference.
    """
    of_map, of_paradigm = names
    seen, hyper = check_model(task, model, hypers, precision), hyper_shapes(hypers, precision)
    log_attention = _check_reading(task, model, attention, of_map, hypers, precision)
    tell_of_speed(task, model, hypers, precision)
    _check_loss(of_paradigm, model, paradigm, seen, log_attention, hyper)
    _check_rest(of_paradigm, paradigm, hyper)


# Of all paradigms the same.
@kept
def _check_reading(
    task: Task,
    model: Model,
    attention: AttentionMap,
    of_map: str,
    hypers: tuple[HyperSpec, ...],
    precision: str,
) -> Any:
    """What log attention looks like, and whether the model reads segments by it."""
    seen, length = check_model(task, model, hypers, precision), task.segments
    log_attention: Any = None
    for key in (key_shape(), None) if attention.stochastic else (None,):
        measured = "; without a key too, as when it is measured" if attention.stochastic else ""
        log_attention = shapes_with_hyper(
            of_map,
            f"log attention {(length,)}; compute it from scores, example and hyper{measured}.",
            lambda hyper, *given: attention.attend(given[0], given[1], hyper, given[2]),
            hyper_shapes(hypers, precision),
            seen.scores,
            seen.example,
            key,
        )
        fix = "return one float a segment, the log of its share."
        expect(of_map, "log attention", log_attention, (length,), fix)
        refuse_rounding(of_map, log_attention, precision)
    if attention.penalise is not None:
        _check_penalty(of_map, attention.penalise, log_attention, hyper_shapes(hypers, precision))
    check_classes(task, model, seen, log_attention, precision)
    return log_attention


def _check_penalty(
    owner: str, penalise: Penalise, log_attention: Any, hyper: dict[str, Any]
) -> None:
    penalised = shapes_with_hyper(
        owner,
        "its penalise to give the loss of one example; try it on one.",
        lambda hyper, loss, log_attention: penalise(loss, log_attention, hyper),
        hyper,
        hyper["learning_rate"],
        log_attention,
    )
    expect(owner, "the penalised loss of one example", penalised, (), _LOSS_FIX)


def _check_loss(
    owner: str,
    model: Model,
    paradigm: Paradigm,
    seen: Sights,
    log_attention: Any,
    hyper: dict[str, Any],
) -> None:
    state = shapes_of(owner, "its init to give a pytree of arrays.", paradigm.init, seen.params)

    def loss(hyper: dict[str, Any], params: PyTree, *given: Any) -> Any:
        log_attention, values, label, time, key, state = given
        read = Reader(lambda value: model.classify(params, value))
        context = Context(hyper, time, key, state)
        return paradigm.loss(log_attention, values, read, label, context)

    key = key_shape() if paradigm.stochastic else None
    time = hyper["learning_rate"]
    given = (seen.params, log_attention, seen.values, seen.example.label, time)
    with hint_at_key(owner, key, loss, hyper, *given, key_shape(), state):
        returned = shapes_with_hyper(
            owner,
            "a loss of one example, a float scalar; try it on one.",
            loss,
            hyper,
            *given,
            key,
            state,
        )
    if key is None and draws(
        lambda key, hyper, state, *given: loss(hyper, *given, key, state), hyper, state, *given
    ):
        raise InputError(undeclared_key(owner))
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise InputError(
            f"{owner}: got {described(returned)} from its loss, expected a pair (float scalar, "
            "aux); aux is any pytree of arrays, () for none."
        )
    expect(owner, "the loss of one example", returned[0], (), _LOSS_FIX)
    # Of a whole batch, whatever its size.
    aux, weight = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype),
        (returned[1], seen.example.weight),
    )
    hint = (
        "its update(state, aux, weight) to give the next state, of the same structure, shapes and "
        "dtypes."
    )
    after = shapes_of(owner, hint, paradigm.update, state, aux, weight)
    if not same_kind(state, after):
        raise InputError(f"{owner}: got another kind of state than its init gave, expected {hint}")


def _check_rest(owner: str, paradigm: Paradigm, hyper: dict[str, Any]) -> None:
    if paradigm.discontinuities is not None:
        hint = "discontinuities [jump], floats: the times at which the loss jumps."
        expect_jumps(owner, shapes_with_hyper(owner, hint, paradigm.discontinuities, hyper))
    if (rule := paradigm.natural_inference) not in INFERENCE_RULES:
        raise InputError(
            f"{owner}: got natural_inference {rule!r}, expected one of "
            f"{', '.join(INFERENCE_RULES)}; {nearest(str(rule), INFERENCE_RULES) or 'pick one.'}"
        )
