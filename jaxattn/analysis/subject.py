"""What a result is about: attention or a problem of one's own, and which dynamics it holds."""

import numpy as np
import xarray as xr

from jaxattn.core.contracts import InputError
from jaxattn.flow import LIMITS
from jaxattn.results.dataset import spec_of

__all__ = [
    "is_of_attention",
    "is_trained",
    "problem_word",
    "refuse_no_result",
    "solved_dynamics",
    "theories_in",
    "unspoken_axes",
]


def refuse_no_result(who: str, ds: xr.Dataset) -> None:
    """Refuse a Dataset that is no result.

    Args:
        who: what was asked for.
        ds: whatever it was asked of.

    Raises:
        InputError: with what is missing.
    """
    if missing := [
        name for name in ("paradigm", "dynamics", "seed", "save") if name not in ds.dims
    ]:
        raise InputError(
            f"{who}: got a Dataset without {', '.join(missing)}, expected a result of "
            "jaxattn.compare or jaxattn.open; select from one by lists."
        )


def is_of_attention(ds: xr.Dataset) -> bool:
    """Whether paradigms of attention were run: each of them answers by an inference rule.

    Problems of one's own say that they have none; parts of results, and experiments, say nothing.
    """
    if "natural_inference" not in ds.coords:
        return True
    return any(map(str, np.atleast_1d(ds["natural_inference"].values)))


def problem_word(ds: xr.Dataset) -> str:
    """What the axis ``paradigm`` is of: paradigms of attention, or problems."""
    return "paradigm" if is_of_attention(ds) else "problem"


def is_trained(ds: xr.Dataset) -> bool:
    """Whether there are discrete runs; a flow may be alone."""
    return "train" in _dynamics(ds)


def theories_in(ds: xr.Dataset) -> list[str]:
    """Dynamics that are theories of one's own: they have measures, and no parameters."""
    others = {"train", "theory", *LIMITS, *map(str, spec_of(ds).get("against") or ())}
    return [name for name in _dynamics(ds) if name not in others]


def solved_dynamics(ds: xr.Dataset) -> str:
    """The dynamics that all else is held against: training, or the first flow where that is alone.

    "" where there is neither.
    """
    run = [name for name in _dynamics(ds) if name not in ("theory", *theories_in(ds))]
    return "train" if "train" in run else next(iter(run), "")


def unspoken_axes(ds: xr.Dataset) -> set[str]:
    """Swept axes that nothing depends on: the one rate of a gradient flow without training."""
    run = set(_dynamics(ds)) - {"theory", *theories_in(ds)}
    one = np.size(ds["learning_rate"].values) == 1 if "learning_rate" in ds.coords else False
    return {"learning_rate"} if one and run == {"flow"} and not is_of_attention(ds) else set()


def _dynamics(ds: xr.Dataset) -> list[str]:
    return [str(name) for name in np.atleast_1d(ds["dynamics"].values)]
