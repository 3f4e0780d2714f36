"""Examples may count otherwise in what is learnt than in what is measured."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    CLASSES,
    EPS,
    PRECISION,
    SEGMENTS,
    bags,
    compiled_quickly,
    hyper,
    jit,
    one_of,
    study_of,
)

import jaxattn
from jaxattn.core.contracts import Data, InputError, Splits, Task
from jaxattn.core.fingerprint import fingerprint
from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.check_data import check_splits
from jaxattn.problems.data import as_learnt
from jaxattn.problems.minibatches import Order
from jaxattn.problems.own_data import own_data
from jaxattn.run.compare import run
from jaxattn.run.data_source import Sources
from jaxattn.run.job import plan_jobs
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

BATCH = bags(np.random.default_rng(2), 9)
WEIGHT = np.array([1, 2, 1, 0, 3, 1, 0, 1, 1], float)
ASKED = {"model": linear(CLASSES, start="normal"), "paradigms": ("hard",), "seeds": 2}
RUN = {**ASKED, "saves": 3, "steps": 6, "optimiser": "sgd"}


def of(batch, learning=None, **more):
    """Test bags are those that are learnt, each as any other."""
    splits = {"train": Data(batch, None, learning), "test": Data(BATCH)}
    return Task("bags", SEGMENTS, CLASSES, lambda seed: {**splits, **more}, one_of(batch))


def results(task, **asked):
    with compiled_quickly():
        return run(study_of(task, **RUN, **asked))


def repeated(batch):
    return jax.tree.map(lambda leaf: np.repeat(leaf, WEIGHT.astype(int), axis=0), batch)


def test_what_is_learnt_is_that_of_the_same_weight_and_what_is_measured_is_not() -> None:
    asked = {"batch_size": 4, "vary": ("init", "data")}
    weighed, learnt = (
        results(task, **asked) for task in (of(BATCH._replace(weight=WEIGHT)), of(BATCH, WEIGHT))
    )
    for name in ("objective", "gradient_norm", "status"):
        np.testing.assert_array_equal(learnt[name], weighed[name], err_msg=name)
    for name in ("loss", "accuracy", "attention_foreground"):
        train, test = (learnt[name].sel(split=split) for split in ("train", "test"))
        np.testing.assert_array_equal(train, test, err_msg=name)
        np.testing.assert_array_equal(test, weighed[name].sel(split="test"), err_msg=name)
    assert (learnt["loss"].sel(split="train") != weighed["loss"].sel(split="train")).any()


def test_a_bag_of_weight_two_is_two_bags_and_one_of_weight_0_is_none() -> None:
    problem = attention_problem(of(BATCH), ASKED["model"], "hard", precision=PRECISION)
    start = problem.init(jax.random.key(0), hyper())
    train = jit(make_train(problem, as_optimiser("sgd"), (0, 3), Order("fixed", None)))
    data = Data(BATCH, None, WEIGHT.astype(PRECISION)), Data(repeated(BATCH))
    learnt, often = (
        train(start, hyper(), Splits(as_learnt(one), {"train": one}), streams(0)).measures
        for one in data
    )
    for name in ("objective", "gradient_norm"):
        # Three steps, each of sums of ten terms in another order.
        np.testing.assert_allclose(learnt[name], often[name], rtol=1000 * EPS, err_msg=name)
    assert not np.allclose(learnt["loss"][0], often["loss"][0])


def test_segments_lie_once_and_another_learning_weight_is_another_fingerprint() -> None:
    places = np.zeros((9, SEGMENTS), int)
    pooled = Data(BATCH._replace(segments=places), np.eye(4, 5))
    prints = set()
    for learning in (None, WEIGHT, WEIGHT + 1):
        made = {"train": pooled._replace(learning_weight=learning)}
        study = study_of(replace(of(BATCH), make=lambda seed, made=made: made), **ASKED)
        sources, job = Sources(study), plan_jobs(study)[0]
        splits = sources.splits(0, job)
        assert splits.learn.examples.segments is splits.evaluate["train"].examples.segments
        assert splits.learn.pool is splits.evaluate["train"].pool
        prints.add(fingerprint((), splits))
    assert len(prints) == 3


def test_seeds_of_which_some_have_a_learning_weight_are_refused() -> None:
    def make(seed):
        return {"train": Data(BATCH, None, WEIGHT if seed else None)}

    with pytest.raises(InputError, match="data of seed 1: got a learning_weight, unlike"):
        run(study_of(replace(of(BATCH), make=make), **ASKED, vary=("data",)))


WRONG = {
    "negative": (-WEIGHT, "learning_weight -1.0 of bag 0"),
    "NaN": (np.where(WEIGHT > 2, np.nan, WEIGHT), "learning_weight nan of bag 4"),
    "all zero": (0 * WEIGHT, "only zero learning_weights"),
    "too few": (WEIGHT[:-1], r"shape \(8,\), expected an array of floats \(9,\)"),
    "integers": (WEIGHT.astype(int), "learning_weight of int64"),
    "a list": (WEIGHT.tolist(), "learning_weight of list"),
}


@pytest.mark.parametrize(("given", "words"), WRONG.values(), ids=WRONG)
def test_learning_weights_that_are_none_are_refused_by_name(given, words) -> None:
    task = of(BATCH, given)
    with pytest.raises(InputError, match=f"bags, train: got .*{words}") as refused:
        check_splits(task, task.make(0))
    assert "\n" not in str(refused.value)


def test_those_of_a_split_that_is_measured_are_refused() -> None:
    test = Data(BATCH, None, WEIGHT)
    task = of(BATCH, WEIGHT, test=test)
    with pytest.raises(InputError, match="task 'bags', test: got a learning_weight"):
        check_splits(task, task.make(0))
    with pytest.raises(InputError, match="data, test: got a learning_weight"):
        own_data({"train": X, "test": Data(X, None, WEIGHT)})


def squares(params, batch, hyper):
    return jnp.mean((batch["x"] @ params["w"] - batch["y"]) ** 2)


X = {"x": BATCH.segments[:, 0], "y": BATCH.label.astype(float)}


def own(data, **more):
    def init(key, hyper):
        return {"w": jnp.zeros(5)}

    own = {"ols": jaxattn.problem(init, squares, {"error": squares}, **more)}
    asked = {"saves": 3, "steps": 6, "seeds": 1, "progress": False, "against": ("flow",)}
    with compiled_quickly():
        return jaxattn.compare(problems=own, data=data, **asked)


@pytest.mark.needs_x64
def test_own_problems_and_their_flows_learn_by_it_and_measure_without_it() -> None:
    learnt = own({"train": Data(X, None, WEIGHT), "test": X})
    often = own({"train": repeated(X), "test": X})
    assert list(learnt.dynamics.values) == ["train", "flow"]
    for name in ("objective", "gradient_norm", "sharpness"):
        # Sums of ten squares in another order; of a flow, to its tolerance of 1e-10 a step.
        np.testing.assert_allclose(learnt[name], often[name], rtol=1e-8, err_msg=name)
    train, test = (learnt["error"].sel(split=name) for name in ("train", "test"))
    np.testing.assert_allclose(train, test, rtol=1e-12)
    assert not np.allclose(train.squeeze(), learnt["objective"].squeeze())


def test_own_data_whose_learning_weights_say_nothing_are_refused() -> None:
    for wrong in (-WEIGHT, WEIGHT[:-1], 0 * WEIGHT, np.full(9, np.nan)):
        with pytest.raises(InputError, match="learning_weight: got"):
            own_data(Data(X, None, wrong))
    with pytest.raises(InputError, match="data: got Data with a pool"):
        own_data(Data(X, X))
    fresh = jaxattn.Fresh(lambda key: jnp.zeros((4, 5)), 4, Data(X["x"], None, WEIGHT))
    with pytest.raises(InputError, match="Fresh, evaluate: got a learning_weight"):
        own_data(fresh)
    with pytest.raises(InputError, match="'ols': got examples that count differently"):
        own(Data(X, None, WEIGHT), separable=False)
