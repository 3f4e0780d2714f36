"""Comparisons: paired by construction, extended without a trace, failures and interrupts marked."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import jaxattn
from jaxattn.comparison import Progress
from jaxattn.contracts import AttentionMap, HyperSpec, InputError, Status
from jaxattn.models import mlp
from jaxattn.tasks import digits

TASK = digits(train=64, test=32)
SMALL = {"steps": 6, "saves": 3, "batch_size": 16, "evaluate": 32}


def small_mlp(classes: int) -> object:
    return mlp(classes, width=8)


def run(paradigms: tuple = ("soft",), **settings: object) -> xr.Dataset:
    return jaxattn.compare(TASK, small_mlp, paradigms, **{**SMALL, **settings})


@pytest.fixture(scope="module")
def base() -> xr.Dataset:
    return run(("soft", "hard", "hybrid"), hypers={"learning_rate": 0.05}, seeds=3)


def test_paradigms_start_from_the_same_parameters_and_data(base: xr.Dataset) -> None:
    start = base.isel(save=0, process=0)
    for measure in ("attention_foreground", "loss", "error_cell", "nu"):
        soft, hard = (start[measure].sel(paradigm=name).values for name in ("soft", "hard"))
        np.testing.assert_array_equal(soft, hard)
    assert np.unique(start["nu"].sel(paradigm="soft", split="train")).size == 3


def test_a_hybrid_is_soft_attention_until_it_switches(base: xr.Dataset) -> None:
    switch = float(base["switch_time"].isel(learning_rate=0))
    before = base["time"].isel(learning_rate=0).values <= switch
    assert before.sum() >= 1
    assert (~before).sum() >= 1
    soft, hybrid = (base["mu"].sel(paradigm=name, process="train") for name in ("soft", "hybrid"))
    np.testing.assert_array_equal(soft.isel(save=before), hybrid.isel(save=before))
    assert (soft.isel(save=-1) != hybrid.isel(save=-1)).all()


def test_adding_a_rate_and_seeds_changes_no_other_row_by_a_bit(base: xr.Dataset) -> None:
    more = run(
        ("soft", "hard", "hybrid"), hypers={"learning_rate": [0.02, 0.05]}, seeds=[7, 0, 1, 2, 5]
    )
    same = more.sel(learning_rate=[0.05], seed=[0, 1, 2])
    for name in base.data_vars:
        np.testing.assert_array_equal(base[name].values, same[name].values, err_msg=str(name))


@pytest.mark.needs_x64
def test_adding_a_rate_changes_no_other_flow_by_a_bit() -> None:
    settings = {
        "task": "orthogonal-population",
        "paradigms": ["hybrid"],
        "seeds": 1,
        "steps": 20,
        "saves": 3,
        "batch_size": None,
        "flow_seeds": 1,
        "precision": "float64",
    }
    one = jaxattn.compare(hypers={"learning_rate": 0.5}, **settings)
    two = jaxattn.compare(hypers={"learning_rate": [0.5, 0.1]}, **settings)
    same = two.sel(learning_rate=[0.5])
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name].values, same[name].values, err_msg=str(name))
    assert list(one["process"].values) == ["train", "flow", "theory"]
    mu = one["mu"].sel(split="train").squeeze()
    # The flow's tolerance, 1e-4 a step, over the few steps it takes.
    np.testing.assert_allclose(
        mu.sel(process="flow"), mu.sel(process="theory"), rtol=1e-3, atol=1e-12
    )


def _poisoned(scores: jax.Array, example: object, hyper: dict) -> jax.Array:
    bad = jnp.where(hyper["poison"] > 0, jnp.nan, 1.0).astype(scores.dtype)
    return jax.nn.log_softmax(scores * bad)


POISON = AttentionMap(_poisoned, (HyperSpec("poison", 0.0, doc="above 0: NaN"),))


def test_a_row_with_a_nan_is_marked_and_the_others_stay_bit_for_bit() -> None:
    with_nan = run(attention=POISON, hypers={"poison": [0.0, 1.0]}, seeds=2)
    without = run(attention=POISON, hypers={"poison": [0.0, -1.0]}, seeds=2)
    status = with_nan["status"].sel(process="train", paradigm="soft")
    assert (status.sel(poison=1.0) == Status.DIVERGED).all()
    assert (status.sel(poison=0.0) == Status.DONE).all()
    for name in ("mu", "loss", "objective"):
        np.testing.assert_array_equal(
            with_nan[name].sel(poison=0.0).values, without[name].sel(poison=0.0).values
        )


def test_a_rate_far_too_large_diverges_and_leaves_the_others_alone(base: xr.Dataset) -> None:
    both = run(("soft",), hypers={"learning_rate": [0.05, 1e30]}, seeds=3)
    status = both["status"].sel(process="train", paradigm="soft")
    assert (status.sel(learning_rate=1e30) == Status.DIVERGED).all()
    kept = both["mu"].sel(learning_rate=[0.05], paradigm=["soft"]).values
    np.testing.assert_array_equal(kept, base["mu"].sel(paradigm=["soft"]).values)


def test_an_interrupt_keeps_what_was_finished_and_marks_the_rest() -> None:
    seen: list[xr.Dataset] = []

    def on_chunk(progress: Progress, so_far: Callable[[], xr.Dataset]) -> None:
        if progress.process == "interrupted":
            seen.append(so_far())
        elif progress.paradigm == "hard":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(("soft", "hard", "hybrid"), seeds=3, on_chunk=on_chunk)
    status = seen[0]["status"].sel(process="train").squeeze()
    assert (status.sel(paradigm="soft") == Status.DONE).all()
    assert (status.sel(paradigm="hard") == Status.DONE).all()
    assert (status.sel(paradigm="hybrid") == Status.INTERRUPTED).all()
    assert np.isfinite(seen[0]["mu"].sel(paradigm="soft")).all()


def test_a_paradigm_is_traced_for_one_compilation_and_never_again() -> None:
    traced = []

    def own(log_attention, values, read, label, context):
        traced.append(1)
        return -jnp.sum(jnp.exp(log_attention) * jax.vmap(read)(values)[:, label])

    run((own,), hypers={"learning_rate": [0.1, 0.2]}, seeds=2)
    first = len(traced)
    assert first >= 1
    run((own,), hypers={"learning_rate": [0.3, 0.4]}, seeds=[5, 6])
    assert len(traced) == first


def test_an_own_optimiser_and_an_own_task_need_no_registering() -> None:
    import optax

    images = np.random.RandomState(0).rand(60, 4, 4)
    labels = np.repeat(["cat", "dog", "sky"], 20)
    task = jaxattn.mosaic(images, labels, foreground=("cat", "dog"), segments=3, train=32, test=16)

    def slow(hyper: dict) -> optax.GradientTransformation:
        return optax.sgd(0.5 * hyper["learning_rate"])

    ds = jaxattn.compare(task, small_mlp, ["soft"], seeds=2, optimiser=slow, **SMALL)
    assert (ds["status"] == Status.DONE).all()
    assert ds.sizes["seed"] == 2


def test_rows_that_were_not_asked_for_are_absent_and_not_failed() -> None:
    if not jax.config.read("jax_enable_x64"):
        pytest.skip("a flow needs float64")
    ds = jaxattn.compare(
        "orthogonal-population", paradigms=["soft"], seeds=2, flow_seeds=1, steps=4, saves=2,
        batch_size=None,
    )  # fmt: skip
    status = ds["status"].sel(process="flow", paradigm="soft").squeeze()
    assert status.values.tolist() == [Status.DONE, -1]


def test_theory_stands_beside_the_solvable_task_only(base: xr.Dataset) -> None:
    assert list(base["process"].values) == ["train"]


def test_the_errors_of_bad_requests_come_before_any_compilation() -> None:
    with pytest.raises(InputError, match="did you mean 'digits'"):
        jaxattn.compare("digts")
