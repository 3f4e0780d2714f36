"""`make bench-device` runs here, in its smallest form, and its page says what its JSON holds."""

import importlib.util
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import jax
import pytest

from jaxattn.run.stage import STAGES

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def load(name, monkeypatch):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def device(monkeypatch):
    """The script, which imports what lies beside it, where nothing is compiled yet."""
    for stage in list(STAGES):
        stage.forget()
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.5")
    for name in ("counting", "device_limits", "device_sizes", "device_rates", "device_page"):
        load(name, monkeypatch)
    return load("device", monkeypatch)


def cells(page, *words):
    found = [row for row in page.splitlines() if all(word in row for word in words)]
    assert len(found) == 1, found
    return [cell.strip() for cell in found[0].strip("|").split("|")]


@pytest.mark.slow
@pytest.mark.parametrize("flows", [0, 1])
def test_the_smallest_form_measures_all_it_names_and_sets_nothing_that_is_set(
    device, tmp_path, capsys, flows
):
    sizes, environment = sys.modules["device_sizes"], dict(os.environ)
    assert [kind for kind, *_ in sizes.TINY.measured] == ["train", "sweep", "flow"]
    sizes.SIZES["tiny"] = replace(sizes.TINY, measured=sizes.TINY.measured[: 2 + flows])
    assert device.main(["--sizes", "tiny", "--out", str(tmp_path / "out")]) == 0
    assert dict(os.environ) == environment
    said = capsys.readouterr()
    assert str(tmp_path / "out" / "results.json") in said.out
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["not_measured"] == []
    limits = ("matmul_float32", "matmul_default", "matmul_float64", "bandwidth")
    assert min(found["limits"][name] for name in limits) > 0
    (training,), (sweep,) = found["train"], found["sweep"]
    assert len(found["flow"]) == flows
    for one in (training, *found["flow"]):
        assert min(one["compile_s"], one["ready_s"], one["run_s"]) > 0
    # Two rows a call, two calls, three steps.
    assert training["seed_steps_per_s"] == pytest.approx(12 / training["run_s"])
    assert all(flow["gradients_per_s"] > flow["flows_per_s"] > 0 for flow in found["flow"])
    assert sweep["first_s"] > 0 < sweep["chunk_s"]
    page = (tmp_path / "out" / "report.md").read_text()
    assert "these figures mean nothing" in page
    assert f"{training['seed_steps_per_s']:,.0f}" in page
    assert f"{sweep['seed_steps_per_s']:,.0f}" in page
    # What is said on the way is what is written.
    assert all(
        f"linear, hard, {what}" in said.err for what in ("2 rows a call", "chunks of 2 rows")
    )


def results(**more):
    one = {"case": "mlp", "paradigm": "hard", "rows": 1024, "calls": 4, "steps": 10,
           "seed_steps_per_s": 2e6, "operations": 3e6, "bytes": 1e6,
           "ready_s": 1.25, "compile_s": 4.0, "run_s": 0.02, "rounds": 3}  # fmt: skip
    return {
        "device": {"platform": "gpu", "kind": "A Chip", "count": 2, "memory_bytes": 80e9,
                   "jax": "0.0"},
        "sizes": "large",
        "limits": {"precision": "highest", "matmul_float32": 30e12, "bandwidth": 2e12,
                   "matmul_default": None, "matmul_float64": None},
        "train": [one],
        "flow": [],
        "sweep": [],
        "not_measured": [{"what": "matmul_float64", "why": "no such numbers"}],
        "seconds": 400.0,
    } | more  # fmt: skip


def test_a_share_is_of_all_devices_that_worked(device):
    # 2e6 steps of 3e6 operations are a tenth of what two chips multiply, 2e12 bytes half.
    row = cells(device.page(results()), "| mlp |")
    assert row[3:] == ["2,000,000", "10 %", "50 %", "1.2", "4.0", "0.02"]


def test_devices_of_a_cpu_are_the_same_cores(device):
    found = results()
    found["device"]["platform"] = "cpu"
    assert cells(device.page(found), "| mlp |")[4:6] == ["20 %", "100 %"]


def test_what_a_device_cannot_do_is_left_out_and_said(device):
    page = device.page(results())
    assert "float64 product" not in page
    assert "## A sweep's chunks" not in page
    assert "- matmul_float64: no such numbers\n" in page


def test_what_was_refused_leaves_the_rest_to_be_measured(device):
    rates, said = sys.modules["device_rates"], []

    def refused():
        raise jax.errors.JaxRuntimeError("no room\nat all")

    take = rates.Taking(float("inf"), said.append)
    assert take("one", refused) is None
    assert take("two", max, 1, 2) == 2
    late = rates.Taking(0.0, said.append)
    assert late("three", max, 1, 2) is None
    assert take.missing == [{"what": "one", "why": "no room"}]
    assert [line.partition(":")[0] for line in said] == ["one", "three"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sizes", "huge"], "huge"),
        (["--out"], "--out"),
        (["--out", __file__], "expected a folder"),
        (["more"], "more"),
    ],
)
def test_what_cannot_be_read_is_refused(device, capsys, words, said):
    with pytest.raises(SystemExit) as end:
        device.main(words)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("platform", ["cpu", "gpu", "tpu"])
def test_a_cpu_is_given_little_and_sizes_are_whole(device, platform):
    sizes = sys.modules["device_sizes"].suits(platform)
    assert (sizes.name == "small") == (platform == "cpu")
    assert sizes.seconds < 8 * 60
    kinds = {kind for kind, *_ in sizes.measured}
    assert kinds == {"train", "flow", "sweep"}
    # A chunk is whole calls.
    assert all(sizes.chunk[0] % rows == 0 for kind, *_, rows in sizes.measured if kind == "sweep")
    assert len(set(sizes.measured)) == len(sizes.measured)
