"""Comparisons: paired by construction, extended without a trace, failures and interrupts marked."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr
from helpers import compiled_quickly, study_of

from jaxattn import compare, mosaic
from jaxattn.analysis.summary import summary
from jaxattn.core.contracts import AttentionMap, HyperSpec, InputError, Model, Status, Task
from jaxattn.models import mlp
from jaxattn.problems.paradigms import hybrid
from jaxattn.reports.compare_into import count_failed
from jaxattn.run import compare as comparison
from jaxattn.run.coordinates import coordinates_of_study
from jaxattn.run.job import Job
from jaxattn.run.progress import Listener
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.study.groups import THEORY, groups_of
from jaxattn.study.plan import Chunk
from jaxattn.tasks import digits, orthogonal_population

RATES = (0.1, 0.5)
ROW = ("learning_rate", "seed")
EPS32 = float(np.finfo("float32").eps)
# Written in files, so a number here and not the name it has in the code.
ABSENT = -1

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
)


def narrow(classes):
    return mlp(classes, width=8)


SMALL = {"model": narrow, "steps": 8, "saves": 3, "batch_size": 16, "seeds": 4}


def small(paradigms=("soft", "hard", "hybrid"), **settings):
    """A comparison of tiles of four rows; equal static settings compile once in this process."""
    asked = {"hypers": {"learning_rate": RATES}, **SMALL, **settings}
    return compare(digits(train=64, test=32), paradigms=paradigms, **asked)


@pytest.fixture(scope="module")
def base():
    with compiled_quickly():
        return small()


def assert_same_rows(wide, narrow):
    """Every row of `narrow` is in `wide`, bit for bit."""
    at = {dim: narrow[dim].values for dim in narrow["status"].dims if dim in wide.dims}
    xr.testing.assert_identical(wide.sel(at).drop_attrs(deep=False), narrow.drop_attrs(deep=False))


# ---- what a result holds


def test_a_result_has_the_dimensions_of_what_was_asked(base):
    expected = {"paradigm": 3, "dynamics": 1, "learning_rate": 2, "seed": 4, "save": 3, "split": 3}
    assert {dim: base.sizes[dim] for dim in expected} == expected
    assert base["dynamics"].values.tolist() == ["train"]
    assert base["split"].values.tolist() == ["train", "validation", "test"]
    assert base["step"].values.tolist() == [0, 4, 8]
    assert base["gradients"].values.tolist() == [0, 64, 128]
    assert (base["status"] == Status.DONE).all()
    assert base["status"].dtype == np.int8
    assert base["accuracy"].dtype == np.float32
    for name, values in base.data_vars.items():
        assert values.attrs["long_name"], name


def test_losses_fall_and_time_is_the_sum_of_learning_rates(base):
    objective = base["objective"].sel(dynamics="train", learning_rate=0.5).mean("seed")
    assert (objective.isel(save=-1) < objective.isel(save=0)).all()
    expected = np.multiply.outer(RATES, [0, 4, 8])
    # A sum of eight float32 numbers.
    np.testing.assert_allclose(base["time"].values, expected, rtol=8 * EPS32)
    for seed in base["seed"]:
        reached = base["time_reached"].sel(dynamics="train", paradigm="soft", seed=seed)
        np.testing.assert_allclose(reached, expected[:, -1], rtol=8 * EPS32)


# ---- common random numbers


def test_paradigms_share_data_and_start_and_seeds_do_not(base):
    first = base.isel(save=0, dynamics=0, learning_rate=0)
    for name in ("attention_foreground", "attention_entropy", "loss", "accuracy", "mu"):
        soft = first[name].sel(paradigm="soft", drop=True)
        for paradigm in ("hard", "hybrid"):
            other = first[name].sel(paradigm=paradigm, drop=True)
            # One number computed by two programs: the same but for rounding.
            np.testing.assert_allclose(other, soft, rtol=100 * EPS32, atol=100 * EPS32)
    focus = first["attention_foreground"].sel(paradigm="soft", split="train")
    assert len(np.unique(focus)) == 4


def test_a_hybrid_that_never_switches_is_soft_and_one_that_switches_at_once_is_hard():
    # Hence paradigms share the order of minibatches as well.
    ds = small(hypers={"learning_rate": 0.5, "switch_time": (0.0, 1e9)}).isel(dynamics=0)
    for at, twin in ((0.0, "hard"), (1e9, "soft")):
        for name in ("objective", "gradient_norm", "attention_foreground"):
            both = ds[name].sel(switch_time=at)
            # Eight steps at a stable rate do not amplify rounding.
            np.testing.assert_allclose(
                both.sel(paradigm="hybrid"), both.sel(paradigm=twin), rtol=1e-5, atol=1e-6
            )
    end = ds["objective"].isel(save=-1).sel(switch_time=0.0)
    assert (abs(end.sel(paradigm="hard") - end.sel(paradigm="soft")) > 1e-3).any()


@pytest.mark.slow
@pytest.mark.default_xla
def test_a_hybrid_is_soft_to_the_last_bit_until_it_switches(base):
    soft, hybrid = (base["mu"].sel(paradigm=name, dynamics="train") for name in ("soft", "hybrid"))
    before = base["time"].isel(learning_rate=0) <= base["switch_time"].isel(learning_rate=0)
    assert 1 <= before.sum() < before.size
    np.testing.assert_array_equal(soft.isel(save=before.values), hybrid.isel(save=before.values))
    assert (soft.isel(save=-1) != hybrid.isel(save=-1)).all()


@pytest.mark.default_xla
@pytest.mark.slow
def test_adding_learning_rates_and_seeds_changes_no_other_row(base):
    wider = small(hypers={"learning_rate": (0.01, *RATES, 2.0)}, seeds=(7, 0, 1, 2, 3))
    assert_same_rows(wider, base)


@pytest.mark.default_xla
@pytest.mark.slow
def test_a_seed_alone_is_the_same_row_wherever_it_stood(base):
    third = small(("hybrid", "soft"), hypers={"learning_rate": 0.5}, seeds=(3,))
    assert_same_rows(base.sel(paradigm=["hybrid", "soft"]), third)


def test_a_second_comparison_with_other_rates_and_seeds_compiles_nothing(base):
    before = len(compiled)
    small(hypers={"learning_rate": (0.2, 0.4)}, seeds=(4, 5, 6, 8))
    assert compiled[before:] == []
    # The count itself works.
    jax.jit(lambda x: x + len(compiled))(jnp.ones(3))
    assert len(compiled) > before


# ---- rows that fail


traced = []


def growing(log_attention, values, read, label, context):
    """Least at equal probabilities; far above the stable rate every step multiplies it."""
    traced.append(context)
    average = jnp.tensordot(jnp.exp(log_attention), values, axes=1)
    return jnp.mean(read(average) ** 2)


def _broken_at_two(scores, example, hyper):
    poison = jnp.where(hyper["temperature"] == 2, jnp.nan, 1)
    return jax.nn.log_softmax(jnp.where(example.mask, poison * scores, -jnp.inf))


BROKEN_AT_TWO = AttentionMap(_broken_at_two, (HyperSpec("temperature", 1.0, low=0.0),))
UNSTABLE, OVERFLOWING = 10.0, 1e30


@pytest.fixture(scope="module")
def failing():
    seen = []
    hypers = {"learning_rate": (0.01, UNSTABLE, OVERFLOWING), "temperature": (1.0, 2.0)}
    ds = small(
        (growing,),
        attention=BROKEN_AT_TWO,
        hypers=hypers,
        seeds=2,
        on_chunk=lambda progress, so_far: seen.append(progress),
    )
    return ds, seen


def test_rows_with_nan_and_rows_that_diverge_are_marked_and_counted(failing):
    ds, seen = failing
    status = ds["status"].sel(paradigm="growing", dynamics="train")
    assert (status.sel(temperature=1.0, learning_rate=0.01) == Status.DONE).all()
    assert (status.sel(temperature=2.0) == Status.DIVERGED).all()
    assert (status.sel(learning_rate=[UNSTABLE, OVERFLOWING]) == Status.DIVERGED).all()
    assert count_failed(ds) == 10
    assert seen[-1].failed == 10
    assert seen[-1].done == seen[-1].total == 12
    assert (ds["time_reached"].sel(temperature=2.0) == 0).all()


def test_a_loss_that_stays_finite_diverges_by_the_rule_of_a_hundredfold(failing):
    objective = failing[0]["objective"].sel(learning_rate=UNSTABLE, temperature=1.0)
    assert np.isfinite(objective).all()
    assert (objective.isel(save=[1, 2]) > 100 * objective.isel(save=0)).all()


@pytest.mark.default_xla
@pytest.mark.slow
def test_failing_rows_leave_the_others_of_their_tile_as_they_are(failing):
    before = len(traced)
    alone = small((growing,), attention=BROKEN_AT_TWO, hypers={"learning_rate": 0.01}, seeds=2)
    assert (alone["status"] == Status.DONE).all()
    assert_same_rows(failing[0].sel(temperature=1.0, drop=True), alone)
    assert len(traced) == before > 0


def test_a_summary_leaves_failed_rows_out(failing):
    table = summary(failing[0])
    assert set(table["learning_rate"]) == {0.01}
    assert set(table["temperature"]) == {1.0}
    assert set(table["seeds"]) == {2}


# ---- chunks


def test_after_each_chunk_one_hears_where_things_stand_and_may_have_the_dataset(base):
    seen = []

    def on_chunk(progress, so_far):
        seen.append((progress, so_far()))

    whole = small(on_chunk=on_chunk)
    xr.testing.assert_identical(whole, base)
    assert [progress.done for progress, _ in seen] == [8, 16, 24]
    assert [progress.paradigm for progress, _ in seen] == ["soft", "hard", "hybrid"]
    for (progress, so_far), finished in zip(seen, (1, 2, 3), strict=True):
        assert progress.total == 24
        assert progress.failed == 0
        status = so_far["status"].isel(dynamics=0)
        assert (status.isel(paradigm=slice(finished)) == Status.DONE).all()
        assert (status.isel(paradigm=slice(finished, None)) == Status.RUNNING).all()
        done = {"paradigm": slice(finished)}
        assert_same_rows(so_far.isel(done), base.isel(done))
        assert np.isnan(so_far["objective"].isel(paradigm=slice(finished, None))).all()


def test_progress_is_told_on_standard_error_unless_one_is_silent_and_changes_nothing(base, capsys):
    heard = []
    told = small(on_chunk=lambda progress, so_far: heard.append(progress.done))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("4 seeds cannot show a difference: the least p of 4 is 0.125")
    assert lines[1] == "compiling train soft: 0/24 runs, starting"
    assert lines[-1].startswith("train hybrid: 24/24 runs")
    assert heard == [8, 16, 24]
    silent = small(progress=False, on_chunk=lambda progress, so_far: heard.append(progress.done))
    assert capsys.readouterr() == ("", "")
    assert heard == [8, 16, 24] * 2
    for ds in (told, silent):
        xr.testing.assert_identical(ds, base)


def test_before_the_first_chunk_is_back_one_hears_how_long_all_of_it_takes(base):
    seen = []
    asked = {"hypers": {"learning_rate": RATES}, "paradigms": ("soft", "hard", "hybrid"), **SMALL}
    to = Listener(seen.append, None, lambda progress, so_far: seen.append("chunk"))
    watch = Stopwatch()
    watch.seconds["train"] = {"compile": 1e6, "run": 1e6}  # of what was run before
    comparison.run(study_of(digits(train=64, test=32), **asked), to=to, stopwatch=watch)
    first, second, *rest = seen
    assert (first.done, first.compiling, first.seconds) == (0, True, None)
    assert (second.done, second.compiling, second.seconds_of) == (0, False, "all")
    assert 0 < second.seconds < 1e5
    # What is written is written before anyone hears of it.
    after = [one if one == "chunk" else one.done for one in rest]
    assert after == ["chunk", 8, "chunk", 16, "chunk", 24]


def test_rows_that_fail_are_warned_of_once_by_setting(failing, capsys):
    hypers = {"learning_rate": (0.01, UNSTABLE, OVERFLOWING), "temperature": (1.0, 2.0)}
    small((growing,), attention=BROKEN_AT_TWO, hypers=hypers, seeds=2)
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    at = "warning: 2 of 2 rows of 'growing' at learning rate"
    assert warned[0] == f"{at} 0.01, temperature 2 diverged, first between steps 0 and 4."
    assert len(warned) == 3
    assert warned[2].endswith("; so did rows at 2 more settings.")
    small((growing,), attention=BROKEN_AT_TWO, hypers=hypers, seeds=2, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.default_xla
@pytest.mark.slow
def test_an_interrupt_keeps_what_was_finished_and_marks_the_rest(base):
    seen = []

    def on_chunk(progress, so_far):
        seen.append((progress, so_far))
        if len(seen) == 4:
            raise KeyboardInterrupt

    # 24 rows of a paradigm are three chunks of two tiles: the fourth is the first of "hard".
    with pytest.raises(KeyboardInterrupt):
        small(seeds=12, on_chunk=on_chunk)
    assert len(seen) == 5
    progress, so_far = seen[-1]
    assert progress.dynamics == "interrupted"
    assert (progress.done, progress.total) == (32, 72)
    ds = so_far()
    status = ds["status"].isel(dynamics=0)
    assert (status.sel(paradigm="soft") == Status.DONE).all()
    hard = status.sel(paradigm="hard").stack(row=ROW).values
    assert hard.tolist() == [Status.DONE] * 8 + [Status.INTERRUPTED] * 16
    assert (status.sel(paradigm="hybrid") == Status.INTERRUPTED).all()
    assert_same_rows(ds.sel(paradigm=["soft"], seed=[0, 1, 2, 3]), base.sel(paradigm=["soft"]))
    at = {"paradigm": ["hard"], "learning_rate": [0.1], "seed": [0, 1, 2, 3]}
    assert_same_rows(ds.sel(at), base.sel(at))
    unfinished = ds["objective"].where(ds["status"] == Status.INTERRUPTED, drop=True)
    assert np.isnan(unfinished).all()


def test_an_interrupt_when_all_is_run_keeps_all_of_it(monkeypatch):
    derive, calls, seen = comparison._derive, [], []

    def interrupted_once(ds, study):
        calls.append(ds)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return derive(ds, study)

    monkeypatch.setattr(comparison, "_derive", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        small(seeds=1, on_chunk=lambda progress, so_far: seen.append((progress, so_far)))
    progress, so_far = seen[-1]
    assert progress.dynamics == "interrupted"
    assert progress.done == progress.total
    assert (so_far()["status"] == Status.DONE).all()


def test_an_interrupt_before_anything_is_finished_just_stops():
    def make(seed):
        raise KeyboardInterrupt

    heard = []
    template = orthogonal_population(3, 4).template
    task = Task("never", 4, 3, make, template, default_model="linear")
    with pytest.raises(KeyboardInterrupt):
        compare(task, on_chunk=lambda *seen: heard.append(seen))
    assert heard == []


# ---- training beside flow and theory


def solved(**settings):
    asked = {
        "hypers": {"learning_rate": (0.5, 1.0)},
        "seeds": 2,
        "flow_seeds": 1,
        "steps": 6,
        "saves": 3,
        "batch_size": None,
        "precision": "float64",
        "flow_solver": "tsit5",
        "flow_rtol": 1e-9,
        **settings,
    }
    return compare(orthogonal_population(3, 4), paradigms=("hybrid",), **asked)


@pytest.fixture(scope="module")
def beside():
    with compiled_quickly():
        return solved()


@pytest.mark.needs_x64
def test_flow_and_theory_stand_beside_training_on_one_time_axis(beside):
    assert beside["dynamics"].values.tolist() == ["train", "flow", "theory"]
    assert beside["split"].values.tolist() == ["train"]
    for name in ("mu", "nu"):
        flow = beside[name].sel(dynamics="flow", seed=0)
        theory = beside[name].sel(dynamics="theory", seed=0)
        # Both solve to 1e-8 or better on a path of order 1 (times up to 6).
        np.testing.assert_allclose(flow, theory, atol=1e-6)
        train = beside[name].sel(dynamics="train", seed=0)
        assert 1e-6 < abs(train - flow).max() < 0.5
    assert (beside["evaluations"].sel(dynamics="train") == 6).all()


@pytest.mark.needs_x64
def test_rows_that_were_not_asked_for_are_absent(beside):
    status = beside["status"]
    assert (status.sel(dynamics="train") == Status.DONE).all()
    assert (status.sel(dynamics="flow", seed=0) == Status.DONE).all()
    assert (status.sel(dynamics="flow", seed=1) == ABSENT).all()
    assert (status.sel(dynamics="theory") == Status.DONE).all()
    assert np.isnan(beside["mu"].sel(dynamics="flow", seed=1)).all()
    assert count_failed(beside) == 0
    flags = dict(
        zip(status.attrs["flag_meanings"].split(), status.attrs["flag_values"], strict=True)
    )
    assert flags == {"absent": ABSENT, **{s.name.lower(): s for s in Status}}


@pytest.mark.slow
@pytest.mark.default_xla
@pytest.mark.needs_x64
def test_adding_rates_and_seeds_changes_no_row_of_training_flow_or_theory(beside):
    wider = solved(hypers={"learning_rate": (0.25, 0.5, 1.0)}, seeds=3, flow_seeds=2)
    # What was absent may be there now.
    there = beside.where(beside["status"] != ABSENT)
    again = wider.sel(learning_rate=beside["learning_rate"], seed=beside["seed"])
    again = again.where(beside["status"] != ABSENT)
    xr.testing.assert_equal(again, there)
    assert (wider["status"].sel(dynamics="flow", seed=1) == Status.DONE).all()


@pytest.mark.needs_x64
def test_an_interrupt_during_training_leaves_room_for_the_flow_that_was_asked_for():
    last = []

    def on_chunk(progress, so_far):
        last[:] = [so_far]
        if progress.dynamics == "train":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solved(on_chunk=on_chunk)
    ds = last[0]()
    assert set(ds["dynamics"].values) == {"train", "flow", "theory"}
    status = ds["status"]
    assert (status.sel(dynamics="train") == Status.DONE).all()
    assert (status.sel(dynamics="flow", seed=0) == Status.INTERRUPTED).all()
    assert (status.sel(dynamics="flow", seed=1) == ABSENT).all()


# ---- coordinates and theory, from the settings alone


def coords(**settings):
    settings = {"steps": 8, "saves": 3, **settings}
    hypers = settings.pop("hypers", {"learning_rate": RATES})
    asked = study_of(task=orthogonal_population(3, 4), hypers=hypers, **settings)
    axes = {name: list(values) for name, values in asked.axes.items()}
    return xr.Dataset(coords={**axes, **coordinates_of_study(asked)})


def test_a_hybrid_switches_after_a_quarter_of_its_own_run_unless_told():
    made = coords()
    assert made["switch_time"].dims == ("learning_rate",)
    np.testing.assert_allclose(
        made["switch_time"], hybrid.hypers[0].of_run * made["time"].isel(save=-1)
    )
    told = coords(hypers={"learning_rate": RATES, "switch_time": 1.5})
    assert told["switch_time"].values.tolist() == [1.5, 1.5]
    swept = coords(hypers={"learning_rate": RATES, "switch_time": (0.5, 1.5)})
    assert swept["switch_time"].dims == ("switch_time",)
    assert "switch_time" not in coords(paradigms=("soft", "hard")).coords


def test_time_varies_only_along_what_moves_the_clock():
    assert coords()["time"].dims == ("learning_rate", "save")
    warm = coords(hypers={"learning_rate": RATES, "temperature": (1.0, 2.0)})
    assert warm["time"].dims == ("learning_rate", "save")
    heavy = coords(
        optimiser="momentum", hypers={"learning_rate": RATES, "momentum": (0.0, 0.5, 0.9)}
    )
    assert heavy["time"].dims == ("learning_rate", "momentum", "save")
    # One step of heavy ball is worth 1 / (1 - momentum) of plain descent.
    ratio = heavy["time"].isel(save=-1) / heavy["time"].isel(save=-1).sel(momentum=0.0)
    np.testing.assert_allclose(ratio.isel(learning_rate=0), [1, 2, 10], rtol=1e-5)


@pytest.mark.needs_x64
@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"paradigms": ("hybrid", growing)}, {"hybrid"}),
        ({"paradigms": (growing,)}, set()),
        ({"task": "digits"}, set()),
        ({"model": "mlp"}, set()),
        ({"attention": "imposed"}, set()),
        ({"hypers": {"temperature": 2.0}}, set()),
        ({"hypers": {"temperature": (1.0, 2.0)}}, set()),
        ({"hypers": {"focus_rate": 2.0}}, set()),
    ],
    ids=[
        "its own paradigms",
        "another paradigm",
        "other task",
        "other model",
        "fixed focus",
        "temperature",
        "swept temperature",
        "focus rate",
    ],
)
def test_theory_is_there_exactly_where_it_is_exact(settings, found):
    settings = {"task": orthogonal_population(3, 4), "steps": 4, "saves": 2, **settings}
    groups = groups_of(study_of(**settings))
    assert {group.paradigm for group in groups if group.dynamics == THEORY} == found


# ---- components of one's own


def test_a_task_model_and_optimiser_of_ones_own_need_no_registration():
    rng = np.random.default_rng(0)
    kinds = np.arange(40) % 4
    pictures = rng.normal(size=(40, 6)) + 4 * np.eye(6)[kinds]
    task = mosaic(pictures, kinds, foreground=(0, 1), segments=3, train=32, test=16, name="mine")

    def init(key, example, hyper):
        size = example.segments.shape[-1]
        kernel = 0.1 * jax.random.normal(key, (size, 2), example.segments.dtype)
        return {"focus": jnp.zeros((size,), kernel.dtype), "classify": kernel}

    def score(params, example, values):
        return values @ params["focus"]

    def classify(params, value):
        return value @ params["classify"]

    bilinear = Model(init, lambda params, example, key: example.segments, score, classify)

    def slow(hyper):
        return optax.sgd(0.1 * hyper["learning_rate"])

    ds = compare(task, bilinear, ("lvml",), {"learning_rate": 1.0}, seeds=2, optimiser=slow, **OWN)
    assert ds.sizes["seed"] == 2
    assert (ds["status"] == Status.DONE).all()
    objective = ds["objective"].squeeze()
    assert (objective.isel(save=-1) < objective.isel(save=0)).all()
    assert '"optimiser":"slow"' in ds.attrs["spec"]
    assert '"task":"mine"' in ds.attrs["spec"]
    assert ds["part"].values.tolist() == ["classify", "focus"]


OWN = {"steps": 4, "saves": 2, "batch_size": 8}


def test_nothing_is_compiled_for_what_cannot_be_done():
    before = len(compiled)
    with pytest.raises(InputError, match="each value once"):
        small(seeds=(0, 1, 0))
    with pytest.raises(InputError, match="learning_rate"):
        small(hypers={"learning_rate": float("nan")})
    assert len(compiled) == before


@pytest.mark.parametrize(
    ("tiles", "others"), [((1, 1, 1, 1), 2), ((2, 2, 2), 1), ((1, 3, 1), 1), ((2,), 0)]
)
def test_a_chunk_is_waited_for_once_those_begun_after_it_fill_two_lanes(tiles, others) -> None:
    begun: list[int] = []

    def chunks():
        for number, count in enumerate(tiles):
            begun.append(number)
            yield number, Chunk(np.zeros((count, 4), int)), None

    waited = comparison._while_others_run(chunks(), at_once=2)
    assert next(waited)[0] == 0
    assert len(begun) == 1 + others
    assert [number for number, *_ in waited] == list(range(1, len(tiles)))


def test_what_comes_later_is_traced_while_the_first_rows_run(monkeypatch) -> None:
    asked = {"seeds": 1, "steps": 2, "saves": 2}
    study = study_of("orthogonal-population", paradigms=("soft", "hard", "lvml"), **asked)
    traced, wait = [], comparison._wait
    compiled = Job.compiled

    def noted(job, *given, **how):
        traced.append(job.group.paradigm)
        return compiled(job, *given, **how)

    def until_traced(begun):
        # Of one tile each, two more are begun beside the first; the device waits for the rest.
        deadline = time.monotonic() + 60
        while traced[-1:] != ["lvml"]:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return wait(begun)

    monkeypatch.setattr(Job, "compiled", noted)
    monkeypatch.setattr(comparison, "_wait", until_traced)
    with compiled_quickly():
        comparison.run(study)
    assert traced == ["hard", "lvml"]
