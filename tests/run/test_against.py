"""Training held against its continuous limits, run once and small, and what is refused."""

import json
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from helpers import compiled_quickly, study_of

import jaxattn
from jaxattn import compare
from jaxattn.analysis.edge_of_stability import edge_times
from jaxattn.analysis.limit_gaps import departures, limits_in, orders_by_name
from jaxattn.cli.main import main
from jaxattn.core.contracts import InputError, Paradigm, Status
from jaxattn.problems.paradigms import soft
from jaxattn.run.coordinates import coordinates_of_study
from jaxattn.run.data_source import Sources
from jaxattn.run.job import plan_jobs
from jaxattn.run.own_error import CLOSER
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.run.tiles import fetch
from jaxattn.tasks import orthogonal, orthogonal_population
from jaxattn.training.schedules import SCHEDULES

# All of it is in float64; that this is refused without is the last test.
pytestmark = [pytest.mark.needs_x64, pytest.mark.usefixtures("compiled_quickly")]

RATES = (1.6, 0.8, 0.4, 0.2)
STEPS, SAVES = 16, 5
TASK = orthogonal(classes=3, segments=4, train=24, test=8, validation=8, points=40)
SMALL = {"steps": STEPS, "saves": SAVES, "seeds": 2, "evaluate": 8, "flow_examples": 24}
NAMED = f"--segments 4 --classes 3 --paradigms soft --seeds 2 --steps {STEPS} --saves {SAVES}"

ALWAYS = ("questions", "claims", "summary", "differences", "failed")
"""What JSON of every comparison has."""


def against(limits=("flow", "modified"), rates=RATES, paradigms=("soft",), **asked) -> xr.Dataset:
    given = {**SMALL, **asked}
    return compare(TASK, None, paradigms, {"learning_rate": rates}, against=limits, **given)


def settings(limits=("flow",), rates=RATES, **asked):
    hypers = {"learning_rate": rates, **asked.pop("hypers", {})}
    given = {**SMALL, "seeds": (0, 1), "task": TASK, "paradigms": ("soft",), **asked}
    return study_of(hypers=hypers, against=limits, **given)


@pytest.fixture(scope="module")
def held() -> Iterator[xr.Dataset]:
    with compiled_quickly():
        yield against()


@pytest.mark.parametrize(
    "schedule",
    [pytest.param(name, marks=pytest.mark.slow) for name in SCHEDULES],
)
def test_training_on_any_schedule_that_ships_follows_its_flow_to_order_1(schedule: str) -> None:
    rates = (0.4, 0.2, 0.1)
    given = {"vary": "init", "seeds": 1, "steps": STEPS, "saves": SAVES, "evaluate": 8}
    ds = compare(
        orthogonal_population(classes=3, segments=4),
        paradigms="soft",
        hypers={"learning_rate": rates},
        schedule=schedule,
        against="flow",
        **given,
    )
    assert (ds["status"] == Status.DONE).all()
    assert abs(float(jaxattn.orders(ds)["slope"].iloc[0]) - 1) < 0.1


def test_a_schedule_over_steps_is_refused_beside_a_limit() -> None:
    with pytest.raises(InputError, match=r"schedule: got one of your own over steps"):
        settings(schedule=lambda hyper, steps: lambda step: hyper["learning_rate"])


def test_all_rows_end_well_and_say_how_far_they_are_from_training(held: xr.Dataset) -> None:
    assert held["dynamics"].values.tolist() == ["train", "flow", "modified"]
    assert limits_in(held) == ["flow", "modified"]
    assert (held["status"] == Status.DONE).all()
    assert "position" not in held
    for name in ("distance", "moved"):
        assert np.isfinite(held[name]).all(), name
    assert (held["distance"].isel(save=0) == 0).all()
    assert (held["distance"].sel(dynamics="train") == 0).all()
    assert (held["distance"].sel(dynamics=["flow", "modified"]).isel(save=-1) > 0).all()
    # Along one direction no further than in all.
    along, far = held["distance_along_top"], held["distance"]
    assert (along <= far * (1 + 1e-12)).all()
    assert (along.sel(dynamics=["flow", "modified"]).isel(save=-1) > 0).all()
    assert "top_direction" not in held
    # Measured along training and its flow.
    assert (held["sharpness"].sel(dynamics=["train", "flow"]) > 0).all()
    assert held["sharpness"].sel(dynamics="modified").isnull().all()


def test_every_rate_reaches_the_same_times_in_steps_of_its_own(held: xr.Dataset) -> None:
    assert held["step"].dims == ("learning_rate", "save")
    expected = np.outer(RATES[0] / np.asarray(RATES), np.linspace(0, STEPS, SAVES))
    np.testing.assert_array_equal(held["step"], expected)
    # A clock adds up as many as 128 steps, each rounded.
    np.testing.assert_allclose(held["time"], np.tile(held["time"][0], (4, 1)), rtol=1e-13)
    np.testing.assert_allclose(held["time"][0, -1], RATES[0] * STEPS)


def test_training_follows_its_flow_to_order_one_and_the_modified_flow_to_order_two(
    held: xr.Dataset,
) -> None:
    found = orders_by_name(held)
    assert {limit: list(by) for limit, by in found.items()} == {
        limit: ["soft"] for limit in ("flow", "modified")
    }
    # The next order is smaller by the learning rate times the sharpness, at most 0.2 here, and
    # least squares over four rates weigh that with the smaller ones.
    assert float((held["sharpness"] * held["learning_rate"]).max()) < 0.3
    assert found["flow"]["soft"]["slope"] == pytest.approx(1, abs=0.1)
    assert found["modified"]["soft"]["slope"] == pytest.approx(2, abs=0.2)
    for by in found.values():
        assert (by["soft"]["seeds"], by["soft"]["rates"]) == (2, 4)
        assert np.ptp(by["soft"]["local"]) < 0.2


def test_the_flow_that_all_rates_share_is_the_same_at_each_of_them(held: xr.Dataset) -> None:
    flow = held["objective"].sel(dynamics="flow")
    assert (flow == flow.isel(learning_rate=0)).all()
    modified = held["objective"].sel(dynamics="modified")
    assert (modified != modified.isel(learning_rate=0)).isel(save=-1, learning_rate=-1).all()


@pytest.mark.slow
def test_rates_that_meet_at_no_common_time_have_a_flow_each_at_times_of_their_own(
    held: xr.Dataset,
) -> None:
    # 1.6 * 4 = 6.4 is no multiple of 1.1: the nearest step is less than half a step away.
    rates = (RATES[0], 1.1)
    with compiled_quickly():
        ds = against(("flow",), rates, curvature=0, flow_solver="tsit5")
    assert (ds["status"] == Status.DONE).all()
    times = ds["time"].values
    np.testing.assert_allclose(times[1], 1.1 * ds["step"].values[1])
    assert 0 < np.abs(times[1] - times[0]).max() <= 1.1 / 2 + 1e-12
    # Shared or solved for this rate alone, it is the same solution, to the solver's tolerance.
    one, shared = (
        one["objective"].sel(dynamics="flow", learning_rate=RATES[0]) for one in (ds, held)
    )
    np.testing.assert_allclose(one, shared, rtol=1e-9)
    # Its own flow is at its own times: off them by d, a distance would be off by d times the speed.
    slope = orders_by_name(ds)["flow"]["soft"]["slope"]
    assert slope == pytest.approx(1, abs=0.15)


def test_the_first_row_of_each_limit_says_its_own_error_far_below_all_distances(
    held: xr.Dataset,
) -> None:
    known = held["own_error"].notnull().all("save")
    assert known.sel(dynamics="modified", learning_rate=RATES[0], seed=0).all()
    assert known.sel(dynamics="modified").sum() == 1
    # All rates share one flow, and its error.
    assert known.sel(dynamics="flow", seed=0).all()
    assert not known.sel(dynamics="train").any()
    assert not known.sel(seed=1).any()
    for limit in ("flow", "modified"):
        own = held["own_error"].sel(dynamics=limit)
        assert (own.isel(save=0, seed=0, learning_rate=0) == 0).all()
        assert 0 < own.max() < 1e-3 * held["distance"].sel(dynamics=limit).isel(save=-1).min()
    assert (jaxattn.orders(held)["own_error"] > 0).all()


def test_an_own_error_is_about_the_distance_from_the_exact_flow() -> None:
    # At a loose tolerance, beside one that is 1e5 times closer.
    given = {"rates": (0.4,), "limits": ("flow",), "curvature": 0, "flow_solver": "tsit5"}
    with compiled_quickly():
        rough, exact = (against(flow_rtol=rtol, **given) for rtol in (1e-5, 1e-10))
    rough, exact = (one.sel(dynamics="flow", seed=0).squeeze() for one in (rough, exact))
    own = float(rough["own_error"][-1])
    # Distances from the same training differ by no more than the flows are apart; a tenth of the
    # tolerance leaves a sixth of the error and less.
    assert own > 0.8 * abs(float(rough["distance"][-1] - exact["distance"][-1])) > 0
    # Each step errs by 1e-5 of parameters, or less.
    assert own < 1e-5 * float(rough["steps"] * rough["moved"][-1])


def test_solving_a_row_again_compiles_nothing() -> None:
    watch, traced = Stopwatch(), []

    def counted(*args):
        traced.append(1)
        return soft.loss(*args)

    study = settings(paradigms=(Paradigm("counted", counted),), curvature=0, flow_solver="tsit5")
    with compiled_quickly():
        _, job = plan_jobs(study)
        rows = job.first_row
        seeds, data = job.plan.seed_of(rows), Sources(study).of(job, rows)
        first = fetch(job.run(seeds, job.hypers_of(rows), data))
        again = job.hypers_of(rows, CLOSER)
        before = len(traced)
        with watch.compiling("again"):
            closer = fetch(job.run(seeds, again, data))
    assert 0 < len(traced) == before
    assert watch.seconds["again"]["compile"] == 0
    assert np.all(closer.work["steps"] > first.work["steps"])


def test_where_no_closer_solution_is_in_reach_the_own_error_is_not_known() -> None:
    for rtol, known in ((1e-10, True), (1e-14, False)):
        jobs = plan_jobs(settings(flow_rtol=rtol))
        assert {job.group.dynamics: job.is_solved_twice for job in jobs} == {
            "train": False,
            "flow": known,
        }
    sde = settings(("sde",), batch_size=4, order="with-replacement")
    assert not any(job.is_solved_twice for job in plan_jobs(sde))


def test_departures_say_when_and_a_smaller_rate_leaves_later_or_never(held: xr.Dataset) -> None:
    far = held["distance"].sel(dynamics="flow", seed=0, paradigm="soft").max("save")
    way = held["moved"].sel(dynamics="flow", seed=0, paradigm="soft").max("save")
    share = float((far / way).sel(learning_rate=0.8))
    found = departures(held, "flow", tolerance=0.9 * share).sel(paradigm="soft", seed=0)
    assert float(found.sel(learning_rate=1.6)) < float(found.sel(learning_rate=0.8))
    assert found.sel(learning_rate=[0.4, 0.2]).isnull().all()
    # At a save, in a whole step: 16 steps of the largest rate have 5 saves.
    assert found["step"].sel(learning_rate=1.6) in (4, 8, 12, 16)
    reached = edge_times(held)
    assert reached is not None
    assert reached.isnull().all()


# --- the command line


def answered(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path
) -> tuple[int, str, str]:
    monkeypatch.setenv("EQX_ON_ERROR", "nan")  # set by the command, and put back by this
    out = [] if "--out" in words else ["--out", str(tmp_path / "out")]
    code = main(["compare", *words.split(), "--no-cache", *out])
    return code, *capsys.readouterr()


def test_json_has_orders_and_departures(
    held: xr.Dataset, capsys, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr("jaxattn.reports.compare_into.compare_into", lambda *asked: held)
    words = f"orthogonal {NAMED} --against flow,modified --learning-rates 1.6 0.8 0.4 0.2 --json"
    code, out, err = answered(words, capsys, monkeypatch, tmp_path)
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert set(said) == {
        "questions",
        "claims",
        "summary",
        "differences",
        "orders",
        "departures",
        "failed",
    }
    assert set(said["orders"]) == {"flow", "modified"}
    assert set(said["orders"]["flow"]["soft"]) >= {"slope", "low", "high", "local"}
    assert len(said["departures"]) == 2 * len(RATES)
    assert [one["learning_rate"] for one in said["departures"][:4]] == list(RATES)
    for one in said["departures"]:
        assert (one["seeds"], one["diverged"]) == (2, 0)
        assert (one["time"] is None) == (one["left"] == 0)
        assert one["edge"] == 2


def test_a_single_rate_has_departures_and_no_orders(
    held: xr.Dataset, capsys, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr(
        "jaxattn.reports.compare_into.compare_into", lambda *asked: held.sel(learning_rate=[1.6])
    )
    words = f"orthogonal {NAMED} --against flow --learning-rates 1.6 --json"
    code, out, _ = answered(words, capsys, monkeypatch, tmp_path)
    assert code == 0
    assert set(json.loads(out)) == {
        "questions",
        "claims",
        "summary",
        "differences",
        "departures",
        "failed",
    }


def test_the_terminal_says_orders_and_departures_first(
    held: xr.Dataset, capsys, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr("jaxattn.reports.compare_into.compare_into", lambda *asked: held)
    words = f"orthogonal {NAMED} --against flow,modified --learning-rates 1.6 0.8 0.4 0.2"
    code, out, _ = answered(words, capsys, monkeypatch, tmp_path)
    assert code == 0
    assert "Training against its continuous limits:" in out
    assert "soft follows the gradient flow to order" in out
    assert "soft follows the modified flow to order" in out


REFUSED = {
    "--against flwo": "did you mean 'flow'?",
    "--against flow,modifed": "did you mean 'modified'?",
    "--against flow,modified --optimiser adam": "modified: got the optimiser 'adam', expected",
    "--against adam --optimiser sgd": "adam: got the optimiser 'sgd', expected adam",
    "--against third-order,adam": "against: got limits of different optimisers (",
    "--against modified --schedule cosine": "modified: got a learning rate that changes",
    "--against flow --precision float32": "against: got precision float32 and 0 flow seeds",
    "--against flow --flow-seeds 2": "against: got precision float64 and 2 flow seeds",
    "--against flow --curvature 99": "curvature: got 99 eigenvalues, expected at most",
    "--against adam --batch-size 16": "adam: got minibatches of 16, expected full batches",
    "--against sde": "sde: got full batches, expected minibatches in the order with-",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_held_against_training_is_refused_in_one_line(
    case: str, capsys, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    code, out, err = answered(f"orthogonal {NAMED} {case}", capsys, monkeypatch, tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("jaxattn: ")
    assert REFUSED[case] in err
    assert not (tmp_path / "out").exists()


def noisy(log_attention, values, read, label, context, key):
    return jax.random.uniform(key, dtype=log_attention.dtype)


@pytest.mark.parametrize("paradigm", [noisy, "straight-through"])
def test_a_loss_that_draws_samples_has_no_limit(paradigm) -> None:
    with pytest.raises(InputError, match="whose loss draws samples, expected a loss") as caught:
        plan_jobs(settings(paradigms=(paradigm,)))
    assert "\n" not in str(caught.value)


def test_a_loss_whose_state_steps_update_has_no_limit() -> None:
    counted = Paradigm(
        "counted", soft.loss, init=lambda params: jnp.ones(()), update=lambda state, *_: state + 1
    )
    with pytest.raises(InputError, match="a flow: got 'counted', whose loss has a state"):
        plan_jobs(settings(paradigms=(counted,)))


def test_without_float64_it_is_refused() -> None:
    with jax.enable_x64(False), pytest.raises(InputError, match="float64"):
        plan_jobs(settings())


# --- other optimisers and paradigms: what follows from the settings alone


def test_heavy_ball_reaches_common_times_on_its_own_clock() -> None:
    asked = settings(optimiser="momentum", hypers={"momentum": 0.75})
    coords = coordinates_of_study(asked)
    _, steps, _ = coords["step"]
    np.testing.assert_array_equal(steps[:, -1], STEPS * RATES[0] / np.asarray(RATES))
    _, times, _ = coords["time"]
    # One step advances time by eta / (1 - b).
    np.testing.assert_allclose(times, 4 * np.asarray(RATES)[:, None] * steps, rtol=1e-12)
    np.testing.assert_allclose(times, np.tile(times[0], (len(RATES), 1)), rtol=1e-12)


def test_an_axis_of_momenta_keeps_times_common_too() -> None:
    asked = settings(optimiser="momentum", hypers={"momentum": (0.5, 0.75)}, rates=(0.4, 0.2))
    _, steps, _ = coordinates_of_study(asked)["step"]
    assert steps.shape == (2, 2, SAVES)
    # The run with the longest steps, 0.4 / 0.25, has those that were asked for.
    np.testing.assert_array_equal(steps[..., -1], STEPS * np.asarray([[2, 1], [4, 2]]))


def test_a_hybrid_switches_at_one_time_at_every_rate_which_is_the_start_of_a_step() -> None:
    asked = settings(("flow", "modified"), paradigms=("hybrid",))
    for job in plan_jobs(asked):
        rows = np.arange(job.plan.size)[None]
        hypers = job.hypers_of(rows)
        switch = hypers["switch_time"]
        np.testing.assert_allclose(switch, RATES[0] * STEPS / 4, rtol=1e-13)
        if job.group.dynamics == "train":
            # Of one step's start or the next one's, a rounding would decide.
            per_step = switch / hypers["learning_rate"]
            assert (jnp.round(per_step) == per_step).all()
            assert (asked.clock(hypers)[..., 1] == switch).all()
