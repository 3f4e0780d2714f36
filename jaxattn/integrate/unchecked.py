"""Solves without the checks that diffrax makes of its times while they run.

A check is a call from the device back to Python. JAX keeps no program with such a call in its
cache, so that every process would compile its solves anew, and on an accelerator the host is waited
for. What is checked holds here by construction: saves never decrease, they lie within the span, and
so do the steps along which noise is asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import jax

__all__ = ["unchecked"]

T = TypeVar("T")

_CALLBACK = "pure_callback"

_CALLED = {"jit": "jaxpr", "pjit": "jaxpr", "custom_jvp_call": "call_jaxpr"}
"""Operations that call a program once, by name, and where they have it."""


def unchecked(solve: Callable[[], T]) -> T:
    """What `solve` gives, without what ``equinox.error_if`` checks outside of its loops.

    Args:
        solve: of what it holds, traced arrays among it, to arrays.
    """
    program, shapes = jax.make_jaxpr(jax.jit(solve), return_shape=True)()
    known = dict(zip(program.jaxpr.constvars, program.consts, strict=True))
    # It is one operation, which calls all that is traced.
    for call in program.eqns:
        given = [_read(known, place) for place in call.invars]
        out = call.primitive.bind(*given, **_parameters(call))
        known.update(zip(call.outvars, out, strict=True))
    values = [_read(known, place) for place in program.jaxpr.outvars]
    return cast(T, jax.tree.unflatten(jax.tree.structure(shapes), values))


def _read(known: dict[Any, Any], place: Any) -> Any:
    """The value, or variable, of a variable; a constant stands where it is used."""
    return place.val if hasattr(place, "val") else known[place]


def _without(program: Any) -> Any:
    """The program, in which what a check gives is what it was given."""
    given: dict[Any, Any] = {}

    def now(places: Sequence[Any]) -> list[Any]:
        return [at if hasattr(at, "val") else given.get(at, at) for at in places]

    def left() -> Iterator[Any]:
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


def _parameters(equation: Any) -> dict[str, Any]:
    """Those of the operation, without checks in the program that it calls."""
    name = _CALLED.get(equation.primitive.name)
    if name is None or _CALLBACK not in str(equation.params[name]):
        return dict(equation.params)
    return {**equation.params, name: _without(equation.params[name])}


def _is_check(equation: Any) -> bool:
    """Whether it gives what it is given, or calls Python."""
    if equation.primitive.name != "cond":
        return False
    passes, fails = equation.params["branches"][0].jaxpr, equation.params["branches"][-1]
    return not passes.eqns and passes.outvars == passes.invars and _CALLBACK in str(fails)
