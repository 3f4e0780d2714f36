"""The phase experiment: that its times and leaders are those of the theory, and what is said."""

import jax
import numpy as np
import pytest
from example_phase import CONFIG, example_phase
from experiment_runs import assert_labelled_and_kept, heard, smoke
from helpers import compiled_quickly
from potentials_by_quadrature import class_rise, focus_potential

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.precision import x64_is_on
from jaxattn.experiments.phase import experiment as phase
from jaxattn.experiments.phase import maps
from jaxattn.experiments.phase.experiment import PAIRS, PHASE, Phase, leaders
from jaxattn.experiments.phase.findings import findings, numbers
from jaxattn.reports.experiment import SCALES

SMALL = Phase(points=3, high=1e4)
LOOKS = 48  # as many times as the run asks for at once, so that its programs serve here


@pytest.fixture(scope="module")
def mapped():
    """Sizes 2, 141 and 10^4: what takes its time is to compile three paradigms."""
    if not x64_is_on():
        pytest.skip("needs float64")
    with compiled_quickly():
        yield heard(phase.run, SMALL)


def padded(times):
    return np.repeat(times[..., None], LOOKS, axis=-1)


def at_times(name, times):
    turn = maps.turn_of(SMALL.switch, SMALL.sizes, LOOKS)
    return maps.states(name, padded(times), SMALL.sizes, turn).nu[..., 0]


@pytest.mark.needs_x64
@pytest.mark.parametrize("name", maps.PARADIGMS)
def test_at_the_time_to_focus_the_attention_is_the_threshold(mapped, name):
    ds, _, _ = mapped
    segments = SMALL.sizes[:, None]
    for threshold in SMALL.thresholds:
        times = ds["time_to_focus"].sel(paradigm=name, threshold=threshold).values
        alpha = 1 / (1 + (segments - 1) * np.exp(-at_times(name, times)))
        there = np.maximum(threshold, 1 / segments)  # two segments start with a half
        # Time and mu are right to 3e-14 and 2e-14 max(1, kappa), where kappa, the slope of log mu
        # in log t, is below 1e4 here.
        np.testing.assert_allclose(alpha, np.broadcast_to(there, alpha.shape), rtol=1e-9)


@pytest.mark.needs_x64
@pytest.mark.parametrize(
    ("name", "limit"),
    [("soft", np.sqrt(np.pi / 2)), ("hard", np.sqrt(np.pi / 2)), ("lvml", np.e - 2)],
)
def test_of_large_sizes_the_time_to_focus_is_the_blow_up_time_of_their_limit(mapped, name, limit):
    # With s = t/(m C): mu' = e^nu, nu' = mu e^nu, and under LVML mu' = e^(mu+nu),
    # nu' = (e^mu - 1) e^nu. What is left out is of order log(m)/m and 1/C, both below 1e-3.
    times = mapped[0]["time_to_focus"].sel(paradigm=name).isel(segments=-1, classes=-1)
    np.testing.assert_allclose(times.sel(threshold=0.5), limit, rtol=3e-3)


@pytest.mark.needs_x64
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_where_one_takes_the_lead_both_have_the_same_nu_and_it_leads_soon_after(mapped, one, other):
    ds, _, _ = mapped
    times = ds["takes_lead"].sel(pair=f"{one} over {other}").values
    known = np.isfinite(times)
    assert known.any()
    times = np.where(known, times, 1.0)
    mine, others = at_times(one, times), at_times(other, times)
    # A straight line over one of 47^5 parts of three decades, where nu takes off.
    np.testing.assert_allclose(mine[known], others[known], rtol=1e-9)
    for late in (1.01, 3.0, 100.0):
        assert np.all((at_times(one, late * times) > at_times(other, late * times))[known])


@pytest.mark.needs_x64
def test_the_hybrid_is_soft_up_to_its_switch_and_on_a_hard_orbit_after(mapped):
    turn = maps.turn_of(SMALL.switch, SMALL.sizes, LOOKS)
    times = np.broadcast_to(np.geomspace(0.1, 10.0, LOOKS), (3, 3, LOOKS))
    before = times < SMALL.switch
    hybrid, soft = (maps.states(name, times, SMALL.sizes, turn) for name in ("hybrid", "soft"))
    np.testing.assert_array_equal(hybrid.nu[before], soft.nu[before])
    m, c = SMALL.sizes[:, None, None], SMALL.sizes[:, None]
    mu0, nu0 = (leaf[..., None] for leaf in turn.state)
    climbed = focus_potential(hybrid.nu, m) - focus_potential(nu0, m)
    expected = class_rise("hard", mu0, hybrid.mu, c)
    # Both grow like e^nu and keep 12 digits of it, and of what they started from.
    scale = focus_potential(hybrid.nu, m) + 1
    assert np.all(np.abs(climbed - expected)[~before] <= 1e-12 * scale[~before])


@pytest.mark.needs_x64
def test_leaders_are_those_of_the_numbers_beside_them(mapped):
    ds, _, _ = mapped
    three = ds.sel(paradigm=["soft", "hard", "lvml"])
    found = ds["largest_attention"].sel(among="three")
    np.testing.assert_array_equal(found, np.argmax(three["nu"].values, axis=0))
    found = ds["first_to_focus"].sel(among="three").values
    times = three["time_to_focus"].values
    np.testing.assert_array_equal(found, np.where(times[0] > 0, np.argmin(times, axis=0), -1))


@pytest.mark.needs_x64
def test_the_hybrid_leads_only_once_it_is_one(mapped):
    ds, _, _ = mapped
    hybrid = list(maps.PARADIGMS).index("hybrid")
    assert SMALL.switch == SMALL.horizons[0]
    all_of = ds["largest_attention"].sel(among="all")
    assert not np.any(all_of.sel(horizon=1.0) == hybrid)
    assert np.any(all_of.sel(horizon=3.0) == hybrid)


@pytest.mark.needs_x64
def test_the_result_is_labelled_whole_and_heard_of_after_each_paradigm(mapped, tmp_path):
    ds, told, kept = mapped
    assert [one.done for one in told] == [9, 18, 27, 36]
    assert {one.failed for one in told} == {0}
    assert [one.sizes["paradigm"] for one in kept] == [1, 2, 3, 4]
    assert np.all(ds["status"] == Status.DONE)
    assert_labelled_and_kept(ds, tmp_path)


def test_without_64_bits_it_is_refused():
    with jax.enable_x64(False), pytest.raises(InputError, match="runs in float64"):
        heard(phase.run, SMALL)


def test_every_scale_is_a_finer_map_of_the_same_sizes():
    assert tuple(PHASE.scales) == SCALES
    assert [one.points for one in PHASE.scales.values()] == [16, 48, 128]
    for one in PHASE.scales.values():
        np.testing.assert_allclose(one.sizes[[0, -1]], [2.0, 1e6])


def test_leaders_are_the_largest_or_smallest_and_ties_are_nobodys():
    values = np.array([[1.0, 2.0, np.nan, 3.0], [2.0, 2.0, 1.0, np.nan], [0.0, 1.0, 0.0, np.nan]])
    assert leaders(values, largest=True).tolist() == [1, -1, 1, 0]
    assert leaders(values, largest=False).tolist() == [2, 2, 2, 0]
    assert leaders(np.full((3, 1), np.nan), largest=True).tolist() == [-1]
    assert leaders(np.array([[1.0], [1.0 + 1e-12]]), largest=False).tolist() == [-1]


def test_numbers_are_ranges_over_the_map_and_shares_of_it():
    lines = numbers(example_phase())
    assert len({tuple(line) for line in lines}) == 1
    assert len(lines) == 4 * 2 + 4 * 2 + 3
    (line,) = (
        x for x in lines if (x["what"], x["at"], x["paradigm"]) == ("time to focus", 0.5, "lvml")
    )
    assert (line["low"], line["high"]) == pytest.approx(
        (1 + 1 / np.sqrt(200 * CONFIG.sizes[-2]), 7.0)
    )
    assert line["leads_three"] == line["leads_all"] == pytest.approx(35 / 36)
    (pair,) = (x for x in lines if x["paradigm"] == "hybrid over lvml")
    assert pair["leads_three"] == pytest.approx(30 / 36)
    hybrid = [x for x in lines if x["paradigm"] == "hybrid"]
    assert all(x["leads_three"] is None for x in hybrid)


def test_findings_say_who_leads_on_how_much_of_the_map_and_when_the_lead_changes():
    said = findings(example_phase())
    assert said[0] == (
        "largest attention at 1 m C, among soft, hard and lvml: lvml on 97.2 %, a tie on 2.8 % of "
        "the map."
    )
    assert said[4].startswith("first to an attention of 0.5, among soft, hard and lvml: lvml on 97")
    assert "hard takes the lead in attention from soft for the last time at 2.0" in said[8]
    assert said[8].endswith("everywhere on the map.")
    assert said[10].endswith("on 83.3 % of the map.")
    assert said[11].startswith("soft: an attention of 0.5 takes 3.")
    assert len(said) == 4 + 4 + 3 + 8


def test_findings_do_not_round_a_little_to_nothing_nor_nearly_all_to_all():
    ds = example_phase(Phase(points=40, thresholds=(0.5,), horizons=(1.0,)))
    assert "lvml on more than 99.9 %, a tie on less than 0.1 % of the map" in findings(ds)[0]


def test_what_is_not_known_takes_no_part():
    ds = example_phase(failed=("lvml",))
    assert np.all(ds["first_to_focus"].isel(segments=0).sel(among="three", threshold=0.5) == 1)
    never = ds.assign(takes_lead=ds["takes_lead"] * np.nan)
    assert "hard never takes the lead from soft on the map." in findings(never)
    lost = ds.assign(time_to_focus=ds["time_to_focus"] * np.nan)
    assert "soft: an attention of 0.5 takes an unknown number of m C." in findings(lost)


def test_of_an_interrupted_run_what_it_got_to_is_drawn_and_said():
    half = example_phase().drop_dims(["among", "pair"]).sel(paradigm=["soft"])
    drawn = PHASE.figures(half)
    assert [one.name for one in drawn] == ["time_to_focus_0.5", "time_to_focus_0.9"]
    drawn[0].draw()
    assert {line["what"] for line in numbers(half)} == {"time to focus", "attention"}
    said = findings(half)
    assert len(said) == 2
    assert said[0].startswith("soft: an attention of 0.5 takes 3.")


@pytest.mark.slow
@pytest.mark.needs_x64
def test_the_smoke_command_solves_draws_and_prints_one_json_object(tmp_path):
    times = ("time_to_focus_0.5", "time_to_focus_0.9", "time_to_focus_0.99")
    said = smoke("phase", tmp_path, ("leaders", "first_to_focus", "lead_times", *times))
    assert {tuple(line) for line in said["numbers"]} == {
        ("what", "at", "paradigm", "low", "median", "high", "leads_three", "leads_all")
    }
