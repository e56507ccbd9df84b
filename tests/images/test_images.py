import csv
import gzip
import io
import struct
import zlib

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, Cutout2D, NDData
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageFile

from astromorph.flags import MorphFlag
from astromorph.images import (CutoutError, color_composite, decode_picture, load_frame,
                               measure_r90, normalize_bands, read_cutout, resample)
from astromorph.surveys import SURVEYS

SIZE = 32
ONE_BAND = MorphFlag.MISSING_BAND | MorphFlag.ONE_BAND


# ---- every form of one galaxy --------------------------------------------------------------

def _cube(planes):
    return np.array(list(planes.values()))


def _header(wcs, **cards):
    header = wcs.to_header()
    header.update(cards)
    return header


def _fits_bytes(*hdus):
    file = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(file)
    return file.getvalue()


def _band_hdus(planes, wcs, kind=fits.ImageHDU, key="BAND"):
    return [kind(plane.copy(), _header(wcs, **{key: band, "BUNIT": "nanomaggy"}))
            for band, plane in planes.items()]


def _cube_bytes(planes, wcs):
    return _fits_bytes(fits.PrimaryHDU(_cube(planes), _header(wcs, BANDS="gri")))


def _write(path, data):
    path.write_bytes(data)
    return path


def _band_files(planes, wcs, tmp_path):
    return {band: _write(tmp_path / f"{band}.fits",
                         _fits_bytes(fits.PrimaryHDU(plane, _header(wcs))))
            for band, plane in planes.items()}


def _scaled_integers(planes, wcs):
    hdus = []
    for hdu in _band_hdus(planes, wcs):
        hdu.scale("int32", bzero=1.0, bscale=1e-6)
        hdus.append(hdu)
    return _fits_bytes(fits.PrimaryHDU(), *hdus)


def _picture(planes, kind, **options):
    pixels = np.rint(255 * color_composite(planes, "sdss")[::-1]).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def _color(planes):
    return color_composite(planes, "sdss")[::-1]


FORMS = {
    "cube bytes": lambda p, w, t: _cube_bytes(p, w),
    "cube path": lambda p, w, t: _write(t / "a.fits", _cube_bytes(p, w)),
    "cube str": lambda p, w, t: str(_write(t / "a.fits", _cube_bytes(p, w))),
    "cube gzip": lambda p, w, t: _write(t / "a.fits.gz", gzip.compress(_cube_bytes(p, w))),
    "HDU a band": lambda p, w, t: _fits_bytes(fits.PrimaryHDU(), *_band_hdus(p, w)),
    "HDU a band, other order": lambda p, w, t: fits.HDUList(
        [fits.PrimaryHDU(), *_band_hdus(p, w)[::-1]]),
    "HDU a band by FILTER": lambda p, w, t: _fits_bytes(
        fits.PrimaryHDU(), *_band_hdus(p, w, key="FILTER")),
    "HDU a band by EXTNAME": lambda p, w, t: _fits_bytes(
        fits.PrimaryHDU(), *_band_hdus(p, w, key="EXTNAME")),
    "HDU a band with weights": lambda p, w, t: fits.HDUList(
        [fits.PrimaryHDU(), *_band_hdus(p, w),
         fits.ImageHDU(p["g"], fits.Header({"BAND": "g", "IMAGETYP": "invvar"}))]),
    "tile-compressed": lambda p, w, t: _fits_bytes(fits.PrimaryHDU(), *[
        fits.CompImageHDU(plane.copy(), _header(w, BAND=band), compression_type="GZIP_1",
                          quantize_level=0)
        for band, plane in p.items()]),
    "scaled integers": lambda p, w, t: _scaled_integers(p, w),
    "big-endian": lambda p, w, t: {band: plane.astype(">f8") for band, plane in p.items()},
    "dict of files": _band_files,
    "dict of HDUs": lambda p, w, t: dict(zip(p, _band_hdus(p, w))),
    "dict of arrays, other order": lambda p, w, t: dict(reversed(p.items())),
    "dict of Quantity": lambda p, w, t: {b: (plane * u.nmgy).to(
        u.uJy, u.zero_point_flux(3631 * u.Jy)) for b, plane in p.items()},
    "dict of Cutout2D": lambda p, w, t: {b: Cutout2D(plane, (49.5, 44.5), plane.shape, wcs=w)
                                         for b, plane in p.items()},
    "dict of CCDData": lambda p, w, t: {b: CCDData(plane, unit="nmgy", wcs=w)
                                        for b, plane in p.items()},
    "NDData cube": lambda p, w, t: NDData(_cube(p), meta={"BANDS": "gri"}),
    "PNG bytes": lambda p, w, t: _picture(p, "PNG"),
    "PNG path": lambda p, w, t: _write(t / "a.png", _picture(p, "PNG")),
    "JPEG bytes": lambda p, w, t: _picture(p, "JPEG", quality=98, subsampling=0),
    "uint8 array": lambda p, w, t: np.rint(255 * _color(p)).astype(np.uint8),
    "uint16 array": lambda p, w, t: np.rint(65535 * _color(p)).astype(np.uint16),
    "float array": lambda p, w, t: _color(p),
    "masked array": lambda p, w, t: np.ma.array(_color(p).astype(">f8"), mask=False),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_network_pixels(form, galaxy_planes, galaxy_wcs, tmp_path):
    expected = normalize_bands(resample(_color(galaxy_planes), SIZE))
    source = FORMS[form](galaxy_planes, galaxy_wcs, tmp_path)
    pixels, flag = load_frame(source, SIZE, frame_r90=4.0)
    # 8 bits: half a level of 255, and for JPEG its quantization, over the bands' peak
    tolerance = 0.02 if "JPEG" in form else 0.003 if "PNG" in form or "uint8" in form else 2e-4
    assert_allclose(normalize_bands(pixels), expected, atol=tolerance)
    assert flag == MorphFlag(0)
    assert pixels.dtype == np.float32


def test_the_fixture_shows_flips_and_band_order(galaxy_planes):
    """Else the test above proves nothing."""
    expected = normalize_bands(resample(_color(galaxy_planes), SIZE))
    for other in (expected[::-1], expected[:, ::-1], expected[..., ::-1], expected[..., [1, 0, 2]]):
        assert np.abs(other - expected).max() > 0.2
    top_left = expected[:16, :16]
    assert top_left[..., 2].max() > 1.1 * top_left[..., 0].max()  # the blue knot


def test_pixel_scale_comes_with_the_wcs(galaxy_planes, galaxy_wcs):
    cutout = read_cutout(_cube_bytes(galaxy_planes, galaxy_wcs))
    assert cutout.pixel_scale == pytest.approx(0.396127)
    assert read_cutout(_color(galaxy_planes)).pixel_scale is None


def test_bands_argument_overrides_the_order(galaxy_planes):
    named = read_cutout(galaxy_planes)
    cube = NDData(_cube(galaxy_planes)[::-1])
    assert_array_equal(read_cutout(cube, bands="irg").pixels, named.pixels)


@pytest.mark.parametrize("bands", ["grx", "gg", [], ["g", 3]])
def test_bands_argument_is_checked(bands, galaxy_planes):
    with pytest.raises(ValueError, match="bands: expected different names"):
        read_cutout(galaxy_planes, bands=bands)


# ---- color mapping -------------------------------------------------------------------------

@pytest.mark.parametrize("survey", SURVEYS)
def test_composite_is_the_viewers_formula(survey):
    rng = np.random.default_rng(3)
    survey = SURVEYS[survey]
    flux = {band: rng.normal(0.05, 0.1, (5, 4)) for band in survey.rgb}
    pixels = color_composite(flux, survey)
    for y, x in np.ndindex(5, 4):
        c = np.array([survey.scales[b] * flux[b][y, x] + survey.offset for b in survey.rgb])
        mean = np.maximum(c, 0).mean() or 1e-6
        expected = np.clip(c * np.arcsinh(20 * mean) / np.sqrt(20) / mean, 0, 1)
        assert_allclose(pixels[y, x], np.broadcast_to(expected, 3), atol=1e-5)


def test_surface_brightness_looks_the_same_at_any_pixel_scale(galaxy_planes):
    native = SURVEYS["sdss"].pixel_scale.value
    binned = {b: p.reshape(45, 2, 50, 2).sum(axis=(1, 3)) for b, p in galaxy_planes.items()}
    mean = {b: p / 4 for b, p in binned.items()}
    assert_allclose(color_composite(binned, "sdss", pixel_scale=2 * native),
                    color_composite(mean, "sdss"), atol=1e-5)


@pytest.mark.parametrize("mark", [{"SURVEY": "SDSS"}, {"IMAGEW": 100}])
def test_viewer_cutouts_hold_the_flux_of_native_pixels(galaxy_planes, galaxy_wcs, mark):
    wcs = galaxy_wcs.deepcopy()
    wcs.wcs.cdelt /= 2
    header = _header(wcs, BANDS="gri", BAND0="g", BAND1="r", BAND2="i", **mark)
    cutout = read_cutout(fits.PrimaryHDU(_cube(galaxy_planes), header))
    assert_allclose(cutout.pixels, _color(galaxy_planes), atol=1e-6)
    assert cutout.pixel_scale == pytest.approx(0.396127 / 2)


def test_survey_is_guessed_from_the_bands(galaxy_planes):
    grz = dict(zip("grz", galaxy_planes.values()))
    assert_array_equal(read_cutout(grz).pixels, read_cutout(grz, survey="legacy").pixels)
    assert np.abs(read_cutout(grz).pixels - read_cutout(grz, survey="sdss").pixels).max() > 0.1


def test_i_stands_in_for_z_with_its_own_scale(galaxy_planes):
    cutout = read_cutout(galaxy_planes, survey="des")
    assert cutout.flag == MorphFlag(0)
    as_z = read_cutout({"g": galaxy_planes["g"], "r": galaxy_planes["r"],
                        "z": galaxy_planes["i"] * (3.0 / 2.2)}, survey="des")
    assert_allclose(cutout.pixels, as_z.pixels, atol=1e-5)


@pytest.mark.parametrize("kept, copied", [("r", [(0, 1), (1, 2)]), ("ri", [(1, 2)]),
                                          ("gi", [(1, 0)]), ("gr", [(0, 1)])])
def test_missing_band_is_its_nearest_neighbor(kept, copied, galaxy_planes):
    cutout = read_cutout({band: galaxy_planes[band] for band in kept})
    assert cutout.flag == (ONE_BAND if len(kept) == 1 else MorphFlag.MISSING_BAND)
    for one, other in copied:
        assert_array_equal(cutout.pixels[..., one], cutout.pixels[..., other])


# ---- bad pixels ----------------------------------------------------------------------------

def _damaged(planes, value, bands="gri", where=np.s_[44:46, 48:50]):
    planes = {band: plane.copy() for band, plane in planes.items()}
    for band in bands:
        planes[band][where] = value
    return planes


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_small_hole_is_filled_from_around(value, galaxy_planes):
    cutout = read_cutout(_damaged(galaxy_planes, value))
    assert cutout.flag == MorphFlag.BAD_PIXELS
    assert_allclose(cutout.pixels, _color(galaxy_planes), atol=0.2)


def test_large_hole_is_sky(galaxy_planes):
    cutout = read_cutout(_damaged(galaxy_planes, np.nan, where=np.s_[:, 80:]))
    assert_allclose(cutout.pixels[:, 90:], cutout.pixels[:, 90:].mean(), atol=1e-6)
    assert 0 < cutout.pixels[0, 95, 0] < 0.15


def test_hole_in_one_band_takes_its_neighbor(galaxy_planes):
    cutout = read_cutout(_damaged(galaxy_planes, np.nan, "g"))
    assert cutout.flag == MorphFlag.BAD_PIXELS
    hole = cutout.pixels[::-1][44:46, 48:50]
    assert_array_equal(hole[..., 2], hole[..., 1])


def test_masked_pixels_of_nddata(galaxy_planes):
    cube = _cube(_damaged(galaxy_planes, 99.0))
    cutout = read_cutout(NDData(cube, mask=cube == 99, meta={"BANDS": "gri"}))
    assert_array_equal(cutout.pixels, read_cutout(_damaged(galaxy_planes, np.nan)).pixels)


def test_nan_in_a_color_array(galaxy_planes):
    image = _color(galaxy_planes).copy()
    image[3, 4] = np.nan
    cutout = read_cutout(image)
    assert cutout.flag == MorphFlag.BAD_PIXELS
    assert_array_equal(cutout.pixels[3, 4], 0)


# ---- units ---------------------------------------------------------------------------------

@pytest.mark.parametrize("factor, cards", [
    (1.0, {"BUNIT": "nanomaggies"}), (1e-9, {"BUNIT": "maggy"}), (3.631e-6, {"BUNIT": "Jy"}),
    (1.0, {}), (10.0 ** 3, {"MAGZERO": 30.0}), (10.0 ** 3, {"MAGZERO": 30.0, "BUNIT": "adu"}),
    (63.09573, {"FLUXMAG0": 63095734448.0}), (1.0, {"BUNIT": "nmgy/pix"}),
    (3.631e-12 / (0.396127 / 206264.806) ** 2, {"BUNIT": "MJy/sr"})])
def test_known_units(factor, cards, galaxy_planes, galaxy_wcs):
    cube = _cube(galaxy_planes) * np.float32(factor)
    cutout = read_cutout(fits.PrimaryHDU(cube, _header(galaxy_wcs, BANDS="gri", **cards)))
    assert cutout.flag == MorphFlag(0)
    assert_allclose(cutout.pixels, _color(galaxy_planes), atol=1e-4)


@pytest.mark.parametrize("unit", ["adu", "", "furlong"])
def test_unknown_unit_gives_a_usable_picture(unit, galaxy_planes, galaxy_wcs):
    """Counts on a pedestal: noise and colors are those of the flux."""
    noise = SURVEYS["sdss"].sky_noise.value / 0.01
    cube = 5000 * _cube(galaxy_planes) + 800
    cutout = read_cutout(fits.PrimaryHDU(cube, _header(galaxy_wcs, BANDS="gri", BUNIT=unit)))
    assert cutout.flag == MorphFlag.UNKNOWN_UNIT
    expected = _color({band: plane * noise for band, plane in galaxy_planes.items()})
    assert_allclose(cutout.pixels, expected, atol=0.12)


# ---- images that cannot be used ------------------------------------------------------------

def _noise(*shape):
    return np.random.default_rng(0).random(shape)


UNUSABLE = {
    "empty": (b"", "UNREADABLE", "empty"),
    "zeros": (b"\0" * 5000, "UNREADABLE", "only zeros"),
    "text": (b"no such layer", "UNREADABLE", "no such layer"),
    "HTML": (b"<html>502 Bad Gateway</html>", "UNREADABLE", "502 Bad Gateway"),
    "junk": (b"\x8f\x01\x99" * 100, "UNREADABLE", "not an image"),
    "JPEG header only": (b"\xff\xd8\xff\xe0\0\x10JFIF", "UNREADABLE", "get it again"),
    "FITS header only": (b"SIMPLE  =                    T", "UNREADABLE", "get it again"),
    "cube without names": (fits.PrimaryHDU(np.ones((3, 40, 40))), "BAD_SHAPE", "bands='grz'"),
    "not FITS in gzip": (gzip.compress(b"hello"), "UNREADABLE", "get it again"),
    "a number": (5, "UNREADABLE", "not int"),
    "a path that is a folder": (".", "UNREADABLE", "get it again"),
    "missing file": ("nowhere/a.jpg", "MISSING_FILE", "nowhere/a.jpg: no such file in .*; check"),
    "no name": ("", "MISSING_FILE", "no file name"),
    "None": (None, "MISSING_FILE", "no file name"),
    "masked": (np.ma.masked, "MISSING_FILE", "no file name"),
    "1-D": (_noise(40), "BAD_SHAPE", r"\(y, x, 3\)"),
    "4-D": (_noise(1, 40, 40, 3), "BAD_SHAPE", r"\(y, x, 3\)"),
    "two colors": (_noise(40, 40, 2), "BAD_SHAPE", r"\(y, x, 3\)"),
    "too small": (_noise(15, 40, 3), "BAD_SHAPE", "at least 16"),
    "no pixels": (_noise(0, 40, 3), "BAD_SHAPE", "at least 16"),
    "strings": (np.full((40, 40), "a"), "BAD_SHAPE", "numbers"),
    "complex flux": ({"r": _noise(40, 40) + 1j}, "BAD_SHAPE", "numbers"),
    "empty dict": ({}, "BAD_SHAPE", "empty"),
    "unknown band": ({"K": _noise(40, 40)}, "BAD_SHAPE", "name each plane"),
    "bands of two shapes": ({"g": _noise(40, 40), "r": _noise(40, 41)}, "BAD_SHAPE", "one grid"),
    "cube in the dict": ({"g": _noise(3, 40, 40)}, "BAD_SHAPE", "one 2-D image"),
    "six unnamed planes": (NDData(_noise(6, 40, 40)), "BAD_SHAPE", "bands='grz'"),
    "4-D FITS": (fits.PrimaryHDU(_noise(2, 3, 40, 40)), "BAD_SHAPE", r"\(band, y, x\)"),
    "8-bit cube": (fits.PrimaryHDU(np.ones((3, 40, 40), np.uint8)), "BAD_SHAPE", "picture"),
    "FITS without image": (fits.HDUList([fits.PrimaryHDU()]), "BAD_SHAPE", "no image"),
    "black": (np.zeros((40, 40, 3), np.uint8), "BLANK", "blank"),
    "constant": (np.full((40, 40, 3), 0.4), "BLANK", "blank"),
    "NaN": (np.full((40, 40, 3), np.nan), "BLANK", "blank"),
    "NaN flux": ({"r": np.full((40, 40), np.nan)}, "BLANK", "blank"),
    "zero flux": ({"r": np.zeros((40, 40))}, "BLANK", "blank"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_image_says_why(case):
    source, flag, message = UNUSABLE[case]
    with pytest.raises(CutoutError, match=message) as error:
        load_frame(source, SIZE, frame_r90=4.0)
    assert error.value.flag == MorphFlag[flag]
    assert error.value.flag & MorphFlag.UNCLASSIFIED
    assert "\n" not in str(error.value)


def test_blank_center_of_a_good_image():
    image = np.zeros((100, 100, 3))
    image[:10] = 1
    with pytest.raises(CutoutError, match="frame around the center is blank") as error:
        load_frame(image, SIZE, frame_r90=1, cutout_r90=4)
    assert error.value.flag == MorphFlag.BLANK


def test_huge_dimensions_are_refused_before_reading():
    header = fits.Header([("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", 10**6),
                          ("NAXIS2", 10**6)])
    with pytest.raises(CutoutError) as error:
        read_cutout(header.tostring().encode() + bytes(2880))
    assert error.value.flag == MorphFlag.UNREADABLE  # the bytes are not there
    png = io.BytesIO()
    Image.new("1", (16, 16)).save(png, "PNG")
    huge = png.getvalue().replace(struct.pack(">II", 16, 16), struct.pack(">II", 40000, 40000))
    chunk = huge[12:29]
    huge = huge[:29] + struct.pack(">I", zlib.crc32(chunk)) + huge[33:]
    with pytest.raises(CutoutError, match="40000|1600000000") as error:
        read_cutout(huge)
    assert error.value.flag & MorphFlag.UNCLASSIFIED


@pytest.fixture(scope="module")
def encoded(galaxy_planes, galaxy_wcs):
    compressed = [fits.CompImageHDU(p.copy(), _header(galaxy_wcs, BAND=b))
                  for b, p in galaxy_planes.items()]
    return {"JPEG": _picture(galaxy_planes, "JPEG"), "PNG": _picture(galaxy_planes, "PNG"),
            "cube": _cube_bytes(galaxy_planes, galaxy_wcs),
            "fz": _fits_bytes(fits.PrimaryHDU(), *compressed),
            "gz": gzip.compress(_cube_bytes(galaxy_planes, galaxy_wcs))}


@pytest.fixture(scope="module")
def large_picture(galaxy_planes):
    return Image.fromarray(np.rint(255 * resample(_color(galaxy_planes), 424)).astype(np.uint8))


@pytest.mark.parametrize("mode, subsampling", [
    ("RGB", 0), ("RGB", 1), ("RGB", 2), ("L", 0), ("L", 1), ("L", 2), ("CMYK", 0)])
def test_jpegs_decode_as_in_pillow(large_picture, mode, subsampling):
    file = io.BytesIO()
    large_picture.convert(mode).save(file, "JPEG", subsampling=subsampling, quality=90,
                                     progressive=subsampling == 1)
    expected = Image.open(io.BytesIO(file.getvalue()))
    expected = expected if mode == "L" else expected.convert("RGB")
    assert_array_equal(decode_picture(file.getvalue()), np.asarray(expected))


@pytest.mark.parametrize("side, enough, expected", [
    (424, None, 424), (424, 300, 424), (424, 212, 212), (424, 160, 212), (424, 100, 106),
    (424, 20, 53), (423, 100, 423), (422, 100, 211)])
def test_jpegs_are_reduced_while_decoded(large_picture, side, enough, expected):
    """By powers of two that divide the sides, and almost as averaging would."""
    file = io.BytesIO()
    large_picture.crop((0, 0, side, side)).save(file, "JPEG", quality=90)
    reduced = decode_picture(file.getvalue(), enough)
    assert reduced.shape == (expected, expected, 3)
    averaged = resample(decode_picture(file.getvalue()), expected)
    assert np.abs(reduced - averaged).mean() < 1 and np.abs(reduced - averaged).max() < 25


def test_reduced_jpegs_give_the_same_frame(large_picture):
    """Where the frame takes half of the picture or less, it is decoded whole."""
    file = io.BytesIO()
    large_picture.save(file, "JPEG", quality=90)
    for cutout_r90, tolerance in ((None, 0.015), (4.0, 0.015), (8.0, 1e-6)):
        frames = [load_frame(source, 80, frame_r90=4.0, cutout_r90=cutout_r90)[0]
                  for source in (file.getvalue(), decode_picture(file.getvalue()))]
        assert_allclose(*frames, atol=tolerance)
        assert (tolerance == 1e-6) == np.array_equal(*frames)


def _complete_lengths(data):
    """Lengths at which a FITS file is whole: cut between HDUs, or in the padding of one."""
    lengths, file = set(), io.BytesIO(data)
    while file.tell() < len(data):
        header = fits.Header.fromfile(file)
        start = file.tell()
        file.seek(start + header.data_size_padded)
        lengths |= set(range(start + header.data_size, file.tell() + 1))
    return lengths


@pytest.mark.parametrize("tolerant", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "cube", "gz", "fz"])
def test_truncated_at_any_length(kind, tolerant, encoded, monkeypatch):
    """Also when another library told Pillow to accept truncated images."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    whole = encoded[kind]
    lengths = {1, 2, 10, len(whole) - 1, len(whole) - 2, len(whole) - 5,
               *np.random.default_rng(5).integers(1, len(whole), 60)}
    complete = _complete_lengths(whole) if kind in ("cube", "fz") else set()
    for length in lengths - complete:
        with pytest.raises(CutoutError) as error:
            read_cutout(whole[:length])
        assert error.value.flag == MorphFlag.UNREADABLE, length


@pytest.mark.filterwarnings("ignore")  # what Pillow and astropy say of damaged bytes
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "cube", "gz", "fz"])
def test_damaged_bytes_give_an_image_or_a_cutout_error(kind, encoded):
    rng = np.random.default_rng(11)
    outcomes = set()
    for _ in range(80):
        damaged = np.frombuffer(encoded[kind], np.uint8).copy()
        first = rng.choice([len(damaged), 600])  # headers as often as data
        where = rng.integers(0, min(first, len(damaged)), rng.integers(1, 8))
        damaged[where] = rng.integers(0, 256, where.size)
        try:
            pixels = read_cutout(damaged.tobytes()).pixels
            assert np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1
            outcomes.add("image")
        except CutoutError as error:
            assert error.flag & MorphFlag.UNCLASSIFIED
            outcomes.add("error")
    assert "error" in outcomes


def test_random_bytes():
    rng = np.random.default_rng(13)
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"SIMPLE  =", b"\x1f\x8b", b"BZh"):
        for size in rng.integers(1, 6000, 15):
            with pytest.raises(CutoutError) as error:
                read_cutout(start + rng.bytes(size))
            assert error.value.flag == MorphFlag.UNREADABLE


# ---- frames --------------------------------------------------------------------------------

def test_frame_follows_the_number_of_r90(galaxy_planes):
    image = _color(galaxy_planes)
    pixels, flag = load_frame(image, SIZE, frame_r90=4.0, cutout_r90=8.0)
    assert_allclose(pixels, resample(image, SIZE, width=45))
    assert flag == 0


def test_frame_follows_r90_on_the_sky(galaxy_planes, galaxy_wcs):
    source = _cube_bytes(galaxy_planes, galaxy_wcs)
    pixels, flag = load_frame(source, SIZE, frame_r90=4.0, r90=15 * 0.396127)
    assert_allclose(pixels, resample(_color(galaxy_planes), SIZE, width=60), atol=1e-3)
    assert flag == 0


@pytest.mark.parametrize("cards, flag", [
    ({}, "NO_WCS"), ({"CD1_1": "1e-4", "CD2_2": "1e-4"}, "NO_WCS"),
    ({"CDELT1": -0.1, "CDELT2": 0.1}, "NO_WCS"), ({"CDELT1": -1e-2, "CDELT2": 1e-2}, "NO_SIZE")])
def test_a_scale_that_makes_galaxies_smaller_than_pixels_is_wrong(galaxy_planes, cards, flag):
    """WCSLIB takes a degree where no scale is given; the size is measured then."""
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "BUNIT": "nmgy"} | cards)
    source = fits.PrimaryHDU(galaxy_planes["r"], header)
    found = load_frame(source, SIZE, frame_r90=4.0, r90=6.0)
    assert found[1] & MorphFlag[flag]
    if flag == "NO_WCS":
        expected, _ = load_frame({"r": galaxy_planes["r"]}, SIZE, frame_r90=4.0)
        assert_allclose(found[0], expected, atol=1e-5)
        measured = load_frame(source, SIZE, frame_r90=2.0, r90=6.0, measure=True)[1]
        assert measured & MorphFlag.MEASURED_SIZE


def test_frame_measured(galaxy_planes):
    r90 = measure_r90(_color(galaxy_planes), stretch=20**0.5)
    pixels, flag = load_frame(galaxy_planes, SIZE, frame_r90=2.0, r90="measure")
    assert_allclose(pixels, resample(_color(galaxy_planes), SIZE, width=2 * r90), atol=1e-5)
    assert flag == MorphFlag.MEASURED_SIZE


def test_frame_larger_than_the_image(galaxy_planes):
    image = _color(galaxy_planes)
    pixels, flag = load_frame(image, SIZE, frame_r90=4.0, cutout_r90=2.0)
    assert flag == MorphFlag.PARTIAL_FRAME
    assert_array_equal(pixels[0], 0)
    assert load_frame(image, SIZE, frame_r90=4.0, cutout_r90=3.95)[1] == 0


@pytest.mark.parametrize("size, flag", [
    ({"r90": 5.0}, "NO_WCS"), ({"cutout_r90": np.nan}, "NO_SIZE"),
    ({"cutout_r90": 0}, "NO_SIZE"), ({"cutout_r90": -2.0}, "NO_SIZE"),
    ({"cutout_r90": np.ma.masked}, "NO_SIZE")])
def test_framed_as_given_without_a_size(size, flag, galaxy_planes):
    image = _color(galaxy_planes)
    pixels, found = load_frame(image, SIZE, frame_r90=4.0, **size)
    assert found == MorphFlag[flag]
    assert_array_equal(pixels, resample(image, SIZE))


def test_no_galaxy_to_measure():
    noise = np.random.default_rng(2).normal(0.1, 0.01, (90, 90, 3))
    assert np.isnan(measure_r90(noise))
    assert load_frame(noise, SIZE, frame_r90=4.0, r90="measure")[1] == MorphFlag.NO_SIZE


@pytest.mark.parametrize("size, message", [
    ({"cutout_r90": 8.0, "r90": 5.0}, "cutout_r90, r90: expected one of them, not both"),
    ({"cutout_r90": 8.0, "r90": "measure"}, "not both"),
    ({"cutout_r90": "measure"}, 'cutout_r90: expected the width.*Pass r90="measure" to'),
    ({"r90": "auto"}, 'r90: expected a number of arcseconds, "measure" or None. Received')])
def test_wrong_size_arguments(size, message, galaxy_planes):
    with pytest.raises(ValueError, match=message) as error:
        load_frame(galaxy_planes, SIZE, frame_r90=4.0, **size)
    assert not isinstance(error.value, CutoutError)


def test_elongated_image_is_cut_to_its_central_square():
    image = _noise(20, 200, 3)
    assert_allclose(load_frame(image, 20, frame_r90=4.0)[0], resample(image[:, 90:110], 20),
                    atol=1e-6)


@pytest.mark.parametrize("scale_length", [4.0, 8.0])
def test_r90_of_an_exponential_disk(scale_length):
    """R90 is 3.53 scale lengths within 2 Petrosian radii (3.89 at infinity less 0.7 % of flux)."""
    y, x = np.mgrid[:160, :160] - 79.5
    disk = np.exp(-np.hypot(x, y) / scale_length)
    sky = np.random.default_rng(4).normal(0, 0.003, disk.shape)
    neighbor = 2 * np.exp(-((x - 45) ** 2 + (y + 30) ** 2) / 8)
    image = color_composite({band: disk + sky + neighbor for band in "gri"}, "sdss")
    assert measure_r90(image, stretch=20**0.5) == pytest.approx(3.8 * scale_length, rel=0.1)


# ---- resampling ----------------------------------------------------------------------------

@pytest.mark.parametrize("factor", [2, 3, 5])
def test_resample_is_the_block_average(factor):
    image = _noise(12 * factor, 12 * factor, 3)
    expected = image.reshape(12, factor, 12, factor, 3).mean(axis=(1, 3))
    assert_allclose(resample(image, 12), expected, atol=1e-6)


@pytest.mark.parametrize("size, width", [(69, 212.0), (40, 97.3), (96, 130.0)])
def test_resample_conserves_flux(size, width):
    y, x = np.mgrid[:212, :212] - 105.5
    blob = np.exp(-(x**2 + (y - 3) ** 2) / 200)[..., None]
    flux = resample(blob, size, width=width).sum() * (width / size) ** 2
    assert flux == pytest.approx(blob.sum(), rel=1e-3)


def test_resample_keeps_a_ramp_when_finer():
    ramp = np.repeat(np.arange(20.0)[None, :, None], 20, axis=0)
    fine = resample(ramp, 80)
    centers = (np.arange(80) + 0.5) / 4 - 0.5
    assert_allclose(fine[40, 2:-2, 0], centers[2:-2], atol=1e-5)


def test_resample_is_zero_outside():
    out = resample(np.ones((20, 30, 3)), 40, width=40)
    assert_array_equal(out[:10], 0)
    assert_array_equal(out[10:30, 5:35], 1)
    assert_array_equal(resample(np.ones((20, 20, 3)), 8, width=8, center=(100, 100)), 0)


def test_resample_follows_the_center():
    image = _noise(60, 60, 3)
    assert_allclose(resample(image, 10, width=10, center=(25, 40)), image[20:30, 35:45], atol=1e-6)


def test_normalize_bands():
    images = np.array([_noise(8, 8, 3) * [1, 5, 0.2], np.zeros((8, 8, 3))])
    out = normalize_bands(images)
    assert_allclose(out[0].max(axis=(0, 1)), 1)
    assert_array_equal(out[1], 0)


# ---- real images ---------------------------------------------------------------------------

REAL_FITS = {  # flag of the image, or of the error
    "decals_grz_162px.fits": 0, "decals_grz_424px_a.fits": 0, "decals_grz_424px_c.fits": 0,
    "decals_six_hdus.fits": 0,
    "decals_grz_424px_bad_pix.fits": MorphFlag.BAD_PIXELS,
    "decals_grz_truncated.fits": MorphFlag.UNREADABLE,
    # lacks only padding; its values are damaged, which no header tells
    "legacysurvey_brick_g.fits.fz": ONE_BAND | MorphFlag.BAD_PIXELS | MorphFlag.UNKNOWN_UNIT,
    "hsc_star_25px.fits": ONE_BAND,
    "sdss_frame_i.fits": ONE_BAND, "sdss_frame_r.fits": ONE_BAND,
    "sdss_r_256px.fit": ONE_BAND | MorphFlag.BAD_PIXELS,
    "sdss_r_256px_b.fit": ONE_BAND,
    "single_band_no_wcs.fits": ONE_BAND | MorphFlag.UNKNOWN_UNIT,
}


@pytest.mark.parametrize("name", REAL_FITS)
def test_real_fits(name, real_data):
    try:
        cutout = read_cutout(real_data / "fits" / name)
    except CutoutError as error:
        assert error.flag == REAL_FITS[name]
        assert "truncated" in str(error)
    else:
        assert cutout.flag == REAL_FITS[name]
        assert (cutout.pixel_scale is None) == ("no_wcs" in name)
        assert 0.01 < np.median(cutout.pixels) < 0.4  # a sky, neither black nor burnt out


def test_sdss_flux_has_the_sky_of_sdss_pictures(real_data):
    """Frames in nanomaggies, mapped to color, against the JPEGs that the networks learned from."""
    frames = [read_cutout(real_data / "fits" / f"sdss_frame_{band}.fits").pixels for band in "ri"]
    pictures = [read_cutout(path).pixels[:100, :100]
                for path in sorted((real_data / "gz2").glob("*.jpg"))[::40]]
    ratio = np.median(frames) / np.median(pictures)
    assert 0.5 < ratio < 2


def test_real_sdss_bands_together(real_data):
    """The r and i frames overlap only roughly, but read as one image in two bands."""
    frames = {band: real_data / "fits" / f"sdss_frame_{band}.fits" for band in "ri"}
    cutout = read_cutout(frames)
    assert cutout.flag == MorphFlag.MISSING_BAND
    assert cutout.pixel_scale == pytest.approx(0.396, abs=0.001)


@pytest.mark.parametrize("folder", ["gz2", "efigi", "sdss24", "decals", "unlabeled"])
def test_real_pictures(folder, real_data):
    for path in sorted((real_data / folder).glob("*.jpg"))[::200]:
        cutout = read_cutout(path)
        assert cutout.flag == 0
        with Image.open(path) as picture:
            assert cutout.pixels.shape == (picture.height, picture.width, 3)


def test_r90_of_real_galaxies(real_data):
    """Galaxy Zoo 2 images are 8.48 petroR90 wide by construction."""
    with (real_data / "gz2" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))[::40][:100]
    ratios = []
    for row in rows:
        pixels = read_cutout(real_data / "gz2" / row["file"]).pixels
        ratios.append(measure_r90(pixels) * float(row["cutout_r90"]) / pixels.shape[0])
    ratios = np.array(ratios)
    assert np.isfinite(ratios).mean() > 0.95
    assert 0.9 < np.nanmedian(ratios) < 1.1
    assert np.mean(np.abs(ratios - 1) < 0.3) > 0.8
