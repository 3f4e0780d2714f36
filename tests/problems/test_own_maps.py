"""Attention maps of one's own: plain functions that declare hyperparameters, or draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import PRECISION, bags, hyper, jit, task_of

from jaxattn.core.contracts import InputError
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.log_attention import log_of
from jaxattn.problems.paradigms import as_paradigm
from jaxattn.problems.sparse_maps import entmax_of
from jaxattn.study.settings import Settings
from jaxattn.study.study import resolve_settings

BATCH = bags(np.random.default_rng(1), 6)
TASK = task_of(BATCH)

# ---- a plain function with hyperparameters of its own


def own_entmax(scores, example, hyper):
    real = jnp.where(example.mask, scores, -jnp.inf)
    return log_of(entmax_of(real, hyper["order"]))


def test_a_plain_function_that_declares_what_it_reads_is_swept_as_the_map_that_ships(monkeypatch):
    monkeypatch.setattr(own_entmax, "hypers", {"order": 1.5}, raising=False)
    losses = []
    for name, attention in (("entmax_alpha", "entmax"), ("order", own_entmax)):
        problem = attention_problem(TASK, linear(3, start="normal"), "soft", attention, PRECISION)
        assert [(spec.name, spec.default) for spec in problem.hypers] == [(name, 1.5)]
        params = problem.init(jax.random.key(0), hyper())

        def loss(at, problem=problem, params=params, name=name):
            settings = hyper() | {name: at}
            return problem.loss(params, BATCH, settings, jnp.zeros(()), None, ())[0]

        swept = jnp.asarray([1.2, 1.5, 2], PRECISION)
        losses.append(jit(jax.vmap(jax.value_and_grad(loss)))(swept))
    # Traced: the derivative by it is another one at each value.
    assert np.unique(losses[0][1]).size == 3
    np.testing.assert_array_equal(losses[0], losses[1])


def test_what_a_plain_function_reads_undeclared_or_asks_unread_is_refused():
    def reads_other(*given):
        return own_entmax(*given)

    with pytest.raises(InputError, match=r"'reads_other': got hyper\['order'\] read, which no"):
        attention_problem(TASK, linear(3), "soft", reads_other, PRECISION)
    reads_other.hypers = {"order": 1.5}
    with pytest.raises(InputError, match=r"got 'ordre', expected one of .*order"):
        resolve_settings(
            Settings(
                TASK,
                model=linear(3),
                attention=reads_other,
                paradigms="soft",
                hypers={"ordre": 2, "learning_rate": 0.1},
            )
        )


# ---- a map that draws


def drawing(scores, example, hyper, key):
    noise = 0 if key is None else jax.random.gumbel(key, scores.shape, scores.dtype)
    return jax.nn.log_softmax(jnp.where(example.mask, scores + noise, -jnp.inf))


def test_a_map_that_takes_a_key_draws_for_every_example_and_is_measured_without():
    problem = attention_problem(TASK, linear(3, start="normal"), "soft", drawing, PRECISION)
    plain = attention_problem(TASK, linear(3, start="normal"), "soft", "softmax", PRECISION)
    problem.verify()
    assert problem.stochastic
    assert not plain.stochastic
    params = problem.init(jax.random.key(0), hyper())
    of_seeds = jit(lambda key: problem.loss(params, BATCH, hyper(), hyper()["alpha"], key, ())[0])
    losses = {float(of_seeds(jax.random.key(seed))) for seed in range(3)}
    assert len(losses) == 3
    measured, expected = (jit(one.measure)(params, BATCH, hyper()) for one in (problem, plain))
    np.testing.assert_array_equal(measured["attention_shown"], expected["attention_shown"])
    alike = jax.tree.map(lambda leaf: np.stack([leaf[0]] * 6), BATCH)
    seen = []

    def loss(log_attention, values, read, label, context):
        seen.append(context.key)
        return log_attention[0], log_attention[0]

    apart = as_paradigm(loss)._replace(
        init=lambda params: jnp.zeros((), PRECISION),
        update=lambda state, aux, weight: jnp.std(aux),
    )
    each = attention_problem(TASK, linear(3), apart, drawing, PRECISION)
    state = each.state(params)
    _, spread = each.loss(params, alike, hyper(), hyper()["alpha"], jax.random.key(0), state)
    assert spread > 0.1
    assert seen[-1] is None


def test_a_map_that_cannot_do_without_its_key_is_refused():
    def always(scores, example, hyper, key):
        return jax.nn.log_softmax(scores + jax.random.normal(key, scores.shape, scores.dtype))

    with pytest.raises(InputError, match="without a key too, as when it is measured"):
        attention_problem(TASK, linear(3), "soft", always, PRECISION)


def test_a_fourth_argument_with_a_default_of_its_own_is_no_key():
    def warm(scores, example, hyper, temperature=2.0):
        return jax.nn.log_softmax(scores / temperature)

    assert not attention_problem(TASK, linear(3), "soft", warm, PRECISION).stochastic
