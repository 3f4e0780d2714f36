"""A made-up result of the theory experiment, in milliseconds: straight lines and simple laws.

Nothing is solved. What figures and sentences are tested on.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status

NAMES = ("soft", "hard", "lvml")
SEGMENTS, CLASSES = 4, 5
UNIT = SEGMENTS * CLASSES
APART = {"soft": 1e-10, "hard": 3e-10, "lvml": 2e-10}
LEADS = {("nu", "hard", "soft"): 2.0 * UNIT, ("nu", "hard", "lvml"): 3.0 * UNIT}
"""In time: who takes the lead in what from whom."""


def example_theory(
    failed: Mapping[str, int] | None = None, leads: Mapping[tuple[str, str, str], float] = LEADS
) -> xr.Dataset:
    """``mu = t/UNIT``, a tenth more under LVML; ``nu`` the same, twice as fast under HA from 2 m C.

    ``1 - alpha`` is ``UNIT / t`` late under all, and its law is half of that.

    Args:
        failed: by paradigm, 0 or 1: that its closed form or its ODE was not solved.
        leads: the crossings.
    """
    time = np.append(0.0, np.geomspace(0.01, 10.0, 60)) * UNIT
    s = time / UNIT
    shape = (len(NAMES), 2, time.size)
    mu, nu, alpha = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for place, name in enumerate(NAMES):
        apart = np.array([[0.0], [APART[name]]]) * s / s[-1]
        mu[place] = s * (1.1 if name == "lvml" else 1.0) + apart
        nu[place] = s + (np.maximum(s - 2.0, 0.0) if name == "hard" else 0.0) + apart
        alpha[place] = 1 - 1 / np.maximum(s, 1.25)
    grid, share = np.linspace(0.0, 10.0, 30), np.linspace(0.0, 1.0, 20)
    starts = np.array([0.0, 5.0])
    along = starts[:, None] + share * (10.0 - starts[:, None])
    passes = np.full((2, 3, 3), np.nan)
    for (quantity, one, other), at in leads.items():
        passes[("mu", "nu").index(quantity), NAMES.index(one), NAMES.index(other)] = at
    status = np.full((3, 2), int(Status.DONE), np.int8)
    for name, which in (failed or {}).items():
        status[NAMES.index(name), which] = Status.SOLVER_FAILED
    curves = ("paradigm", "dynamics", "save")
    plane = ("paradigm", "at_nu", "at_mu")

    def words(name: str) -> dict[str, str]:
        return {"units": "1", "long_name": name}

    return xr.Dataset(
        {
            "mu": (curves, mu, words("mu: gap")),
            "nu": (curves, nu, words("nu: score")),
            "alpha": (curves, alpha, words("alpha: attention")),
            "beta": (curves, alpha / 2, words("beta: probability")),
            "loss": (curves, 1 - alpha, {"units": "nat", "long_name": "loss"}),
            "late_law": (("paradigm", "save"), np.tile(0.5 / np.maximum(s, 0.001), (3, 1))),
            "status": (("paradigm", "dynamics"), status),
            "time_to_focus": (
                ("paradigm", "threshold"),
                UNIT * np.array([[2.0, np.nan], [2.5, 9.0], [1.5, np.nan]]),
            ),
            "takes_lead": (("quantity", "paradigm", "other"), passes),
            "field_mu": (plane, np.full((3, 30, 30), 0.5)),
            "field_nu": (plane, np.broadcast_to(0.1 + grid[:, None], (3, 30, 30))),
            "orbit_mu": (("start", "point"), along),
            "orbit_nu": (
                ("paradigm", "start", "point"),
                np.stack([along, 0.5 * along, along**0.5]),
            ),
        },
        {
            "paradigm": list(NAMES),
            "dynamics": ["closed-form", "ode"],
            "time": ("save", time, words("time")),
            "threshold": [0.5, 0.95],
            "quantity": ["mu", "nu"],
            "other": list(NAMES),
            "at_mu": grid,
            "at_nu": grid,
        },
        {"segments": SEGMENTS, "classes": CLASSES},
    )
