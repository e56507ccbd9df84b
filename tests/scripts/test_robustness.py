"""What `benchmarks/looks.py` changes and `benchmarks/robustness.py` counts."""
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return __import__


@pytest.fixture
def galaxy():
    """A red core in a blue disk on a dark sky, 60 pixels wide; R90 is 12 pixels."""
    y, x = np.indices((60, 60)) - 29.5
    radius = np.hypot(x / 1.5, y)
    flux = (0.3 * np.exp(-radius / 5)[..., None] * [0.7, 1, 1.2]
            + 0.2 * np.exp(-radius)[..., None] * [1.4, 1, 0.5])
    return flux.astype(np.float32) + 0.004


def test_every_change_gives_an_image(load, galaxy):
    looks = load("looks")
    pixels = looks.picture_of(galaxy)
    for name, (change, sizes) in looks.CHANGES.items():
        for size in sizes:
            found = change(pixels, size, 14, np.random.default_rng(0))
            assert found.ndim == 3 and found.shape[2] == 3, name
            assert 0 <= found.min() < found.max() <= 1, name
            if name not in ("as it is", "linear, white from percentile"):
                assert found.shape != pixels.shape or np.abs(found - pixels).max() > 0.002, name


def test_the_stretch_is_undone(load, galaxy):
    looks = load("looks")
    picture = looks.picture_of(galaxy)
    assert picture.max() < 1
    np.testing.assert_allclose(looks.flux_of(picture), galaxy, rtol=1e-4)
    blurred = looks.flux_of(looks.blur(picture, 0.1, 12, None))
    assert blurred.sum() == pytest.approx(galaxy.sum(), rel=1e-3)
    assert blurred.max() < 0.9 * galaxy.max()


def test_bands_plates_and_frames(load, galaxy):
    looks, rng = load("looks"), np.random.default_rng(0)
    picture = looks.picture_of(galaxy)
    for band, index in zip("irg", range(3)):
        np.testing.assert_array_equal(looks.one_band(picture, band, 12, rng)[..., 1],
                                      picture[..., index])
    for gray in (looks.vis(picture, "", 12, rng), looks.plate(picture, 0, 12, rng),
                 looks.saturation(picture, 0, 12, rng)):
        np.testing.assert_allclose(gray[..., 0], gray[..., 2], atol=1e-6)
        assert gray[30, 30, 0] > gray[2, 2, 0] + 0.3
    plate = looks.negative(picture, 0, 12, rng)
    assert plate[30, 30, 0] < plate[2, 2, 0] - 0.3
    assert looks.zoom(picture, 1.4, 12, rng).shape == (84, 84, 3)
    np.testing.assert_allclose(looks.zoom(picture, 1.4, 12, rng)[12:-12, 12:-12], picture,
                               atol=1e-6)
    peak = np.unravel_index(looks.shift(picture, 0.5, 12, rng)[..., 0].argmax(), (60, 60))
    assert np.hypot(*np.subtract(peak, 29.5)) == pytest.approx(6, abs=1.2)


@pytest.fixture
def data(tmp_path, galaxy, load):
    """Four sets of six images each."""
    pixels = load("looks").as_bytes(load("looks").picture_of(galaxy))
    for name in ("gz2", "efigi", "sdss24", "decals"):
        (tmp_path / name).mkdir()
        for number in range(6):
            picture = np.rot90(pixels if number % 2 else 255 - pixels, number)
            Image.fromarray(np.ascontiguousarray(picture)).save(tmp_path / name / f"{number}.png")
        Table({"file": [f"{n}.png" for n in range(6)], "q1": [0, 1] * 3, "q2": [1, 0] * 3,
               "q3": [0, 1] * 3, "split": ["val"] * 6, "cutout_r90": [8.48] * 6,
               "catalog": ["galaxy10_decals"] * 4 + ["gz_decals"] * 2}).write(
            tmp_path / name / "labels.csv")
    return tmp_path


def test_images_are_cut_and_labels_of_galaxy10_stand_alone(load, data):
    robustness = load("robustness")
    images, widths, labels = robustness.read_images(data, "decals", ["val"], None)
    assert {image.shape for image in images} == {(45, 45, 3)} and set(widths) == {6.4}
    assert np.isfinite(labels).sum(axis=0).tolist() == [4, 4, 6]
    images, _, labels = robustness.read_images(data, "gz2", ["val"], 4)
    assert len(images) == 4 and np.isfinite(labels).all()


def test_the_table_is_written(load, data, tmp_path, monkeypatch, capsys):
    robustness = load("robustness")
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(sys, "argv", ["robustness", "--data", str(data), "--split", "val",
                                      "--changes", "as it is", "negative", "--out", str(out)])
    robustness.main()
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[0] for row in rows] == ["as it is", "negative plate, grain"]
    assert {len(row.split(" | ")) for row in rows} == {len(robustness.HEADER)}
    text = (out / "tables" / "robustness_pinwheel_table.rst").read_text()
    assert text.count("   * -") == 3
