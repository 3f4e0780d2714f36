"""The fixed-focus experiment: what runs, how it is labelled, and what is said of it."""

import chex
import numpy as np
import pytest
from example_fixed_focus import CONFIG, example_fixed_focus, falls, rises
from experiment_runs import assert_labelled_and_kept
from helpers import EPS

from jaxattn.analysis.summary import summary
from jaxattn.core.contracts import Status
from jaxattn.experiments.fixed_focus import experiment as fixed_focus
from jaxattn.experiments.fixed_focus.config import ALPHAS, MOMENTUM, FixedFocus
from jaxattn.experiments.fixed_focus.experiment import FIXED_FOCUS
from jaxattn.experiments.fixed_focus.findings import findings, numbers
from jaxattn.reports.experiment import SCALES, Listeners, Tally
from jaxattn.run.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def trained():
    """LVML, 5 alphas x 4 seeds: more rows than a tile holds, and one trace."""
    told, make_row = [], fixed_focus.make_row
    config = FixedFocus(classes=3, segments=3, bags=10, points=5, batch_size=4, epochs=3, seeds=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            fixed_focus,
            "make_row",
            lambda *args: chex.assert_max_traces(make_row(*args), n=1),
        )
        data = fixed_focus.data_of(config)
        listeners = Listeners(told.append, lambda ds: None, Stopwatch())
        tally = Tally(listeners, "train", config.rows, done=7)
        rows = fixed_focus.train(config, "lvml", data, tally)
    return config, rows, told, listeners.watch


def test_all_alphas_and_seeds_of_a_paradigm_are_calls_of_one_program_traced_once(trained):
    config, rows, told, watch = trained
    # A second trace would have raised; 20 rows do not fit one tile.
    assert fixed_focus.problem_of(config.task, config.model, "lvml").tile < 20
    assert rows.status.shape == (5, 4)
    assert np.all(rows.status == Status.DONE)
    assert (told[-1].done, told[-1].total, told[-1].failed) == (7 + 20, 3 * 20, 0)
    assert set(watch.seconds) == {"lvml"}


def test_seeds_start_apart_and_alphas_share_their_start(trained):
    _, rows, _, _ = trained
    # At the start a background is nearly read like a foreground: alphas differ, but not by much.
    start = rows.measures["loss"][..., 0, 0]
    assert len(np.unique(start)) == start.size
    ends = rows.measures["loss"][..., -1, 0]
    assert np.all(ends < start)


def test_a_short_last_minibatch_ends_every_epoch(trained):
    config, rows, _, _ = trained
    assert config.steps_per_epoch == 3
    assert rows.step[0, 0].tolist() == [0, 3, 6, 9]


def test_all_bags_are_measured_at_the_same_parameters_as_the_objective(trained):
    _, rows, _, _ = trained
    train = {name: at[..., 0] for name, at in rows.measures.items() if name in rows.batch_metrics}
    np.testing.assert_allclose(train["loss"], rows.measures["objective"], rtol=1e-5)
    for measured in (train, rows.batch_metrics):
        gap = measured["loss"] - measured["loss_ahead"]
        assert np.all(gap[-1] == 0), "at alpha = 1 there is no more attention"
        assert np.all(gap[:-1] != 0)


def test_the_result_has_the_dims_of_a_comparison_and_units_on_everything(trained, tmp_path):
    config, rows, _, _ = trained
    ds = fixed_focus.dataset_of(config, {"lvml": rows})
    assert dict(ds["gap"].sizes) == {
        "paradigm": 1,
        "dynamics": 1,
        "alpha": 5,
        "seed": 4,
        "save": 4,
        "split": 2,
    }
    assert ds["split"].values.tolist() == ["train", "minibatch"]
    assert ds["epoch"].values.tolist() == [0, 1, 2, 3]
    # Heavy ball's clock: ten times the rate a step.
    np.testing.assert_allclose(ds["time"].sel(paradigm="lvml"), 0.5 * np.array([0, 3, 6, 9]))
    assert_labelled_and_kept(ds, tmp_path)
    assert set(summary(ds)["measure"]) == {"loss"}


def test_the_paper_scale_is_the_published_size_and_all_scales_have_the_same_settings():
    assert set(FIXED_FOCUS.scales) == set(SCALES)
    paper = FIXED_FOCUS.scales["paper"]
    sizes = (paper.classes, paper.segments, paper.bags, paper.points, paper.batch_size)
    assert sizes == (20, 20, 5000, 2000, 256)
    assert (paper.epochs, paper.steps_per_epoch, paper.saves[-1]) == (100, 20, 2000)
    assert (paper.rates, MOMENTUM) == (
        {"soft": 0.05, "hard": 0.01, "lvml": 0.05},
        0.9,
    )
    task = paper.task.make(0)["train"]
    assert task.examples.segments.shape == (5000, 20)
    assert 5000 - 19 * 256 == 136


def test_numbers_are_medians_and_bands_over_the_seeds_that_finished():
    ds = example_fixed_focus({"hard": rises}, failed=1)
    lines = numbers(ds)
    assert len(lines) == len(ALPHAS) * 2
    line = next(x for x in lines if x["split"] == "train" and x["alpha"] == 0.4)
    assert (line["paradigm"], line["seeds"]) == ("hard", 4)
    ends = 0.02 * np.linspace(0.995, 1.005, 5)[1:]
    found = [line["gap"][key] for key in ("median", "low", "high")]
    np.testing.assert_allclose(found, np.quantile(ends, (0.5, 0.1, 0.9)), rtol=1e-12)
    np.testing.assert_allclose(line["gap"]["ceiling"], 0.01 * np.log(5), atol=10 * EPS)
    np.testing.assert_allclose(line["loss"]["ceiling"], 0.6 * np.log(5), rtol=10 * EPS)
    assert line["gap"]["peak_epoch"] == 10


def test_findings_say_what_rises_what_falls_and_in_which_order():
    ds = example_fixed_focus({"soft": falls, "hard": rises, "lvml": lambda done: 0.01 * done})
    soft, hard, lvml, order = findings(ds)
    # sqrt(x) (1 - 0.9 x) is largest at x = 1/2.7: of the epochs, at the fourth.
    peak = np.sqrt(0.4) * (1 - 0.9 * 0.4)
    assert soft == (
        "soft: the gain by 0.01 more attention peaks at epoch 4 and falls to "
        f"{100 * 0.1 / peak:.0f} % of its peak by epoch 10; ends at 0.0040, on its way to 0."
    )
    assert hard == (
        "hard: the gain by 0.01 more attention is at its highest at the end, epoch 10; ends at "
        f"{100 * 0.02 / (0.01 * np.log(5)):.0f} % of its limit 0.0161."
    )
    assert lvml.startswith("lvml: the gain by 0.01 more attention is at its highest at the end")
    assert order == (
        "gain by 0.01 more attention at epoch 10, alpha 0.2, 0.4, 0.6, 0.8: hard > lvml > soft."
    )


def test_findings_call_it_no_order_where_bands_overlap():
    ds = example_fixed_focus({"soft": rises, "hard": rises})
    assert findings(ds)[-1].endswith("soft ~ hard (~: bands over seeds overlap).")


@pytest.mark.parametrize("failed", [CONFIG.seeds, CONFIG.seeds - 1])
def test_findings_of_nothing_are_none_and_of_one_seed_are_its_own(failed):
    ds = example_fixed_focus({"hard": rises}, failed=failed)
    said, lines = findings(ds), numbers(ds)
    if failed == CONFIG.seeds:
        assert said == []
        assert {x["seeds"] for x in lines} == {0}
        assert lines[0]["gap"]["median"] is None
    else:
        assert len(said) == 1
        assert lines[0]["gap"]["median"] == lines[0]["gap"]["low"] == lines[0]["gap"]["high"]
