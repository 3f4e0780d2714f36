"""An optimiser is known by what it computes, whatever it is called."""

from dataclasses import replace

import optax
import pytest
from helpers import hyper

from jaxattn.core.contracts import InputError
from jaxattn.training.optimisers import OPTIMISERS, as_optimiser
from jaxattn.training.schedules import SCHEDULES


@pytest.mark.parametrize("name", OPTIMISERS)
def test_its_family_is_the_one_by_name_on_any_schedule_and_under_any_name(name):
    for schedule in SCHEDULES:
        found = as_optimiser(name, schedule)
        assert (found.name, found.family) == (name, name)
        # Made again, as where a schedule is added later.
        assert as_optimiser(found, "constant").family == name
    assert replace(OPTIMISERS[name], name="mine").family == name
    for part in ("transform", "pace", "decays", "denominator"):
        assert replace(OPTIMISERS[name], **{part: lambda *settings: None}).family == ""


def sgd(settings):
    return optax.sgd(settings["learning_rate"] / 2)


def test_one_of_ones_own_does_not_borrow_a_name():
    halved = replace(OPTIMISERS["adam"], pace=lambda settings: settings["learning_rate"] / 2)
    for mine, name in ((sgd, "sgd"), (halved, "adam")):
        with pytest.raises(InputError, match=f"optimiser: got one of your own called '{name}'"):
            as_optimiser(mine)
    assert as_optimiser(replace(halved, name="halved")).family == ""
    with pytest.raises(InputError, match="schedule: got one of your own called 'cosine'"):
        as_optimiser("sgd", cosine)


def cosine(settings, steps):
    return optax.constant_schedule(settings["learning_rate"])


def gives_nothing(settings):
    return settings["learning_rate"]


def reads_more(settings):
    return optax.sgd(settings["learning_rate"], momentum=settings["momentum"])


@pytest.mark.parametrize(
    ("mine", "words"),
    [
        (gives_nothing, r"optimiser 'gives_nothing': got float\d+ of .*, expected an optax transf"),
        (reads_more, "optimiser 'reads_more': got KeyError .'momentum'.*an Optimiser declares"),
        (lambda: optax.sgd(0.1), "optimiser '<lambda>': got TypeError"),
    ],
)
def test_what_gives_no_transformation_is_refused_in_one_line(mine, words):
    with pytest.raises(InputError, match=words) as refusal:
        as_optimiser(mine).make(hyper(), optax.constant_schedule(0.1))
    assert len(str(refusal.value)) < 300


def test_an_optimiser_of_ones_own_may_read_what_is_there():
    settings = hyper(momentum=0.5)
    assert as_optimiser(reads_more).make(settings, optax.constant_schedule(0.1)).update
