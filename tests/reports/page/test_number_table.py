"""Nested numbers as a table: columns, their units, and what is missing."""

import numpy as np
import pytest
import xarray as xr

from jaxattn.reports.page import has_bands, numbers_sheet

DASH = "\N{EN DASH}"
DS = xr.Dataset(
    {
        "loss": ("alpha", [1.0], {"units": "nat", "long_name": "loss L(alpha)"}),
        "loss_drop": ("alpha", [1.0], {"units": "nat/step"}),
        "accuracy": ("alpha", [1.0], {"units": "%"}),
        "share": ("alpha", [1.0], {"units": "1"}),
    },
    {"alpha": [0.5], "epoch": ("alpha", [3])},
)


def texts(*lines, most=10):
    sheet = numbers_sheet(lines, DS, most)
    return list(sheet.columns), [[one.text for one in row] for row in sheet.rows]


def test_a_dict_in_a_line_becomes_columns_and_its_band_one():
    loss = {"median": 1.25, "low": 1.0, "high": 1.5, "ceiling": 2.0}
    columns, rows = texts({"paradigm": "soft", "loss": loss, "seeds": 5})
    assert columns == ["paradigm", "loss [nat]", "loss: ceiling [nat]", "seeds"]
    assert rows == [["soft", "1.25 [1, 1.5]", "2", "5"]]
    assert has_bands([{"loss": loss}])
    assert not has_bands([{"loss": 1.0, "at": {"median": 1.0}}])


def test_dicts_are_taken_apart_at_any_depth():
    columns, rows = texts({"a": {"b": {"c_d": 1, "loss": 2.0}}})
    assert columns == ["a: b: c d", "a: b: loss [nat]"]
    assert rows == [["1", "2"]]


def test_a_unit_is_only_said_where_the_results_tell_it():
    band = {"median": 1.0, "low": 1.0, "high": 1.0}
    rest = {"peak": 1.0, "peak_epoch": 3, "seeds": 2, "p": 0.5}
    columns, _ = texts({"alpha": 0.5, "share": 0.1, "loss_drop": 1.0, "accuracy": {**band, **rest}})
    assert columns == [
        *("alpha", "share", "loss drop [nat/step]", "accuracy [%]", "accuracy: peak [%]"),
        *("accuracy: peak epoch", "accuracy: seeds", "accuracy: p"),
    ]


def test_long_names_stand_in_the_note_once():
    sheet = numbers_sheet([{"loss": 1.0, "alpha": 2.0}, {"loss": 1.0}], DS, 10)
    assert sheet.note == "loss: loss L(alpha)."


@pytest.mark.parametrize("missing", [None, np.nan, {"median": None, "low": None, "high": None}])
def test_what_is_missing_is_a_dash_and_sorted_last(missing):
    band = {"median": 1.0, "low": 0.5, "high": 2.0}
    sheet = numbers_sheet([{"loss": band}, {"loss": missing}, {}], DS, 10)
    assert sheet.columns == ["loss [nat]"]
    assert [row[0].text for row in sheet.rows] == ["1 [0.5, 2]", DASH, DASH]
    assert [row[0].by for row in sheet.rows] == [1.0, np.inf, np.inf]


def test_none_in_the_place_of_a_dict_makes_no_column_of_its_own():
    columns, rows = texts({"x": 1, "gap": {"peak": 2.0}}, {"x": 2, "gap": None})
    assert columns == ["x", "gap: peak"]
    assert rows == [["1", "2"], ["2", DASH]]


def test_a_line_with_other_keys_keeps_its_numbers_under_their_names():
    columns, rows = texts({"a": 1, "b": 2}, {"b": 3, "c": 4})
    assert columns == ["a", "b", "c"]
    assert rows == [["1", "2", DASH], [DASH, "3", "4"]]


def test_infinity_is_read_as_such():
    _, rows = texts({"a": np.inf, "b": -np.inf})
    assert rows == [["\N{INFINITY}", "\N{MINUS SIGN}\N{INFINITY}"]]


def test_a_long_table_says_how_much_of_it_is_shown_and_where_the_rest_is():
    lines = [{"a": at} for at in range(7)]
    sheet = numbers_sheet(lines, DS, 5, "more elsewhere.")
    assert [row[0].text for row in sheet.rows] == ["0", "1", "2", "3", "4"]
    assert sheet.note == "The first 5 of 7 lines; more elsewhere."
    assert numbers_sheet(lines, DS, 7, "more elsewhere.").note == ""
