"""The manifest: written once, and hardware that only workers know is that of the first chunk."""

import json
from pathlib import Path

import pytest
from small_sweeps import tiny

from jaxattn.core.contracts import InputError
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.manifest import (
    check_hardware,
    check_manifest,
    programs_of,
    threads_of,
    write_manifest,
)
from jaxattn.study.layout import Sweep
from jaxattn.study.parse import parse_spec

SOFTWARE = {"jax": "1.2.3", "jax_enable_x64": True}
GPU = {"backend": "gpu", "device": "H1", "runtime": "driver 7"}
CPU = {"backend": "cpu", "device": "avx", "runtime": "cpu", "threads": 8}


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return choose_layout(parse_spec(tiny(paradigms='["soft"]')))


def written(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "manifest.json").read_text())["made_with"])


def test_hardware_elsewhere_is_that_of_the_first_chunk(tmp_path: Path, sweep: Sweep) -> None:
    write_manifest(tmp_path, sweep, SOFTWARE, ["one"])
    check_manifest(tmp_path, sweep, SOFTWARE)
    assert written(tmp_path) == SOFTWARE
    check_hardware(tmp_path, GPU)
    assert written(tmp_path) == SOFTWARE | GPU
    check_hardware(tmp_path, GPU)
    with pytest.raises(InputError, match=r"device: H1 there, H2 here\)"):
        check_hardware(tmp_path, GPU | {"device": "H2"})
    # Whoever opens such an engine need not have its hardware; who computes here must.
    check_manifest(tmp_path, sweep, SOFTWARE)
    with pytest.raises(InputError, match="backend: gpu there, cpu here"):
        check_manifest(tmp_path, sweep, SOFTWARE | CPU)
    assert written(tmp_path) == SOFTWARE | GPU
    assert programs_of(tmp_path) == ("one",)
    assert threads_of(tmp_path) is None


def test_what_is_set_at_one_end_alone_is_a_difference(tmp_path: Path, sweep: Sweep) -> None:
    write_manifest(tmp_path, sweep, SOFTWARE | CPU, ["one"])
    assert threads_of(tmp_path) == 8
    with pytest.raises(InputError, match=r"XLA_FLAGS: not set there, --xla_a=1 here\)"):
        check_manifest(tmp_path, sweep, SOFTWARE | CPU | {"XLA_FLAGS": "--xla_a=1"})
    with pytest.raises(InputError, match=r"jax: 1\.2\.3 there, not set here"):
        check_manifest(tmp_path, sweep, {"jax_enable_x64": True} | CPU)
