"""A study by jaxattn, in a process of its own: what `first_figure_script.py` is timed against."""

import json
import sys
from types import SimpleNamespace

import jaxattn


def main(asked: SimpleNamespace) -> None:
    ds = jaxattn.compare(
        "digits",
        paradigms=asked.paradigms,
        hypers={"learning_rate": asked.rates},
        seeds=asked.seeds,
        steps=asked.steps,
        saves=asked.spans + 1,
        flow_seeds=asked.flow_seeds,
        progress=False,
    )
    ds.to_netcdf(asked.out, engine="h5netcdf")


if __name__ == "__main__":
    said = SimpleNamespace(**json.loads(sys.argv[1]))
    if said.flow_seeds:
        import jax

        jax.config.update("jax_enable_x64", True)
    main(said)
