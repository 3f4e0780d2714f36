"""The critical learning rate: exact of made-up distances, and as `compare` has it of real ones."""

from collections.abc import Iterator

import numpy as np
import pytest
from helpers import compiled_quickly

import jaxattn
from jaxattn.analysis.limit_gaps import departures
from jaxattn.core.contracts import InputError, Paradigm
from jaxattn.models import linear
from jaxattn.problems.paradigms import soft
from jaxattn.run import critical_rate as loop
from jaxattn.tasks import orthogonal, orthogonal_population

pytestmark = pytest.mark.needs_x64

TASK = orthogonal_population(classes=3, segments=4)
MODEL = linear(3, start="normal")
ASKED = {"model": MODEL, "length": 8.0, "seeds": 2, "vary": "init", "saves": 9, "limit": "flow"}
TOLERANCE = 0.02


def found(tolerance: float = TOLERANCE, **asked):
    given = {"low": 0.05, "high": 4.0, "width": 0.02, **ASKED, **asked}
    return jaxattn.critical_rate(given.pop("task", TASK), tolerance=tolerance, **given)


# --- real runs


@pytest.fixture(scope="module")
def table() -> Iterator:
    with compiled_quickly():
        yield found()


@pytest.mark.slow
def test_training_stays_within_at_one_end_of_the_bracket_and_leaves_at_the_other(table) -> None:
    assert (table["status"] == "done").all()
    assert table["seed"].tolist() == [0, 1]
    assert (table["left"] / table["within"] <= 1.02).all()
    assert (table["share_within"] < TOLERANCE).all()
    assert (table["share_left"] >= TOLERANCE).all()
    assert (table["own_error"] < TOLERANCE / 1e6).all()
    np.testing.assert_array_equal(table["steps"], np.round(8.0 / table["within"]))
    # As a comparison has it of the rates of one seed.
    ends = [table["left"][1], table["within"][1]]
    with compiled_quickly():
        ds = jaxattn.compare(
            *(TASK, MODEL, "soft", {"learning_rate": ends}, [1]),
            steps=round(8.0 / ends[0]),
            vary="init",
            against="flow",
            curvature=0,
        )
    left = departures(ds, "flow", TOLERANCE).squeeze()
    assert np.isfinite(left.sel(learning_rate=ends[0]))
    assert np.isnan(left.sel(learning_rate=ends[1]))


@pytest.mark.slow
def test_half_the_tolerance_is_half_the_rate_as_the_flow_is_followed_to_order_one(table) -> None:
    with compiled_quickly():
        half, quarter = found(TOLERANCE / 2), found(TOLERANCE / 4)
    for more, less in ((table, half), (half, quarter)):
        ratio = more["within"] / less["within"]
        assert (ratio > 1).all()
        # The distance goes as the rate times 1 + c rate, and c from the shares there are: what is
        # left is c squared, and the width of two brackets.
        slope = np.log(more["share_within"] / less["share_within"]) / np.log(ratio)
        expected = 2 ** (1 / slope)
        np.testing.assert_allclose(ratio, expected, rtol=0.05)
        np.testing.assert_allclose(ratio, 2, rtol=0.15)


@pytest.mark.slow
def test_everything_is_compiled_once_whatever_the_number_of_rates() -> None:
    traced: list[int] = []

    def counted(*arguments):
        traced.append(1)
        return soft.loss(*arguments)

    def traces(width: float) -> int:
        traced.clear()
        own = Paradigm("counted", lambda *arguments: counted(*arguments))
        with compiled_quickly():
            found(paradigm=own, width=width, flow_solver="tsit5", seeds=1)
        return len(traced)

    assert traces(10.0) == traces(0.3) > 0


@pytest.mark.slow
def test_far_beyond_the_edge_of_stability_there_is_a_critical_rate_too() -> None:
    bags = orthogonal(classes=3, segments=4, train=24)
    with compiled_quickly():
        table = found(0.5, task=bags, low=2.0, high=400.0, length=2000.0)
        rate = float(table["within"].min())
        ds = jaxattn.compare(
            *(bags, MODEL, "soft"),
            {"learning_rate": [rate]},
            1,
            steps=2,
            curvature=1,
            precision="float64",
            batch_size="all",
        )
    product = rate * float(ds["sharpness"].isel(save=0).squeeze())
    assert product > 2
    assert (table["left"] > table["within"]).all()


# --- made-up distances: a share that grows as the rate over a threshold of each seed's own


class MadeUp:
    """Rows whose distance is the tolerance at the thresholds, to a power."""

    thresholds = np.asarray([0.3, 0.7])
    power, own, lost = 1.0, 1e-9, -1
    asked: list[float]

    def __init__(self, study, limit) -> None:
        del study, limit
        self.seeds = np.asarray([0, 1])
        type(self).asked = []

    def shares(self, rates):
        self.asked.append(float(rates[0]))
        shares = TOLERANCE * (rates / self.thresholds) ** self.power
        return np.where(self.seeds == self.lost, np.nan, shares)

    def own_errors(self, rates):
        return np.full(rates.shape, self.own)

    def steps(self, rates):
        return np.round(8 / rates)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch):
    def make(**changed):
        kind = type("Changed", (MadeUp,), changed)
        monkeypatch.setattr(loop, "_Rows", kind)
        return kind

    return make


@pytest.mark.parametrize("width", [1.0, 0.1, 1e-3])
def test_each_seed_has_the_bracket_of_its_own_threshold(made_up, width: float) -> None:
    made_up()
    brackets = []
    table = found(width=width, on_bracket=brackets.append)
    assert (table["within"] < MadeUp.thresholds).all()
    assert (MadeUp.thresholds <= table["left"]).all()
    assert (table["left"] / table["within"] - 1 <= width * (1 + 1e-12)).all()
    # In the logarithm the width is halved each time, and no more often than needed.
    total = brackets[0].total
    assert [each.number for each in brackets] == list(range(total + 1))
    assert total == np.ceil(np.log2(np.log(80) / np.log(1 + width)))
    widths = [np.log(each.left / each.within) for each in brackets]
    np.testing.assert_allclose(widths, np.log(80) / 2.0 ** np.arange(total + 1)[:, None] + [0, 0])


def test_a_rate_at_exactly_the_tolerance_has_left(made_up) -> None:
    made_up(thresholds=np.sqrt([0.05 * 4.0] * 2))
    table = found(width=10.0)
    np.testing.assert_allclose(table["left"], np.sqrt(0.2))
    np.testing.assert_array_equal(table["within"], 0.05)


def test_a_seed_whose_limit_is_not_solved_has_no_bracket_and_spoils_no_other(made_up) -> None:
    made_up(lost=1)
    table = found()
    assert table["status"].tolist() == ["done", "solver_failed"]
    assert table.loc[1, ["within", "left", "share_left", "steps"]].isna().all()
    assert table.loc[0, "within"] < 0.3 <= table.loc[0, "left"]


REFUSED = {
    "low: got 0.05, at which training of seed 1 leaves (0.05": {"thresholds": [0.3, 0.02]},
    "high: got 4, at which training of seed 0 stays within (0.008": {"thresholds": [10.0, 0.3]},
    "tolerance: got 0.02, expected at least 10 times the own error of flow, 3.0e-03": {"own": 3e-3},
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_no_bracket_is_refused_in_one_line(made_up, said: str) -> None:
    made_up(**{name: np.asarray(value) for name, value in REFUSED[said].items()})
    with pytest.raises(InputError) as caught:
        found()
    assert str(caught.value).startswith(said)
    assert "expected" in str(caught.value)
    assert str(caught.value).count("; ") == 1
    assert "\n" not in str(caught.value)


WRONG = {
    "tolerance: got 0": {"tolerance": 0.0},
    "tolerance: got": {"tolerance": float("nan")},
    "low: got -1": {"low": -1.0},
    "high: got 0.05, expected a learning rate above low, 0.05": {"high": 0.05},
    "width: got 0": {"width": 0.0},
    "length: got 0.04, expected one of two steps": {"length": 0.04},
    "limit: got 'sde', expected one without noise": {"limit": "sde"},
    "unknown limit: got 'flwo'": {"limit": "flwo"},
    "hypers: got learning_rate": {"hypers": {"learning_rate": 0.1}},
    "hypers: got temperature = (1.0, 2.0), expected a number": {
        "hypers": {"temperature": (1.0, 2.0)}
    },
    "critical_rate: got the argument 'tolerence'": {"tolerence": 0.1},
    "saves: got 1": {"saves": 1},
}


@pytest.mark.parametrize("said", WRONG)
def test_what_cannot_be_asked_is_refused_before_anything_runs(made_up, said: str) -> None:
    made_up()
    MadeUp.asked = []
    with pytest.raises(InputError) as caught:
        found(**{"tolerance": TOLERANCE, **WRONG[said]})
    assert str(caught.value).startswith(said), str(caught.value)
    assert MadeUp.asked == []


def test_the_largest_rate_makes_the_length_in_whole_steps(made_up) -> None:
    # 8 / 3 is no whole number: three steps of 8 / 3.
    kind = made_up()
    found(high=3.0)
    assert kind.asked[1] == pytest.approx(8 / 3)
    found(high=4.0)
    assert kind.asked[1] == pytest.approx(4.0)


def test_time_is_the_optimisers(made_up) -> None:
    # With momentum 0.5 a step at rate 1 is of time 2: a length of 8 takes four.
    kind = made_up()
    found(high=1.1, low=0.05, limit="modified", optimiser="momentum", hypers={"momentum": 0.5})
    assert kind.asked[1] == pytest.approx(1.0)


def test_it_needs_float64(made_up) -> None:
    del made_up
    import jax

    with jax.enable_x64(False), pytest.raises(InputError, match="float64"):
        found()
