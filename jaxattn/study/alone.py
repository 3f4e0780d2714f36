"""Limits solved alone, at times of their own: what cannot be asked for beside them."""

from jaxattn.core.contracts import InputError
from jaxattn.flow import LIMITS
from jaxattn.flow.solver import Solver
from jaxattn.study.checks import shown
from jaxattn.study.settings import Settings
from jaxattn.training.saves import own_times

__all__ = ["refuse_beside_times"]

_OF_TRAINING = ("steps", "saves", "schedule", "order", "flow_seeds")


def refuse_beside_times(settings: Settings) -> None:
    """Refuse what is said of training where there is none, and times that are none.

    Args:
        settings: with nothing left to decide.

    Raises:
        InputError: with what to leave out.
    """
    if settings.times is None:
        if settings.solve is not None:
            raise InputError(
                "solve: got a solver without times, expected times of their own for the limits; "
                "beside training take flow_solver, flow_rtol and flow_atol."
            )
        return
    own_times(settings.times)
    for name in settings.against:
        if LIMITS[name].stochastic:
            raise InputError(
                f"times: got {name}, a limit with noise, expected one without, as its steps are "
                "those of training; leave it out, or leave times out and train beside it."
            )
    if not isinstance(settings.solve, Solver | None):
        raise InputError(
            f"solve: got {shown(settings.solve)}, expected a jaxattn.Solver, such as "
            "jaxattn.Solver(name='kvaerno5', rtol=1e-8)."
        )
    usual = Settings()
    given = [name for name in _OF_TRAINING if getattr(settings, name) != getattr(usual, name)]
    given += ["batch_size"] * (settings.batch_size is not None and settings.batch_size != "all")
    if given:
        raise InputError(
            f"times: got {given[0]} = {shown(getattr(settings, given[0]))} beside times, expected "
            f"one of the two, as nothing is trained where limits have times of their own; leave "
            f"{given[0]} out."
        )
