"""Selective dependence classification: what its run keeps, goes on from, counts and draws."""

from dataclasses import replace

import numpy as np
import pytest
from experiment_runs import assert_labelled_and_kept
from helpers import compiled_quickly

from jaxattn.core.contracts import InputError
from jaxattn.experiments import EXPERIMENTS, reproduce
from jaxattn.experiments.sdc.experiment import SDC, run
from jaxattn.experiments.sdc.findings import findings, numbers
from jaxattn.experiments.sdc.published import published
from jaxattn.problems.measures import CELLS
from jaxattn.reports.experiment import Listeners
from jaxattn.results.files import open_run
from jaxattn.run.stopwatch import Stopwatch

TINY = replace(
    SDC.scales["smoke"], paradigms=("soft", "hard"), segments=(2, 3), learning_rates=(0.05, 0.2),
    train=64, test=64, validation=32, evaluate=32, batch_size=32, steps=4, seeds=2,
)  # fmt: skip


def nobody(*_):
    pass


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder, kept = tmp_path_factory.mktemp("sdc") / "chunks", []
    with compiled_quickly():
        ds = run(TINY, Listeners(nobody, kept.append, Stopwatch(), folder))
    return ds, kept, folder


@pytest.mark.slow
def test_all_is_kept_chunk_by_chunk(ran, tmp_path):
    ds, kept, folder = ran
    assert ds.sizes["segments"] == ds.sizes["learning_rate"] == ds.sizes["paradigm"] == 2
    assert len(kept) == len(list(folder.glob("chunks/*.nc")))
    assert kept[-1].equals(ds)
    assert_labelled_and_kept(ds, tmp_path)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(ran):
    ds, _, folder = ran
    first, *others = sorted(folder.glob("chunks/*.nc"))
    before = {path: path.stat().st_mtime_ns for path in others}
    first.unlink()
    with compiled_quickly():
        again = run(TINY, Listeners(nobody, nobody, Stopwatch(), folder))
    assert again.equals(ds)
    assert {path: path.stat().st_mtime_ns for path in others} == before
    with pytest.raises(InputError, match="steps"):
        run(replace(TINY, steps=5), Listeners(nobody, nobody, Stopwatch(), folder))


@pytest.mark.slow
def test_a_line_holds_the_cells_of_one_rule_at_the_best_rate(ran):
    ds, _, _ = ran
    lines = numbers(ds)
    assert len(lines) == 2 * 2 * 2 * 3
    for line in lines:
        at = {name: line[name] for name in ("segments", "paradigm", "split", "inference")}
        rows = ds.sel(**at, learning_rate=line["learning_rate"], dynamics="train").isel(save=-1)
        rule = str(ds["natural_inference"].sel(paradigm=line["paradigm"]).values)
        own = ds["loss"].sel(
            paradigm=line["paradigm"], segments=line["segments"], split="validation",
            inference=rule, dynamics="train",
        ).isel(save=-1)  # fmt: skip
        assert (
            line["learning_rate"] == own["learning_rate"][int(np.argmin(own.mean("seed").values))]
        )
        assert line["own"] == (rule == line["inference"])
        np.testing.assert_allclose(rows["error_cell"].sum("cell"), 100, rtol=1e-5)
        for name in CELLS:
            assert line[name]["median"] == float(rows["error_cell"].sel(cell=name).median())


@pytest.mark.slow
def test_what_is_drawn_is_what_is_counted(ran):
    ds, _, _ = ran
    first, *cells = SDC.figures(ds)
    axes = first.draw().axes
    assert [ax.get_title(loc="left") for ax in axes] == ["train", "test"]
    lines = {
        (x["paradigm"], x["segments"]): x for x in numbers(ds) if x["own"] and x["split"] == "test"
    }
    drawn = [container.lines[0].get_ydata() for container in axes[1].containers]
    # Of two seeds the mean is the median.
    expected = [
        [lines[name, length]["FTPT"]["median"] for length in (2, 3)] for name in ("soft", "hard")
    ]
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)
    assert [each.name for each in cells] == ["error_cells_2", "error_cells_3"]
    assert all(each.draw().axes for each in cells)
    assert any("segments 2" in sentence for sentence in findings(ds))


def test_what_was_published_is_said_to_be_of_another_protocol():
    assert published("digits") == published("fashion-mnist") == []
    lines = published("cifar10") + published("mnist")
    assert len(lines) == 2 * 11
    assert all("another protocol" in line["source"] for line in lines)
    assert {line["paradigm"] for line in lines} == {"soft"}
    (one,) = (x for x in lines if x["segments"] == 20 and x["split"] == "new-mosaics")
    assert (one["FTPT"]["median"], one["FFPT"]["median"]) == (66.76, 23.85)


def test_to_resume_there_must_be_chunks_and_they_are_not_overwritten_unasked(tmp_path):
    names = [name for name, one in EXPERIMENTS.items() if one.sweeps is None]
    with pytest.raises(InputError, match=r"keeps no chunks, expected .*sdc"):
        reproduce(names[0], "smoke", tmp_path / "run", False, nobody, resume=True)
    with pytest.raises(InputError, match="holds no chunks of a run"):
        reproduce("sdc", "smoke", tmp_path / "run", False, nobody, resume=True)
    assert not (tmp_path / "run").exists()
    (tmp_path / "run" / "chunks").mkdir(parents=True)
    (tmp_path / "run" / "chunks" / "spec.json").write_text("{}")
    with pytest.raises(InputError, match="add --resume to go on with it, or --overwrite"):
        reproduce("sdc", "smoke", tmp_path / "run", False, nobody)
    with pytest.raises(InputError, match="got no folder for its chunks"):
        run(TINY, Listeners(nobody, nobody, Stopwatch()))


@pytest.mark.slow
@pytest.mark.needs_x64
def test_the_command_runs_goes_on_and_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setitem(SDC.scales, "smoke", TINY)
    with compiled_quickly():
        one = reproduce("sdc", "smoke", tmp_path, False, nobody)
        two = reproduce("sdc", "smoke", tmp_path, False, nobody, resume=True)
        new = reproduce("sdc", "smoke", tmp_path, True, nobody, seeds=1)
    assert one.results.equals(two.results)
    assert (new.results.sizes["seed"], new.failed) == (1, 0)
    assert open_run(tmp_path).attrs["experiment"] == "sdc"
    assert (tmp_path / "report.html").is_file()
