"""Why a limit was not solved goes with its rows: through chunks and files, to who reads of it."""

from pathlib import Path

import numpy as np
import pytest

import jaxattn
from jaxattn.analysis.findings import failures
from jaxattn.core.contracts import Status
from jaxattn.core.reasons import Reason
from jaxattn.engine.progress import Listener
from jaxattn.engine.run_sweep import run_sweep
from jaxattn.results.checksum import chunk_name
from jaxattn.run.failures import Failed
from jaxattn.study.parse import from_plain

TABLES = {
    "task": {"name": "orthogonal", "segments": 3, "classes": 3, "train": 6, "test": 6, "points": 4},
    "settings": {"steps": 2, "saves": [0, 2], "against": ["flow"]},
    # At the least temperature scores are infinite, and the flow has no slope from the start on.
    "axes": {"paradigm": ["soft"], "temperature": [1.0, 1e-300], "seed": {"count": 1}},
    "layout": {"tile": 1, "chunk": 1},
}


@pytest.mark.needs_x64
def test_a_sweep_says_why_its_limits_were_not_solved_and_where(tmp_path: Path) -> None:
    told: list[Failed] = []
    run_sweep(from_plain(TABLES), tmp_path, to=Listener(on_failed=told.append))
    ds = jaxattn.open(tmp_path)
    assert ds["reason"].dtype == np.int8
    assert "steps_used_up" in ds["reason"].attrs["flag_meanings"]
    status, reason = (ds[name].squeeze() for name in ("status", "reason"))
    assert reason.sel(dynamics="train").values.tolist() == [Reason.NONE] * 2
    assert reason.sel(dynamics="flow").values.tolist() == [Reason.NONE, Reason.NOT_FINITE]
    assert status.sel(dynamics="flow").values.tolist() == [Status.DONE, Status.SOLVER_FAILED]
    assert [(one.dynamics, one.reason, one.time) for one in told] == [
        ("train", Reason.NONE, None),
        ("flow", Reason.NOT_FINITE, 0.0),
    ]
    text = "temperature 1e-300 (1 not solved: not finite at t = 0)"
    assert [text in one.text for one in failures(ds)] == [False, True]
    (tmp_path / chunk_name(2)).unlink()  # the first one of the flow
    there = jaxattn.open(tmp_path)["reason"].sel(dynamics="flow").values.ravel()
    assert there.tolist() == [Reason.NONE, Reason.NOT_FINITE]
