"""The doctor says what an installation is, and does not call one sound that computes wrong."""

import json
import pwd
import sys

import jax
import pytest

from jaxattn.cli import doctor
from jaxattn.cli import main as cli
from jaxattn.core.contracts import Status
from jaxattn.run.device import Facts
from jaxattn.run.job import FLOW_TILE

pytestmark = pytest.mark.needs_x64


@pytest.fixture(autouse=True)
def _environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command line sets it for its own process, which here is the tests'.
    monkeypatch.setenv("EQX_ON_ERROR", "nan")


def asked(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    """The exit code and the findings of `jaxattn doctor --json`."""
    code = cli.main(["doctor", "--json", "--no-cache"])
    out, err = capsys.readouterr()
    assert err == ""
    return code, json.loads(out)


def test_the_self_test_passes_and_takes_less_than_two_seconds_once_compiled() -> None:
    doctor.self_test()
    found = doctor.self_test()
    assert found["passed"]
    assert found["error"] <= found["tolerance"] == 1e-7
    assert found["seconds"] < 2


@pytest.mark.parametrize("name", doctor.REFERENCE)
def test_the_self_test_fails_where_one_value_is_off(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mu, nu = doctor.REFERENCE[name]
    monkeypatch.setitem(doctor.REFERENCE, name, (mu, nu + 2e-7))
    found = doctor.self_test()
    assert not found["passed"]
    assert found["error"] == pytest.approx(2e-7, rel=0.01)


def test_the_self_test_fails_where_the_solver_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = doctor.solve_reduced

    def give_up(name: str, *args: object, **sizes: float) -> object:
        path = solve(name, *args, **sizes)
        return path._replace(status=Status.SOLVER_FAILED) if name == "lvml" else path

    monkeypatch.setattr(doctor, "solve_reduced", give_up)
    assert not doctor.self_test()["passed"]


def test_the_command_exits_0_and_tells_versions_devices_precision_and_cache(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, found = asked(capsys)
    assert code == 0
    assert found["self_test"]["passed"]
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["versions"]["jax"] == jax.__version__
    assert found["devices"] == ["cpu:cpu"]
    assert found["default_precision"] == "float64"
    assert found["compilation_cache"] == "off"
    assert found["device"]["count"] == len(jax.local_devices())
    assert found["layout"]["rows_a_call"]["flow"] == FLOW_TILE


@pytest.mark.parametrize(
    ("facts", "rows", "float64"),
    [
        (
            Facts("cpu", "cpu", None),
            {"linear": 16, "mlp": 4, "cnn-cifar10": 1, "cnn-small": 1, "flow": 2},
            "yes",
        ),
        (Facts("gpu", "NVIDIA A", 80 << 30), {"linear": 512, "mlp": 128, "flow": 64}, "yes; at"),
        (Facts("tpu", "TPU v9", 16 << 30), {"linear": 512, "mlp": 128, "flow": 64}, "emulated"),
    ],
)
def test_the_layout_that_it_suggests_is_the_one_that_runs_have(
    facts: Facts, rows: dict[str, int], float64: str
) -> None:
    device, layout = doctor.device_of(facts, 2), doctor.layout_of(facts, 4)
    assert rows.items() <= layout["rows_a_call"].items()
    assert device["float64"].startswith(float64)
    assert device["matmul_precision"] == "highest"
    with jax.default_matmul_precision("tensorfloat32"):
        assert doctor.device_of(facts, 2)["matmul_precision"] == "tensorfloat32"
    assert json.loads(json.dumps([device, layout])) == [device, layout]
    # Flows in float64 are not for those that have none.
    assert ("on a CPU or a GPU" in layout["precision"]) == (facts.platform == "tpu")


def test_the_command_exits_3_where_the_self_test_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(doctor.REFERENCE, "soft", (12.0, 8.0))
    code, found = asked(capsys)
    assert code == 3
    assert not found["self_test"]["passed"]


def test_an_infinite_error_is_null_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(doctor.REFERENCE, "soft", (float("inf"), 0.0))
    code, found = asked(capsys)
    assert (code, found["self_test"]["error"]) == (3, None)


def test_without_json_it_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--no-cache"]) == 0
    out, _ = capsys.readouterr()
    assert "passed: reduced system off its reference values by" in out
    assert jax.__version__ in out


def test_without_a_home_no_cache_is_kept_and_all_else_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(user: int) -> None:
        raise KeyError(user)

    for name in ("HOME", "XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    before = jax.config.jax_compilation_cache_dir
    assert cli.main(["doctor", "--json"]) == 0
    assert jax.config.jax_compilation_cache_dir == before
