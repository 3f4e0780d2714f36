"""What does a sharpness cost, in gradients of the same loss? On the whole learning set."""

import jax
import jax.numpy as jnp
import pytest
from cases import LINEAR, MLP, start_of

from jaxattn.probes.curvature import DEPTH, sharpness
from jaxattn.probes.position import position
from jaxattn.problems.data import everything

PARADIGM, ROUNDS, GRADIENTS = "soft", 5, 20


@pytest.mark.parametrize("case", [LINEAR, MLP], ids=lambda case: case.name)
def test_sharpness(case, in_turn):
    batch, problem = everything(case.data(), "float32"), case.problem(PARADIGM)
    params = start_of(case, PARADIGM)
    hyper = {"temperature": jnp.float32(1)}

    def loss(params):
        return problem.loss(params, batch, hyper, jnp.float32(0), None, ())[0]

    ones = jax.tree.map(jnp.ones_like, params)
    one_gradient = jax.jit(jax.grad(loss))
    curve = jax.jit(lambda params: sharpness().measure(loss, params, hyper, ones))
    place = jax.jit(lambda params: position().measure(loss, params, hyper, ones))

    def gradients():
        for _ in range(GRADIENTS):
            jax.block_until_ready(one_gradient(params))

    def at_once(measure):
        return lambda: jax.block_until_ready(measure(params))

    gradients(), at_once(curve)(), at_once(place)()
    in_turn(
        at_once(curve),
        {"a gradient": (gradients, GRADIENTS), "a position": (at_once(place), 1)},
        units=1,
        rounds=ROUNDS,
        question="curvature",
        case=case.name,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
        examples=batch.weight.shape[0],
        depth=DEPTH,
    )
