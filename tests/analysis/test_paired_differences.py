import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from example_results import end, example_result
from made_to_order import NAMES, result
from scipy import stats

from jaxattn.analysis.best_rates import best_rates
from jaxattn.analysis.measures import compared_in
from jaxattn.analysis.paired_differences import differences, times
from jaxattn.core.canonical_json import plain
from jaxattn.core.contracts import InputError, Status
from jaxattn.problems.result_measures import TIMES

EXPERIMENTS = 2_000


def of(table: pd.DataFrame, **at: object) -> pd.Series:
    """The one line of a table where the columns have these values."""
    for name, value in at.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


# Means of paired differences.


def test_a_difference_is_paired_and_so_finds_what_seeds_have_in_common_hides(rng):
    seed = rng.normal(size=20)
    values = np.stack([10 * seed, 10 * seed + 0.5]) + 0.1 * rng.normal(size=(2, 20))
    line = of(differences(result({"loss": values[:, None]})), measure="loss")
    wanted = stats.ttest_rel(*values)
    assert line.method == "paired t"
    assert (line.low, line.high) == pytest.approx(tuple(wanted.confidence_interval()), rel=1e-6)
    assert line.effect_size == pytest.approx(wanted.statistic / np.sqrt(20))
    assert line.effect == "d_z"
    assert stats.ttest_ind(*values).pvalue > 0.5
    # Var(a - b) = 2 (1 - correlation) Var: the interval shrinks by the root of 1 - correlation.
    apart = stats.ttest_ind(*values).confidence_interval()
    shrink = np.sqrt(1 - np.corrcoef(values)[0, 1])
    width = (line.high - line.low) / (apart.high - apart.low)
    assert width == pytest.approx(shrink, rel=0.1)  # 19 against 38 degrees of freedom: 3 %


def test_no_difference_and_the_same_difference_in_every_seed_are_told_apart(rng):
    values = rng.normal(size=8)
    table = differences(result({"loss": np.stack([values, values, values + 1])[:, None]}))
    same = of(table, paradigm_a="soft", paradigm_b="hard")
    assert (same.mean_difference, same.low, same.high, same.effect_size) == (0, 0, 0, 0)
    off = of(table, paradigm_a="soft", paradigm_b="lvml")
    assert off.method == "no spread"
    assert off.low == off.high == pytest.approx(-1)
    assert np.isnan(off.effect_size)


def test_the_rounding_of_the_runs_precision_is_no_difference(rng):
    values = rng.uniform(1, 2, 8)
    twice = np.stack([values, values * (1 + 2.0**-23)])[:, None]
    assert differences(result({"loss": twice}, precision="float32")).mean_difference.item() == 0
    assert differences(result({"loss": twice}, precision="float64")).mean_difference.item() < 0
    # A sweep says its precision where all its runs share it.
    spec = {
        "settings": {"precision": "float64"},
        "axes": [{"columns": {name: []}} for name in ("paradigm", "seed")],
    }
    sweep = result({"loss": twice}).assign_attrs(spec=json.dumps(spec))
    assert differences(sweep).mean_difference.item() < 0


def test_rows_that_failed_are_no_pairs(rng):
    values = rng.normal(size=(2, 1, 9))
    ds = result({"loss": values, "time_to_focus": values**2})
    ds["status"].loc[{"paradigm": "hard", "seed": [2, 5]}] = int(Status.DIVERGED)
    ds["time_to_focus"].loc[{"paradigm": "hard", "seed": [2, 5]}] = np.nan
    table, rest = differences(ds), np.delete(values, [2, 5], axis=-1)
    line = of(table, measure="loss")
    assert line.seeds == 7
    wanted = stats.ttest_rel(rest[0, 0], rest[1, 0]).confidence_interval()
    assert (line.low, line.high) == pytest.approx(tuple(wanted))
    assert of(table, measure="time_to_focus").method == "paired t"  # not reached, not censored


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_two_pairs_are_too_few(rng, seeds):
    ds = result({"loss": rng.normal(size=(3, 1, seeds))})
    ds["status"].loc[{"paradigm": "hard", "seed": 0}] = int(Status.DIVERGED)
    table = differences(ds)
    few = table[(table.paradigm_a == "hard") | (table.paradigm_b == "hard") | (seeds == 1)]
    assert set(few.method) == {"too few seeds"}
    assert few[["low", "high"]].isna().all(axis=None)


def test_one_paradigm_makes_no_comparison(rng):
    assert len(differences(result({"loss": rng.normal(size=(1, 1, 4))}))) == 0


# Censored times.


def line_of_times(a: Sequence[float], b: Sequence[float]) -> pd.Series:
    values = np.array([a, b], dtype=float)[:, None]
    return of(differences(result({"time_to_focus": values})), measure="time_to_focus")


def test_the_order_of_censored_pairs_is_what_is_known_of_it():
    never = np.nan  # by 10
    a = [never, 2, never, 3, 4, 5]
    b = [5, 4, never, 3, 9, never]  # later, earlier, unknown, equal, earlier, earlier
    line = line_of_times(a, b)
    assert line.effect_size == pytest.approx((1 - 3) / 6)
    assert (line.effect, line.interval_of, line.seeds) == ("sign balance", "median", 6)
    # Differences lie in (5, inf), -2, (-inf, inf), 0, -5, (-inf, -5): the middle two are at most
    # -2 and 0, at least -5 and -2.
    assert np.isnan([line.median_difference, line.mean_difference, line.low, line.high]).all()
    assert line.method == "order statistics of censored times, no interval"


def test_one_that_never_gets_there_is_later_by_at_least_what_was_waited():
    line = line_of_times([np.nan] * 8, range(1, 9))
    assert (line.low, line.high) == (2, np.inf)  # 10 - 8: of 8, the least has rank 1 at 95 %


def test_the_median_difference_is_known_where_few_are_censored():
    line = line_of_times([np.nan, 2, 3, 4, 5, 6, 7, 8, 9], [1] * 9)
    assert line.median_difference == 5  # of 1 to 8 and one of at least 9
    assert (line.low, line.high) == (2, 8)  # ranks 2 and 8 of 9
    assert np.isnan(line.mean_difference)


def test_an_order_statistic_interval_holds_the_median_whatever_is_censored(rng):
    truth = 1.0  # A difference of exponentials is symmetric about 0.
    waits = rng.exponential(5, size=(2, 1, EXPERIMENTS, 12))
    waits[0] += truth
    seen = np.where(waits > 10, np.nan, waits)
    table = differences(result({"time_to_focus": seen}))
    table = table[table.interval_of == "median"]
    open_ = table.low.isna() | table.high.isna()
    held = open_ | ((table.low <= truth) & (table.high >= truth))
    assert len(table) > 1_000
    assert held.mean() >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / len(table))


def test_without_censoring_times_are_compared_like_all_else(rng):
    a, b = rng.uniform(1, 9, (2, 12))
    line = line_of_times(a, b)
    assert line.method == "paired t"
    wanted = stats.ttest_rel(a, b).confidence_interval()
    assert (line.low, line.high) == pytest.approx(tuple(wanted))


def test_of_two_ends_the_earlier_counts_for_both():
    # soft is best at 0.2, where it ends at 20; hard at 0.1, where it ends at 10.
    loss = np.broadcast_to(np.array([[1.0, 0.0], [0.0, 1.0]])[..., None], (2, 2, 8))
    waits = np.full((2, 2, 8), np.nan)
    waits[0, 1] = [15, 15, 15, 15, 15, 3, 15, 15]
    ds = result({"loss": loss, "time_to_focus": waits}, rates=(0.1, 0.2), last=(10.0, 20.0))
    line = of(differences(ds), measure="time_to_focus", comparison="best")
    assert (line.learning_rate_a, line.learning_rate_b) == (0.2, 0.1)
    # 15 is not reached by 10 either, so only seed 5 has an order.
    assert (line.effect_size, line.seeds) == (-1 / 8, 8)


def test_the_median_time_agrees_with_kaplan_meier_by_hand():
    waits = np.array([[1, 2, 3, np.nan], [1, 2, np.nan, np.nan], [4, 1, 3, 9], [np.nan] * 4])
    table = times(result({"time_to_focus": waits[:, None]})).set_index("paradigm")
    # The curve falls by a quarter at each: through a half between 2 and 3; level at it for good.
    np.testing.assert_allclose(table["median"], [2.5, np.nan, 3.5, np.nan])
    assert table.reached.tolist() == [3, 2, 4, 0]
    assert set(table.seeds) == {4}
    assert set(table.end) == {10.0}
    assert table[["low", "high"]].isna().all(axis=None)  # four seeds: at most 87.5 %


def test_the_interval_of_a_median_time_is_open_where_too_many_never_get_there():
    line = times(result({"time_to_focus": np.array([[[1, 2, 3, 4, 5] + [np.nan] * 3]])})).iloc[0]
    assert (line["median"], line.low, line.high) == (4.5, 1, np.inf)


# The best rates.


def tuned(rng: np.random.Generator) -> xr.Dataset:
    """Two paradigms at three rates, of which the second is the best for both."""
    loss = rng.normal(size=(2, 3, 12)) + np.array([5.0, 0.0, 5.0])[:, None]
    return result({"loss": loss, "accuracy": -loss}, (0.1, 0.2, 0.4), (10.0, 20.0, 40.0))


def test_the_best_rate_is_chosen_by_all_seeds_and_not_by_the_examples_that_judge(rng):
    ds = tuned(rng)
    rates, before = best_rates(ds), differences(ds)
    assert rates.learning_rate.tolist() == [0.2, 0.2]
    assert set(rates.seeds) == {12}
    assert not rates.at_edge.any()
    assert set(before.comparison) == {"equal learning_rate", "best"}
    # Whatever stands on test says nothing of the rate.
    other = ds.copy(deep=True)
    other["loss"][{"split": 1}] = rng.normal(size=12)
    pd.testing.assert_frame_equal(best_rates(other), rates)
    # Every seed has its say: one that is far out moves the choice.
    for seed in range(12):
        other = ds.copy(deep=True)
        other["loss"][{"paradigm": 0, "learning_rate": 1, "seed": seed}] = 1e3
        assert best_rates(other).learning_rate.tolist() != [0.2, 0.2]


def test_a_rate_at_which_seeds_failed_is_passed_over(rng):
    ds = tuned(rng)
    ds["status"].loc[{"paradigm": "soft", "learning_rate": 0.2, "seed": 4}] = int(Status.DIVERGED)
    assert best_rates(ds).learning_rate.tolist() != [0.2, 0.2]
    ds["status"].loc[{"paradigm": "soft"}] = int(Status.DIVERGED)
    assert best_rates(ds).learning_rate.isna().tolist() == [True, False]
    table = differences(ds)
    assert set(table.method) == {"too few seeds"}
    assert set(table.seeds) == {0}


def test_the_order_of_seeds_in_a_result_does_not_matter(rng):
    ds = tuned(rng)
    shuffled = ds.isel(seed=rng.permutation(12))
    wanted, found = differences(ds), differences(shuffled)
    np.testing.assert_allclose(found.low, wanted.low, rtol=1e-9)


def test_a_validation_split_chooses_where_there_is_one(rng):
    ds = tuned(rng)
    validation = ds.isel(split=[0]).assign_coords(split=["validation"])
    validation["loss"] = validation["loss"].roll(learning_rate=1, roll_coords=False)
    ds = xr.concat(
        [ds, validation],
        "split",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="outer",
    )
    assert best_rates(ds).learning_rate.tolist() == [0.4, 0.4]
    assert "validation" in best_rates(ds).selection[0]


# A whole result.


def test_a_result_made_to_order_is_told_as_it_was_made(rng):
    ds, seeds = example_result(seeds=10, learning_rates=(0.05,)), np.arange(10)
    noise = rng.normal(scale=0.01, size=(4, 10))
    noise[3] = noise[2]  # lvml and hybrid tie
    for name, level in {"attention_foreground": (0.9, 0.3, 0.6, 0.6)}.items():
        for i, paradigm in enumerate(NAMES):
            ds[name].loc[{"paradigm": paradigm, "seed": seeds, "split": "test"}] = (
                level[i] + noise[i]
            )[None, None, :, None]
    table = differences(ds).query("measure == 'attention_foreground'")
    tie = of(table, paradigm_a="lvml", paradigm_b="hybrid")
    assert (tie.low, tie.high) == (0, 0)
    signs = table.set_index(["paradigm_a", "paradigm_b"]).mean_difference
    assert (signs["soft"] > 0).all()
    assert (signs["hard"] < 0).all()


def test_every_paradigm_is_judged_by_its_own_inference_rule_on_the_split_asked_for():
    ds = end(example_result(seeds=5), Status.DIVERGED, paradigm="soft", seed=3)
    for split in ("train", "test"):
        table = differences(ds, split)
        for measure, cell in (("accuracy", {}), ("loss", {}), ("FTPT", {"cell": "FTPT"})):
            line = of(
                table,
                measure=measure,
                paradigm_a="soft",
                paradigm_b="lvml",
                learning_rate_a=0.02,
                comparison="equal learning_rate",
            )
            values = (
                ds["error_cell" if cell else measure]
                .sel(dynamics="train", split=split, learning_rate=0.02, seed=[0, 1, 2, 4], **cell)
                .isel(save=-1)
            )
            soft = values.sel(paradigm="soft", inference="average-input")
            lvml = values.sel(paradigm="lvml", inference="average-output")
            assert line.mean_difference == pytest.approx(float((soft - lvml).mean()))
            assert (line.split, line.seeds) == (split, 4)
            assert line.unit == ("nat" if measure == "loss" else "%")
    assert set(differences(ds).split) == {"test"}
    assert set(differences(ds.sel(split=["train"])).split) == {"train"}


def test_swept_hyperparameters_are_compared_where_they_are_equal():
    ds = example_result(seeds=4, temperatures=(1.0, 2.0))
    table = differences(ds)
    assert (
        table.groupby(["comparison", "measure"]).size().unstack(0)
        == {"equal learning_rate": 6 * 2 * 2, "best": 6 * 2}
    ).all(axis=None)
    line = of(
        table,
        measure="loss",
        paradigm_a="hard",
        paradigm_b="hybrid",
        temperature=2.0,
        learning_rate_b=0.05,
        comparison="equal learning_rate",
    )
    values = (
        ds["loss"]
        .sel(
            dynamics="train",
            split="test",
            temperature=2.0,
            learning_rate=0.05,
            inference="argmax-segment",
        )
        .isel(save=-1)
    )
    found = (values.sel(paradigm="hard") - values.sel(paradigm="hybrid")).mean()
    assert line.mean_difference == pytest.approx(float(found))
    assert best_rates(ds).columns[:2].tolist() == ["paradigm", "temperature"]


def test_what_a_result_does_not_know_is_not_compared():
    ds = example_result(seeds=3)
    ds["time_to_focus"] = ds["status"] * np.nan
    assert "time_to_focus" in set(differences(ds).measure)
    ds["attention_foreground"][:] = np.nan
    ds["focus_accuracy"][:] = np.nan
    assert set(differences(ds).measure) == {"accuracy", "loss", "FTPT"}
    ds = ds.drop_vars(["accuracy", "loss", "error_cell"])
    assert len(differences(ds)) == len(times(ds)) == 0
    with pytest.raises(InputError, match="loss"):
        best_rates(ds)


def test_tables_are_made_of_plain_python_values(rng):
    ds = tuned(rng)
    ds["time_to_focus"] = ds["accuracy"].isel(save=-1, inference=0, drop=True) * np.nan
    ds["attention_foreground"] = ds["accuracy"].isel(inference=0, drop=True)
    for table in (differences(ds), best_rates(ds), times(ds)):
        records = table.to_dict("records")
        assert records
        kinds = {type(value) for record in records for value in record.values()}
        assert kinds <= {str, int, float, bool}
        json.dumps(plain(records), allow_nan=False)


def test_a_request_that_cannot_be_met_says_what_would_do():
    ds = example_result(seeds=2)
    with pytest.raises(InputError, match="expected a result of"):
        differences(ds.isel(dynamics=0))
    with pytest.raises(InputError, match="got 'tset', expected one of train, test"):
        differences(ds, "tset")
    with pytest.raises(InputError, match=r"got 95.0, .* between 0 and 1"):
        times(ds, confidence=95.0)


def test_all_that_is_compared_is_measured():
    ds = example_result(seeds=1)
    assert [one.spec.name for one in compared_in(ds)] == [
        *("accuracy", "loss", "attention_foreground", "focus_accuracy", "FTPT"),
    ]
    assert {one.known_by for one in compared_in(ds)} <= set(ds.data_vars)
    assert {spec.of for spec in TIMES} <= set(ds.data_vars)
