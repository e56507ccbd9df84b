"""The color mapping that some images of a survey ask for."""
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

from astromorph.images import fit_stretch, read_cutout
from astromorph.images.fits_planes import read_planes
from astromorph.surveys import SURVEYS

SDSS = SURVEYS["sdss"]
NOISE = {"i": 0.042, "r": 0.028, "g": 0.0168}  # as bright in each band


def galaxies(n=30, *, seed=0, gains=(1.0, 1.0, 1.0), level=0.0, scale=1.0):
    """Gray galaxies as SDSS shows them, in other units in each band: flux of (y, x)."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        y, x = (np.indices((96, 96)) - 47.5) * scale
        size, tilt = rng.uniform(4, 9), rng.uniform(0.5, 1)
        light = rng.uniform(0.5, 2) * np.exp(-np.hypot(x, y / tilt) / size)
        color = rng.normal(1, 0.1, 3)
        yield {band: (gain * (light * hue / SDSS.scales[band] * scale**2 + level
                              + rng.normal(0, NOISE[band] * scale, x.shape))).astype("f4")
               for band, gain, hue in zip("irg", gains, color)}


def start(**changes):
    return replace(SDSS, name="mine", scales=dict.fromkeys("gri", 1.0), offset=1.0, softening=3.0,
                   **changes)


@pytest.mark.parametrize("gains", [(1, 1, 1), (0.1, 0.2, 0.4), (3, 3, 3)])
def test_the_answer_is_known(gains):
    """Flux in other units in each band: the scales make up for it, whatever they were before."""
    fitted = fit_stretch(galaxies(gains=gains), start())
    for band, gain in zip("irg", gains):
        assert fitted.scales[band] == pytest.approx(SDSS.scales[band] / gain, rel=0.1)
    assert fitted.sky_noise.value == pytest.approx(NOISE["r"] * gains[1], rel=0.05)
    assert fitted.softening == 20 and fitted.offset == 0.004
    image = next(galaxies(1, seed=7, gains=gains))
    truth = next(galaxies(1, seed=7))
    shown, wanted = read_cutout(image, survey=fitted), read_cutout(truth, survey="sdss")
    assert np.abs(shown.pixels - wanted.pixels).mean() < 0.01
    assert replace(fitted, name="sdss", scales=SDSS.scales, offset=SDSS.offset,
                   sky_noise=SDSS.sky_noise) == SDSS


def test_other_pixels_than_the_surveys_own():
    """Of half the size: the record is still for native ones."""
    native = SDSS.pixel_scale.to_value("deg")
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10, "CRVAL2": 0,
                          "CDELT1": -native / 2, "CDELT2": native / 2, "CRPIX1": 48, "CRPIX2": 48,
                          "BUNIT": "nmgy"})
    images = ({band: fits.ImageHDU(plane, header) for band, plane in planes.items()}
              for planes in galaxies(scale=0.5))
    fitted = fit_stretch(images, start())
    assert fitted.sky_noise.value == pytest.approx(NOISE["r"], rel=0.05)
    assert fitted.scales["r"] == pytest.approx(0.3, rel=0.1)


def test_one_band_has_its_noise_as_strong():
    images = [{"VIS": each["r"] / 40} for each in galaxies(12)]
    fitted = fit_stretch(images, SURVEYS["euclid"])
    assert fitted.scales["VIS"] == pytest.approx(0.3 * 40, rel=0.05)
    assert fit_stretch(images, SURVEYS["euclid"], like="legacy").scales["VIS"] == pytest.approx(
        3.4 * 0.004 / 0.0007, rel=0.05)


@pytest.mark.parametrize("images, message", [
    (list(galaxies(9)), "images: expected at least 10 images. Received 9"),
    ([{"r": each["r"]} for each in galaxies(10)], "expected the bands i, r, g in each.*i, g"),
    ([{band: fits.ImageHDU(plane, fits.Header({"BUNIT": "counts"}))
       for band, plane in each.items()} for each in galaxies(10)], "flux in a known unit"),
    (galaxies(level=0.3), "sky subtracted.*a sky of 1[0-9] times its noise"),
    ([{band: np.full((40, 40), 0.1, "f4") * u.nmgy for band in "gri"}] * 10, "noisy sky")])
def test_what_cannot_be_measured(images, message):
    with pytest.raises(ValueError, match=message):
        fit_stretch(images, start())


def test_real_galaxies(real_data):
    """DECam images: the sky as noisy and the galaxies as gray as the viewer shows them."""
    files = [real_data / "fits" / name for name in (
        "decals_grz_162px.fits", "decals_grz_424px_c.fits", "decals_six_hdus.fits")]
    legacy = SURVEYS["legacy"]
    fitted = fit_stretch([*files] * 4, replace(legacy, scales=dict.fromkeys("grz", 1.0)),
                         like="legacy")
    assert fitted.offset == 0.03
    ratios = np.array([fitted.scales[band] / legacy.scales[band] for band in "grz"])
    assert (np.abs(np.log(ratios / ratios[1])) < 0.25).all()
    assert read_planes(files[0]).flag == 0
