"""Discrete training with optax: optimisers on the clocks of their flows, and runs."""

from jaxattn.descent.optimisers import OPTIMISERS, SCHEDULES, Optimiser, as_optimiser
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
    "as_optimiser",
    "clocks",
    "last_step",
    "make_course",
    "make_train",
    "steps_of",
    "work_of",
]
