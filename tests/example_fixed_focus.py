"""A made-up result of the fixed-focus experiment, in milliseconds, from the closed forms' limits.

Every curve goes from its start to a chosen end; nothing is trained. What figures and sentences are
tested on.
"""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status, Trajectory
from jaxattn.experiments.fixed_focus.config import ALPHAS, FixedFocus
from jaxattn.experiments.fixed_focus.experiment import dataset_of

CONFIG = FixedFocus(classes=5, segments=4, bags=10, points=5, batch_size=4, epochs=10, seeds=5)

Course = Callable[[np.ndarray], np.ndarray]
"""The gap by the share of training that is done, in [0, 1]."""


def rises(done: np.ndarray) -> np.ndarray:
    return 0.02 * done


def falls(done: np.ndarray) -> np.ndarray:
    return 0.04 * np.sqrt(done) * (1 - 0.9 * done)


def example_fixed_focus(
    courses: Mapping[str, Course], config: FixedFocus = CONFIG, failed: int = 0
) -> xr.Dataset:
    """These gaps at every alpha below 1, by paradigm, in seeds that differ by up to one percent.

    Args:
        courses: by paradigm.
        config: sizes.
        failed: how many seeds of each alpha diverged, the first ones; their measures are NaN.
    """
    done = np.asarray(config.saves) / config.saves[-1]
    alpha = np.asarray(ALPHAS)[:, None, None]
    seed = np.linspace(0.995, 1.005, config.seeds)[None, :, None]
    found = {}
    for name, course in courses.items():
        gap = np.where(alpha < 1, course(done) * seed, 0.0)
        loss = (2 - done) * seed * np.ones_like(alpha)
        gap[:, :failed], loss[:, :failed] = np.nan, np.nan
        status = np.full(gap.shape[:2], int(Status.DONE))
        status[:, :failed] = Status.DIVERGED
        measures = {"objective": loss, "gradient_norm": np.ones((*loss.shape, 2))}
        metrics = {"loss": 1.02 * loss, "loss_ahead": 1.02 * (loss - gap)}
        measures |= {"loss": loss[..., None], "loss_ahead": (loss - gap)[..., None]}
        step = np.broadcast_to(np.asarray(config.saves, float), loss.shape)
        work = dict.fromkeys(("gradients", "steps", "rejected"), 0 * status)
        found[name] = Trajectory(
            step, step, measures, status, step[..., -1], work, batch_metrics=metrics
        )
    return dataset_of(config, found)
