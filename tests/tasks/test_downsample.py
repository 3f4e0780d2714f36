"""Images made smaller: means over blocks, to the nearest byte."""

import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.tasks import downsample
from jaxattn.tasks.downsample import downsampled


@pytest.mark.parametrize("colours", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("block", [2, 3, 6])
def test_a_point_is_the_mean_of_its_block_to_the_nearest_byte(monkeypatch, colours, block) -> None:
    monkeypatch.setattr(downsample, "_TOGETHER", 3)  # the last images are fewer
    pixels = np.random.default_rng(0).integers(0, 256, (7, 12, 18, *colours), dtype=np.uint8)
    found = downsampled(pixels, block)
    assert found.dtype == np.uint8
    assert found.shape == (7, 12 // block, 18 // block, *colours)
    for row in range(12 // block):
        for column in range(18 // block):
            square = pixels[:, row * block :, column * block :][:, :block, :block]
            # Sums of at most 36 bytes, and halves, are exact in floats: a half goes up. The mean
            # of 9 bytes is never nearer to a half than 1 / 18.
            expected = np.floor(square.mean(axis=(1, 2)) + 0.5)
            np.testing.assert_array_equal(found[:, row, column], expected)


def test_blocks_of_one_point_change_nothing() -> None:
    pixels = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    assert downsampled(pixels, 1) is pixels


@pytest.mark.parametrize("block", [2, 16, 32])
@pytest.mark.parametrize("value", [0, 255])
def test_white_stays_white_and_black_black(block, value) -> None:
    pixels = np.full((2, 32, 32, 3), value, np.uint8)
    assert np.all(downsampled(pixels, block) == value)


@pytest.mark.parametrize("shape", [(32, 32, 3), (32, 9), (9, 32)], ids=str)
def test_blocks_that_do_not_fit_are_refused_in_one_line(shape) -> None:
    with pytest.raises(InputError, match="downsample: got blocks of 3 x 3, expected") as refused:
        downsampled(np.zeros((1, *shape), np.uint8), 3)
    assert "\n" not in str(refused.value)
