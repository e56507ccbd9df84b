"""One band in any form gives a gray image, answers and a flag; a negative gives none."""
import io
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, NDData
from PIL import Image

from astromorph import AstromorphWarning, MorphFlag
from astromorph.images import load_frame, read_cutout
from astromorph.images.frames import is_negative

ONE_BAND, MISSING_BAND = MorphFlag.ONE_BAND, MorphFlag.MISSING_BAND


@pytest.fixture(scope="module")
def plane(galaxy_planes):
    """r of a simulated galaxy, in nanomaggies, 90 pixels wide."""
    return galaxy_planes["r"][:, 5:95]


def _fits(plane, **cards):
    file = io.BytesIO()
    fits.PrimaryHDU(plane, fits.Header({"BUNIT": "nanomaggy"} | cards)).writeto(file)
    return file.getvalue()


FLUX = {
    "FITS": _fits, "FITS of a named band": lambda plane: _fits(plane, FILTER="r"),
    "FITS cube of one plane": lambda plane: _fits(plane[None], BANDS="r"),
    "HDU": lambda plane: fits.PrimaryHDU(plane, fits.Header({"BUNIT": "nanomaggy"})),
    "dict": lambda plane: {"r": plane}, "dict of FITS": lambda plane: {"r": _fits(plane)},
    "NDData": lambda plane: NDData(plane, unit=u.nmgy),
    "CCDData": lambda plane: CCDData(plane, unit=u.nmgy),
    "three times the same": lambda plane: {band: plane * scale for band, scale
                                           in (("g", 0.6), ("r", 1), ("i", 1.5))},
}


@pytest.mark.parametrize("form", FLUX)
def test_flux_of_one_band(form, plane):
    cutout = read_cutout(FLUX[form](plane))
    expected = read_cutout({"r": plane})
    np.testing.assert_allclose(cutout.pixels, expected.pixels, atol=1e-5)
    if "times" not in form:
        assert cutout.flag == ONE_BAND | MISSING_BAND


def _picture(pixels, kind, mode=None):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, kind)
    return file.getvalue()


PICTURES = {
    "array": lambda gray: gray, "16 bits": lambda gray: gray * np.uint16(257),
    "float": lambda gray: gray / 255, "one plane in depth": lambda gray: gray[..., None],
    "three planes": lambda gray: np.repeat(gray[..., None], 3, axis=2),
    "JPEG": lambda gray: _picture(gray, "JPEG"), "PNG": lambda gray: _picture(gray, "PNG"),
    "color JPEG": lambda gray: _picture(gray, "JPEG", "RGB"),
    "color PNG": lambda gray: _picture(gray, "PNG", "RGB"),
    "16-bit PNG": lambda gray: _picture(gray * np.uint16(257), "PNG"),
}


@pytest.mark.parametrize("form", PICTURES)
def test_gray_pictures(form, plane):
    gray = np.rint(255 * read_cutout({"r": plane}).pixels[..., 0]).astype(np.uint8)
    cutout = read_cutout(PICTURES[form](gray))
    np.testing.assert_allclose(cutout.pixels[..., 1], gray / 255, atol=0.08)
    assert (np.ptp(cutout.pixels, axis=-1) == 0).all()
    assert cutout.flag & ~MISSING_BAND == ONE_BAND
    assert bool(cutout.flag & MISSING_BAND) == (form not in ("three planes", "color JPEG",
                                                             "color PNG"))


@pytest.mark.parametrize("survey, band", [("sdss", "u"), ("sdss", "z"), ("legacy", "i"),
                                          ("des", "Y"), ("euclid", "VIS"), ("sdss", "g")])
def test_any_band_alone_is_gray(survey, band, plane):
    cutout = read_cutout({band: plane}, survey=survey)
    assert cutout.flag == ONE_BAND | MISSING_BAND
    assert (np.ptp(cutout.pixels, axis=-1) == 0).all() and 0.2 < cutout.pixels.max() <= 1


def test_color_is_not_flagged(galaxy_planes):
    assert not read_cutout(galaxy_planes).flag & ONE_BAND
    two = read_cutout({band: galaxy_planes[band] for band in "gr"})
    assert two.flag == MISSING_BAND
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[3:30, 3:30] = 90
    pixels[5, 5] = 1, 2, 3  # one pixel off the grid that is looked at first
    assert read_cutout(pixels).flag == 0


def test_all_forms_are_answered_alike_and_flagged(classifier, plane):
    """Mixed with color they are flagged by row, and told of once."""
    forms = [make(plane) for form, make in FLUX.items() if "times" not in form]
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstromorphWarning)
        table = classifier.classify(forms, cutout_r90=4.24)
    assert (table["morph_flag"] & ONE_BAND).all()
    for question in classifier.questions:
        np.testing.assert_allclose(table[question.column], table[question.column][0], atol=1e-4)
    color = {band: plane * scale for band, scale in (("g", 0.5), ("r", 1), ("i", 2))}
    with pytest.warns(AstromorphWarning, match="2 of 3 images have one band"):
        mixed = classifier.classify([forms[0], color, forms[4]], cutout_r90=4.24)
    assert (mixed["morph_flag"] & ONE_BAND != 0).tolist() == [True, False, True]


@pytest.mark.parametrize("form", ["gray", "color", "wide", "narrow"])
def test_negatives_are_refused(form, classifier, plane, galaxy_planes):
    pixels = 1 - read_cutout({"r": plane} if form == "gray" else galaxy_planes).pixels
    width = {"wide": 9.0, "narrow": 3.0}.get(form, 4.24)
    with pytest.warns(AstromorphWarning, match=r"1 NEGATIVE.*turn it over \(white minus image\)"):
        table = classifier.classify([pixels, 1 - pixels], cutout_r90=width)
    assert table["morph_flag"][0] & MorphFlag.NEGATIVE
    assert table["P_disk"].mask.tolist() == [True, False]
    with pytest.raises(Exception, match="negative"):
        load_frame(pixels, 32, frame_r90=4.24, cutout_r90=width, margin=6)


def test_what_is_no_negative():
    rng = np.random.default_rng(0)
    assert not is_negative(rng.random((80, 80, 3)))
    ramp = np.broadcast_to(np.arange(80.)[:, None, None], (80, 80, 3))
    assert not is_negative(ramp)
    assert is_negative(np.hypot(*(np.indices((9, 9)) - 4))[..., None])


def test_no_real_galaxy_is_a_negative(real_data):
    for folder, width in (("gz2", 8.48), ("efigi", 4.24), ("sdss24", 4.24), ("decals", 8.48)):
        for path in sorted((real_data / folder).glob("*.jpg"))[::40]:
            load_frame(path, 80, frame_r90=4.24, cutout_r90=width)
            with pytest.raises(Exception, match="negative"):
                load_frame(1 - read_cutout(path).pixels, 80, frame_r90=4.24, cutout_r90=width)
