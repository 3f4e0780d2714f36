"""What does it cost to open a store of 100,000 rows, and to read one number or one variable of it?

Three paradigms x 100 learning rates x 334 seeds, 20 variables, 11 saves, made-up numbers.
"""

import hashlib
import io
from math import prod

import numpy as np
import pytest
import xarray as xr

from jaxattn.results.checksum import seal_chunk
from jaxattn.results.chunk_file import chunk_bytes, chunk_name
from jaxattn.results.dataset import SCHEMA_VERSION
from jaxattn.results.files import RESULTS, open_run
from jaxattn.results.virtual import Piece, VirtualVariable, status_variable, write_virtual

LEAD = {"paradigm": 3, "dynamics": 1, "learning_rate": 100, "seed": 334}
OWN = {"save": 11, "split": 2}
ROUNDS, SPEC_HASH = 5, "ab" * 32
ONE_ROW = {"paradigm": 1, "dynamics": 0, "learning_rate": 50, "seed": 7}


def variables():
    def several(name, count, own):
        dims, shape = (*LEAD, *own), (*LEAD.values(), *(OWN[dim] for dim in own))
        made = VirtualVariable(dims, shape, np.dtype(np.float32))
        return {f"{name}{i}": made for i in range(count)}

    return {
        **several("end", 6, ()),
        **several("curve", 8, ("save",)),
        **several("shares", 5, ("save", "split")),
        "status": status_variable(tuple(LEAD), tuple(LEAD.values())),
    }


def labels():
    coords = {
        "paradigm": ["soft", "hard", "lvml"],
        "dynamics": ["train"],
        "learning_rate": np.linspace(0.1, 10, LEAD["learning_rate"]),
        "seed": np.arange(LEAD["seed"]),
        "split": ["train", "test"],
    }
    return xr.Dataset(
        coords=coords,
        attrs={"schema_version": SCHEMA_VERSION, "spec": "{}", "spec_hash": SPEC_HASH},
    )


def pieces(at_once):
    shapes = {name: one.shape[len(LEAD) :] for name, one in variables().items()}
    axes = {name: range(LEAD[name]) for name in ("learning_rate", "seed")}
    rows = LEAD["learning_rate"] * LEAD["seed"]
    number = 0
    for paradigm in range(LEAD["paradigm"]):
        for start in range(0, rows, at_once):
            at = {"paradigm": paradigm, "dynamics": 0}
            yield Piece(number, at, axes, np.arange(start, min(start + at_once, rows)), shapes)
            number += 1


def one_chunk(piece):
    random = np.random.default_rng(0)
    made = {
        name: (
            ("row", *one.dims[len(LEAD) :]),
            random.random((len(piece.rows), *piece.shapes[name])).astype(one.dtype),
        )
        for name, one in variables().items()
    }
    attributes = {"schema_version": SCHEMA_VERSION, "spec_hash": SPEC_HASH, "chunk": piece.number}
    return xr.Dataset(made, {"row": piece.rows}, attributes)


@pytest.mark.parametrize("at_once", [64, 256])
def test_store(at_once, in_turn, tmp_path):
    every = list(pieces(at_once))
    whole = one_chunk(every[0])
    (tmp_path / "chunks").mkdir()
    write_virtual(tmp_path, labels(), variables(), every)
    contents = {}
    for piece in every:  # of equal lengths, equal numbers: made once, and sealed for each place
        length = len(piece.rows)
        if length not in contents:
            contents[length] = chunk_bytes(one_chunk(piece)).rpartition(b"\njaxattn chunk ")[0]
        sealed = seal_chunk(io.BytesIO(contents[length]), SPEC_HASH, piece.number)
        (tmp_path / chunk_name(piece.number)).write_bytes(sealed)
    ds, rows = open_run(tmp_path), prod(LEAD.values())
    assert int((ds["status"] >= 0).sum()) == rows
    with xr.open_dataset(tmp_path / RESULTS, engine="h5netcdf") as plain:
        xr.testing.assert_equal(plain["curve0"].load(), ds["curve0"].load())

    def plain_open():
        xr.open_dataset(tmp_path / RESULTS, engine="h5netcdf").close()

    def plain_curve():
        with xr.open_dataset(tmp_path / RESULTS, engine="h5netcdf") as opened:
            opened["curve1"].load()

    def hashes():
        for file in (tmp_path / "chunks").iterdir():
            hashlib.sha256(file.read_bytes())

    opened = open_run(tmp_path)
    in_turn(
        lambda: open_run(tmp_path),
        {
            "open by plain xarray": (plain_open, 1),
            "open and read one row of a variable": (
                lambda: open_run(tmp_path)["curve1"].isel(ONE_ROW).load(),
                1,
            ),
            "read a variable, all chunks checked for the first time": (
                lambda: open_run(tmp_path)["curve1"].load(),
                1,
            ),
            "read a variable once more": (lambda: opened["curve1"].copy(deep=False).compute(), 1),
            "open and read a variable by plain xarray": (plain_curve, 1),
            "hash all chunks": (hashes, 1),
            "write results.nc": (
                lambda: write_virtual(tmp_path, labels(), variables(), every),
                1,
            ),
            "bytes of a chunk": (lambda: chunk_bytes(whole), 1),
        },
        units=1,
        rounds=ROUNDS,
        question="store",
        at_once=at_once,
        rows=rows,
        chunks=len(every),
        results_bytes=(tmp_path / RESULTS).stat().st_size,
        chunk_bytes=len(chunk_bytes(whole)),
        chunk_numbers=int(whole.nbytes),
    )
