"""The solved paths against what is known to 50 digits, and their derivatives."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit
from theory import oracle

from jaxattn import theory
from jaxattn.core.contracts import Status
from jaxattn.reduced import solve_reduced

pytestmark = pytest.mark.needs_x64

LATEST = 1e9
NAMES = ("time", "segments", "classes", "switch_time", "mu", "nu", "kappa")


@lru_cache
def columns(paradigm):
    """The oracle's points of one paradigm up to LATEST, column by column."""
    rows = [row for row in oracle.read() if row["paradigm"] == paradigm]
    table = {name: np.array([float(row[name] or 0) for row in rows]) for name in NAMES}
    early = table["time"] <= LATEST
    return {name: column[early] for name, column in table.items()}


def at(paradigm, rtol=1e-12):
    """The end of the path of one row of the oracle."""

    def end(time, segments, classes, switch_time):
        switch = {"switch_time": switch_time} if paradigm == "hybrid" else {}
        times = jnp.stack([jnp.zeros_like(time), time])
        return solve_reduced(
            paradigm, times, segments=segments, classes=classes, **switch, rtol=rtol
        )

    return end


def held_against_the_oracle(paradigm, table):
    # Not compiled as a whole, so that what is compiled of it serves every paradigm.
    run = jax.vmap(at(paradigm))(*(table[name] for name in NAMES[:4]))
    assert np.all(run.status == Status.DONE)
    for name in ("mu", "nu"):
        wrong = np.abs(getattr(run, name)[:, 1] - table[name]) / table[name]
        # Asked for: 1e-8.
        assert np.max(wrong / np.maximum(1.0, table["kappa"])) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("paradigm", sorted(oracle.POINTS))
def test_the_path_is_that_of_the_oracle(paradigm):
    held_against_the_oracle(paradigm, columns(paradigm))


@pytest.mark.slow
@pytest.mark.parametrize("paradigm", [*sorted(theory.FIELDS), "hybrid"])
def test_the_whole_path_is_that_of_the_closed_form(paradigm, rng):
    m, c = 10 ** rng.uniform(np.log10(2.0), 6.0, (2, 300))
    m[:4], c[:4] = [2.0, 2.0, 1e6, 1e6], [2.0, 1e6, 2.0, 1e6]
    switch = np.minimum(m * c * 10 ** rng.uniform(-2.0, 1.0, 300), 0.9 * LATEST)
    times = np.append(0.0, np.geomspace(1e-6, LATEST, 100))

    @jax.vmap
    def both(m, c, switch):
        given = {"switch_time": switch} if paradigm == "hybrid" else {}
        run = solve_reduced(paradigm, times, segments=m, classes=c, **given, rtol=1e-12)
        exact = theory.trajectory(paradigm, times, segments=m, classes=c, **given)
        names = ("soft", "hard") if paradigm == "hybrid" else (paradigm,)
        speeds = jnp.stack([theory.FIELDS[name](*exact, m, c)[0] for name in names])
        speed = jnp.max(speeds, axis=0)
        return run, exact, times * speed

    run, exact, rise = jit(both)(m, c, switch)
    assert np.all(run.status == Status.DONE)
    for name in ("mu", "nu"):
        value = np.asarray(getattr(exact, name))[:, 1:]
        kappa = np.maximum(1.0, np.asarray(rise)[:, 1:] / np.asarray(exact.mu)[:, 1:])
        wrong = np.abs(np.asarray(getattr(run, name))[:, 1:] - value) / value
        assert np.max(wrong / kappa) < 2e-10  # asked for: 1e-8
