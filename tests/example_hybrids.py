"""Made-up results of the switch and schedule experiments, in milliseconds: nothing is solved.

What figures and sentences are tested on.
"""

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status

SEGMENTS, CLASSES, HORIZONS = (10, 100), (4, 100), (1.0, 4.0, 16.0)
CASES = ("segments", "classes", "horizon")
STARTS = ("soft", "hard", "random 0")


def _over_cases(function) -> np.ndarray:
    return np.array([[[function(m, c, h) for h in HORIZONS] for c in CLASSES] for m in SEGMENTS])


def _missing(nu: np.ndarray) -> np.ndarray:
    ahead = np.log(np.asarray(SEGMENTS) - 1.0).reshape(-1, *[1] * (nu.ndim - 1))
    return 1 / (1 + np.exp(nu - ahead))


def example_switch(failed: int = 0) -> xr.Dataset:
    """The best switch is at 20/segments + 1, or the horizon where that is earlier.

    nu falls by the square of the logarithm of the distance. `failed` sizes, the first ones, are
    not solved at the first horizon.
    """
    best = _over_cases(lambda m, c, h: min(1 + 20 / m, h))
    top = _over_cases(lambda m, c, h: 2.0 * np.log(1 + h) + np.log(m))
    grid = np.array([np.geomspace(0.1 * min(h, 1), h, 40) for h in HORIZONS])
    nu = top[..., None] - np.log(grid / best[..., None]) ** 2
    status = np.full(best.shape, int(Status.DONE), np.int8)
    status[0, :failed, 0] = Status.SOLVER_FAILED
    inside = _over_cases(lambda m, c, h: 1 + 20 / m < h).astype(np.int8)
    variables = {
        "nu": ((*CASES, "switch"), nu),
        "missing": ((*CASES, "switch"), _missing(nu)),
        "best_switch": (CASES, best),
        "best_nu": (CASES, top),
        "best_missing": (CASES, _missing(top)),
        "inside": (CASES, inside),
        "soft_missing": (CASES, _missing(nu[..., -1])),
        "hard_missing": (CASES, _missing(top - 0.5)),
        "saved": (CASES, _over_cases(lambda m, c, h: 2.0 / c)),
        "overtaking": (CASES[:2], np.full((2, 2), 1.3)),
        "status": (CASES, status),
    }
    coords = {
        **dict(zip(CASES, (list(SEGMENTS), list(CLASSES), list(HORIZONS)), strict=True)),
        "switch_time": (("horizon", "switch"), grid),
    }
    return xr.Dataset(variables, coords)


def example_schedule(wrong: bool = False, between: float = 0.3, failed: int = 0) -> xr.Dataset:
    """Six cells of equal length; soft up to the third, one in between, then hard.

    At the first horizon it is soft to the end. The last start is best, by 1e-5; the hybrid is
    better by 1e-3. `wrong` turns the sign of one derivative; `failed` starts, the first ones, did
    not end.
    """
    cells, fine = 6, 4
    turned = np.array([1.0, 1, 1, between, 0, 0])
    share = _over_cases(lambda m, c, h: np.ones(cells) if h == HORIZONS[0] else turned)
    share = np.stack([0.999 * share, 0.999 * share, share], axis=-2)
    top = _over_cases(lambda m, c, h: 2.0 * np.log(1 + h) + np.log(m))
    nu = top[..., None] + np.array([0, 0, 1e-5])
    status = np.full(nu.shape, int(Status.DONE), np.int8)
    status[..., :failed] = Status.SOLVER_FAILED
    edges = _over_cases(lambda m, c, h: np.linspace(0, h, cells + 1))
    time = _over_cases(lambda m, c, h: np.linspace(0, h, fine * cells + 1))
    sign = np.where(np.asarray(HORIZONS) == HORIZONS[0], 2.0, 0.6)
    switching = sign[:, None] - time / np.asarray(HORIZONS)[:, None]
    switching[..., 0] = 0.0
    by_share = np.where(share[..., -1, :] > 0.5, 1.0, -1.0)
    if wrong:
        by_share[0, 0, 1, 0] *= -1
    cases = dict(zip(CASES, (list(SEGMENTS), list(CLASSES), list(HORIZONS)), strict=True))
    variables = {
        "share": ((*CASES, "start", "cell"), share),
        "nu": ((*CASES, "start"), nu),
        "status": ((*CASES, "start"), status),
        "best": (CASES, np.full(top.shape, 2)),
        "switching": ((*CASES, "save"), switching),
        "determinant": ((*CASES, "save"), np.full(time.shape, -0.4)),
        "by_share": ((*CASES, "cell"), by_share),
        "hybrid_switch": (CASES, _over_cases(lambda m, c, h: h if h == 1 else 0.6 * h)),
        "hybrid_nu": (CASES, top + 1e-3),
        "edge_nu": (CASES, top - 1e-2),
        "soft_nu": (CASES, top - np.log(10)),
        "hard_nu": (CASES, top - np.log(2)),
    }
    coords = {
        **cases,
        "start": list(STARTS),
        "edge_time": ((*CASES, "edge"), edges),
        "time": ((*CASES, "save"), time),
    }
    return xr.Dataset(variables, coords)
