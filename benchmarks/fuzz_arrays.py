"""Images in memory for `fuzz.py`, with values, types and shapes that nobody expects."""
import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, Cutout2D, NDData
from astropy.wcs import WCS
from PIL import Image

SHAPES = ((40, 50, 3), (40, 50), (40, 50, 3), (40, 50), (3, 40, 50), (16, 16, 3), (15, 40, 3),
          (0, 40, 3), (1, 1), (40,), (), (40, 50, 4), (40, 50, 1), (2, 40, 50, 3), (20, 900, 3))
TYPES = ("u1", "u2", "f4", "f8", ">f4", ">u2", ">i2", "i1", "i2", "i8", "u4", "u8", "f2", "g", "?",
         "c8", "O", "U3", "S3", "M8[s]", "m8[s]", [("a", "f4"), ("b", "i2")])
HOSTILE = (0, np.nan, np.inf, -np.inf, -1, -9999, 1e-40, 1e20, 3e38, 1e300, 255, 256, 65535)
NAMES = ("", " ", "\0", "a" * 5000, "/", "..", "/dev/zero", "/proc/self/mem", "\ud800", "no.jpg",
         "a\nb", "~", "/dev/stdin", "*", "http://x.y/z.jpg")
KEYS = ("g", "r", "i", "z", "G ", "", "rr", "HSC-R", "sky", "g+r", 3, None, ("g",), b"g", "band")


def hostile_image(rng):
    """(format, image): an array, NDData, HDU, dict, Pillow's picture, a name, or none of these."""
    makers = [("array", array), ("array", array), ("masked", masked), ("nddata", nddata),
              ("dict", bands), ("hdu", hdu), ("quantity", quantity), ("bytes", some_bytes),
              ("other", other)]
    form, make = makers[rng.integers(len(makers))]
    with np.errstate(all="ignore"):
        return form, make(rng)


def array(rng, shapes=SHAPES, types=TYPES):
    shape, kind = shapes[rng.integers(len(shapes))], types[rng.integers(len(types))]
    y, x = np.indices(shape[:2]) if len(shape) > 1 else (np.zeros(shape),) * 2
    light = 100 * np.exp(-np.hypot(y - 20, x - 25) / 6) + rng.normal(1, 0.3, y.shape)
    light = light * rng.choice([1e-3, 0.01, 1, 2.5, 600, 1e30])
    values = np.broadcast_to(light.reshape(light.shape + (1,) * (len(shape) - light.ndim)), shape)
    values = np.array(values)
    for _ in range(rng.choice([0, 1, 3])):
        if values.size:
            some = values[..., None] if values.ndim == 0 else values
            part = rng.random(some.shape) < rng.choice([0.001, 0.1, 1])
            some[part] = HOSTILE[rng.integers(len(HOSTILE))]
    return laid_out(rng, cast(values, kind))


def cast(values, kind):
    if isinstance(kind, list) or kind[0] in "UMSm":
        return np.zeros(values.shape, kind)
    if np.dtype(kind).kind in "iu":
        info = np.iinfo(kind)
        values = np.nan_to_num(values).clip(info.min, info.max * (1 - 1e-9))
    return values.astype(kind)


def laid_out(rng, values):
    way = rng.integers(5)
    if way == 0 and values.ndim:
        return values[::-1]
    if way == 1:
        return np.asfortranarray(values)
    if way == 2 and values.ndim:
        values.flags.writeable = False
    return values


def masked(rng):
    values = array(rng)
    return np.ma.MaskedArray(values, rng.random(values.shape) < rng.choice([0.01, 0.5, 1]))


def quantity(rng):
    unit = rng.choice(["nmgy", "Jy", "adu", "m", "mag", "MJy/sr", ""])
    return u.Quantity(array(rng, types=TYPES[:8]), str(unit), dtype=float)


def nddata(rng):
    data = array(rng, ((40, 50), (40, 50), (3, 40, 50), (40, 50, 3), (40,), (0, 0)), TYPES[:15])
    mask = [None, True, np.zeros((3, 4), bool), np.ones(data.shape), "x", np.eye(50)[:40]][
        rng.integers(6)]
    wcs = [None, sky(), sky()[3:, 4:], WCS(naxis=2), WCS(naxis=3)][rng.integers(5)]
    unit = [None, "nmgy", "adu", "electron / s", u.ABmag, "km"][rng.integers(6)]
    try:
        if rng.random() < 0.3:
            return Cutout2D(np.asarray(data, "f4"), (20, 20), 30, wcs=sky())
        return (CCDData(data, unit=unit or "adu", wcs=wcs, mask=mask) if rng.random() < 0.5
                else NDData(data, unit=unit, wcs=wcs, mask=mask))
    except Exception:  # astropy itself refuses it
        return NDData(data)


def sky():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [-1e-4, 1e-4]
    return wcs


def bands(rng):
    value = [array, masked, nddata, hdu, quantity, other][rng.choice(6, p=[.5, .1, .1, .1, .1, .1])]
    shapes = ((40, 50), (40, 50), (40, 50), (40, 51))
    return {KEYS[rng.choice(len(KEYS), p=[.2] * 3 + [.4 / 12] * 12)]:
            value(rng) if rng.random() < 0.1 else array(rng, shapes, TYPES[:8])
            for _ in range(rng.integers(0, 5))}


def hdu(rng):
    data = array(rng, ((40, 50), (3, 40, 50), (4, 40, 50), (40,), (1, 1, 40, 50)),
                 ("f4", "f8", "i2", "u2", "u1", "i4", "i8"))
    kind = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)[rng.integers(3)]
    made = [kind(np.ascontiguousarray(data))]
    for key, value in (("BUNIT", "Jy"), ("BAND", "g"), ("BLANK", 3), ("BANDS", "grz"),
                       ("EXTNAME", "WHT"), ("BSCALE", "x"), ("MAGZERO", "nan")):
        if rng.random() < 0.2:
            made[0].header[key] = value
    if rng.random() < 0.4:
        return made[0]
    return fits.HDUList([fits.PrimaryHDU()] * bool(rng.integers(2)) + made * rng.integers(0, 3))


def some_bytes(rng):
    start = (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"SIMPLE  =", b"\x1f\x8b\x08", b"BZh9",
             b"<html>", b"\0")[rng.integers(8)]
    return (bytes, bytearray, memoryview)[rng.integers(3)](start + rng.bytes(rng.integers(0, 4000)))


def other(rng):
    values = (None, np.ma.masked, np.nan, 3, 2.5, True, [], [1, 2], ["a.jpg"], object, {}, {1, 2},
              lambda: 1, np.float32(2), np.str_("no.jpg"), np.bytes_(b"x"), range(3), Ellipsis,
              Image.new("RGB", (40, 40)), np.datetime64("NaT"), *NAMES)
    return values[rng.integers(len(values))]
