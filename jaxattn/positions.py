from functools import lru_cache

from jax.flatten_util import ravel_pytree

from jaxattn.contracts import MeasureSpec
from jaxattn.probes import Probe


@lru_cache
def position(count=512):
    def measure(loss, params, hyper):
        return {"position": ravel_pytree(params)[0]}

    return Probe("position", measure, (MeasureSpec("position", ("coordinate",)),))
