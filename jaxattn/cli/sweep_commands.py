"""What can be asked of sweeps on the command line: one dataclass a command.

Nothing heavy is imported here, so that ``--help`` answers at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["Sweep", "SweepExport", "SweepPlan", "SweepResume", "SweepRun", "SweepStatus"]


@dataclass
class SweepPlan:
    """Say what a sweep would cost: runs, compilations, chunks, memory, disk, seconds.

    Example: jaxattn sweep plan examples/sweep.toml
    """

    spec: Annotated[Path, tyro.conf.Positional]
    """A TOML file; examples/sweep.toml explains every line."""
    probe: bool = True
    """Compile programs and run a few steps, to know seconds, and memory to the full."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class SweepRun:
    """Begin a sweep in a directory and run all of it.

    Ctrl-C, a kill and a power cut lose the chunks in the works and nothing else: go on with
    jaxattn sweep resume DIR.

    Example: jaxattn sweep run examples/sweep.toml --out runs/sweep
    """

    spec: Annotated[Path, tyro.conf.Positional]
    """A TOML file; examples/sweep.toml explains every line."""
    out: Path
    """Directory for the results."""
    overwrite: bool = False
    """Replace an earlier sweep in --out."""
    engine: str = "auto"
    """auto (hosts where a launcher started this command on each of them, else local), local, dask,
    tcp://HOST:PORT (a running Dask cluster), slurm, or hosts."""
    workers: int | None = None
    """Processes of this machine (local, dask)."""
    options: tuple[str, ...] = ()
    """Settings of the engine, NAME=VALUE: partition=gpu gpus_per_node=1 time=60 (slurm)."""
    tensorboard: bool = False
    """Write scalars for TensorBoard too (extra tensorboard)."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class SweepResume:
    """Run the chunks of a sweep that are missing, truncated or damaged, and no others.

    Example: jaxattn sweep resume runs/sweep
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Directory of a sweep that was begun."""
    spec: Path | None = None
    """Refuse to go on unless the sweep has this spec, and say what differs."""
    engine: str = "auto"
    """auto (hosts where a launcher started this command on each of them, else local), local, dask,
    tcp://HOST:PORT (a running Dask cluster), slurm, or hosts."""
    workers: int | None = None
    """Processes of this machine (local, dask)."""
    options: tuple[str, ...] = ()
    """Settings of the engine, NAME=VALUE: partition=gpu gpus_per_node=1 time=60 (slurm)."""
    tensorboard: bool = False
    """Write scalars for TensorBoard too (extra tensorboard)."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class SweepStatus:
    """Say how far a sweep is: chunks finished, missing and damaged, runs that failed.

    Example: jaxattn sweep status runs/sweep
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Directory of a sweep."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class SweepExport:
    """Write the results so far for other tools: a Zarr store, or a Parquet table of runs and saves.

    Example: jaxattn sweep export runs/sweep sweep.parquet
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Directory of a sweep, or of another command's results."""
    to: Annotated[Path, tyro.conf.Positional]
    """What to write, by its ending: NAME.zarr (extra zarr) or NAME.parquet (extra parquet)."""
    json: bool = False
    """Print one JSON object (and nothing else) on standard output."""
    cache: bool = True
    """Keep compiled code in the user's cache folder."""


@dataclass
class Sweep:
    """Thousands of runs as one labelled result: planned, run, resumed exactly, watched."""

    do: (
        Annotated[SweepPlan, tyro.conf.subcommand("plan")]
        | Annotated[SweepRun, tyro.conf.subcommand("run")]
        | Annotated[SweepResume, tyro.conf.subcommand("resume")]
        | Annotated[SweepStatus, tyro.conf.subcommand("status")]
        | Annotated[SweepExport, tyro.conf.subcommand("export")]
    )
