"""Which planes of a file are light, and what bands are called."""
import io
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from astromorph.flags import MorphFlag
from astromorph.images import CutoutError, read_cutout
from astromorph.images.bands import band_names, band_text, parse_band, split_bands
from astromorph.images.fits_planes import OpenImage, read_planes
from astromorph.surveys import SURVEYS

LIGHT = np.random.default_rng(1).normal(0.1, 0.02, (40, 40)).astype("f4")
LIGHT[:2] -= 0.2  # some sky


def plane(name=None, value=1, **cards):
    return fits.ImageHDU(LIGHT * np.float32(value), fits.Header(cards | {"BUNIT": "nmgy"}),
                         name=name)


def taken(*hdus):
    """Band -> median in units of LIGHT's."""
    planes = read_planes(fits.HDUList([fits.PrimaryHDU(), *hdus])).planes
    return {band: round(float(np.median(each) / np.median(LIGHT))) for band, each in planes.items()}


@pytest.mark.parametrize("name, band", [
    ("g", "g"), ("SDSS g", "g"), ("DECam r", "r"), ("HSC-I", "i"), ("HSC-R2", "r"), ("des_z", "z"),
    ("sdss.i", "i"), ("r DECam SDSS c0002 6415.0 1480.0", "r"), ("g.00000", "g"), ("Y", "y"),
    ("g-band", "g"), ("rp", "r"), ("F814W", None), ("K", None), ("sky", None), ("g+r", None)])
def test_names_of_bands(name, band):
    assert parse_band(name) == band


@pytest.mark.parametrize("name, band", [
    ("VIS", "vis"), ("vis", "vis"), ("EUC_MER_VIS", "vis"), ("NIR_H", "h"), ("NIR-Y", "y"),
    ("ACS F814W", "f814w"), ("F814W;CLEAR2L", "f814w"), ("VIS g", "vis"), ("g", "g"),
    ("F814W F606W", None), ("VISTA", None), ("H2", None), ("HK", None)])
def test_names_of_a_surveys_own_bands(name, band):
    assert parse_band(name, ("VIS", "Y", "H", "F814W", "F606W")) == band


def test_bands_as_one_text():
    assert band_text("grz") == "grz" and band_text(["VIS", "H"]) == "VIS,H"
    assert band_text(["vis"]) == "vis" and band_text(()) == ""
    assert split_bands(band_text(["VIS", "H"]), ("VIS", "H")) == ["VIS", "H"]


@pytest.fixture
def wide():
    """A survey whose bands have names of several letters."""
    return replace(SURVEYS["euclid"], rgb=("H", "J", "VIS"), scales={"VIS": 9.0, "J": 4, "H": 3})


def test_planes_of_a_surveys_own_bands(wide):
    hdus = fits.HDUList([fits.PrimaryHDU(), plane("VIS"), plane("NIR_J", 2), plane("NIR_H", 3),
                         plane("RMS", 9, FILTER="NIR_H")])
    file = io.BytesIO()
    hdus.writeto(file)
    for source in (hdus, file.getvalue()):
        planes = read_planes(source, survey=wide).planes
        assert list(planes) == ["vis", "j", "h"]
        assert np.median(planes["h"]) == pytest.approx(3 * np.median(LIGHT))
    with pytest.raises(CutoutError, match="found VIS, NIR_J, NIR_H"):
        read_planes(hdus)
    cube = fits.PrimaryHDU(np.stack([LIGHT, 2 * LIGHT]), fits.Header(
        {"BUNIT": "nmgy", "BAND0": "VIS", "BAND1": "NIR_H"}))
    assert list(read_planes(cube, survey=wide).planes) == ["vis", "h"]
    assert list(read_planes(fits.PrimaryHDU(LIGHT), survey="euclid").planes) == ["vis"]
    named = read_planes(fits.PrimaryHDU(np.stack([LIGHT] * 2)), survey=wide, bands=["VIS", "Y"])
    assert list(named.planes) == ["vis", "y"]


@pytest.mark.parametrize("names, flag", [
    (("VIS", "J", "H"), 0), (("VIS", "J"), MorphFlag.MISSING_BAND),
    (("VIS", "J", "Y"), MorphFlag.MISSING_BAND)])
def test_a_band_that_is_missing_is_flagged(wide, names, flag):
    cutout = read_cutout({name: LIGHT * u.nmgy for name in names}, survey=wide)
    assert cutout.flag == flag


def test_one_band_is_gray_and_two_are_made_up_color():
    gray = read_cutout({"VIS": LIGHT * u.nmgy}, survey="euclid")
    assert gray.flag == MorphFlag.MISSING_BAND | MorphFlag.ONE_BAND
    light = 14 * LIGHT[::-1] + 0.004
    expected = np.clip(light * np.arcsinh(20 * light.clip(0)) / (20**0.5 * light), 0, 1)
    for channel in range(3):
        np.testing.assert_allclose(gray.pixels[..., channel], expected, atol=1e-5)
    two = replace(SURVEYS["euclid"], rgb=("H", "VIS"), scales={"VIS": 14.0, "H": 9.0})
    both = read_cutout({"VIS": LIGHT * u.nmgy / 20, "H": 3 * LIGHT * u.nmgy / 20}, survey=two)
    red, green, blue = np.moveaxis(both.pixels, -1, 0)
    assert both.flag == MorphFlag.MISSING_BAND
    np.testing.assert_allclose(green, (red + blue) / 2, atol=1e-5)
    assert red.mean() > 1.2 * blue.mean()
    holes = np.where(np.indices(LIGHT.shape)[0] < 9, np.nan, LIGHT).astype("f4")
    filled = read_cutout({"VIS": LIGHT * u.nmgy, "H": holes * u.nmgy}, survey=two)
    assert np.isfinite(filled.pixels).all() and filled.flag & MorphFlag.BAD_PIXELS


@pytest.mark.parametrize("bands", ["grz", "g,r,z", "g r z", ["HSC-G", "des_r", "SDSS z"]])
def test_bands_argument_takes_the_same_names(bands):
    assert band_names(bands) == ["g", "r", "z"]


@pytest.mark.parametrize("name", [
    "WHT", "ERR", "VAR_POISSON", "SIGMA", "UNCERT", "MASKBITS", "SEGMAP", "MODEL", "CONF", "FLG",
    "RMS", "BKG", "EXPMAP", "WGT_G", "FLUX_IVAR", "NEXP", "COVERAGE", "CTX"])
def test_companions_are_never_light(name):
    assert taken(plane("SCI"), plane(name, 5, FILTER="g")) == {"r": 1}
    assert taken(plane(name, 5), plane(value=1)) == {"r": 1}
    with pytest.raises(CutoutError, match=name) as error:
        taken(plane(name))
    assert error.value.flag == MorphFlag.BAD_SHAPE


@pytest.mark.parametrize("name", ["SCI_PSFMATCHED", "BKGSUB", "SKYSUB", "PSF_MATCHED", "SCI-G"])
def test_treated_images_are_light(name):
    assert list(taken(plane(name)).values()) == [1]


def test_only_planes_of_different_bands_are_taken_together():
    assert taken(plane("g"), plane("r", 2), plane("i", 3)) == {"g": 1, "r": 2, "i": 3}
    assert taken(plane("COVERAGE", 9), plane(BAND="g"), plane(BAND="z", value=2)) == {
        "g": 1, "z": 2}
    assert taken(plane(BAND="g", IMAGETYP="image"),
                 plane(BAND="r", IMAGETYP="invvar", value=4)) == {"g": 1}


@pytest.mark.parametrize("names", [("A", "B"), ("SCI", "SCI"), ("G", "G")])
def test_what_cannot_be_told_is_refused(names):
    with pytest.raises(CutoutError, match=f"found {names[0]}, {names[1]}") as error:
        taken(*map(plane, names))
    assert error.value.flag == MorphFlag.BAD_SHAPE


def test_galfit_blocks_and_ccddata():
    block = [plane(OBJECT="a.fits[1:40,1:40]"), plane(OBJECT="model", value=2),
             plane(OBJECT="residual map", value=3)]
    assert taken(*block) == {"r": 1}
    ccd = CCDData(LIGHT, unit="nmgy", mask=LIGHT > 9).to_hdu()
    assert list(read_planes(ccd).planes) == ["r"]


@pytest.mark.parametrize("projection", ["TAN", "ZPN", "TPV", "TAN-SIP", "SIN", "ZEA", "AIT"])
def test_scale_of_any_projection(projection):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [-1e-4, 1e-4]
    cards = wcs.to_header()
    cards["CTYPE1"], cards["CTYPE2"] = f"RA---{projection}", f"DEC--{projection}"
    inheriting = fits.HDUList([fits.PrimaryHDU(header=cards), plane("SCI", INHERIT=True)])
    for source in (fits.ImageHDU(LIGHT, cards), inheriting):
        assert read_cutout(source).pixel_scale == pytest.approx(0.36)


def test_scale_of_sliced_data():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [-1e-4, 1e-4]
    ccd = CCDData(LIGHT, unit="nmgy", wcs=wcs)[4:36, 4:36]
    assert read_cutout(ccd).pixel_scale == pytest.approx(0.36, rel=1e-5)


@given(st.one_of(st.text(), st.text("grizy,;_- SDSSHC0123456789+=.", max_size=20)))
def test_any_text_is_one_band_or_none(text):
    band = parse_band(text)
    assert band is None or band in "ugrizy" and band in text.lower()
    assert parse_band(text.upper()) == band or not text.isascii()
    try:
        names = band_names(text)
    except ValueError as error:
        assert "expected different names" in str(error)
        return
    assert len(set(names)) == len(names) == len(split_bands(text)) and set(names) <= set("ugrizy")


@given(st.permutations("griz"), st.sampled_from([",", " ", ", ", ""]),
       st.sampled_from(["{}", "SDSS_{}", "HSC-{}", "des {}", "{}-band"]))
def test_bands_keep_their_order(bands, between, form):
    if between == "" and form != "{}" or " " in form and between == " ":
        form = "{}"
    names = [form.format(band) for band in bands]
    assert band_names(names) == list(bands)
    if " " not in form:
        assert band_names(between.join(names)) == list(bands)


def test_a_primary_image_of_another_band_counts():
    """Its band stands in FILTER, those of the others in their names."""
    primary = fits.PrimaryHDU(LIGHT, fits.Header({"FILTER": "g", "BUNIT": "nmgy"}))
    others = [plane("R", 2), plane("Z", 3), plane("R_WEIGHT", 9)]
    assert list(read_planes(fits.HDUList([primary, *others])).planes) == ["g", "r", "z"]
    primary.header["FILTER"] = "r"  # the same band as the next one
    assert list(read_planes(fits.HDUList([primary, *others])).planes) == ["r", "z"]


@pytest.mark.parametrize("name", ["N_IMG", "NIMAGES", "N_FRAMES", "NUM_EXP"])
def test_numbers_of_images_are_no_light(name):
    primary = fits.PrimaryHDU(LIGHT, fits.Header({"BUNIT": "nmgy"}))
    planes = read_planes(fits.HDUList([primary, plane(name, 9)])).planes
    assert np.median(planes["r"]) == np.median(LIGHT)


@pytest.mark.parametrize("bands, n", [("r", 1), ("grz", 3)])
def test_axes_of_one_plane_change_nothing(bands, n):
    """Radio astronomers write four axes."""
    cube = np.stack([LIGHT * (1 + number) for number in range(n)])
    hdu = fits.PrimaryHDU(cube[None], fits.Header({"BUNIT": "nmgy", "BANDS": bands}))
    file = io.BytesIO()
    hdu.writeto(file)
    for source in (hdu, file.getvalue()):
        assert list(read_planes(source).planes) == list(bands)
        np.testing.assert_array_equal(list(read_planes(source).planes.values()), cube)
    part = OpenImage(file.getvalue()).read((slice(4, 30), slice(5, 35)))
    np.testing.assert_array_equal(list(part.planes.values()), cube[:, 4:30, 5:35])


def test_planes_without_names_are_refused_or_named_by_the_user():
    cube = np.stack([LIGHT, LIGHT * 2, LIGHT * 3])
    for source in (fits.PrimaryHDU(cube), CCDData(cube, unit="nmgy")):
        with pytest.raises(CutoutError, match="3 plane.*bands='grz'") as error:
            read_cutout(source, survey="legacy")
        assert error.value.flag == MorphFlag.BAD_SHAPE
        assert list(read_planes(source, bands=["g", "r", "z"]).planes) == ["g", "r", "z"]
    named = fits.PrimaryHDU(cube, fits.Header({"BANDS": "zrg"}))
    assert list(read_planes(named).planes) == ["z", "r", "g"]
