"""A made-up result of the phase experiment, in milliseconds: simple functions of m and C.

Nothing is solved. What figures and sentences are tested on.
"""

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.experiments.phase.experiment import PAIRS, Found, Phase, dataset_of
from jaxattn.experiments.phase.maps import PARADIGMS

CONFIG = Phase(points=6, low=2.0, high=200.0, thresholds=(0.5, 0.9), horizons=(1.0, 2.0))

ORDER = {"soft": 3.0, "hard": 2.0, "lvml": 1.0, "hybrid": 1.5}
"""Times to focus, in m C, where m and C are large; nu falls with it."""


def example_phase(config: Phase = CONFIG, failed: tuple[str, ...] = ()) -> xr.Dataset:
    """LVML is first and leads everywhere but in one corner, where all are equal.

    Args:
        config: sizes.
        failed: paradigms of which the first line of the map is not known.
    """
    sizes = config.sizes
    small = 1 + 1 / np.sqrt(sizes[:, None] * sizes)
    found = {}
    for name in PARADIGMS:
        times = np.stack(
            [ORDER[name] * small * (1 + 0.1 * k) for k in range(len(config.thresholds))]
        )
        nu = np.stack([horizon / (ORDER[name] * small) for horizon in config.horizons])
        times[:, -1, -1], nu[:, -1, -1] = 7.0, 5.0
        status = np.full(small.shape, int(Status.DONE), np.int8)
        if name in failed:
            times[:, 0], nu[:, 0], status[0] = np.nan, np.nan, Status.SOLVER_FAILED
        found[name] = Found(nu, 1 / (1 + np.exp(-nu)), times, status)
    passes = {pair: small * (2 + place) for place, pair in enumerate(PAIRS)}
    passes[PAIRS[-1]][0] = np.nan
    return dataset_of(config, found, passes)
