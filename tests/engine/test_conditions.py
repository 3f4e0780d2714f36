"""A sweep goes on as it was begun, or is refused: its settings, and what its parts compute."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jax
import pytest
from small_sweeps import contents, tiny

from jaxattn import sweeps
from jaxattn.core.contracts import InputError
from jaxattn.engine.executors.local import in_this_process
from jaxattn.engine.run_sweep import resume_sweep, run_sweep
from jaxattn.results.checksum import chunk_name
from jaxattn.run.chunk import remembered
from jaxattn.run.conditions import flags
from jaxattn.study.parse import parse_spec

PARADIGM = """
import jax.numpy as jnp
import numpy as np

TABLE = {table}

def own(log_attention, values, read, label, context):
    each = jnp.stack([read.log_probability(values[n], label) for n in range(3)])
    return -jnp.sum(jnp.exp(log_attention) * each) * {factor} + jnp.asarray(TABLE)[label]
"""

TASK = """
import dataclasses
from jaxattn.tasks.orthogonal import orthogonal_population

def own(segments, classes):
    task = orthogonal_population(segments=segments, classes=classes)
    return dataclasses.replace(task, make=lambda seed: halved(task.make(seed)))

def halved(splits):
    return {{
        name: data._replace(examples=data.examples._replace(weight=data.examples.weight * {factor}))
        for name, data in splits.items()
    }}
"""


@pytest.fixture
def component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of a user's, to be edited."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "edited_by_its_owner.py"
    forget()


def forget() -> None:
    """As in a process that starts anew."""
    sys.modules.pop("edited_by_its_owner", None)
    remembered.cache_clear()
    jax.clear_caches()


def write(component: Path, text: str) -> None:
    component.write_text(text)
    shutil.rmtree(component.parent / "__pycache__", ignore_errors=True)
    forget()


def without_last_chunk(folder: Path) -> dict[str, Any]:
    whole = contents(folder)
    (folder / chunk_name(1)).unlink()
    return whole


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        resume_sweep(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / chunk_name(1)).exists()
    return str(caught.value)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begun") / "sweep"
    run_sweep(parse_spec(tiny(paradigms='["soft"]', rates="[0.1]", seeds=4)), folder)
    return folder


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (jax.threefry_partitionable(False), "jax_threefry_partitionable: True there, False here"),
        (jax.default_matmul_precision("float32"), "precision: unset there, float32 here"),
        (jax.default_prng_impl("rbg"), "jax_default_prng_impl: threefry2x32 there, rbg here"),
    ],
)
def test_a_sweep_goes_on_under_its_own_settings_alone(
    begun: Path, tmp_path: Path, setting: AbstractContextManager[None], words: str
) -> None:
    folder = Path(shutil.copytree(begun, tmp_path / "sweep"))
    whole = without_last_chunk(folder)
    with setting:
        assert words in refusal(folder)
    resume_sweep(folder)
    assert contents(folder) == whole


def test_settings_of_a_with_hold_where_chunks_are_computed() -> None:
    with jax.threefry_partitionable(False), jax.default_matmul_precision("float32"):
        here = flags()
        with in_this_process() as engine:
            [(_, there)] = engine.results(lambda number: flags(), [0])
    assert there == here != flags()


@pytest.mark.parametrize(
    ("text", "first", "other", "name"),
    [
        (PARADIGM, {"table": "np.arange(9.)", "factor": 1}, {"factor": 1.5}, "paradigm"),
        pytest.param(
            PARADIGM,
            {"table": "np.arange(9.)", "factor": 1},
            {"table": "np.arange(9.) ** 2"},
            "paradigm",
            marks=pytest.mark.slow,
        ),
        pytest.param(TASK, {"factor": 1.0}, {"factor": 0.5}, "task", marks=pytest.mark.slow),
    ],
    ids=["operations", "constants", "data"],
)
def test_a_component_that_was_edited_does_not_go_on(
    component: Path, tmp_path: Path, text: str, first: Any, other: Any, name: str
) -> None:
    own = "edited_by_its_owner:own"
    spec = tiny(
        paradigms=f'["{own if name == "paradigm" else "soft"}"]', rates="[0.1]", seeds=4
    ).replace("orthogonal-population", own if name == "task" else "orthogonal-population")
    folder = tmp_path / "sweep"
    write(component, text.format_map(first))
    run_sweep(parse_spec(spec), folder)
    whole = without_last_chunk(folder)
    write(component, text.format_map(first | other))
    said = refusal(folder)
    assert "chunk 1: got another program or other data than the sweep began with (what " in said
    assert "a component was edited since" in said
    write(component, "# a comment changes nothing\n" + text.format_map(first))
    resume_sweep(folder)
    assert contents(folder) == whole


def test_a_component_that_changes_the_directory_moves_no_results(
    component: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    text = PARADIGM.format(table="np.arange(9.)", factor=1)
    write(component, f"import os\nos.chdir({str(elsewhere)!r})\n{text}")
    spec = tmp_path / "spec.toml"
    spec.write_text(tiny(paradigms='["edited_by_its_owner:own"]', rates="[0.1]", seeds=1))
    sweeps.run(spec, "sweep")
    assert (tmp_path / "sweep" / "results.nc").is_file()
    assert not list(elsewhere.iterdir())


def test_the_manifest_names_what_decides_bits(begun: Path) -> None:
    manifest = json.loads((begun / "manifest.json").read_text())
    assert len(manifest["programs"]) == 1
    named = {"jax", "jaxlib", "numpy", "backend", "device", "jax_threefry_partitionable"}
    assert named <= set(manifest["made_with"])
