"""Curves of a measure and of parameters: what lines are of, how they look, their scales."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from example_results import end, example_result
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from own_results import START, TARGETS, own_flows, own_result
from seen import legend, said

from jaxattn import plots
from jaxattn.core.contracts import InputError, Status

RATE = 0.1


@pytest.fixture(scope="module")
def own() -> xr.Dataset:
    return own_result()


@pytest.fixture(scope="module")
def one() -> xr.Dataset:
    return own_result(("deep",), seeds=3, limits=("flow",))


def known(ax: Axes) -> list[Line2D]:
    return [line for line in ax.lines if np.isfinite(line.get_ydata()).any()]


def middle(ds: xr.Dataset, measure: str, **at: Any) -> np.ndarray:
    return ds[measure].sel(learning_rate=RATE, **at).median("seed").values


def dashes(line: Line2D) -> Any:
    return line._unscaled_dash_pattern[1]


def test_a_line_is_the_median_of_a_problem_and_dynamics_and_its_band_the_seeds(
    own: xr.Dataset,
) -> None:
    ax = plots.curves(own)
    lines = iter(known(ax))
    for dynamics in ("train", "flow", "modified", "saxe"):
        for problem in ("shallow", "deep"):
            line, at = next(lines), {"paradigm": problem, "dynamics": dynamics}
            np.testing.assert_allclose(line.get_ydata(), middle(own, "objective", **at), rtol=1e-12)
            steps = own["step"].sel(learning_rate=RATE)
            np.testing.assert_array_equal(line.get_xdata(), steps)
    low = ax.collections[0].get_paths()[0].vertices[:, 1]
    values = own["objective"].sel(paradigm="shallow", dynamics="train", learning_rate=RATE)
    for share in (0.1, 0.9):
        assert set(values.quantile(share, "seed").values) <= set(low)
    assert said(ax).startswith("own data, learning rate 0.1 median and 10 to 90 % band over 4")


def test_colours_are_problems_and_each_dynamics_has_a_kind_of_line_that_the_legend_says(
    own: xr.Dataset,
) -> None:
    ax = plots.curves(own)
    by_kind = [known(ax)[at : at + 2] for at in range(0, 8, 2)]
    assert {tuple(line.get_color() for line in pair) for pair in by_kind} == {
        ("#0072B2", "#D55E00")
    }
    kinds = [str(dashes(pair[0])) for pair in by_kind]
    assert kinds[0] == "None"
    assert len(set(kinds)) == 4
    assert legend(ax) == [
        *("shallow", "deep"),
        *("training", "gradient flow", "modified flow", "theory: saxe"),
    ]


def test_training_alone_is_named_by_its_problems_and_a_flow_alone_is_full() -> None:
    assert legend(plots.curves(own_result(), dynamics="train")) == ["shallow", "deep"]
    ax = plots.curves(own_flows(("a", "b"), theory=False))
    assert legend(ax) == ["a", "b"]
    assert ax.get_xlabel() == "time"
    assert [dashes(line) for line in known(ax)] == [None, None]


def test_other_figures_of_a_flow_alone_are_of_the_flow_against_its_times() -> None:
    ds = own_flows(("a", "b"))
    ax = plots.learning(ds, measure="error")
    assert ax.get_xlabel() == "time"
    values = ds["error"].sel(paradigm="b", dynamics="flow", split="train").squeeze()
    np.testing.assert_allclose(known(ax)[1].get_ydata(), values.median("seed"), rtol=1e-12)
    points = plots.distribution(ds, measure="error")
    assert points.get_xlabel() == "problem"
    np.testing.assert_array_equal(
        points.lines[0].get_ydata(), ds["error"].isel(save=-1)[0, 0, 0, :, 0]
    )
    assert "at the end, time 1e+12" in said(points)
    with pytest.raises(InputError, match="unknown axis: got 'step', expected one of time"):
        plots.distribution(ds, measure="error", axis="step", at=3.0)
    assert "distribution_overlap" in [one.name for one in plots.gallery(ds)]


def test_figures_of_limits_leave_theories_out(own: xr.Dataset) -> None:
    orders = legend(plots.orders(own))
    assert [words.split(":")[0] for words in orders[:4]] == [
        *("shallow, flow", "deep, flow", "shallow, modified", "deep, modified")
    ]
    assert len(plots.distances(own).axes) == 4
    with pytest.raises(InputError, match="unknown limit: got 'saxe'"):
        plots.distance(own, limit="saxe")
    with pytest.raises(InputError, match="without continuous limits"):
        plots.distance(own_flows())


def test_what_a_theory_does_not_tell_is_not_in_the_legend(own: xr.Dataset) -> None:
    assert "theory: saxe" not in legend(plots.curves(own, "overlap"))
    assert "theory: saxe" in legend(plots.curves(own, "error"))
    assert len(known(plots.curves(own, "error", dynamics=["saxe"]))) == 1


def test_labels_of_a_measure_have_a_line_each_and_one_or_some_can_be_selected(
    one: xr.Dataset, own: xr.Dataset
) -> None:
    ax = plots.curves(one, "modes", dynamics="train")
    assert legend(ax) == ["mode 0", "mode 1", "mode 2"]
    for mode, line in enumerate(known(ax)):
        at = {"paradigm": "deep", "dynamics": "train", "split": "test", "mode": mode}
        np.testing.assert_allclose(line.get_ydata(), middle(one, "modes", **at), rtol=1e-12)
    assert "deep" in said(ax)
    single = plots.curves(own, "modes", mode=1, dynamics="train")
    assert legend(single) == ["shallow", "deep"]
    assert "learning rate 0.1, mode 1, test split" in said(single)
    some = plots.curves(own, "modes", mode=[0, 2], paradigm="deep", dynamics="train")
    assert legend(some) == ["mode 0", "mode 2"]
    assert len({line.get_color() for line in known(plots.curves(own, "modes"))}) == 6


def test_a_list_of_rates_splits_or_rules_has_a_line_each_and_the_title_leaves_them_out(
    own: xr.Dataset,
) -> None:
    ax = plots.curves(own, learning_rate=[0.05, 0.1], paradigm="deep", dynamics="train")
    assert legend(ax) == ["learning rate 0.05", "learning rate 0.1"]
    assert "learning rate" not in said(ax)
    ends = [line.get_xdata()[-1] for line in known(ax)]
    assert ends == [160, 80]
    assert "learning rate 0.05" in said(plots.curves(own, learning_rate=0.05))
    both = plots.curves(own, "error", split=["train", "test"], dynamics="train")
    assert legend(both) == ["shallow, train", "deep, train", "shallow, test", "deep, test"]
    seed = plots.curves(own, seed=2, dynamics="train", paradigm="deep")
    at = {"paradigm": "deep", "dynamics": "train", "seed": 2, "learning_rate": RATE}
    np.testing.assert_array_equal(known(seed)[0].get_ydata(), own["objective"].sel(at))
    assert "1 seed" in said(seed)
    attention = example_result(("soft",))
    ax = plots.curves(attention, "accuracy", inference="average-output", split="train")
    values = attention["accuracy"].sel(inference="average-output", split="train", paradigm="soft")
    values = values.sel(learning_rate=0.05, dynamics="train").median("seed")
    np.testing.assert_allclose(known(ax)[0].get_ydata(), values, rtol=1e-12)
    assert "train split, answers by average-output" in said(ax)


def test_curves_of_training_are_those_of_learning() -> None:
    ds = end(example_result(), Status.DIVERGED, paradigm="hard", seed=1)
    for measure in ("objective", "accuracy"):
        ours, theirs = plots.curves(ds, measure), plots.learning(ds, measure=measure)
        for line, other in zip(ours.lines, theirs.lines, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), other.get_xydata())
            assert line.get_color() == other.get_color()
        assert "left out 1 of 24 runs: 1 diverged" in said(ours)


@pytest.mark.parametrize(
    ("ask", "scales"),
    [
        (lambda: plots.curves(own_result()), ("linear", "linear")),
        (lambda: plots.curves(own_result(), log="x"), ("log", "linear")),
        (lambda: plots.curves(own_result(), log="xy"), ("log", "log")),
        # Falls by nine decades, at saves in equal steps.
        (lambda: plots.curves(own_result(), log="auto"), ("linear", "log")),
        # Rises from 1e-3 to 3: where it ends can be read.
        (lambda: plots.curves(own_result(), "modes", log="auto"), ("linear", "linear")),
        (lambda: plots.curves(own_flows(), log="auto"), ("log", "log")),
        (lambda: plots.curves(own_flows(), "modes", log="auto"), ("log", "linear")),
        (lambda: plots.parameters(own_flows(), "W", log="auto"), ("log", "linear")),
        (lambda: plots.curves(example_result(), "accuracy", log="auto"), ("linear", "linear")),
    ],
)
def test_axes_are_logarithmic_where_that_is_asked_or_decades_ask_for_it(
    ask: Callable[[], Axes], scales: tuple[str, str]
) -> None:
    ax = ask()
    assert (ax.get_xscale(), ax.get_yscale()) == scales
    for line in known(ax):
        x, y = line.get_xdata(), line.get_ydata()
        assert scales[0] == "linear" or (x > 0).all()
        assert scales[1] == "linear" or not (y <= 0).any()


@pytest.mark.parametrize(
    ("values", "is_log"),
    [
        (1e-2 ** np.linspace(0, 1, 9), True),
        (2e-2 ** np.linspace(0, 1, 9), False),
        (1e-4 ** np.linspace(1, 0, 9), False),
        (np.linspace(1, -1, 9), False),
        (np.linspace(1, 0, 9), False),
        ([1, 0.1, 0.01, 1e-3, 0, 0, 0, 0, 0], True),
        ([1, -1e-9, 0.01, 1e-3, 0, 0, 0, 0, 0], False),
        ([np.nan] * 9, False),
    ],
)
def test_a_curve_is_logarithmic_where_its_end_would_lie_flat_on_a_linear_axis(
    values: Any, is_log: bool
) -> None:
    ds = own_result(("deep",), (RATE,), 1, saves=9, limits=(), theory=False)
    ds["objective"][:] = np.asarray(values)
    ax = plots.curves(ds, log="auto")
    assert ax.get_yscale() == ("log" if is_log else "linear")


@pytest.mark.parametrize(
    ("times", "is_log"),
    [
        (np.linspace(0, 1000, 41), False),
        (np.linspace(0, 30, 41) ** 2, False),
        (np.geomspace(1, 90, 41), False),
        (np.geomspace(1, 110, 41), True),
        (np.concatenate([[0], np.geomspace(1, 1e4, 40)]), True),
    ],
)
def test_time_is_logarithmic_where_saves_are_spaced_over_more_than_two_decades(
    times: np.ndarray, is_log: bool
) -> None:
    ds = own_flows(saves=41)
    ds = ds.assign_coords(time=("save", times))
    assert plots.curves(ds, log="auto").get_xscale() == ("log" if is_log else "linear")


def test_a_matrix_is_drawn_by_its_singular_values_and_a_vector_by_its_entries(
    one: xr.Dataset,
) -> None:
    ax = plots.parameters(one, "W", dynamics="train")
    assert legend(ax) == ["value 1", "value 2", "value 3"]
    assert ax.get_ylabel() == "singular values of W"
    for mode, line in enumerate(known(ax)):
        at = {"paradigm": "deep", "dynamics": "train", "split": "test", "mode": mode}
        np.testing.assert_allclose(line.get_ydata(), middle(one, "modes", **at), atol=1e-12)
    assert known(ax)[0].get_ydata()[-1] == pytest.approx(TARGETS[0], rel=1e-3)
    assert known(ax)[0].get_ydata()[0] == pytest.approx(START * 1.3)
    entries = plots.parameters(one, "bias", dynamics="train")
    assert legend(entries) == ["[0]", "[1]", "[2]", "[3]"]
    at = {"paradigm": "deep", "dynamics": "train", "bias_0": 2}
    np.testing.assert_array_equal(known(entries)[2].get_ydata(), middle(one, "params.bias", **at))


def test_parameters_can_be_shown_otherwise_and_selected_along_their_own_axes(
    one: xr.Dataset,
) -> None:
    norm = plots.parameters(one, "params.W", show="norm", dynamics="train")
    values = np.sqrt((one["params.W"] ** 2).sum(["W_0", "W_1"]))
    expected = values.sel(learning_rate=RATE, dynamics="train", paradigm="deep").median("seed")
    np.testing.assert_allclose(known(norm)[0].get_ydata(), expected, rtol=1e-12)
    row = plots.parameters(one, "W", W_0=1, dynamics="train")
    assert legend(row) == ["[0]", "[1]", "[2]"]
    entry = plots.parameters(one, "W", W_0=1, W_1=0, dynamics="train")
    at = {"paradigm": "deep", "dynamics": "train", "W_0": 1, "W_1": 0}
    np.testing.assert_array_equal(known(entry)[0].get_ydata(), middle(one, "params.W", **at))
    rates = plots.parameters(one, "bias", show="norm", learning_rate=[0.05, 0.1], dynamics="train")
    assert legend(rates) == ["learning rate 0.05", "learning rate 0.1"]


def test_several_parameters_are_drawn_by_their_norms_and_the_only_one_by_itself(
    one: xr.Dataset,
) -> None:
    assert legend(plots.parameters(one, dynamics="train")) == ["W", "bias"]
    ax = plots.parameters(one.drop_vars("params.bias"), dynamics="train")
    assert ax.get_ylabel() == "singular values of W"
    bare = one.drop_vars("params.bias").rename({"params.W": "params"})
    assert plots.parameters(bare, dynamics="train").get_ylabel() == "singular values of params"


def test_rows_without_numbers_have_no_singular_values(one: xr.Dataset) -> None:
    lost = end(one, Status.DIVERGED, seed=1)
    ax = plots.parameters(lost, "W", dynamics="train")
    assert np.isfinite(known(ax)[0].get_ydata()).all()
    assert "2 seeds; left out 3 of 9 runs: 3 diverged" in said(ax)


def test_a_problem_with_less_of_a_parameter_than_others_is_drawn_by_what_it_has() -> None:
    ds = own_result(limits=(), theory=False)
    # The columns of the matrix are its modes.
    ds["params.W"].loc[{"paradigm": "shallow", "W_1": 2}] = np.nan
    ends = {line.get_label(): line.get_ydata()[-1] for line in known(plots.parameters(ds, "W"))}
    shallow = [ends[f"shallow, value {place}"] for place in (1, 2, 3)]
    np.testing.assert_allclose(shallow, [3, 2, 0], atol=1e-3)
    norms = {line.get_label(): line.get_ydata()[-1] for line in known(plots.parameters(ds))}
    np.testing.assert_allclose(norms["shallow, W"], np.hypot(3, 2), atol=1e-3)
    assert len(known(plots.parameters(ds, "W", show="entries", W_0=0))) == 5


def many(ds: xr.Dataset) -> xr.Dataset:
    """Twelve labels of a measure."""
    spread = ds["error"].expand_dims(unit_of=np.arange(12)).transpose(..., "unit_of")
    return ds.assign(error=spread, phase=1j * ds["error"])


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (
            lambda ds: plots.curves(ds, "modse"),
            "unknown measure: got 'modse'.*did you mean 'modes'",
        ),
        (lambda ds: plots.curves(ds, mod=1), "unknown axis of the result: got 'mod'.*'mode'"),
        (lambda ds: plots.curves(ds, "modes", mode=7), "mode: got 7, expected one of 0, 1, 2"),
        (lambda ds: plots.curves(ds, learning_rate=0.2), "learning_rate: got 0.2.*0.05, 0.1"),
        (lambda ds: plots.curves(ds, split="tset"), "unknown split: got 'tset'.*'test'"),
        (lambda ds: plots.curves(ds, dynamics="flwo"), "unknown dynamics: got 'flwo'.*'flow'"),
        (lambda ds: plots.curves(ds, log="yx"), "unknown log: got 'yx'"),
        (lambda ds: plots.curves(ds, axis="epoch"), "unknown axis: got 'epoch'"),
        (lambda ds: plots.curves(own_flows(), axis="step"), "unknown axis: got 'step'.*time"),
        (
            lambda ds: plots.curves(many(ds), "error"),
            r"'error' with 12 lines.*at most 10; select some, as in unit_of=\[0, 1, 2\]",
        ),
        (
            lambda ds: plots.curves(
                many(ds), "error", unit_of=[0, 1, 2, 3], split=["train", "test"]
            ),
            None,
        ),
        (lambda ds: plots.curves(many(ds), "phase"), r"'phase', which is no real number.*abs\(ds"),
        (lambda ds: plots.parameters(ds, "V"), "unknown parameter: got 'V'.*W, bias"),
        (lambda ds: plots.parameters(ds, "W", show="norms"), "unknown show: got 'norms'.*'norm'"),
        (
            lambda ds: plots.parameters(ds, "bias", show="singular values"),
            "singular values of 'bias', an array of 1 axes, expected two",
        ),
        (
            lambda ds: plots.parameters(ds.drop_vars(["params.W", "params.bias"])),
            r"without kept parameters.*keep=\(\"W\",\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_would_do(
    ask: Callable[[xr.Dataset], Axes], words: str | None, own: xr.Dataset
) -> None:
    if words is None:
        assert len(legend(ask(own))) == 16 + 4
        return
    with pytest.raises(InputError, match=words):
        ask(own)
