"""Static axes of `compare`: what costs a compilation a value, as axes of one result."""

import numpy as np
import pytest
from own_components import chain, pairs

import jaxattn
from jaxattn.core.contracts import InputError, Status
from jaxattn.results.dataset import ABSENT, spec_of

ASKED = {"data": pairs, "seeds": 2, "steps": 4, "saves": 3, "progress": False}


@pytest.mark.slow
def test_every_point_is_the_comparison_that_it_would_be_alone(tmp_path):
    heard = []
    whole = jaxattn.compare(
        problems=chain, static={"width": [2, 3], "noise": [0.0, 0.5]}, keep="w0",
        on_chunk=lambda progress, so_far: heard.append((progress, so_far())), **ASKED,
    )  # fmt: skip
    front = ("paradigm", "dynamics", "width", "noise", "learning_rate", "seed")
    assert whole["objective"].dims == (*front, "save")
    assert spec_of(whole)["static"] == {"noise": [0.0, 0.5], "width": [2, 3]}
    alone = jaxattn.compare(problems=chain(width=2), keep="w0",
                            **ASKED | {"data": lambda seed: pairs(seed, noise=0.5)})  # fmt: skip
    point = whole.sel(width=2, noise=0.5)
    np.testing.assert_array_equal(point["objective"], alone["objective"])
    np.testing.assert_array_equal(point["params.w0"].sel(w0_1=[0, 1]), alone["params.w0"])
    assert np.isnan(point["params.w0"].sel(w0_1=2)).all()
    # What was heard of is all that was run until then, and counted among all.
    first, last = heard[0], heard[-1]
    assert (first[0].done, first[0].total, last[0].done) == (2, 16, 16)
    status = first[1]["status"]
    assert (status.sel(width=3) == ABSENT).all()
    assert (status.sel(width=2, noise=0.0) != ABSENT).all()
    assert last[0].setting == "width 3, noise 0.5"
    jaxattn.report(whole, tmp_path / "report")
    again = jaxattn.open(tmp_path / "report").load()
    np.testing.assert_array_equal(again["params.w0"], whole["params.w0"])


@pytest.mark.slow
def test_models_and_settings_are_static_axes_of_attention_too():
    whole = jaxattn.compare(
        "orthogonal", paradigms="soft", static={"model": ["linear", "mlp"]}, seeds=2, steps=2,
        saves=2, progress=False,
    )  # fmt: skip
    assert list(whole["model"].values) == ["linear", "mlp"]
    assert (whole["status"] == Status.DONE).all()


@pytest.mark.parametrize(
    ("static", "said"),
    [
        ({"widht": [2]}, "did you mean 'width'"),
        ({"seed": [1, 2]}, "which the result has for something else"),
        ({"width": []}, "got no values"),
        ({"width": [2, 2]}, "expected each value once"),
        ({"a b": [2]}, "letters, digits and underscores"),
        (3, "expected lists of values by name"),
    ],
    ids=str,
)
def test_what_is_no_static_axis_is_refused_in_one_line(static, said):
    with pytest.raises(InputError, match=said) as caught:
        jaxattn.compare(problems=chain, static=static, **ASKED)
    assert "\n" not in str(caught.value)
