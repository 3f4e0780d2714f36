"""`jaxattn.compare`: each paradigm for many seeds and hyperparameters, all measured alike."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import xarray as xr

from jaxattn.analysis.scope import too_few_words
from jaxattn.api import accessor
from jaxattn.api.arguments import names_its_arguments
from jaxattn.core.contracts import AttentionMap, InputError, Model, Problem, Task
from jaxattn.core.question import Question
from jaxattn.flow.solver import Solver
from jaxattn.run.compare import Listener, OnChunk, run
from jaxattn.run.static import run_all
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.study.checks import shown
from jaxattn.study.settings import Settings
from jaxattn.study.static import static_points
from jaxattn.study.study import resolve_settings
from jaxattn.terminal.progress_bar import Reporter
from jaxattn.training.optimisers import Optimiser

__all__ = ["accessor", "compare"]


@names_its_arguments
def compare(
    task: str | Task = "digits",
    model: str | Model | Any = None,
    paradigms: Any = ("soft", "hard", "lvml", "hybrid"),
    hypers: Mapping[str, float | Sequence[float]] | None = None,
    seeds: int | Sequence[int] = 8,
    *,
    steps: int = 800,
    saves: int | str | Sequence[int] = 41,
    optimiser: str | Optimiser | Any = "auto",
    schedule: str | Any = "constant",
    order: str = "shuffled",
    batch_size: int | Literal["auto", "all"] | None = "auto",
    attention: str | AttentionMap | Any = "softmax",
    vary: str | Sequence[str] | None = None,
    evaluate: int | Literal["auto", "all"] = "auto",
    flow_seeds: int = 0,
    flow_examples: int | Literal["auto", "all"] = "auto",
    flow_solver: str | Any = "auto",
    flow_rtol: float | Literal["auto"] = "auto",
    flow_atol: float | Literal["auto"] = "auto",
    precision: str = "auto",
    compiler: str = "auto",
    against: str | Sequence[str] = (),
    curvature: int | Literal["auto"] = "auto",
    focus_level: float = 0.5,
    fit_level: float = 90.0,
    questions: Sequence[Question | Mapping[str, Any] | str] = (),
    problems: Mapping[str, Problem] | Problem | Any = None,
    data: Any = None,
    measures: Mapping[str, Any] | Any = None,
    theory: Mapping[str, Any] | Any = None,
    times: Sequence[float] | Any = None,
    solve: Solver | Any = None,
    static: Mapping[str, Sequence[Any]] | Any = None,
    keep: str | Sequence[str] = (),
    progress: bool = True,
    on_chunk: OnChunk | None = None,
    stopwatch: Stopwatch | None = None,
) -> xr.Dataset:
    """Train every paradigm for every seed and hyperparameter, and measure all alike.

    Of an attention network (`task`, `model`, `paradigms`, `attention`), or of any loss: `problems`
    and `data` in their place.

    Args:
        task: a name (digits, captions, orthogonal, orthogonal-population; mnist, fashion-mnist,
            cifar10, cifar100, whose files lie at `data` or where they were fetched to) or a `Task`.
        model: a name (linear, mlp), a factory taking the number of classes, or a `Model`; by
            default the task's own: mlp for images, linear for the orthogonal tasks.
        paradigms: names, `Paradigm` objects, or plain losses of one example; one or several.
        hypers: traced scalars by name: a number holds for all rows, a sequence becomes an axis.
            ``learning_rate`` is always an axis.
        seeds: how many (0, 1, ...), or which.
        steps: training steps, at least 1; beside limits those at the largest learning rate.
        saves: points at which everything is measured, equally spaced from step 0 to the last, at
            least 2; ``"log:41"``: step 0, then at most 40 steps in equal ratios to the last; or the
            steps themselves.
        optimiser: sgd, momentum, adam, adamw, rmsprop, normalised, an `Optimiser`, or a function
            ``Hyper -> optax transformation``; auto: sgd, or that of the limits beside.
        schedule: of the learning rate: constant, cosine, linear, exponential, or a function.
        order: of minibatches: fixed, shuffled, shuffled-per-seed, by-length, with-replacement or
            without-replacement.
        batch_size: examples a step; all (or None) takes the whole learning set; auto: 256, or all
            beside limits.
        attention: softmax, imposed, an `AttentionMap`, or ``(scores, example, hyper) -> log
            attention``.
        vary: what a seed changes: init, data, or both; by default init, or data where the start is
            not random.
        evaluate: at most so many examples of each split are measured; auto: 512, or all of one's
            own data.
        flow_seeds: integrate the gradient flow beside the first so many seeds.
        flow_examples: flows, and training beside limits, learn from the first so many training
            examples, all at once; auto: 512, or all of one's own data.
        flow_solver: of flows, by name or itself; auto: bosh3, or dopri8 beside limits of a model
            without kinks.
        flow_rtol: relative error of one step of a flow, between 0 and 1; auto: 1e-4, and beside
            limits 1e-10, or 1e-5 of a model with kinks.
        flow_atol: absolute error of one step of a flow, above 0, in units of what it is of: the
            root mean square of each leaf of parameters at the start; auto: 1e-2 times flow_rtol.
        precision: of training: float32 or float64; auto: float32, or float64 beside limits. Flows
            and theory are in float64 always.
        compiler: of programs on a CPU: auto takes XLA's own options; quick compiles in half of
            the time and runs up to a quarter longer, and the last digits of a row
            then depend on which rows there are.
        against: continuous limits beside every run (`jaxattn.flow.LIMITS`), one or several. All
            runs then learn from the same examples and reach the same times.
        curvature: largest eigenvalues of the Hessian to measure at every save; auto: 0, or 1 beside
            limits.
        focus_level: time_to_focus is when the mean attention on the foreground reaches this, 0 to
            1.
        fit_level: time_to_fit is when the accuracy, under the paradigm's own inference rule,
            reaches this, in percent, 0 to 100.
        questions: of your own, judged together with those that every comparison is asked
            (`jaxattn.analysis.questions`): `jaxattn.Question` objects, or words such as
            ``calm=attention_entropy``.
        problems: of your own, `jaxattn.problem`, by name: the names are the labels of the axis
            ``paradigm``.
        data: what they learn from: a pytree of arrays with a leading axis of examples (or a
            `jaxattn.Batch`, with weights), ``{"train": tree, "test": tree}``, a function from a
            seed to either, or `jaxattn.Fresh`. Without `problems`, where the files of `task` lie.
        measures: of your own, beside those there are: see `jaxattn.problem`.
        theory: of your own, by name: ``f(hyper, times, data) -> {measure: array}`` of one run, over
            the times of its saves, from the examples it learns from; or such functions by the name
            of the problem they are of. Each becomes a dynamics of the result.
        times: solve continuous limits alone (`against`; by default the gradient flow), without
            training, and measure them at these times, which increase from 0 on and may span many
            decades. The result has no dynamics ``train`` and no steps.
        solve: how, where `times` are given; by default what suits them (`jaxattn.Solver`).
        static: what varies at one compilation a value, each an axis of the result: settings such as
            ``model`` or ``batch_size``, or arguments of `problems`, `data`, `model` or `task` that
            are functions: ``problems=networks, static={"width": [16, 64]}``.
        keep: parameters to keep at every save, by their names within the parameters (``W``, or
            ``first.kernel``), or what they are below; all: every one. They are variables
            ``params.W [..., save, W_0, W_1]``.
        progress: show it on standard error: a live bar on a terminal (and in a notebook with
            ipywidgets), lines elsewhere; about how long it takes, before anything is back, and
            which rows failed. False: be silent.
        on_chunk: called after each chunk with where things stand and a function that gives the
            Dataset so far; this is how partial results are written.
        stopwatch: collects compile and run seconds.

    Returns:
        A Dataset with dims paradigm, dynamics (train, flows where asked for, and theory where
        exact), the swept hyperparameters, seed, save, split, inference, and those of the measures.

    Raises:
        InputError: anything that cannot be done, before anything is compiled.
        KeyboardInterrupt: after `on_chunk` has seen what was finished, the rest marked
            interrupted.
    """
    # All arguments but three are fields of `Settings`, by the same names.
    given = {**locals()}
    listeners = {name: given.pop(name) for name in ("progress", "on_chunk", "stopwatch")}
    _refuse_no_listeners(**listeners)
    settings = Settings(**given)
    if settings.static is not None or callable(settings.problems):
        studies = [(at.labels, resolve_settings(at.settings)) for at in static_points(settings)]
    else:
        studies = [({}, resolve_settings(settings))]
    first = studies[0][1]
    few = too_few_words(len(first.seeds), len(first.names))
    with _listening(progress, on_chunk, few) as to:
        if studies[0][0]:
            return run_all(studies, to=to, stopwatch=stopwatch)
        return run(first, to=to, stopwatch=stopwatch)


@contextmanager
def _listening(progress: bool, on_chunk: OnChunk | None, note: str) -> Iterator[Listener]:
    if not progress:
        yield Listener(on_chunk=on_chunk)
        return
    with Reporter(note) as reporter:
        yield Listener(reporter.on_progress, reporter.on_failed, on_chunk)


def _refuse_no_listeners(progress: Any, on_chunk: Any, stopwatch: Any) -> None:
    if not isinstance(progress, bool | np.bool_):
        raise InputError(f"progress: got {shown(progress)}, expected True or False.")
    # They are called once something was computed, which must not be lost.
    for name, given, is_one, expected in (
        ("on_chunk", on_chunk, callable(on_chunk), "a function of Progress and a Dataset's maker"),
        ("stopwatch", stopwatch, isinstance(stopwatch, Stopwatch), "a Stopwatch"),
    ):
        if given is not None and not is_one:
            raise InputError(f"{name}: got {shown(given)}, expected {expected}, or None.")
