import numpy as np
import pytest

from pipeline.data.gamma import brighten, curve
from tests.conftest import make_images

IMAGES = make_images(np.zeros(1500, np.uint8), 1).reshape(1500, -1)


def test_gamma_1_leaves_pixels_as_they_are() -> None:
    np.testing.assert_array_equal(curve(1), np.arange(256))
    assert brighten(IMAGES, 1) is IMAGES


def test_pixels_go_through_the_curve() -> None:
    np.testing.assert_array_equal(brighten(IMAGES, 3), curve(3)[IMAGES])


@pytest.mark.parametrize("gamma", range(1, 9))
def test_the_curve_is_the_root_rounded_down(gamma: int) -> None:
    exact = 256 * (np.arange(256) / 256) ** (1 / gamma)
    # Where the root is an integer, the power may come out just below it.
    np.testing.assert_array_equal(curve(gamma), np.floor(exact + 1e-9))


def test_the_levels_of_few_bits_are_those_of_the_root() -> None:
    """Rounding down twice is rounding down once."""
    exact = 16 * (np.arange(256) / 256) ** (1 / 3)
    np.testing.assert_array_equal(curve(3) >> 4, np.floor(exact + 1e-9))
