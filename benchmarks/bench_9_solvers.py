"""What does our gradient flow cost beside a loop written by hand, and which solver needs least?

Overhead: `make_flow` and a Tsit5 in a `lax.while_loop` (`tsit5.py`) from one start to one end, on
the same gradients, by the same rules for the first and every other step. Work: gradient evaluations
and time until the parameters at the end are right to 1e-6, for every solver in plain and log time.
"""

import time
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tsit5 import tsit5

from jaxattn.core.contracts import Splits, Status
from jaxattn.core.streams import streams
from jaxattn.flow import make_flow
from jaxattn.integrate import integrate
from jaxattn.integrate.step_size import first_step, pi_control
from jaxattn.models import MODELS, linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.data import everything, head
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.tasks import TASKS
from jaxattn.training.optimisers import as_optimiser

RATE = 0.05
# Examples of the learning set, and training steps whose time the flow runs for.
OVERHEAD = {"linear": (1000, 20_000), "mlp": (256, 20)}
RTOL, ATOL, ROUNDS = 1e-6, 1e-8, 7
HAND = "hand-written Tsit5"

# Few and short: at 1e-11 every kink of the ReLU that an example passes costs dozens of rejections,
# and at time 0.06 the path of the larger net begins to slide along one: none converges from there.
EXAMPLES, STEPS, GOAL, MOST = 16, 1, 1e-6, 10_000
LADDER = 10.0 ** -np.arange(2.0, 12.1, 0.5)
EXPLICIT = ("bosh3", "tsit5", "dopri8")
# A Jacobian of the whole net is 8,580 numbers squared: the implicit solver gets a small one.
SOLVERS = {"mlp": EXPLICIT, "small mlp": (*EXPLICIT, "kvaerno5")}
REFERENCE = ("dopri8", 1e-11)


@cache
def setting(name, examples):
    """The problem, its start, and the gradient flow's field, in float64, soft attention."""
    task = TASKS["orthogonal" if name == "linear" else "digits"]()
    model = {
        "linear": lambda: linear(task.classes, start="normal"),
        "mlp": lambda: MODELS["mlp"](task.classes),
        "small mlp": lambda: MODELS["mlp"](task.classes, width=2),
    }[name]()
    problem = attention_problem(task, model, "soft", precision="float64")
    data = head(task.make(0)["train"], examples)
    data = jax.tree.map(lambda leaf: leaf.astype(float) if leaf.dtype.kind == "f" else leaf, data)
    keys, hyper = streams(0), {"learning_rate": jnp.asarray(RATE), "temperature": jnp.asarray(1.0)}
    return problem, problem.init(keys.init, hyper), hyper, Splits(data, {"train": head(data, 16)})


def field_of(problem, hyper, data):
    batch, key = everything(data.learn, "float64"), streams(0).sample

    def field(time, params, args=None):
        gradient, _ = jax.grad(problem.loss, has_aux=True)(params, batch, hyper, time, key, {})
        return jax.tree.map(jnp.negative, gradient)

    return field


def difference(one, other):
    gaps = jax.tree.map(lambda a, b: float(jnp.max(jnp.abs(a - b))), one, other)
    return max(jax.tree.leaves(gaps))


def size(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("name", list(OVERHEAD))
def test_overhead(in_64_bits, in_turn, name):
    examples, steps = OVERHEAD[name]
    problem, params, hyper, data = setting(name, examples)
    ours = jax.jit(
        make_flow(problem, as_optimiser("sgd"), (0, steps), "last", rtol=RTOL, atol=ATOL)
    )

    @jax.jit
    def by_hand(params, hyper, data):
        field, end = field_of(problem, hyper, data), hyper["learning_rate"] * steps
        with jax.default_matmul_precision("highest"):
            control = pi_control(RTOL, ATOL)
            step = first_step(field, params, jnp.zeros_like(end), end, None, control, 5)
            return tsit5(field, params, end, step, RTOL, ATOL)

    def flow():
        return jax.block_until_ready(ours(params, hyper, data, streams(0)))

    def loop():
        return jax.block_until_ready(by_hand(params, hyper, data))

    watch, first = Stopwatch(), {}
    for label, work in (("flow", flow), (HAND, loop)):
        with watch.compiling(label):
            first[label] = work()
    found, (end, gradients, taken) = first["flow"], first[HAND]
    gradients = int(gradients) + 2  # those that chose the first step
    counted = int(found.work["gradients"])
    assert found.status == int(Status.DONE)
    assert abs(counted / gradients - 1) < 0.02, (counted, gradients)
    assert difference(found.params, end) < 1e-6
    in_turn(
        flow,
        {HAND: (loop, gradients)},
        units=counted,
        rounds=ROUNDS,
        question="solver overhead",
        case=name,
        examples=examples,
        parameters=size(params),
        gradients={"flow": counted, HAND: gradients},
        steps={
            "flow": int(found.work["steps"] + found.work["rejected"]),
            HAND: int(taken),
        },
        compile_s={label: watch.seconds[label]["compile"] for label in first},
    )


@pytest.mark.parametrize("name", list(SOLVERS))
def test_work_to_an_error(in_64_bits, benchmark, name):
    problem, params, hyper, data = setting(name, EXAMPLES)
    times = jnp.asarray([0.0, RATE * STEPS])

    @partial(jax.jit, static_argnames=("solver", "log"))
    def solve(rtol, solver, log):
        field = field_of(problem, hyper, data)
        with jax.default_matmul_precision("highest"):
            return integrate(
                field, params, times, log_time_unit=RATE if log else None, rtol=rtol,
                atol=1e-2 * rtol, solver=solver, save=lambda time, y, args: y, max_steps=MOST,
            )  # fmt: skip

    def run(rtol, solver, log):
        return jax.block_until_ready(solve(jnp.asarray(rtol), solver, log))

    def end(solution):
        return jax.tree.map(lambda leaf: leaf[-1], solution.values)

    best, rtol = REFERENCE
    reference = run(rtol, best, False)
    assert reference.status == int(Status.DONE)
    truth = end(reference)
    points, works = [], {}
    for solver in SOLVERS[name]:
        for log in (False, True):
            for rtol in LADDER:
                found = run(rtol, solver, log)
                error = difference(end(found), truth)
                if found.status == int(Status.DONE) and error <= GOAL:
                    break
            else:
                points.append({"solver": solver, "log_time": log, "reached": False})
                continue
            began, spent = time.perf_counter(), time.process_time()
            run(rtol, solver, log)
            seconds, processor = time.perf_counter() - began, time.process_time() - spent
            works[solver, log] = partial(run, rtol, solver, log)
            points.append(
                {
                    "solver": solver,
                    "log_time": log,
                    "reached": True,
                    "rtol": float(rtol),
                    "error": error,
                    **{what: int(count) for what, count in found.work.items()},
                    "seconds": seconds,
                    "processor": processor,
                }
            )
    benchmark.extra_info |= {
        "question": "work to an error",
        "case": name,
        "units": 1,
        "goal": GOAL,
        "examples": EXAMPLES,
        "parameters": size(params),
        "points": points,
    }
    benchmark.pedantic(works["tsit5", False], rounds=3)
