"""Files, HDUs, NDData and arrays -> color composite -> network pixels."""
import io
import os
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import simplejpeg
from PIL import Image
from scipy.sparse import csr_array

from astromorph.images.composite import color_composite, shown_bands
from astromorph.images.fits_planes import MAX_PIXELS, CutoutError, band_names, read_planes
from astromorph.flags import MorphFlag
from astromorph.images.sizes import PICTURE_STRETCH, measure_r90
from astromorph.surveys import get_survey

__all__ = ["Cutout", "CutoutError", "color_composite", "load_frame", "measure_r90",
           "normalize_bands", "read_cutout", "resample"]

_MIN_SIDE = 16
_FITS_STARTS = (b"SIMPLE  =", b"\x1f\x8b", b"BZh")


@dataclass(frozen=True)
class Cutout:
    """A color image of a galaxy.

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (y, x, 3), float32
        R, G, B from 0 to 1; row 0 is at the top, as in a JPEG.
    pixel_scale : float or None
        Arcseconds per pixel, where the image has a celestial WCS.
    flag : `~astromorph.flags.MorphFlag`
        What was assumed or repaired on reading.
    stretch : float
        Of the picture, for `measure_r90`.
    white : float
        Value shown as 1, for pixels as they are stored; 1 in what `read_cutout` returns.
    """

    pixels: np.ndarray
    pixel_scale: float | None = None
    flag: MorphFlag = MorphFlag(0)
    stretch: float = PICTURE_STRETCH
    white: float = 1.0


def read_cutout(source, *, survey=None, bands=None):
    """Read an image in any of its usual forms.

    Parameters
    ----------
    source : object
        - a file name (str or path) or the bytes of a JPEG, a PNG or a FITS file (also ``.fz``,
          ``.gz``, ``.bz2``): a (band, y, x) cube, an HDU a band, or one band;
        - an `~astropy.io.fits.HDUList`, an HDU, `~astropy.nddata.NDData` or
          `~astropy.nddata.CCDData`, an `~astropy.nddata.Cutout2D`;
        - a dict of band name to one of these or to a 2-D array of flux;
        - an array (y, x, 3), R, G, B with row 0 at the top, or (y, x), gray: 8 or 16 bits, or
          float, taken as it is up to 1 and else relative to 255 or to its maximum.

        All but pictures and plain arrays have row 0 at the bottom and hold flux in nanomaggies, or
        in what their unit says; see `~astromorph.images.flux_units.to_nanomaggies`.
    survey : str or `~astromorph.surveys.Survey`, optional
        Whose color mapping turns flux into a picture. By default "legacy" for images with z and no
        i, "sdss" for all others.
    bands : sequence of str, optional
        Names of the flux planes in their order, e.g. ``"grz"``, in place of those in the headers.

    Returns
    -------
    Cutout

    Raises
    ------
    CutoutError
        If the image cannot be used; its ``flag`` says why.
    ValueError
        If ``survey`` or ``bands`` is not what it should be.
    """
    cutout = _open(source, survey, bands)
    return replace(cutout, pixels=_shown(cutout), white=1.0)


def _shown(cutout):
    return np.asarray(cutout.pixels, np.float32) / np.float32(cutout.white)


def _open(source, survey, bands, enough=None):
    """The cutout, its pixels as stored; JPEGs reduced as far as ``enough`` pixels a side allow."""
    survey = survey if survey is None else get_survey(survey)
    bands = bands if bands is None else band_names(bands)
    try:
        cutout = _read(source, survey, bands, enough)
        _check(cutout.pixels)
        return cutout
    except CutoutError as error:
        raise CutoutError(f"{_label(source)}: {error}", error.flag) from None
    except FileNotFoundError as error:
        raise CutoutError(f"{error.filename}: no such file; check the name and the folder",
                          MorphFlag.MISSING_FILE) from None
    except Exception as error:  # damaged bytes fail anywhere in Pillow and astropy
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CutoutError(f"{_label(source)}: unreadable, get it again ({reason})",
                          MorphFlag.UNREADABLE) from error


def _label(source):
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return f"image given as {type(source).__name__}"


def _read(source, survey, bands, enough):
    if source is None or source is np.ma.masked or isinstance(source, str) and not source.strip():
        raise CutoutError("no file name; fill in the row or remove it", MorphFlag.MISSING_FILE)
    if isinstance(source, (bytearray, memoryview)):
        source = bytes(source)
    if isinstance(source, bytes):
        return _read_file(io.BytesIO(source), survey, bands, enough)
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return _read_file(file, survey, bands, enough)
    if isinstance(source, np.ndarray) and getattr(source, "unit", None) is None:
        return _from_array(source)
    return _from_flux(source, survey, bands)


def _read_file(file, survey, bands, enough):
    head = file.read(512)
    file.seek(0)
    if head.startswith(_FITS_STARTS):
        return _from_flux(file, survey, bands)
    if head.startswith((b"\xff\xd8", b"\x89PNG")):
        return _from_array(decode_picture(file.read(), enough))
    if not head:
        found = "the file is empty"
    elif not head.strip(b"\0"):
        found = "the file holds only zeros"
    elif head.isascii():
        found = f"the file is text: {' '.join(head.decode().split())[:60]!r}"
    else:
        found = "the file is not an image"
    raise CutoutError(f"{found}; expected JPEG, PNG or FITS, get it again", MorphFlag.UNREADABLE)


def decode_picture(data, enough=None):
    """Decode a JPEG or PNG, whole or not at all, whatever Pillow's global setting.

    Parameters
    ----------
    data : bytes
    enough : int, optional
        Pixels a side that will do: a JPEG is decoded to a half, a quarter or an eighth of its
        size, where that leaves as many, which is almost as averaging its pixels would be.

    Returns
    -------
    `~numpy.ndarray`, shape (y, x) or (y, x, 3)
        As stored, row 0 at the top.

    Raises
    ------
    CutoutError, OSError
        If it is truncated, too large or damaged.
    """
    complete = (data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") if data[:1] == b"\xff"
                else b"IEND\xaeB`\x82" in data)
    if not complete:
        raise CutoutError("the picture is truncated; get it again", MorphFlag.UNREADABLE)
    if data[:1] == b"\xff" and (pixels := _decode_color_jpeg(data, enough)) is not None:
        return pixels  # as Pillow decodes it, only faster
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise CutoutError(f"the picture has {picture.width} x {picture.height} pixels, more "
                              f"than {MAX_PIXELS}; cut out the galaxy first", MorphFlag.BAD_SHAPE)
        if picture.mode[0] not in "LIF1" or picture.mode == "LA":
            picture = picture.convert("RGB")
        return np.asarray(picture)


def _decode_color_jpeg(data, enough):
    """The pixels of a usual JPEG; None for all that Pillow has to judge."""
    try:
        *sides, colors, _ = simplejpeg.decode_jpeg_header(data)
        if colors != "YCbCr" or sides[0] * sides[1] > MAX_PIXELS:
            return None
        step = max((step for step in (1, 2, 4, 8) if enough and min(sides) >= step * enough
                    and not any(side % step for side in sides)), default=1)
        return simplejpeg.decode_jpeg(data, min_height=sides[0] // step, min_width=sides[1] // step,
                                      min_factor=1)
    except ValueError:
        return None


def _from_array(array):
    if array.ndim not in (2, 3) or array.ndim == 3 and array.shape[2] != 3:
        raise CutoutError("an array must have shape (y, x, 3), or (y, x) for gray, not "
                          f"{array.shape}; for flux pass a dict of bands", MorphFlag.BAD_SHAPE)
    if array.dtype.kind not in "buif":
        raise CutoutError(f"pixels must be numbers, not {array.dtype}", MorphFlag.BAD_SHAPE)
    pixels, flag = array, MorphFlag(0)
    if array.dtype not in (np.uint8, np.uint16) or np.ma.isMaskedArray(array):
        pixels = np.ma.filled(array.astype(np.float32), np.nan)
        bad = ~np.isfinite(pixels)
        pixels[bad] = 0
        flag = MorphFlag.BAD_PIXELS if bad.any() else flag
        pixels = pixels.clip(0)
    white = _white(array.dtype, pixels)
    if pixels.ndim == 2:
        pixels, flag = np.repeat(pixels[..., None], 3, axis=2), flag | MorphFlag.MISSING_BAND
    return Cutout(pixels, None, flag, white=white)


def _white(dtype, pixels):
    """Value shown as 1."""
    if dtype in (np.uint8, np.uint16):
        return float(np.iinfo(dtype).max)
    peak = float(pixels.max(initial=0))
    return 1.0 if peak <= 1 else 255.0 if peak <= 255 else peak


def _from_flux(source, survey, bands):
    flux = read_planes(source, survey=survey, bands=bands)
    shown = shown_bands(flux.planes, flux.survey)
    flag = flux.flag
    if len(set(shown) & set(flux.survey.scales)) < 3:
        flag |= MorphFlag.MISSING_BAND
    if any(np.isnan(flux.planes[band]).any() for band in shown if band):
        flag |= MorphFlag.BAD_PIXELS
    pixels = color_composite(flux.planes, flux.survey,
                             pixel_scale=None if flux.native else flux.pixel_scale)
    return Cutout(np.ascontiguousarray(pixels[::-1]), flux.pixel_scale, flag,
                  stretch=flux.survey.softening**0.5)


def _check(pixels):
    if min(pixels.shape[:2]) < _MIN_SIDE:
        raise CutoutError(f"the image has {pixels.shape[1]} x {pixels.shape[0]} pixels; at least "
                          f"{_MIN_SIDE} a side are needed", MorphFlag.BAD_SHAPE)
    if _is_blank(pixels):
        raise CutoutError("the image is blank: no signal; is the galaxy in the survey's footprint?",
                          MorphFlag.BLANK)


def _is_blank(pixels):
    """Whether no band varies; a few pixels tell, but for the blank ones."""
    return not any((np.abs(part - np.asarray(part[0, 0], np.float32)) > 1e-6).any()
                   for part in (pixels[::17, ::17], pixels))


def load_frame(source, size, *, frame_r90, cutout_r90=None, r90_arcsec=None, pixel_scale=None,
               survey=None, bands=None, margin=0):
    """Read an image and resample it to the frame that a network expects.

    Parameters
    ----------
    source : object
        Anything that `read_cutout` takes.
    size : int
        Pixels of the frame on a side.
    frame_r90 : float
        Width of the network's frame in the galaxy's R90.
    cutout_r90 : float or "measure", optional
        Width of the image (its smaller side) in R90, or "measure" to find R90 by `measure_r90`.
    r90_arcsec : float, optional
        R90 in arcseconds, for an image with a WCS or ``pixel_scale``. Without this and
        ``cutout_r90`` the whole image is the frame.
    pixel_scale : float, optional
        Arcseconds per pixel of an image without a WCS.
    survey, bands : optional
        See `read_cutout`.
    margin : int
        Pixels to add around the frame, for training on turned and shifted copies of it.

    Returns
    -------
    pixels : `~numpy.ndarray`, shape (size + 2 margin, size + 2 margin, 3), float32
        From 0 to 1; outside the image 0, with a margin the image's reflection. Bands are not
        normalized.
    flag : `~astromorph.flags.MorphFlag`

    Raises
    ------
    CutoutError
        If the image cannot be used, or its frame is blank.
    ValueError
        If an argument is not what it should be.
    """
    if cutout_r90 is not None and r90_arcsec is not None:
        raise ValueError("give cutout_r90 or r90_arcsec, not both")
    if isinstance(cutout_r90, str) and cutout_r90 != "measure":
        raise ValueError(f'cutout_r90 must be a number, "measure" or None, not {cutout_r90!r}')
    # At half the resolution there should still be two pixels for each of the network's.
    known = cutout_r90 != "measure" and r90_arcsec is None and not margin
    enough = 2 * size * _wider(cutout_r90, frame_r90) if known else None
    cutout = _open(source, survey, bands, enough)
    if cutout.pixel_scale is None and pixel_scale is not None and np.isfinite(pixel_scale):
        cutout = replace(cutout, pixel_scale=pixel_scale)
    side = min(cutout.pixels.shape[:2])
    r90, flag = _r90_pixels(cutout, side, cutout_r90, r90_arcsec)
    width = side if r90 is None else r90 * frame_r90
    if width > 1.02 * side:
        flag |= MorphFlag.PARTIAL_FRAME
    pixels = (_resample_wider(cutout.pixels, size, width, margin) if margin
              else resample(cutout.pixels, size, width=width)) / np.float32(cutout.white)
    if _is_blank(pixels):
        raise CutoutError(f"{_label(source)}: the frame around the center is blank: no signal",
                          MorphFlag.BLANK)
    return pixels, cutout.flag | flag


def _wider(cutout_r90, frame_r90):
    """How many times wider than the frame a cutout is; 1 where that is not known."""
    ratio = 1 if cutout_r90 is None else _number(cutout_r90) / frame_r90
    return ratio if 0 < ratio < np.inf else 1


def _resample_wider(image, size, width, margin):
    """The frame and a margin around it, reflected where the image ends."""
    wide = width * (size + 2 * margin) / size
    pad = max(int(np.ceil((wide - min(image.shape[:2])) / 2)) + 2, 0)
    image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    return resample(image, size + 2 * margin, width=wide)


def _r90_pixels(cutout, side, cutout_r90, r90_arcsec):
    """R90 in pixels, or None to frame the image as given, and the flag that says why."""
    if cutout_r90 is None and r90_arcsec is None:
        return None, MorphFlag(0)
    if r90_arcsec is not None and cutout.pixel_scale is None:
        return None, MorphFlag.NO_WCS
    if r90_arcsec is not None:
        r90 = _number(r90_arcsec) / cutout.pixel_scale
    elif cutout_r90 == "measure":
        r90 = measure_r90(_shown(cutout), stretch=cutout.stretch)
    else:
        with np.errstate(divide="ignore"):
            r90 = np.float64(side) / _number(cutout_r90)
    return (r90, MorphFlag(0)) if 0 < r90 < np.inf else (None, MorphFlag.NO_SIZE)


def _number(value):
    """A float; NaN for a masked entry of a column."""
    return np.float64(np.nan if value is np.ma.masked else value)


@lru_cache(maxsize=512)
def _resampling_matrix(n_in, size, start, width):
    """Weights of a box resampling of the interval [start, start + width), sparse (size, n_in).

    Each output pixel averages the input over its own extent (exact area overlap); where the output
    is finer than the input the box is one input pixel wide, which is linear interpolation.
    Rows are normalized over the pixels that exist, and are zero where there are none.
    """
    step = width / size
    centers = start + step * (np.arange(size) + 0.5)
    half = max(step, 1.0) / 2
    edges = np.arange(n_in)
    low = np.maximum(centers[:, None] - half, edges[None, :])
    high = np.minimum(centers[:, None] + half, edges[None, :] + 1)
    weights = np.clip(high - low, 0, None)
    total = weights.sum(axis=1, keepdims=True)
    inside = (centers[:, None] >= 0) & (centers[:, None] <= n_in) & (total > 0)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=inside)
    return csr_array(weights.astype(np.float32))


def resample(image, size, *, width=None, center=None):
    """Resample a square region of an image to ``size`` x ``size`` pixels, exact in area.

    Parameters
    ----------
    image : `~numpy.ndarray`, shape (y, x, bands)
        Color image.
    size : int
        Output pixels on a side.
    width : float, optional
        Width of the region in input pixels; by default the smaller side of the image.
    center : tuple of float, optional
        (y, x) of the region's center, in pixels counted from the image's corner (the center of an
        n-pixel axis is n / 2); by default the image's center.

    Returns
    -------
    `~numpy.ndarray`, shape (size, size, bands), float32
        Parts of the region outside the image are 0.
    """
    ny, nx = image.shape[:2]
    width = float(min(ny, nx) if width is None else width)
    y, x = (ny / 2, nx / 2) if center is None else center
    y0, y1 = max(int(y - width / 2) - 1, 0), min(int(y + width / 2) + 2, ny)
    x0, x1 = max(int(x - width / 2) - 1, 0), min(int(x + width / 2) + 2, nx)
    if y1 <= y0 or x1 <= x0:
        return np.zeros((size, size, image.shape[2]), np.float32)
    part = np.ascontiguousarray(image[y0:y1, x0:x1], np.float32)
    rows = _resampling_matrix(y1 - y0, size, y - width / 2 - y0, width)
    columns = _resampling_matrix(x1 - x0, size, x - width / 2 - x0, width)
    half_done = _turned((rows @ part.reshape(y1 - y0, -1)).reshape(size, x1 - x0, -1))
    return _turned((columns @ half_done.reshape(x1 - x0, -1)).reshape(size, size, -1))


def _turned(image):
    """A copy with the first two axes swapped; band by band NumPy is several times faster."""
    out = np.empty((image.shape[1], image.shape[0], image.shape[2]), image.dtype)
    for band in range(image.shape[2]):
        out[..., band] = image[..., band].T
    return out


def normalize_bands(pixels):
    """Divide each band of each image by its own maximum (Dominguez Sanchez et al. 2019, Sec. 3).

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (..., y, x, bands)

    Returns
    -------
    `~numpy.ndarray`, float32
        Same shape; a band whose maximum is not positive becomes 0.
    """
    pixels = np.asarray(pixels, np.float32)
    # Whole rows at a time: NumPy is ten times slower on a last axis of three bands.
    *_, n_x, bands = pixels.shape
    rows = pixels.reshape(*pixels.shape[:-2], n_x * bands)
    peak = rows.max(axis=-2).reshape(*pixels.shape[:-3], n_x, bands).max(axis=-2)
    unit = np.where(peak > 0, peak, np.float32(np.inf))
    return (rows / np.concatenate([unit] * n_x, axis=-1)[..., None, :]).reshape(pixels.shape)
