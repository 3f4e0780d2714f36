"""What is measured has the axes that its labels say."""

import numpy as np
import pytest

from jaxattn.core.contracts import InputError, MeasureSpec
from jaxattn.probes.measured import check_measured

SPECS = (
    MeasureSpec("single"),
    MeasureSpec("table", ("row", "column"), (("a", "b"), (1, 2, 3))),
    MeasureSpec("free", ("coordinate",)),
)


def test_axes_as_labelled_pass_and_so_does_what_has_no_label_or_is_not_there():
    check_measured("mine", SPECS, {"single": np.float32(1), "free": np.zeros(7)})
    check_measured("mine", SPECS, {"table": np.zeros((2, 3)), "other": np.zeros((1, 2, 3))})
    check_measured("mine", (), {})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"single": np.zeros(1)}, r"mine, measure 'single': got shape \(1,\), expected \[\]"),
        ({"table": np.zeros((3, 2))}, r"got shape \(3, 2\), expected \[row = 2, column = 3\]"),
        ({"table": np.zeros(2)}, r"got shape \(2,\), expected \[row = 2, column = 3\]"),
        ({"free": np.zeros((2, 2))}, r"got shape \(2, 2\), expected \[coordinate\]"),
        ({"free": None}, r"got NoneType, expected \[coordinate\]"),
        ([1, 2], "mine: got list from its measure, expected a dictionary"),
    ],
)
def test_other_axes_are_refused_with_both_shapes(found, words):
    with pytest.raises(InputError, match=words):
        check_measured("mine", SPECS, found)
