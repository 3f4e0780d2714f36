"""Data of one's own: any pytree of arrays, looked at before anything is compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn import Batch, Fresh
from jaxattn.core.contracts import InputError
from jaxattn.problems.minibatches import Order, make_batches
from jaxattn.problems.own_data import own_data

X, Y = np.ones((6, 2)), np.arange(6)
ONE = {"x": X, "y": Y}


def sample(key):
    return {"x": jax.random.normal(key, (4, 2)), "y": jnp.zeros(4, int)}


def test_a_tree_is_the_training_set_and_a_table_with_train_is_splits():
    assert list(own_data(ONE).make(0)) == ["train"]
    splits = own_data({"train": ONE, "test": {"x": X[:2], "y": Y[:2]}}).make(3)
    assert {name: len(data.examples.weight) for name, data in splits.items()} == {
        "train": 6,
        "test": 2,
    }
    bare = own_data(X).make(0)["train"].examples
    np.testing.assert_array_equal(bare.values, X)
    np.testing.assert_array_equal(bare.weight, np.ones(6))
    weighed = own_data({"train": Batch(ONE, Y.astype(float))}).make(0)["train"].examples
    np.testing.assert_array_equal(weighed.weight, Y)


def test_data_of_a_seed_are_made_for_each():
    data = own_data(lambda seed: {"x": X + seed})
    assert data.by_seed
    assert not own_data(ONE).by_seed
    np.testing.assert_array_equal(data.make(3)["train"].examples.values["x"], X + 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "got no arrays"),
        (None, "got no arrays"),
        ({"x": X[:0]}, "got no examples"),
        ({"train": ONE, "test": {"x": X[:0], "y": Y[:0]}}, "data, test: got no examples"),
        ({"x": X, "y": Y[:3]}, r"got 6 of \['x'\], 3 of \['y'\]"),
        ({"x": X, "size": 3.0}, "got one number"),
        ({"x": np.array([[1, 2], [3]], dtype=object)}, "got ndarray of object"),
        ({"x": np.array(["a", "b"])}, "expected an array of numbers"),
        ({"x": np.where(X > 0, np.nan, X)}, "got NaN in 12 places"),
        ({"x": np.ma.masked_array(X, X > 0)}, "got a masked array"),
        ({"train": ONE, "test": {"x": X, "y": Y.astype(float)}}, "expected those of train"),
        ({"train": ONE, "test": {"x": X[:, :1], "y": Y}}, "expected those of train"),
        ({"train": ONE, "test": {"x": X}}, "expected those of train"),
        ({"train": Batch(ONE, np.zeros(6))}, "6 finite numbers"),
        ({"train": Batch(ONE, -np.ones(6))}, "6 finite numbers"),
        ({"train": Batch(ONE, np.ones(5))}, "6 finite numbers"),
        (lambda: ONE, "data of seed 0.*takes 0 positional"),
        (Fresh(lambda key: sample(key)["x"][:3], 4), "expected 4 examples"),
        (Fresh(sample, 4, ONE | {"z": X}), "expected examples as those of evaluate"),
        (Fresh(sample, 4, 0), "1 or more examples"),
        (Fresh(lambda key: {"x": np.random.normal(size=4)}, 4), "another one each time"),
    ],
)  # fmt: skip
def test_what_nothing_can_be_learnt_from_is_refused_in_one_line(given, said):
    with pytest.raises(InputError, match=said) as caught:
        own_data(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [{"sample": 3, "size": 1}, {"sample": sample, "size": 0},
                                   {"sample": sample, "size": True}])  # fmt: skip
def test_fresh_batches_need_a_function_and_a_size(given):
    with pytest.raises(InputError, match="Fresh: got"):
        Fresh(**given)


def test_seeds_that_are_not_alike_are_refused_when_they_are_made():
    data = own_data(lambda seed: {"x": X[: 6 - seed]})
    with pytest.raises(InputError, match=r"data of seed 1: got 5 in train.*6 in train"):
        data.make(1)


def test_fresh_batches_are_drawn_by_step_and_evaluated_on_others():
    data = own_data(Fresh(sample, 4, 10))
    train = data.make(0)["train"]
    assert train.examples.values["x"].shape == (10, 2)
    order = Order("fresh", 4, sample)
    assert not order.shared
    assert order.examples(10) == order.examples(2) == 4
    batch_at = make_batches(order, train, 9, jax.random.key(0), "float32")
    steps = [batch_at(jnp.asarray(step)) for step in (0, 1, 0)]
    np.testing.assert_array_equal(steps[0].values["x"], steps[2].values["x"])
    assert not np.array_equal(steps[0].values["x"], steps[1].values["x"])
    assert steps[0].values["x"].dtype == jnp.float32
    drawn = {tuple(row) for row in np.asarray(steps[0].values["x"])}
    assert not drawn & {tuple(row) for row in train.examples.values["x"].astype("float32")}
