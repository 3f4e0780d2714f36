"""The heatmaps: what is counted of the maps, by both readings."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import compiled_quickly

from jaxattn.experiments.heatmaps.experiment import HEATMAPS, run
from jaxattn.experiments.heatmaps.findings import findings, numbers
from jaxattn.reports.experiment import Listeners
from jaxattn.run.stopwatch import Stopwatch

TINY = replace(
    HEATMAPS.scales["smoke"], paradigms=("hard",), train=64, test=64, validation=32, evaluate=32,
    batch_size=32, steps=4, seeds=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heatmaps") / "chunks"
    with compiled_quickly():
        return run(TINY, Listeners(lambda _: None, lambda _: None, Stopwatch(), folder))


@pytest.mark.slow
def test_corners_are_those_of_the_map_and_no_more_than_all(ds):
    lines = {(line["split"], line["reading"]): line for line in numbers(ds)}
    assert set(lines) == {(s, r) for s in ("train", "test") for r in ("as published", "own rule")}
    assert lines["test", "own rule"]["inference"] == "argmax-segment"
    assert lines["test", "as published"]["inference"] == "average-input"
    cells = ds["answer_map"].sel(split="test", inference="argmax-segment", dynamics="train")
    cells = cells.isel(save=-1, paradigm=0, segments=0, learning_rate=0)
    np.testing.assert_allclose(cells.sum(["attention_bin", "answer_bin"]), 100, rtol=1e-5)
    own = lines["test", "own rule"]
    high = cells.sel(attention_bin=0.9)
    assert own["both_high"]["median"] == float(high.sel(answer_bin=0.9).median())
    assert own["focus_alone"]["median"] == float(high.sel(answer_bin=0.1).median())
    low = cells.sel(attention_bin=0.1, answer_bin=0.9)
    assert own["answer_alone"]["median"] == float(low.median())
    focus_high = high.sum("answer_bin")
    assert own["focus_high"]["median"] == pytest.approx(float(focus_high.median()), rel=1e-5)


@pytest.mark.slow
def test_both_readings_are_told_and_drawn(ds):
    assert sum("as published" in sentence for sentence in findings(ds)) == 2
    assert sum("own rule" in sentence for sentence in findings(ds)) == 2
    for drawing in HEATMAPS.figures(ds):
        titles = [ax.get_title(loc="left") for ax in drawing.draw().axes]
        assert titles == ["hard: average-input (published)", "hard: argmax-segment (own rule)"]
