"""A small sweep with made-up numbers: three groups, of which one lacks an axis, one is short."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from jaxattn.results.checksum import write_bytes
from jaxattn.results.chunk_file import chunk_bytes, chunk_name
from jaxattn.results.dataset import SCHEMA_VERSION
from jaxattn.results.virtual import Piece, VirtualVariable, status_variable, write_virtual

SPEC_HASH = "0123456789abcdef" * 4
RATES, SEEDS, SAVES = (0.1, 0.2, 0.5), (3, 1, 4, 1_000_000), 2
LEAD = {"paradigm": 2, "dynamics": 2, "segments": 2, "learning_rate": 3, "seed": 4}


class Group(NamedTuple):
    at: dict[str, int]
    axes: dict[str, range]
    positions: int
    precision: str = "float64"
    order: tuple[int, ...] = ()
    """Row numbers in the order in which they run; empty: as they are."""


GROUPS = (
    Group({"paradigm": 0, "dynamics": 0, "segments": 0}, {"learning_rate": range(3)}, 2),
    Group(
        {"paradigm": 1, "dynamics": 0, "segments": 1},
        {"learning_rate": range(3)},
        3,
        "float32",
        (8, 9, 10, 11, 0, 1, 2, 3, 7, 6, 5, 4),
    ),
    # A flow knows no learning rate, and has the last two seeds only.
    Group({"paradigm": 0, "dynamics": 1, "segments": 1}, {}, 3),
)


def labels() -> xr.Dataset:
    return xr.Dataset(
        coords={
            "paradigm": ["soft", "hard"],
            "dynamics": ["train", "flow"],
            "segments": [2, 3],
            "learning_rate": ("learning_rate", list(RATES), {"units": "1"}),
            "seed": np.asarray(SEEDS, np.int64),
            "step": ("save", [0.0, 8.0], {"units": "1", "long_name": "steps"}),
            "time": (("learning_rate", "save"), np.outer(RATES, [0.0, 8.0])),
            "split": ["train", "test"],
        },
        attrs={
            "schema_version": SCHEMA_VERSION,
            "spec": '{"seeds":[3,1,4,1000000]}',
            "spec_hash": SPEC_HASH,
        },
    )


def variables() -> dict[str, VirtualVariable]:
    lead, shape = tuple(LEAD), tuple(LEAD.values())
    kinds = {"bits": np.uint8, "count": np.int32, "big": np.int64, "half": np.float16}
    return {
        "objective": VirtualVariable(
            (*lead, "save"), (*shape, SAVES), attrs={"units": "nat", "long_name": "loss"}
        ),
        "answers": VirtualVariable(
            (*lead, "save", "split", "position"), (*shape, SAVES, 2, 3), np.dtype(np.float32)
        ),
        "time_reached": VirtualVariable(lead, shape),
        **{
            name: VirtualVariable(lead, shape, np.dtype(kind), fill=0)
            for name, kind in kinds.items()
        },
        "status": status_variable(lead, shape),
    }


def grid(group: Group) -> dict[str, range]:
    return {**group.axes, "seed": range(4) if group.axes else range(2, 4)}


def values(group: int) -> dict[str, np.ndarray]:
    """What the rows of a group measure, in the order of its grid."""
    one = GROUPS[group]
    rows = int(np.prod([len(side) for side in grid(one).values()]))
    random = np.random.default_rng(group)
    return {
        "objective": random.random((rows, SAVES)).astype(one.precision),
        "answers": random.random((rows, SAVES, 2, one.positions)).astype(np.float32),
        "time_reached": random.random(rows).astype(one.precision),
        "bits": random.integers(0, 255, rows).astype(np.uint8),
        "count": random.integers(-9, 9, rows).astype(np.int32),
        "big": random.integers(2**60, 2**61, rows),
        "half": random.random(rows).astype(np.float16),
        "status": random.integers(1, 4, rows).astype(np.int8),
    }


def chunks(rows: int = 5) -> Iterator[tuple[int, int, np.ndarray]]:
    """Number, group and row numbers of every chunk."""
    number = 0
    for g, group in enumerate(GROUPS):
        count = len(values(g)["status"])
        order = np.asarray(group.order or range(count))
        for start in range(0, count, rows):
            yield number, g, order[start : start + rows]
            number += 1


def chunk(number: int, group: int, rows: np.ndarray, **attributes: Any) -> xr.Dataset:
    dims = ("row", "save", "split", "position")
    return xr.Dataset(
        {name: (dims[: a.ndim], a[rows], {"units": "1"}) for name, a in values(group).items()},
        {"row": rows, "split": ["train", "test"]},
        {"schema_version": 1, "spec_hash": SPEC_HASH, "chunk": number, "group": group} | attributes,
    )


def pieces(rows: int = 5) -> Iterator[Piece]:
    for number, g, at in chunks(rows):
        shapes = {name: a.shape[1:] for name, a in values(g).items()}
        yield Piece(number, GROUPS[g].at, grid(GROUPS[g]), at, shapes)


def write_sweep(folder: Path, *, without: tuple[int, ...] = (), rows: int = 5) -> None:
    (folder / "chunks").mkdir(parents=True)
    write_virtual(folder, labels(), variables(), pieces(rows))
    for number, group, at in chunks(rows):
        if number not in without:
            write_bytes(folder / chunk_name(number), chunk_bytes(chunk(number, group, at)))


def expected(*, without: tuple[int, ...] = (), rows: int = 5) -> xr.Dataset:
    """The same by assignment, row by row."""
    made = {
        name: np.full(v.shape, v.fill if v.absent is None else v.absent, v.dtype)
        for name, v in variables().items()
    }
    for number, g, at in chunks(rows):
        group, found = GROUPS[g], values(g)
        sides = grid(group)
        for row in at:
            place = np.unravel_index(row, [len(side) for side in sides.values()])
            known = {dim: side[i] for (dim, side), i in zip(sides.items(), place, strict=True)}
            known |= group.at
            for name, numbers in found.items():
                if number in without and name != "status":
                    continue
                corner = tuple(slice(0, length) for length in numbers.shape[1:])
                # A slice of length one keeps its axis, and what is repeated is broadcast.
                lead = tuple(
                    slice(known[d], known[d] + 1) if d in known else slice(None) for d in LEAD
                )
                made[name][lead + corner] = 0 if number in without else numbers[row]
    ds = labels()
    return ds.assign({k: (v.dims, made[k], dict(v.attrs)) for k, v in variables().items()})
