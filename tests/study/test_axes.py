"""Axes: what is written for one, and the values it means."""

from decimal import Decimal

import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.study.axes import MOST, Axis
from jaxattn.study.checks import shown
from jaxattn.study.values import read_axis


def values(name, asked):
    (column,) = read_axis(name, asked).columns
    assert column[0] == name
    return column[1]


def drawn(asked, count=6, seed=0):
    axis = read_axis("draw", {"random": asked, "count": count, "seed": seed})
    return dict(axis.columns)


def test_a_list_is_the_values_and_one_value_a_list_of_one():
    assert values("segments", [5, 10]) == (5, 10)
    assert values("paradigm", "soft") == ("soft",)
    assert values("learning_rate", np.asarray([0.5, 1.0])) == (0.5, 1.0)


def test_a_range_holds_both_ends_and_equal_steps_as_they_are_written():
    assert values("a", {"range": [0.5, 2.0], "count": 4}) == (0.5, 1.0, 1.5, 2.0)
    tenths = tuple(at / 10 for at in range(1, 24))
    assert values("a", {"range": [0.1, 2.3], "count": 23}) == tenths
    assert values("a", {"range": [3.0, -1.0], "count": 3}) == (3.0, 1.0, -1.0)


def test_a_log_range_holds_both_ends_and_every_power_between_exactly():
    assert values("a", {"log": [0.001, 100.0], "count": 6}) == (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
    found = values("a", {"log": [0.01, 1.0], "count": 5})
    np.testing.assert_allclose(np.diff(np.log(found)), np.log(100) / 4, rtol=1e-14)


def test_a_value_of_a_log_range_is_the_nearest_double_of_the_exact_one():
    found = values("a", {"log": [2.0, 3.0], "count": 8})
    for at, value in enumerate(found):
        exact = Decimal(2) * (Decimal(3) / Decimal(2)) ** (Decimal(at) / 7)
        neighbours = (np.nextafter(value, 0), value, np.nextafter(value, 9))
        assert min(neighbours, key=lambda one: abs(Decimal(float(one)) - exact)) == value


def test_a_range_between_integers_is_one_of_integers_where_all_are():
    assert values("segments", {"range": [2, 10], "count": 5}) == (2, 4, 6, 8, 10)
    assert all(type(v) is int for v in values("train", {"log": [64, 4096], "count": 7}))
    assert values("train", {"log": [64, 4096], "count": 4}) == (64, 256, 1024, 4096)
    assert values("a", {"range": [0, 1], "count": 3}) == (0.0, 0.5, 1.0)
    assert type(values("a", {"range": [0.0, 2.0], "count": 3})[1]) is float


def test_seeds_are_counted_from_zero_or_from_the_first():
    assert values("seed", {"count": 3}) == (0, 1, 2)
    assert values("seed", {"count": 2, "first": 2**32 - 2}) == (2**32 - 2, 2**32 - 1)
    assert values("seed", [7, 3]) == (7, 3)


def test_zipped_names_move_together_whatever_their_order():
    axis = read_axis("size", {"zip": {"width": [32, 64], "classes": {"range": [3, 6], "count": 2}}})
    assert axis == read_axis("size", {"zip": {"classes": [3, 6], "width": [32, 64]}})
    assert axis.names == ("classes", "width")
    assert axis.is_joint
    assert len(axis) == 2
    assert axis.at(1) == {"classes": 6, "width": 64}


def test_draws_lie_in_their_range_and_log_draws_in_theirs():
    found = drawn({"a": {"range": [-1.0, 3.0]}, "b": {"log": [1e-3, 1e3]}, "c": ["x", "y"]}, 2000)
    assert all(-1 <= value <= 3 for value in found["a"])
    assert all(1e-3 <= value <= 1e3 for value in found["b"])
    # Six standard deviations of the mean of 2000 uniform draws, and of as many coins.
    six = 6 / np.sqrt(2000)
    assert abs(np.mean(found["a"]) - 1) < six * 4 / np.sqrt(12)
    assert abs(np.mean(np.log(found["b"]))) < six * np.log(1e6) / np.sqrt(12)
    assert abs(found["c"].count("x") / 2000 - 0.5) < six * 0.5


def test_another_column_and_a_larger_count_change_no_draw_that_was_there():
    before = drawn({"b": {"log": [1e-3, 1.0]}}, 5)
    after = drawn({"a": {"range": [0, 1]}, "b": {"log": [1e-3, 1.0]}, "c": {"range": [0, 1]}}, 9)
    assert after["b"][:5] == before["b"]
    assert after["a"] != after["c"]


def test_another_seed_draws_other_values_and_the_same_seed_the_same():
    asked = {"a": {"range": [0.0, 1.0]}}
    assert drawn(asked, seed=1) != drawn(asked, seed=2)
    assert drawn(asked, seed=1) == drawn(asked, seed=1)


def test_draws_are_those_of_numpys_generator_on_the_stream_of_seed_and_name():
    # SHA-256 of "a" in words of 32 bits, written out: the stream is a promise.
    words = [0xCA978112, 0xCA1BBDCA, 0xFAC231B3, 0x9A23DC4D, 0xA786EFF8, 0x147C4E72, 0xB9807785]
    words = [int.from_bytes(word.to_bytes(4, "big"), "little") for word in [*words, 0xAFEE48BB]]
    stream = np.random.Generator(np.random.PCG64([7, *words]))
    assert drawn({"a": {"range": [0.0, 1.0]}}, seed=7)["a"] == tuple(stream.random(6).tolist())


REFUSALS = {
    "nothing": ("a", [], "got no values"),
    "no zip": ("a", {"zip": {}}, "expected a table of names"),
    "a list to zip": ("a", {"zip": [1, 2]}, "expected a table of names"),
    "zipped lengths": ("z", {"zip": {"a": [1, 2], "b": [1]}}, "2 of a, 1 of b"),
    "a repeated value": ("a", [1, 2, 1], "got 1 twice"),
    "a repeated point": ("z", {"zip": {"a": [1, 1], "b": [2, 2]}}, "got 1, 2 twice"),
    "numbers among names": ("a", [1, "x"], "got names and numbers"),
    "a list of lists": ("a", [[1], [2]], "got [1], expected a value"),
    "infinity": ("a", [float("inf")], "finite"),
    "an endless integer": ("a", [10**400], "within 2**53"),
    "a key too many": ("a", {"range": [0, 1], "cuont": 2}, "did you mean 'count'"),
    "a misspelt zip": ("a", {"zipp": {"a": [1]}}, "did you mean 'zip'"),
    "no count": ("a", {"range": [0, 1]}, "count: got none"),
    "a count of zero": ("a", {"log": [1, 2], "count": 0}, "count: got 0"),
    "a count of one between two ends": ("a", {"range": [0, 1], "count": 1}, "at least 2"),
    "a count that is true": ("a", {"range": [0, 1], "count": True}, "count: got True"),
    "both ranges": ("a", {"range": [0, 1], "log": [1, 2], "count": 2}, "one of range and log"),
    "neither range": ("a", {"count": 2}, "one of range and log"),
    "one end": ("a", {"range": [0], "count": 2}, "two finite numbers"),
    "an end that is a word": ("a", {"range": [0, "1"], "count": 2}, "two finite numbers"),
    "an end that is true": ("a", {"range": [0, True], "count": 2}, "two finite numbers"),
    "an end at infinity": ("a", {"range": [0, float("inf")], "count": 2}, "two finite numbers"),
    "an endless end": ("a", {"range": [0, 10**400], "count": 2}, "two finite numbers"),
    "a log range from zero": ("a", {"log": [0.0, 1.0], "count": 2}, "ends above 0"),
    "a log range below zero": ("a", {"log": [-2, -1], "count": 2}, "ends above 0"),
    "equal ends": ("a", {"range": [1, 1], "count": 2}, "got 1 twice"),
    "a million and one": ("seed", {"count": MOST + 1}, f"from 1 to {MOST}"),
    "seeds beyond the last": ("seed", {"count": 2, "first": 2**32 - 1}, "first: got"),
    "a number of seeds": ("seed", 8, "expected a list of seeds or {count = n}"),
    "a drawn count of none": ("a", {"random": {"b": {"range": [0, 1]}}}, "count: got none"),
    "a count inside a draw": (
        "a",
        {"random": {"b": {"range": [0, 1], "count": 3}}, "count": 3},
        "got the key 'count'",
    ),
    "a draw of nothing": ("a", {"random": {"b": []}, "count": 3}, "at least one to draw from"),
    "a negative seed of draws": (
        "a",
        {"random": {"b": {"range": [0, 1]}}, "count": 3, "seed": -1},
        "seed: got -1",
    ),
    "a name in two lines": ("a\nb", [1], "letters, digits and underscores"),
    "a name with a slash": ("z", {"zip": {"a/b": [1]}}, "letters, digits and underscores"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_no_axis_is_refused_in_one_line_that_says_so(case):
    name, asked, words = REFUSALS[case]
    with pytest.raises(InputError) as refused:
        read_axis(name, asked)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_cannot_move_with_itself():
    with pytest.raises(InputError, match="got a name twice"):
        Axis("z", (("a", (1,)), ("a", (2,))))


def test_a_message_quotes_a_long_value_shortly_and_in_one_line():
    for value in (list(range(10**5)), "x" * 10**5, 10**400, {"a": {"b": list(range(99))}}, "a\nb"):
        assert len(shown(value)) < 200
        assert "\n" not in shown(value)
