"""What bits depend on: taken as this thread has it, compared with both values named."""

import json
import threading
from typing import Any

import jax
import pytest

import jaxattn
from jaxattn.core.contracts import InputError
from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.run import conditions
from jaxattn.run.conditions import (
    differences,
    flags,
    hardware,
    refuse_other,
    set_flags,
    software,
    under,
)
from jaxattn.run.job import tiles_at_once

SET = {
    "jax_default_matmul_precision": (jax.default_matmul_precision, "bfloat16"),
    "jax_default_prng_impl": (jax.default_prng_impl, "rbg"),
    "jax_numpy_dtype_promotion": (jax.numpy_dtype_promotion, "strict"),
    "jax_threefry_partitionable": (jax.threefry_partitionable, False),
}


@pytest.mark.parametrize("name", list(SET))
def test_a_flag_is_as_this_thread_has_it_and_another_thread_can_have_it_too(name: str) -> None:
    setting, value = SET[name]
    before = flags()
    seen: dict[str, Any] = {}

    def elsewhere() -> None:
        seen["bare"] = flags()
        with under(here):
            seen["carried"] = flags()

    with setting(value):
        here = flags()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert differences(before, here) == [f"{name}: {shown(before[name])} there, {value} here"]
    assert seen["bare"] == before == flags()
    assert seen["carried"] == here


def shown(value: Any) -> str:
    return "unset" if value is None else str(value)


def test_a_process_takes_the_flags_of_another() -> None:
    before = flags()
    try:
        set_flags({"jax_threefry_partitionable": False, "of_another_version": 3})
        assert flags() == before | {"jax_threefry_partitionable": False}
    finally:
        set_flags(before)
    assert flags() == before


def test_the_record_is_json_and_says_versions_flags_and_hardware() -> None:
    record = software() | hardware()
    assert json.loads(json.dumps(record)) == record
    assert {"jax", "numpy", "optax", "jax_enable_x64"} <= set(record)
    assert set(hardware()) <= set(conditions.HARDWARE)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("--xla_dump_to=x --xla_force_host_platform_device_count=8", ""),
        ("--xla_cpu_max_isa=AVX2 --xla_dump_to=x", "--xla_cpu_max_isa=AVX2"),
        ("--xla_b=2   --xla_a=1 --xla_b=2", "--xla_a=1 --xla_b=2"),
    ],
)
def test_flags_of_xla_count_in_any_order_unless_they_change_no_number(
    text: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", text)
    assert software().get("XLA_FLAGS", "") == kept


def test_a_difference_is_refused_with_both_values() -> None:
    with pytest.raises(InputError, match=r"^who \(a: 1 there, 2 here; b: not set there, 3 here\)"):
        refuse_other({"a": 1, "c": None}, {"a": 2, "b": 3}, "who", "mend it.")
    refuse_other({"a": 1}, {"a": 1}, "who", "mend it.")


def test_streams_do_not_follow_the_default_implementation_of_keys() -> None:
    def numbers() -> list[list[int]]:
        return [jax.random.key_data(key).tolist() for key in streams(3)]

    plain = numbers()
    with jax.default_prng_impl("rbg"):
        assert numbers() == plain


@pytest.mark.slow
def test_keys_do_not_follow_the_default_implementation() -> None:
    given: dict[str, Any] = {"paradigms": ["soft"], "seeds": 1, "steps": 3, "saves": 2}
    plain = jaxattn.compare("orthogonal", **given)
    with jax.default_prng_impl("rbg"):
        other = jaxattn.compare("orthogonal", **given)
    assert plain.equals(other)
    records = [json.loads(ds.attrs["made_with"]) for ds in (plain, other)]
    assert records[0].pop("programs") == records[1].pop("programs")
    assert [line.split(":")[0] for line in differences(*records)] == ["jax_default_prng_impl"]


@pytest.mark.slow
def test_settings_that_change_while_a_comparison_runs_are_refused() -> None:
    def meddle(*_: Any) -> None:
        set_flags({"jax_threefry_partitionable": False})

    before = flags()
    # So many that some are still to be begun when the first ones are done.
    seeds = 4 * linear(10).tile * tiles_at_once(tuple(jax.local_devices()))
    try:
        with pytest.raises(InputError, match=r"jax_threefry_partitionable: True there, False here"):
            jaxattn.compare(
                "orthogonal",
                paradigms=["soft"],
                seeds=seeds,
                steps=2,
                saves=2,
                on_chunk=meddle,
            )
    finally:
        set_flags(before)
