"""How images are framed, by what is told of their sizes and by default."""
import io

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Column, MaskedColumn, QTable, Table
from numpy.testing import assert_array_equal
from PIL import Image

from astromorph import MorphFlag, measure_r90, read_cutout
from astromorph.datasets import load_sample
from astromorph.errors import AstromorphWarning
from astromorph.galaxies.frames import FrameOptions
from astromorph.galaxies.given import GivenImages

SAMPLE = list(load_sample()["file"])[:2]
R90 = [fits.getheader(path)["PETROR90"] for path in SAMPLE]
SCALE = read_cutout(SAMPLE[0]).pixel_scale
MEASURED, NO_WCS, NO_SIZE = MorphFlag.MEASURED_SIZE, MorphFlag.NO_WCS, MorphFlag.NO_SIZE


@pytest.fixture(scope="module")
def pictures():
    """The sample without its WCS."""
    return [read_cutout(path).pixels for path in SAMPLE]


def loaded(data, images=None, **options):
    """Pixels and flags of all rows."""
    source = GivenImages(data, images, frames=FrameOptions(**options))
    pixels, flags, *_ = zip(*(source.load(item, 40, 4.24) for item in source))
    return np.array(pixels), list(flags)


def same(one, other):
    return all(map(np.array_equal, one, other))


def table_of(images, **columns):
    column = Column(np.empty(len(images), object))
    column[:] = images
    return Table({"image": column, **columns})


def test_a_size_column_is_found_for_images_with_a_wcs():
    told, flags = loaded(SAMPLE, r90=R90 * u.arcsec)
    assert flags == [0, 0]
    for table in (Table({"file": SAMPLE, "petroR90_r": R90}),
                  Table({"file": SAMPLE, "R90": Column(R90, unit="arcsec")}),
                  QTable({"file": SAMPLE, "PETRO_TH90": (R90 * u.arcsec).to(u.arcmin)})):
        assert np.allclose(loaded(table, "file")[0], told, atol=1e-5)
        assert loaded(table, "file")[1] == [0, 0]


def test_a_pixel_scale_stands_in_for_the_wcs(pictures):
    expected, flags = loaded(pictures, cutout_r90=[min(picture.shape[:2]) * SCALE / size
                                                   for picture, size in zip(pictures, R90)])
    table = table_of(pictures, petroR90_r=R90, scale=Column([SCALE] * 2, unit="arcsec/pix"))
    for scale in (SCALE * u.arcsec, SCALE * u.arcsec / u.pix, [SCALE] * 2 * u.arcsec, "scale"):
        found, flags = loaded(table, "image", pixel_scale=scale)
        assert np.allclose(found, expected, atol=1e-5) and flags == [0, 0]
    named, _ = loaded(pictures, r90=R90 * u.arcsec, pixel_scale=SCALE * u.arcsec)
    assert np.allclose(named, expected, atol=1e-5)


def test_a_wcs_goes_before_the_pixel_scale():
    assert same(loaded(SAMPLE, r90=R90 * u.arcsec, pixel_scale=9 * u.arcsec),
                loaded(SAMPLE, r90=R90 * u.arcsec))


def test_without_a_scale_the_size_is_measured(pictures):
    measured, flags = loaded(pictures, r90="measure")
    assert flags == [MEASURED] * 2
    assert_array_equal(measured, loaded(pictures, cutout_r90=[
        min(picture.shape[:2]) / measure_r90(picture) for picture in pictures])[0])
    found = loaded(table_of(pictures, petroR90_r=R90), "image")
    named = loaded(pictures, r90=R90 * u.arcsec)
    assert same(loaded(pictures), (measured, flags)) and same(found, (measured, flags))
    assert same(named, (measured, [MEASURED | NO_WCS] * 2))


@pytest.mark.parametrize("options", [{}, {"r90": "petroR90_r"}, {"cutout_r90": "width"}])
def test_a_row_without_a_size_is_measured(options):
    table = Table({"file": [SAMPLE[0]] * 3, "petroR90_r": MaskedColumn(
        [R90[0], -9999, 5], mask=[False, False, True]), "width": [5.0, np.nan, -1]})
    pixels, flags = loaded(table, "file", **options)
    assert flags == [0, MEASURED, MEASURED]
    assert_array_equal(pixels[1:], loaded([SAMPLE[0]] * 2, r90="measure")[0])


@pytest.mark.parametrize("options", [{}, {"r90": "R90"}, {"cutout_r90": "width"}])
def test_a_jpeg_is_measured_whole(pictures, options):
    """Of a picture that is much wider than the frame no half is measured."""
    file = io.BytesIO()
    large = Image.fromarray(np.uint8(255 * pictures[0])).resize((800, 800))
    large.save(file, "JPEG", quality=95)
    table = table_of([file.getvalue()], R90=MaskedColumn([1.0], mask=[True], unit="arcsec"),
                     width=[np.nan])
    found, flags = loaded(table, "image", **options)
    assert flags == [MEASURED]
    assert_array_equal(found, loaded([file.getvalue()], r90="measure")[0])


def test_a_galaxy_that_fills_its_image_is_framed_as_given(pictures):
    """The middle of the image alone: there is no sky to measure against."""
    cut = []
    for picture, size in zip(pictures, R90):
        half, middle = int(size / SCALE * 1.2), np.array(picture.shape[:2]) // 2
        cut.append(picture[tuple(slice(m - half, m + half) for m in middle)])
    as_given, _ = loaded(cut, cutout_r90=4.24)
    for options, flag in (({}, 0), ({"r90": "measure"}, 0), ({"r90": 5 * u.arcsec}, NO_WCS)):
        found, flags = loaded(cut, **options)
        assert flags == [NO_SIZE | flag] * 2
        assert np.allclose(found, as_given, atol=1e-6)


def test_a_column_of_pixels_is_no_angle(pictures):
    with pytest.warns(AstromorphWarning, match="measured on the images: r90: expected an angle"):
        _, flags = loaded(table_of(pictures, r90=[20.0, 30.0]), "image")
    assert flags == [MEASURED] * 2


@pytest.mark.parametrize("options, message", [
    *(({"cutout_r90": value}, "cutout_r90: expected a positive number of R90")
      for value in (0, -3, np.nan, np.inf)),
    ({"r90": 0 * u.arcsec}, "r90: expected a positive angle"),
    ({"pixel_scale": -0.3 * u.arcsec}, "pixel_scale: expected a positive angle"),
    ({"pixel_scale": np.nan * u.arcsec}, "pixel_scale: expected a positive angle"),
    ({"pixel_scale": 0.3}, r"pixel_scale: expected an angle.*pass pixel_scale=0.3 \* u.arcsec"),
    ({"pixel_scale": [0.3, 0.4] * u.kpc}, "pixel_scale: expected an angle.*kpc"),
    ({"pixel_scale": [0.3] * 3 * u.arcsec}, r"pixel_scale: expected one angle or 2.*\(3,\)"),
    ({"pixel_scale": "scale"}, "pixel_scale: .*'scale'")])
def test_wrong_sizes(options, message):
    with pytest.raises(ValueError, match=message):
        loaded(SAMPLE, **options)


def test_positions_have_no_pixel_scale(classifier):
    table = Table({"ra": [1.0], "dec": [2.0], "petroR90_r": [3.0]})
    with pytest.raises(ValueError, match="pixel_scale: expected images"):
        classifier.classify(table, pixel_scale=0.3 * u.arcsec)


def test_the_frame_is_part_of_what_the_rows_are(pictures):
    sources = [GivenImages(table_of(pictures, **columns), "image", frames=FrameOptions(**options))
               for columns, options in (({}, {}), ({"petroR90_r": R90}, {}), ({}, {
                   "pixel_scale": 1 * u.arcsec}), ({}, {"cutout_r90": 4.24}))]
    known = [str(source.identity()) for source in sources]
    assert len(set(known)) == len(known)


def test_a_width_in_r90_has_no_unit():
    with pytest.raises(ValueError, match="a number of R90.*arcsec"):
        FrameOptions(cutout_r90=8 * u.arcsec).of_images(["a.jpg"], 1)
