"""Damage is damage, and a passing error of the system is none."""
import builtins
import errno
import gzip
import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import simplejpeg
from astropy import units as u
from astropy.io import fits
from astropy.nddata import NDData
from astropy.utils.masked import Masked
from PIL import Image

from astromorph.flags import MorphFlag
from astromorph.galaxies.given import GivenImages
from astromorph.images import CutoutError, read_cutout

ONE_BAND = MorphFlag.MISSING_BAND | MorphFlag.ONE_BAND
PIXELS = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def picture(kind="JPEG", mode="RGB", side=64, **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS[:side, :side]).convert(mode).save(file, kind, **options)
    return file.getvalue()


def flag_of(source):
    try:
        read_cutout(source)
    except CutoutError as error:
        return error.flag
    return None


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("seed", range(20))
def test_what_the_decoder_calls_damaged_is_not_read(seed, mode):
    rng, data = np.random.default_rng(seed), bytearray(picture(mode=mode))
    for place in rng.integers(700, len(data), rng.integers(1, 20)):
        data[place] ^= 0x55
    try:
        simplejpeg.decode_jpeg(data, {"L": "GRAY", "CMYK": "CMYK"}.get(mode, "RGB"))
    except ValueError:
        assert flag_of(bytes(data)) == MorphFlag.UNREADABLE


@pytest.mark.parametrize("seed", range(40))
def test_any_flipped_byte_of_a_png_is_found(seed):
    data = bytearray(picture("PNG"))
    place = np.random.default_rng(seed).integers(8, 60 if seed % 2 else len(data))
    data[place] ^= 0x55
    assert flag_of(bytes(data)) in (MorphFlag.UNREADABLE, MorphFlag.BAD_SHAPE)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_half_a_jpeg_with_an_end_marker(mode):
    data = picture(mode=mode)
    assert flag_of(data) is None
    assert flag_of(data[:len(data) // 2] + b"\xff\xd9") == MorphFlag.UNREADABLE
    assert flag_of(data[:-2] + bytes(50) + b"\xff\xd9") == MorphFlag.UNREADABLE


@pytest.mark.parametrize("side, flag", [(5000, "UNREADABLE"), (40000, "BAD_SHAPE")])
def test_jpeg_of_another_size_than_it_says(side, flag):
    data = bytearray(picture(side=16))
    at = data.find(b"\xff\xc0")
    data[at + 5:at + 9] = side.to_bytes(2, "big") * 2
    assert flag_of(bytes(data)) == MorphFlag[flag]


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "I;16"])
def test_modes_of_png(mode):
    array = PIXELS[..., 0].astype("u2") * 257 if mode == "I;16" else None
    image = Image.fromarray(PIXELS if array is None else array)
    image = image if mode == "I;16" else image.convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG")
    expected = (array / 65535)[..., None] if mode == "I;16" else np.asarray(
        image.convert("L" if mode in ("L", "LA") else "RGB")).reshape(64, 64, -1) / 255
    cutout = read_cutout(file.getvalue())
    np.testing.assert_allclose(cutout.pixels, np.broadcast_to(expected, (64, 64, 3)), atol=1e-6)
    assert cutout.flag == (ONE_BAND if expected.shape[2] == 1 else 0)


def test_clear_pixels_are_black():
    pixels = np.dstack([PIXELS, np.full((64, 64), 255, np.uint8)])
    pixels[:9, :, :] = (255, 255, 255, 0)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    cutout = read_cutout(file.getvalue())
    assert not cutout.pixels[:9].any()
    np.testing.assert_allclose(cutout.pixels[9:], PIXELS[9:] / 255, atol=1e-6)


def test_a_clear_gray_of_16_bits_changes_nothing():
    """Pillow's conversion would clip the numbers at 255, so that all is white."""
    gray = PIXELS[..., 0].astype("u2") * 257
    plain, clear = io.BytesIO(), io.BytesIO()
    Image.fromarray(gray).save(plain, "PNG")
    Image.fromarray(gray).save(clear, "PNG", transparency=0)
    one, other = (read_cutout(file.getvalue()).pixels for file in (plain, clear))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_sixteen_bits_may_hold_fewer(bits):
    """Else the picture is almost black, and R90 measured on it is wrong."""
    gray = np.rint(PIXELS[..., 0] / PIXELS[..., 0].max() * (2**bits - 1)).astype(np.uint16)
    assert read_cutout(gray).pixels.max() == 1
    dim = read_cutout((gray * 0.7).astype(np.uint16))
    np.testing.assert_allclose(dim.pixels, 0.7 * read_cutout(gray).pixels, atol=0.005)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WebP", "BMP"])
def test_pictures_of_other_kinds_are_named(kind):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind)
    with pytest.raises(CutoutError, match=f"the file is {kind}; expected JPEG, PNG or FITS, conv"):
        read_cutout(file.getvalue())


def test_masks_of_astropy_count():
    hole = np.zeros((64, 64), bool)
    hole[20:30, 20:30] = True
    flux = np.where(hole, 1e4, PIXELS[..., 0] / 255 - 0.5).astype("f4")
    expected = read_cutout({"r": np.ma.masked_array(flux, hole) * 1})
    for source in (Masked(flux * u.nmgy, mask=hole), {"r": Masked(flux, mask=hole)},
                   NDData(Masked(flux, mask=hole), unit=u.nmgy)):
        cutout = read_cutout(source)
        assert cutout.flag & MorphFlag.BAD_PIXELS
        np.testing.assert_allclose(cutout.pixels, expected.pixels, atol=1e-5)
    picture = read_cutout(Masked(PIXELS[..., 0].astype("f4"), mask=hole))
    assert not picture.pixels[20:30, 20:30].any() and picture.flag & MorphFlag.BAD_PIXELS


@pytest.mark.parametrize("low, high", [(-1, 1), (-2.1, 2.6)])
def test_arrays_normalized_for_a_network_are_refused(low, high):
    y, x = np.indices((64, 64)) - 31.5
    picture = np.repeat(np.exp(-np.hypot(x, y) / 6)[..., None], 3, axis=2)
    assert read_cutout(picture - 0.02).flag & MorphFlag.ONE_BAND
    with pytest.raises(CutoutError, match="of its pixels are negative, as in arrays that"):
        read_cutout(low + (high - low) * picture)


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "f4", "f8"])
def test_byte_order_changes_nothing(kind):
    one, other = (read_cutout(PIXELS.astype(order + kind)) for order in "<>")
    np.testing.assert_array_equal(one.pixels, other.pixels)


def compressed():
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(PIXELS[..., 0].astype("f4"))]).writeto(file)
    return file.getvalue()


@pytest.mark.parametrize("plain", [True, False])
def test_only_the_last_padding_may_be_missing(plain):
    file = io.BytesIO()
    fits.PrimaryHDU(PIXELS[..., 0].astype("f4") + 1).writeto(file)
    data = file.getvalue() if plain else compressed()
    end = 2880 + 4 * 64**2 if plain else len(data.rstrip(b"\0"))
    assert end < len(data)
    for size in (end, end + 1, len(data) - 1):
        np.testing.assert_array_equal(read_cutout(data[:size]).pixels, read_cutout(data).pixels)
    assert flag_of(data[:end - 500]) == MorphFlag.UNREADABLE


def test_sizes_are_checked_before_anything_is_unpacked():
    header = fits.Header([("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", 10**5),
                          ("NAXIS2", 10**5)]).tostring().encode()
    assert flag_of(gzip.compress(header + bytes(2880))) == MorphFlag.BAD_SHAPE
    assert flag_of(gzip.compress(bytes(10**6))) == MorphFlag.UNREADABLE


def test_pipes_and_folders_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    for name in (tmp_path / "a.jpg", tmp_path, "/dev/zero", {"g": tmp_path / "a.jpg"}):
        assert flag_of(name) == MorphFlag.UNREADABLE


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM,
                                    errno.ESTALE, errno.EINTR, errno.EAGAIN])
def test_a_passing_error_of_the_system_may_be_tried_again(number, tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(picture())

    def fail(*args, **options):
        raise OSError(number, os.strerror(number), str(args[0]))

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", fail)
        found = [flag_of(tmp_path / "a.jpg"), flag_of({"g": tmp_path / "a.jpg"})]
    assert found == [MorphFlag.READ_ERROR] * 2
    assert GivenImages.retryable & MorphFlag.READ_ERROR
    assert MorphFlag.READ_ERROR in MorphFlag.UNCLASSIFIED


def png_of(stream, side=64):
    """A PNG whose checksums are right, whatever its stream of pixels."""
    parts = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
             (b"IDAT", zlib.compress(stream)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts)


def test_a_png_holds_as_many_pixels_as_it_says():
    rows = b"".join(b"\0" + row.tobytes() for row in PIXELS)
    np.testing.assert_allclose(read_cutout(png_of(rows)).pixels, PIXELS / 255, atol=1e-6)
    for stream in (rows[:-1], rows + b"\0", rows[:-193], rows * 2, b"", bytes(2**24)):
        assert flag_of(png_of(stream)) == MorphFlag.UNREADABLE
    assert flag_of(png_of(rows, 2**14)) == MorphFlag.BAD_SHAPE
    assert flag_of(png_of(rows, 2**13)) == MorphFlag.UNREADABLE


@pytest.mark.parametrize("factors", [(1, 3), (2, 4), (3, 1), (4, 2)])
def test_jpegs_that_only_lenient_decoders_know(factors):
    data = bytearray(picture())
    data[data.find(b"\xff\xc0") + 11] = factors[0] * 16 + factors[1]
    assert flag_of(bytes(data)) == MorphFlag.UNREADABLE
    for subsampling in (1, 2):
        data = picture(mode="CMYK", subsampling=subsampling)
        assert flag_of(data) == flag_of(data[:900] + bytes(200) + data[1100:]) == (
            MorphFlag.UNREADABLE)


def test_a_jpeg_of_a_few_bytes_has_few_pixels():
    data = bytearray(picture(side=16))
    at = data.find(b"\xff\xc0")
    data[at + 5:at + 9] = struct.pack(">HH", 10000, 10000)
    with pytest.raises(CutoutError, match="truncated"):
        read_cutout(bytes(data))


@pytest.mark.parametrize("value", [1e21, -1e25, 3e38])
def test_what_is_brighter_than_the_sun_is_no_light(value):
    flux = np.random.default_rng(0).normal(0.1, 0.02, (40, 40)).astype("f4")
    expected = read_cutout({"r": flux}).pixels
    flux[20, 20] = value
    cutout = read_cutout({"r": flux})
    assert cutout.flag & MorphFlag.BAD_PIXELS and np.isfinite(cutout.pixels).all()
    assert np.median(np.abs(cutout.pixels - expected)) < 0.01


def test_blank_of_integers_must_be_one():
    for values, flag in ((PIXELS[..., 0].astype("i2"), MorphFlag.UNREADABLE),
                         (PIXELS[..., 0].astype("f4"), None)):
        hdu = fits.PrimaryHDU(values)
        hdu.header["BLANK"] = "none"
        assert flag_of(hdu) == flag


def test_large_images_take_little_memory():
    file = io.BytesIO()
    empty = fits.CompImageHDU(np.zeros((3000, 3000), "f4"), tile_shape=(3000, 3000))
    fits.HDUList([fits.PrimaryHDU(), empty]).writeto(file)
    tracemalloc.start()
    assert flag_of(file.getvalue()) == MorphFlag.BLANK
    assert tracemalloc.get_traced_memory()[1] < 40 * 9e6
    tracemalloc.stop()


def accepted(data):
    try:
        simplejpeg.decode_jpeg(data)
    except ValueError:
        return False
    return True


def test_wrong_codes_in_the_middle_of_a_large_jpeg_are_found():
    """The fast way of libjpeg-turbo, far from the end of its input, takes them for zeros."""
    rng, file = np.random.default_rng(8), io.BytesIO()
    y, x = np.indices((400, 400)) - 200
    light = 250 * np.exp(-np.hypot(x, y) / 60)[..., None] + rng.normal(0, 2, (400, 400, 3))
    Image.fromarray(light.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    data, silent = file.getvalue(), 0
    for place in rng.integers(700, len(data) - 9000, 300):
        hurt = data[:place] + b"\xff\0" * 3 + data[place + 6:]
        if accepted(hurt) and not accepted(hurt[:2] + b"\xff\xdd\0\4\xff\xff" + hurt[2:]):
            silent += 1
            assert flag_of(hurt) == MorphFlag.UNREADABLE
    assert silent
