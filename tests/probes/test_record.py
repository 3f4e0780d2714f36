import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, PRECISION, bags, hyper, jit, task_of

from jaxattn.core.contracts import Status
from jaxattn.models import linear
from jaxattn.probes.record import (
    Health,
    make_loss_probe,
    make_probe,
    part_names,
    row_status,
)
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.microbatch import gradient_in_pieces

TIME = np.arange(5, dtype=PRECISION)
NAN, INF = float("nan"), float("inf")


PATHS = pytest.mark.parametrize(
    ("objective", "status", "reached"),
    [
        ([1.0, 0.9, 0.8, 0.7, 0.6], Status.DONE, 4),
        ([1.0, 99.0, 99.0, 99.0, 99.0], Status.DONE, 4),
        ([1.0, 101.0, 1.0, 101.0, 1.0], Status.DONE, 4),
        ([1.0, 0.9, 0.8, 0.7, 101.0], Status.DONE, 4),
        ([1.0, 0.9, 101.0, 101.0, 0.1], Status.DIVERGED, 2),
        ([1.0, 0.9, 0.8, 101.0, 1e9], Status.DIVERGED, 3),
        ([1.0, 0.9, NAN, 0.7, 0.6], Status.DIVERGED, 1),
        ([1.0, 0.9, INF, 0.7, 0.6], Status.DIVERGED, 1),
        ([NAN, NAN, NAN, NAN, NAN], Status.DIVERGED, 0),
        ([0.0, 0.5, 0.4, 0.3, 0.2], Status.DONE, 4),
        ([1e-9, 0.5, 0.4, 0.3, 0.2], Status.DONE, 4),
        ([0.0, 0.5, 101.0, 101.0, 0.2], Status.DIVERGED, 2),
    ],
    ids=[
        "falling",
        "high, but below a hundred times the start",
        "above at single saves",
        "above at the last save alone",
        "above at two saves in a row",
        "above at the last two saves",
        "NaN",
        "infinite",
        "NaN from the start",
        "from 0",
        "from next to 0",
        "from 0 to far above 1",
    ],
)


@PATHS
def test_a_row_diverges_by_a_value_not_finite_or_by_two_saves_above_a_hundred_times_its_start(
    objective, status, reached
):
    params = {"focus": jnp.ones(2), "shared": {}}
    found, time = row_status(jnp.asarray(objective, PRECISION), jnp.asarray(TIME), params)
    assert found == status
    assert time == TIME[reached]


@PATHS
def test_health_says_after_every_save_how_a_row_ends_that_ends_there(objective, status, reached):
    params, health = {"focus": jnp.ones(2)}, Health.unknown(jnp.zeros((), PRECISION))
    path, time = jnp.asarray(objective, PRECISION), jnp.asarray(TIME)
    for save in range(len(TIME)):
        health = health.after(path[save], time[save])
        so_far = row_status(path[: save + 1], time[: save + 1], params)
        assert (health.status(params), health.reached) == so_far
    assert (health.status(params), health.reached) == (status, TIME[reached])


def test_a_row_whose_parameters_end_as_nan_has_diverged():
    params = {"focus": jnp.array([1.0, NAN]), "classify": jnp.ones(3)}
    found, _ = row_status(jnp.ones(5, PRECISION), jnp.asarray(TIME), params)
    assert found == Status.DIVERGED


def test_parts_are_those_that_hold_parameters():
    assert part_names({"shared": {}, "focus": jnp.ones(2), "classify": [jnp.ones(1)]}) == (
        "classify",
        "focus",
    )
    assert part_names([jnp.ones(2)]) == ("all",)


def test_splits_of_different_sizes_are_each_measured_alone(rng):
    splits = {"train": bags(rng, 7), "valid": bags(rng, 3), "test": bags(rng, 9)}
    model = linear(CLASSES, start="normal")
    problem = attention_problem(task_of(splits["train"]), model, "soft", precision=PRECISION)
    params = problem.init(jax.random.key(0), hyper())
    probe = jit(make_probe(problem, gradient_in_pieces(problem), False))
    now = (jnp.zeros((), PRECISION), jax.random.key(0), (), params)
    found, kept = probe(params, hyper(), splits, splits["train"], *now, {})
    assert kept is None
    measure = jit(problem.measure)
    for place, split in enumerate(("train", "valid", "test")):
        for name, value in measure(params, splits[split], hyper()).items():
            # Percentages: sums of nine numbers up to 100.
            np.testing.assert_allclose(
                found[name][place], value, rtol=0, atol=1e4 * EPS, err_msg=name
            )


@pytest.mark.parametrize("piece", [1, 3, 7, 20])
def test_a_gradient_taken_in_pieces_is_recorded_as_that_of_the_whole(piece, rng):
    batch = bags(rng, 7)
    model = linear(CLASSES, start="normal")
    whole = attention_problem(task_of(batch), model, "hard", precision=PRECISION)
    params, loads = whole.init(jax.random.key(0), hyper()), []

    def told(params, batch, *given):
        loads.append(batch.weight.shape[0])
        return whole.loss(params, batch, *given)

    def recorded(problem):
        of_loss = make_loss_probe(problem, gradient_in_pieces(problem))
        return of_loss(params, hyper(), batch, jnp.zeros(()), jax.random.key(0), (), None)

    pieces = recorded(whole._replace(loss=told, piece=piece))
    # No larger than asked for, so memory does not grow with the set that is measured.
    assert max(loads) <= piece
    for name, value in recorded(whole).items():
        # Sums over seven examples, in another order.
        np.testing.assert_allclose(pieces[name], value, rtol=7 * EPS * 10, err_msg=name)
