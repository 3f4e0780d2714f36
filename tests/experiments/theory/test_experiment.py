"""The theory experiment: that it is the theory, and what is said of it."""

import jax
import numpy as np
import pytest
from example_theory import UNIT, example_theory
from experiment_runs import assert_labelled_and_kept, heard, smoke
from helpers import compiled_quickly
from potentials_by_quadrature import class_rise, focus_potential

from jaxattn import theory
from jaxattn.core.contracts import InputError, Status
from jaxattn.core.precision import x64_is_on
from jaxattn.experiments.theory import experiment
from jaxattn.experiments.theory.experiment import THEORY, Published
from jaxattn.experiments.theory.findings import findings, numbers
from jaxattn.reports.experiment import SCALES

SMALL = Published(5, 4, 400.0, points=60, grid=8, orbit_points=20)


@pytest.fixture(scope="module")
def solved():
    """20 m C of 5 segments and 4 classes: what takes its time is to compile three paradigms."""
    if not x64_is_on():
        pytest.skip("needs float64")
    with compiled_quickly():
        return heard(experiment.run, SMALL)


@pytest.mark.slow
@pytest.mark.needs_x64
def test_closed_forms_and_ode_agree_to_the_ode_s_tolerance(solved):
    ds, _, _ = solved
    exact, ode = ds.sel(dynamics="closed-form"), ds.sel(dynamics="ode")
    for name in ("mu", "nu", "alpha", "beta", "loss"):
        # 1e-12 a step and a few thousand steps, amplified by the take-off's slope.
        np.testing.assert_allclose(ode[name], exact[name], rtol=1e-8, atol=1e-9)


@pytest.mark.needs_x64
def test_alpha_beta_and_loss_are_those_of_mu_and_nu(solved):
    ds, _, _ = solved
    one = ds.sel(dynamics="closed-form")
    e_mu, e_nu = np.exp(one["mu"]), np.exp(one["nu"])
    alpha, beta = e_nu / (e_nu + 4), e_mu / (e_mu + 3)
    np.testing.assert_allclose(one["alpha"], alpha, rtol=1e-13)
    np.testing.assert_allclose(one["beta"], beta, rtol=1e-13)
    loss = {
        "soft": np.log1p(3 * np.exp(-alpha * one["mu"])),
        "hard": -alpha * np.log(beta) + (1 - alpha) * np.log(4),
        "lvml": -np.log(alpha * beta + (1 - alpha) / 4),
    }
    for name, expected in loss.items():
        found = one["loss"].sel(paradigm=name)
        np.testing.assert_allclose(found, expected.sel(paradigm=name), rtol=1e-12)


@pytest.mark.needs_x64
def test_at_a_threshold_s_time_alpha_is_there_and_at_a_crossing_both_are_equal(solved):
    ds, _, _ = solved
    time = ds["time"].values

    def at(name, quantity, when):
        """By a fourth of a power law between saves: rough, but of another kind."""
        values = ds[quantity].sel(paradigm=name, dynamics="closed-form").values
        return np.interp(np.log(when), np.log(time[1:]), values[1:])

    for name in ds["paradigm"].values:
        for threshold in ds["threshold"].values:
            when = float(ds["time_to_focus"].sel(paradigm=name, threshold=threshold))
            if np.isfinite(when):
                assert at(name, "alpha", when) == pytest.approx(threshold, abs=0.01)
            else:
                assert ds["alpha"].sel(paradigm=name, dynamics="closed-form")[-1] < threshold
    hard = ds["takes_lead"].sel(quantity="nu", paradigm="hard")
    for other in ("soft", "lvml"):
        when = float(hard.sel(other=other))
        assert at("hard", "nu", when) == pytest.approx(at(other, "nu", when), abs=0.01)
    assert np.isnan(hard.sel(other="hard"))


@pytest.mark.needs_x64
def test_orbits_keep_the_invariant_of_their_start_and_the_field_is_the_theory_s(solved):
    ds, _, _ = solved
    mu, nu = np.meshgrid(ds["at_mu"], ds["at_nu"])
    for name in ds["paradigm"].values:
        along, height = ds["orbit_mu"].values, ds["orbit_nu"].sel(paradigm=name).values
        climbed = focus_potential(height, 5) - focus_potential(height[:, :1], 5)
        expected = class_rise(name, along[:, :1], along, 4)
        np.testing.assert_allclose(climbed, expected, rtol=1e-12, atol=1e-12)
        field = theory.FIELDS[name](mu, nu, 5.0, 4.0)
        for component, expected in zip(("field_mu", "field_nu"), field, strict=True):
            np.testing.assert_array_equal(ds[component].sel(paradigm=name), expected)


@pytest.mark.needs_x64
def test_the_result_is_labelled_whole_and_heard_of_after_each_paradigm(solved, tmp_path):
    ds, told, kept = solved
    assert [one.done for one in told] == [2, 4, 6]
    assert {one.failed for one in told} == {0}
    assert [one.sizes["paradigm"] for one in kept] == [1, 2, 3]
    assert np.all(ds["status"] == Status.DONE)
    assert_labelled_and_kept(ds, tmp_path)


@pytest.mark.needs_x64
def test_what_is_found_of_a_small_size_is_what_the_theory_says(solved):
    said = findings(solved[0])
    # Early LVML > soft > hard; late hard > LVML > soft in nu (1 - alpha ~ C/(t log C) is less than
    # C^2/((C-1) t), and both than 2C/((C-1) log(t)^2)).
    orders = [sentence for sentence in said if sentence.startswith("nu at")]
    assert "lvml > soft > hard" in orders[0]
    assert "hard > lvml > soft" in orders[1]


def test_without_64_bits_it_is_refused():
    with jax.enable_x64(False), pytest.raises(InputError, match="runs in float64"):
        heard(experiment.run, SMALL)


def test_the_paper_scale_is_the_published_size():
    assert tuple(THEORY.scales) == SCALES
    paper = THEORY.scales["paper"]
    assert (paper.segments, paper.classes, paper.t_end, paper.points) == (100, 1000, 4e5, 4000)
    smoke = THEORY.scales["smoke"]
    assert (smoke.segments, smoke.classes, smoke.t_end) == (20, 20, 1e3)


@pytest.mark.parametrize(("name", "share"), [("soft", 0.2), ("hard", 1e-4), ("lvml", 1e-4)])
def test_the_late_law_is_the_limit_of_the_exact_identity(name, share):
    # 1/(1-alpha) = 1 + R(mu) + 1/(m-1) - nu; late, alpha mu (soft) or mu is log t, nu is log R.
    classes, segments, log_t = 5, 3, np.array([34.0])
    mu = log_t
    rise = {
        "soft": (classes - 1) / (2 * classes) * mu**2,
        "hard": np.exp(mu) * np.log(classes) / classes,
        "lvml": (classes - 1) / classes**2 * np.exp(mu),
    }[name]
    exact = 1 / (1 + rise + 1 / (segments - 1) - np.log((segments - 1) * rise))
    law = theory.leading_background(name, np.exp(log_t), segments=segments, classes=classes)
    assert law == pytest.approx(exact, rel=share)


def test_numbers_are_ends_distances_and_times_in_two_units():
    lines = numbers(example_theory())
    assert len({tuple(line) for line in lines}) == 1

    def value(paradigm, what, at=None):
        (line,) = (
            x
            for x in lines
            if (x["paradigm"], x["what"]) == (paradigm, what) and at in (None, x["at"])
        )
        return line

    assert value("hard", "nu")["value"] == pytest.approx(18.0)
    assert value("hard", "nu")["apart"] == pytest.approx(3e-10, rel=1e-3)
    assert value("lvml", "mu, early")["in_mC"] == pytest.approx(0.1, rel=0.1)
    assert value("hard", "time to alpha", 0.95)["value"] == pytest.approx(9.0 * UNIT)
    assert value("soft", "time to alpha", 0.95)["value"] is None
    assert value("soft", "1 - alpha")["value"] == pytest.approx(0.1)
    assert value("soft", "its law")["value"] == pytest.approx(0.05)
    assert value("soft", "its exponent")["value"] == pytest.approx(-1.0)
    assert value("hard", "takes the lead in nu", "lvml")["in_mC"] == pytest.approx(3.0)
    assert value("lvml", "takes the lead in nu", "hard")["value"] is None


def test_findings_say_who_leads_when_it_changes_and_how_late_laws_hold():
    said = findings(example_theory())
    assert said[0] == "Closed forms and ODE solver: mu and nu at most 3.0e-10 apart."
    assert "mu at 10 m C: lvml > soft ~ hard (~: equal to rounding): 11, 10, 10." in said
    assert "mu: nobody passes another before the end." in said
    assert "nu at 10 m C: hard > soft ~ lvml (~: equal to rounding): 18, 10, 10." in said
    assert "nu: hard takes the lead from soft at 2 m C (t = 40)." in said
    assert (
        "alpha passes 0.95: hard at 9 m C, soft not before the end, lvml not before the end."
        in said
    )
    assert (
        "soft: 1 - alpha is 0.1 at 10 m C, 2 times its leading law, and falls there as t^-1.00."
        in said
    )


def test_what_was_not_solved_is_said_and_left_out():
    said = findings(example_theory(failed={"hard": 1}))
    assert said[0].endswith("mu and nu at most 2.0e-10 apart; 1 were not solved.")
    said = findings(example_theory(failed={"hard": 0}))
    assert not [sentence for sentence in said if sentence.startswith("hard")]
    every = dict.fromkeys(("soft", "hard", "lvml"), 0)
    assert findings(example_theory(failed=every)) == []
    no_ode = dict.fromkeys(("soft", "hard", "lvml"), 1)
    assert findings(example_theory(failed=no_ode))[0].startswith("The ODE solver gave no answer")


def test_of_an_interrupted_run_what_it_got_to_is_drawn_and_said():
    half = example_theory().drop_dims(["quantity", "threshold", "start", "at_mu", "at_nu"])
    half = half.sel(paradigm=["soft"])
    assert [one.name for one in THEORY.figures(half)] == ["theory"]
    THEORY.figures(half)[0].draw()
    assert {line["what"] for line in numbers(half)} >= {"mu", "nu, early", "its law"}
    said = findings(half)
    assert not [sentence for sentence in said if "passes" in sentence]
    assert "mu at 10 m C: soft: 10." in said


@pytest.mark.slow
@pytest.mark.needs_x64
def test_the_smoke_command_solves_draws_and_prints_one_json_object(tmp_path):
    said = smoke("theory", tmp_path, ("theory", "late_focus", "portrait"))
    assert {tuple(line) for line in said["numbers"]} == {
        ("paradigm", "what", "at", "value", "in_mC", "apart")
    }
