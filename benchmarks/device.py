"""How fast is this device: `make bench-device`, on a CPU, a GPU or a TPU, in under 8 minutes.

python benchmarks/device.py [--sizes auto|tiny|small|large] [--out runs/bench-device]

Writes results.json and report.md there. Nothing is set but how much of a GPU's memory JAX takes at
once, XLA_PYTHON_CLIENT_MEM_FRACTION, and that only where it is not set.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from device_page import page
from device_sizes import SIZES, suits

FRACTION = ("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.9")
AUTO = "auto"


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """What is asked for.

    Raises:
        SystemExit: 2 for what cannot be read, after saying why.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--sizes",
        choices=(AUTO, *SIZES),
        default=AUTO,
        help="how much is run: by the device; tiny only shows that all of it works",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench-device"), help="a folder")
    asked = parser.parse_args(words)
    if asked.out.exists() and not asked.out.is_dir():
        parser.error(f"--out: got the file {asked.out}, expected a folder; name another.")
    return asked


def say(line: str) -> None:
    """Progress, on standard error."""
    print(f"[{time.perf_counter() - BEGAN:5.0f} s] {line}", file=sys.stderr, flush=True)


BEGAN = time.perf_counter()


def main(words: Sequence[str] | None = None) -> int:
    """Measure and write; the exit code."""
    asked = arguments(words)
    os.environ.setdefault(*FRACTION)  # JAX reads it when it starts its device
    import jax
    from device_rates import measure

    sizes = suits(jax.local_devices()[0].platform) if asked.sizes == AUTO else SIZES[asked.sizes]
    say(f"{jax.local_devices()[0].device_kind}: sizes {sizes.name}")
    found = measure(sizes, say)
    asked.out.mkdir(parents=True, exist_ok=True)
    results, report = asked.out / "results.json", asked.out / "report.md"
    results.write_text(json.dumps(found, indent=1) + "\n")
    report.write_text(page(found))
    print(f"wrote {results} and {report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
