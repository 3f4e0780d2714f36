import numpy as np
import pytest

from jaxattn.core.arrays import as_array
from jaxattn.core.contracts import InputError

WHOLE = np.arange(6.0).reshape(2, 3)
HOLED = np.ma.masked_array(WHOLE, mask=WHOLE == 4)


@pytest.mark.parametrize("values", [HOLED, [HOLED, WHOLE], [1.0, np.ma.masked, 2.0], (HOLED[1],)])
def test_what_is_masked_out_is_refused_and_not_read(values: object) -> None:
    with pytest.raises(InputError, match=r"^X: got a masked array with 1 entries missing, expect"):
        as_array("X", values)


@pytest.mark.parametrize("values", [WHOLE, np.ma.masked_array(WHOLE), [1, 2], [np.ma.array(WHOLE)]])
def test_what_is_whole_is_a_plain_array(values: object) -> None:
    array = as_array("X", values)
    assert type(array) is np.ndarray
    np.testing.assert_array_equal(array, np.asarray(values))
