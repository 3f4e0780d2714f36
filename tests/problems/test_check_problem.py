"""A problem of one's own, as training and flow see it: refused by name where it is traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import PRECISION, bags, hyper, splits, task_of

from jaxattn.core.contracts import InputError, MeasureSpec, Problem
from jaxattn.core.streams import streams
from jaxattn.flow import make_flow
from jaxattn.probes.probe import Probe
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.check_problem import checked
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

BATCH = bags(np.random.default_rng(3), 4)
SGD = as_optimiser("sgd")


def loss(params, batch, hyper, time, key, state):
    each = jnp.sum((batch.segments - params["at"]) ** 2, axis=(1, 2))
    return jnp.mean(each), state


def measure(params, batch, hyper):
    return {"size": jnp.sum(params["at"] ** 2)}


MINE = Problem(
    init=lambda key, hyper: {"at": jnp.zeros((), PRECISION)},
    loss=loss,
    measure=measure,
    discontinuities=lambda hyper: jnp.zeros((0,), PRECISION),
    measures=(MeasureSpec("size"),),
    name="mine",
    precision=PRECISION,
)


def then(change):
    return lambda *arguments: change(*loss(*arguments))


REFUSED = {
    "by example": ({"loss": then(lambda mean, state: (mean[None], state))}, r"shape \(1,\)"),
    "whole": ({"loss": then(lambda mean, state: (mean.astype(int), state))}, r"int\d+ of shape"),
    "no state": ({"loss": then(lambda mean, state: mean)}, "expected a pair .float scalar, state"),
    "three": ({"loss": then(lambda mean, state: (mean, state, 0))}, "tuple of 3"),
    "other state": ({"loss": then(lambda mean, state: (mean, mean))}, "a state of another struc"),
    "raises": ({"loss": lambda params, *rest: params["nope"]}, "got KeyError .'nope'."),
    "too few": ({"loss": lambda params: params}, "loss: got TypeError .*positional argument"),
    "a list": ({"measure": lambda *_: [1]}, "problem 'mine': got list from its measure"),
    "an axis": (
        {"measure": lambda *_: {"size": jnp.zeros(2)}},
        r"problem 'mine', measure 'size': got shape \(2,\), expected \[\]",
    ),
    "one jump": (
        {"discontinuities": lambda hyper: jnp.ones(())},
        r"problem 'mine': got float\d+ of shape \(\), expected discontinuities, .* \(1,\)",
    ),
    "no jumps": ({"discontinuities": lambda hyper: ()}, "got tuple of 0, expected discontinuities"),
    "no measure": ({"measure": lambda *_: 1 / 0}, "measure: got ZeroDivisionError"),
}


def run(problem, make=make_train, **more):
    order = () if make is make_flow else (Order("fixed", 2),)
    dynamics = make(problem, SGD, (0, 2), *order, **more)
    settings = {name: value for name, value in hyper().items() if name == "learning_rate"}
    params = problem.init(streams(0).init, settings)
    # Shapes alone: what is refused is refused before anything is compiled.
    return jax.eval_shape(dynamics, params, settings, splits(BATCH), streams(0))


@pytest.mark.parametrize(("parts", "words"), REFUSED.values(), ids=REFUSED)
def test_training_refuses_it_in_one_line(parts, words):
    with pytest.raises(InputError, match=words) as refusal:
        run(MINE._replace(**parts))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.needs_x64
def test_a_flow_refuses_it_too():
    with pytest.raises(InputError, match=r"problem 'mine', loss: got float64 of shape \(1,\)"):
        run(MINE._replace(**REFUSED["by example"][0]), make_flow)


def drawing(params, batch, hyper, time, key, state):
    mean, state = loss(params, batch, hyper, time, key, state)
    return mean if key is None else mean * jax.random.uniform(key, dtype=mean.dtype), state


def counting(params, batch, hyper, time, key, state):
    mean, _ = loss(params, batch, hyper, time, key, state)
    return mean * state, state + 1


CHANGING = {
    "a state": (
        {"loss": counting, "state": lambda params: jnp.zeros((), PRECISION)},
        "a flow: got 'mine', whose loss has a state that every step of training updates",
    ),
    "an undeclared key": (
        {"loss": drawing},
        "problem 'mine', loss: got a function that draws on its key, .*stochastic=True",
    ),
    "a key": ({"loss": drawing, "stochastic": True}, "'mine', whose loss draws samples"),
}


@pytest.mark.needs_x64
@pytest.mark.parametrize(("parts", "words"), CHANGING.values(), ids=CHANGING)
def test_a_flow_refuses_a_loss_that_changes_in_training_from_step_to_step(parts, words):
    run(MINE._replace(**parts))
    with pytest.raises(InputError, match=words):
        run(MINE._replace(**parts), make_flow)


@pytest.mark.parametrize("name", ["objective", "gradient_norm", "size"])
def test_a_measure_does_not_take_the_name_of_another(name):
    probe = Probe("mine", lambda loss, *_: {name: loss(_[0])}, (MeasureSpec(name),))
    with pytest.raises(InputError, match=f"probe 'mine': got the measure '{name}', whose name"):
        run(MINE, probes=(probe,))
    own = MINE._replace(measure=lambda *_: {name: jnp.zeros(())}, measures=(MeasureSpec(name),))
    if name == "size":
        run(own)
    else:
        with pytest.raises(InputError, match=f"problem 'mine': got the measure '{name}'"):
            run(own)


def test_a_problem_as_it_should_be_is_run():
    found = run(MINE)
    assert found.measures["size"].shape == (2, 1)


def test_a_probe_of_ones_own_is_held_to_its_labels():
    def wide(loss, params, hyper, scale):
        return {"width": jnp.zeros(3)}

    right = MeasureSpec("width", ("place",), ((1, 2, 3),))
    assert run(MINE, probes=(Probe("wide", wide, (right,)),)).measures["width"].shape == (2, 3)
    with pytest.raises(InputError, match=r"probe 'wide', measure 'width': got shape \(3,\)"):
        run(MINE, probes=(Probe("wide", wide, (MeasureSpec("width"),)),))


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (lambda loss, params, hyper, scale: params["nope"], "got KeyError .'nope'."),
        (lambda loss: {}, "got TypeError .*positional argument"),
        (lambda loss, *_: {"width": loss({})}, "problem 'mine', loss: got KeyError .'at'."),
        (lambda *_: {"width": jnp.ones(2) @ jnp.ones(3)}, "got TypeError"),
        (lambda *_: 1, "probe 'mine': got int from its measure"),
    ],
    ids=["a key", "too few", "the loss", "shapes", "a number"],
)
def test_what_a_probe_raises_is_said_in_one_line(measure, words):
    with pytest.raises(InputError, match=words) as refusal:
        run(MINE, probes=(Probe("mine", measure, (MeasureSpec("width"),)),))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.needs_x64
def test_a_flow_says_so_too():
    with pytest.raises(InputError, match=r"probe 'mine', measure: got ZeroDivisionError"):
        run(MINE, make_flow, probes=(Probe("mine", lambda *_: 1 / 0, ()),))


def test_what_only_computing_shows_is_verified_when_a_run_is_made():
    problem = attention_problem(
        task_of(BATCH), "linear", "soft", lambda scores, example, hyper: scores, PRECISION
    )
    for make in (checked, lambda problem: make_train(problem, SGD, (0, 1), Order("fixed", 2))):
        with pytest.raises(InputError, match="exponentials sum to"):
            make(problem)


def test_it_stays_the_same_problem_to_the_cache():
    assert checked(MINE) is checked(MINE)
