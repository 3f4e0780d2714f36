"""How a sweep is laid out: within its budget, by whole tiles, as a function of the spec."""

from dataclasses import replace

import pytest
from small_sweeps import tiny

from jaxattn.core.contracts import InputError
from jaxattn.engine.cost import layout as laying
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.cost.memory import bytes_of_chunk, row_bytes
from jaxattn.engine.directory import spec_difference
from jaxattn.run import job
from jaxattn.run.chunk import Runner
from jaxattn.run.device import Facts
from jaxattn.study.layout import plan_of
from jaxattn.study.parse import parse_spec


def spec_with(layout, **asked):
    return parse_spec(tiny(layout=layout, **asked))


def needed(spec, group, tile, tiles):
    row = row_bytes(Runner(group, plan_of(group, 1, 1), spec))
    return bytes_of_chunk(row, tile, tiles, on_host=True).process


def test_what_the_spec_asks_for_is_what_it_gets():
    assert choose_layout(spec_with("tile = 3\nchunk = 12")).spec.layout.groups == ((3, 4), (3, 4))


def test_the_model_has_a_tile_of_its_own_and_a_small_chunk_is_one_tile():
    assert choose_layout(spec_with("")).spec.layout.groups == ((16, 8), (16, 8))
    assert choose_layout(spec_with("chunk = 6")).spec.layout.groups == ((6, 1), (6, 1))


def test_a_spec_is_held_against_what_was_asked_and_not_against_how_it_was_laid_out():
    asked = spec_with('tile = "measure"')
    # A machine that measured 8 and one that would measure 4 were asked for the same sweep.
    there = replace(asked, layout=replace(asked.layout, groups=((8, 4), (8, 4))))
    here = replace(asked, layout=replace(asked.layout, groups=((4, 8), (4, 8))))
    assert spec_difference(there, asked) == spec_difference(there, here) == []
    assert spec_difference(there, spec_with("tile = 4")) == ["layout.tile: measure there, 4 here"]


@pytest.mark.slow
def test_a_large_group_has_chunks_of_a_share_of_it():
    sweep = choose_layout(spec_with("", paradigms='["soft"]', seeds=100_000))
    rows, ((tile, tiles),) = 2 * 100_000, sweep.spec.layout.groups
    assert tiles == -(-rows // (laying.CHUNKS * tile))
    assert sweep.chunk_count <= laying.CHUNKS


def test_a_chunk_takes_half_the_budget_at_most_and_no_tile_less_than_it_could():
    whole = choose_layout(spec_with(""))
    group = whole.groups[0]
    for tiles in (2, 5):
        budget = 2 * needed(spec_with("memory = 1_000_000"), group, 16, tiles)
        found = choose_layout(spec_with(f"memory = {budget}")).spec.layout.groups
        assert found == ((16, tiles), (16, tiles))
        less = choose_layout(spec_with(f"memory = {budget - 2}")).spec.layout.groups
        assert less == ((16, tiles - 1), (16, tiles - 1))


def test_a_budget_too_small_for_one_tile_is_refused_before_anything_is_compiled(monkeypatch):
    compiled = []
    monkeypatch.setattr("jax.stages.Lowered.compile", lambda *given, **more: compiled.append(given))
    with pytest.raises(
        InputError, match=r"^layout\.memory: got 2 KiB, expected at least .* for one"
    ):
        choose_layout(spec_with("memory = 2048"))
    assert not compiled


def test_a_chunk_beyond_the_budget_is_refused_with_one_that_fits():
    group = choose_layout(spec_with("")).groups[0]
    budget = needed(spec_with("memory = 1_000_000"), group, 2, 20)
    layout = f"tile = 2\nmemory = {budget}\nchunk = "
    with pytest.raises(InputError, match=r"layout\.chunk: got 100 runs .*; use 40, or raise"):
        choose_layout(spec_with(layout + "100"))
    assert choose_layout(spec_with(layout + "40")).spec.layout.groups == ((2, 20), (2, 20))


def test_a_chunk_that_is_not_whole_tiles_of_the_model_is_refused_with_one_that_is():
    with pytest.raises(InputError, match=r"layout\.chunk: got 40, .* of 16 runs .*; use 32, or"):
        choose_layout(spec_with("chunk = 40"))


def test_the_layout_does_not_depend_on_devices(monkeypatch):
    before = choose_layout(spec_with("")).spec.layout
    monkeypatch.setattr("jaxattn.run.job.tiles_at_once", lambda devices: 64)
    assert choose_layout(spec_with("")).spec.layout == before


def test_an_accelerator_has_wider_tiles_and_its_own_memory_bounds_a_chunk(monkeypatch):
    def on(memory):
        for module in (laying, job):
            monkeypatch.setattr(module, "facts_here", lambda: Facts("gpu", "", memory))

    on(1 << 34)
    assert choose_layout(spec_with("")).spec.layout.groups == ((512, 8), (512, 8))
    group = choose_layout(spec_with("tile = 16")).groups[0]
    row = row_bytes(Runner(group, plan_of(group, 1, 1), spec_with("")))
    two = bytes_of_chunk(row, 16, 2, on_host=False).device
    # layout.memory is the host's, and has room for more.
    on(2 * two)
    assert choose_layout(spec_with("tile = 16")).spec.layout.groups == ((16, 2), (16, 2))
    on(2 * two - 1)
    assert choose_layout(spec_with("tile = 16")).spec.layout.groups == ((16, 1), (16, 1))
    on(two)
    with pytest.raises(InputError, match=r"layout\.chunk: .* of a device; use 32\.$"):
        choose_layout(spec_with("tile = 16\nchunk = 48"))
    on(1)
    with pytest.raises(
        InputError, match=r"layout\.tile: .* the 1 B of a device; lower layout.tile"
    ):
        choose_layout(spec_with("tile = 16"))


def test_a_tile_is_measured_once_a_model_and_fixed(monkeypatch):
    tried = []

    def fastest(spec, group, tiles):
        tried.append((group.paradigm, tuple(tiles)))
        return tiles[1]

    monkeypatch.setattr(laying, "fastest_tile", fastest)
    sweep = choose_layout(spec_with('tile = "measure"\nchunk = 8'))
    assert tried == [("soft", (2, 4, 8))]
    assert sweep.spec.layout.groups == ((4, 2), (4, 2))
    # It is part of the spec now: nothing is measured again.
    assert choose_layout(sweep.spec).spec == sweep.spec
    assert len(tried) == 1


def test_another_word_for_a_tile_is_refused():
    with pytest.raises(InputError, match=r"layout\.tile: got 'fast', expected an integer"):
        spec_with('tile = "fast"')
