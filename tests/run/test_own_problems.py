"""Problems of one's own through `compare`: the same runs, limits and labels as an attention's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxattn
from jaxattn.core.contracts import Data, Example, InputError
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.data import everything, head
from jaxattn.results.dataset import spec_of
from jaxattn.study.settings import Settings
from jaxattn.study.study import resolve_settings
from jaxattn.tasks import orthogonal

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3))
ANSWER = np.array([1.0, -2.0, 0.5])
DATA = {"train": {"x": X, "y": X @ ANSWER}, "test": {"x": X[:5], "y": X[:5] @ ANSWER}}
RATES = (0.2, 0.1, 0.05, 0.025)


FRESH = jaxattn.Fresh(lambda key: {"x": jax.random.normal(key, (4, 3)), "y": jnp.ones(4)}, 4, 8)


def squares(params, batch, hyper):
    return jnp.mean((batch["x"] @ params["w"] - batch["y"]) ** 2) / 2


def least_squares(**given):
    measures = {"norm": lambda params, batch, hyper: jnp.linalg.norm(params["w"])}
    return jaxattn.problem(lambda key, hyper: {"w": jnp.zeros(3)}, squares, measures, **given)


def exact(times):
    """Of gradient flow from zero."""
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    decay = np.exp(-np.multiply.outer(times, values))
    return ANSWER - (decay * (vectors.T @ ANSWER)) @ vectors.T


def theory(hyper, times, data):
    left = exact(times) @ data["x"].T - data["y"]
    path = exact(times)
    return {"params.w": path, "norm": np.linalg.norm(path, axis=1),
            "objective": np.mean(left**2, axis=1) / 2}  # fmt: skip


@pytest.fixture(scope="module")
def compared():
    return jaxattn.compare(
        problems={"ols": least_squares()},
        data=DATA,
        hypers={"learning_rate": RATES},
        seeds=1,
        steps=20,
        saves=6,
        against=("flow", "modified"),
        theory={"exact": theory},
        keep="w",
        progress=False,
    )


@pytest.mark.needs_x64
def test_the_flow_is_the_exact_answer_and_the_theory_beside_it(compared):
    flow, told = (compared.sel(dynamics=name, learning_rate=0.2) for name in ("flow", "exact"))
    times = compared["time"].sel(learning_rate=0.2).values.ravel()
    # The tolerance of a step is 1e-10; errors of steps add up.
    np.testing.assert_allclose(flow["params.w"].values.reshape(6, 3), exact(times), atol=1e-8)
    for name in ("params.w", "norm", "objective"):
        np.testing.assert_allclose(
            flow[name].sel(split="train").values if "split" in flow[name].dims else flow[name],
            told[name].sel(split="train").values if "split" in told[name].dims else told[name],
            atol=1e-8,
        )
    assert np.isnan(told["norm"].sel(split="test")).all()
    assert (compared["status"] == jaxattn.Status.DONE).all()


@pytest.mark.needs_x64
def test_its_limits_have_their_orders(compared):
    slopes = jaxattn.orders(compared).set_index("dynamics")["slope"]
    # From four rates, the largest of which is at 0.2 of 2/sharpness: the next order is seen.
    assert slopes["flow"] == pytest.approx(1, abs=0.1)
    assert slopes["modified"] == pytest.approx(2, abs=0.15)


@pytest.mark.needs_x64
def test_a_result_says_of_what_it_is_and_nothing_of_attention(compared):
    assert list(compared["paradigm"].values) == ["ols"]
    assert list(compared["split"].values) == ["train", "test"]
    assert compared["params.w"].dims[-2:] == ("save", "w_0")
    assert compared["objective"].attrs["units"] == "1"
    assert not {"accuracy", "attention_foreground", "time_to_focus", "picture"} & {*compared}
    spec = spec_of(compared)
    assert (spec["task"], spec["model"], spec["paradigms"]) == ("own data", "", ["ols"])
    assert spec["batch_size"] is None


def ten_bags():
    """A task of ten bags, each with its segments, and what it is learnt from."""
    task = orthogonal()
    bags = everything(head(task.make(0)["train"], 10), "float64")
    bags = jax.tree.map(np.asarray, bags)
    few = jaxattn.Task("few", task.segments, task.classes, lambda seed: {"train": Data(bags)},
                       jax.tree.map(lambda leaf: leaf[0], bags))  # fmt: skip
    return few, bags


def plain_soft(params, batch, hyper):
    """Soft attention of a linear pair, written out."""
    scores = (batch["segments"] @ params["focus"]["u"])[..., 0]
    mean = jnp.einsum("bm,bmd->bd", jax.nn.softmax(scores), batch["segments"])
    logits = jax.nn.log_softmax(mean @ params["classify"]["w"])
    return -jnp.mean(jnp.take_along_axis(logits, batch["label"][:, None], 1))


@pytest.mark.needs_x64
@pytest.mark.parametrize(
    "asked",
    [
        # Cheaper tests guard what limits are of; here both doors are held against each other.
        pytest.param({"against": ("flow", "modified")}, marks=pytest.mark.slow),
        pytest.param(
            {"against": "sde", "order": "with-replacement", "batch_size": 4}, marks=pytest.mark.slow
        ),
        {"batch_size": 4, "precision": "float64"},
    ],
    ids=str,
)
def test_an_attention_network_written_as_a_plain_loss_is_the_same_runs(asked):
    task, bags = ten_bags()
    size = bags.segments.shape[-1]
    start = {
        "focus": {"u": jnp.zeros((size, 1))},
        "classify": {"w": jnp.zeros((size, task.classes))},
    }
    plain = jaxattn.problem(lambda key, hyper: start, plain_soft, unit="nat")
    common = {"steps": 12, "saves": 4, "seeds": 1, "hypers": {"learning_rate": 0.5},
              "vary": (), "progress": False} | asked  # fmt: skip
    data = {"segments": bags.segments, "label": bags.label}
    ours = jaxattn.compare(task, "linear", "soft", **common)
    theirs = jaxattn.compare(problems={"soft": plain}, data=data, **common)
    # Of 12 steps in float64: rounding, which grows by no more than a few bits a step.
    for name in ("objective", "gradient_norm"):
        assert ours[name].dims == theirs[name].dims
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-11, atol=1e-13)
    assert ours["time"].equals(theirs["time"])


@pytest.mark.needs_x64
def test_the_same_program_is_the_same_bits():
    task, bags = ten_bags()
    ours = attention_problem(task, "linear", "soft")

    def loss(params, batch, hyper):
        return ours.loss(params, Example(**batch), hyper, jnp.zeros(()), None, ())[0]

    common = {"steps": 12, "saves": 4, "seeds": 1, "batch_size": "all", "vary": (),
              "progress": False}  # fmt: skip
    plain = jaxattn.problem(ours.init, loss, hypers=ours.hypers, separable=False)
    same = jaxattn.compare(problems={"soft": plain}, data=bags._asdict(), **common)
    attention = jaxattn.compare(task, "linear", "soft", **common)
    np.testing.assert_array_equal(same["objective"], attention["objective"])


@pytest.mark.needs_x64
def test_limits_alone_are_measured_at_times_of_their_own_and_kept_where_they_rest(tmp_path):
    times = np.geomspace(1e-2, 1e9, 12)
    alone = jaxattn.compare(
        problems=least_squares(), data=DATA, times=times, keep="w", seeds=1, progress=False,
        theory={"exact": theory},
    )  # fmt: skip
    assert list(alone["dynamics"].values) == ["flow", "exact"]
    assert "step" not in alone.coords
    np.testing.assert_array_equal(alone["time"], times)
    flow, told = (alone.sel(dynamics=name).squeeze(drop=True) for name in ("flow", "exact"))
    # An implicit solver at a tolerance of 1e-6 a step.
    np.testing.assert_allclose(flow["params.w"], told["params.w"], atol=1e-5)
    assert np.isfinite(flow["norm"].sel(split="test")).all()
    assert jaxattn.Status.ended_well(flow["status"]).all()
    assert spec_of(alone)["times"] == times.tolist()
    jaxattn.report(alone, tmp_path / "report")
    np.testing.assert_array_equal(
        jaxattn.open(tmp_path / "report").load()["params.w"], alone["params.w"]
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"times": [1.0, 3.0, 2.0]}, "times: got 2 after 3"),
        ({"times": [-1.0, 1.0]}, "times: got -1"),
        ({"times": [1.0, np.inf]}, "times: got inf"),
        ({"times": [1.0, 2.0], "steps": 3}, "times: got steps = 3 beside times"),
        ({"times": [1.0, 2.0], "batch_size": 3}, "times: got batch_size = 3"),
        ({"times": [1.0], "against": "sde", "data": FRESH}, "limit with noise"),
        ({"times": [1.0, 2.0], "solve": "tsit5"}, "expected a jaxattn.Solver"),
        ({"solve": jaxattn.Solver()}, "solve: got a solver without times"),
        ({"keep": "v"}, "keep: got 'v', expected parameters by name, of w, or all"),
        ({"data": None}, "data: got none beside problems"),
        ({"problems": None}, "problems: got none beside data"),
        ({"problems": {}}, "expected problems by name"),
        ({"problems": {"ols": squares}}, r"expected what jaxattn.problem\(init, loss\) gives"),
        ({"task": "orthogonal"}, "task: got 'orthogonal' beside problems"),
        ({"seeds": 3}, "which are all the same run"),
        ({"vary": "data"}, "vary: got data, which are the same for every seed"),
        ({"hypers": {"w_rate": 2.0}}, "unknown hyperparameter: got 'w_rate'"),
        ({"measures": {"seed": lambda p, b, h: 0.0}}, "results have for something else"),
        ({"measures": {"norm": lambda p, b, h: 0.0}}, "another measure"),
        ({"theory": {"flow": theory}}, "that of other dynamics"),
        ({"theory": {"exact": {"old": theory}}}, "expected one of ols"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_one_line(given, said):
    asked = {"problems": {"ols": least_squares()}, "data": DATA, "seeds": 1, "progress": False}
    with pytest.raises(InputError, match=said) as caught:
        jaxattn.compare(**asked | given)
    assert "\n" not in str(caught.value)


@pytest.mark.needs_x64
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (lambda hyper, times, data: {"nrom": times}, "did you mean 'norm'"),
        (lambda hyper, times, data: {"norm": times[1:]}, "one value at each of the times"),
        (lambda hyper, times: {}, "takes 2 positional arguments"),
        (lambda hyper, times, data: times, r"expected \{measure: array\}"),
    ],
)
def test_a_theory_that_tells_something_else_is_refused_before_anything_runs(said, reason):
    with pytest.raises(InputError, match=reason):
        jaxattn.compare(problems=least_squares(), data=DATA, seeds=1, steps=2, saves=2,
                        theory={"mine": said}, progress=False)  # fmt: skip


@pytest.mark.needs_x64
def test_fresh_batches_are_seen_once_and_their_noise_is_that_of_one_batch():
    def sample(key):
        x = jax.random.normal(key, (8, 3))
        return {"x": x, "y": x @ ANSWER + 0.5 * jax.random.normal(jax.random.fold_in(key, 1), (8,))}

    fresh = jaxattn.Fresh(sample, 8, 4096)
    ds = jaxattn.compare(problems=least_squares(), data=fresh, seeds=64, steps=200, saves=2,
                         hypers={"learning_rate": 0.2}, keep="w", progress=False)  # fmt: skip
    spec = spec_of(ds)
    assert (spec["order"], spec["batch_size"], spec["vary"]) == ("fresh", 8, [])
    # At rest the noise of a step, eta^2 sigma^2 / B along each direction of variance 1, balances
    # the pull: the variance is eta sigma^2 / (B (2 - eta)), up to what batches vary in curvature.
    ends = ds["params.w"].isel(save=-1).values.reshape(64, 3)
    expected = 0.2 * 0.25 / (8 * 1.8)
    # A variance over 192 numbers is right to a tenth; curvature adds less than a third.
    assert 0.7 * expected < np.var(ends - ANSWER) < 1.9 * expected


def study(**asked):
    return resolve_settings(
        Settings(**{"problems": least_squares(), "data": DATA, "seeds": 1} | asked)
    )


def test_kinks_are_solved_at_a_lower_order_as_those_of_networks_are():
    assert study(against="flow").settings.flow_solver == "dopri8"
    assert (
        study(against="flow", problems=least_squares(smooth=False)).settings.flow_solver == "bosh3"
    )


def test_seeds_vary_what_depends_on_them():
    random = jaxattn.problem(lambda key, hyper: {"w": jax.random.normal(key, (3,))}, squares)
    by_seed = {"data": lambda seed: {"x": X + seed, "y": X[:, 0]}}
    assert study().vary == ()
    assert study(problems=random, seeds=2).vary == ("init",)
    assert study(**by_seed, seeds=2).vary == ("data",)
    assert study(problems=random, **by_seed, seeds=2).vary == ("init", "data")
    # One of several is enough.
    assert study(problems={"a": least_squares(), "b": random}, seeds=2).vary == ("init",)
