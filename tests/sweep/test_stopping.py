import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, PRECISION, assert_same_bits, bags, splits, task_of

from jaxattn.batches import Order
from jaxattn.contracts import InputError, MeasureSpec, Problem, Status
from jaxattn.descent import as_optimiser, make_train
from jaxattn.legs import make_legs
from jaxattn.models import mlp
from jaxattn.problem import attention_problem
from jaxattn.sweep import Stop, fetch, make_leg_row, make_row, make_runner, run_with_stops
