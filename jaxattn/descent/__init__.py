"""Discrete training with optax: optimisers on the clocks of their flows, and runs."""

from jaxattn.descent.decays import adam_decays, beta1_of, momentum_of, rmsprop_decay, time_constant
from jaxattn.descent.optimisers import OPTIMISERS, SCHEDULES, Optimiser, as_optimiser, unit
from jaxattn.descent.saves import AtTimes, Saves, clocks, last_step, steps_of
from jaxattn.descent.training import (
    Course,
    Given,
    State,
    Watch,
    make_course,
    make_train,
    work_of,
)

__all__ = [
    "OPTIMISERS",
    "SCHEDULES",
    "AtTimes",
    "Course",
    "Given",
    "Optimiser",
    "Saves",
    "State",
    "Watch",
    "adam_decays",
    "as_optimiser",
    "beta1_of",
    "clocks",
    "last_step",
    "make_course",
    "make_train",
    "momentum_of",
    "rmsprop_decay",
    "steps_of",
    "time_constant",
    "unit",
    "work_of",
]
