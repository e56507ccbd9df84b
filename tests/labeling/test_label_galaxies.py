"""Pictures and names of the galaxies to label."""
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from PIL import Image

from astromorph.datasets import load_sample
from astromorph.labeling.galaxies import SIDE, LabelGalaxies, one_line
from astromorph.services import LocalFolder


def _pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture)), float)


def _turned(path, angle, flip=1):
    """A FITS file with a galaxy in its middle and a mark to the north of it."""
    y, x = np.mgrid[:120, :120] - 59.5
    north = np.array([-np.sin(np.radians(angle)), np.cos(np.radians(angle))]) * 25
    flux = 50 * np.exp(-np.hypot(x, y) / 3) + np.exp(
        -((x - north[0]) ** 2 + (y - north[1]) ** 2) / 8)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [180, 30], [60.5, 60.5]
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = np.array([[-c * flip, -s * flip], [-s, c]]) * 0.4 / 3600
    noise = np.random.default_rng(0).normal(0, 0.02, flux.shape)
    fits.writeto(path, (flux + noise).astype(np.float32), wcs.to_header())
    return str(path)


@pytest.fixture(scope="module")
def sample():
    return LabelGalaxies(load_sample(), images="file", r90="petroR90")


def test_pictures_of_files(sample):
    assert len(sample) == len(sample.names) == 12
    assert sample.names[0] == "simulated barred spiral 1"
    linear, meta = sample.picture(0)
    softer, same = sample.picture(0, "asinh")
    assert meta == same and set(meta) == {"width", "height", "scale", "north"}
    pixels = _pixels(linear)
    assert pixels.shape == (meta["height"], meta["width"], 3) and len(pixels) <= SIDE
    assert _pixels(softer).mean() > 1.2 * pixels.mean()
    middle = pixels[len(pixels) // 2 - 20:][:40, len(pixels) // 2 - 20:][:, :40]
    assert middle.mean() > 2 * pixels.mean()
    with pytest.raises(ValueError, match="stretch"):
        sample.picture(0, "log")


def test_the_frame_is_wider_than_that_of_the_network(sample, classifier):
    width = sample.picture(3)[1]["scale"] * SIDE
    assert width == pytest.approx(1.5 * classifier.frame_r90 * load_sample()["petroR90"][3])
    source = sample.source(classifier.model)
    loaded = source.load(next(iter(source)), 80, classifier.frame_r90)
    assert loaded.pixels.shape == (80, 80, 3)


@pytest.mark.parametrize("angle", [0, 30, -100, 170])
@pytest.mark.parametrize("flip", [1, -1])
def test_scale_and_north_are_those_of_the_wcs(tmp_path, angle, flip):
    galaxies = LabelGalaxies([_turned(tmp_path / "a.fits", angle, flip)], r90="measure")
    pixels, meta = _pixels(galaxies.picture(0)[0]).sum(axis=2), galaxies.picture(0)[1]
    assert meta["north"] == pytest.approx(angle, abs=0.1)
    y, x = np.mgrid[:len(pixels), :len(pixels)] - (len(pixels) - 1) / 2
    away = np.hypot(x, y) * meta["scale"]
    ring = np.where((away > 7) & (away < 13), pixels, 0)
    light = np.mean((-y - 1j * x)[ring > 0.5 * ring.max()])  # up, and to the left
    assert abs(light) * meta["scale"] == pytest.approx(10, abs=1)
    assert np.degrees(np.angle(light * np.exp(-1j * np.radians(angle)))) == pytest.approx(0, abs=6)


def test_a_picture_without_wcs_has_no_scale(tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    image[20:44, 26:38] = 200
    image[28:36, 28:36] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    galaxies = LabelGalaxies(str(tmp_path))
    assert galaxies.names == ["a.png"] and galaxies.table.colnames == ["file"]
    assert set(galaxies.picture(0)[1]) == {"width", "height"}
    told = LabelGalaxies(str(tmp_path), pixel_scale=0.4 * u.arcsec, r90=5 * u.arcsec)
    assert set(told.picture(0)[1]) == {"width", "height", "scale"}


def test_bad_images_become_words(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.fits").touch()
    hostile = "<b>\x1b[31m.png"
    (tmp_path / hostile).write_bytes(b"\x89PNG broken")
    galaxies = LabelGalaxies([*sorted(map(str, tmp_path.iterdir())), str(tmp_path / "gone.jpg")])
    for row in range(4):
        for stretch in ("linear", "asinh"):
            picture, meta = galaxies.picture(row, stretch)
            assert _pixels(picture).shape == (SIDE, SIDE, 3) and _pixels(picture).std() > 1
            assert meta["problem"].isprintable() and len(meta) == 3
    assert "no such file" in meta["problem"]


@pytest.mark.parametrize("name", ["a\nb.png", "\x1b[31mred.png", "<script>.png", "\udcff.png"])
def test_names_are_one_plain_line(tmp_path, name):
    Image.new("RGB", (32, 32), (9, 9, 9)).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / name)
    galaxies = LabelGalaxies(str(tmp_path))
    assert galaxies.names == [one_line(name)] and galaxies.names[0].isprintable()
    galaxies.names[0].encode()
    assert "problem" in galaxies.picture(0)[1]  # blank, but it was found


def test_names_are_what_tells_galaxies_apart(tmp_path):
    files = [str(tmp_path / folder / "a.png") for folder in "xy"]
    assert LabelGalaxies(files).names == files
    places = Table({"ra": [10.0, 20.0], "dec": [-1.5, 2.0], "petroR90_r": [5.0, 6.0] * u.arcsec})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert LabelGalaxies(places, offline=True).names == ["10.00000 -1.50000",
                                                             "20.00000 +2.00000"]
    assert LabelGalaxies(np.zeros((2, 32, 32, 3))).names == ["row 0", "row 1"]
    assert LabelGalaxies(np.zeros((2, 32, 32, 3))).table["name"].tolist() == ["row 0", "row 1"]


def test_lists_are_told_apart(tmp_path):
    one, other = LabelGalaxies(["a.png", "b.png"]), LabelGalaxies(["b.png", "a.png"])
    assert one.digest != other.digest
    assert one.digest == LabelGalaxies([str(tmp_path / "a.png"), str(tmp_path / "b.png")]).digest


def test_no_galaxies(tmp_path):
    for data in (str(tmp_path), [], Table({"file": []})):
        with pytest.raises(ValueError, match="data: expected"):
            LabelGalaxies(data, **({"images": "file"} if isinstance(data, Table) else {}))


def test_positions_share_one_download_with_the_network(tmp_path, classifier):
    places = Table({"ra": [180.0], "dec": [30.0], "petroR90_r": [5.0] * u.arcsec})
    galaxies = LabelGalaxies(places, classifier.model, offline=True, cache=str(tmp_path))
    assert "problem" in galaxies.picture(0)[1]
    (request, _), = galaxies.source()
    (shown, _), = galaxies._items
    assert request == shown
    assert request.width == pytest.approx(1.5 * classifier.frame_r90 * 5)


@pytest.mark.parametrize("stretch", ["linear", "asinh"])
def test_pictures_of_positions_come_from_the_services(tmp_path, classifier, stretch):
    Image.fromarray(np.fromfunction(
        lambda y, x: 250 * np.exp(-np.hypot(x - 59.5, y - 59.5) / 12), (120, 120)).astype(
            np.uint8)).save(tmp_path / "a.png")
    places = Table({"name": ["a", "b"], "ra": [180.0, 190.0], "dec": [30.0, 31.0],
                    "petroR90_r": [4.0, 4.0] * u.arcsec})
    service = LocalFolder(tmp_path, pattern="{name}.png", width=60 * u.arcsec)
    galaxies = LabelGalaxies(places, classifier.model, ids="name", services=[service], cache=False)
    meta = galaxies.picture(0, stretch)[1]
    assert meta["scale"] * meta["width"] == pytest.approx(
        min(1.5 * classifier.frame_r90 * 4, 60), rel=0.02)
    assert "north" not in meta and galaxies.names == ["a", "b"]  # of a picture nobody knows it
    assert "problem" in galaxies.picture(1, stretch)[1]
    galaxies.close()


def test_a_mosaic_is_cut_at_positions(tmp_path):
    path = _turned(tmp_path / "mosaic.fits", 20)
    places = Table({"ra": [180.0, 180.0], "dec": [30.0, 40.0], "r90": [1.0, 1.0] * u.arcsec})
    galaxies = LabelGalaxies(places, images=path, r90="r90")
    meta = [galaxies.picture(row)[1] for row in (0, 1)]
    assert meta[0]["north"] == pytest.approx(20, abs=0.1) and "scale" in meta[0]
    assert "outside the image" in meta[1]["problem"]


def test_real_galaxies(real_data):
    folder = Path(real_data) / "decals"
    galaxies = LabelGalaxies(sorted(map(str, folder.rglob("*.jpg")))[:20])
    for row in range(20):
        picture, meta = galaxies.picture(row, "asinh")
        assert "problem" not in meta and 5 < _pixels(picture).mean() < 200
