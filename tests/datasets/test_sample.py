"""The simulated galaxies in the package: complete, usable, honest about what they are."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from astromorph.datasets import load_sample

SAMPLE = [Path(path) for path in load_sample()["file"]]
KINDS = ("smooth", "spiral", "edge-on", "barred")
SDSS_PIXEL = 0.396127  # arcsec


@pytest.fixture(params=SAMPLE, ids=lambda path: path.name)
def hdu(request):
    """One file's only HDU, read."""
    with request.param.open("rb") as stream, fits.open(stream) as hdus:
        assert len(hdus) == 1
        hdu = hdus[0].copy()
    return hdu


@pytest.fixture(scope="module")
def maker():
    """The script that made the sample, as a module."""
    path = Path(__file__).parents[2] / "training" / "make_demo_sample.py"
    if not path.exists():
        pytest.skip("training/make_demo_sample.py is only in the repository")
    spec = importlib.util.spec_from_file_location("make_demo_sample", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def band(hdu, name):
    """One band's image, float64."""
    return np.float64(hdu.data[hdu.header["BANDS"].index(name)])


def noise(image):
    """Standard deviation of the sky from the differences of neighboring pixels, robust."""
    difference = np.diff(image, axis=1)
    return 1.4826 * np.median(np.abs(difference - np.median(difference))) / np.sqrt(2)


def from_center(hdu):
    """Distance of each pixel from the frame's center, in arcsec."""
    y, x = np.indices(hdu.shape[1:])
    return np.hypot(y - (hdu.shape[1] - 1) / 2, x - (hdu.shape[2] - 1) / 2) * SDSS_PIXEL


def test_three_galaxies_of_each_kind_and_nothing_else():
    assert len(SAMPLE) == 12
    assert all(path.name.endswith(".fits") for path in SAMPLE)
    kinds = []
    for path in SAMPLE:
        with path.open("rb") as stream:
            kinds.append(fits.getheader(stream)["MORPH"])
    assert sorted(kinds) == sorted(3 * KINDS)


def test_total_size_stays_below_3_mb():
    assert sum(len(path.read_bytes()) for path in SAMPLE) < 3e6


def test_every_file_says_that_it_is_simulated(hdu):
    assert hdu.header["SIMULATD"] is True
    assert hdu.header["OBJECT"].startswith("simulated ")
    history = str(hdu.header["HISTORY"])
    assert "Simulated" in history and "make_demo_sample.py" in history


def test_cube_of_gri_in_nanomaggies(hdu):
    assert hdu.header["BUNIT"] == "nanomaggy"
    assert hdu.header["BANDS"] == "gri"
    assert hdu.shape[0] == 3 and hdu.shape[1] == hdu.shape[2]
    assert hdu.header["BITPIX"] == -32
    assert np.isfinite(hdu.data).all()


def test_wcs_is_sdss_north_up_east_left_and_centered(hdu):
    wcs = WCS(hdu.header).celestial
    np.testing.assert_allclose(proj_plane_pixel_scales(wcs) * 3600, SDSS_PIXEL, rtol=1e-6)
    center = (hdu.shape[2] - 1) / 2
    ra, dec = wcs.wcs_pix2world([[center, center], [center - 1, center], [center, center + 1]], 0).T
    np.testing.assert_allclose((ra[0], dec[0]), (hdu.header["RA"], hdu.header["DEC"]), atol=1e-8)
    assert ra[1] > ra[0] and dec[2] > dec[0]


def test_frame_holds_what_the_networks_look_at(hdu):
    r90 = hdu.header["PETROR90"]
    assert 6 < r90 < 10
    assert hdu.shape[1] * SDSS_PIXEL > 5.5 * r90  # the networks see 4.24 R90


def test_brightness_colors_and_noise_are_like_sdss(hdu):
    inside = from_center(hdu) < hdu.header["PETROR90"]
    g, r, i = (22.5 - 2.5 * np.log10(band(hdu, b)[inside].sum()) for b in "gri")
    assert 14.5 < r < 16.4  # R90 holds nine tenths of the light
    assert 0.3 < g - r < 1.0 and 0.1 < r - i < 0.6
    assert 0.01 < noise(band(hdu, "g")) < noise(band(hdu, "r")) < noise(band(hdu, "i")) < 0.07


def test_signal_to_noise_within_r90(hdu):
    inside = from_center(hdu) < hdu.header["PETROR90"]
    for name in "gri":
        image = band(hdu, name)
        assert image[inside].sum() > 100 * noise(image) * np.sqrt(inside.sum())


def test_sky_is_subtracted(hdu):
    outside = from_center(hdu) > 2.5 * hdu.header["PETROR90"]
    for name in "gri":
        image = band(hdu, name)
        assert abs(np.median(image[outside])) < 0.5 * noise(image)


def test_brightest_light_is_at_the_center(hdu):
    image = band(hdu, "r")
    image = sum(np.roll(image, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
    assert from_center(hdu).flat[image.argmax()] < 1.5


def test_r90_in_the_header_holds_nine_tenths_of_the_light(hdu):
    radius, image = from_center(hdu), band(hdu, "r")
    r90 = hdu.header["PETROR90"]
    share = image[radius < r90].sum() / image[radius < 1.8 * r90].sum()
    assert 0.8 < share < 0.97


@pytest.mark.parametrize("index", [1, 7])
def test_the_script_makes_the_packaged_file(maker, index):
    galaxy = maker.GALAXIES[index]
    made = maker.simulate(galaxy)
    packaged = SAMPLE[0].with_name(maker.file_name(galaxy))
    with packaged.open("rb") as stream, fits.open(stream) as hdus:
        np.testing.assert_allclose(made.data, hdus[0].data, atol=1e-5)
        assert fits.HeaderDiff(made.header, hdus[0].header, rtol=1e-12).identical


def test_same_seed_same_bytes_and_another_seed_another_image(maker, tmp_path):
    galaxy = maker.GALAXIES[3]
    for name in ("first.fits", "second.fits"):
        maker.simulate(galaxy).writeto(tmp_path / name)
    assert (tmp_path / "first.fits").read_bytes() == (tmp_path / "second.fits").read_bytes()
    other = maker.simulate(galaxy, seed=maker.SEED + 1)
    assert not np.allclose(other.data, fits.getdata(tmp_path / "first.fits"))
