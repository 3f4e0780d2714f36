"""What a comparison is asked to do, as it is asked: one table of fields, which all doors read.

`jaxattn.compare`, the tables of a sweep, and the flags of the command line take their names,
defaults, bounds and help from here. Nothing heavy is imported, so that ``--help`` answers at once;
names are looked up where a request is resolved, once: `jaxattn.study.study.resolve_settings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Any

from jaxattn.study.fields import (
    AUTO,
    NUMBERS_BY_NAME,
    OBJECTS,
    QUESTIONS,
    SAVE_STEPS,
    SEED_NUMBERS,
    TIMES,
    bounded_number,
    choice,
    choices,
    component,
    count,
    one_name,
    setting,
    several_names,
)

__all__ = [
    "AGAINST_DEFAULTS",
    "ALONE_DEFAULTS",
    "ATOL_OF_RTOL",
    "DEFAULTS",
    "FIXED",
    "NONSMOOTH_DEFAULTS",
    "OWN_DEFAULTS",
    "OWN_TABLES",
    "STATIC",
    "VARIED",
    "YOUNGER",
    "Settings",
    "settings_table",
]

VARIED = ("init", "data")
PRECISIONS = ("float32", "float64")

DEFAULTS: Mapping[str, Any] = {
    "optimiser": "sgd",
    "precision": "float32",
    "batch_size": 256,
    "curvature": 0,
    "flow_solver": "bosh3",
    "flow_rtol": 1e-4,
    "evaluate": 512,
    "flow_examples": 512,
}
"""What auto stands for. A solver of low order wins where the field has kinks, as ReLU networks
have, and at loose tolerance; with kinks, a tighter one costs much more."""

OWN_DEFAULTS: Mapping[str, Any] = {
    **DEFAULTS,
    "batch_size": None,
    "evaluate": "all",
    "flow_examples": "all",
}
"""The same for problems of one's own, whose data are as large as they are meant to be."""

AGAINST_DEFAULTS: Mapping[str, Any] = {
    "precision": "float64",
    "batch_size": None,
    "curvature": 1,
    "flow_solver": "dopri8",
    "flow_rtol": 1e-10,
}
"""What auto stands for beside continuous limits, whose optimiser is theirs."""

ALONE_DEFAULTS: Mapping[str, Any] = {"precision": "float64", "batch_size": None, "curvature": 0}
"""What auto stands for in limits that are solved alone, at times of their own."""

NONSMOOTH_DEFAULTS: Mapping[str, Any] = {"flow_solver": "bosh3", "flow_rtol": 1e-5}
"""The same where the model's gradient jumps: on the digits' ReLU network dopri8 gives up even at
1e-6, where tsit5 takes ten times the gradients and finds the same distances to three digits."""

ATOL_OF_RTOL = 1e-2
"""What auto stands for in ``flow_atol``, as a share of ``flow_rtol``: parameters that are a
hundredth of their start are still as right as they are."""


@dataclass(frozen=True, eq=False)
class Settings:
    """One comparison, whole. Names and objects are both accepted; see `jaxattn.compare`.

    Raises:
        InputError: on construction, for a value of a wrong kind or out of its bounds.
    """

    task: Any = setting(
        "digits",
        component("task"),
        "What is learnt: digits, captions, orthogonal, orthogonal-population, rationales; mnist, "
        "fashion-mnist, cifar10, cifar100, coco, whose data lie on disk; or a Task of your own.",
        varies=True,
    )
    model: Any = setting(
        None,
        component("model", optional=True),
        "linear, mlp, cnn-cifar10, cnn-cifar100 or cnn-small (of images), text or text-attention "
        "(of words), captioner (of captions), a factory taking the number of classes, or a Model; "
        "by default the task's own.",
        varies=True,
    )
    paradigms: Sequence[Any] = setting(
        ("soft", "hard", "lvml", "hybrid"),
        choices(some=True, hint=" of soft, hard, lvml, hybrid, em"),
        "Which of soft, hard, lvml, hybrid, em, reinforce, straight-through, gumbel-softmax; or "
        "Paradigm objects, or losses of one example.",
    )
    hypers: Any = setting(
        None,
        NUMBERS_BY_NAME,
        "Hyperparameters by name: a number holds for all rows, several are an axis.",
    )
    seeds: Any = setting(8, SEED_NUMBERS, "How many seeds (0, 1, ...), or which.")
    steps: int = setting(800, count(1), "Training steps.")
    saves: Any = setting(
        41,
        SAVE_STEPS,
        "Points at which everything is measured, equally spaced from step 0 to the last; log:41: "
        "step 0, then at most 40 steps in equal ratios to the last; or the steps themselves.",
    )
    optimiser: Any = setting(
        AUTO,
        component("optimiser"),
        "sgd, momentum, adam, adamw, rmsprop or normalised; auto: sgd, or that of the limits "
        "beside.",
        varies=True,
    )
    schedule: Any = setting(
        "constant",
        component("schedule"),
        "Learning rate over the run: constant, cosine, linear or exponential.",
        varies=True,
    )
    order: str = setting(
        "shuffled",
        one_name("minibatch order"),
        "fixed, shuffled, shuffled-per-seed, by-length (minibatches of posts of like lengths), "
        "with-replacement or without-replacement.",
        varies=True,
    )
    batch_size: Any = setting(
        AUTO,
        count(1, also=(AUTO, "all")),
        "Examples a step; all takes the whole learning set; auto: 256, or all beside limits and of "
        "one's own data.",
        varies=True,
    )
    attention: Any = setting(
        "softmax",
        component("attention map"),
        "softmax, entmax, sparsemax or spherical, each also as softmax+entropy and so on, which "
        "learns to have little entropy; or imposed (fixed focus: alpha on the foreground).",
        varies=True,
    )
    vary: Any = setting(
        None,
        choices(VARIED, optional=True, hint="; the order varies by order = shuffled-per-seed"),
        "What a seed changes: init, data. By default init, or data where the start is not random.",
    )
    evaluate: Any = setting(
        AUTO,
        count(1, also=(AUTO, "all")),
        "At most so many examples of each split are measured; auto: 512, all of one's own data.",
    )
    flow_seeds: int = setting(
        0, count(0), "Integrate the gradient flow beside the first so many seeds."
    )
    flow_examples: Any = setting(
        AUTO,
        count(1, also=(AUTO, "all")),
        "Flows, and training beside limits, learn from the first so many training examples; auto: "
        "512, all of one's own data.",
    )
    flow_solver: Any = setting(
        AUTO,
        component("solver"),
        "Of flows; auto: bosh3, or dopri8 beside limits of a model without kinks.",
    )
    flow_rtol: Any = setting(
        AUTO,
        bounded_number(0.0, 1.0, is_open=True, also=(AUTO,)),
        "Relative error of one step of a flow; auto: 1e-4, and beside limits 1e-10, or 1e-5 of a "
        "model with kinks.",
    )
    flow_atol: Any = setting(
        AUTO,
        bounded_number(0.0, inf, is_open=True, also=(AUTO,)),
        "Absolute error of one step of a flow, in units of what it is of: the root mean square of "
        "each leaf at the start; auto: 1e-2 times flow_rtol.",
    )
    precision: str = setting(
        AUTO,
        choice((AUTO, *PRECISIONS)),
        "Of training: auto is float32, or float64 beside limits; flows and theory are in float64.",
        varies=True,
    )
    compiler: str = setting(
        AUTO,
        choice((AUTO, "quick")),
        "auto takes XLA's own options, quick ones for starts and orders that are drawn, and on a "
        "GPU those that give the same bits again; quick, on a CPU, compiles in half of the time "
        "and runs up to a quarter longer, and the last digits of a row then depend on which rows "
        "there are.",
    )
    against: Any = setting(
        (),
        several_names("limit"),
        "Continuous limits beside every run, and how far apart: flow modified heavy-ball adam sde "
        "... All runs then learn from the same examples and reach the same times: steps are those "
        "at the largest learning rate.",
    )
    curvature: Any = setting(
        AUTO,
        count(0, also=(AUTO,)),
        "Largest eigenvalues of the Hessian to measure at every save; auto: 0, or 1 beside limits.",
    )
    focus_level: float = setting(
        0.5,
        bounded_number(0.0, 1.0),
        "time_to_focus is when the mean attention on the foreground reaches this.",
    )
    fit_level: float = setting(
        90.0,
        bounded_number(0.0, 100.0, unit="%"),
        "time_to_fit is when the accuracy in %, under the paradigm's own inference rule, reaches "
        "this.",
    )

    questions: Any = setting(
        (),
        QUESTIONS,
        "Questions of your own beside those that every comparison is asked: a jaxattn.Question, or "
        "NAME=MEASURE, NAME=MEASURE@AT, NAME=MEASURE@AT+-DELTA.",
    )
    problems: Any = setting(
        None,
        OBJECTS,
        "Problems of one's own by name, in place of task, model and paradigms: jaxattn.problem.",
    )
    data: Any = setting(
        None,
        OBJECTS,
        "What problems of one's own learn from: a pytree of arrays, {'train': tree, 'test': tree}, "
        "a function from a seed to either, or jaxattn.Fresh; of a task, where its files lie.",
    )
    measures: Any = setting(
        None,
        OBJECTS,
        "Measures of one's own by name, f(params, batch, hyper), or f(view, example) of what one "
        "example looks like to attention, beside those of the problems.",
    )
    theory: Any = setting(
        None,
        OBJECTS,
        "Theories of one's own by name, beside the runs: f(hyper, times, data) -> {measure: array "
        "over the times}.",
    )
    times: Any = setting(
        None,
        TIMES,
        "Solve continuous limits (against; by default flow) alone, without training, and measure "
        "them at these times.",
    )
    solve: Any = setting(
        None,
        OBJECTS,
        "How limits are solved at times of their own, jaxattn.Solver; by default what suits.",
    )
    static: Any = setting(
        None,
        OBJECTS,
        "What varies at one compilation a value, by name: settings such as model, or arguments of "
        "problems, data, model or task that are functions. In a file these are axes.",
    )
    keep: Any = setting(
        (),
        several_names("parameter"),
        "Parameters to keep at every save, by their names within the parameters (w, or "
        "first.kernel), or what they are below; all: every one.",
    )

    def __post_init__(self) -> None:
        """Put every value in its one form, and refuse what is none."""
        if self.batch_size is None:
            object.__setattr__(self, "batch_size", "all")
        for one in fields(self):
            read = one.metadata["kind"].read(one.name, getattr(self, one.name))
            object.__setattr__(self, one.name, read)


YOUNGER = ("flow_atol", "questions", "keep", "times", "compiler")
"""Fields that came after the first sweeps: a spec that says nothing of one leaves it out, and has
the hash that it had before."""

OWN_TABLES = (
    *("task", "model", "paradigms", "hypers", "seeds", "flow_seeds"),
    *("problems", "data", "measures", "theory", "solve", "static"),
)
"""Fields that the file of a sweep says in a table of another name."""

STATIC = tuple(
    one.name for one in fields(Settings) if one.metadata["varies"] and one.name not in OWN_TABLES
)
"""Fields that may vary along an axis of a sweep, at one compilation for each value."""

FIXED = tuple(one.name for one in fields(Settings) if one.name not in (*OWN_TABLES, *STATIC))
"""Fields that hold for all runs of a sweep: they shape the result."""


def settings_table() -> str:
    """The table of all fields in Markdown, as docs/settings.md has it."""
    lines = ["| setting | by default | may be | a sweep may vary it | what it is |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for one in fields(Settings):
        default = "none" if one.default is None else _shown(one.default)
        kind, text = one.metadata["kind"].words, one.metadata["help"]
        varies = "yes" if one.metadata["varies"] else ""
        lines.append(f"| `{one.name}` | {default} | {kind} | {varies} | {text} |")
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ", ".join(default) or "none"
    return str(default)
