"""How a limit is solved on times of its own: what was asked, and what is chosen otherwise."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

from jaxattn.core.contracts import InputError
from jaxattn.integrate.solution import checked_tolerance
from jaxattn.integrate.solvers import method_of, refuse_no_solver
from jaxattn.training.saves import OwnTimes

__all__ = ["AUTO", "IMPLICIT_UP_TO", "Solver", "choose_solver", "spans_decades"]

AUTO = "auto"

IMPLICIT_UP_TO = 300
"""Parameters up to which what spans decades is solved by implicit steps. On one core a step of
kvaerno5 takes 1, 3 and 11 ms for 100, 200 and 300 parameters of a least-squares problem, as it
factors their dense Jacobian, and nine decades take some 750 steps, whatever the curvatures."""

_DECADES = 1000
_SMOOTH, _KINKS, _IMPLICIT = ("dopri8", 1e-10), ("bosh3", 1e-5), ("kvaerno5", 1e-6)
_ATOL_OF_RTOL = 1e-2


@dataclass(frozen=True)
class Solver:
    """How flows on times of their own are solved; see `jaxattn.integrate.integrate`.

    Where it is `"auto"`: `name`, `rtol` and `log_time_unit` are chosen by how many decades the
    times span, how many parameters there are and whether the loss is smooth (`choose_solver`);
    `atol` is 1e-2 times `rtol`, but for implicit steps `rtol` itself; `max_steps` is 100,000.

    Raises:
        InputError: on construction, for a value that no solver takes.
    """

    name: Any = AUTO
    """One of `jaxattn.integrate.SOLVERS`, or an adaptive solver of diffrax."""
    rtol: Any = AUTO
    """Relative tolerance of one step."""
    atol: Any = AUTO
    """Absolute tolerance of one step, in the unit of each leaf of the parameters at the start."""
    max_steps: Any = AUTO
    """Steps after which a row is given up: not solved, as its steps are used up."""
    log_time_unit: Any = AUTO
    """Solve in log time from about this time on; None: in plain time."""

    def __post_init__(self) -> None:
        """Checks."""
        if self.name != AUTO:
            refuse_no_solver(self.name)
        for name in ("rtol", "atol", "log_time_unit"):
            value = getattr(self, name)
            if value == AUTO or (name == "log_time_unit" and value is None):
                continue
            if not (_is_number(value) and isfinite(value) and value > 0):
                raise InputError(
                    f"solve: got {name}={value!r}, expected a number above 0; change it, or leave "
                    'it at "auto".'
                )
        if self.rtol != AUTO:
            checked_tolerance(float(self.rtol), "float64")
        steps = self.max_steps
        if steps != AUTO and not (isinstance(steps, int) and _is_number(steps) and steps > 0):
            raise InputError(
                f"solve: got max_steps={steps!r}, expected a whole number above 0; change it, or "
                'leave it at "auto".'
            )

    def arguments(self) -> dict[str, Any]:
        """As `make_flow` takes it; of what `choose_solver` gave."""
        return {
            "solver": self.name,
            "rtol": self.rtol,
            "atol": self.atol,
            "max_steps": self.max_steps,
            "log_time_unit": self.log_time_unit,
        }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def spans_decades(saves: OwnTimes) -> bool:
    """Whether the last time is more than 1000 times the first one above 0."""
    return saves.times[-1] > _DECADES * _first(saves)


def _first(saves: OwnTimes) -> float:
    return next((time for time in saves.times if time > 0), 0.0)


def choose_solver(
    saves: OwnTimes,
    parameters: int,
    asked: Solver | None = None,
    *,
    smooth: bool = True,
    stochastic: bool = False,
) -> Solver:
    """What is chosen where `asked` leaves it open: no field of it is ``"auto"``.

    Times that span decades (`spans_decades`) are solved in log time, whose unit is the first time
    above 0, and where the loss is smooth and there are few parameters (`IMPLICIT_UP_TO`) by
    implicit steps: explicit ones need about one for every five units of the largest curvature
    times the time, until the flow is at rest. Their tolerance is that of one step; over decades
    the solution is closer than that, as what one step misses is forgotten.

    Args:
        saves: at which times the flow is looked at.
        parameters: how many numbers move.
        asked: what is not to be chosen.
        smooth: whether the gradient is continuous in the parameters.
        stochastic: whether the limit has noise, and so takes even steps in plain time.
    """
    asked, decades = asked or Solver(), spans_decades(saves)
    name, rtol = _SMOOTH if smooth else _KINKS
    if decades and smooth and parameters <= IMPLICIT_UP_TO:
        name, rtol = _IMPLICIT
    name = name if asked.name == AUTO else asked.name
    implicit = method_of(name).implicit
    if asked.name != AUTO and smooth:
        rtol = _IMPLICIT[1] if implicit else _SMOOTH[1]
    rtol = rtol if asked.rtol == AUTO else asked.rtol
    # Implicit steps solve equations whose rounding grows with the step: an absolute tolerance that
    # is much smaller than the relative one is beyond it long before the last time.
    atol = rtol * (1.0 if implicit else _ATOL_OF_RTOL)
    unit = _first(saves) if decades and not stochastic else None
    return Solver(
        name,
        rtol,
        atol if asked.atol == AUTO else asked.atol,
        100_000 if asked.max_steps == AUTO else asked.max_steps,
        unit if asked.log_time_unit == AUTO else asked.log_time_unit,
    )
