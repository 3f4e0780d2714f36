"""Critical learning rates on a terminal: where a bisection stands, and what it found."""

import numpy as np
import pandas as pd
from rich.table import Column, Table

from jaxattn.run.critical_rate import Bracket

__all__ = ["bracket_line", "median_of", "rates_table"]


def bracket_line(bracket: Bracket) -> str:
    """``bisection 3 of 7: between 0.178 and 0.316 (median of 8 seeds)``."""
    ends = (f"{np.median(end):.3g}" for end in (bracket.within, bracket.left))
    seeds = bracket.within.size
    over = f" (median of {seeds} seeds)" if seeds > 1 else ""
    return f"bisection {bracket.number} of {bracket.total}: between {' and '.join(ends)}{over}"


def median_of(table: pd.DataFrame) -> dict[str, float]:
    """Both ends of the bracket, medians over the seeds of which they are known."""
    return {name: float(table[name].median()) for name in ("within", "left")}


def rates_table(table: pd.DataFrame, tolerance: float) -> Table:
    """A line a seed, then the median."""
    headings = ("seed", "stays within at", "has left at", "distance at either", "steps", "status")
    shown = Table(
        *(Column(heading, justify="right") for heading in headings),
        title=f"largest learning rate at which training stays within {tolerance:.3g} of the way",
        title_justify="left",
    )
    for line in table.itertuples(index=False):
        numbers = ("-",) * 4
        if np.isfinite(line.within):
            shares = f"{line.share_within:.3g}, {line.share_left:.3g}"
            numbers = (f"{line.within:.4g}", f"{line.left:.4g}", shares, f"{line.steps:.0f}")
        shown.add_row(str(line.seed), *numbers, line.status)
    if len(table) > 1:
        middle = (f"{end:.4g}" for end in median_of(table).values())
        shown.add_row("median", *middle, "", "", "")
    return shown
