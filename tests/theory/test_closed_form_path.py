import numpy as np
import pytest

from jaxattn import theory
from jaxattn.core.contracts import InputError, Status
from jaxattn.theory.closed_form_path import exact_path

pytestmark = pytest.mark.needs_x64

TIMES = np.append(0.0, np.geomspace(1e-3, 1e4, 40))
SIZE = {"segments": 5.0, "classes": 3.0}


@pytest.mark.slow
def test_what_is_read_off_a_path_is_that_of_its_state_and_of_the_paradigm_in_force():
    switch = 30.0
    path = exact_path("hybrid", TIMES, **SIZE, switch_time=switch)
    state = theory.trajectory("hybrid", TIMES, **SIZE, switch_time=switch)
    assert path.status == Status.DONE
    np.testing.assert_array_equal(path.time, TIMES)
    np.testing.assert_array_equal(path.mu, state.mu)
    np.testing.assert_array_equal(path.nu, state.nu)
    np.testing.assert_allclose(path.attention, theory.attention(state.nu, 5.0), rtol=1e-15)
    np.testing.assert_allclose(path.right_class, theory.right_class(state.mu, 3.0), rtol=1e-15)
    soft, hard = (theory.LOSSES[name](*state, 5.0, 3.0) for name in ("soft", "hard"))
    expected = np.where(switch > TIMES, soft, hard)
    np.testing.assert_allclose(path.loss, expected, rtol=1e-14)
    assert np.max(np.abs(np.subtract(soft, hard))) > 1e-2
    # Each part keeps its own invariant; that of the whole would have jumped.
    assert path.invariant_drift < 1e-14
    one = theory.invariant("hard", *state, 5.0, 3.0)
    assert np.max(np.abs(one - one[0])) > 1e-2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"paradigm": "hrad"}, "did you mean 'hard'"),
        ({"switch_time": 2e4, "paradigm": "hybrid"}, r"bad switch_time: got 20000, .*\[0, 10000\]"),
        ({"paradigm": "hybrid"}, "switch_time: got None for hybrid"),
        ({"classes": 1}, "bad classes: got 1"),
        ({"times": np.array([1.0, -1.0])}, "bad times: got -1"),
    ],
)
def test_bad_requests_name_argument_value_and_range(given, message):
    asked = {"paradigm": "soft", "times": TIMES, **SIZE, **given}
    with pytest.raises(InputError, match=message):
        exact_path(asked.pop("paradigm"), asked.pop("times"), **asked)
