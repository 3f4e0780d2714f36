"""Where runs of problems of one's own end, in sentences: the objective and what was declared."""

from collections.abc import Iterator

import pandas as pd
import xarray as xr

from jaxattn.analysis.measures import declared_in, labels_of, spec_in, title_of
from jaxattn.analysis.subject import solved_dynamics, unspoken_axes
from jaxattn.analysis.summary import summary
from jaxattn.analysis.wording import (
    Finding,
    capital,
    interval_words,
    number_words,
    setting_words,
)

__all__ = ["end_findings", "with_splits"]


def end_findings(ds: xr.Dataset) -> list[Finding]:
    """Where each measure of one number ends, a sentence a measure and setting.

    The median over seeds and the band from 10 to 90 % of them, of training, or of the flow where
    that is alone; in brackets behind it what stands beside.

    Args:
        ds: a result of problems of one's own.
    """
    table, run = with_splits(summary(ds), ds), solved_dynamics(ds)
    scalars = [name for name in declared_in(ds) if labels_of(ds, name) == 1]
    table = table[table["measure"].isin(scalars)]
    # Of several splits the one that nobody learnt from, where a measure has that.
    seen = table.groupby("measure")["split"].transform(lambda of: (of == "test").any())
    table = table[~seen | (table["split"] == "test")]
    swept = list(table.columns[2 : list(table.columns).index("split")])
    said, unspoken = [], unspoken_axes(ds)
    for name in scalars:
        lines = table[table["measure"] == name]
        for place, group in lines.groupby([*swept, "split"], sort=False):
            if each := list(_of_problems(group, run)):
                spec = spec_in(ds, name)
                unit = "" if spec.unit == "1" else f" [{spec.unit}]"
                split = f", {place[-1]}" if _is_split(ds, name) else ""
                text = f"{capital(title_of(spec))}{unit} at the end{split}: {'; '.join(each)}."
                where = dict(zip(swept, place, strict=False))
                at = setting_words({k: of for k, of in where.items() if k not in unspoken})
                said.append(Finding(at, name, text))
    return said


def _is_split(ds: xr.Dataset, name: str) -> bool:
    return "split" in ds[name].dims and ds.sizes["split"] > 1


def with_splits(table: pd.DataFrame, ds: xr.Dataset) -> pd.DataFrame:
    """`summary` in which what has no split, as the objective, is of what is learnt from."""
    splits = [str(name) for name in ds["split"].values] if "split" in ds.dims else []
    learnt = "train" if "train" in splits else next(iter(splits), "train")
    return table.assign(split=table["split"].fillna(learnt))


def _of_problems(lines: pd.DataFrame, run: str) -> Iterator[str]:
    for problem, group in lines.groupby("paradigm", sort=False):
        own = group[group["dynamics"] == run]
        beside = group[group["dynamics"] != run]
        others = ", ".join(
            f"{line['dynamics']} {number_words(line['median'])}"
            for line in beside.to_dict("records")
        )
        if own.empty:
            continue
        line = own.iloc[0]
        band = f" {interval_words(line['low'], line['high'])}" if line["seeds"] > 1 else ""
        told = f"{problem} {number_words(line['median'])}{band}"
        yield f"{told} ({others})" if others else told
