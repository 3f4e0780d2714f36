"""What is found on a result itself: numbers, sentences, figures, a page."""

import inspect
import subprocess
import sys

import pandas as pd
import pytest
import xarray as xr
from example_results import example_result
from matplotlib import pyplot as plt

import jaxattn
from jaxattn import plots
from jaxattn.analysis.contrasts import contrasts
from jaxattn.core.contracts import InputError

FIGURES = ("accuracy", "focus", "learning", "overview", "orders", "sharpnesses", "error_cells")


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return example_result(seeds=3)


@pytest.fixture(autouse=True)
def _registered() -> None:
    assert jaxattn.open
    yield
    plt.close("all")


@pytest.mark.parametrize("door", ["compare", "open"])
def test_doors_that_give_results_register_it_and_importing_jaxattn_does_not(door: str) -> None:
    code = f"""
import jaxattn, sys
assert "xarray" not in sys.modules
import xarray
assert not hasattr(xarray.Dataset, "jaxattn")
jaxattn.{door}
assert xarray.Dataset.jaxattn
assert "matplotlib" not in sys.modules, "nothing is drawn yet"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_numbers_and_sentences_are_those_of_the_functions(ds: xr.Dataset) -> None:
    pd.testing.assert_frame_equal(ds.jaxattn.summary(), jaxattn.summary(ds))
    narrow = ds.jaxattn.summary(low=0.25, high=0.75)
    pd.testing.assert_frame_equal(narrow, jaxattn.summary(ds, 0.25, 0.75))
    assert ds.jaxattn.findings() == jaxattn.findings(ds)
    pd.testing.assert_frame_equal(ds.jaxattn.contrasts(), contrasts(ds))


def test_figures_are_the_functions_of_plots_that_take_a_result(ds: xr.Dataset) -> None:
    shown = {name for name in dir(ds.jaxattn.plot) if not name.startswith("_")}
    assert shown >= set(FIGURES)
    assert shown < set(plots.__all__)
    assert not shown & {"gallery", "save", "style_of", "Style", "COLOURS", "Drawing"}
    for name in shown:
        whole = list(inspect.signature(getattr(plots, name)).parameters)
        assert list(inspect.signature(getattr(ds.jaxattn.plot, name)).parameters) == whole[1:]


def test_a_figure_is_drawn_of_this_result_where_it_is_told_to(ds: xr.Dataset) -> None:
    _, ax = plt.subplots()
    assert ds.jaxattn.plot.focus(ax, learning_rate=0.02) is ax
    assert "learning rate 0.02" in ax.get_title("left")
    assert len(ax.get_lines()) >= ds.sizes["paradigm"]


@pytest.mark.parametrize("name", ["fokus", "gallery", "_ds_", "Style"])
def test_what_is_no_figure_is_an_attribute_error_that_names_them(ds: xr.Dataset, name: str) -> None:
    with pytest.raises(AttributeError, match=r"expected a figure: accuracy, .*focus"):
        getattr(ds.jaxattn.plot, name)


@pytest.mark.parametrize(
    "foreign",
    [
        xr.Dataset(),
        xr.Dataset({"air": ("time", [1.0, 2.0])}),
        xr.Dataset({"status": (("paradigm", "seed"), [[1, 1]])}),
    ],
    ids=["empty", "of something else", "half of one"],
)
def test_of_a_dataset_that_is_no_result_everything_is_refused_in_one_line(foreign, tmp_path):
    found = foreign.jaxattn
    asked = {name: getattr(found.plot, name) for name in dir(found.plot) if name[0] != "_"}
    asked |= {"summary": found.summary, "findings": found.findings}
    asked |= {"report": lambda: found.report(tmp_path / "new")}
    for name, ask in asked.items():
        with pytest.raises(InputError) as caught:
            ask()
        assert "expected" in str(caught.value), name
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
