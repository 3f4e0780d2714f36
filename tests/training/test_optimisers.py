"""An optimiser is known by what it computes, whatever it is called."""

from dataclasses import replace

import optax
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.training.optimisers import OPTIMISERS, SCHEDULES, as_optimiser


@pytest.mark.parametrize("name", OPTIMISERS)
def test_its_family_is_the_one_by_name_on_any_schedule_and_under_any_name(name):
    for schedule in SCHEDULES:
        found = as_optimiser(name, schedule)
        assert (found.name, found.family) == (name, name)
        # Made again, as where a schedule is added later.
        assert as_optimiser(found, "constant").family == name
    assert replace(OPTIMISERS[name], name="mine").family == name
    for part in ("transform", "pace", "decays", "denominator"):
        assert replace(OPTIMISERS[name], **{part: lambda hyper, *rest: None}).family == ""


def sgd(hyper):
    return optax.sgd(hyper["learning_rate"] / 2)


def test_one_of_ones_own_does_not_borrow_a_name():
    halved = replace(OPTIMISERS["adam"], pace=lambda hyper: hyper["learning_rate"] / 2)
    for mine, name in ((sgd, "sgd"), (halved, "adam")):
        with pytest.raises(InputError, match=f"optimiser: got one of your own called '{name}'"):
            as_optimiser(mine)
    assert as_optimiser(replace(halved, name="halved")).family == ""
    with pytest.raises(InputError, match="schedule: got one of your own called 'cosine'"):
        as_optimiser("sgd", cosine)


def cosine(hyper, steps):
    return optax.constant_schedule(hyper["learning_rate"])
