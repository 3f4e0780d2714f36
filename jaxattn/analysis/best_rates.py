"""At which learning rate each paradigm does best, chosen by half of the seeds."""

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.final_values import checked_split, final_values
from jaxattn.analysis.measures import compared_in
from jaxattn.core.contracts import InputError

__all__ = ["best_of_rates", "best_rates", "choosing_seeds"]


def best_rates(ds: xr.Dataset) -> pd.DataFrame:
    """The learning rate at which each paradigm ends with the least mean loss.

    By the validation split, or train where there is none, and by every other seed (1st, 3rd, ...
    by value). Who then judges by the rest, on test, uses neither seeds nor examples that had a
    say. (The same seeds would judge a rate that was chosen for their luck; two halves that choose
    for each other are not independent.) A rate is passed over where fewer of them finished.

    Returns:
        Columns ``paradigm``, other swept hyperparameters, ``learning_rate`` (NaN: none finished),
        ``loss``, ``seeds`` (that chose), ``at_edge`` (the best may lie beyond those tried),
        ``selection``.

    Raises:
        InputError: not a result of training, or one without a loss or an axis of rates.
    """
    checked_split(ds, None, 0.5)
    if "learning_rate" not in ds.dims:
        raise InputError(
            "best_rates: got rates that move together with other values, expected an axis of "
            "their own; choose by jaxattn.summary instead."
        )
    if (best := best_of_rates(ds)) is None:
        raise InputError("best_rates: got a result without loss, expected one to choose by.")
    table, rates = best.to_dataframe().reset_index(), ds["learning_rate"].values
    table["at_edge"] = table["learning_rate"].isin([rates.min(), rates.max()])
    table["selection"] = best.attrs["selection"]
    columns = (*best["index"].dims, "learning_rate", "loss", "seeds", "at_edge", "selection")
    return table[[str(name) for name in columns]]


def choosing_seeds(ds: xr.Dataset) -> xr.DataArray:
    """The seeds that choose rates: every other one, by value; the rest judges."""
    return xr.zeros_like(ds["seed"]) + np.argsort(np.argsort(ds["seed"].values)) % 2 == 0


def best_of_rates(ds: xr.Dataset) -> xr.Dataset | None:
    """Place and value of the best rate ``[paradigm, swept...]``, and how it was chosen."""
    split = "validation" if "validation" in ds["split"] else "train"
    by_loss = next((measure for measure in compared_in(ds) if measure.spec.name == "loss"), None)
    if by_loss is None or (loss := final_values(ds, by_loss, split)) is None:
        return None
    loss = loss.where(choosing_seeds(ds))
    seeds = loss.count("seed")
    mean = loss.mean("seed").where((seeds == seeds.max("learning_rate")) & (seeds > 0))
    index = mean.fillna(np.inf).argmin("learning_rate")
    best = xr.Dataset({"loss": mean, "seeds": seeds}).isel(learning_rate=index)
    best = best.assign_coords(learning_rate=best["learning_rate"].where(best["seeds"] > 0))
    selection = f"least mean {split} loss of every other seed; the others judge"
    return best.assign(index=index).assign_attrs(selection=selection)
