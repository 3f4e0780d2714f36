"""What can be asked for on the command line: one dataclass a command, its words and defaults.

Nothing heavy is imported here, so that ``--help`` answers at once.
"""

from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxattn.cli.data_commands import Data
from jaxattn.cli.sweep_commands import Sweep
from jaxattn.study.fields import OBJECTS
from jaxattn.study.settings import Settings

__all__ = ["Command", "Compare", "CriticalRate", "Doctor", "Report", "Reproduce", "Theory"]


_FLAGS_OF_THEIR_OWN = ("task", "hypers")
"""Settings that the command line asks for in another way; those that are objects it cannot."""


def _flags_of_settings() -> type:
    """A dataclass of the settings of a comparison, from their own table."""
    flags = []
    for setting in fields(Settings):
        if setting.name not in _FLAGS_OF_THEIR_OWN and setting.metadata["kind"] is not OBJECTS:
            kind, default = setting.metadata["kind"].flag, setting.default
            if kind in (tuple[str, ...], tuple[float, ...]):
                default = default or ()
            words = tyro.conf.arg(
                help=setting.metadata["help"], metavar=setting.metadata["kind"].metavar
            )
            flags.append((setting.name, Annotated[kind, words], field(default=default)))
    return make_dataclass("Flags", flags)


Flags: Any = _flags_of_settings()
"""Made once: tyro reads it as any dataclass."""


@dataclass
class Compare:
    """Train every paradigm for many seeds on one task, draw and store what happened.

    Example: jaxattn compare digits --seeds 8 --learning-rates 0.02 0.05 --steps 800
    """

    settings: Flags = field(default_factory=Flags)
    task: Annotated[str, tyro.conf.Positional] = "digits"
    """digits, captions, orthogonal, orthogonal-population, rationales; or mnist, fashion-mnist,
    cifar10, cifar100, coco, whose data lie on disk."""
    learning_rates: tuple[float, ...] = (0.05,)
    """Learning rates, swept in one compiled call."""
    switch_time: float | None = None
    """When the hybrid turns from soft to hard; by default after a quarter of each run."""
    hypers: tuple[str, ...] = ()
    """Other hyperparameters, NAME=VALUE or NAME=VALUE,VALUE to sweep: temperature=0.5,1."""
    data: Path | None = None
    """Where the data of mnist, fashion-mnist, cifar10 or cifar100 lie; by default where jaxattn
    data fetch puts them. Of rationales, a folder as HateXplain has it; by default invented
    posts."""
    label: str | None = None
    """Of a post: first (annotator, as published) or majority."""
    rationale: str | None = None
    """Of a post: that of one annotator, the union, or mean: words that half of them mark."""
    least_count: int | None = None
    """Words that are rarer in the training posts are unknown ones; by default 1."""
    learning_weight: str | None = None
    """How much a training post counts in the loss: even; balanced, so that classes count alike;
    or agreement, the share of its annotators who chose its label."""
    images: str | None = None
    """Of captions: digits, or the name of a set whose data lie on disk."""
    vectors: Path | None = None
    """Text file of word vectors that the embedding of rationales starts from."""
    segments: int | None = None
    """Segments of a bag; by default the task's own."""
    classes: int | None = None
    """Classes of an orthogonal task."""
    foreground: tuple[int, ...] = ()
    """Foreground classes of an image task, such as 0 1 2."""
    train: int | None = None
    """Training mosaics of an image task; by default the task's own number, as below."""
    test: int | None = None
    """Test mosaics of an image task."""
    validation: int | None = None
    """Validation mosaics of an image task."""
    new_mosaics: int | None = None
    """Other mosaics of the training images, as in the paper; by default none."""
    position: str | None = None
    """Of the foreground: random or first; of a task whose data lie on disk."""
    downsample: int | None = None
    """Average images over blocks of so many points a side; of a task whose data lie on disk."""
    out: Path | None = None
    """Directory for results and figures; by default runs/TASK."""
    overwrite: bool = False
    """Replace an earlier run in --out."""
    figures: str = "all"
    """none, overview (the first one) or all; jaxattn report draws those left out. Only all run the
    solvable setting beside, which the last one shows."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class CriticalRate:
    """Find the largest learning rate at which training stays within a tolerance of its limit.

    By bisection between --low, where it stays, and --high, where it leaves, for each seed.

    Example: jaxattn critical-rate digits --tolerance 0.05 --low 0.01 --high 1
    """

    tolerance: float
    """Share of the furthest that the limit comes from its start, at which training has left it."""
    low: float
    """A learning rate at which training of every seed stays within."""
    high: float
    """A learning rate at which training of every seed leaves."""
    task: Annotated[str, tyro.conf.Positional] = "digits"
    """digits, captions, orthogonal, orthogonal-population; or mnist, fashion-mnist, cifar10,
    cifar100, coco, whose data lie on disk."""
    model: str | None = None
    """linear, mlp, cnn-cifar10, cnn-cifar100 or cnn-small (of images); by default the task's
    own."""
    paradigm: str = "soft"
    """soft, hard, lvml, hybrid or em."""
    limit: str = "flow"
    """flow, modified, heavy-ball, adam or another continuous limit without noise."""
    length: float = 10.0
    """Time on the optimiser's clock over which training has to stay within."""
    seeds: int = 4
    """How many seeds."""
    width: float = 0.05
    """Bisect until the two rates of a bracket are no further apart than this share."""
    saves: int = 41
    """Times at which training is held against its limit, at most one a step at --high."""
    optimiser: str = "auto"
    """sgd, momentum, adam, adamw, rmsprop or normalised; auto: that of the limit."""
    hypers: tuple[str, ...] = ()
    """Other hyperparameters, NAME=VALUE."""
    data: Path | None = None
    """Where the data of mnist, fashion-mnist, cifar10 or cifar100 lie; by default where jaxattn
    data fetch puts them. Of rationales, a folder as HateXplain has it; by default invented
    posts."""
    label: str | None = None
    """Of a post: first (annotator, as published) or majority."""
    rationale: str | None = None
    """Of a post: that of one annotator, the union, or mean: words that half of them mark."""
    least_count: int | None = None
    """Words that are rarer in the training posts are unknown ones; by default 1."""
    learning_weight: str | None = None
    """How much a training post counts in the loss: even; balanced, so that classes count alike;
    or agreement, the share of its annotators who chose its label."""
    segments: int | None = None
    """Segments of a bag; by default the task's own."""
    classes: int | None = None
    """Classes of an orthogonal task."""
    foreground: tuple[int, ...] = ()
    """Foreground classes of an image task, such as 0 1 2."""
    flow_examples: int = 512
    """Learn from the first so many training examples."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class Theory:
    """Solve the reduced (mu, nu) system of the solvable setting against time.

    Example: jaxattn theory --segments 100 --classes 1000 --t-end 4e5 --out runs/theory
    """

    segments: int = 100
    """Segments of a bag, at least 2."""
    classes: int = 1000
    """Classes, at least 2."""
    t_end: float = 4e5
    """Last time, in steps times learning rate."""
    points: int = 400
    """Times: 0, then log-spaced."""
    paradigms: tuple[str, ...] = ("soft", "hard", "lvml")
    """Which of soft, hard, lvml, hybrid."""
    switch_time: float | None = None
    """When the hybrid turns from soft to hard; by default after a quarter of the time."""
    method: str = "ode"
    """ode solves it, closed-form needs no solver, both says how far the two are apart."""
    out: Path | None = None
    """Directory for figures and numbers; without it nothing is written."""
    overwrite: bool = False
    """Replace an earlier run in --out."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class Report:
    """Write report.html for a run: findings, figures and tables on one page of its own.

    Every compare and every reproduce writes one; this makes it and the figures anew from the
    stored results, also of a run that was interrupted.

    Example: jaxattn report runs/digits
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Directory of a run."""
    json: bool = False
    """Print the findings, and an experiment's numbers, as one JSON object (and nothing else)."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class Reproduce:
    """Run a published experiment: results, figures, a report, and what was found in sentences.

    Without NAME: list all experiments, each with what it is about.

    Example: jaxattn reproduce fixed-focus --scale smoke --out runs/fixed-focus
    """

    name: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]")] = None
    """theory, fixed-focus, fixed-focus-images, phase, switch, schedule, departures, sdc, heatmaps,
    hybrid, trap, sparsity, sampled, rationales, captions or all (the claims side by side); none:
    say what each is about."""
    scale: str = "small"
    """smoke (under a minute), small (minutes on a CPU) or paper (the published size);
    fixed-focus-images has paper-cifar100 too."""
    seeds: int | None = None
    """How many seeds; by default the scale's own."""
    data: Path | None = None
    """Folder that rationales (posts, as HateXplain has them) or captions (photographs, as COCO has
    them) learns from; by default what is made here. Of all it is that of posts."""
    out: Path | None = None
    """Directory for results and figures; by default runs/NAME."""
    overwrite: bool = False
    """Replace an earlier run in --out."""
    resume: bool = False
    """Go on with an interrupted run in --out, of an experiment made of sweeps."""
    plan: bool = False
    """Only say what the sweeps of an experiment made of sweeps would cost here:
    runs, chunks, memory and disk; nothing is compiled."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class Doctor:
    """Say what this installation is and whether it computes right.

    Example: jaxattn doctor
    """

    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


Command = (
    Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[CriticalRate, tyro.conf.subcommand("critical-rate")]
    | Annotated[Theory, tyro.conf.subcommand("theory")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
    | Annotated[Data, tyro.conf.subcommand("data")]
    | Annotated[Doctor, tyro.conf.subcommand("doctor")]
)
