import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, PRECISION, bags, distance, hyper, jit, task_of

from jaxattn.core.contracts import InputError
from jaxattn.core.streams import streams
from jaxattn.models import linear, mlp
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.microbatch import Mean, gradient_in_pieces, in_pieces, piece_of

COUNT = 10
BATCH = bags(np.random.default_rng(4), COUNT)._replace(
    weight=np.arange(COUNT).astype(PRECISION)  # the first bag does not count, the last one most
)
MODEL = linear(CLASSES, bias=True, start="uniform")


@pytest.mark.parametrize(
    ("name", "piece"), [("soft", 3), ("hard", 5), ("lvml", 1), ("lvml", COUNT + 1)]
)
def test_loss_and_gradient_by_pieces_are_those_of_the_whole(name, piece):
    whole = attention_problem(task_of(BATCH), MODEL, name, precision=PRECISION)
    params = whole.init(streams(1).init, hyper())

    def value_and_slope(problem):
        slope = jit(jax.value_and_grad(problem.loss, has_aux=True))
        (value, state), gradient = slope(params, BATCH, hyper(), jnp.zeros(()), None, ())
        assert state == ()
        return value, gradient

    # Sums of ten terms of order one in another order.
    assert distance(value_and_slope(in_pieces(whole, piece)), value_and_slope(whole)) <= 100 * EPS


def test_equal_arguments_give_the_same_problem():
    whole = attention_problem(task_of(BATCH), MODEL, "soft", precision=PRECISION)
    assert in_pieces(whole, 3) is in_pieces(whole, 3)
    assert in_pieces(whole, 3).measure is whole.measure


@pytest.mark.parametrize(("name", "piece"), [("soft", 3), ("hard", 5), ("lvml", 1)])
def test_a_gradient_added_up_by_pieces_is_that_of_the_whole(name, piece):
    whole = attention_problem(task_of(BATCH), MODEL, name, precision=PRECISION)
    params = whole.init(streams(1).init, hyper())
    given = params, BATCH, hyper(), jnp.zeros(()), None, ()
    (loss, _), at_once = jit(jax.value_and_grad(whole.loss, has_aux=True))(*given)
    by_pieces = gradient_in_pieces(whole._replace(piece=piece))
    *added, state = jit(by_pieces)(*given)
    assert state == ()
    # It is not the whole that is compared with itself.
    assert "scan" in str(jax.make_jaxpr(by_pieces)(*given))
    # Sums of ten terms of order one in another order.
    assert distance(added, [loss, at_once]) <= 100 * EPS


def test_where_nothing_counts_the_gradient_by_pieces_is_0_too():
    whole = attention_problem(task_of(BATCH), MODEL, "soft", precision=PRECISION)
    params = whole.init(streams(1).init, hyper())
    nothing = BATCH._replace(weight=np.zeros(COUNT, PRECISION))
    *found, _ = jit(gradient_in_pieces(whole._replace(piece=4)))(
        params, nothing, hyper(), jnp.zeros(()), None, ()
    )
    assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(found))


@pytest.mark.needs_x64
def test_a_mean_keeps_the_type_of_the_parameters_whatever_a_loss_is_of():
    params = {"w": jnp.zeros(2, jnp.float32)}
    found = jnp.asarray(3.0, jnp.float64), {"w": jnp.ones(2, jnp.float32)}
    batch = BATCH._replace(weight=np.ones(COUNT))
    mean = Mean.nothing(params).plus(found, batch)
    assert {leaf.dtype for leaf in jax.tree.leaves(mean)} == {jnp.dtype("float32")}
    loss, slope = mean.plus(found, batch).value()
    assert (float(loss), slope["w"].tolist()) == (3.0, [1.0, 1.0])


@pytest.mark.parametrize(
    ("segments", "piece"), [(2, 512), (5, 256), (20, 64), (80, 16), (1280, 1), (5000, 1)]
)
def test_a_piece_has_as_many_segments_whatever_a_bag_has(segments, piece):
    assert piece_of(mlp(3), segments) == piece
    assert piece_of(MODEL, segments) is None


def test_an_accelerator_takes_the_gradient_of_a_minibatch_at_once(monkeypatch):
    class Device:
        platform = "gpu"

    whole = attention_problem(task_of(BATCH), mlp(CLASSES), "soft", precision=PRECISION)
    assert whole.piece == piece_of(mlp(CLASSES), BATCH.mask.shape[-1])
    params = whole.init(streams(1).init, hyper())
    given = params, BATCH, hyper(), jnp.zeros(()), None, ()
    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    by_pieces = gradient_in_pieces(whole._replace(piece=3))
    assert "scan" not in str(jax.make_jaxpr(by_pieces)(*given))


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "all"])
def test_a_number_of_segments_that_is_none_is_refused(wrong):
    model = MODEL._replace(in_cache=wrong)
    with pytest.raises(InputError, match=r"in_cache: got .*, expected a number of segments"):
        attention_problem(task_of(BATCH), model, "soft", precision=PRECISION)


def test_what_is_measured_in_parts_is_what_is_measured_at_once():
    model = mlp(CLASSES)
    task = task_of(BATCH)
    whole, parts = (
        attention_problem(task, model._replace(in_cache=most), "soft", precision=PRECISION)
        for most in (None, 1)
    )
    params = whole.init(streams(1).init, hyper())
    given = params, BATCH, hyper()
    assert "scan" in str(jax.make_jaxpr(parts.measure)(*given))
    found, expected = (jit(problem.measure)(*given) for problem in (parts, whole))
    assert found.keys() == expected.keys()
    for name, one in found.items():
        # Percentages at most, each a few hundred operations.
        np.testing.assert_allclose(one, expected[name], rtol=1e-10, atol=1e3 * EPS, err_msg=name)
