"""Captions go through a comparison as everything else does: trained, and beside their flow."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from caption_bags import TASK
from helpers import compiled_quickly

import jaxattn
from jaxattn.models import captioner


# Training, and a flow through a scan over words: two programs, and nothing else runs both.
@pytest.mark.slow
@pytest.mark.needs_x64
def test_training_at_half_the_rate_is_nearer_to_the_flow():
    with compiled_quickly():
        ds = jaxattn.compare(
            replace(TASK, card="5 captions, left out\n1 image"),
            partial(captioner, width=3),
            ["soft"],
            {"learning_rate": [0.01, 0.02]},
            seeds=1,
            flow_seeds=1,
            steps=8,
            saves=2,
            batch_size="all",
            precision="float64",
        )
    # What of the data had to be decided stays with what was learnt from them, as a line.
    assert ds.attrs["data_card"] == "5 captions, left out 1 image"
    objective = ds["objective"].squeeze().isel(save=-1)
    gap = np.abs(objective.sel(dynamics="train") - objective.sel(dynamics="flow"))
    # Of order one in the rate at a fixed time, and as many steps take half of the time.
    half, whole = gap.sel(learning_rate=[0.01, 0.02]).values
    assert 0 < half < whole / 2
    assert ds["attention_by_word"].notnull().any()
