"""The departures experiment: what is solved, how it is labelled, and what is said of it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from example_departures import AVERAGE, CONFIG, FACTOR, example_departures
from experiment_runs import assert_labelled_and_kept, smoke

from jaxattn.core.contracts import Data, Status
from jaxattn.experiments.departures.experiment import DEPARTURES_EXPERIMENT, PARADIGMS
from jaxattn.experiments.departures.findings import findings, numbers
from jaxattn.experiments.departures.rows import (
    DEPARTURES,
    Departures,
    frequencies_at,
    gram_at,
    imbalances_of,
    rows_of,
)
from jaxattn.problems.data import check
from jaxattn.tasks.population import foregrounds

SIZES = Departures(
    classes=3,
    segments=4,
    imbalances=(0.1, 0.5),
    correlations=(0.1, 0.5),
    noises=(0.1,),
    bags=(8, 32),
    points=4,
    scrambles=2,
    seeds=3,
    least=30,
)


def test_frequencies_rise_in_equal_steps_and_are_as_unequal_as_asked():
    for classes in (2, 5, 20):
        share = frequencies_at(0.5, classes)
        assert share.sum() == pytest.approx(1)
        assert share.min() > 0
        assert np.sqrt(np.mean((classes * share - 1) ** 2)) == pytest.approx(0.5)
        np.testing.assert_allclose(np.diff(share), np.diff(share)[0])


def test_foregrounds_are_correlated_as_a_chain_or_all_alike():
    np.testing.assert_allclose(gram_at("chain", 0.5, 3)[0], [1, 0.5, 0.25])
    np.testing.assert_allclose(gram_at("equal", 0.5, 3)[0], [1, 0.5, 0.5])
    np.testing.assert_array_equal(gram_at("chain", 0.0, 2), np.eye(2))


def test_there_is_a_row_for_each_size_and_each_scramble_or_sample():
    rows = list(rows_of(SIZES))
    assert [(row.departure, row.size, row.seed) for row in rows] == [
        *((name, size, 0) for name in ("frequency", "chain", "equal") for size in (0, 1)),
        *(("noise", 0, seed) for seed in (0, 1)),
        *(("sample", size, seed) for size in (0, 1) for seed in (0, 1, 2)),
    ]
    for row in rows:
        check(Data(row.bags), row.departure, SIZES.classes)
        check(Data(row.silent), row.departure, SIZES.classes)
        assert row.bags.segments.shape[1:] == (4, 4), "one coordinate more than classes"
        assert len(row.bags.weight) == (32 if row.departure == "sample" and not row.size else 30)
        counted = int((row.bags.weight > 0).sum())
        assert counted == {"noise": 24, "sample": 8 if row.size else 32}.get(row.departure, 3)


def test_rows_hold_the_departure_that_they_are_named_after():
    rows = {(row.departure, row.size, row.seed): row for row in rows_of(SIZES)}
    unequal = rows["frequency", 1, 0].bags
    np.testing.assert_allclose(unequal.weight[:3], frequencies_at(0.5, 3))
    chain = rows["chain", 1, 0]
    np.testing.assert_allclose(
        chain.silent.segments[:, 0, :3], foregrounds(gram_at("chain", 0.5, 3))
    )
    noise = rows["noise", 0, 1].bags
    assert 0.05 < noise.segments[:24, 1:, :3].std() < 0.2
    assert not noise.segments[..., 3].any(), "the noise is on the foregrounds' own coordinates"
    few, many = rows["sample", 1, 2].bags, rows["sample", 0, 2].bags
    np.testing.assert_array_equal(few.segments[:8], many.segments[:8])


def test_samples_are_as_unequal_as_multinomial_counts_are_expected_to_be():
    config = replace(SIZES, bags=(64, 1024), seeds=40)
    found = imbalances_of(config)
    assert found.shape == (2, 40)
    # E mean_c (C p_c - 1)^2 = (C-1)/N. The mean of 40 chi-squares of two degrees: to 16 %.
    expected = 2 / np.array([1024, 64])
    np.testing.assert_allclose(np.mean(found**2, axis=1), expected, rtol=4 * 0.16)


def test_scales_are_frozen_and_smoke_is_served_by_one_program():
    smoke = DEPARTURES_EXPERIMENT.scales["smoke"]
    rows = list(rows_of(smoke))
    assert len({len(row.bags.weight) for row in rows}) == 1
    assert len(rows) <= smoke.tile
    paper = DEPARTURES_EXPERIMENT.scales["paper"]
    assert (paper.classes, paper.segments) == (20, 20)
    assert hash(replace(smoke, seeds=7)) != hash(smoke)
    for config in DEPARTURES_EXPERIMENT.scales.values():
        assert config.saves[0] == 0
        assert np.all(np.diff(config.saves) > 0)
        assert frequencies_at(max(config.imbalances), config.classes).min() > 0


def test_the_result_has_labels_and_units_and_knows_what_is_not_there(tmp_path):
    ds = example_departures()
    assert dict(ds["nu"].sizes) == {
        "paradigm": 2,
        "departure": 5,
        "size": 3,
        "seed": 4,
        "save": len(CONFIG.saves),
        "class": 3,
    }
    assert ds["departure"].values.tolist() == list(DEPARTURES)
    np.testing.assert_allclose(ds["amount"].sel(departure="sample"), [1 / 16, 1 / 8, 1 / 4])
    assert np.isnan(ds["amount"].sel(departure="noise")[2])
    asked = (ds["status"] >= 0).sum(("size", "seed")).sel(paradigm="hard")
    assert asked.values.tolist() == [3, 3, 3, 4, 12]
    assert_labelled_and_kept(ds, tmp_path)


def test_numbers_are_the_ends_the_orders_and_what_was_foreseen():
    lines = {
        (x["paradigm"], x["departure"], x["measure"]): x for x in numbers(example_departures())
    }
    assert len(lines) == 2 * len(DEPARTURES) * 3
    line = lines["soft", "frequency", "nu"]
    assert (line["size"], line["seeds"]) == (0.4, 1)
    nu = line["off"]
    assert nu["median"] == nu["low"] == nu["high"]
    assert nu["median"] == pytest.approx(np.hypot(FACTOR * 0.4, AVERAGE * 0.16))
    assert nu["average"] == pytest.approx(AVERAGE * 0.16)
    assert nu["average_order"] == pytest.approx(2)
    assert np.isnan(nu["predicted"])
    noise = lines["hard", "noise", "mu"]["off"]
    assert noise["predicted"] == pytest.approx(0.5 * 0.05**2)
    ends = 0.5 * 0.05**2 * np.square([1, 1.1])
    assert noise["found"] == pytest.approx(np.sqrt(np.mean(ends**2)))
    assert noise["error"] == pytest.approx(np.std(ends, ddof=1) / np.sqrt(2))


def test_findings_say_how_far_in_which_order_and_whether_theory_foresaw_it():
    frequency, chain, equal, noise, sample = findings(example_departures())
    assert frequency == (
        "class frequencies unequal by 0.4: nu of the classes is off by soft 0.804, hard 0.402 (rms "
        "over classes, largest over time); by order 1.00 in that size; their average by soft 0.08, "
        "hard 0.04, order 2.00."
    )
    assert "average" not in chain, "all classes move alike there"
    assert re.search(r"within (0|\de-1\d) of the exact path \(relative\)\.$", equal)
    assert "by order 2.00 in that size (95 % intervals: soft 2.00 to 2.00" in noise
    assert "within 0.1 of the path to order sigma^2 (relative; standard error 0.09)" in noise
    assert sample.endswith(" of what class counts alone do to first order (relative).")


def test_findings_of_nothing_are_none():
    ds = example_departures(failed=CONFIG.seeds)
    assert len(findings(ds)) == len(DEPARTURES) - 1
    ds["status"][:] = int(Status.SOLVER_FAILED)
    assert findings(ds) == []
    assert numbers(ds)[0]["off"]["median"] is None


@pytest.mark.slow
@pytest.mark.needs_x64
def test_the_smoke_command_solves_draws_and_finds_the_orders(tmp_path):
    figures = ("departures", "departures_attention", "departing_classes")
    said = smoke("departures", tmp_path, figures)
    of_nu = [line for line in said["numbers"] if line["measure"] == "nu"]
    lines = {(line["paradigm"], line["departure"]): line["off"] for line in of_nu}
    assert {name for name, _ in lines} == set(PARADIGMS)
    for name in PARADIGMS:
        assert lines[name, "frequency"]["order"] == pytest.approx(1, abs=0.03)
        assert lines[name, "frequency"]["average_order"] == pytest.approx(2, abs=0.03)
        assert lines[name, "noise"]["order"] == pytest.approx(2, abs=0.15)
        low, high = (lines[name, "sample"][key] for key in ("order_low", "order_high"))
        assert low < 1 < high
        equal = lines[name, "equal"]
        assert equal["found"] == pytest.approx(equal["predicted"], rel=1e-6)
