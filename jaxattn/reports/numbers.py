"""The tables of a report: how runs end, when they leave their limits, what differs."""

from itertools import product

import pandas as pd
import xarray as xr

from jaxattn.analysis.ends import with_splits
from jaxattn.analysis.limit_departures import departure_records
from jaxattn.analysis.limit_gaps import order_records
from jaxattn.analysis.measures import (
    FEW,
    declared_in,
    further_axes,
    heading_of,
    in_columns,
    labels_of,
    spec_in,
    summarised_in,
)
from jaxattn.analysis.paired_differences import differences
from jaxattn.analysis.subject import is_of_attention, is_trained, problem_word
from jaxattn.analysis.summary import own_rule, summary
from jaxattn.analysis.theory_gaps import theory_gaps
from jaxattn.analysis.wording import capital
from jaxattn.reports.page import Cell, Table, cell

__all__ = [
    "departures_tables",
    "ends_table",
    "judged_tables",
    "orders_tables",
    "pairs_tables",
    "theories_tables",
]


def ends_table(ds: xr.Dataset) -> Table:
    """Runs at their end, a line a paradigm, setting and split; of problems also a dynamics."""
    return _of_training(ds) if is_of_attention(ds) and is_trained(ds) else _of_all_dynamics(ds)


def _of_training(ds: xr.Dataset) -> Table:
    lines = own_rule(summary(ds), ds)
    lines = lines[lines["dynamics"] == "train"]
    swept = list(lines.columns[2 : list(lines.columns).index("split")])
    at = ["paradigm", *swept, "split"]
    measures = [spec for spec in in_columns(ds) if spec.name in set(lines["measure"])]
    rows = []
    for place, group in lines.groupby(at, sort=False):
        by_measure = group.set_index("measure")
        numbers = [_band(by_measure, spec.name) for spec in measures]
        rows.append([*map(cell, place), cell(int(group["seeds"].max())), *numbers])
    return Table(
        "After training",
        "Median and, in brackets, 10 to 90 % band over the seeds that finished; columns sort by "
        "the median. Times not reached by a seed lie above all others.",
        [*(name.replace("_", " ") for name in at), "seeds", *map(heading_of, measures)],
        rows,
    )


def _of_all_dynamics(ds: xr.Dataset) -> Table:
    """Problems of one's own: the objective and every declared measure, each label of few."""
    lines = with_splits(summary(ds), ds)
    swept = list(lines.columns[2 : list(lines.columns).index("split")])
    at = [name for name in ("paradigm", *swept, "split", "dynamics") if lines[name].nunique() > 1]
    at = at or ["paradigm"]
    specs = sorted(summarised_in(ds), key=lambda spec: labels_of(ds, spec.name))
    headings = {
        name: heading
        for spec in specs
        for name, heading in _headings(ds, spec.name)
        if name in set(lines["measure"])
    }
    rows = []
    ranks = [{of: rank for rank, of in enumerate(lines[name].unique())} for name in at]
    groups = sorted(
        lines.groupby(at, sort=False),
        key=lambda group: [rank[of] for rank, of in zip(ranks, group[0], strict=True)],
    )
    for place, group in groups:
        by_measure = group.set_index("measure")
        is_bare = bool((group["seeds"] < 2).all())
        numbers = [_band(by_measure, name, is_bare) for name in headings]
        rows.append([*map(cell, place), cell(int(group["seeds"].max())), *numbers])
    words = (_column(name, ds) for name in at)
    left = [name for name in declared_in(ds) if labels_of(ds, name) > FEW]
    more = f" Too many numbers for columns: {', '.join(left)}; select some to draw." if left else ""
    return Table(
        "At the end",
        "Median and, in brackets, 10 to 90 % band over the seeds that finished; columns sort by "
        f"the median.{more}",
        [*words, "seeds", *headings.values()],
        rows,
    )


def _headings(ds: xr.Dataset, name: str) -> list[tuple[str, str]]:
    """The measures of `summary` that a variable gives, each with the heading of its column."""
    heading = heading_of(spec_in(ds, name))
    axes = further_axes(ds, name)
    if not axes:
        return [(name, heading)]
    labels = [ds[axis].values.tolist() for axis in axes]
    every = (" ".join(map(str, each)) for each in product(*labels))
    return [(f"{name} {each}", f"{heading} {each}") for each in every]


def theories_tables(ds: xr.Dataset) -> list[Table]:
    """How far what was run is from theories of one's own."""
    if (gaps := theory_gaps(ds)).empty:
        return []
    note = (
        f"Between {gaps['dynamics'].iloc[0]} and theory: the largest absolute difference and its "
        "time, the last one (of a measure with labels of its own that of any of them), and scale, "
        "the largest value of the theory; medians over the seeds that finished in both."
    )
    return [_whole("How far theories are", note, gaps.drop(columns="dynamics"), ds)]


def orders_tables(ds: xr.Dataset) -> list[Table]:
    """Of which order in the learning rate training is to its limits."""
    if not (orders := order_records(ds)):
        return []
    note = (
        "The power of the learning rate by which the largest distance of training from a limit "
        "falls, with its 95 % interval over seeds; rates that were fitted, and the limit's own "
        "error."
    )
    lines = pd.DataFrame(orders).drop(columns=["local", "rates_within_it"])
    shown = lines.rename(columns={"dynamics": "limit"})
    return [_whole("Orders of the limits", note, shown, ds)]


def _column(name: str, ds: xr.Dataset) -> str:
    """The heading of a column that is called like this in a table of numbers."""
    return name.replace("paradigm", problem_word(ds)).replace("_", " ")


def departures_tables(ds: xr.Dataset) -> list[Table]:
    """When training left each of its limits, a line a limit, paradigm and setting."""
    records = departure_records(ds)
    if not records:
        return []
    note = (
        "Training has left a limit where it is further from it than a share of the limit's own "
        "way, the tolerance. Time and step are of the save by which at least half of the seeds "
        "that left are seen to have left, within of the save before, edge time and step of that by "
        "which half of those that reach the edge of stability are seen to have reached it."
    )
    rows = [[cell(value) for value in record.values()] for record in records]
    columns = [_column(name, ds) for name in records[0]]
    return [Table("When training leaves its limits", note, columns, rows)]


def _band(by_measure: pd.DataFrame, name: str, is_bare: bool = False) -> Cell:
    """A median and its band; bare where one seed has none."""
    if name not in by_measure.index:
        return cell(None)
    line = by_measure.loc[name]
    middle, low, high = (cell(line[key]) for key in ("median", "low", "high"))
    if is_bare:
        return middle
    return Cell(f"{middle.text} [{low.text}, {high.text}]", middle.by)


def judged_tables(ds: xr.Dataset, table: pd.DataFrame | None) -> list[Table]:
    """All contrasts of the questions, with their verdicts."""
    if table is None or table.empty:
        return []
    columns = [name for name in table.columns if name not in ("title", "split", "selection")]
    note = (
        "First minus second, each at its own best learning rate. low to high hold all together, "
        "marginal low to marginal high each on its own; favour: seeds on the side of the estimate; "
        "needed: about so many seeds would decide; delta: what counts as equal."
    )
    return [_whole("Contrasts of the questions", note, table[columns], ds)]


def _whole(title: str, note: str, table: pd.DataFrame, ds: xr.Dataset) -> Table:
    rows = [[cell(value) for value in line] for line in table.itertuples(index=False)]
    return Table(title, note, [_column(str(name), ds) for name in table.columns], rows)


def pairs_tables(ds: xr.Dataset) -> list[Table]:
    """Paired differences of all measures, without a verdict."""
    if (table := differences(ds)).empty:
        return []
    columns = [name for name in table.columns if name not in ("selection", "split")]
    word = problem_word(ds)
    note = (
        f"{capital(word)} a minus {word} b at the end of training, seed by seed, to be looked at: "
        "each interval is one on its own, and has no verdict. Effect size: mean over "
        "standard deviation of the differences (d_z); where times were not reached, the share of "
        "pairs in which a is later minus that in which it is sooner."
    )
    return [_whole("Paired differences", note, table[columns], ds)]
