"""What a person is told on a terminal: the table of results, findings in words, other tables."""

import re
from io import StringIO

import numpy as np
import pytest
import xarray as xr
from example_results import end, example_result
from rich.console import Console
from rich.table import Table

from jaxattn.analysis.claims import Claim
from jaxattn.analysis.findings import Finding, findings
from jaxattn.analysis.summary import summary
from jaxattn.core.contracts import Status
from jaxattn.terminal.tables import (
    MOST_LINES,
    claim_lines,
    doctor_table,
    numbers_table,
    results_table,
    sentences,
    theory_table,
)

PARADIGMS = ("soft", "hard", "lvml", "hybrid")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def drawn(table: Table) -> list[list[str]]:
    """The cells of a table as it is printed, row by row, the headings first."""
    printed = StringIO()
    Console(file=printed, width=200).print(table)
    rows = [line for line in printed.getvalue().splitlines() if re.match(r"[┃│]", line)]
    return [[cell.strip() for cell in re.split("[┃│]", row)[1:-1]] for row in rows]


def result(times: dict[str, float], end_focus: dict[str, float]) -> xr.Dataset:
    """A result at one rate in which each paradigm has these times to focus, NaN for never."""
    names = tuple(times)
    ds = example_result(paradigms=names, learning_rates=(0.05,), seeds=3)
    dims = ("paradigm", "dynamics", "learning_rate", "seed", "split")
    by_paradigm = np.asarray(list(times.values())).reshape(-1, 1, 1, 1, 1)
    shape = tuple(ds.sizes[dim] for dim in dims)
    ds["time_to_focus"] = (dims, np.broadcast_to(by_paradigm, shape).copy())
    for name, value in end_focus.items():
        ds["attention_foreground"].loc[{"paradigm": name, "save": ds.sizes["save"] - 1}] = value
    return ds


# --- results --------------------------------------------------------------------------------------


def test_the_table_has_the_paradigms_under_one_another_at_every_rate() -> None:
    ds = example_result(learning_rates=(0.02, 0.05))
    heading, *rows = drawn(results_table(summary(ds), ds))
    assert heading[:3] == ["learning rate", "paradigm", "seeds"]
    assert [row[:3] for row in rows] == [
        [rate, name, "6"] for rate in ("0.02", "0.05") for name in PARADIGMS
    ]


def test_the_table_shows_medians_on_test_data_under_the_paradigms_own_inference() -> None:
    ds = example_result(learning_rates=(0.05,))
    heading, *rows = drawn(results_table(summary(ds), ds))
    column = heading.index("accuracy %")
    for row in rows:
        name = row[heading.index("paradigm")]
        own = str(ds["natural_inference"].sel(paradigm=name).item())
        accuracy = ds["accuracy"].sel(paradigm=name, split="test", inference=own).isel(save=-1)
        low, median, high = np.quantile(accuracy.values.ravel(), (0.1, 0.5, 0.9))
        assert row[column] == f"{median:.1f} [{low:.1f}, {high:.1f}]"


def test_a_swept_temperature_has_a_column_of_its_own() -> None:
    ds = example_result(paradigms=("soft",), learning_rates=(0.05,), temperatures=(0.5, 1.0))
    heading, *rows = drawn(results_table(summary(ds), ds))
    assert heading[:2] == ["learning rate", "temperature"]
    assert [row[:2] for row in rows] == [["0.05", "0.5"], ["0.05", "1"]]


def test_seeds_that_never_get_there_are_counted_as_never() -> None:
    ds = result({"soft": 40.0, "hard": np.nan, "lvml": 2.5}, {})
    ds["time_to_focus"].loc[{"paradigm": "lvml", "seed": 2}] = np.nan
    heading, *rows = drawn(results_table(summary(ds), ds))
    column = heading.index("time to focus")
    shown = {row[heading.index("paradigm")]: row[column] for row in rows}
    assert shown == {
        "soft": "40.0 [40.0, 40.0]",
        "hard": "never (3 of 3)",
        "lvml": "2.5 [2.5, never]",
    }


def test_runs_that_failed_are_not_among_the_seeds_of_the_table() -> None:
    ds = example_result(paradigms=("soft", "hard"), learning_rates=(0.05,))
    ds = end(ds, Status.DIVERGED, paradigm="hard", seed=[1, 4])
    heading, *rows = drawn(results_table(summary(ds), ds))
    column = heading.index("seeds")
    assert [row[column] for row in rows] == ["6", "4"]
    assert not any("nan" in cell for row in rows for cell in row)


def test_a_result_without_one_good_run_still_has_a_table_and_findings() -> None:
    ds = end(example_result(learning_rates=(0.05,)), Status.DIVERGED)
    assert len(drawn(results_table(summary(ds), ds))) == 1
    (said,) = sentences(findings(ds))
    assert said.startswith("No training run of 24 finished, so nothing is said of them: ")


# --- findings -------------------------------------------------------------------------------------


def test_sentences_stand_under_their_setting() -> None:
    found = [
        Finding("learning rate 0.1", "accuracy", "soft ends most accurate.", True),
        Finding("learning rate 0.1", "loss", "soft ends with the lowest loss.", True),
        Finding("learning rate 0.1", "time_to_fit, attention_foreground", "No difference."),
        Finding("learning rate 0.2", "time_to_focus", "hard is first."),
        Finding("", "status", "1 of 9 training runs did not finish."),
    ]
    assert sentences(found) == [
        "Learning rate 0.1:",
        "  soft ends most accurate.",
        "  soft ends with the lowest loss.",
        "  No difference.",
        "Learning rate 0.2:",
        "  hard is first.",
        "1 of 9 training runs did not finish.",
    ]


def test_claims_are_told_by_name_with_their_verdict_and_why() -> None:
    claim = Claim("Soft fast", "Soft is fast.", "", "holds", "soft before hard: holds")
    first, *lines = claim_lines([claim, claim._replace(setting="temperature 2")])
    assert "paper's abstract" in first
    assert lines == [
        "  Soft fast: holds (soft before hard: holds).",
        "  Soft fast (temperature 2): holds (soft before hard: holds).",
    ]
    assert claim_lines([]) == []


# --- experiments ----------------------------------------------------------------------------------


def test_numbers_have_units_and_dashes_and_a_title_where_there_are_bands() -> None:
    ds = xr.Dataset({"loss": ((), 1.0, {"units": "nat"})})
    band = {"median": 1.23456, "low": 1.0, "high": 2.0}
    table = numbers_table([{"alpha": 0.5, "loss": band}, {"alpha": 1.0, "loss": None}], ds)
    assert "median [10 %, 90 %]" in str(table.title)
    assert drawn(table) == [
        ["alpha", "loss [nat]"],
        ["0.5", "1.23 [1, 2]"],
        ["1", "\N{EN DASH}"],
    ]
    assert numbers_table([{"alpha": 0.5}], ds).title is None
    assert table.caption is None


def test_a_long_table_of_numbers_ends_with_where_the_rest_is() -> None:
    table = numbers_table([{"line": at} for at in range(4096)], xr.Dataset())
    rows = drawn(table)
    assert [row[0] for row in rows[1:]] == [str(at) for at in range(MOST_LINES)]
    assert str(table.caption).startswith(f"The first {MOST_LINES} of 4096 lines; ")
    assert "report.html" in str(table.caption)
    assert "--json" in str(table.caption)


# --- the other commands ---------------------------------------------------------------------------


def test_the_table_of_theory_has_the_ends_of_every_path() -> None:
    path = {
        "t": [0.0, 4e5],
        "mu": [0.0, 12.5],
        "nu": [0.0, 8.25],
        "alpha": [0.01, 0.75],
        "beta": [0.001, 0.5],
        "invariant_drift": 3e-12,
    }
    table = theory_table({"paradigms": {"soft": path, "lvml": path}})
    assert str(table.title) == "at time 400000"
    ends = ["12.5", "8.25", "0.75", "0.5", "3.0e-12"]
    assert drawn(table)[1:] == [["soft", *ends], ["lvml", *ends]]
    compared = {"paradigms": {"soft": path | {"ode_vs_closed_form": 4e-10}}}
    assert drawn(theory_table(compared))[1:] == [["soft", *ends, "4.0e-10"]]


def test_the_table_of_doctor_says_failed_in_capitals() -> None:
    test = {"passed": False, "error": 1.0, "tolerance": 1e-7, "seconds": 0.5}
    found = {
        "python": "3.11.7",
        "versions": {"jax": "0.10.2"},
        "devices": ["cpu:cpu"],
        "default_precision": "float64",
        "compilation_cache": "off",
        "device": {
            "platform": "gpu",
            "kind": "NVIDIA A",
            "count": 2,
            "memory": 3 << 30,
            "float64": "yes",
            "matmul_precision": "highest",
        },
        "layout": {
            "rows_a_call": {"mlp": 128},
            "calls_at_once": 4,
            "workers": 1,
            "precision": "float32",
        },
        "self_test": test,
    }
    cells = dict(drawn(doctor_table(found)))
    assert cells["jax"] == "0.10.2"
    assert cells["device"] == "2 x gpu NVIDIA A, 3 GiB each for JAX"
    assert cells["rows a call"] == "up to 128 (mlp); 4 calls at once"
    assert cells["self-test"].startswith("FAILED: reduced system off its reference values by 1.0e")
    cells = dict(drawn(doctor_table({**found, "self_test": {**test, "passed": True}})))
    assert cells["self-test"].startswith("passed")
