"""Components that run together agree on what a hyperparameter is."""

from dataclasses import replace
from itertools import product

import pytest

from jaxattn.core.contracts import HyperSpec, InputError
from jaxattn.core.hypers import merged_hypers
from jaxattn.core.vocabulary import Vocabulary
from jaxattn.models import MODELS
from jaxattn.problems.attention import ATTENTION_MAPS
from jaxattn.problems.components import given_to
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.training.optimisers import OPTIMISERS

GAIN = HyperSpec("gain", 1.0, low=0.0, unit="time", doc="what the loss is multiplied by")


def test_each_name_is_there_once_in_the_order_of_declaration():
    other, same = HyperSpec("other", None), replace(GAIN)
    assert same is not GAIN
    merged = merged_hypers([("one", (GAIN,)), ("two", (other, same)), ("one", (GAIN,))])
    assert merged == (GAIN, other)
    assert merged_hypers([]) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"default": 2.0}, "got default 1 from model and 2 from paradigm 'mine'"),
        ({"default": None}, "got default 1 from model and None from"),
        ({"low": -1.0}, "got low 0 from model and -1 from"),
        ({"high": 3.0}, "got high inf from model and 3 from"),
        ({"open_low": True}, "got low excluded False from model and True from"),
        ({"unit": "1"}, "got unit 'time' from model and '1' from"),
        (
            {"doc": "another thing"},
            "got meaning 'what the .*' from .* 'another thing' from",
        ),
        ({"doc": 200 * "long "}, "got meaning 'what .*' from model and 'long .*'"),
    ],
)
def test_two_meanings_of_one_name_are_refused_with_both(change, words):
    owners = [("model", (GAIN,)), ("paradigm 'mine'", (replace(GAIN, **change),))]
    with pytest.raises(InputError, match=f"hyperparameter 'gain': {words}") as refusal:
        merged_hypers(owners)
    assert len(str(refusal.value)) < 300


def test_all_that_run_together_by_name_agree():
    words = Vocabulary(("", "?", "word"))
    made = [given_to(factory, 3, words)() for factory in MODELS.values()]
    for model, optimiser in product(made, OPTIMISERS.values()):
        maps, losses = ATTENTION_MAPS.items(), PARADIGMS.items()
        merged_hypers(
            [
                ("model", model.hypers),
                (optimiser.name, optimiser.hypers),
                *((name, one.hypers) for name, one in (*maps, *losses)),
            ]
        )
