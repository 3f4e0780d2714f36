"""Small runs of one checkout against those of another, variable by variable, bit for bit.

    python tests/same_values.py write DIR          # once with each checkout's own Python
    python tests/same_values.py compare OLD NEW

Attributes are left out: they may say things in other words. A dim or variable that was renamed is
listed in `RENAMED`; a variable that only one of the two has is named, and is no difference.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
import xarray as xr

RENAMED = {"process": "dynamics"}
"""What is called otherwise now: old name -> new name, of dims, coordinates and variables."""

SMALL = {"seeds": 2, "steps": 20, "saves": 5, "evaluate": 64}
RATES = {"learning_rate": (0.1, 0.3)}
SWEEP = {
    "task": {"name": "orthogonal", "classes": 3, "segments": 4},
    "settings": {"steps": 20, "saves": 5, "vary": ["data"], "batch_size": 32, "evaluate": 64},
    "axes": {
        "paradigm": ["soft", "hard", "hybrid"],
        "optimiser": ["sgd", "momentum"],
        "learning_rate": [0.1, 0.3],
        "seed": {"count": 3},
    },
    "output": {"processes": ["train", "flow"]},  # by its name before, which both know
}


def _compared(task: str, **asked: object) -> Callable[[Path], xr.Dataset]:
    def made(folder: Path) -> xr.Dataset:
        import jaxattn

        del folder
        return jaxattn.compare(task, hypers=RATES, **{**SMALL, **asked})

    return made


def _swept(folder: Path) -> xr.Dataset:
    import jaxattn

    jaxattn.sweeps.run(SWEEP, folder / "sweep.d", overwrite=True)
    return jaxattn.open(folder / "sweep.d").load()


def _reproduced(folder: Path) -> xr.Dataset:
    import jaxattn
    from jaxattn.experiments import reproduce

    reproduce("theory", "smoke", folder / "theory.d", True, lambda progress: None, None)
    return jaxattn.open(folder / "theory.d")


CASES: dict[str, Callable[[Path], xr.Dataset]] = {
    "digits": _compared("digits", flow_seeds=1, flow_examples=64),
    "orthogonal": _compared("orthogonal"),
    "population": _compared("orthogonal-population", flow_seeds=1, precision="float64"),
    "against": _compared("orthogonal", against=("flow", "modified"), flow_examples=64),
    "sweep": _swept,
    "theory": _reproduced,
}


def write(folder: Path) -> None:
    """Run every case and keep its values."""
    jax.config.update("jax_enable_x64", True)
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in CASES.items():
        ds = made(folder)
        for variable in ds.variables.values():
            variable.attrs = {}
        ds.drop_attrs().to_netcdf(folder / f"{name}.nc", engine="h5netcdf")
        print(f"{name}: {len(ds.variables)} variables")


def differences(old: xr.Dataset, new: xr.Dataset) -> Iterator[str]:
    """What `new` has not as `old` had it, a line each."""
    old = old.rename({a: b for a, b in RENAMED.items() if a in old.variables or a in old.dims})
    for name in old.variables:
        if name not in new.variables:
            yield f"{name}: gone"
            continue
        before, after = old[name], new[name]
        if set(before.dims) != set(after.dims):
            yield f"{name}: dims {before.dims}, now {after.dims}"
            continue
        # Labels that were added (theory rows, say) are no difference.
        labels = {dim: old[dim] for dim in before.dims if dim in old.coords and dim in new.coords}
        after = after.sel(labels).transpose(*before.dims)
        a, b = before.values, after.values
        if a.dtype != b.dtype:
            yield f"{name}: {a.dtype}, now {b.dtype}"
        elif not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            far = np.nanmax(np.abs(a - b)) if a.dtype.kind == "f" else "names"
            yield f"{name}: values differ (by up to {far})"


def compare(old: Path, new: Path) -> int:
    """Print what differs in every case; the number of lines."""
    count = 0
    for name in CASES:
        before, after = (xr.load_dataset(folder / f"{name}.nc") for folder in (old, new))
        lines = list(differences(before, after))
        more = sorted(set(map(str, after.variables)) - set(map(str, before.variables)))
        print(f"{name}: {len(before.variables)} variables, {len(lines)} differ; new: {more}")
        print(*(f"  {line}" for line in lines), sep="\n", end="\n" if lines else "")
        count += len(lines)
    return count


if __name__ == "__main__":
    command, *folders = sys.argv[1:]
    if command == "write":
        write(Path(folders[0]))
    else:
        sys.exit(min(compare(Path(folders[0]), Path(folders[1])), 1))
