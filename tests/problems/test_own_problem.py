"""A problem of one's own: a start and a loss, weighted, split and looked at as all others are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxattn
from jaxattn.core.contracts import Batch, HyperSpec, InputError, MeasureSpec
from jaxattn.core.part_rates import Part, leaves_of_part, rate_scale
from jaxattn.probes.record import part_names
from jaxattn.problems.check_own_problem import prepared
from jaxattn.problems.check_problem import checked
from jaxattn.problems.own_data import own_data

X = np.random.default_rng(0).normal(size=(12, 3))
DATA = {"x": X, "y": X @ [1.0, -2.0, 0.5]}


def start(key, hyper):
    return {"w": jnp.ones(3), "rest": {"b": jnp.zeros(())}}


def residuals(params, batch):
    return batch["x"] @ params["w"] + params["rest"]["b"] - batch["y"]


def squares(params, batch, hyper):
    return jnp.mean(residuals(params, batch) ** 2) / 2


def own(loss=squares, init=start, **given):
    return prepared(jaxattn.problem(init, loss, **given), own_data(DATA), "float32")


def value(problem, values=DATA, weight=None, time=0.0, key=None):
    count = len(jax.tree.leaves(values)[0])
    weight = jnp.ones(count) if weight is None else jnp.asarray(weight, float)
    batch = Batch(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), values), weight)
    hyper = {"learning_rate": jnp.asarray(0.1)}
    return float(problem.loss(start(None, {}), batch, hyper, jnp.asarray(time), key, ())[0])


def test_the_loss_of_a_batch_is_that_of_all_its_examples_at_once():
    together = float(squares(start(None, {}), DATA, {}))
    assert value(own()) == pytest.approx(together, rel=1e-6)
    assert value(own(separable=False)) == pytest.approx(together, rel=1e-6)


def test_examples_count_by_their_weights_and_those_of_weight_0_not_at_all():
    weight = np.arange(12.0)
    of_each = [float(squares(start(None, {}), {k: v[i : i + 1] for k, v in DATA.items()}, {}))
               for i in range(12)]  # fmt: skip
    assert value(own(), weight=weight) == pytest.approx(np.average(of_each, weights=weight))
    broken = {"x": np.where(np.arange(12)[:, None] == 0, 1e3, X), "y": DATA["y"]}
    assert value(own(), broken, weight) == value(own(), DATA, weight)
    assert value(own(), weight=np.zeros(12)) == 0.0


def test_a_loss_may_take_the_time_and_a_key_of_each_examples_own():
    def noisy(params, batch, hyper, time, key):
        return jnp.mean(jax.random.normal(key, batch["y"].shape)) + time

    problem = jaxattn.problem(start, noisy)
    assert problem.stochastic
    assert not own().stochastic
    draws = [value(problem, time=time, key=jax.random.key(0)) for time in (0.0, 2.0)]
    assert draws[1] - draws[0] == pytest.approx(2)
    # Twelve independent draws, not one twelve times: their mean is small.
    many = [value(problem, key=jax.random.key(seed)) for seed in range(40)]
    assert np.std(many) == pytest.approx(12**-0.5, rel=5 / 40**0.5 / 2)


def test_a_loss_that_is_no_mean_over_examples_says_so_or_is_refused():
    def spread(params, batch, hyper):
        return jnp.var(residuals(params, batch))

    with pytest.raises(InputError, match=r"expected the same.*say separable=False"):
        checked(own(spread))
    with pytest.raises(InputError, match=r"mean of each alone"):
        checked(own(lambda params, batch, hyper: 12 * squares(params, batch, hyper) + jnp.sum(
            params["w"] ** 2) / batch["y"].shape[0]))  # fmt: skip
    checked(own(spread, separable=False))


def test_what_all_examples_share_is_in_the_loss_of_each():
    def regularised(params, batch, hyper):
        return squares(params, batch, hyper) + params["w"] @ params["w"]

    checked(own(regularised))


def test_a_term_that_vanishes_at_the_start_is_seen_next_to_it():
    def coupled(params, batch, hyper):
        return params["rest"]["b"] ** 2 * batch["y"].shape[0] * 1e3

    with pytest.raises(InputError, match="mean over examples"):
        checked(own(coupled))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": lambda p, b, h: residuals(p, b)}, "got float32 of shape .*expected one number"),
        ({"loss": lambda p, b, h: jnp.argmax(p["w"])}, "expected one number a batch, floats"),
        ({"loss": lambda p, b: 0.0}, "takes 2 positional arguments"),
        ({"loss": lambda p, b, h: p["v"][0]}, "KeyError"),
        ({"loss": lambda p, b, h: h["size"] * p["w"][0]}, r"hyper\['size'\] read"),
        ({"init": lambda k, h: {"w": jnp.arange(3)}}, "expected float arrays only"),
        ({"init": lambda k, h: {}}, "without arrays"),
        ({"init": lambda k, h: {"w": np.random.normal(size=3)}}, "another one each time"),
        ({"parts": {"deep": lambda p: p["deep"]}}, "without a part 'deep'"),
        ({"parts": {"half": lambda p: p["w"] * 2}}, "selects some of them"),
        ({"measures": {"m": lambda p, b, h: p["v"]}}, "measure 'm'.*KeyError"),
        ({"measures": {"m": lambda p, b, h: 1j * p["w"]}}, "expected real numbers"),
        ({"discontinuities": lambda h: 3}, "expected discontinuities"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line_before_anything_is_compiled(given, said):
    with pytest.raises(InputError, match=said) as caught:
        own(**{"init": start, **given})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"measures": {"m": MeasureSpec("m")}}, "give its function first"),
        ({"measures": {"m": 3}}, r"expected f\(params, batch, hyper\)"),
        ({"measures": {"a/b": lambda p, b, h: 0.0}}, "without a slash"),
        ({"measures": [1]}, "expected a table of functions"),
        ({"hypers": {"size": "large"}}, "expected a number"),
        ({"hypers": 3}, "expected numbers by name"),
        ({"parts": {"a b": lambda p: p}}, "letters, digits and underscores"),
        ({"parts": ["w"]}, "expected functions by name"),
        ({"name": "two\nlines"}, "printable"),
    ],
)
def test_what_is_none_is_refused_where_it_is_handed_over(given, said):
    with pytest.raises(InputError, match=said) as caught:
        jaxattn.problem(start, squares, **given)
    assert "\n" not in str(caught.value)


def test_measures_have_the_axes_that_they_say_or_numbered_ones():
    named = (lambda p, b, h: p["w"], {"weight": ("a", "b", "c")})
    whole = (lambda p, b, h: b["x"][0, 0] < 9, MeasureSpec("", better="more", unit="%"))
    problem = own(measures={"named": named, "plain": lambda p, b, h: p["w"][:2], "said": whole})
    specs = {spec.name: spec for spec in problem.measures}
    assert specs["named"].dims == ("weight",)
    assert specs["named"].coords == (("a", "b", "c"),)
    assert (specs["plain"].dims, specs["plain"].coords) == (("plain_0",), ((0, 1),))
    assert (specs["said"].better, specs["said"].unit, specs["said"].dims) == ("more", "%", ())
    batch = Batch(DATA, jnp.ones(12))
    measured = problem.measure_split(start(None, {}), batch, {})
    assert measured["said"].dtype == jnp.float32
    assert set(measured) == {"named", "plain", "said"}


def test_a_measure_has_one_shape_however_many_examples_there_are():
    problem = jaxattn.problem(start, squares, {"each": lambda p, b, h: residuals(p, b)})
    two = own_data({"train": DATA, "test": {name: at[:5] for name, at in DATA.items()}})
    with pytest.raises(InputError, match=r"got shape \(5,\) of test and \(12,\) of train"):
        prepared(problem, two, "float32")
    # Of one split it may be of each example.
    assert prepared(problem, own_data(DATA), "float32").measures[0].dims == ("each_0",)


def test_hyperparameters_are_numbers_by_name_or_specs():
    by_name = jaxattn.problem(start, squares, hypers={"noise": 0.1})
    assert by_name.hypers == (HyperSpec("noise", 0.1),)
    parts = {"slow": lambda params: params["rest"]}
    specs = jaxattn.problem(start, squares, hypers=[HyperSpec("noise", 0.1)], parts=parts)
    assert [spec.name for spec in specs.hypers] == ["noise", "slow_rate"]


def test_a_part_is_some_of_the_leaves_and_has_a_norm_and_a_rate_of_its_own():
    params = start(None, {})
    slow = Part("slow", lambda tree: {"its": [tree["rest"]]})
    assert leaves_of_part(params, slow) == (0,)  # keys are in their order
    assert part_names(params, (slow,)) == ("slow", "rest")
    scale = rate_scale(params, {"slow_rate": jnp.asarray(3.0)}, (slow,))
    assert float(scale["rest"]["b"]) == 3.0
    np.testing.assert_array_equal(scale["w"], np.ones(3))
    everything = Part("everything", lambda tree: tree)
    both = {"slow_rate": jnp.asarray(3.0), "everything_rate": jnp.asarray(2.0)}
    assert float(rate_scale(params, both, (slow, everything))["rest"]["b"]) == 6.0


def test_equal_arguments_give_the_same_problem():
    problem, data = jaxattn.problem(start, squares), own_data(DATA)
    assert prepared(problem, data, "float32") is prepared(problem, data, "float32")
    assert prepared(problem, data, "float32") is not prepared(problem, data, "float64")
