"""The hybrid experiment: its switches, and what is said of them beside soft and hard alone."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import compiled_quickly

from jaxattn.experiments.hybrid.experiment import HYBRID, Switches, run
from jaxattn.experiments.hybrid.figures import by_switch
from jaxattn.experiments.hybrid.findings import findings, numbers
from jaxattn.reports.experiment import Listeners
from jaxattn.run.stopwatch import Stopwatch

# A switch before the first step leaves hard attention, one after the last soft attention.
TINY = replace(
    HYBRID.scales["smoke"], switches=(0.0, 0.5, 1.0), train=64, test=64, validation=32,
    evaluate=32, batch_size=32, steps=4, saves=3, seeds=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hybrid") / "chunks"
    with compiled_quickly():
        return run(TINY, Listeners(lambda _: None, lambda _: None, Stopwatch(), folder))


def test_switches_are_shares_of_the_run_in_learning_time():
    sizes = Switches("digits", "linear", (0.5,), 64, 64, 40, switches=(0.25, 1.0))
    assert sizes.times == [5.0, 20.0]


@pytest.mark.slow
def test_the_ends_of_the_switch_are_soft_and_hard_attention(ds):
    last = ds["attention_foreground"].sel(dynamics="train", split="test").isel(save=-1)
    for switch, name in ((0, "hard"), (-1, "soft")):
        at = last.isel(switch_time=switch)
        # Twelve roundings of a share, by another program.
        np.testing.assert_allclose(at.sel(paradigm="hybrid"), at.sel(paradigm=name), rtol=1e-4)


@pytest.mark.slow
def test_a_line_is_the_hybrid_less_its_rival(ds):
    lines = numbers(ds)
    assert {round(line["switch"], 6) for line in lines} == {0.0, 0.5, 1.0}
    values = ds["accuracy"].sel(dynamics="train", split="test").isel(save=-1)
    for line in [line for line in lines if line["question"] == "accuracy"]:
        switch = [0.0, 0.5, 1.0].index(round(line["switch"], 6))
        at = values.isel(switch_time=switch, segments=0, learning_rate=0)
        own = {
            name: at.sel(
                paradigm=name, inference=str(ds["natural_inference"].sel(paradigm=name).values)
            )
            for name in ("hybrid", line["rival"])
        }
        difference = own["hybrid"].mean("seed") - own[line["rival"]].mean("seed")
        assert line["difference"] == pytest.approx(float(difference), abs=1e-4)
        assert line["low"] <= line["difference"] <= line["high"]
    said = findings(ds)
    assert any("hybrid against soft" in sentence and "100 %" in sentence for sentence in said)


@pytest.mark.slow
def test_the_hybrid_is_drawn_at_its_switches_beside_the_others(ds):
    axes = by_switch(ds).axes
    assert len(axes) == 3
    (drawn,) = axes[0].containers
    np.testing.assert_allclose(drawn.lines[0].get_xdata(), [0, 50, 100])
    assert len(axes[0].lines) >= 3
