import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.tasks.arguments import as_int, as_list, bag_length, class_count


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_python_and_numpy_become_python_ints(value):
    assert type(as_int("size", value, low=3)) is int
    assert as_int("size", value, low=3) == 3


@pytest.mark.parametrize("value", [2, -1, 3.0, np.float64(3), float("nan"), True, "3", None, (3,)])
def test_what_is_no_integer_or_too_small_is_refused(value):
    with pytest.raises(InputError, match=r"size: got .*, expected an integer >= 3; use 3 or more"):
        as_int("size", value, low=3)


@pytest.mark.parametrize(
    ("check", "name", "why"),
    [(bag_length, "segments", "nothing to focus on"), (class_count, "classes", "to predict")],
)
def test_two_segments_and_two_classes_are_the_least(check, name, why):
    assert check(2) == 2
    with pytest.raises(InputError, match=f"{name}: got 1, expected an integer >= 2 .*{why}"):
        check(1)


def test_several_values_come_as_a_list_of_python_values():
    assert as_list("foreground", (1, "a")) == [1, "a"]
    assert as_list("foreground", iter([1, 2])) == [1, 2]
    (value,) = as_list("foreground", np.array([7]))
    assert type(value) is int


@pytest.mark.parametrize("value", [3, "cat", b"cat", None])
def test_one_value_where_several_belong_is_refused(value):
    with pytest.raises(InputError, match=r"foreground: got .*, expected several values; write"):
        as_list("foreground", value)
