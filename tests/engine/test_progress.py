"""What is said of a sweep while it runs: to its listener, in its log, in TensorBoard."""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from jaxattn.core.contracts import InputError, Status
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.executors.base import Engine
from jaxattn.engine.log import LOG, log, read_log
from jaxattn.engine.progress import Listener, Watch, Written
from jaxattn.engine.tensorboard import SCALARS, scalars_into
from jaxattn.results.checksum import State
from jaxattn.results.chunk_file import chunk_bytes
from jaxattn.results.files import RESULTS
from jaxattn.run.compare import Progress
from jaxattn.run.failures import Failed
from jaxattn.study.layout import Sweep
from jaxattn.study.parse import parse_spec

SPEC = """
[task]
name = "orthogonal"
classes = 3
[axes]
paradigm = ["soft", "hard"]
optimiser = ["sgd", "adam"]
seed = { count = 6 }
[layout]
tile = 2
chunk = 4
"""
"""Four groups, each of two chunks: of four runs, and of two."""

LOCAL = Engine("local", lambda work, numbers: iter(()))

RULES, SPLITS = ["argmax-segment", "average-input"], ["train", "test"]


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return choose_layout(parse_spec(SPEC))


def content(
    sweep: Sweep, number: int, failed: int = 0, stopped: int = 0, reached: float | None = None
) -> bytes:
    """A chunk with made-up ends: run i has objective i and accuracy 10 i + split + 5 rule.

    The first `failed` runs diverged, the last `stopped` converged at once, with 100 + i and 0. The
    time of the last good save is `reached` by the first run and later by each other one.
    """
    rows = sweep.locate(number)[2].real.size
    status = np.full(rows, Status.DONE, np.int8)
    status[:failed] = Status.DIVERGED
    runs = np.arange(rows, dtype=np.float32)
    objective = np.stack([runs + 100, runs], axis=1)
    objective[:failed] = np.nan
    by = 10 * runs[:, None, None] + np.arange(2)[:, None] + 5 * np.arange(2)
    accuracy = np.stack([0.0 * by, by], axis=1)
    steps = np.full(rows, 12.0)
    if stopped:
        status[-stopped:], steps[-stopped:] = Status.CONVERGED, 0
        objective[-stopped:, 1] = accuracy[-stopped:, 1] = np.nan
    ds = xr.Dataset(
        {
            "objective": (("row", "save"), objective),
            "accuracy": (("row", "save", "split", "inference"), accuracy),
            "status": ("row", status),
            "steps": ("row", steps),
            **({} if reached is None else {"time_reached": ("row", reached + runs)}),
        },
        {"row": np.arange(rows)},
        {"spec_hash": "0" * 64, "chunk": number},
    )
    return chunk_bytes(ds)


def states(sweep: Sweep, **of: State) -> dict[int, State]:
    found = dict.fromkeys(range(sweep.chunk_count), State.MISSING)
    return found | {int(name.removeprefix("chunk")): state for name, state in of.items()}


def test_a_program_is_compiling_until_its_first_chunk_is_back(sweep: Sweep, tmp_path: Path) -> None:
    told: list[Progress] = []
    watch = Watch(tmp_path, sweep, states(sweep), LOCAL, Listener(told.append))
    watch.begin()
    for number in watch.missing:
        watch.add(number, content(sweep, number))
    assert [(one.done, one.paradigm, one.setting, one.compiling) for one in told] == [
        (0, "soft", "optimiser sgd", True),
        (4, "soft", "optimiser sgd", False),
        (6, "soft", "optimiser adam", True),
        (10, "soft", "optimiser adam", False),
        (12, "hard", "optimiser sgd", True),
        (16, "hard", "optimiser sgd", False),
        (18, "hard", "optimiser adam", True),
        (22, "hard", "optimiser adam", False),
        (24, "hard", "optimiser adam", False),
    ]
    assert {one.total for one in told} == {24}


def test_chunks_may_come_back_in_any_order(sweep: Sweep, tmp_path: Path) -> None:
    told: list[Progress] = []
    watch = Watch(tmp_path, sweep, states(sweep), LOCAL, Listener(told.append))
    for number in (4, 1, 0, 2, 3):
        watch.add(number, content(sweep, number))
    # What is first of those not finished is told of: 0, 0, 2, 3, 5.
    assert [one.paradigm + " " + one.setting for one in told] == [
        *["soft optimiser sgd"] * 2,
        *["soft optimiser adam"] * 2,
        "hard optimiser sgd",
    ]
    assert [one.compiling for one in told] == [True, False, True, False, False]


def test_rows_that_failed_are_told_of_when_their_group_is_back_in_the_words_of_a_comparison(
    sweep: Sweep, tmp_path: Path
) -> None:
    failed: list[Failed] = []
    watch = Watch(tmp_path, sweep, states(sweep), LOCAL, Listener(on_failed=failed.append))
    # 800 steps at a rate of 0.05 to the 41 saves: one every 20 steps, at each time that is whole.
    watch.add(1, content(sweep, 1, failed=1, reached=3.0))
    assert not failed, "chunk 0 has rows of the same group"
    watch.add(0, content(sweep, 0, failed=2, reached=7.5))
    watch.add(2, content(sweep, 2, failed=4))
    watch.add(3, content(sweep, 3))
    assert failed == [
        Failed("soft", "train", {"optimiser": "sgd"}, 6, {Status.DIVERGED: 3}, 60, 80),
        Failed("soft", "train", {"optimiser": "adam"}, 6, {Status.DIVERGED: 4}),
    ]


def test_a_command_that_goes_on_tells_of_the_rows_that_it_ran(sweep: Sweep, tmp_path: Path) -> None:
    failed: list[Failed] = []
    found = states(sweep, chunk0=State.WHOLE)
    watch = Watch(tmp_path, sweep, found, LOCAL, Listener(on_failed=failed.append))
    watch.add(1, content(sweep, 1, failed=1))
    assert failed == [Failed("soft", "train", {"optimiser": "sgd"}, 2, {Status.DIVERGED: 1})]


def test_what_an_earlier_command_did_counts_for_no_rate(sweep: Sweep, tmp_path: Path) -> None:
    told: list[Progress] = []
    noted: list[str] = []
    chunks: list[Written] = []
    found = states(sweep, chunk0=State.WHOLE, chunk1=State.TRUNCATED, chunk2=State.WHOLE)
    watch = Watch(tmp_path, sweep, found, LOCAL, Listener(told.append, noted.append, chunks.append))
    watch.begin()
    watch.add(1, content(sweep, 1, failed=1))
    assert noted == [
        "chunk 1: truncated; it is computed again.",
        "2 of 8 chunks are finished already.",
    ]
    # 8 of 24 runs are there; of the 16 that are missing, chunk 1 has 2.
    assert [(one.done, one.total, one.failed) for one in told] == [(0, 16, 0), (2, 16, 1)]
    assert [(one.number, one.done, one.failed) for one in chunks] == [(1, 10, 1)]
    events = read_log(tmp_path)
    assert events["event"].tolist() == ["chunk not whole", "begun", "chunk"]
    assert events["state"].tolist()[0] == "truncated"


def test_of_several_hosts_the_first_says_what_is_missing(sweep: Sweep, tmp_path: Path) -> None:
    noted: list[str] = []
    found = states(sweep, chunk0=State.WHOLE, chunk1=State.DAMAGED)
    told: list[Progress] = []
    second = Engine("hosts", LOCAL.results, process=1, processes=2)
    watch = Watch(tmp_path, sweep, found, second, Listener(told.append, noted.append))
    watch.begin()
    assert noted == []
    (begun,) = read_log(tmp_path).to_dict("records")
    assert (begun["event"], begun["process"], begun["missing"]) == ("begun", 1, 3)
    # Chunk 0 is there; of 1, 2, ..., 7 this host has every second one.
    assert watch.share == (2, 4, 6)
    assert [(one.done, one.total) for one in told] == [(0, 12)]


def test_too_few_seeds_are_said_to_be_before_the_first_chunk(tmp_path: Path) -> None:
    few = choose_layout(parse_spec(SPEC.replace("count = 6", "count = 4")))
    for found, heard in ((states(few), 1), (states(few, chunk0=State.WHOLE), 0)):
        noted: list[str] = []
        Watch(tmp_path, few, found, LOCAL, Listener(on_note=noted.append)).begin()
        assert sum(note.startswith("4 seeds cannot show a difference") for note in noted) == heard


# --- the log --------------------------------------------------------------------------------------


def test_the_log_is_a_table_with_whole_numbers_and_times(sweep: Sweep, tmp_path: Path) -> None:
    watch = Watch(tmp_path, sweep, states(sweep), LOCAL, Listener())
    watch.begin()
    written = content(sweep, 3, failed=2)
    watch.add(3, written)
    log(tmp_path, "finished", computed=1, failed=2, seconds=1.5)
    table = read_log(tmp_path)
    begun, chunk, finished = (table.loc[at].dropna().to_dict() for at in range(3))
    assert begun["missing"] == begun["chunks"] == 8
    assert begun["runs"] == 24
    at, seconds = chunk.pop("at"), chunk.pop("seconds")
    assert chunk == {
        "event": "chunk",
        "chunk": 3,
        "group": 1,
        "rows": 2,
        "failed": 2,
        "bytes": len(written),
    }
    assert seconds >= 0
    assert begun["at"] <= at <= finished["at"]
    assert isinstance(at, pd.Timestamp)
    assert str(at.tz) == "UTC"
    assert table["rows"].sum() == 2
    assert finished["computed"] == 1


def test_a_torn_line_is_left_out_and_spoils_no_other(tmp_path: Path) -> None:
    log(tmp_path, "begun", missing=3)
    whole = (tmp_path / LOG).read_bytes()
    for length in (1, len(whole) // 2, len(whole) - 1):
        (tmp_path / LOG).write_bytes(whole + whole[:length])
        assert len(read_log(tmp_path)) == 1 + (length == len(whole) - 1)
        log(tmp_path, "finished", computed=length)
        table = read_log(tmp_path)
        assert table["event"].tolist()[-1] == "finished"
        assert table["computed"].tolist()[-1] == length


def test_a_log_without_an_event_is_an_empty_table_and_none_is_an_input_error(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="expected the directory of a sweep that has run"):
        read_log(tmp_path)
    (tmp_path / LOG).write_text('["at", "event"]\n{"at": "2026-')
    assert read_log(str(tmp_path)).columns.tolist() == ["at", "event"]
    assert read_log(tmp_path).empty


# --- TensorBoard ----------------------------------------------------------------------------------


def records(file: Path) -> list[bytes]:
    """The records of a TFRecord file: length (8 bytes) and its checksum, content and checksum."""
    raw, at, found = file.read_bytes(), 0, []
    while at < len(raw):
        (length,) = struct.unpack_from("<Q", raw, at)
        found.append(raw[at + 12 : at + 12 + length])
        at += 16 + length
    return found


def test_tensorboard_gets_the_means_of_the_finished_runs(sweep: Sweep, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    labels = xr.Dataset(
        coords={
            "split": SPLITS,
            "inference": RULES,
            "paradigm": ["soft", "hard"],
            "natural_inference": ("paradigm", RULES[::-1]),
            "step": ("save", [0, 12]),
        }
    )
    labels.to_netcdf(tmp_path / RESULTS, engine="h5netcdf")
    watch: Watch
    with scalars_into(tmp_path) as chunk:
        assert not (tmp_path / SCALARS).exists()
        watch = Watch(tmp_path, sweep, states(sweep), LOCAL, Listener(on_chunk=chunk))
        watch.add(0, content(sweep, 0, failed=1))
        watch.add(7, content(sweep, 7, stopped=1))
        watch.add(3, content(sweep, 3, failed=2))
    (file,) = (tmp_path / SCALARS).iterdir()
    found: dict[int, dict[str, float]] = {}
    for record in records(file):
        event = Event.FromString(record)
        for value in event.summary.value:
            found.setdefault(event.step, {})[value.tag] = value.simple_value
    rates = [scalars.pop("sweep/runs_per_second") for scalars in found.values()]
    assert all(rate > 0 for rate in rates)
    # Runs 1, 2, 3 of chunk 0: soft answers by the second rule. Of chunk 7, hard by the first, run 1
    # converged.
    assert found == {
        4: {
            "sweep/done": 4,
            "sweep/failed": 1,
            "objective/train_soft": 2.0,
            "accuracy_train/train_soft": 25.0,
            "accuracy_test/train_soft": 26.0,
        },
        6: {
            "sweep/done": 6,
            "sweep/failed": 1,
            "objective/train_hard": 50.5,
            "accuracy_train/train_hard": 0.0,
            "accuracy_test/train_hard": 0.5,
        },
        8: {"sweep/done": 8, "sweep/failed": 3},
    }


def test_tensorboard_without_its_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match=r"pip install 'jaxattn\[tensorboard\]'"):
        scalars_into(tmp_path).__enter__()


def test_every_line_of_the_log_is_one_json_object(sweep: Sweep, tmp_path: Path) -> None:
    watch = Watch(tmp_path, sweep, states(sweep), LOCAL, Listener())
    watch.begin()
    watch.add(0, content(sweep, 0))
    for line in (tmp_path / LOG).read_text().splitlines():
        assert {"at", "event"} <= set(json.loads(line))
