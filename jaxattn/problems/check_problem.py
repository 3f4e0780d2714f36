"""A problem, or a probe, that looks at what it returns: a person's own may return anything."""

from typing import Any

from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Hyper, InputError, MeasureSpec, Params, Problem
from jaxattn.core.kept import kept
from jaxattn.core.protocols import Measure
from jaxattn.probes.measured import check_measured
from jaxattn.probes.probe import Loss, Probe
from jaxattn.problems.tracing import described, expect, expect_jumps, in_one_line, same_kind

__all__ = ["checked", "checked_measure", "checked_probe"]


@kept
def checked(problem: Problem) -> Problem:
    """The same problem, which refuses by name what its loss and its measures must not return.

    They are looked at whenever they are traced, which is before anything is compiled, and computes
    nothing. What only computing shows is verified here, once.

    Raises:
        InputError: here, what `Problem.verify` refuses; when traced, a loss that is no float
            scalar, a state of another kind than before, measures that are not as labelled, jumps
            that are no list of times, or whatever they raise themselves.
    """
    problem.verify()
    # Not again; and diffrax remembers what it has solved, which then does not hold the task.
    problem = problem._replace(verify=_verified)
    owner = f"problem {problem.name!r}" if problem.name else "problem"

    def loss(
        params: Params, batch: Any, hyper: Hyper, time: Array, key: Array | None, state: PyTree
    ) -> tuple[Float[Array, ""], PyTree]:
        hint = "a mean over the examples; try it on one batch."
        with in_one_line(f"{owner}, loss", hint):
            returned: Any = problem.loss(params, batch, hyper, time, key, state)
        if not (isinstance(returned, tuple) and len(returned) == 2):
            raise InputError(
                f"{owner}, loss: got {described(returned)}, expected a pair (float scalar, state); "
                "return the state as it came where there is none."
            )
        expect(f"{owner}, loss", "a mean over the examples", returned[0], (), "reduce it to that.")
        if not same_kind(state, returned[1]):
            raise InputError(
                f"{owner}, loss: got a state of another structure, shape or dtype than before, "
                "expected (float scalar, state) with the state as it came, or updated."
            )
        return returned

    def discontinuities(hyper: Hyper) -> Float[Array, " jump"]:
        with in_one_line(f"{owner}, discontinuities", "the times at which the loss jumps, [jump]."):
            jumps = problem.discontinuities(hyper)
        expect_jumps(owner, jumps)
        return jumps

    return problem._replace(
        loss=loss,
        measure=checked_measure(problem.measure, problem.measures, owner),
        measure_split=checked_measure(problem.measure_split, problem.measures, owner),
        discontinuities=discontinuities,
    )


@kept
def checked_measure(measure: Measure, specs: tuple[MeasureSpec, ...], owner: str) -> Measure:
    """The same measure, which refuses by name what it must not return, when traced.

    Args:
        measure: of a problem.
        specs: the labels of the problem's measures.
        owner: what to call the problem in messages.

    Raises:
        InputError: when traced, measures that are not as labelled, or whatever it raises itself.
    """

    def measured(params: Params, batch: Any, hyper: Hyper) -> dict[str, Array]:
        with in_one_line(f"{owner}, measure", "a dictionary of arrays; try it on one batch."):
            measures = measure(params, batch, hyper)
        check_measured(owner, specs, measures)
        return measures

    return measured


def _verified() -> None:
    """Nothing is left to look at."""


def checked_probe(probe: Probe) -> Probe:
    """The same probe, which refuses by name what its measure must not return, when traced.

    Raises:
        InputError: when traced, measures that are not as labelled, or whatever it raises itself.
    """
    owner = f"probe {probe.name!r}"

    def measure(loss: Loss, params: Params, hyper: Hyper, scale: Params) -> dict[str, Array]:
        with in_one_line(f"{owner}, measure", "a dictionary of arrays; try it on one loss."):
            measures = probe.measure(loss, params, hyper, scale)
        check_measured(owner, probe.specs, measures)
        return measures

    return probe._replace(measure=measure)
