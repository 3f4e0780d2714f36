"""Measures of a person's own of what one example looks like to attention."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, PRECISION, bags, hyper, jit, task_of

import jaxattn
from jaxattn.core.contracts import InputError
from jaxattn.models import linear
from jaxattn.problems.attention import entropy
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.own_measures import read_measures, with_measures

BATCH = bags(np.random.default_rng(1), 5)


def spread(view, example):
    return entropy(view.log_attention)


def shares(view, example):
    return jnp.exp(view.log_attention)


def test_a_measure_of_views_is_their_mean_by_weight():
    bare = attention_problem(
        task_of(BATCH), linear(CLASSES, start="normal"), "soft", precision=PRECISION
    )
    weight = np.array([1, 0, 2, 1, 0], PRECISION)
    batch = BATCH._replace(weight=weight)
    problem = with_measures(bare, read_measures({"spread": spread, "shares": shares}))
    params = bare.init(jax.random.key(0), hyper())
    own = jit(problem.measure_split)(params, batch, hyper())
    known = jit(bare.measure)(params, batch, hyper())
    np.testing.assert_allclose(own["spread"], known["attention_entropy"], rtol=10 * EPS)
    shown = known["attention_shown"][:4]
    expected = sum(w * np.nan_to_num(row) for w, row in zip(weight[:4], shown, strict=True)) / 4
    np.testing.assert_allclose(own["shares"], expected, rtol=20 * EPS)


def test_a_problem_without_attention_has_no_views():
    alone = jaxattn.problem(
        lambda key, hyper: {"w": jnp.zeros(())}, lambda params, batch: jnp.sum(params["w"] ** 2)
    )
    with pytest.raises(InputError, match="which has no attention to see"):
        with_measures(alone, read_measures({"spread": spread}))
