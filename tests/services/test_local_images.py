"""Local sources of images: a folder of files, a HiPS on disk."""
import os

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy_healpix import HEALPix
from PIL import Image

from astromorph.images.fits_planes import read_planes
from astromorph.flags import MorphFlag
from astromorph.images import read_cutout, resample
from astromorph.services import (CutoutRequest, FetchError, LocalFolder, LocalHips,
                                 check_image_service, get_image_service, local)
from astromorph.surveys import SURVEYS

SDSS = SURVEYS["sdss"]
CENTER = (180.0, 30.0)


def make_request(name="galaxy", *, width=20.0, bands="gri", ra=CENTER[0], dec=CENTER[1]):
    return CutoutRequest(ra, dec, width, 100, SDSS, tuple(bands), name)


@pytest.fixture
def folder(tmp_path, galaxy_planes, galaxy_wcs):
    """One galaxy in every form."""
    rng = np.random.default_rng(4)
    Image.fromarray(rng.integers(0, 99, (60, 80, 3), np.uint8)).save(tmp_path / "picture.jpg")
    header = galaxy_wcs.to_header()
    cube = np.stack(list(galaxy_planes.values()))
    header["BUNIT"], header["BANDS"] = "nanomaggy", "gri"
    fits.writeto(tmp_path / "cube.fits", cube, header)
    for band, plane in galaxy_planes.items():
        fits.writeto(tmp_path / f"galaxy_{band}.fits", plane, header)
        fits.writeto(tmp_path / f"bare-{band}.fits", plane)
    return tmp_path


def test_a_picture(folder):
    image = LocalFolder(folder)(make_request("picture"))
    assert image.data == (folder / "picture.jpg").read_bytes()
    assert image.url == (folder / "picture.jpg").as_uri() and image.bands == "irg"
    assert np.isnan(image.pixel_scale) and image.flag == MorphFlag.NO_WCS
    image = LocalFolder(folder, "{name}.jpg", width=1 * u.arcmin)(make_request("picture"))
    assert image.pixel_scale == 1 and image.flag == 0  # the smaller side has 60 pixels


def test_a_cube_is_scaled_by_its_wcs(folder):
    image = LocalFolder(folder, width=99 * u.arcsec)(make_request("cube"))
    assert image.data == (folder / "cube.fits").read_bytes()
    assert image.pixel_scale == pytest.approx(0.396127) and image.bands == "gri"
    assert (image.flag, image.coverage) == (0, 1)


def test_a_file_for_each_band(folder, galaxy_planes):
    image = LocalFolder(folder, "{name}_{band}.fits")(make_request(bands="gri"))
    flux = read_planes(image.data)
    assert list(flux.planes) == ["g", "r", "i"] and image.bands == "gri"
    assert all(np.array_equal(flux.planes[band], galaxy_planes[band]) for band in "gri")
    assert flux.pixel_scale == pytest.approx(0.396127) == image.pixel_scale
    assert not flux.native and flux.flag == image.flag == 0
    one = LocalFolder(folder, "{name}_{band}.fits")(make_request(bands="griz"))
    assert one.flag == MorphFlag.MISSING_BAND and one.bands == "gri"
    bare = LocalFolder(folder, "{name}-{band}.fits")(make_request("bare"))
    assert bare.flag == MorphFlag.NO_WCS and np.isnan(bare.pixel_scale)
    assert read_planes(bare.data).pixel_scale is None


def test_patterns(folder):
    (folder / "more").mkdir()
    os.rename(folder / "picture.jpg", folder / "more" / "cutout_picture_v2.jpg")
    for pattern in ("more/cutout_{name}_v2.jpg", "more/*{name}*", "more/cutout_{name}_v?.*"):
        assert LocalFolder(folder, pattern)(make_request("picture")).bands == "irg"
    with pytest.raises(FetchError, match="no file for 'pict'"):
        LocalFolder(folder, "more/cutout_{name}_*")(make_request("pict"))
    with pytest.raises(FetchError, match="no file"):
        LocalFolder(folder, "none/{name}*")(make_request("picture"))


def test_names_are_taken_as_they_are(folder):
    names = ["a[1]", "a*", "a?b", "../a", "a/b", "J12+30.5"]
    for name in names:
        os.link(folder / "picture.jpg", folder / f"{name.replace('/', '_')}.jpg")
    for name in names:
        for pattern in ("{name}.*", "{name}.jpg"):
            image = LocalFolder(folder, pattern)(make_request(name))
            assert image.url == (folder / f"{name.replace('/', '_')}.jpg").as_uri()


def test_new_files_are_seen_and_folders_read_once(folder, monkeypatch):
    source = LocalFolder(folder)
    listed = []
    monkeypatch.setattr(local.os, "listdir", lambda path, real=os.listdir:
                        listed.append(path) or real(path))
    with pytest.raises(FetchError):
        source(make_request("late"))
    for name in ("picture", "cube"):
        source(make_request(name))
    assert len(listed) == 1
    os.link(folder / "picture.jpg", folder / "late.jpg")
    os.utime(folder, ns=(1, 1))  # whatever the resolution of the clock
    assert source(make_request("late")).bands == "irg"
    assert len(listed) == 2


@pytest.mark.parametrize("name, flag, says", [
    (None, MorphFlag.MISSING_FILE, "no name"), ("nobody", MorphFlag.MISSING_FILE, "no file for"),
    ("text", MorphFlag.UNREADABLE, "text"), ("empty", MorphFlag.UNREADABLE, "empty.fits"),
    ("cut", MorphFlag.UNREADABLE, "truncated"), ("twice", MorphFlag.MISSING_FILE, "2 files")])
def test_files_that_are_none(name, flag, says, folder):
    (folder / "text.jpg").write_text("not found")
    (folder / "empty.fits").touch()
    (folder / "cut.fits").write_bytes((folder / "cube.fits").read_bytes()[:20000])
    for ending in ("jpg", "png"):
        (folder / f"twice.{ending}").touch()
    with pytest.raises(FetchError, match=says) as caught:
        LocalFolder(folder)(make_request(name))
    assert caught.value.flag == flag and not caught.value.final


@pytest.mark.parametrize("arguments, says", [
    ({"folder": "nowhere"}, "folder: expected an existing"),
    ({"pattern": "*.jpg"}, "pattern: expected a file name with {name}"),
    ({"pattern": "{name}_{filter}.jpg"}, "pattern: expected"),
    ({"width": 8.48}, "width: expected one angle"), ({"width": -1 * u.deg}, "width: expected"),
    ({"width": [1, 2] * u.deg}, "width: expected one angle"),
    ({"width": 1 * u.s}, "Received <Quantity 1. s>")])
def test_bad_arguments_of_a_folder(arguments, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        LocalFolder(**({"folder": tmp_path} | arguments))


def test_local_sources_are_services(folder, tmp_path):
    source = LocalFolder(folder)
    assert get_image_service(source) is source and source.local and source.name == "local-folder"
    check_image_service(source, "des")


# A HiPS of order 12 with tiles of 64 pixels, 0.805 arcsec each.
ORDER, WIDTH = 12, 64


def scene(ra, dec, band="r"):
    """A galaxy with a knot to the north-east, as a function on the sky."""
    east = (ra - CENTER[0]) * np.cos(np.radians(CENTER[1])) * 3600
    north = (dec - CENTER[1]) * 3600
    knot = np.exp(-((east - 12) ** 2 + (north - 8) ** 2) / 32)
    disk = np.exp(-(east**2 / 72 + north**2 / 32))
    return {"g": 1.0, "r": 2.0, "i": 3.0}[band] * disk + 1.5 * knot


def write_hips(folder, *, kind="fits", value=scene, frame="icrs", left_out=()):
    """Write the tiles around the center: the standard's order of pixels, written out naively."""
    sky = HEALPix(2**ORDER, order="nested", frame=SkyCoord(0, 0, unit="deg", frame=frame).frame)
    center = SkyCoord(*CENTER, unit="deg").transform_to(frame)
    tiles = sky.cone_search_skycoord(center, 60 * u.arcsec)
    pixels = HEALPix(2**ORDER * WIDTH, order="nested", frame=sky.frame)
    number = np.arange(WIDTH**2)
    bits = np.array([[int(bit) for bit in f"{n:012b}"] for n in number])
    powers = 2 ** np.arange(WIDTH.bit_length() - 1)[::-1]
    right, down = bits[:, 0::2] @ powers, bits[:, 1::2] @ powers  # from the top left corner
    for tile in set(tiles) - set(left_out):
        coords = pixels.healpix_to_skycoord(tile * WIDTH**2 + number).icrs
        flux = value(coords.ra.deg, coords.dec.deg)
        shown = np.zeros((WIDTH, WIDTH, *flux.shape[1:]), np.float32)
        shown[down, right] = flux
        path = folder / f"Norder{ORDER}" / f"Dir{tile // 10000 * 10000}" / f"Npix{tile}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "fits":
            fits.writeto(path.with_suffix(".fits"), shown[::-1])
        else:
            Image.fromarray(np.uint8(shown)).save(path.with_suffix(".png"))
    (folder / "properties").write_text(
        f"# of a test\nhips_order = {ORDER}\nhips_tile_width = {WIDTH}\nhips_frame = "
        f"{frame.replace('icrs', 'equatorial')}\nhips_tile_format     = {kind}\n")
    return folder, tiles


def on_frame(pixels, width, value):
    """What a frame should show, row 0 in the south."""
    step = width / pixels / 3600 * (np.arange(pixels) - (pixels - 1) / 2)
    ra = CENTER[0] - step / np.cos(np.radians(CENTER[1]))
    return value(np.broadcast_to(ra, (pixels, pixels)),
                 np.broadcast_to(CENTER[1] + step[:, None], (pixels, pixels)))


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
def test_hips_of_bands(frame, tmp_path):
    paths = {band: write_hips(tmp_path / band, frame=frame,
                              value=lambda ra, dec, band=band: scene(ra, dec, band))[0]
             for band in "gri"}
    image = LocalHips(paths)(make_request(width=60.0))
    flux = read_planes(image.data)
    assert image.bands == "gri" and (image.flag, image.coverage) == (0, 1)
    assert image.url == (tmp_path / "g").as_uri()
    n = len(flux.planes["g"])
    assert image.pixel_scale == pytest.approx(60 / n) == pytest.approx(0.805, rel=0.02)
    for band, plane in flux.planes.items():
        truth = on_frame(n, 60.0, lambda ra, dec: scene(ra, dec, band))
        assert np.abs(plane - truth).max() < 0.1
        assert np.corrcoef(plane.ravel(), truth.ravel())[0, 1] > 0.998
        assert np.corrcoef(plane.T.ravel(), truth.ravel())[0, 1] < 0.95


def colors(ra, dec):
    return 20 + np.stack([70 * scene(ra, dec, "r"), 50 * scene(ra, dec, "g"),
                          30 * scene(ra, dec, "g")], axis=-1)


def test_hips_in_color(tmp_path):
    folder, _ = write_hips(tmp_path / "color", kind="png", value=colors)
    image = LocalHips(folder)(make_request(width=60.0))
    pixels = 255 * read_cutout(image.data).pixels[::-1]
    assert image.bands == "irg" and (image.flag, image.coverage) == (0, 1)
    truth = on_frame(len(pixels), 60.0, colors)
    assert np.abs(pixels - truth).max() < 8


def test_hips_in_part(tmp_path):
    folder, tiles = write_hips(tmp_path / "all")
    hips, request = LocalHips({"r": folder}), make_request(width=60.0, bands="r")
    assert hips(request).coverage == 1
    part, _ = write_hips(tmp_path / "part", left_out=tiles[:len(tiles) // 2])
    image = LocalHips({"R": part})(request)
    assert 0.05 < image.coverage < 0.95 and image.flag & MorphFlag.PARTIAL_FRAME
    with pytest.raises(FetchError) as caught:  # the survey may have it, the mirror does not
        hips(make_request(dec=31.0, bands="r"))
    assert caught.value.flag == MorphFlag.OUTSIDE_FOOTPRINT and not caught.value.final
    with pytest.raises(FetchError, match="there is no local HiPS for the band g") as caught:
        hips(make_request(bands="gr"))
    assert caught.value.flag == MorphFlag.MISSING_BAND


def test_a_damaged_tile(tmp_path):
    folder, tiles = write_hips(tmp_path / "r")
    for path in folder.glob("*/*/*.fits"):
        path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(FetchError, match="Npix.*unreadable") as caught:
        LocalHips({"r": folder})(make_request(bands="r"))
    assert caught.value.flag == MorphFlag.UNREADABLE


def test_bad_arguments_of_a_hips(tmp_path):
    with pytest.raises(ValueError, match="expected the folder of a HiPS, with its file properties"):
        LocalHips(tmp_path)
    folder, _ = write_hips(tmp_path / "r")
    with pytest.raises(ValueError, match="png or jpeg tiles.*with fits tiles"):
        LocalHips(folder)
    (folder / "properties").write_text("hips_tile_format = fits\nhips_frame = ecliptic\n")
    with pytest.raises(ValueError, match="ecliptic"):
        LocalHips({"r": folder})


def test_a_hips_written_by_reproject(tmp_path, galaxy_planes, galaxy_wcs):
    hips = pytest.importorskip("reproject.hips")
    from reproject import reproject_interp

    hips.reproject_to_hips((galaxy_planes["r"], galaxy_wcs), coord_system_out="equatorial",
                           reproject_function=reproject_interp, tile_size=128,
                           output_directory=str(tmp_path / "r"))
    image = LocalHips({"r": tmp_path / "r"})(make_request(bands="r", width=34 * 0.396127))
    plane, = read_planes(image.data, bands=["r"]).planes.values()
    truth = resample(galaxy_planes["r"][28:62, 33:67, None], len(plane))
    assert np.corrcoef(plane.ravel(), truth.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("pattern, name, file", [
    ("{name}.*", "10", "10.5.jpg"), ("{name}.*", "J1014", "J1014.88-0019.fits"),
    ("{name}*", "10", "10.5.jpg"), ("{name}*", "J1014", "J1014-0019.jpg"),
    ("{name}*", "10", "101.jpg"), ("*{name}.jpg", "10", "110.jpg"),
    ("{name}.*.jpg", "10", "10.5.g.jpg"), ("{name}/x.jpg", "..", "x.jpg"),
    ("{name}.jpg", "b" * 300, "b.jpg"), ("{name}.*", "b" * 300, "b.jpg"),
    ("{name}/x-*.jpg", "b" * 300, "b.jpg"), ("{name}/x-*.jpg", "file", "file"),
    ("{name}/*.jpg", "a\0", "a.png")])
def test_no_name_finds_the_file_of_another(pattern, name, file, folder, tmp_path_factory):
    inner = tmp_path_factory.mktemp("above") / "in"
    inner.mkdir()
    for place in (inner, inner.parent):
        os.link(folder / "picture.jpg", place / file)
    with pytest.raises(FetchError, match="no file for") as caught:
        LocalFolder(inner, pattern)(make_request(name))
    assert caught.value.flag == MorphFlag.MISSING_FILE


@pytest.mark.parametrize("pattern, name, file", [
    ("{name}.*", "10.5", "10.5.jpg"), ("{name}.*", "a", "a.FITS.gz"), ("{name}.*", "a", "a.JPG"),
    ("{name}*", "10", "10_view.jpg"), ("*{name}.jpg", "10", "cutout-10.jpg"),
    ("{name}5*", "10", "105.jpg"), ("{name}/*.jpg", "a", "a/x.jpg")])
def test_patterns_find_the_file_of_the_name(pattern, name, file, folder):
    (folder / file).parent.mkdir(exist_ok=True)
    os.link(folder / ("picture.jpg" if "jpg" in file.lower() else "cube.fits"), folder / file)
    assert LocalFolder(folder, pattern)(make_request(name)).url.endswith(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no FIFOs")
def test_only_regular_files_are_opened(folder):
    for name in ("pipe.jpg", "properties"):
        os.mkfifo(folder / name)
    for pattern in ("{name}.*", "{name}.jpg"):
        with pytest.raises(FetchError, match="no file for"):
            LocalFolder(folder, pattern)(make_request("pipe"))
    with pytest.raises(ValueError, match="path: expected the folder of a HiPS"):
        LocalHips(folder)
