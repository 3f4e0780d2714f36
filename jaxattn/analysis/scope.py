"""What statistics of a result are about, and what they cannot be about: said in sentences."""

import pandas as pd
import xarray as xr

from jaxattn.analysis.max_t import EXACT, least_p
from jaxattn.analysis.wording import listed
from jaxattn.problems.minibatches import Order
from jaxattn.results.dataset import spec_of

__all__ = ["error_words", "scope_words", "too_few_words"]

LEVEL = 0.05


def error_words(table: pd.DataFrame) -> str:
    """How the error of all verdicts is controlled; nothing where nothing was judged."""
    counted = int(table["p"].notna().sum())
    if not counted:
        return ""
    seeds = int(table["seeds"].max())
    how = "all flips" if seeds <= EXACT else "10,000 random flips"
    same = int(table["same"].sum())
    left = f" ({same} more are the same in every seed so far and not counted)" if same else ""
    rates = str(table["selection"].iloc[0])
    at = "" if rates == "none" else f" Each paradigm is at its own best rate ({rates})."
    return (
        f"{counted} contrasts are judged together{left}: where nothing differs, all verdicts "
        f"together name a difference in at most 5 % of experiments (max-T over {how} of the signs "
        "of seeds, step-down). Brackets are 95 % intervals that hold all together. Judged on the "
        f"{table['split'].iloc[0]} split, each paradigm by its own inference rule.{at}"
    )


def scope_words(ds: xr.Dataset) -> str:
    """Over what the intervals speak: what seeds vary, and what all of them share."""
    spec = spec_of(ds)
    varied = {"init": "start", "data": "data"}
    vary = [varied.get(str(name), str(name)) for name in spec.get("vary") or ()]
    if "order" in spec and not Order(spec["order"], spec.get("batch_size")).shared:
        vary.append("order of minibatches")
    if not vary:
        return ""
    shared = [what for what in ("start", "data", "order of minibatches") if what not in vary]
    fixed = f"; all share the {listed(shared)}" if shared else ""
    fixed += "" if "data" in vary else ", and the examples they are judged on"
    return (
        f"Seeds vary the {listed(vary)}{fixed}. The intervals cover what seeds vary, and "
        "nothing that is fixed: not other examples, not other settings."
    )


def too_few_words(seeds: int, paradigms: int) -> str:
    """Why so few seeds cannot show any difference, before they run; nothing where they can.

    Args:
        seeds: how many; of one alone there is nothing to be compared.
        paradigms: how many.
    """
    least = least_p(seeds)
    if least <= LEVEL or paradigms < 2 or seeds < 2:
        return ""
    return (
        f"{seeds} seeds cannot show a difference: the least p of {seeds} is {least:.4g}, above "
        f"{LEVEL}; run 6 or more, and 8 for several questions at once."
    )
