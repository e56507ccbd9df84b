"""Damaged tile-compressed images are refused, and do not end the process."""
import io

import numpy as np
import pytest
from astropy.io import fits

from astromorph.flags import MorphFlag
from astromorph.images import CutoutError, read_cutout

FLUX = np.random.default_rng(0).normal(0.1, 0.02, (50, 70)).astype("f4")
METHODS = ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"]


def packed(method="RICE_1", data=FLUX, checksum=False, **options):
    file = io.BytesIO()
    hdu = fits.CompImageHDU(data, compression_type=method, **options)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file, checksum=checksum)
    return file.getvalue()


def with_card(data, key, value):
    at = data.index(key.ljust(8).encode() + b"=")
    return data[:at + 10] + value.rjust(20).encode() + data[at + 30:]


def refused(data):
    with pytest.raises(CutoutError, match="get it again") as error:
        read_cutout(data)
    assert error.value.flag == MorphFlag.UNREADABLE


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tile", [None, (18, 70), (20, 35), (50, 70)])
def test_whole_images_are_read(method, checksum, tile):
    cutout = read_cutout(packed(method, checksum=checksum, tile_shape=tile))
    assert np.abs(cutout.pixels - read_cutout({"r": FLUX}).pixels).max() < 0.1
    whole = packed(method, np.round(FLUX * 1e4).astype("i4"), checksum, tile_shape=tile)
    assert read_cutout(whole).pixels.shape == (50, 70, 3)


@pytest.mark.parametrize("key, value", [
    ("ZVAL2", "65535"), ("ZVAL2", "-1"), ("ZVAL2", "8"), ("ZVAL2", "'x'"), ("ZVAL1", "-5"),
    ("ZCMPTYPE", "'PLIO_1'"), ("ZCMPTYPE", "'bogus'"), ("TFORM1", "'1PE(9)'")])
def test_cards_that_cannot_be(key, value):
    refused(with_card(packed(), key, value))


@pytest.mark.parametrize("place, value", [(2, 0), (2, -3), (6, 2**30), (6, 1), (0, 5)])
def test_tiles_of_other_sizes(place, value):
    data = packed("HCOMPRESS_1")
    at = data.index(b"\xdd\x99") + place
    refused(data[:at] + value.to_bytes(4, "big", signed=True) + data[at + 4:])


def test_masks_of_line_lists():
    data = packed("PLIO_1", (FLUX > 0.1).astype("i4") * 7 + (FLUX > 0.12) * np.int32(900))
    assert read_cutout(data).pixels.shape == (50, 70, 3)
    start = data.index((-100).to_bytes(2, "big", signed=True))  # of the header of each list
    at = start - 4 if data[start - 4:start - 2] == bytes(2) else start - 2
    refused(data[:at + 6] + (32000).to_bytes(2, "big") + data[at + 8:])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_any_flipped_bit_of_the_data_breaks_the_sum(method, seed):
    """As fpack writes one; without it no decoder would tell."""
    data = bytearray(packed(method, checksum=True))
    data[np.random.default_rng(seed).integers(len(data) - 2880 - 1500, len(data) - 2880)] ^= 4
    refused(bytes(data))
