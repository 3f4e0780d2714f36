"""Estimators of hard attention: how their moments are counted, what is trained, said and drawn."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from experiment_runs import assert_labelled_and_kept
from helpers import CLASSES, bags, compiled_quickly, hyper, task_of

from jaxattn.core.contracts import InputError, Status
from jaxattn.experiments.sampled.estimators import Estimator, estimators
from jaxattn.experiments.sampled.experiment import SAMPLED, Samples, run
from jaxattn.experiments.sampled.figures import training
from jaxattn.experiments.sampled.findings import (
    _baseline_words,
    _gradient_words,
    _of_gradients,
    _run_words,
    ends_of,
    findings,
    numbers,
)
from jaxattn.experiments.sampled.gradients import _against, _moments
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.reports.experiment import Listeners
from jaxattn.run.stopwatch import Stopwatch

TINY = replace(
    SAMPLED.scales["smoke"], train=64, test=64, validation=32, evaluate=32, batch_size=32, steps=4,
    saves=2, seeds=2, draws=8,
)  # fmt: skip
LABELS = [
    *("reinforce, no baseline", "reinforce, decay 0.9", "straight-through"),
    *("gumbel-softmax at 0.5", "gumbel-softmax at 1"),
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder, kept = tmp_path_factory.mktemp("sampled") / "chunks", []
    with compiled_quickly():
        ds = run(TINY, Listeners(lambda _: None, kept.append, Stopwatch(), folder))
    return ds, kept, folder


def gradients_of(variance):
    """Gradients at two steps without bias, of seeds whose variance is that by estimator."""
    values = np.array(list(variance.values()), float)[:, None, None]
    values = np.broadcast_to(values, (len(variance), 1, 2, values.shape[-1]))
    dims = ("estimator", "part", "look", "seed")
    coords = {"estimator": list(variance), "part": ["focus"], "look": [0, 8]}
    coords |= {"baseline_decay": [1.0, 0.9], "gumbel_temperature": []}
    every = {"along": 0 * values + 1, "bias": 0 * values, "variance": values}
    return xr.Dataset({name: (dims, at) for name, at in every.items()}, coords)


def test_a_sweep_has_every_estimator_once():
    assert [one.label for one in estimators(TINY.decays, TINY.temperatures)] == LABELS
    for sizes in SAMPLED.scales.values():
        assert isinstance(sizes, Samples)
        assert 1.0 in sizes.decays
        assert sizes.look_steps[-1] == sizes.steps
        assert len(set(sizes.look_steps)) == len(sizes.looks)


def test_moments_of_a_gradient_are_those_of_its_draws(rng):
    truth, drawn = rng.normal(size=3), rng.normal(size=(50, 3)) + 0.3
    away = drawn - truth
    halves = [(of[:25].mean(axis=0), of[25:].mean(axis=0)) for of in (away, away**2)]
    # In two leaves, as parameters are.
    parts = [
        {"w": jnp.asarray(of[..., :2]), "b": jnp.asarray(of[..., 2:])}
        for of in (truth, *map(np.stack, halves))
    ]
    found = _against(*parts, 50)
    size, variance = truth @ truth, drawn.var(axis=0, ddof=1).sum()
    bias = halves[0][0] @ halves[0][1]
    np.testing.assert_allclose(found["along"], drawn.mean(axis=0) @ truth / size, rtol=1e-5)
    np.testing.assert_allclose(found["variance"], variance / size, rtol=1e-5)
    np.testing.assert_allclose(found["bias"], bias / size, rtol=1e-4, atol=1e-6)


def test_the_exact_expectation_has_neither_bias_nor_variance(rng):
    batch = jax.tree.map(jnp.asarray, bags(rng, 4))
    exact = attention_problem(
        task_of(batch), linear(CLASSES, start="normal"), "hard", precision=batch.weight.dtype.name
    )
    settings = hyper(exact.precision)
    params = exact.init(jax.random.key(0), settings)
    looks = jax.tree.map(lambda leaf: leaf[None], params)
    keys = jax.random.split(jax.random.key(1), 4)
    found = _moments(exact, exact, looks, batch, settings, settings, keys, False)
    for name, expected in (("along", 1), ("bias", 0), ("variance", 0)):
        np.testing.assert_allclose(found[name], expected, atol=1e-12)
        assert found[name].shape == (1, 2)


@pytest.mark.slow
def test_all_is_kept_and_goes_on_where_it_was(ran, tmp_path):
    ds, kept, folder = ran
    assert ds["estimator"].values.tolist() == LABELS
    # A sweep that is to be overwritten must be alone in its folder.
    assert {path.name for path in folder.iterdir()} == {"digits", "gradients"}
    # An interrupted run has whole runs alone.
    assert "along" not in kept[-1]
    assert [drawing.name for drawing in SAMPLED.figures(kept[-1])] == ["training"]
    assert {line["part"] for line in numbers(kept[-1])} == {None}
    pictures = [name for name in ds.data_vars if str(name).startswith("picture")]
    assert_labelled_and_kept(ds.drop_vars(pictures), tmp_path)
    paths = sorted(folder.rglob("chunks/*.nc"))
    before = {path: path.stat().st_mtime_ns for path in [*paths[1:], *folder.rglob("results.nc")]}
    paths[0].unlink()
    with compiled_quickly():
        again = run(TINY, Listeners(lambda _: None, lambda _: None, Stopwatch(), folder))
    assert again.equals(ds)
    assert {path: path.stat().st_mtime_ns for path in before if path in paths} == {
        path: at for path, at in before.items() if path in paths
    }


@pytest.mark.slow
def test_runs_of_an_estimator_are_those_at_what_it_reads(ran):
    ds, _, _ = ran
    cold, hot = (
        Estimator("", "gumbel-softmax", {"gumbel_temperature": at}) for at in TINY.temperatures
    )
    values = ds["accuracy"].sel(paradigm="gumbel-softmax")
    assert np.ptp(values.values, axis=values.get_axis_num("baseline_decay")).max() == 0
    for one, at in ((cold, 0.5), (hot, 1.0)):
        expected = values.sel(
            gumbel_temperature=at, baseline_decay=1.0, split="test", inference="argmax-segment"
        )
        found = ends_of(ds, one)["accuracy"].values
        assert np.array_equal(found, expected.isel(save=-1).squeeze().values[None])
    gone = ds.copy(deep=True)
    gone["status"].loc[{"paradigm": "gumbel-softmax"}] = Status.DIVERGED
    assert np.isnan(ends_of(gone, hot)["time_to_focus"]).all()
    lines = [x for x in numbers(gone) if x["estimator"] == "gumbel-softmax at 1"]
    assert {x["seeds"] for x in lines if x["part"] is None} == {0}
    assert findings(gone)


@pytest.mark.slow
def test_lines_have_the_same_keys_and_figures_are_drawn(ran):
    ds, _, _ = ran
    lines = numbers(ds)
    assert len({tuple(line) for line in lines}) == 1
    gradients = 2 * 2 * (3 * len(LABELS) + 1)
    assert [line["part"] is not None for line in lines].count(True) == gradients
    assert len(lines) == gradients + 2 * (1 + 2 * len(LABELS))
    drawn = {drawing.name: drawing.draw() for drawing in SAMPLED.figures(ds)}
    titles = [ax.get_title(loc="left") for ax in drawn["gradients"].axes]
    assert [title for title in titles if title] == ["gradient of classify", "gradient of focus"]
    assert len(drawn["training"].axes) == 2
    with pytest.raises(InputError, match="expected one of jaxattn reproduce sampled"):
        training(ds.drop_vars("gumbel_temperature"))


def test_what_a_baseline_saves_is_a_geometric_mean():
    alone = np.array([1.0, 2.0, 4.0, 8.0])
    ds = gradients_of(dict(zip(LABELS[:3], (alone, alone / 4, alone), strict=True)))
    lines = list(_of_gradients(ds))
    (said,) = _baseline_words(lines)
    assert said == (
        "A baseline at the mean loss multiplies the variance of REINFORCE's gradient of focus by "
        "0.25 [0.25, 0.25] at step 0, 0.25 [0.25, 0.25] at step 8."
    )
    words = _gradient_words([x for x in lines if x["estimator"] == "straight-through"])
    assert words.startswith("Straight-through, gradient of focus, in shares of the exact one")
    # 3.75 +- 3.182 sqrt(28.75 / 3) / 2, Student's of three degrees.
    assert words.endswith(
        "; at step 8 along the exact one 1 [1, 1], squared bias 0 [0, 0], variance 3.75 "
        "[-1.18, 8.68]."
    )


def test_what_runs_cost_is_said_of_each_rate():
    what = ("time to focus", "accuracy", "time to focus less that of hard")
    known = {"part": None, "step": None, "low": -1.0, "high": 1.0, "seeds": 8, "verdict": "differs"}

    def line(what, name, estimate):
        more = {"estimator": name, "learning_rate": 0.1, "estimate": estimate}
        return known | {"what": what} | more

    lines = [
        *(line(what[0], "hard", 5.0), line(what[1], "hard", 98.0)),
        *(line(what[0], "straight-through", 6.0), line(what[2], "straight-through", 1.5)),
        *(line(what[1], "straight-through", 97.0),),
        line("accuracy less that of hard", "straight-through", np.nan),
    ]
    assert list(_run_words(lines, 9)) == [
        "Straight-through, rate 0.1: 8 of 9 seeds focus (hard: 8). Time to focus less hard's, 5 "
        "[-1, 1]: 1.5 [-1, 1], differs. Accuracy less hard's, 98 [-1, 1] %: not known, differs."
    ]
