"""Measures of a person's own, at either door: functions of parameters and examples, labelled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxattn.core.contracts import (
    Batch,
    Data,
    Hyper,
    InputError,
    MeasureSpec,
    Params,
    Problem,
    Task,
)
from jaxattn.core.kept import kept
from jaxattn.core.lookup import refuse_unwritable_name
from jaxattn.core.protocols import Measure
from jaxattn.core.signature import positional
from jaxattn.problems.data import everything
from jaxattn.problems.tracing import described, in_one_line, shaped
from jaxattn.problems.undeclared import hyper_shapes, key_shape, shapes_with_hyper

__all__ = [
    "OwnMeasure",
    "labelled",
    "labelled_for",
    "read_measures",
    "refuse_changing",
    "values_of",
    "with_measures",
]


@runtime_checkable
class MeasureOfView(Protocol):
    """``f(view, example) -> array``, pure: of one example of an attention network.

    `view` has its scores, log attention and values (`jaxattn.problems.measures.View`).
    """

    def __call__(self, view: Any, example: Any, /) -> Array:
        """What is then a mean over the examples, by weight."""


@runtime_checkable
class MeasureOfBatch(Protocol):
    """``f(params, batch, hyper) -> array``, pure: a number, or several along axes of its own."""

    def __call__(self, params: Params, batch: PyTree, hyper: Hyper, /) -> Array:
        """What is measured of all examples of a split at once."""


@dataclass(frozen=True, eq=False)
class OwnMeasure:
    """A measure of a person's own. It is itself alone: a function need not be hashable."""

    function: MeasureOfBatch | MeasureOfView
    spec: MeasureSpec
    """Its labels; one without dims may still have axes, which are numbered."""


def values_of(batch: Any) -> PyTree:
    """What a person's own functions see of examples: a `Batch` is its values, without weights."""
    return batch.values if isinstance(batch, Batch) else batch


def read_measures(given: Any) -> tuple[OwnMeasure, ...]:
    """Measures as they are asked for: `MeasureSpec`, labels by dim, or nothing beside a function.

    Args:
        given: ``{name: f | (f, {dim: coords}) | (f, MeasureSpec)}``; None: none. A function of two
            arguments is of one example of an attention network, `MeasureOfView`.

    Raises:
        InputError: what is none of these.
    """
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise InputError(
            f"measures: got {type(given).__name__}, expected a table of functions by name; write "
            "measures={'norm': lambda params, batch, hyper: ...}."
        )
    return tuple(_read(name, one) for name, one in given.items())


def _read(name: Any, given: Any) -> OwnMeasure:
    _refuse_name("measure", name)
    pair = given if isinstance(given, tuple) and len(given) == 2 else (given, MeasureSpec(name))
    function, labels = pair
    if isinstance(labels, Mapping):
        dims, coords = tuple(labels), tuple(tuple(at) for at in labels.values())
        labels = MeasureSpec(name, dims, coords)
    if not callable(function) or not isinstance(labels, MeasureSpec):
        raise InputError(
            f"measure {name!r}: got {_shown(given)}, expected f(params, batch, hyper), "
            "f(view, example), (f, {dim: coords}) or (f, MeasureSpec); give its function first."
        )
    for dim in labels.dims:
        _refuse_name(f"measure {name!r}: axis", dim)
    if len(set(labels.dims)) < len(labels.dims):
        raise InputError(
            f"measure {name!r}: got the axes {', '.join(labels.dims)}, expected each once; rename "
            "one."
        )
    return OwnMeasure(function, replace(labels, name=name))


def _refuse_name(kind: str, name: Any) -> None:
    refuse_unwritable_name(kind, name)
    if "/" in name:
        raise InputError(
            f"{kind}: got the name {name!r}, expected one without a slash, which files take for a "
            "folder; rename it."
        )


def _shown(given: Any) -> str:
    if isinstance(given, tuple):
        return f"({', '.join(type(one).__name__ for one in given)})"
    return type(given).__name__


@kept
def with_measures(problem: Problem, measures: tuple[OwnMeasure, ...]) -> Problem:
    """The same problem, which measures these of every split as well.

    Raises:
        InputError: a name that is taken; a function of views for a problem that has none; when
            traced, one that raises, or gives no number and no array of numbers.
    """
    if not measures:
        return problem

    known = {spec.name for spec in problem.measures}
    for one in measures:
        if one.spec.name in known:
            raise InputError(
                f"measure {one.spec.name!r}: got a name that another measure of problem "
                f"{problem.name!r} has, expected one of its own; rename it."
            )
        if _is_of_view(one) and problem.mean_of is None:
            raise InputError(
                f"measure {one.spec.name!r}: got a function (view, example) for problem "
                f"{problem.name!r}, which has no attention to see, expected "
                "f(params, batch, hyper); write it so."
            )
    specs = (*problem.measures, *(one.spec for one in measures))
    more = _measure_too(problem.measure_split, measures, problem.precision, problem.mean_of)
    return problem._replace(measure_split=more, measures=specs, reads=None)


def _is_of_view(one: OwnMeasure) -> bool:
    return len(positional(one.function)) == 2


@kept
def _measure_too(
    measure: Measure,
    measures: tuple[OwnMeasure, ...],
    precision: str,
    mean_of: Callable[[Callable[..., Any]], Callable[..., Array]] | None,
) -> Measure:
    """`measure` and these: the same function for all problems that measure alike."""
    functions: dict[str, Callable[..., Any]] = {
        one.spec.name: mean_of(one.function) if mean_of and _is_of_view(one) else one.function
        for one in measures
    }

    def measure_split(params: Params, batch: Any, hyper: Hyper) -> dict[str, Array]:
        measured = measure(params, batch, hyper)
        # A function of one's own is of all examples, whatever it makes of them.
        whole = everything(batch, precision) if isinstance(batch, Data) else batch
        for one in measures:
            name, values = one.spec.name, batch if _is_of_view(one) else values_of(whole)
            with in_one_line(f"measure {name!r}", "a number, or an array of them; try it."):
                measured = {**measured, name: jnp.asarray(functions[name](params, values, hyper))}
            measured[name] = _as_floats(name, measured[name], precision)
        return measured

    return measure_split


def _as_floats(name: str, value: Array, precision: str) -> Array:
    """Counts and yes or no as floats, as rows that have none are NaN."""
    if jnp.issubdtype(value.dtype, jnp.floating):
        return value
    if jnp.issubdtype(value.dtype, jnp.integer) or value.dtype == bool:
        return value.astype(jax.dtypes.canonicalize_dtype(precision))
    raise InputError(
        f"measure {name!r}: got {described(value)}, expected real numbers; measure what you need "
        "of it, such as its size, or real and imaginary part."
    )


@kept
def labelled_for(problem: Problem, task: Task) -> Problem:
    """`labelled`, for the bags of a task.

    Raises:
        InputError: a measure that raises, is not pure, or reads what nobody declares.
    """
    hyper = hyper_shapes(problem.hypers, problem.precision)
    hint = "measures to be numbers or arrays; try them on one batch."
    params = jax.eval_shape(lambda hyper, key: problem.init(key, hyper), hyper, key_shape())
    seen = [
        shapes_with_hyper(
            f"problem {problem.name!r}",
            hint,
            lambda hyper, params, batch: problem.measure_split(params, batch, hyper),
            hyper,
            params,
            jax.tree.map(lambda leaf, n=count: shaped(leaf, problem.precision, n), task.template),
        )
        for count in (2, 3)
    ]
    refuse_changing(problem.name, {"2 bags": seen[0], "3 bags": seen[1]})
    return labelled(problem, seen[0])


def refuse_changing(problem: str, measured: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse measures whose shape depends on how many examples there are.

    Args:
        problem: its name.
        measured: shapes by name of the measure, by what they are of.

    Raises:
        InputError: with both shapes.
    """
    first, known = next(iter(measured.items()))
    for split, shapes in measured.items():
        for name, value in shapes.items():
            if known[name].shape != value.shape:
                raise InputError(
                    f"problem {problem!r}, measure {name!r}: got shape {value.shape} of {split} "
                    f"and {known[name].shape} of {first}, expected one shape, whatever the number "
                    "of examples; reduce it over them."
                )


def labelled(problem: Problem, shapes: Mapping[str, Any]) -> Problem:
    """The same problem, the axes of its measures that have no names numbered.

    Args:
        problem: some of its measures may say nothing of their axes.
        shapes: of what it measures, by name.
    """

    def label(spec: MeasureSpec) -> MeasureSpec:
        shape = getattr(shapes.get(spec.name), "shape", ())
        if spec.dims or not shape:
            return spec
        dims = tuple(f"{spec.name}_{place}" for place in range(len(shape)))
        return replace(spec, dims=dims, coords=tuple(tuple(range(length)) for length in shape))

    return problem._replace(measures=tuple(map(label, problem.measures)))
