"""Whatever holds galaxies is taken for what it is, or refused in one clear error."""
import os
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Column, MaskedColumn, Table
from PIL import Image

from astromorph.flags import MorphFlag
from astromorph.galaxies.given import GivenImages
from astromorph.galaxies.kinds import as_galaxies
from astromorph.images import read_cutout

PIXELS = np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)
NAMES = ["a.jpg", "b.FITS.gz", "c.fits.fz", "d.png"]


@pytest.fixture
def folder(tmp_path):
    """Images, and what is none."""
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg")
    Image.fromarray(PIXELS).save(tmp_path / "d.png")
    fits.writeto(tmp_path / "b.fits.gz", PIXELS[..., 0])
    os.rename(tmp_path / "b.fits.gz", tmp_path / "b.FITS.gz")
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(PIXELS[..., 0])]).writeto(
        tmp_path / "c.fits.fz")
    for name in (".hidden.jpg", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_stands_for_its_images(folder):
    for name in (folder, str(folder)):
        assert [Path(file).name for file in as_galaxies(name)] == NAMES
    with pytest.raises(ValueError, match="data: expected a folder with images"):
        (folder / "empty").mkdir()
        as_galaxies(folder / "empty")


def test_a_pattern_stands_for_files(folder):
    assert [Path(file).name for file in as_galaxies(f"{folder}/*.fits*")] == ["c.fits.fz"]
    with pytest.raises(ValueError, match="data: expected a pattern that matches"):
        as_galaxies(f"{folder}/*.tiff")


def collections():
    paths = [Path("a.jpg"), "b.jpg"]
    return [paths, tuple(paths), iter(paths), dict.fromkeys(paths).keys(),
            np.array(["a.jpg", "b.jpg"]), Column(["a.jpg", "b.jpg"])]


@pytest.mark.parametrize("data", collections(), ids=lambda data: type(data).__name__)
def test_any_iterable_of_paths(data):
    source = GivenImages(data)
    assert len(source) == 2 and list(source.table["file"]) == ["a.jpg", "b.jpg"]


def test_columns_of_pandas_and_pyarrow():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    for data in (pandas.Series(["a.jpg", None]), pandas.Series(["a.jpg", None], dtype="string"),
                 pandas.Series(["a.jpg", np.nan], index=[5, 7]), pyarrow.array(["a.jpg", None]),
                 pyarrow.chunked_array([["a.jpg"], [None]]),
                 MaskedColumn(["a.jpg", "--"], mask=[False, True])):
        assert as_galaxies(data) == ["a.jpg", None]


def test_a_data_frame_is_its_table():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"file": ["a.jpg", None], "z": [0.1, 0.2]})
    for data in (frame, pyarrow.Table.from_pandas(frame)):
        table = as_galaxies(data)
        assert isinstance(table, Table) and table.colnames == ["file", "z"] and len(table) == 2
        source = GivenImages(data, "file")
        assert [image for image, *_ in source] == ["a.jpg", None]


class Foreign:
    """An array of another package, such as dask, xarray or TensorFlow."""

    def __init__(self, array):
        self._array, self.dtype, self.ndim = array, "its own", array.ndim

    def __array__(self, dtype=None, copy=None):
        return self._array


def test_arrays_of_other_packages():
    for data in (Foreign(PIXELS[None]), [Foreign(PIXELS)]):
        np.testing.assert_array_equal(as_galaxies(data), [PIXELS])
    dask = pytest.importorskip("dask.array")
    np.testing.assert_array_equal(as_galaxies(dask.from_array(PIXELS[None])), [PIXELS])
    with pytest.raises(ValueError, match=r"shape \(40, 40, 3\). Pass \[image\]"):
        as_galaxies(Foreign(PIXELS))


def test_tables_in_other_forms_say_how_to_pass_them():
    hdu = fits.BinTableHDU(Table({"ra": [1.0], "dec": [2.0]}))
    for data in (hdu, hdu.data):
        with pytest.raises(TypeError, match="Read the file with astropy.table.Table.read"):
            as_galaxies(data)
    with pytest.raises(TypeError, match=r"Pass a dict of columns as Table\(data\)"):
        as_galaxies({"ra": [1.0], "dec": [2.0]})


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA", "I", "F", "I;16", "1", "CMYK"])
def test_a_picture_looks_as_its_file(mode, tmp_path):
    gray = PIXELS[..., 0]
    if mode in ("I", "F", "I;16"):
        picture = Image.fromarray(gray.astype({"I": "i4", "F": "f4"}.get(mode, "u2")) * 257)
        Image.fromarray(gray.astype("u2") * 257).save(tmp_path / "a.png")
    else:
        clear = np.dstack([PIXELS, np.where(gray < 99, 0, 255).astype(np.uint8)])
        picture = Image.fromarray(clear, "RGBA").convert(mode)
        picture.convert("RGBA" if mode in ("PA", "CMYK") else mode).save(tmp_path / "a.png")
    one, other = (read_cutout(image).pixels for image in (
        as_galaxies(picture)[0], tmp_path / "a.png"))
    np.testing.assert_allclose(one / one.max(), other / other.max(), atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_pictures_of_pillow(mode):
    picture = Image.fromarray(PIXELS).convert(mode)
    for data in (picture, [picture]):
        source = GivenImages(data)
        pixels, flag, *_ = source.load(next(iter(source)), 32, 8.5)
        gray = MorphFlag.MISSING_BAND | MorphFlag.ONE_BAND if mode == "L" else MorphFlag(0)
        assert pixels.shape[:2] == (32, 32) and flag == MorphFlag.NO_SIZE | gray
    assert GivenImages(picture).identity() == GivenImages(picture.copy()).identity()


def test_single_images(folder):
    for data in (folder / "a.jpg", str(folder / "no such.jpg"), b"\xff\xd8", {"r": PIXELS[..., 0]},
                 fits.HDUList([fits.PrimaryHDU(PIXELS[..., 0])]), fits.PrimaryHDU(PIXELS[..., 0]),
                 CCDData(PIXELS[..., 0], unit="nmgy")):
        assert len(as_galaxies(data)) == 1
    assert len(as_galaxies(PIXELS[None])) == 1 and len(as_galaxies([PIXELS, PIXELS])) == 2
    assert as_galaxies([]) == as_galaxies(np.array([])) == []


@pytest.mark.parametrize("data", [
    3, 2.5, None, [1, 2], np.arange(3), range(3), PIXELS, PIXELS[..., 0], [["a.jpg"]], [(1.0, 2.0)],
    [SkyCoord(1, 2, unit="deg")], [1, 2] * u.deg, object(), np.array(["2026-01-01"], "M8"),
    Table({"a": [1]})[0]], ids=lambda data: type(data).__name__)
def test_anything_else_is_refused(data):
    with pytest.raises(ValueError, match="^data: expected .*images.* Received") as caught:
        as_galaxies(data)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["t.fits", "t.csv", "t.ecsv", "t.vot"])
def test_the_name_of_a_table_is_refused(name, tmp_path):
    format = {"vot": "votable", "csv": "ascii.csv"}.get(name[2:])
    Table({"ra": [1.0], "dec": [2.0]}).write(tmp_path / name, format=format)
    with pytest.raises(ValueError, match="^data: expected .* Received the name of a table, "):
        as_galaxies(tmp_path / name)


def test_a_file_name_that_is_no_text(folder):
    names = [os.fsencode(folder / "a.jpg"), b"\xff.jpg"]
    by_column = GivenImages(Table({"f": np.array(names)}), "f")
    by_list = GivenImages(list(map(os.fsdecode, names)))
    for source in (by_column, by_list):
        first, second = (source.load(item, 32, 8.5) for item in source)
        assert first.pixels is not None and second.flag == MorphFlag.MISSING_FILE
    assert by_list.table["file"][1] == r"\xff.jpg" and len(by_list.identity()["images"]) == 16


def test_a_column_of_numbers_is_none_of_images():
    with pytest.raises(ValueError, match="images: expected a column of file names or images"):
        GivenImages(Table({"z": [0.1]}), "z")


def test_a_column_without_rows_has_any_type(classifier):
    table = classifier.classify(Table({"file": []}), images="file")
    assert len(table) == 0 and "P_disk" in table.colnames
