"""The gate on what a test may cost, and the options under which tests compile."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xla_options

CONFTEST = """
import processor_time

pytest_plugins = ["processor_time"]
processor_time.MOST_SECONDS = 0.5
"""

TESTS = """
import subprocess, sys, time
import pytest

def work():
    end = time.process_time() + 0.8
    while time.process_time() < end: pass

@pytest.fixture
def made_by_a_child():
    subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.8: pass"])

def test_cheap(): pass
def test_waits(): time.sleep(0.8)
def test_dear(): work()
def test_set_up_is_dear(made_by_a_child): pass
@pytest.mark.slow
def test_may_be_dear(made_by_a_child): pass

@pytest.fixture
def broken():
    yield
    raise ValueError

def test_tear_down_fails(broken): pass
"""


@pytest.mark.slow
def test_a_test_that_costs_too_much_fails_unless_it_is_marked_slow(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\npythonpath = {Path(__file__).parent}\nmarkers = slow\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    failed = re.findall(r"^ERROR test_it.py::(\w+)", done.stdout, re.MULTILINE)
    assert sorted(failed) == ["test_dear", "test_set_up_is_dear", "test_tear_down_fails"]
    assert "s of processor time, expected at most 0.5 s; make the test smaller" in done.stdout
    dearest = re.findall(r"^ +[\d.]+ s  test_it.py::(\w+)$", done.stdout, re.MULTILINE)
    assert len(dearest) == 6
    assert set(dearest[3:]) == {"test_cheap", "test_waits", "test_tear_down_fails"}


def test_this_process_has_the_options_that_were_tried() -> None:
    flags = set(os.environ.get("XLA_FLAGS", "").split())
    known = xla_options.starts(" ".join(xla_options.QUICK))
    assert (set(xla_options.QUICK) <= flags) is (known and not xla_options.DEFAULT)


def test_options_that_this_xla_does_not_know_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xla_options, "QUICK", ("--xla_of_another_release=1",))
    monkeypatch.setattr(xla_options, "DEFAULT", False)
    monkeypatch.delenv("JAXATTN_TEST_XLA_TRIED", raising=False)
    before = os.environ.get("XLA_FLAGS")
    xla_options.compile_quickly()
    assert os.environ.get("XLA_FLAGS") == before
    assert os.environ["JAXATTN_TEST_XLA_TRIED"] == "1"


def test_jax_that_does_not_start_for_another_reason_is_said() -> None:
    with pytest.raises(RuntimeError, match=r"JAX does not start: .*nonesuch"):
        xla_options.starts("", JAX_PLATFORMS="nonesuch")
