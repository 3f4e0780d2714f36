"""What runs depend on is seen when they are asked for: hypers, the start's key, the rate."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import CLASSES, FEATURES, bags, study_of, task_of

from jaxattn.core.contracts import AttentionMap, HyperSpec, InputError, Model, Paradigm
from jaxattn.problems.attention import softmax
from jaxattn.study.parse import from_plain
from jaxattn.training.optimisers import OPTIMISERS, Optimiser

TASK = task_of(bags(np.random.default_rng(1), 3))
SPEC = HyperSpec("gain", 1.0)
RATE = OPTIMISERS["sgd"].hypers[0]


def constant(key, example, hyper):
    return {"focus": jnp.zeros(FEATURES), "classify": jnp.zeros((FEATURES, CLASSES))}


def drawn(key, example, hyper):
    start = constant(key, example, hyper)
    return start | {"focus": jax.random.normal(key, (FEATURES,))}


MINE = Model(
    init=drawn,
    represent=lambda params, example, key: example.segments,
    score=lambda params, example, values: values @ params["focus"],
    classify=lambda params, value: value @ params["classify"],
)


def loss(log_attention, values, read, label, context):
    return -read.log_probability(jnp.exp(log_attention) @ values, label), ()


def loud(*given):
    return given[-1].hyper["gain"] * loss(*given)[0], ()


def asked(**parts):
    return study_of(TASK, **{"model": MINE, "paradigms": ("soft",), "steps": 4, **parts})


def hyped(init=drawn):
    return MINE._replace(hypers=(SPEC,), init=init)


def map_of(apply):
    return AttentionMap(apply, (*softmax.hypers, SPEC))


def cold(scores, example, hyper):
    return softmax.apply(scores * hyper["gain"], example, hyper)


def mine(transform, *hypers, **parts):
    return Optimiser("mine", transform, (RATE, *hypers), **parts)


UNREAD = {
    "of a model": {"model": hyped()},
    "of a map": {"attention": map_of(softmax.apply)},
    "of a paradigm": {"paradigms": (Paradigm("mine", loss, hypers=(SPEC,)),)},
    "of an optimiser": {"optimiser": mine(lambda hyper, rate: optax.sgd(rate), SPEC)},
}
READ = {
    "by the start": {
        "model": hyped(lambda key, example, hyper: {**drawn(key, example, hyper), **_of(hyper)})
    },
    "by a map": {"attention": map_of(cold)},
    "by a loss": {"paradigms": (Paradigm("mine", loud, hypers=(SPEC,)),)},
    "by one loss of two": {
        "paradigms": (
            Paradigm("quiet", loss, hypers=(SPEC,)),
            Paradigm("loud", loud, hypers=(SPEC,)),
        )
    },
    "by jumps": {
        "paradigms": (
            Paradigm("mine", loss, hypers=(SPEC,), discontinuities=lambda h: h["gain"][None]),
        )
    },
    "by steps": {
        "optimiser": mine(lambda hyper, rate: optax.sgd(rate, momentum=hyper["gain"]), SPEC)
    },
    "by the clock": {
        "optimiser": mine(
            lambda hyper, rate: optax.sgd(rate), SPEC, pace=lambda hyper: hyper["gain"]
        )
    },
}


def _of(hyper):
    return {"classify": jnp.full((FEATURES, CLASSES), hyper["gain"])}


@pytest.mark.parametrize("parts", UNREAD.values(), ids=UNREAD)
def test_a_hyperparameter_that_nothing_depends_on_is_refused_where_it_is_asked_for(parts):
    asked(**parts)
    for values in (2.0, (1.0, 2.0)):
        with pytest.raises(InputError, match="gain: got a value that nothing in these runs depe"):
            asked(**parts, hypers={"gain": values})


@pytest.mark.parametrize("parts", READ.values(), ids=READ)
def test_a_hyperparameter_that_something_depends_on_may_be_asked_for(parts):
    assert asked(**parts, hypers={"gain": (1.0, 2.0)}).axes["gain"] == (1.0, 2.0)


@pytest.mark.parametrize(
    ("optimiser", "hypers", "unread"),
    [
        ("momentum", {"momentum": 0.5, "friction": 0.1}, "momentum"),
        ("adam", {"beta1": 0.5, "tau1": 1.0}, "beta1"),
        ("rmsprop", {"decay": 0.5, "tau": 1.0}, "decay"),
    ],
)
def test_what_another_hyperparameter_stands_in_for_is_not_asked_for_beside_it(
    optimiser, hypers, unread
):
    with pytest.raises(InputError, match=f"^{unread}: got a value that nothing"):
        asked(optimiser=optimiser, hypers=hypers)
    for name, value in hypers.items():
        asked(optimiser=optimiser, hypers={name: value})


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_hyperparameter_of_an_optimiser_that_ships_is_read(name):
    for spec in OPTIMISERS[name].hypers:
        asked(optimiser=name, hypers={spec.name: spec.default or 0.5})


def test_a_sweep_refuses_them_too():
    said = {
        "task": {"name": "orthogonal", "classes": 3, "segments": 4},
        "settings": {"optimiser": "momentum", "hypers": {"momentum": 0.5}},
        "axes": {"paradigm": ["soft", "hard"], "seed": [0], "friction": [0.1, 0.2]},
    }
    with pytest.raises(InputError, match=r"^momentum: got a value that nothing"):
        from_plain(said)
    # What one of several optimisers reads is read.
    del said["settings"]["optimiser"]
    said["axes"] = {"paradigm": ["soft"], "seed": [0], "optimiser": ["sgd", "momentum"]}
    from_plain(said)


# ---- optimisers of one's own


@pytest.mark.parametrize(
    ("optimiser", "words"),
    [
        (lambda hyper: optax.sgd(0.1), "steps that do not depend on hyper.'learning_rate'."),
        (mine(lambda hyper, rate: optax.adam(0.1)), "optimiser 'mine': got steps that do not dep"),
        (mine(lambda hyper, rate: optax.sgd(hyper["mass"])), "optimiser 'mine': got KeyError"),
        (lambda hyper: hyper["learning_rate"], "expected an optax transformation"),
        (
            mine(lambda hyper, rate: optax.sgd(rate, momentum=np.random.uniform())),
            "optimiser 'mine': got a function that is another one each time",
        ),
        (Optimiser("mine", lambda hyper, rate: optax.sgd(rate), ()), "got no learning_rate among"),
    ],
)
def test_an_optimiser_of_ones_own_is_refused_when_it_is_asked_for(optimiser, words):
    with pytest.raises(InputError, match=words) as refusal:
        asked(optimiser=optimiser)
    assert len(str(refusal.value)) < 300
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "optimiser",
    [
        lambda hyper: optax.lion(hyper["learning_rate"]),
        mine(lambda hyper, rate: optax.sgd(rate)),
        mine(lambda hyper, rate: optax.MultiSteps(optax.adam(hyper["learning_rate"]), 2)),
        mine(lambda hyper, rate: optax.chain(optax.clip(1.0), optax.scale_by_learning_rate(rate))),
    ],
)
def test_an_optimiser_of_ones_own_whose_steps_are_of_its_rate_passes(optimiser):
    asked(optimiser=optimiser)


# ---- whether a start is random


@pytest.mark.parametrize(
    ("init", "said", "varied"),
    [
        (drawn, True, "init"),
        (constant, True, "data"),
        (drawn, False, "data"),
        (lambda key, *rest: (jax.random.split(key), constant(key, *rest))[1], True, "data"),
    ],
)
def test_seeds_vary_the_start_only_where_it_depends_on_its_key(init, said, varied):
    model = MINE._replace(init=init, random_start=said)
    assert asked(model=model).vary == (varied,)
    assert asked(model=model, vary=("init", "data")).vary == ("init", "data")
