"""How many rows should a tile hold? Milliseconds a row-step of training, by rows vmapped together.

    .venv/bin/python benchmarks/tile.py [--rows 32] [--steps 100] [--repeats 5]

Compile time and run time apart; the run is the median over repeats. A row-step is one step of one
row: a tile of 8 rows takes 8 row-steps a step.
"""

import argparse
import statistics
import time

import jax
import numpy as np

from jaxattn.batches import Order
from jaxattn.contracts import Splits
from jaxattn.data import head
from jaxattn.descent import as_optimiser, make_train
from jaxattn.problem import attention_problem
from jaxattn.stopwatch import Stopwatch
from jaxattn.sweep import fetch, make_plan, make_row, make_runner
from jaxattn.tasks import TASKS

CASES = (("digits", "mlp"), ("orthogonal", "linear"))


def measure(task_name: str, model: str, tile: int, rows: int, steps: int, repeats: int) -> tuple:
    task = TASKS[task_name]()
    made = jax.tree.map(
        lambda leaf: leaf.astype("float32") if leaf.dtype.kind == "f" else leaf, task.make(0)
    )
    data = Splits(made["train"], {"train": head(made["train"], 16)})
    problem = attention_problem(task, model, "hard")
    train = make_train(problem, as_optimiser("sgd"), (0, steps), Order())
    run = make_runner(make_row(problem, train, True, True), False, tuple(jax.devices()[:1]))
    plan = make_plan({"learning_rate": [0.05]}, range(rows), {"temperature": 1.0}, tile=tile)
    layout = np.arange(rows).reshape(rows // tile, tile)
    seeds = plan.seed_of(layout)
    hypers = {k: v.astype("float32") for k, v in plan.hypers_of(layout).items()}
    watch, spent = Stopwatch(), []
    with watch.compiling("first"):
        fetch(run(seeds, hypers, data))
    for _ in range(repeats):
        start = time.perf_counter()
        fetch(run(seeds, hypers, data))
        spent.append(time.perf_counter() - start)
    return watch.seconds["first"]["compile"], 1e3 * statistics.median(spent) / (rows * steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    print(f"{'task':12} {'model':8} {'tile':>4} {'compile s':>10} {'ms a row-step':>14}")
    for task, model in CASES:
        for tile in (1, 2, 4, 8, 16, 32):
            compiling, each = measure(task, model, tile, asked.rows, asked.steps, asked.repeats)
            print(f"{task:12} {model:8} {tile:4d} {compiling:10.2f} {each:14.3f}", flush=True)


if __name__ == "__main__":
    main()
