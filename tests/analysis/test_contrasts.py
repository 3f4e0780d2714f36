"""The table of contrasts of results made to order: what a careful person finds by hand."""

import json

import numpy as np
import pytest
import xarray as xr
from example_results import example_result
from made_to_order import result
from scipy import stats

import jaxattn
from jaxattn.analysis.contrasts import contrasts, question_records
from jaxattn.core.canonical_json import canonical_json, plain
from jaxattn.core.contracts import Status
from jaxattn.core.question import Question
from jaxattn.results.dataset import spec_of
from jaxattn.study.questions import plain_questions

KEYS = {"a", "b", "measure", "unit", "estimate", "low", "high", "p", "verdict", "favour", "seeds"}


def line_of(table, question, a, b, **at):
    for name, value in {"question": question, "a": a, "b": b, **at}.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def asked(ds: xr.Dataset, *questions: Question) -> xr.Dataset:
    spec = {**spec_of(ds), "questions": plain_questions(questions)}
    return ds.assign_attrs(spec=canonical_json(spec))


def test_a_contrast_is_what_is_found_by_hand(rng):
    accuracy = rng.normal(size=(3, 1, 12)) + 90
    accuracy[1] += 2
    line = line_of(contrasts(result({"accuracy": accuracy})), "accuracy", "soft", "hard")
    d = (accuracy[0] - accuracy[1])[0]
    assert line.estimate == pytest.approx(d.mean())
    assert (line.mean_a, line.mean_b) == pytest.approx((accuracy[0].mean(), accuracy[1].mean()))
    assert (line.seeds, line.favour) == (12, (d < 0).sum())
    own = stats.ttest_1samp(d, 0).confidence_interval()
    assert (line.marginal_low, line.marginal_high) == pytest.approx((own.low, own.high))
    assert line.low < own.low < own.high < line.high
    assert (line.unit, line.delta, line.split, line.better) == ("1", 1.0, "test", "more")


def test_every_question_that_the_result_can_answer_is_there_and_in_one_family():
    table = contrasts(example_result(seeds=7, saves=21))
    assert list(dict.fromkeys(table.question)) == [
        *("most-attention", "late-gain", "accuracy", "right-reason", "hybrid"),
    ]
    assert (table.groupby("question", sort=False).size() == [6, 12, 6, 6, 1]).all()
    part = contrasts(example_result(seeds=7, saves=21).drop_vars("accuracy"))
    assert set(table.question) - set(part.question) == {"accuracy"}
    # Fewer contrasts, and no p is larger.
    both = table[table.question != "accuracy"].reset_index(drop=True)
    assert (part.p.reset_index(drop=True) <= both.p + 1e-12).all()


def test_two_paradigms_that_are_the_same_so_far_are_said_to_be_and_not_counted(rng):
    times = rng.uniform(2, 8, (4, 1, 8))
    times[3] = times[0]
    table = contrasts(result({"time_to_focus": times}))
    line = line_of(table, "first-to-focus", "soft", "hybrid")
    assert line.same
    assert (line.estimate, line.low, line.high, line.verdict) == (0, 0, 0, "equal")
    assert np.isnan(line.p)
    # Beside it the measure that a time is taken from, which is 0 in a result made to order.
    assert set(table[table.measure != "time_to_focus"].same) == {True}
    assert table[table.measure == "time_to_focus"].same.sum() == 1


def test_times_are_in_steps_too_and_their_delta_is_a_share_of_the_run(rng):
    ds = result({"time_to_focus": rng.uniform(2, 8, (2, 1, 8))})
    line = line_of(contrasts(ds), "first-to-focus", "soft", "hard")
    # 100 steps in a time of 10.
    assert line.steps == pytest.approx(10 * line.estimate)
    assert line.delta == pytest.approx(0.01 * 10)


def test_of_two_ends_the_earlier_counts_for_both_in_steps_too():
    # soft is best at 0.2, where it ends at 20; hard at 0.1, where it ends at 10.
    loss = np.broadcast_to(np.array([[1.0, 0.0], [0.0, 1.0]])[..., None], (2, 2, 8))
    waits = np.full((2, 2, 8), 15.0)
    waits[1, 0] = 5.0
    ds = result({"loss": loss, "time_to_focus": waits}, rates=(0.1, 0.2), last=(10.0, 20.0))
    line = line_of(contrasts(ds), "first-to-focus", "soft", "hard")
    # That soft gets there at 15 is not known at 10: later by at least 5, in time and in steps.
    assert np.isnan([line.estimate, line.steps]).all()
    assert (line.low, line.high) == (5, np.inf)


def test_a_value_within_the_run_is_equal_within_what_its_measure_says():
    ds = asked(
        example_result(("soft", "hard"), (0.1,), seeds=6, saves=21),
        Question("early", "accuracy", 0.2),
        Question("late", "accuracy", "late gain"),
    )
    table = contrasts(ds)
    assert line_of(table, "early", "soft", "hard").delta == 1.0
    assert np.isnan(line_of(table, "late", "soft", "hard").delta)


def test_each_paradigm_is_at_its_own_best_rate_and_nowhere_else(rng):
    loss = rng.normal(size=(2, 3, 8)) + np.array([[5.0, 0, 5], [0, 5, 5]])[..., None]
    ds = result({"loss": loss, "accuracy": -loss}, (0.1, 0.2, 0.4), (10.0, 20.0, 40.0))
    line = line_of(contrasts(ds), "accuracy", "soft", "hard")
    assert (line.learning_rate_a, line.learning_rate_b) == (0.2, 0.1)
    assert line.estimate == pytest.approx((loss[1, 0] - loss[0, 1]).mean())
    assert line.selection == "least mean train loss of all seeds"
    assert len(contrasts(ds)) == 1


def test_other_swept_values_are_places_of_their_own_in_one_family():
    ds = example_result(seeds=6, saves=21, temperatures=(1.0, 2.0), learning_rates=(0.1,))
    table = contrasts(ds)
    assert set(table.temperature) == {1.0, 2.0}
    one = contrasts(ds.sel(temperature=[1.0]))
    here = table[table.temperature == 1.0].reset_index(drop=True)
    np.testing.assert_allclose(here.estimate, one.estimate)
    assert (here.p >= one.p - 1e-12).all()


def test_a_question_of_ones_own_is_judged_with_the_others_and_its_delta_counts():
    ds = asked(
        example_result(("soft", "hard", "lvml"), (0.1,), seeds=8, saves=21),
        Question("calm", "attention_entropy", 0.5, 100.0, title="Who is calm halfway?"),
        Question("pair", "loss", between=(("lvml", "soft"), ("lvml", "nobody"))),
    )
    table = contrasts(ds)
    calm, pair = (table[table.question == name] for name in ("calm", "pair"))
    assert len(calm) == 3
    assert set(calm.verdict) <= {"equal", "differs"}
    assert set(calm.title) == {"Who is calm halfway?"}
    assert [*zip(pair.a, pair.b, strict=True)] == [("lvml", "soft")]


def test_a_time_not_reached_is_censored_and_nobody_is_dropped(rng):
    times = np.stack([rng.uniform(1, 5, (1, 9)), np.full((1, 9), np.nan)])
    times[1, 0, 0] = 6.0
    line = line_of(contrasts(result({"time_to_focus": times})), "first-to-focus", "soft", "hard")
    assert (line.seeds, line.favour, line.estimate_of) == (9, 9, "median")
    assert np.isnan(line.estimate)
    assert line.low == -np.inf
    assert line.high < 0
    assert line.side == -1
    assert line.verdict == "differs"


def test_rows_that_failed_are_no_pairs_and_too_few_are_said_to_be():
    ds = example_result(("soft", "hard"), (0.1,), seeds=6, saves=21)
    ds["status"].loc[{"paradigm": "hard", "seed": [0, 1]}] = int(Status.DIVERGED)
    assert set(contrasts(ds).seeds) == {4}
    ds["status"].loc[{"paradigm": "hard"}] = int(Status.DIVERGED)
    table = contrasts(ds)
    assert set(table.verdict) == {"undecided"}
    assert table[["p", "low", "high"]].isna().all(axis=None)


def test_the_order_of_seeds_and_of_paradigms_does_not_matter(rng):
    ds = example_result(("soft", "hard", "lvml"), seeds=9, saves=21)
    ds["objective"][:] = rng.normal(size=ds["objective"].shape)
    table, shuffled = contrasts(ds), contrasts(ds.isel(seed=rng.permutation(9)))
    np.testing.assert_allclose(shuffled[["estimate", "low"]], table[["estimate", "low"]])
    np.testing.assert_allclose(shuffled.p, table.p)
    turned = contrasts(ds.isel(paradigm=[1, 0, 2]))
    first, second = (
        {(one.question, one.at, frozenset((one.a, one.b))): one for one in each.itertuples()}
        for each in (table, turned)
    )
    for key, line in first.items():
        assert second[key].p == pytest.approx(line.p, nan_ok=True)
        assert abs(second[key].estimate) == pytest.approx(abs(line.estimate))


def test_json_has_each_question_with_its_contrasts():
    records = question_records(contrasts(example_result(seeds=6, saves=21)))
    read = json.loads(json.dumps(plain(records), allow_nan=False))
    assert [each["question"] for each in read][:2] == ["most-attention", "late-gain"]
    for each in read:
        assert {"question", "title", "measure", "unit", "contrasts"} <= set(each)
        assert each["unit"] == each["contrasts"][0]["unit"]
        assert all(set(one) >= KEYS for one in each["contrasts"])


def test_a_result_without_a_question_that_it_can_answer_has_an_empty_table():
    ds = example_result(("soft",), (0.1,), seeds=4)
    assert len(contrasts(ds)) == 0
    assert question_records(contrasts(ds)) == []
    with pytest.raises(jaxattn.InputError, match="expected a result of"):
        contrasts(ds.isel(dynamics=0))
    with pytest.raises(jaxattn.InputError, match="got 'tset'"):
        contrasts(ds, "tset")
