"""Rates of parts: one function for training, its limits and curvature."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.core.part_rates import rate_scale, scaled_by_part
from jaxattn.training.optimisers import as_optimiser

PARAMS = {"shared": {}, "focus": jnp.ones(2), "classify": {"kernel": jnp.ones((2, 3))}}
HYPER = {"learning_rate": jnp.asarray(0.5), "focus_rate": jnp.asarray(3.0)}


def test_a_step_of_training_is_the_scale_that_curvature_and_limits_have() -> None:
    scale = rate_scale(PARAMS, HYPER)
    np.testing.assert_array_equal(scaled_by_part(PARAMS, HYPER)["focus"], scale["focus"])
    rule = as_optimiser("sgd").make(HYPER, lambda count: HYPER["learning_rate"])
    update, _ = rule.update(PARAMS, rule.init(PARAMS), PARAMS)
    np.testing.assert_array_equal(update["focus"], -0.5 * scale["focus"])
    np.testing.assert_array_equal(update["classify"]["kernel"], -0.5 * np.ones((2, 3)))


@pytest.mark.parametrize("params", [{"classify": jnp.ones(2)}, PARAMS | {"focus": {}}, jnp.ones(3)])
@pytest.mark.parametrize("ask", [scaled_by_part, rate_scale])
def test_the_rate_of_a_part_that_is_not_there_is_refused_in_one_line(ask, params) -> None:
    with pytest.raises(InputError, match="focus_rate: got parameters without a part 'focus'"):
        ask(params, HYPER)
    assert ask(params, {"learning_rate": jnp.asarray(0.5)}) is not None
