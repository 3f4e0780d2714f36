"""Theory is exact of what components are, whatever they are called."""

import pytest
from helpers import EXACT

from jaxattn.core.contracts import AttentionMap, Paradigm
from jaxattn.models import linear, mlp
from jaxattn.problems.attention import imposed, softmax, with_entropy_penalty
from jaxattn.problems.paradigms import PARADIGMS, as_paradigm
from jaxattn.problems.solvable import theory_of
from jaxattn.reduced import PARADIGMS as REDUCED
from jaxattn.tasks import orthogonal, orthogonal_population

TASK = orthogonal_population(3, 4)
SOFT = PARADIGMS["soft"]


@pytest.mark.parametrize("name", EXACT)
def test_every_paradigm_by_name_has_its_own_theory_under_any_name(name):
    assert theory_of(TASK, linear(3), softmax, PARADIGMS[name]) == name
    assert theory_of(TASK, linear(3), softmax, PARADIGMS[name]._replace(name="mine")) == name
    assert name in REDUCED


def other(log_attention, values, read, label, context):
    return -read.log_probability(values[0], label), ()


@pytest.mark.parametrize(
    "parts",
    [
        {"task": orthogonal(3, 4, train=2, test=2, points=2)},
        {"model": mlp(3)},
        {"model": linear(3, bias=True)},
        {"model": linear(3, start="normal")},
        {"model": linear(4)},
        {"attention": imposed},
        {"attention": with_entropy_penalty(softmax)},
        {"attention": AttentionMap(lambda *given: softmax.apply(*given), softmax.hypers)},
        {"paradigm": Paradigm("soft", other)},
        {"paradigm": as_paradigm(SOFT.loss, "mine")},
    ],
)
def test_anything_else_has_none(parts):
    given = {"task": TASK, "model": linear(3), "attention": softmax, "paradigm": SOFT, **parts}
    assert theory_of(**given) is None


@pytest.mark.parametrize("name", sorted(PARADIGMS.keys() - set(EXACT)))
def test_the_path_of_a_loss_that_draws_is_that_of_no_flow(name):
    assert theory_of(TASK, linear(3), softmax, PARADIGMS[name]) is None
