"""When R90 as measured on an image is trusted to frame the galaxy."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from astromorph.images import measure_r90
from astromorph.images.composite import color_composite
from astromorph.images.sizes import measure_size, trusted_r90

STRETCH = 20**0.5
SCALE = 6.0
R90 = 3.8 * SCALE


def picture(side, center=(0, 0), bulge=0.0, halo=0.0, scale=SCALE, seed=4):
    """An exponential disk, with a bulge and a flat halo where asked, on noise; a neighbor."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    radius = np.hypot(x - center[0], y - center[1])
    light = np.exp(-radius / scale) + bulge * np.exp(-radius / 2) + halo * (radius < 0.45 * side)
    sky = np.random.default_rng(seed).normal(0, 0.003, light.shape)
    neighbor = 2 * np.exp(-((x - 0.35 * side) ** 2 + (y + 0.3 * side) ** 2) / 8)
    return color_composite({band: light + sky + neighbor for band in "gri"}, "sdss")


@pytest.mark.parametrize("frame_r90", [2.0, 4.24, 6.0])
@pytest.mark.parametrize("side", [60, 110, 180, 300])
def test_the_frame_must_fit_into_the_image(side, frame_r90):
    found = trusted_r90(picture(side), frame_r90, stretch=STRETCH)
    if side < 0.9 * R90 * frame_r90:
        assert np.isnan(found)
    elif side > 8 * R90:  # with sky around the galaxy
        assert found == pytest.approx(R90, rel=0.1)
        assert found == measure_r90(picture(side), stretch=STRETCH)


def test_a_bright_middle_is_not_taken_for_the_galaxy():
    """Most of the light is in a disk that is fainter than a fifth of the mean inside."""
    whole = picture(160, bulge=20, halo=0.04)
    size = measure_size(whole, stretch=STRETCH)
    assert size.r90 * 4.24 < 160 and size.beyond > 0.25  # it fits, and it is wrong
    assert np.isnan(trusted_r90(whole, 4.24, stretch=STRETCH))


def test_light_at_the_edge_leaves_no_sky():
    size = measure_size(picture(60, scale=20), stretch=STRETCH)
    assert size.at_edge > 0.05
    assert np.isnan(trusted_r90(picture(60, scale=20), 0.1, stretch=STRETCH))


def test_a_galaxy_elsewhere_is_not_measured():
    assert np.isnan(measure_size(picture(160, center=(40, 30)), stretch=STRETCH)).all()
    assert np.isnan(trusted_r90(picture(160, center=(40, 30)), 4.24, stretch=STRETCH))


def test_shares_of_a_galaxy_in_much_sky():
    size = measure_size(picture(240), stretch=STRETCH)
    assert size.at_edge == 0 and 0.05 < size.beyond < 0.2  # a tenth by definition
    assert_allclose(size.r90, measure_r90(picture(240), stretch=STRETCH))
