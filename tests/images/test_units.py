"""Units of flux, and cards that change what pixels mean."""
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, NDData
from hypothesis import given, settings
from hypothesis import strategies as st

from astromorph.flags import MorphFlag
from astromorph.images import CutoutError, read_cutout
from astromorph.images.fits_planes import read_planes
from astromorph.images.flux_units import to_nanomaggies
from astromorph.surveys import SURVEYS

FLUX = np.random.default_rng(1).normal(0.1, 0.02, (40, 40)).astype("f4")
SCALE = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-4, "CDELT2": 1e-4}
AREA = 0.36**2  # square arcseconds in a pixel


def read(flux=FLUX, **cards):
    return read_planes(fits.PrimaryHDU(flux.copy(), fits.Header(SCALE | {"FILTER": "r"} | cards)))


@pytest.mark.parametrize("unit, factor", [
    ("nanomaggies", 1), ("Nanomaggy", 1), ("nanomaggie", 1), ("NMGY", 1), ("nmgy/pixel", 1),
    ("nanomaggies/arcsec^2", AREA), ("nanomaggies per square arcsecond", AREA),
    ("nanomaggy arcsec-2", AREA), ("nmgy/arcsec**2", AREA), ("10**-9 maggies", 1), ("maggy", 1e9),
    ("uJy", 1 / 3.631), ("microJy", 1 / 3.631), ("UJY", 1 / 3.631), ("nJy", 1 / 3631),
    ("mJy", 1e3 / 3.631), ("Jy", 1e6 / 3.631), ("10*nJy", 10 / 3631), ("nJy / pix", 1 / 3631),
    ("MJy/sr", 1e12 / 3.631 * AREA / 206264.806**2),
    ("MJY/SR", 1e12 / 3.631 * AREA / 206264.806**2),
    ("erg / (s cm2 Hz)", 1e29 / 3.631)])
def test_units_are_read_whole(unit, factor):
    flux = read(FLUX / np.float32(factor), BUNIT=unit)
    assert flux.flag == 0
    np.testing.assert_allclose(flux.planes["r"], FLUX, rtol=1e-4)


@pytest.mark.parametrize("unit", [
    "electrons", "ELECTRONS/S", "counts", "counts/sec", "adu", "DN", "e-", "nanomaggies/s", "MJY",
    "nanomaggies_of_old", "mag/arcsec2", "erg/s/cm2/Angstrom", "Jy/beam", "K"])
def test_other_units_are_flagged(unit):
    assert read(BUNIT=unit).flag == MorphFlag.UNKNOWN_UNIT
    np.testing.assert_allclose(read(BUNIT=unit, MAGZERO=25.0).planes["r"], FLUX / 10, rtol=1e-4)


def test_units_of_nddata():
    assert read_planes(NDData(FLUX, unit=u.electron / u.s)).flag == MorphFlag.UNKNOWN_UNIT
    assert read_planes(NDData(FLUX, unit=u.nmgy)).flag == 0
    assert read_planes(NDData(FLUX)).flag == 0


@pytest.mark.parametrize("cards", [{"FLUXMAG0": -1e9}, {"FLUXMAG0": 0.0}, {"MAGZERO": -5.0},
                                   {"MAGZERO": 0.0}, {"MAGZERO": "none"}])
def test_zero_points_that_cannot_be(cards):
    assert read(**cards).flag == MorphFlag.UNKNOWN_UNIT


def test_asinh_scale_of_pan_starrs():
    flux, cards = FLUX * 1200, {"BSOFTEN": 200.0, "BOFFSET": 0.5}
    stored = 2.5 / np.log(10) * np.arcsinh((flux - 0.5) / 400)
    found = read(stored.astype("f4"), EXPTIME=120.0, **cards)
    assert found.flag == 0
    np.testing.assert_allclose(found.planes["r"], flux / 1200, rtol=1e-3, atol=1e-5)
    assert read(stored.astype("f4"), **cards).flag == MorphFlag.UNKNOWN_UNIT
    with pytest.raises(CutoutError, match="BSOFTEN"):
        read(BSOFTEN=-1.0)


def test_asinh_scale_of_nddata():
    """CCDData.read of a stacked image of Pan-STARRS keeps the cards and asks for a unit."""
    cards = {"BSOFTEN": 200.0, "BOFFSET": 0.5, "EXPTIME": 120.0}
    stored = (2.5 / np.log(10) * np.arcsinh((FLUX * 1200 - 0.5) / 400)).astype("f4")
    for data in (CCDData(stored, unit="adu", meta=cards), NDData(stored, meta=cards)):
        np.testing.assert_allclose(read_planes(data).planes["r"], FLUX, rtol=1e-3, atol=1e-5)
    linear = CCDData(FLUX, unit="nmgy", meta=cards)
    np.testing.assert_allclose(read_planes(linear).planes["r"], FLUX)


@pytest.mark.parametrize("level", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("unit, cards", [("nmgy", {}), ("MJy/sr", {}), ("nmgy", {
    "CDELT1": -1e-5, "CDELT2": 1e-5})])
def test_a_sky_that_was_not_subtracted_is(galaxy_planes, level, unit, cards):
    plane = galaxy_planes["r"]
    factor = 1 if unit == "nmgy" else 3.631e-12 / (AREA / 206264.806**2)
    header = fits.Header(SCALE | {"FILTER": "r", "BUNIT": unit} | cards)
    cutout = read_cutout(fits.PrimaryHDU((factor * (plane + level)).astype("f4"), header))
    plain = read_cutout(fits.PrimaryHDU((factor * plane).astype("f4"), header))
    np.testing.assert_allclose(cutout.pixels, plain.pixels, atol=0.04)
    assert bool(cutout.flag & MorphFlag.UNKNOWN_UNIT) == (level > 0)
    assert not plain.flag & MorphFlag.UNKNOWN_UNIT


@pytest.mark.parametrize("kind, cards", [
    ("u2", {"BLANK": -32768}), ("i2", {"BLANK": -32768}), ("i4", {"BLANK": -99}),
    ("u4", {"BLANK": -(2**31)})])
def test_blank_is_a_value_as_stored(kind, cards):
    values = (np.random.default_rng(0).integers(900, 1100, (40, 40))).astype(kind)
    values[:5] = 0 if kind[0] == "u" else cards["BLANK"]
    hdu = fits.PrimaryHDU(values)
    hdu.header["BUNIT"] = "nmgy"
    hdu.header["BLANK"] = cards["BLANK"]
    cutout = read_cutout(fits.HDUList([hdu]))
    assert cutout.flag & MorphFlag.BAD_PIXELS
    assert not np.isfinite(read_planes(hdu).planes["r"][:5]).any()


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text("0123456789.-+*/^()[] eE_", max_size=6).flatmap(
    lambda number: st.sampled_from(["nmgy", "Jy", "MJy/sr", "mag", "maggies/arcsec^2", "W/m2/Hz"])
    .map(lambda unit: f"{number} {unit}"))))
def test_any_unit_gives_flux_or_is_not_known(text):
    planes, known = to_nanomaggies({"r": FLUX}, [(None, {"BUNIT": text})], SURVEYS["sdss"], 0.4)
    flux = planes["r"][np.isfinite(planes["r"])]
    assert not known or not flux.size or np.median(flux) > 0


@pytest.mark.parametrize("unit", ["-1 nmgy", "0 Jy", "1e400 Jy", "10**-297 W/m2/Hz", "1,5", "Jy,m"])
def test_units_that_cannot_be(unit):
    assert read(BUNIT=unit).flag == MorphFlag.UNKNOWN_UNIT


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "f4"])
def test_whole_numbers_without_a_unit_are_counts(kind):
    """Such as a picture of 8 bits in a FITS file."""
    counts = np.rint(100 * np.abs(FLUX)).astype(kind)
    assert read(counts).flag == MorphFlag.UNKNOWN_UNIT
    assert read(counts, BUNIT="nmgy").flag == read(counts * np.float32(0.013)).flag == 0


def test_counts_of_the_viewers_layers():
    """All layers are in nanomaggies but those of HSC."""
    cards = {"BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z", "IMAGEW": 40}

    def found(**more):
        cube = fits.PrimaryHDU(np.stack([FLUX] * 3), fits.Header(SCALE | cards | more))
        return read_planes(cube)

    assert found(SURVEY="DECaLS").flag == found(BANDS="gri", BAND2="i").flag == 0
    np.testing.assert_allclose(found(SURVEY="HSC DR3").planes["r"], FLUX / 63.0957, rtol=1e-4)
    assert found().flag == MorphFlag.UNKNOWN_UNIT and found().native
    assert found(BUNIT="nmgy").flag == 0


def test_bias_of_sdss_counts():
    found, plain = read(FLUX + 1000, SOFTBIAS=1000), read(FLUX)
    np.testing.assert_allclose(found.planes["r"], plain.planes["r"], atol=1e-3)
    frame = read(FLUX, SOFTBIAS=1000, BUNIT="nanomaggy")  # calibrated: the card is a relic
    np.testing.assert_array_equal(frame.planes["r"], read(FLUX, BUNIT="nanomaggy").planes["r"])
    with pytest.raises(CutoutError, match="SOFTBIAS"):
        read(SOFTBIAS="none")
