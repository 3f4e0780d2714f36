"""What is trained by the benchmarks: jaxattn's own way and its peer's, from one start."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxattn.core.contracts import Data, Example, Model, Problem, Splits, Task, Trajectory
from jaxattn.core.streams import streams
from jaxattn.models import MODELS, linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.data import head, size
from jaxattn.problems.minibatches import Order, make_batches
from jaxattn.run.tiles import fetch, make_row, make_runner, make_tile
from jaxattn.study.plan import make_plan
from jaxattn.tasks import TASKS
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

RATE, BATCH, AT_ONCE = 0.05, 256, 2
PARADIGMS = ("soft", "hard", "lvml")


@dataclass(frozen=True)
class Case:
    """A task, a model and an attention map; `alphas` fix the focus (PAPER 3.1)."""

    name: str
    task_name: str
    hidden: tuple[int, ...] = ()
    alphas: tuple[float, ...] = ()
    segments: int = 0
    """Of a bag; 0: as many as the task has by itself."""

    @property
    def task(self) -> Task:
        return TASKS[self.task_name](**({"segments": self.segments} if self.segments else {}))

    @property
    def model(self) -> Model:
        if self.hidden:
            return MODELS["mlp"](self.task.classes)
        return linear(self.task.classes, bias=bool(self.alphas), start="normal")

    def problem(self, paradigm: str) -> Problem:
        attention = "imposed" if self.alphas else "softmax"
        return attention_problem(self.task, self.model, paradigm, attention)

    def data(self) -> Data:
        return jax.tree.map(
            lambda leaf: leaf.astype("float32") if leaf.dtype.kind == "f" else leaf,
            self.task.make(0)["train"],
        )

    def order(self) -> Order:
        # The published protocol does not shuffle.
        return Order("fixed" if self.alphas else "shuffled", BATCH)

    def shapes(self) -> dict[str, Any]:
        """What `counting.step` asks for."""
        segments = self.task.template.segments
        return {
            "batch": BATCH,
            "segments": self.task.segments,
            "features": int(np.prod(segments.shape[1:])),
            "classes": self.task.classes,
            "hidden": self.hidden,
            "learns_focus": not self.alphas,
        }


LINEAR = Case("linear", "orthogonal")
MLP = Case("mlp", "digits", hidden=(64,))
FIXED_FOCUS = Case("fixed-focus", "orthogonal", alphas=(0.2, 0.4, 0.6, 0.8, 1.0))
CASES = {case.name: case for case in (LINEAR, MLP, FIXED_FOCUS)}


def training(
    case: Case,
    paradigm: str,
    *,
    seeds: int,
    tile: int,
    saves: tuple[int, ...],
    rate: float = RATE,
    evaluated: int = 16,
    piece: int = 0,
) -> Callable[[], list[Trajectory]]:
    """A sweep as `jaxattn.compare` runs it: chunk by chunk, the next begun while one works.

    With a `piece` the gradient of a minibatch is taken so many examples at a time.
    """
    data, problem = case.data(), case.problem(paradigm)
    problem = problem._replace(piece=piece) if piece else problem
    splits = Splits(data, {"train": head(data, evaluated)})
    dynamics = make_train(problem, as_optimiser("sgd"), saves, case.order())
    run = make_runner(
        make_tile(make_row(problem, dynamics, True, True), False), False, tuple(jax.devices()[:1])
    )
    axes: dict[str, tuple[float, ...]] = {"learning_rate": (rate,)}
    if case.alphas:
        axes["alpha"] = case.alphas
    plan = make_plan(axes, range(seeds), {"temperature": 1.0}, tile=tile, at_once=AT_ONCE)

    def begin(rows: np.ndarray) -> list[Trajectory]:
        hypers = {k: v.astype("float32") for k, v in plan.hypers_of(rows).items()}
        return run(plan.seed_of(rows), hypers, splits)

    def sweep() -> list[Trajectory]:
        done, waiting = [], None
        for chunk in plan.chunks():
            begun = begin(chunk.rows)
            if waiting is not None:
                done.append(fetch(waiting))
            waiting = begun
        return [*done, fetch(waiting)]

    return sweep


def start_of(case: Case, paradigm: str, seed: int = 0) -> Any:
    """The initial parameters of a seed, float32."""
    return case.problem(paradigm).init(streams(seed).init, {})


def batch_rows(case: Case, steps: int) -> list[np.ndarray]:
    """The examples that each step sees, as jaxattn draws them for every seed."""
    data = case.data()
    numbers = np.arange(size(data), dtype=np.int32)[:, None]
    examples: Example = data.examples._replace(segments=numbers)
    drawn = make_batches(case.order(), Data(examples), steps, streams(0).order, "float32")
    batches = map(jax.jit(drawn), range(steps))
    return [np.asarray(b.segments)[np.asarray(b.weight) > 0, 0] for b in batches]
