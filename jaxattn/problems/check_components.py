"""What a person hands in as model, attention map and paradigm, checked before it is compiled.

All by shapes and dtypes alone: nothing is computed, so no device is touched.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxattn.core.contracts import (
    AttentionMap,
    Context,
    Example,
    HyperSpec,
    InputError,
    Model,
    Paradigm,
    Reader,
    Task,
)
from jaxattn.core.kept import kept
from jaxattn.core.lookup import nearest
from jaxattn.core.streams import PRNG
from jaxattn.problems.attention import average
from jaxattn.problems.inference import INFERENCE_RULES
from jaxattn.problems.tracing import (
    RAISED,
    described,
    expect,
    expect_jumps,
    same_kind,
    shaped,
    shapes_of,
)

__all__ = ["check_components"]

_LOSS_FIX = "reduce it to one number, of the dtype of the log attention."


class _Sights(NamedTuple):
    """Shapes of what an example looks like to a model."""

    params: PyTree
    example: Example
    values: PyTree
    scores: Any


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
        InputError: a function that raises while it is traced; arrays of a wrong shape or type; a
            hyperparameter that nobody declares; an unknown rule of inference.
    """
    of_map, of_paradigm = names
    seen = _check_model(task, model, hypers, precision)
    hyper = _hyper(hypers, precision)
    length = task.segments
    log_attention = _with_hyper(
        of_map,
        f"log attention {(length,)}; compute it from scores, example and hyper.",
        lambda hyper, scores, example: attention.apply(scores, example, hyper),
        hyper,
        seen.scores,
        seen.example,
    )
    fix = "return one float a segment, the log of its share."
    expect(of_map, "log attention", log_attention, (length,), fix)
    _check_classes(task, model, seen, log_attention)
    _check_loss(of_paradigm, model, paradigm, seen, log_attention, hyper)
    _check_rest(of_paradigm, paradigm, hyper)


@kept
def _check_model(
    task: Task, model: Model, hypers: tuple[HyperSpec, ...], precision: str
) -> _Sights:
    length = task.segments
    example = jax.tree.map(lambda leaf: shaped(leaf, precision), task.template)
    # As a problem does: what a model starts from is there, not traced.
    template = jax.tree.map(lambda leaf: leaf.astype(shaped(leaf, precision).dtype), task.template)
    params = _with_hyper(
        "model.init",
        "a pytree of float arrays; make it of the key and of shapes of the example.",
        lambda hyper, key: model.init(key, template, hyper),
        _hyper(hypers, precision),
        _key(),
    )
    _check_params(params)
    values = _check_values(model, params, example, length)
    scores = shapes_of("model.score", f"scores {(length,)}.", model.score, params, example, values)
    fix = "return one float a segment; reshape(-1) drops axes of length 1."
    expect("model.score", "scores", scores, (length,), fix)
    return _Sights(params, example, values, scores)


def _check_params(params: PyTree) -> None:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not leaves:
        raise InputError(
            f"model.init: got {described(params)} without arrays, expected a pytree of float "
            "arrays; give it something to train."
        )
    for path, leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise InputError(
                f"model.init: got {described(leaf)} at {jax.tree_util.keystr(path)}, expected "
                "float arrays only, as training differentiates them; keep the rest out of params."
            )


def _check_values(model: Model, params: PyTree, example: Example, length: int) -> PyTree:
    hint = f"leaves ({length}, ...), one row a segment; vmap it over the segments."
    values: PyTree = None
    if model.stochastic:
        shapes_of("model.represent", hint, model.represent, params, example, _key())
        without = f"{hint[:-1]}; without a key too, as when it is measured."
        values = shapes_of("model.represent", without, model.represent, params, example, None)
    else:
        with _hint_at_key("model.represent", None, model.represent, params, example, _key()):
            values = shapes_of("model.represent", hint, model.represent, params, example, None)
    leaves = jax.tree.leaves(values)
    wrong = [leaf for leaf in leaves if leaf.shape[:1] != (length,)]
    if wrong or not leaves:
        got = described(wrong[0]) if wrong else f"{described(values)} without arrays"
        raise InputError(f"model.represent: got {got}, expected {hint}")
    return values


def _check_classes(task: Task, model: Model, seen: _Sights, log_attention: Any) -> None:
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), seen.values)
    hint = "numbers, as attention averages them."
    mean = shapes_of("model.represent", hint, average, log_attention, seen.values)
    for value in (one, mean) if one != mean else (one,):
        hint = f"logits {(task.classes,)} of one value, without an axis of segments."
        logits = shapes_of("model.classify", hint, model.classify, seen.params, value)
        fix = f"return one for each of the {task.classes} classes of the task."
        expect("model.classify", "logits", logits, (task.classes,), fix)


def _check_loss(
    owner: str,
    model: Model,
    paradigm: Paradigm,
    seen: _Sights,
    log_attention: Any,
    hyper: dict[str, Any],
) -> None:
    state = shapes_of(owner, "its init to give a pytree of arrays.", paradigm.init, seen.params)

    def loss(hyper: dict[str, Any], params: PyTree, *given: Any) -> Any:
        log_attention, values, label, time, key, state = given
        read = Reader(lambda value: model.classify(params, value))
        context = Context(hyper, time, key, state)
        return paradigm.loss(log_attention, values, read, label, context)

    key = _key() if model.stochastic or paradigm.stochastic else None
    time = hyper["learning_rate"]
    given = (seen.params, log_attention, seen.values, seen.example.label, time)
    with _hint_at_key(owner, key, loss, hyper, *given, _key(), state):
        returned = _with_hyper(
            owner,
            "a loss of one example, a float scalar; try it on one.",
            loss,
            hyper,
            *given,
            key,
            state,
        )
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise InputError(
            f"{owner}: got {described(returned)} from its loss, expected a pair (float scalar, "
            "aux); aux is any pytree of arrays, () for none."
        )
    expect(owner, "the loss of one example", returned[0], (), _LOSS_FIX)
    # Of a whole batch, whatever its size.
    aux = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype), returned[1])
    hint = "its update to give the next state, of the same structure, shapes and dtypes."
    after = shapes_of(owner, hint, paradigm.update, state, aux)
    if not same_kind(state, after):
        raise InputError(f"{owner}: got another kind of state than its init gave, expected {hint}")


def _check_rest(owner: str, paradigm: Paradigm, hyper: dict[str, Any]) -> None:
    if paradigm.discontinuities is not None:
        hint = "discontinuities [jump], floats: the times at which the loss jumps."
        expect_jumps(owner, _with_hyper(owner, hint, paradigm.discontinuities, hyper))
    if (rule := paradigm.natural_inference) not in INFERENCE_RULES:
        raise InputError(
            f"{owner}: got natural_inference {rule!r}, expected one of "
            f"{', '.join(INFERENCE_RULES)}; {nearest(str(rule), INFERENCE_RULES) or 'pick one.'}"
        )


def _with_hyper(
    owner: str, hint: str, function: Callable[..., Any], hyper: dict[str, Any], *arguments: Any
) -> Any:
    """`shapes_of` a function of `hyper` first; one that nobody declares is called by its name."""
    try:
        return shapes_of(owner, hint, function, hyper, *arguments)
    except InputError as error:
        cause = error.__cause__
        if not isinstance(cause, KeyError) or not _is_missing(cause, function, hyper, arguments):
            raise
        name = cause.args[0]
        raise InputError(
            f"{owner}: got hyper[{name!r}] read, which no component of the problem has a value "
            f"for, expected a default; declare it: hypers=(HyperSpec({name!r}, default),)."
        ) from cause


def _is_missing(
    cause: KeyError, function: Callable[..., Any], hyper: dict[str, Any], arguments: tuple[Any, ...]
) -> bool:
    """Whether the function gets further once `hyper` has the key that it missed."""
    name = cause.args[0] if cause.args else None
    if not isinstance(name, str) or name in hyper:
        return False
    try:
        jax.eval_shape(function, {**hyper, name: hyper["learning_rate"]}, *arguments)
    except RAISED as error:
        return not (isinstance(error, KeyError) and error.args == cause.args)
    return True


@contextmanager
def _hint_at_key(
    owner: str, key: Any, function: Callable[..., Any], *with_key: Any
) -> Iterator[None]:
    """What draws on a key that it has not declared to need is told how to declare it."""
    try:
        yield
    except InputError as error:
        if key is not None:
            raise
        cause = error.__cause__
        try:
            jax.eval_shape(function, *with_key)
        except RAISED:
            raise error from cause
        raise InputError(
            f"{owner}: got a function that draws on its key, expected one that does without; "
            "declare it: stochastic=True."
        ) from cause


def _hyper(hypers: tuple[HyperSpec, ...], precision: str) -> dict[str, Any]:
    """A scalar for every hyperparameter that is on; the learning rate always is."""
    scalar = jax.ShapeDtypeStruct((), jax.dtypes.canonicalize_dtype(precision))
    on = [one.name for one in hypers if one.default is not None or one.of_run is not None]
    return dict.fromkeys(("learning_rate", *on), scalar)


def _key() -> Any:
    return jax.eval_shape(lambda: jax.random.key(0, impl=PRNG))
