"""Along gradient flow the loss falls by the integral of the squared gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_cases import RTOL, Case, even_times, settings
from helpers import CLASSES, bags, splits, task_of

from jaxattn.core.contracts import Status
from jaxattn.flow import LIMITS
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

BATCH = bags(np.random.default_rng(4))


def slow(name):
    return pytest.param(name, marks=pytest.mark.slow)


def _with_what_is_spent(context, params, origin):
    """Gradient flow, with the integral of ``g . P g`` in a place of its own."""
    made = LIMITS["flow"].equation(context, params, origin)

    def field(time, params):
        moves = made.field(time, params)
        gradient = context.gradient(time, params)
        terms = jax.tree.map(lambda g, v: -jnp.sum(g * v), gradient, moves)
        spent = sum(jax.tree.leaves({part: terms[part] for part in ("focus", "classify")}))
        return moves | {"shared": {"spent": spent}}

    return made._replace(field=field)


@pytest.mark.parametrize("paradigm", ["lvml", slow("soft"), slow("hard")])
def test_the_loss_falls_by_the_integral_of_the_squared_gradient_to_the_solvers_tolerance(paradigm):
    model = linear(CLASSES, start="normal")
    problem = attention_problem(task_of(BATCH), model, paradigm, precision="float64")
    case = Case(problem, splits(BATCH), even_times(8.0))
    # The second seed's focus model is three times as fast: each part counts at its own rate.
    hypers = settings([{"learning_rate": 0.5, "focus_rate": faster} for faster in (1.0, 3.0)])
    starts = case.starts([0, 1]) | {"shared": {"spent": jnp.zeros(2)}}
    limit = LIMITS["flow"]._replace(equation=_with_what_is_spent)
    found = case.solve(as_optimiser("sgd"), limit)(starts, hypers)
    assert np.all(found.status == Status.DONE)
    loss, spent = found.measures["objective"], found.params["shared"]["spent"]
    fallen = loss[:, :1] - loss
    assert np.all(fallen[:, -1] > 0.3)
    # Every step errs by RTOL of numbers of order one at most, and the flow downhill lets errors
    # grow by no more than a factor of a few: both sides are of order one.
    steps = found.work["steps"][:, None]
    assert np.all(np.abs(fallen - spent) <= 10 * RTOL * steps)
