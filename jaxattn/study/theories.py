"""Theories of a person's own: what a run should measure, as a function of its setting and times."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import nearest, refuse_unwritable_name
from jaxattn.flow import LIMITS
from jaxattn.study.checks import shown

__all__ = ["OwnTheory", "read_theories"]

OwnTheory: TypeAlias = Callable[[Mapping[str, float], Any, Any], Mapping[str, Any]]
"""``theory(hyper, times, data) -> {measure: [save, ...]}``: of one run, at the times of its saves,
from the examples that it learns from."""

_TAKEN = ("train", "theory", *LIMITS)


def read_theories(given: Any, problems: Sequence[str]) -> dict[str, dict[str, OwnTheory]]:
    """Theories by name, and by the name of the problem that each is of.

    Args:
        given: ``{name: theory}``, of all problems, or ``{name: {problem: theory}}``; None: none.
        problems: their names.

    Raises:
        InputError: what is no function, a name that something else has, or no such problem.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(
            f"theory: got {shown(given)}, expected functions by name; write "
            "theory={'exact': lambda hyper, times, data: {'norm': ...}}."
        )
    theories: dict[str, dict[str, OwnTheory]] = {}
    for name, one in given.items():
        refuse_unwritable_name("theory", name)
        if name in _TAKEN:
            raise InputError(
                f"theory: got the name {name!r}, which is that of other dynamics, expected one of "
                "its own; rename it."
            )
        theories[name] = _by_problem(name, one, problems)
    return theories


def _by_problem(name: str, given: Any, problems: Sequence[str]) -> dict[str, OwnTheory]:
    by_problem = dict(given) if isinstance(given, Mapping) else dict.fromkeys(problems, given)
    for problem, function in by_problem.items():
        if problem not in problems:
            hint = nearest(str(problem), problems) or "drop it."
            raise InputError(
                f"theory {name!r}: got one of {shown(problem)}, expected one of "
                f"{', '.join(problems)}; {hint}"
            )
        if not callable(function):
            raise InputError(
                f"theory {name!r}: got {shown(function)}, expected a function (hyper, times, data) "
                "-> {measure: array}."
            )
    return by_problem
