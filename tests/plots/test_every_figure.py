"""What holds of every figure, of comparisons and of experiments: one table, one set of checks."""

import inspect
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import pytest
import xarray as xr
from example_departures import example_departures
from example_fixed_focus import example_fixed_focus, falls, rises
from example_hybrids import example_schedule, example_switch
from example_limits import example_limits
from example_phase import example_phase
from example_results import example_result
from example_theory import example_theory
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from own_results import own_result

from jaxattn import plots
from jaxattn.core.contracts import InputError
from jaxattn.experiments.departures.figures import departing_classes, departures
from jaxattn.experiments.fixed_focus.figures import fixed_focus
from jaxattn.experiments.phase.figures import focus_time_maps, lead_time_maps, leader_maps
from jaxattn.experiments.schedule.figures import schedule_shares, schedule_switching
from jaxattn.experiments.switch.figures import switch_curves, switch_scaling
from jaxattn.experiments.theory.figures import closed_forms, late_focus, panels
from jaxattn.experiments.theory.phase_portrait import phase_portrait
from jaxattn.plots.drawing import entries

NOT_FIGURES = {"COLOURS", "Drawing", "Style", "gallery", "save", "style_of"}
FIXED_FOCUS = {"soft": falls, "hard": rises, "lvml": rises}
EXAMPLES: dict[str, Callable[[], xr.Dataset]] = {
    "comparison": cache(lambda: example_result(flow_seeds=2, theory=True, saves=5)),
    "limits": cache(lambda: example_limits(sharpest=8.0)),
    "own": cache(lambda: own_result(saves=9)),
    "departures": cache(lambda: example_departures(("soft", "hard"))),
    "fixed-focus": cache(lambda: example_fixed_focus(FIXED_FOCUS)),
    "phase": cache(example_phase),
    "schedule": cache(example_schedule),
    "switch": cache(example_switch),
    "theory": cache(example_theory),
}


class Case(NamedTuple):
    """A figure, and what can be seen on it."""

    draw: Callable[..., Any]
    of: str
    labels: tuple[str, ...]
    """Of its axes, some of them at least, with units where there are any."""
    refuses: str
    """What it says of an empty Dataset."""
    by_paradigm: bool = True
    """Whether colours are those of the paradigms."""

    @property
    def name(self) -> str:
        return self.draw.__name__


NO_RESULT = r"no jaxattn result, expected what jaxattn\.compare or jaxattn\.open returns"
NO_LIMITS = r"got a result without continuous limits.*against=\('flow', 'modified'\)"
FOCUS, STEP, PARADIGM = "attention on the foreground, mean", "training step", "paradigm"


def lacks(*names: str, of: str) -> str:
    return f"got a result without {', '.join(names)}, expected one of jaxattn reproduce {of}"


CASES = [
    Case(plots.focus, "comparison", (STEP, FOCUS), NO_RESULT),
    Case(plots.accuracy, "comparison", (STEP, "accuracy [%]"), NO_RESULT),
    Case(plots.learning, "comparison", (STEP, "training loss", "[nat]"), NO_RESULT),
    Case(plots.curves, "comparison", (STEP, "training loss", "[nat]"), NO_RESULT),
    Case(plots.parameters, "own", (STEP, "norm of parameters"), NO_RESULT, by_paradigm=False),
    Case(plots.overview, "comparison", (STEP, FOCUS, "accuracy [%]"), NO_RESULT),
    Case(plots.beside_flow, "comparison", ("time", FOCUS), "without a gradient flow.*flow_seeds=2"),
    Case(plots.mu_nu, "comparison", ("time", r"$\mu$: logit gap"), NO_RESULT),
    Case(plots.population, "comparison", ("time", r"$\mu$", r"$\nu$", r"$\alpha$"), NO_RESULT),
    Case(plots.error_cells, "comparison", (PARADIGM, "share of examples [%]"), NO_RESULT),
    Case(
        plots.error_cells_by_class,
        "comparison",
        ("class of the label", "share of the class [%]"),
        NO_RESULT,
    ),
    Case(
        plots.answers,
        "comparison",
        ("attention on the foreground", "accuracy [points]"),
        NO_RESULT,
        by_paradigm=False,
    ),
    Case(plots.distribution, "comparison", (PARADIGM, "accuracy [%]"), NO_RESULT),
    Case(plots.rate_sensitivity, "comparison", ("learning rate", "accuracy [%]"), NO_RESULT),
    Case(plots.answer_map, "comparison", ("$a_z$", "$s_y$"), NO_RESULT, by_paradigm=False),
    Case(plots.answer_maps, "comparison", ("$a_z$", "$s_y$"), NO_RESULT),
    Case(plots.attention_on_images, "comparison", (), r"without pictures.*picture=\(height, width"),
    Case(plots.distance, "limits", ("time", "distance from"), NO_LIMITS, by_paradigm=False),
    Case(plots.distances, "limits", ("time", "distance"), NO_LIMITS, by_paradigm=False),
    Case(plots.orders, "limits", ("learning rate", "largest distance"), NO_LIMITS),
    Case(plots.sharpness, "limits", ("time", "rate times sharpness"), NO_LIMITS, by_paradigm=False),
    Case(plots.sharpnesses, "limits", ("time", "rate times"), NO_LIMITS, by_paradigm=False),
    Case(
        departures,
        "departures",
        (r"$\sigma$", r"largest distance in $\nu$"),
        lacks("reduced_nu", "planar_nu", of="departures"),
    ),
    Case(
        departing_classes,
        "departures",
        ("time", r"$\nu$ of each class"),
        lacks("reduced_nu", "planar_nu", of="departures"),
        by_paradigm=False,
    ),
    Case(
        fixed_focus,
        "fixed-focus",
        ("epoch", "[nat]"),
        lacks("gap", "gap_limit", "loss_limit", of="fixed-focus"),
        by_paradigm=False,
    ),
    Case(
        focus_time_maps,
        "phase",
        ("classes C", "segments m", "[m C]"),
        lacks("segments", "classes", "time_to_focus", of="phase"),
        by_paradigm=False,
    ),
    Case(
        lead_time_maps,
        "phase",
        ("classes C", "segments m", "[m C]"),
        lacks("segments", "classes", "takes_lead", "pair", of="phase"),
        by_paradigm=False,
    ),
    Case(
        leader_maps,
        "phase",
        ("classes C", "segments m"),
        lacks("segments", "classes", "largest_attention", of="phase"),
        by_paradigm=False,
    ),
    Case(
        schedule_shares,
        "schedule",
        ("segments x classes", r"$\lambda$"),
        lacks("share", "switching", "by_share", of="schedule"),
        by_paradigm=False,
    ),
    Case(
        schedule_switching,
        "schedule",
        ("segments x classes", r"\sigma(t)"),
        lacks("share", "switching", "by_share", of="schedule"),
        by_paradigm=False,
    ),
    Case(
        switch_curves,
        "switch",
        ("segments x classes", r"$1-\alpha$"),
        lacks("best_switch", "missing", "switch_time", of="switch"),
        by_paradigm=False,
    ),
    Case(
        switch_scaling,
        "switch",
        ("horizon", "best switch time", "segments"),
        lacks("best_switch", "missing", "switch_time", of="switch"),
        by_paradigm=False,
    ),
    Case(closed_forms, "theory", ("step times", "mu"), lacks("late_law", "beta", of="theory")),
    Case(late_focus, "theory", ("[m C]", r"\alpha"), lacks("late_law", "takes_lead", of="theory")),
    Case(panels, "theory", ("step times", "mu"), lacks("mu", "nu", "alpha", of="theory")),
    Case(
        phase_portrait,
        "theory",
        (r"$\mu$", r"$\nu$", "[1/time]"),
        lacks("field_mu", "orbit_nu", of="theory"),
    ),
]
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@cache
def drawn(case: Case) -> Figure:
    """The figure of its example, laid out."""
    made = case.draw(EXAMPLES[case.of]())
    figure = made if isinstance(made, Figure) else made.get_figure(root=True)
    figure.canvas.draw()
    return figure


def one_line(text: str) -> str:
    return " ".join(text.split())


@EVERY
def test_it_draws_and_says_above_or_below_what_it_shows(case: Case) -> None:
    figure = drawn(case)
    assert any(ax.has_data() for ax in figure.axes)
    said = [ax.get_title(loc="left") for ax in figure.axes] + [figure.get_supxlabel()]
    assert any(said)


@EVERY
def test_its_axes_have_labels_with_units(case: Case) -> None:
    labels = [
        one_line(text) for ax in drawn(case).axes for text in (ax.get_xlabel(), ax.get_ylabel())
    ]
    for words in case.labels:
        assert any(words in label for label in labels), (words, labels)


@EVERY
def test_several_kinds_of_line_are_named_in_a_legend(case: Case) -> None:
    figure = drawn(case)
    kinds = {
        (to_hex(line.get_color()), str(line.get_linestyle()), str(line.get_marker()))
        for ax in figure.axes
        for line in ax.lines
        if len(line.get_xdata()) > 1
    }
    legends = [*figure.legends, *filter(None, (ax.get_legend() for ax in figure.axes))]
    # Classes have shades of one colour, which the caption explains.
    if len(kinds) > 1 and case.draw is not departing_classes and case.name != "distribution":
        assert any(len(legend.get_texts()) > 1 for legend in legends)


@EVERY
def test_paradigms_have_their_colours(case: Case) -> None:
    if not case.by_paradigm:
        return
    figure = drawn(case)
    names = [str(name) for name in EXAMPLES[case.of]()["paradigm"].values]
    found = {to_hex(line.get_color()) for ax in figure.axes for line in ax.lines}
    found |= {to_hex(patch.get_facecolor()) for ax in figure.axes for patch in ax.patches}
    found |= {to_hex(title.get_color()) for title in figure.findobj(plt.Text) if title.get_text()}
    assert {plots.COLOURS[name].lower() for name in names} <= found


@EVERY
def test_no_text_of_it_is_smaller_than_seven_points(case: Case) -> None:
    sizes = [text.get_fontsize() for text in drawn(case).findobj(plt.Text) if text.get_text()]
    contours = case.draw in (focus_time_maps, lead_time_maps)
    assert min(sizes) >= (7 if contours else 8)


@EVERY
def test_an_empty_dataset_is_refused_by_what_it_lacks(case: Case) -> None:
    with pytest.raises(InputError, match=case.refuses):
        case.draw(xr.Dataset())
    assert not plt.get_fignums()


@EVERY
def test_another_kind_of_result_is_refused_by_what_it_lacks(case: Case) -> None:
    other = EXAMPLES["comparison" if case.of != "comparison" else "switch"]()
    with pytest.raises(InputError, match=r"expected"):
        case.draw(other)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if "ax" in inspect.signature(case.draw).parameters],
    ids=lambda case: case.name,
)
def test_it_draws_on_the_axes_it_is_given_and_on_new_ones_otherwise(case: Case) -> None:
    ds, ax = EXAMPLES[case.of](), Figure().subplots()
    assert case.draw(ds, ax=ax) is ax
    assert ax.has_data()
    new = case.draw(ds)
    assert isinstance(new, Axes)
    assert new is not ax


def test_every_figure_is_in_the_table() -> None:
    tested = {case.draw for case in CASES}
    assert {getattr(plots, name) for name in set(plots.__all__) - NOT_FIGURES} <= tested
    for name in ("departures", "fixed_focus", "phase", "schedule", "switch", "theory"):
        module = import_module(f"jaxattn.experiments.{name}.figures")
        for public in (getattr(module, one) for one in module.__all__):
            returns = inspect.signature(public).return_annotation
            assert returns is not Figure or public in tested, public


def test_every_entry_of_the_gallery_is_drawn_of_an_example() -> None:
    examples = ("comparison", "limits", "own")
    shown = {one.name for of in examples for one in plots.gallery(EXAMPLES[of]())}
    assert len(shown) == 25
    places = [entry.place for entry in entries()]
    assert len(set(places)) == len(places)
