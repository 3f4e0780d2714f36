"""At which learning rate each paradigm does best."""

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.final_values import checked_split, final_values
from jaxattn.analysis.measures import compared_in, measure_named
from jaxattn.analysis.subject import is_of_attention
from jaxattn.core.contracts import InputError

__all__ = ["best_of_rates", "best_rates"]


def best_rates(ds: xr.Dataset) -> pd.DataFrame:
    """The learning rate at which each paradigm ends with the least mean loss.

    Of problems of one's own that have no such measure, with the least mean objective. By the
    validation split, or train where there is none, under the paradigm's own inference rule, and by
    all seeds. What is then judged on test is judged by the same seeds, whose start was in
    luck on both: `tests/analysis/test_calibration.py` holds the error of all verdicts to its bound
    with this choice in it. A rate is passed over where fewer of the seeds finished.

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


def best_of_rates(ds: xr.Dataset) -> xr.Dataset | None:
    """Place and value of the best rate ``[paradigm, swept...]``, and how it was chosen."""
    splits = ds["split"].values.tolist() if "split" in ds.coords else []
    split = "validation" if "validation" in splits else "train"
    by_loss = next((measure for measure in compared_in(ds) if measure.spec.name == "loss"), None)
    what = f"{split} loss"
    if by_loss is None and not is_of_attention(ds):
        by_loss, what = measure_named(ds, "objective"), "objective"
    if by_loss is None or (loss := final_values(ds, by_loss, split)) is None:
        return None
    seeds = loss.count("seed")
    mean = loss.mean("seed").where((seeds == seeds.max("learning_rate")) & (seeds > 0))
    index = mean.fillna(np.inf).argmin("learning_rate")
    best = xr.Dataset({"loss": mean, "seeds": seeds}).isel(learning_rate=index)
    best = best.assign_coords(learning_rate=best["learning_rate"].where(best["seeds"] > 0))
    selection = f"least mean {what} of all seeds"
    return best.assign(index=index).assign_attrs(selection=selection)
