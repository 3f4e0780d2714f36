"""Each example is short, runs, and shows what the paper that it is of derives."""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import jaxattn
from jaxattn.core.contracts import Status
from jaxattn.flow.limits.registry import LIMITS

ROOT = Path(__file__).parent.parent
EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
LINES = 35

pytestmark = pytest.mark.needs_x64


@pytest.fixture(autouse=True)
def _as_a_person_has_it() -> Iterator[None]:
    """A bias is added to a row without saying along which axis."""
    with jax.numpy_rank_promotion("allow"):
        yield


class Recorded(Exception):
    """Raised in place of the first comparison."""


@contextmanager
def replaced(compare: Callable[..., xr.Dataset]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxattn, "compare", compare)
        yield


def execute(name: str) -> dict[str, Any]:
    """What an example has defined when it has run, or was stopped at its first comparison."""
    defined: dict[str, Any] = {"__name__": name}
    with suppress(Recorded):
        exec(compile(EXAMPLES[name].read_text(), str(EXAMPLES[name]), "exec"), defined)
    return defined


def request(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an example asks of `compare` first, and what it has defined by then; nothing is run."""
    asked: dict[str, Any] = {"progress": False}

    def record(**given: Any) -> xr.Dataset:
        asked.update(given)
        raise Recorded

    with replaced(record):
        return asked, execute(name)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name: str) -> None:
    text = EXAMPLES[name].read_text()
    after_docstring = text.splitlines()[ast.parse(text).body[0].end_lineno :]
    assert sum(bool(line.strip()) for line in after_docstring) <= LINES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_its_figure_in_the_docs_and_is_shown_in_the_readme(name: str) -> None:
    figure = ROOT / "docs" / f"{name}.png"
    assert figure.stat().st_size < 60_000
    readme = (ROOT / "README.md").read_text()
    assert f"docs/{name}.png" in readme
    assert f"examples/{name}.py" in readme


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_in_small_form_ends_well_and_draws_its_figure(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, results = jaxattn.compare, []

    def small(**given: Any) -> xr.Dataset:
        fewer = {"times": given["times"][::10]} if "times" in given else {"steps": 20, "saves": 5}
        results.append(
            real(**{**given, **fewer, "seeds": min(given["seeds"], 2), "progress": False})
        )
        return results[-1]

    monkeypatch.chdir(tmp_path)
    with replaced(small):
        execute(name)
    plt.close("all")
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]
    assert results
    for ds in results:
        assert Status.ended_well(ds["status"].values).all()


def test_a_deep_linear_network_follows_its_sigmoids_from_an_aligned_start_alone() -> None:
    asked, defined = request("deep_linear")
    coarse = {"hypers": {"learning_rate": 1.0, "noise": [0.0, 0.01]}, "steps": 12, "saves": 13}
    ds = jaxattn.compare(**{**asked, **coarse, "seeds": 1, "curvature": 0})
    strength = ds["strength"].isel(paradigm=0, learning_rate=0, seed=0, split=0)
    flow, exact = (strength.sel(dynamics=name) for name in ("flow", "sigmoids"))
    apart = abs(flow - exact).max(["save", "mode"])
    # The flow's error is about its distance from itself at a tenth of its tolerances. A strength is
    # a product of both layers, whose norms are the root of the largest strength.
    error = float(ds["own_error"].sel(dynamics="flow").max())
    assert 0 < float(apart.sel(noise=0.0)) <= 2 * 2 * np.sqrt(defined["S"].max()) * error
    # A start of another size is early or late, which a figure shows.
    assert float(apart.sel(noise=0.01)) > defined["S"].min() / 20


def few(data: Any) -> Any:
    """Enough examples for an order, and fewer to measure."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:50], data)


SMOOTH: dict[str, tuple[float, float, dict[str, float], Callable[..., Any]]] = {
    "deep_linear": (0.04, 2.0, {"start": 0.1, "noise": 0.05}, lambda asked, own: asked["data"]),
    "linear_attention_icl": (0.1, 10.0, {}, lambda asked, own: few(own["sequences"](0))),
    "scan_and_snap": (0.1, 4.0, {}, lambda asked, own: few(own["sample"](jax.random.key(0)))),
    "token_selection_svm": (0.2, 10.0, {}, lambda asked, own: own["inputs"](0)),
    "two_layer_edge": (0.1, 10.0, {}, lambda asked, own: few(own["data"])),
}
"""Of each example: a rate far below the edge, a time, hyperparameters, and some of its data."""


def test_no_example_is_without_its_orders() -> None:
    assert SMOOTH.keys() == EXAMPLES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOOTH)
def test_an_example_is_of_order_one_from_its_flow_and_of_order_two_from_the_modified_flow(
    name: str,
) -> None:
    asked, defined = request(name)
    rate, time, hypers, data_of = SMOOTH[name]
    ds = jaxattn.compare(
        problems=asked["problems"],
        data=data_of(asked, defined),
        hypers={**hypers, "learning_rate": [rate, rate / 2, rate / 4]},
        seeds=1,
        steps=round(time / rate),
        saves=5,
        against=("flow", "modified"),
        curvature=0,
        progress=False,
    )
    lines = jaxattn.orders(ds)
    assert len(lines) == 2 * len(asked["problems"])
    for dynamics, (first, second) in zip(lines["dynamics"], lines["local"], strict=True):
        # A slope between two rates is the order and a term in the rate, which halves with it: this
        # leaves one in its square.
        assert round(2 * second - first, 2) == LIMITS[dynamics].convergence_order


def first_below(path: xr.DataArray, level: float) -> xr.DataArray:
    """The median over seeds of the time of the first save at which a path is below a level."""
    return path["time"].where(path < level).min("save").median("seed")


@pytest.mark.slow
def test_linear_attention_drops_when_and_where_the_theory_says() -> None:
    asked, defined = request("linear_attention_icl")
    size, plateaus = defined["SEPARATE"], defined["PLATEAUS"]
    aligned = [size * np.ones(4), size * np.eye(4), size * np.eye(4)]
    problems = asked["problems"]
    problems["aligned"] = problems["separate"]._replace(init=lambda key, hyper: aligned)
    ds = jaxattn.compare(**{**asked, "problems": problems, "saves": 1001})
    flow = ds["objective"].sel(dynamics="flow").isel(learning_rate=0)

    # The example says within 10 %: its theory is of infinitely many sequences.
    halfway = (plateaus[0] + plateaus[-1]) / 2
    drop = first_below(flow.sel(paradigm="merged"), halfway)
    np.testing.assert_allclose(drop, defined["DROP"], rtol=0.1)
    levels = (plateaus[1:] + plateaus[:-1]) / 2
    drops = [first_below(flow.sel(paradigm="aligned"), level) for level in levels]
    np.testing.assert_allclose(drops, defined["DROPS"], rtol=0.1)
    # Separate key and query rest at each plateau; merged ones come past those in between.
    rests = {level: (abs(flow / level - 1) < 0.07).sum("save") for level in plateaus}
    assert all((saves.sel(paradigm="separate") >= 10).all() for saves in rests.values())
    between = list(rests.values())[1:-1]
    assert all((saves.sel(paradigm="merged") < 10).all() for saves in between)


@pytest.mark.slow
def test_attention_turns_to_the_frequent_distinct_tokens_and_further_with_a_slow_decoder() -> None:
    asked, _ = request("scan_and_snap")
    ds = jaxattn.compare(**{**asked, "seeds": 2, "steps": 200})
    paid = ds["attention"].isel(paradigm=0, dynamics=0, learning_rate=0, split=0)
    gain = paid.isel(save=-1) / paid.isel(save=0)
    distinct = gain.isel(token=slice(1, None))
    assert (gain.sel(token="common") < 1).all()
    assert (distinct.diff("token") > 0).all()
    assert (gain.sel(token="1", decoder_rate=1.0) > gain.sel(token="1", decoder_rate=10.0)).all()


@pytest.mark.slow
def test_training_stays_at_its_edge_of_stability_where_its_flow_goes_beyond() -> None:
    asked, _ = request("two_layer_edge")
    fewer = {"hypers": {"learning_rate": 0.8}, "saves": 21}
    ds = jaxattn.compare(**{**asked, **fewer})
    product = 0.8 * ds["sharpness"].squeeze().isel(save=slice(-5, None))
    assert (product.sel(dynamics="flow") > 4).all()
    assert (product.sel(dynamics="train") > 2).all()
    assert (product.sel(dynamics="train") < 3).all()


@pytest.mark.slow
def test_attention_comes_to_the_max_margin_direction_and_sooner_by_normalised_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    defined = execute("token_selection_svm")
    plt.close("all")
    gaps = {name: ds["gap"].squeeze().isel(save=-1) for name, ds in defined["runs"].items()}
    # The flow goes as the logarithm of time, steps of one length as their number.
    assert (gaps["normalised"] < gaps["gradient descent"] / 5).all()
    assert (gaps["gradient flow"] < 0.01).all()

    data = defined["inputs"](0)
    apart = (data["tokens"][:, :1] - data["tokens"][:, 1:]).reshape(-1, 2)
    angles = np.linspace(0, 2 * np.pi, 10_001)
    margins = (apart @ np.stack([np.cos(angles), np.sin(angles)])).min(axis=0)
    assert (apart @ data["svm"][0]).min() >= margins.max() * (1 - 1e-6)
