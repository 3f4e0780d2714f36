"""What the runs of a study depend on, seen by tracing them: nothing is computed."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
from jaxtyping import Array, PyTree

from jaxattn.core.contracts import Hyper, InputError, Params, Problem, Task
from jaxattn.core.kept import kept
from jaxattn.core.programs import depends_on_first
from jaxattn.problems.own_data import OwnData
from jaxattn.problems.tracing import in_one_line, shaped
from jaxattn.problems.undeclared import key_shape
from jaxattn.training.check_optimiser import check_optimiser, first_step
from jaxattn.training.optimisers import Optimiser

__all__ = [
    "hypers_read",
    "refuse_equal_seeds",
    "refuse_unread",
    "start_shapes",
    "starts_at_random",
]


def _can_be_traced(problem: Problem) -> bool:
    """Whether JAX has the problem's precision; where not, it is refused when runs are planned."""
    return jax.dtypes.canonicalize_dtype(problem.precision) == problem.precision


@kept
def starts_at_random(problem: Problem, hypers: frozenset[str]) -> bool:
    """Whether the start depends on its key: a model may say so and ignore it.

    Args:
        problem: its `init` is looked at.
        hypers: names of all that have a value.
    """
    if not _can_be_traced(problem):
        return True
    hyper = _hyper_shapes(problem, hypers)
    return depends_on_first(problem.init, key_shape(), hyper)


def start_shapes(problem: Problem, hypers: frozenset[str]) -> PyTree:
    """Shapes of the parameters that a problem starts from; {} where they cannot be told.

    Args:
        problem: its `init` is looked at.
        hypers: names of all that have a value.
    """
    if not _can_be_traced(problem):
        return {}
    return jax.eval_shape(problem.init, key_shape(), _hyper_shapes(problem, hypers))


def _hyper_shapes(problem: Problem, hypers: frozenset[str]) -> dict[str, jax.ShapeDtypeStruct]:
    dtype = jax.dtypes.canonicalize_dtype(problem.precision)
    return dict.fromkeys(sorted(hypers), jax.ShapeDtypeStruct((), dtype))


def hypers_read(
    source: Task | OwnData,
    problems: Iterable[Problem],
    optimiser: Optimiser,
    on: Iterable[str],
    asked: Iterable[str],
) -> list[str]:
    """Those of some hyperparameters that a run depends on.

    Args:
        source: of the data.
        problems: of all paradigms.
        optimiser: what moves their parameters.
        on: names of all hyperparameters that have a value.
        asked: names of those to look for.

    Raises:
        InputError: an optimiser that cannot make a step; see `check_optimiser`.
    """
    known = frozenset(on)
    traced = [problem for problem in problems if _can_be_traced(problem)]
    for problem in traced:
        check_optimiser(problem, optimiser, tuple(sorted(known)))
    return [
        name
        for name in asked
        if not traced or any(_reads(name, known, source, problem, optimiser) for problem in traced)
    ]


@kept
def _reads(
    name: str,
    on: frozenset[str],
    source: Task | OwnData,
    problem: Problem,
    optimiser: Optimiser,
) -> bool:
    """Whether start, loss, measures, jumps, step, clock or decays depend on a hyperparameter."""
    if name == "learning_rate":
        return True  # as `check_optimiser` has seen
    scalar = shaped(source.template.weight, problem.precision)
    rest: dict[str, Any] = dict.fromkeys(sorted({"learning_rate", *on} - {name}), scalar)
    batch = jax.tree.map(lambda leaf: shaped(leaf, problem.precision, 1), source.template)
    params = jax.eval_shape(problem.init, key_shape(), {**rest, name: scalar})

    def of_training(value: Array, rest: Hyper, params: Params) -> PyTree:
        hyper = {**rest, name: value}
        clock = optimiser.clock(hyper, 2)
        step = first_step(optimiser, hyper, params, problem.rated)
        return step, clock, optimiser.decays(hyper)

    def of_problem(value: Array, rest: Hyper, params: Params, key: Array, batch: Any) -> PyTree:
        hyper = {**rest, name: value}
        state = problem.state(params)
        return (
            problem.init(key, hyper),
            problem.loss(params, batch, hyper, rest["learning_rate"], key, state),
            problem.measure(params, batch, hyper),
            problem.measure_split(params, batch, hyper),
            problem.discontinuities(hyper),
        )

    with in_one_line(f"hyperparameter {name!r}", "one that can be varied; try it on one batch."):
        return depends_on_first(of_training, scalar, rest, params) or depends_on_first(
            of_problem, scalar, rest, params, key_shape(), batch
        )


def refuse_unread(asked: Iterable[str], read: Iterable[str]) -> None:
    """Refuse hyperparameters that were given a value and that nothing depends on.

    Rows that differ in one of those alone would be one row, told as many.

    Raises:
        InputError: with the first of them.
    """
    known = set(read)
    if unread := [name for name in asked if name not in known]:
        raise InputError(
            f"{unread[0]}: got a value that nothing in these runs depends on, expected a "
            "hyperparameter that is read (another may be in force in its place); drop it, or read "
            "it where it is declared."
        )


def refuse_equal_seeds(varied: Sequence[str], starts: bool) -> None:
    """Refuse seeds that are one run over and over, which statistics would take for several.

    Args:
        varied: what a seed changes.
        starts: whether the start depends on its key.

    Raises:
        InputError: with what to vary.
    """
    if "data" not in varied and not ("init" in varied and starts):
        why = "" if starts else ", as this model starts from no random numbers"
        raise InputError(
            f"vary: got {', '.join(varied) or 'nothing'} for several seeds, which are all the same "
            f"run then{why}, expected what differs between them; vary data, take the order "
            "shuffled-per-seed, or one seed."
        )
