"""A sweep in a directory: run, gone on with, looked at; its rows are those of a comparison."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr
from small_sweeps import contents, events, left_over, tiny

import jaxattn
from jaxattn.core.contracts import Status
from jaxattn.engine.progress import Listener
from jaxattn.engine.run_sweep import Outcome, resume_sweep, run_sweep
from jaxattn.engine.status import status_of
from jaxattn.models.linear import linear
from jaxattn.problems.measures import MOST_CLASSES
from jaxattn.study.parse import parse_spec
from jaxattn.tasks.orthogonal import orthogonal_population

STEPS, EXAMPLES, SEGMENTS = 8, 3, 4
EPS = float(np.finfo(np.float32).eps)
ROUNDING = STEPS * EXAMPLES * SEGMENTS * EPS
"""Numbers of order 1, each step a sum over all examples and segments: in another order, each
addition rounds otherwise, by half a unit at most."""

ALL = tiny(
    paradigms='["soft", "hybrid"]',
    axes="switch_time = [0.5, 1.5]",
    layout="chunk = 2",  # the tiles that a comparison has too
    output="",
)
SOME = tiny(paradigms='["soft"]', seeds=5)


def run(text: str, folder: Path, **words: Any) -> Outcome:
    return run_sweep(parse_spec(text), folder, **words)


def compared(**words: Any) -> xr.Dataset:
    task, model = orthogonal_population(classes=3, segments=3), linear(3, start="normal")
    settings = {"steps": STEPS, "saves": (0, 4, 8), "batch_size": 2}
    return jaxattn.compare(task, model, **settings, **words)


@pytest.fixture(scope="module")
def all_of_it(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """Two paradigms, of which only one reads an axis."""
    folder = tmp_path_factory.mktemp("all") / "sweep"
    run(ALL, folder)
    return jaxattn.open(folder).load()


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome, list[str]]:
    """Five chunks of training, and what was said on the way."""
    folder, said = tmp_path_factory.mktemp("some") / "sweep", []
    to = Listener(lambda progress: said.append(f"{progress.done}/{progress.total}"), said.append)
    return folder, run(SOME, folder, to=to), said


@pytest.mark.slow
@pytest.mark.default_xla
def test_the_rows_are_those_of_a_comparison_bit_for_bit(all_of_it: xr.Dataset) -> None:
    ds = compared(
        paradigms=("soft", "hybrid"),
        hypers={"learning_rate": (0.1, 0.5), "switch_time": (0.5, 1.5)},
        seeds=3,
    )
    is_that_of(all_of_it, ds)


@pytest.mark.default_xla
@pytest.mark.slow
@pytest.mark.needs_x64
def test_flows_beside_training_are_those_of_a_comparison_bit_for_bit(tmp_path: Path) -> None:
    text = tiny(paradigms='["soft"]', layout="chunk = 2", dynamics='["train", "flow"]', output="")
    run(text, tmp_path / "sweep")
    rates = {"learning_rate": (0.1, 0.5)}
    ds = compared(paradigms="soft", hypers=rates, seeds=3, flow_seeds=3)
    is_that_of(jaxattn.open(tmp_path / "sweep").load(), ds)


def is_that_of(sweep: xr.Dataset, comparison: xr.Dataset) -> None:
    """Every variable and coordinate of a sweep has the bits that it has in a comparison."""
    known = comparison.sel(dynamics=sweep["dynamics"].values)
    for name, variable in sweep.variables.items():
        expected = known[name].transpose(*variable.dims)
        if str(name).startswith("time"):
            # A sweep's clock has the precision of its runs, a comparison's that of JAX.
            np.testing.assert_allclose(variable, expected, rtol=2 * EPS, err_msg=str(name))
        else:
            np.testing.assert_array_equal(variable, expected, err_msg=str(name))
        for word in ("units", "long_name"):
            assert variable.attrs.get(word) == expected.attrs.get(word), (name, word)


@pytest.mark.slow
def test_what_a_paradigm_does_not_read_is_repeated(all_of_it: xr.Dataset) -> None:
    soft = all_of_it.sel(paradigm="soft").load()
    first = soft.isel(switch_time=0)
    for at in range(2):
        xr.testing.assert_equal(
            soft.isel(switch_time=at).drop_vars("switch_time"), first.drop_vars("switch_time")
        )
    hybrid = all_of_it.sel(paradigm="hybrid")
    assert (
        not hybrid["objective"].isel(switch_time=0).equals(hybrid["objective"].isel(switch_time=1))
    )


def test_a_run_counts_and_tells_and_writes_down_what_it_did(
    some: tuple[Path, Outcome, list[str]],
) -> None:
    folder, outcome, said = some
    assert outcome._replace(seconds=0) == Outcome(10, 0, 5, 5, 0)
    assert said == [f"{done}/10" for done in (0, 2, 4, 6, 8, 10)]
    assert left_over(folder) == []
    kinds = ["begun", *["chunk"] * 5, "finished"]
    lines = (folder / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == kinds
    assert [found["chunk"] for found in events(folder, "chunk")] == list(range(5))
    ran = json.loads((folder / "run.json").read_text())
    assert (ran["rows"], ran["failed"], ran["chunks"], ran["computed"]) == (10, 0, 5, 5)
    assert ran["versions"]["jax"] == jax.__version__
    manifest = json.loads((folder / "manifest.json").read_text())
    laid = json.loads((folder / "spec.json").read_text())
    assert manifest["spec_hash"] == jaxattn.open(folder).attrs["spec_hash"]
    assert laid["layout"]["groups"] == [[2, 1]]


def test_equal_sweeps_are_equal_files(
    some: tuple[Path, Outcome, list[str]], tmp_path: Path
) -> None:
    run(SOME, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(some[0])


def test_only_what_is_missing_is_computed(
    some: tuple[Path, Outcome, list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    run(SOME, folder)
    for number in (1, 4):
        (folder / "chunks" / f"{number:07d}.nc").unlink()
    before = status_of(folder)
    assert before["chunks"] == {"all": 5, "whole": 3}
    assert before["runs"] == {
        **{"all": 10, "done": 6},
        **{"diverged": 0, "solver_failed": 0, "interrupted": 0},
    } | {name: 0 for name in before["runs"] if name not in ("all", "done")}
    partly = jaxattn.open(folder).stack(row=("learning_rate", "seed")).squeeze()
    gone = np.isin(np.arange(10), (2, 3, 8, 9))
    np.testing.assert_array_equal(partly["status"] == int(Status.RUNNING), gone)
    np.testing.assert_array_equal(np.isnan(partly["objective"]).all("save"), gone)
    assert resume_sweep(folder).computed == 2
    assert status_of(folder)["chunks"] == {"all": 5, "whole": 5}
    assert contents(folder) == contents(some[0])
    assert resume_sweep(folder, spec=parse_spec(SOME)).computed == 0


@pytest.mark.slow
def test_the_measures_asked_for_are_those_of_the_whole_to_rounding(
    some: tuple[Path, Outcome, list[str]], all_of_it: xr.Dataset
) -> None:
    ds = jaxattn.open(some[0]).isel(seed=slice(3)).squeeze("dynamics")
    whole = all_of_it.sel(paradigm=["soft"], dynamics="train").isel(switch_time=0)
    assert {"accuracy", "objective", "status", "time_to_fit"} <= set(ds.data_vars)
    assert "attention_foreground" not in ds
    for name in ds.data_vars:
        expected = whole[name].transpose(*ds[name].dims)
        np.testing.assert_allclose(ds[name], expected, rtol=0, atol=ROUNDING, err_msg=str(name))


@pytest.mark.slow
def test_values_that_move_together_are_points_of_a_comparison(tmp_path: Path) -> None:
    axes = (
        "size = { zip = { focus_rate = [1.0, 2.0], learning_rate = [0.1, 0.5] } }\n"
        "draw = { random = { temperature = { range = [0.5, 2] } }, count = 3, seed = 1 }"
    )
    text = tiny(paradigms='["soft"]', axes=axes, layout="chunk = 2", output="")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("learning_rate"))
    run(text, tmp_path / "sweep")
    ds = jaxattn.open(tmp_path / "sweep").load()
    assert ds.sizes["size"] == 2
    assert ds.sizes["draw"] == 3
    np.testing.assert_array_equal(ds["focus_rate"], [1, 2])
    drawn = ds["temperature"].values.tolist()
    assert ds["temperature"].dims == ("draw",)
    every = compared(
        paradigms="soft",
        hypers={"learning_rate": (0.1, 0.5), "focus_rate": (1.0, 2.0), "temperature": drawn},
        seeds=3,
    )
    for size, (rate, focus) in enumerate(((0.1, 1.0), (0.5, 2.0))):
        at = every.sel(learning_rate=rate, focus_rate=focus).rename(temperature="draw")
        is_that_of(ds.isel(size=size).drop_vars(("size", "draw", "temperature")), at)


@pytest.mark.slow
def test_bags_of_all_lengths_in_one_program_are_those_of_their_own_programs_to_rounding(
    tmp_path: Path,
) -> None:
    opened = []
    for padded in ("true", "false"):
        axes = "segments = [2, 4]"
        layout = f"tile = 2\nchunk = 4\npad_segments = {padded}"
        text = tiny(paradigms='["soft"]', seeds=2, axes=axes, layout=layout)
        text = text.replace("segments = 3\n", "")
        run(text, tmp_path / padded)
        opened.append(jaxattn.open(tmp_path / padded).load())
    one, many = opened
    for name in many.data_vars:
        np.testing.assert_allclose(
            one[name].transpose(*many[name].dims),
            many[name],
            rtol=0,
            atol=ROUNDING,
            err_msg=str(name),
        )
    assert not np.array_equal(many["objective"].sel(segments=2), many["objective"].sel(segments=4))


@pytest.mark.slow
def test_classes_that_a_task_lacks_are_nan_and_many_are_not_told_apart(tmp_path: Path) -> None:
    text = tiny(
        paradigms='["hard"]',
        rates="0.1",
        seeds=1,
        axes=f"classes = [2, 3, {MOST_CLASSES + 1}]",
        output='measures = ["error_cell", "error_cell_by_class"]',
    )
    run(text.replace("classes = 3\n", ""), tmp_path / "sweep")
    ds = jaxattn.open(tmp_path / "sweep").load()
    assert ds["class"].values.tolist() == [0, 1, 2]
    told = ds["error_cell_by_class"].notnull()
    np.testing.assert_array_equal(
        told.any([d for d in told.dims if d not in ("classes", "class")]),
        [[True, True, False], [True, True, True], [False, False, False]],
    )
    few = ds.sel(classes=[2, 3])
    np.testing.assert_allclose(
        few["error_cell_by_class"].sum("class"), few["error_cell"], rtol=0, atol=100 * ROUNDING
    )
    assert ds["error_cell"].notnull().all()


def test_one_value_makes_an_axis_of_length_one(tmp_path: Path) -> None:
    text = tiny(paradigms='["soft"]', rates="0.1", seeds=2)
    outcome = run(text, tmp_path / "sweep")
    ds = jaxattn.open(tmp_path / "sweep")
    assert outcome.rows == 2
    assert ds["learning_rate"].values.tolist() == [0.1]
    assert ds["objective"].dims == ("paradigm", "dynamics", "learning_rate", "seed", "save")
    assert (ds["status"] == int(Status.DONE)).all()
