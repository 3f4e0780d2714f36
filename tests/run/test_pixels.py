"""Images as bytes in a whole run."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxattn
from jaxattn.core.pixels import Pixels
from jaxattn.run.data_source import Sources

COUNT = 90
RUN = {"model": "linear", "paradigms": ("soft", "hard"), "seeds": 2, "steps": 8, "saves": 3}
SIZES = {"segments": 4, "train": 32, "test": 16, "validation": 8}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (COUNT, 4, 4, 3), dtype=np.uint8), np.arange(COUNT) % 3


@pytest.mark.needs_x64
def test_bytes_and_floats_of_the_same_images_learn_the_same_to_rounding(images):
    X, y = images
    tasks = [
        jaxattn.mosaic(pool, y, foreground=(0, 1), **SIZES) for pool in (X, (X / 255 - 0.5) / 0.5)
    ]
    one, other = (
        jaxattn.compare(task, **RUN, precision="float64", progress=False) for task in tasks
    )
    # Pixels differ by a rounding, and eight steps of a linear model multiply that by less than 1e3.
    for name in ("objective", "gradient_norm"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e3 * np.finfo(float).eps)
    np.testing.assert_array_equal(one["accuracy"], other["accuracy"])
    assert one["picture"].shape[-3:] == (4, 4, 3)
    np.testing.assert_allclose(one["picture"], other["picture"], atol=1e-6)


def test_a_run_puts_one_pool_of_bytes_on_a_device_whatever_its_precision(images, monkeypatch):
    X, y = images
    task = jaxattn.mosaic(X, y, foreground=(0, 1), **SIZES)
    pool = task.make(0)["train"].pool
    put = []

    def noted(self, leaf, device):
        if leaf.dtype == np.uint8:
            put.append(leaf)
        return jax.device_put(leaf, device)

    monkeypatch.setattr(Sources, "put", noted)
    jaxattn.compare(task, **RUN, progress=False)
    assert isinstance(pool, Pixels)
    assert put
    assert all(leaf is pool.values for leaf in put), "no copy, and the same one for every split"


RESIDENT = """
import jax, numpy as np
import jaxattn
from jaxattn.problems.data import take

def resident():
    said = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(said["VmHWM"].split()[0]) / 1000

jaxattn.mosaic
read = jax.jit(lambda data, order: take(data, order, "float32").segments.sum())
few = np.zeros((90, 32, 32, 3), np.uint8), np.arange(90) % 10
task = jaxattn.mosaic(*few, foreground=(0, 1, 2), train=256, test=1, validation=1)
read(jax.device_put(task.make(0)["train"], jax.devices()[0]), np.arange(256)).block_until_ready()
start = resident()
X = np.full((50_000, 32, 32, 3), 7, np.uint8)
task = jaxattn.mosaic(X, np.arange(50_000) % 10, foreground=(0, 1, 2), train=30_000)
data = jax.device_put(task.make(0)["train"], jax.devices()[0])
read(data, np.arange(256)).block_until_ready()
print(resident() - start)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_fifty_thousand_images_and_their_pool_take_two_bytes_a_pixel():
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT], capture_output=True, text=True, check=True
    )
    # 154 MB of the caller's and 154 MB of the pool, which a CPU takes as it is; floats would be
    # four times as many, and a copy on the way to the device 154 MB more.
    assert float(done.stdout) < 400
