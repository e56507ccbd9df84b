"""Galaxies at positions in images: the same answers as from cutouts made by hand, or a flag."""
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, Cutout2D
from astropy.table import QTable, Table
from astropy.wcs import WCS
from PIL import Image

from astromorph import MorphFlag, decode_flags
from astromorph.errors import AstromorphWarning
from astromorph.galaxies import placed
from astromorph.galaxies.placed import open_images
from astromorph.images import load_frame
from astromorph.images.fits_planes import OpenImage

SIDE, PIXEL = 300, 0.4
SIZE, FRAME = 32, 4.0
GRAY = MorphFlag.MISSING_BAND | MorphFlag.ONE_BAND
R90 = 5 * u.arcsec
PLACES = [(70.2, 80.4), (210, 90), (150.4, 220.6)]  # x, y


def make_header(crval=(150.0, 2.2), ctype=("RA---TAN", "DEC--TAN"), **cards):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ctype, crval, [SIDE / 2, SIDE / 2]
    wcs.wcs.cdelt = [-PIXEL / 3600, PIXEL / 3600]
    header = wcs.to_header()
    header.update({"BUNIT": "nanomaggy", "FILTER": "r"} | cards)
    return header


@pytest.fixture(scope="module")
def flux():
    """One band with three galaxies of different shapes."""
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.random.default_rng(0).normal(0, 0.01, (SIDE, SIDE))
    for k, (cx, cy) in enumerate(PLACES):
        image += 2 * np.exp(-np.hypot((x - cx) / (6 - k), (y - cy) / (3 + k)))
    return image.astype("f4")


def catalog(header, places=PLACES):
    at = WCS(header).celestial.pixel_to_world(*np.transpose(places))
    return QTable({"ra": at.icrs.ra, "dec": at.icrs.dec})


def frames(table, image, r90=R90, **options):
    """What each row gives: pixels or None, and its flag."""
    from astromorph.galaxies import FrameOptions

    with open_images(table, image, frame_r90=FRAME, frames=FrameOptions(r90=r90),
                     **options) as source:
        return [source.load(item, SIZE, FRAME)[:2] for item in source]


def by_hand(image, header, k, side=61, **options):
    """The frame of a cutout that Cutout2D makes around one of the places."""
    wcs = WCS(header).celestial
    position = wcs.pixel_to_world(*PLACES[k])
    cut = [Cutout2D(plane, position, side, wcs) for plane in np.atleast_3d(image.T).T]
    own = cut[0].wcs.to_header()
    own.update({key: header[key] for key in ("BUNIT", "FILTER", "BANDS") if key in header})
    planes = np.stack([one.data for one in cut])
    hdu = fits.PrimaryHDU(planes if len(planes) > 1 else planes[0], own)
    return load_frame(fits.HDUList([hdu]), SIZE, frame_r90=FRAME, r90=R90.value, **options)


def write_plain(path, flux, header):
    fits.writeto(path, flux, header)


def write_cube(path, flux, header):
    header["BANDS"] = "gri"
    fits.writeto(path, np.stack([flux, 2 * flux, 3 * flux]), header)


def write_bands(path, flux, header):
    del header["FILTER"]
    fits.HDUList([fits.PrimaryHDU(), *(
        fits.ImageHDU(scale * flux, header, name=band)
        for band, scale in zip("gri", (1, 2, 3)))]).writeto(path)


def write_companions(path, flux, header):
    fits.HDUList([fits.PrimaryHDU(header=fits.Header({"FILTER": "r"})),
                  fits.ImageHDU(flux, header, name="SCI"),
                  fits.ImageHDU(np.ones_like(flux), header, name="WHT")]).writeto(path)


def write_tiles(path, flux, header):
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(
        flux, header, compression_type="RICE_1", quantize_level=64, tile_shape=(50, 70))]
        ).writeto(path)


def write_integers(path, flux, header):
    hdu = fits.PrimaryHDU(flux.copy(), header)
    hdu.scale("int16", bscale=1e-3, bzero=2)
    hdu.writeto(path)


WRITERS = [write_plain, write_cube, write_bands, write_companions, write_tiles, write_integers]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("ending", [".fits", ".fits.gz"])
def test_files_give_the_frames_of_cutouts(tmp_path, flux, write, ending):
    header = make_header()
    path = tmp_path / f"mosaic{ending}"
    write(path, flux, header)
    with fits.open(path, memmap=False) as hdus:
        planes = [hdu.data for hdu in hdus if hdu.data is not None and hdu.name != "WHT"]
        planes = planes[0] if len(planes) == 1 else np.stack(planes)
    header = make_header()
    bands = {"bands": "gri"} if planes.ndim == 3 else {}
    for k, (pixels, flag) in enumerate(frames(catalog(header), str(path))):
        expected, expected_flag = by_hand(planes, header, k, **bands)
        np.testing.assert_array_equal(pixels, expected)
        assert flag == expected_flag


def in_hdulist(flux, header, tmp_path):
    return fits.HDUList([fits.PrimaryHDU(flux, header)])


def in_hdu(flux, header, tmp_path):
    return fits.ImageHDU(flux, header)


def in_ccddata(flux, header, tmp_path):
    return CCDData(flux, unit="nmgy", wcs=WCS(header), header=header)


def in_files_of_bands(flux, header, tmp_path):
    for band in "gr":
        fits.writeto(tmp_path / f"{band}.fits", flux, make_header(FILTER=band))
    return {band: tmp_path / f"{band}.fits" for band in "gr"}


def in_bytes(flux, header, tmp_path):
    fits.writeto(tmp_path / "m.fits", flux, header)
    return (tmp_path / "m.fits").read_bytes()


def in_path(flux, header, tmp_path):
    fits.writeto(tmp_path / "m.fits", flux, header)
    return tmp_path / "m.fits"


@pytest.mark.parametrize("form", [in_hdulist, in_hdu, in_ccddata, in_files_of_bands, in_bytes,
                                  in_path])
def test_one_image_in_any_form(tmp_path, flux, form):
    header = make_header()
    planes, bands = (np.stack([flux] * 2), "gr") if form is in_files_of_bands else (flux, None)
    for k, (pixels, _) in enumerate(frames(catalog(header), form(flux, header, tmp_path))):
        np.testing.assert_array_equal(pixels, by_hand(planes, header, k, bands=bands)[0])


def test_changed_pixels_of_an_hdulist_count(tmp_path, flux):
    """Not those of its file."""
    header = make_header()
    fits.writeto(tmp_path / "m.fits", np.zeros_like(flux), header)
    with fits.open(tmp_path / "m.fits") as hdus:
        hdus[0].data = flux
        (pixels, _), *_ = frames(catalog(header), hdus)
    np.testing.assert_array_equal(pixels, by_hand(flux, header, 0)[0])


@pytest.mark.parametrize("crval, ctype", [
    ((0.0, 2.2), ("RA---TAN", "DEC--TAN")), ((0.01, 89.99), ("RA---TAN", "DEC--TAN")),
    ((120.0, -30.0), ("GLON-CAR", "GLAT-CAR")), ((10.0, 20.0), ("RA---ZEA", "DEC--ZEA")),
    ((10.0, -89.995), ("RA---STG", "DEC--STG"))])
def test_anywhere_on_the_sky(flux, crval, ctype):
    header = make_header(crval, ctype)
    table = catalog(header)
    if crval[0] == 0:
        assert table["ra"].max() > 359 * u.deg and table["ra"].min() < 1 * u.deg
    for k, (pixels, flag) in enumerate(frames(table, fits.PrimaryHDU(flux, header))):
        np.testing.assert_array_equal(pixels, by_hand(flux, header, k)[0])
        assert flag == GRAY


def test_distortions_count(flux):
    """The linear terms alone would lead 30 pixels away."""
    header = make_header(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2,
                         A_2_0=1e-3, B_0_2=-2e-3)
    table = catalog(header)
    for k, (pixels, _) in enumerate(frames(table, fits.PrimaryHDU(flux, header))):
        cut = fits.PrimaryHDU(Cutout2D(flux, PLACES[k], 61).data, make_header())
        expected, _ = load_frame(cut, SIZE, frame_r90=FRAME, r90=R90.value)
        np.testing.assert_array_equal(pixels, expected)


def test_the_sky_behind_the_image_is_outside(flux):
    header = make_header()
    table = Table({"ra": [330.0, 150.0, 150.0, np.nan], "dec": [-2.2, 3.2, -87.0, 2.2]})
    found = [flag for _, flag in frames(table, fits.PrimaryHDU(flux, header))]
    assert found == [MorphFlag.OUTSIDE_FOOTPRINT] * 3 + [MorphFlag.BAD_COORDINATE]


def test_at_the_edge_the_frame_is_partial(flux):
    header = make_header()
    edges = [(3, 150), (-0.4, 150), (-0.6, 150), (SIDE - 0.6, 150), (SIDE - 0.4, 150)]
    found = [flag for _, flag in frames(catalog(header, edges), fits.PrimaryHDU(flux, header))]
    filled = GRAY | MorphFlag.BAD_PIXELS
    outside = MorphFlag.OUTSIDE_FOOTPRINT
    assert found == [filled, filled, outside, filled, outside]


def test_sizes(flux):
    """Of rows: a column, wrong ones, the width of the frame in their place."""
    header = make_header()
    hdu = fits.PrimaryHDU(flux, header)
    table = catalog(header)
    table["petroR90_r"] = [5, -9999, 1e5] * u.arcsec
    found = frames(table, hdu, r90=None)
    np.testing.assert_array_equal(found[0][0], by_hand(flux, header, 0)[0])
    assert [flag for _, flag in found[1:]] == [MorphFlag.BAD_SIZE] * 2
    from astromorph.galaxies import FrameOptions

    table.remove_column("petroR90_r")
    with open_images(table, hdu, frame_r90=FRAME,
                     frames=FrameOptions(width=FRAME * R90)) as source:
        first, *_ = [source.load(item, SIZE, FRAME) for item in source]
    np.testing.assert_array_equal(first.pixels, by_hand(flux, header, 0)[0])


def test_sizes_are_measured_where_nothing_tells_them(flux):
    header = make_header()
    found = frames(catalog(header), fits.PrimaryHDU(flux, header), r90=None)
    assert all(flag & MorphFlag.MEASURED_SIZE and not flag & MorphFlag.NO_SIZE
               for _, flag in found)


def test_an_image_is_opened_once(tmp_path, flux, monkeypatch):
    header = make_header()
    for name in "ab":
        fits.writeto(tmp_path / f"{name}.fits", flux, header)
    opened = []
    monkeypatch.setattr(placed, "OpenImage",
                        lambda source: opened.append(source) or OpenImage(source))
    table = catalog(header, PLACES * 20)
    table["file"] = [str(tmp_path / f"{'ab'[k % 2]}.fits") for k in range(60)]
    assert all(pixels is not None for pixels, _ in frames(table, "file"))
    assert sorted(opened) == sorted(set(table["file"]))


def test_parts_are_read_without_the_whole(tmp_path, flux, monkeypatch):
    """No row asks for the whole plane."""
    header = make_header()
    fits.writeto(tmp_path / "m.fits", flux, header)
    monkeypatch.setattr(fits.PrimaryHDU, "data", property(lambda hdu: 1 / 0))
    assert all(pixels is not None for pixels, _ in frames(catalog(header), tmp_path / "m.fits"))


def picture(path):
    y, x = np.mgrid[:128, :128] - 64
    light = 200 * np.exp(-np.hypot(x, y / 0.5) / 10)
    Image.fromarray(np.repeat(light[..., None], 3, 2).astype("u1")).save(path)


def test_without_a_wcs_positions_count_for_nothing(tmp_path):
    """A flag says so where the galaxy need not be at the center: others share its picture."""
    for name in "ab":
        picture(tmp_path / f"{name}.jpg")
    table = Table({"ra": [10.0, 10.1, 10.1, 30.0], "dec": [0.0, 0.0, 0.0, 0.0],
                   "file": [str(tmp_path / f"{name}.jpg") for name in "aabb"]})
    assert [bool(flag & MorphFlag.NO_WCS) for _, flag in frames(table[1:3], "file", r90=None)] == [
        False, False]
    assert all(flag & MorphFlag.NO_WCS for _, flag in frames(table, "file", r90=None))
    from astromorph.galaxies import FrameOptions

    with open_images(table, "file", frame_r90=FRAME,
                     frames=FrameOptions(cutout_r90=FRAME)) as source:
        assert not any(source.load(item, SIZE, FRAME).flag & MorphFlag.NO_WCS for item in source)
    table["dec"] = table["ra"] = 10.0
    assert not any(flag & MorphFlag.NO_WCS for _, flag in frames(table, "file", r90=None))


def test_rows_say_what_is_wrong_with_their_image(tmp_path, flux):
    header = make_header()
    fits.writeto(tmp_path / "good.fits", flux, header)
    whole = (tmp_path / "good.fits").read_bytes()
    (tmp_path / "cut.fits").write_bytes(whole[:len(whole) // 2])
    table = catalog(header)
    table["file"] = [str(tmp_path / name) for name in ("good.fits", "cut.fits", "none.fits")]
    flags = [decode_flags(int(flag)) for _, flag in frames(table, "file")]
    assert flags == [["MISSING_BAND", "ONE_BAND"], ["UNREADABLE"], ["MISSING_FILE"]]


def test_cutouts_with_a_width_are_taken_as_they_are(tmp_path, flux):
    """`cutout_r90` says that an image is one of its galaxy; a mosaic is none."""
    from astromorph.galaxies import FrameOptions

    header = make_header()
    fits.writeto(tmp_path / "own.fits", flux, header)
    fits.writeto(tmp_path / "mosaic.fits", flux, header)
    table = catalog(header)
    table["file"] = [str(tmp_path / name) for name in ("own.fits", "mosaic.fits", "mosaic.fits")]
    with open_images(table, "file", frame_r90=FRAME,
                     frames=FrameOptions(cutout_r90=12.0)) as source:
        own, *others = [source.load(item, SIZE, FRAME) for item in source]
    expected, _ = load_frame(tmp_path / "own.fits", SIZE, frame_r90=FRAME, cutout_r90=12.0)
    np.testing.assert_array_equal(own.pixels, expected)
    assert [row.flag for row in others] == [MorphFlag.BAD_SIZE] * 2
    with pytest.raises(ValueError, match="expected r90= or width=, angles"):
        open_images(table, tmp_path / "mosaic.fits", frame_r90=FRAME,
                    frames=FrameOptions(cutout_r90=12.0))


@pytest.mark.parametrize("change, options, message", [
    ({}, {"images": Path("none.fits")}, "one image with a WCS"),
    ({}, {"images": 3}, "one image with a WCS"),
    ({}, {"images": "none"}, "one of .*'ra', 'dec'"),
    ({"ra": "x", "dec": "y"}, {}, "no positions in the columns"),
    ({"ra": "raj2000", "dec": "dej2000"}, {"ra": "ra", "dec": "dec"}, "'ra'"),
    ({"ra": "x", "dec": "y"}, {"images": "file", "width": 20 * u.arcsec},
     "a table with positions"),
])
def test_wrong_arguments(classifier, tmp_path, flux, change, options, message):
    header = make_header()
    fits.writeto(tmp_path / "m.fits", flux, header)
    table = catalog(header)
    table["file"] = str(tmp_path / "m.fits")
    for old, new in change.items():
        table.rename_column(old, new)
    with pytest.raises(ValueError, match=message):
        classifier.classify(table, **{"images": tmp_path / "m.fits"} | options)


def test_several_positions_of_one_image(classifier, tmp_path, flux):
    """Which ones must be said, unless each galaxy has an image of its own."""
    header = make_header()
    fits.writeto(tmp_path / "m.fits", flux, header)
    at = SkyCoord(catalog(header)["ra"], catalog(header)["dec"])
    table = QTable({"file": [str(tmp_path / "m.fits")] * 3, "a": at, "b": at[::-1]})
    with pytest.raises(ValueError, match="Choose with ra= and dec="):
        classifier.classify(table, images="file", r90=R90)
    found = classifier.classify(table, images="file", r90=R90, ra="a")
    other = classifier.classify(table, images="file", r90=R90, ra="b")
    np.testing.assert_array_equal(found["P_disk"], other["P_disk"][::-1])
    assert len(classifier.classify(table[:1], images="file", r90=R90)) == 1


def test_positions_alone(classifier, tmp_path, flux):
    """A SkyCoord and an image make a table."""
    header = make_header()
    fits.writeto(tmp_path / "m.fits", flux, header)
    table = catalog(header)
    found = classifier.classify(SkyCoord(table["ra"], table["dec"]), images=tmp_path / "m.fits",
                                r90=R90)
    assert found.colnames[:3] == ["ra", "dec", "P_disk"]
    same = classifier.classify(table, images=str(tmp_path / "m.fits"), r90=R90, threads=1)
    np.testing.assert_array_equal(found["P_disk"], same["P_disk"])
    assert len(set(found["P_disk"])) == 3


def test_checkpoints_know_positions(classifier, tmp_path, flux):
    header = make_header()
    fits.writeto(tmp_path / "m.fits", flux, header)
    table = catalog(header)
    run = {"images": tmp_path / "m.fits", "r90": R90, "checkpoint": tmp_path / "done"}
    first = classifier.classify(table, **run)
    np.testing.assert_array_equal(classifier.classify(table, **run)["P_disk"], first["P_disk"])
    with pytest.raises(ValueError, match="checkpoint"):
        classifier.classify(table[::-1], **run)


def test_reports_show_the_galaxies(classifier, tmp_path, flux):
    """Not the whole image."""
    from astromorph.report.pictures import ImageSource

    header = make_header()
    fits.writeto(tmp_path / "m.fits", flux, header)
    table = catalog(header)
    table["file"] = str(tmp_path / "m.fits")
    shown = [ImageSource.of(table, "file").read(row)[0] for row in range(3)]
    assert len(set(shown)) == 3
    assert ImageSource.of(table, tmp_path / "m.fits").read(1)[0] == shown[1]


def test_whole_cutouts_are_measured_without_padding():
    """A position at the middle of an image of even side leaves nothing to fill."""
    flux = np.zeros((100, 100), "f4")
    flux += np.random.default_rng(0).normal(0, 0.01, flux.shape)
    y, x = np.mgrid[:100, :100] - 49.5
    flux += 2 * np.exp(-np.hypot(x / 5, y / 3))
    header = make_header(CRPIX1=50.5, CRPIX2=50.5)
    table = Table({"ra": [150.0], "dec": [2.2]})
    (_, flag), = frames(table, fits.PrimaryHDU(flux.astype("f4"), header), r90=None)
    assert flag == GRAY | MorphFlag.MEASURED_SIZE


@pytest.mark.parametrize("off", [0, 60])
def test_a_cutout_that_the_galaxy_fills_is_framed_as_given(off):
    """Wider than the part in which R90 is measured first; a galaxy elsewhere is none of its own."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    light = np.random.default_rng(1).normal(0, 0.01, (SIDE, SIDE)) + np.exp(-np.hypot(x, y) / 80)
    header = make_header()
    image = fits.PrimaryHDU(light.astype("f4"), header)
    (pixels, flag), = frames(catalog(header, [(SIDE / 2 + off, SIDE / 2)]), image, r90=None)
    given, _ = load_frame(image, SIZE, frame_r90=FRAME)
    assert flag & MorphFlag.NO_SIZE and not flag & MorphFlag.MEASURED_SIZE
    assert np.array_equal(pixels, given) == (off == 0)


@pytest.mark.parametrize("projection", ["ZEA", "SIN", "STG", "ARC", "CAR", "TAN"])
def test_far_from_the_reference_point(flux, projection):
    """The projection counts there, and reading the scale leaves the header as it is."""
    header = make_header(ctype=(f"RA---{projection}", f"DEC--{projection}"), crval=(150, 30))
    header["CRPIX1"] = header["CRPIX2"] = 28201
    table, hdu = catalog(header.copy()), fits.PrimaryHDU(flux, header.copy())
    for k, (pixels, _) in enumerate(frames(table, hdu)):
        cut = fits.PrimaryHDU(Cutout2D(flux, PLACES[k], 61).data, make_header())
        np.testing.assert_array_equal(
            pixels, load_frame(cut, SIZE, frame_r90=FRAME, r90=R90.value)[0])
    assert hdu.header["CTYPE1"] == f"RA---{projection}"


def test_distortions_of_a_cube(flux):
    """Its third axis must not keep the WCS from being used."""
    header = make_header(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2,
                         A_2_0=1e-3, B_0_2=-2e-3, BANDS="gri")
    cube = fits.PrimaryHDU(np.stack([flux, 2 * flux, 3 * flux]), header)
    assert [flag for _, flag in frames(catalog(header), cube)] == [0] * 3
    elsewhere = Table({"ra": [10.0], "dec": [2.0]})
    assert [flag for _, flag in frames(elsewhere, cube)] == [MorphFlag.OUTSIDE_FOOTPRINT]


@pytest.mark.parametrize("cards", [{"A_ORDER": 2, "CTYPE1": "RA---TAN-SIP",
                                    "CTYPE2": "DEC--TAN-SIP", "A_2_0": 1e-9},
                                   {"CPDIS1": "LOOKUP"}, {"CTYPE2": "GLAT-TAN"},
                                   {"CDELT1": 0.0, "CDELT2": 0.0}])
def test_a_wcs_that_cannot_be_used_is_told(tmp_path, flux, cards):
    """The image may still be a cutout of its galaxy, but nobody knows."""
    fits.writeto(tmp_path / "m.fits", flux, make_header(**cards))
    table = Table({"ra": [10.0], "dec": [2.0], "file": [str(tmp_path / "m.fits")]})
    (_, flag), = frames(table, "file")
    assert flag & MorphFlag.NO_WCS


@pytest.mark.parametrize("spelling", ["DEG", "degrees", "Degree"])
def test_units_of_the_axes_in_any_spelling(flux, spelling):
    header = make_header()
    expected = frames(catalog(header), fits.PrimaryHDU(flux, header))
    header["CUNIT1"] = header["CUNIT2"] = spelling
    for (one, flag), (other, _) in zip(frames(catalog(make_header()), fits.PrimaryHDU(
            flux, header)), expected, strict=True):
        assert not flag & MorphFlag.NO_WCS
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("change", [{"CRPIX1": 140.0}, {"CRVAL1": 10.0},
                                    {"CDELT1": -0.8 / 3600, "CDELT2": 0.8 / 3600}])
def test_bands_on_different_grids_are_refused(flux, change):
    hdus = [fits.ImageHDU(flux, make_header(FILTER=band), name=band) for band in "gri"]
    assert frames(catalog(make_header()), fits.HDUList([fits.PrimaryHDU(), *hdus]))[0][1] == 0
    hdus[1].header.update(change)
    table = catalog(make_header())
    for image in (fits.HDUList([fits.PrimaryHDU(), *hdus]), dict(zip("gri", hdus))):
        assert frames(table, image)[0][1] == MorphFlag.BAD_SHAPE


@pytest.mark.parametrize("cards", [{"CDELT2": 0.12 / 3600}, {"CDELT2": 1.0},
                                   {"PC1_2": 0.9, "PC1_1": 1.0, "PC2_1": 0.0, "PC2_2": 1.0}])
def test_pixels_that_are_no_squares_are_refused(flux, cards):
    hdu = fits.PrimaryHDU(flux, make_header(**cards))
    assert frames(catalog(make_header()), hdu)[0][1] == MorphFlag.BAD_SHAPE


def test_a_dict_of_bands_that_are_others_is_refused(flux):
    hdus = {band: fits.PrimaryHDU(flux, make_header(FILTER=other))
            for band, other in zip("gri", "irg")}
    assert frames(catalog(make_header()), hdus)[0][1] == MorphFlag.BAD_SHAPE


def test_one_picture_by_several_names(tmp_path):
    picture(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    table = Table({"ra": [10.0, 10.1], "dec": [0.0, 0.0],
                   "file": [str(tmp_path / f"{name}.jpg") for name in "ab"]})
    assert all(flag & MorphFlag.NO_WCS for _, flag in frames(table, "file", r90=None))
    table["ra"][1] = np.nan
    assert all(flag & MorphFlag.NO_WCS for _, flag in frames(table, "file", r90=None))
    assert frames(table[:1], tmp_path / "a.jpg", r90=None)[0][1] & MorphFlag.NO_WCS


def test_a_size_column_that_cannot_be_used_is_told_once(classifier, tmp_path, flux):
    """R90 is then measured, as the warning says."""
    fits.writeto(tmp_path / "m.fits", flux, make_header())
    table = catalog(make_header())
    table["R90"] = [5.0, 5.0, 5.0] * u.mag
    with pytest.warns(AstromorphWarning) as said:
        found = classifier.classify(table, images=tmp_path / "m.fits")
    assert sum("table's R90 cannot be used" in str(each.message) for each in said) == 1
    assert all(flag & MorphFlag.MEASURED_SIZE for flag in found["morph_flag"])


def test_an_hdulist_opened_without_its_scale_is_refused(tmp_path, flux):
    hdu = fits.PrimaryHDU(flux.copy(), make_header())
    hdu.scale("int16", bscale=1e-3, bzero=2)
    hdu.writeto(tmp_path / "m.fits")
    for options, flag in (({}, GRAY),
                          ({"do_not_scale_image_data": True}, MorphFlag.BAD_SHAPE)):
        with fits.open(tmp_path / "m.fits", **options) as hdus:
            assert {flag for _, flag in frames(catalog(make_header()), hdus)} == {flag}
