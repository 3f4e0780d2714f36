"""Solves without the checks that diffrax makes of its times while they run.

A check is a call from the device back to Python. JAX keeps no program with such a call in its
cache, so that every process would compile its solves anew, and on an accelerator the host is waited
for. What is checked holds here by construction: saves never decrease, they lie within the span, and
so do the steps along which noise is asked for.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import jax
from jax.extend import core

__all__ = ["unchecked"]

T = TypeVar("T")

_CALLBACK = "pure_callback"

_CALLED = {core.primitives.jit_p: "jaxpr", core.primitives.custom_jvp_call_p: "call_jaxpr"}
"""Where an operation that calls a program once has it."""


def unchecked(solve: Callable[[], T]) -> T:
    """What `solve` gives, without what ``equinox.error_if`` checks outside of its loops.

    Args:
        solve: of what it holds, traced arrays among it, to arrays.
    """
    program, shapes = jax.make_jaxpr(solve, return_shape=True)()
    values = core.jaxpr_as_fun(_without(program))()
    return cast(T, jax.tree.unflatten(jax.tree.structure(shapes), values))


def _without(program: core.ClosedJaxpr) -> core.ClosedJaxpr:
    """The program, in which what a check gives is what it was given."""
    given: dict[Any, Any] = {}

    def now(places: list[Any]) -> list[Any]:
        return [at if isinstance(at, core.Literal) else given.get(at, at) for at in places]

    def left() -> Iterator[core.JaxprEqn]:
        for equation in program.jaxpr.eqns:
            places = now(equation.invars)
            if _is_check(equation):
                given.update(zip(equation.outvars, places[1:], strict=True))
            else:
                yield equation.replace(invars=places, params=_parameters(equation))

    equations = list(left())
    return program.replace(
        jaxpr=program.jaxpr.replace(eqns=equations, outvars=now(program.jaxpr.outvars))
    )


def _parameters(equation: core.JaxprEqn) -> dict[str, Any]:
    name = _CALLED.get(equation.primitive)
    if name is None or _CALLBACK not in str(equation.params[name]):
        return equation.params
    return {**equation.params, name: _without(equation.params[name])}


def _is_check(equation: core.JaxprEqn) -> bool:
    """Whether it gives what it is given, or calls Python."""
    if equation.primitive is not core.primitives.cond_p:
        return False
    passes, fails = equation.params["branches"][0].jaxpr, equation.params["branches"][-1]
    return not passes.eqns and passes.outvars == passes.invars and _CALLBACK in str(fails)
