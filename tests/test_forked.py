"""A child that is forked is as fresh as a process that imports for itself."""

import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import processor_time
import pytest
from forked import COMMAND, LIBRARIES, Parent, parent_of

pytestmark = pytest.mark.slow

WORK = "import time\nwhile time.process_time() < 0.5: pass"


@pytest.fixture(scope="module")
def parent() -> Iterator[Parent]:
    with parent_of() as process:
        yield process


def test_a_child_has_no_module_of_the_package_no_backend_and_the_flags_of_a_person(
    parent: Parent, tmp_path: Path
) -> None:
    said = parent.run(
        "import json, os, sys, jax\n"
        "ours = [name for name in sys.modules if name.partition('.')[0] == 'jaxattn']\n"
        "print(json.dumps([ours, sys.argv, os.getcwd(), jax.config.jax_enable_x64, __name__]))\n"
        "jax.config.update('jax_num_cpu_devices', 3)\n"  # refused where a backend has begun
        "print(len(jax.devices()))",
        "a word",
        cwd=tmp_path,
    )
    assert said.code == 0, said.err
    found, devices = said.out.splitlines()
    assert json.loads(found) == [[], ["-c", "a word"], str(tmp_path), False, "__main__"]
    assert devices == "3"


def test_what_one_child_does_another_does_not_see(parent: Parent, tmp_path: Path) -> None:
    assert parent.run("import jax; jax.answer = 42; jax.devices()", cwd=tmp_path).code == 0
    said = parent.run("import jax; print(hasattr(jax, 'answer'))", cwd=tmp_path)
    assert said.out == "False\n"


def test_a_child_ends_as_an_interpreter_does(parent: Parent, tmp_path: Path) -> None:
    at_exit = "import atexit; atexit.register(print, 'the end')\n"
    assert parent.run(at_exit + "raise SystemExit(3)", cwd=tmp_path) == (3, "the end\n", "")
    code, out, err = parent.run(at_exit + "{}[0]", cwd=tmp_path)
    assert (code, out) == (1, "the end\n")
    assert err.endswith("KeyError: 0\n")
    code, _, err = parent.run(COMMAND, "compare", "digitz", cwd=tmp_path)
    assert code == 2
    assert "did you mean 'digits'?" in err


def test_children_run_at_once_and_are_killed_one_by_one(parent: Parent, tmp_path: Path) -> None:
    wait = "import time; print('begun', flush=True); time.sleep(60)"
    one, other = (parent.begin(wait, cwd=tmp_path) for _ in range(2))
    assert one.poll() is None
    assert os.getpgid(one.pid) == one.pid
    one.send_signal(signal.SIGKILL)
    assert one.answer().code == -signal.SIGKILL
    one.send_signal(signal.SIGKILL)  # which nobody gets any more
    assert other.poll() is None
    other.send_signal(signal.SIGINT)
    assert other.answer().code == -signal.SIGINT


def test_a_child_that_does_not_end_is_killed(
    parent: Parent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forked.LIMIT", 0.5)
    assert parent.run("import time; time.sleep(60)", cwd=tmp_path).code == -signal.SIGKILL


def test_its_processor_time_is_counted_once(tmp_path: Path) -> None:
    def of_children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    begun, before, waited = processor_time.spent(), of_children(), time.process_time()
    with parent_of(()) as parent:
        assert parent.run(WORK, cwd=tmp_path).code == 0
        assert processor_time.spent() - begun >= 0.5
        assert of_children() == before
    own = time.process_time() - waited
    spent = processor_time.spent() - begun
    assert spent == pytest.approx(of_children() - before + own, abs=0.05)
    assert spent < 1.5


def test_all_that_is_imported_beforehand_is_what_the_package_uses() -> None:
    project = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    known = {"jax": "jax", "sklearn": "scikit-learn", "flax": "flax"}
    for name in {module.partition(".")[0] for module in LIBRARIES}:
        assert f'"{known.get(name, name)}>=' in project
