"""The layout of FITS files is looked at before anything trusts it: damage is found, without end."""
import gzip
import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from astromorph.errors import CutoutError, FetchError
from astromorph.fits_layout import layout_fault
from astromorph.galaxies.kinds import is_table_file
from astromorph.images import read_cutout
from astromorph.services.checks import read_fits
from astromorph.tables import read_table

PIXELS = np.random.default_rng(0).normal(1, 0.1, (20, 30)).astype("f4")
DAMAGED = {  # card -> another one
    "NAXIS1  =                   30": "NAXIS1  =                  -30",
    "NAXIS   =                    2": "NAXIS   =                 9999",
    "BITPIX  =                  -32": "BITPIX  =                  -33",
    "NAXIS2  =                   20": "NAXIS2  =           'RA---TAN'",
    "NAXIS2  =                   20 ": "NAXIS1  =                   20 ",
    "SIMPLE  =                    T": "SIMPLE  =                    G",
    "BUNIT   = 'nmgy": "B\udcddNIT   = 'nmgy", "BUNIT   = '": "BUNIT   =('", "'nmgy": "'n\0gy",
}


def written(*hdus):
    file = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(file)
    return file.getvalue()


def image():
    return fits.PrimaryHDU(PIXELS, fits.Header({"BUNIT": "nmgy", "FILTER": "r"}))


def fault_of(data):
    return layout_fault(io.BytesIO(data))


@pytest.mark.parametrize("hdus", [
    [image()], [fits.PrimaryHDU(), fits.ImageHDU(PIXELS), fits.BinTableHDU(Table({"a": [1, 2]}))],
    [fits.PrimaryHDU(), fits.CompImageHDU(PIXELS)]])
def test_whole_files_have_no_fault(hdus):
    data = written(*hdus)
    assert fault_of(data) is None
    assert fault_of(data + bytes(2880)) is None and fault_of(data + b"\r\n") is None
    for size in range(len(data) - 2880, len(data), 720):  # the last padding
        assert fault_of(data[:size]) is None or data[size:].strip(b"\0 ")
    cut = fault_of(data[:-2880])
    assert "promise" in cut or "END" in cut


@pytest.mark.parametrize("card", DAMAGED)
def test_damaged_cards_are_found(card, tmp_path):
    """Astropy does not come to an end with some of them, or takes gigabytes."""
    changed = DAMAGED[card].encode("ascii", "surrogateescape")
    data = written(image()).replace(card.encode(), changed, 1)
    assert changed in data and fault_of(data) is not None
    for source in (data, gzip.compress(data)):
        with pytest.raises(CutoutError, match="damaged|truncated|no END"):
            read_cutout(source)
    with pytest.raises(FetchError, match="damaged|truncated|no END"):
        read_fits(data)
    (tmp_path / "t.fits").write_bytes(data)
    with pytest.raises(ValueError, match="damaged|truncated|no END"):
        read_table(tmp_path / "t.fits")
    assert not is_table_file(tmp_path / "t.fits")


@pytest.mark.parametrize("key", ["TFIELDS", "ZNAXIS1", "ZNAXIS"])
def test_damaged_sizes_of_compressed_images(key):
    data = written(fits.PrimaryHDU(), fits.CompImageHDU(PIXELS))
    at = data.index(key.ljust(8).encode() + b"=")
    value = -5 if key == "ZNAXIS1" else 99999999
    assert "damaged" in fault_of(data[:at + 10] + f"{value:20d}".encode() + data[at + 30:])


@pytest.mark.parametrize("size", [1, 100, 2880, 5000])
def test_bytes_too_many_are_found(size):
    data = written(image())
    assert "damaged" in fault_of(data[:3000] + b"x" * size + data[3000:])
    assert fault_of(data + b"x" * size) is not None


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**30), st.integers(0, 255), st.integers(0, 6000))
def test_any_damage_comes_to_an_end(place, byte, size):
    data = bytearray(written(image()))
    data[place % len(data)] = byte
    fault = fault_of(bytes(data[:size] if size % 3 else data))
    assert fault is None or isinstance(fault, str)
    try:
        read_cutout(bytes(data))
    except CutoutError:
        return
    assert fault_of(bytes(data)) is None


def test_letters_of_people_are_no_damage():
    data = written(image())
    at = data.index(b"FILTER")
    card = "OBSERVER= 'Jos\u00e9'".encode("latin-1").ljust(80)
    assert fault_of(data[:at] + card + data[at:2880 - 80] + data[2880:]) is None
