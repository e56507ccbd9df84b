"""Resample color pictures to the square frames that a network takes."""
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from astromorph.errors import CutoutError, wrong
from astromorph.flags import MorphFlag
from astromorph.images.reading import is_blank, open_cutout, shown, source_label
from astromorph.images.sizes import trusted_r90

__all__ = ["Frame", "is_negative", "load_frame", "normalize_bands", "read_frame", "resample"]

_DARKER = 0.03  # fraction of the range; none of 9,000 real galaxies is darker than its sky


class Frame(NamedTuple):
    """The frame of a galaxy.

    Parameters
    ----------
    pixels, flag
        See `load_frame`.
    pixel_scale : float or None
        Arcseconds per pixel of the frame; None if unknown.
    """

    pixels: np.ndarray
    flag: MorphFlag
    pixel_scale: float | None


def load_frame(source, size, *, frame_r90, cutout_r90=None, r90=None, measure=False,
               pixel_scale=None, survey=None, bands=None, margin=0):
    """Read an image and resample it to the frame that a network expects.

    Parameters
    ----------
    source : object
        An image in any form that `read_cutout` takes.
    size : int
        Side of the frame in pixels.
    frame_r90 : float
        Width of the network's frame in R90 of the galaxy.
    cutout_r90 : float, optional
        Width of the image (its smaller side) in R90.
    r90 : float or "measure", optional
        R90 in arcseconds, for an image with a WCS or ``pixel_scale``; or "measure". Without a
        usable size the whole image is the frame.
    measure : bool
        Measure R90 on the image if there is no usable size, as ``r90="measure"`` does; see
        `~astromorph.images.measure_r90`.
    pixel_scale : float, optional
        Arcseconds per pixel of an image without a WCS.
    survey, bands : optional
        See `read_cutout`.
    margin : int
        Pixels to add around the frame. Training turns and shifts the wider frame.

    Returns
    -------
    pixels : `~numpy.ndarray`, shape (size + 2 margin, size + 2 margin, 3), float32
        R, G, B from 0 to 1, not normalized by band. Pixels outside the image are 0; with a margin
        they are the image's reflection.
    flag : `~astromorph.flags.MorphFlag`
        What was assumed on reading.

    Raises
    ------
    CutoutError
        If the image cannot be used, or its frame is blank.
    ArgumentError
        If an argument has a wrong value.

    See Also
    --------
    astromorph.read_cutout : Read the whole image.
    resample : Resample an array.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.images import load_frame
    >>> image = np.arange(3 * 64 ** 2, dtype=np.float32).reshape(64, 64, 3)
    >>> pixels, flag = load_frame(image, 32, frame_r90=4.0, cutout_r90=8.0)
    >>> pixels.shape, int(flag)
    ((32, 32, 3), 0)
    """
    return read_frame(source, size, frame_r90=frame_r90, cutout_r90=cutout_r90, r90=r90,
                      measure=measure, pixel_scale=pixel_scale, survey=survey, bands=bands,
                      margin=margin)[:2]


def read_frame(source, size, *, frame_r90, cutout_r90=None, r90=None, measure=False,
               pixel_scale=None, survey=None, bands=None, margin=0):
    """Read a frame as `load_frame` does, and return its pixel scale too.

    Parameters
    ----------
    source, size, frame_r90, cutout_r90, r90, measure, pixel_scale, survey, bands, margin
        See `load_frame`.

    Returns
    -------
    Frame
    """
    _check_sizes(cutout_r90, r90)
    enough = None if margin or r90 is not None else _enough(size, cutout_r90, frame_r90, measure)
    cutout = open_cutout(source, survey=survey, bands=bands, enough=enough)
    if cutout.pixel_scale is None and pixel_scale is not None and np.isfinite(pixel_scale):
        cutout = replace(cutout, pixel_scale=pixel_scale)
    side = min(cutout.pixels.shape[:2])
    radius, flag = _r90_pixels(cutout, side, cutout_r90, r90)
    if np.isnan(radius) and (measure or isinstance(r90, str)):
        radius, flag = _measured(cutout, frame_r90, flag)
    width = side if np.isnan(radius) else radius * frame_r90
    if width > 1.02 * side:
        flag |= MorphFlag.PARTIAL_FRAME
    pixels = (_resample_wider(cutout.pixels, size, width, margin) if margin
              else resample(cutout.pixels, size, width=width)) / np.float32(cutout.white)
    if is_blank(pixels):
        raise CutoutError(f"{source_label(source)}: the frame around the center is blank: no "
                          "signal", MorphFlag.BLANK)
    if is_negative(pixels, min(1, side / width) * size):
        raise CutoutError(f"{source_label(source)}: a negative, dark in the middle of a light sky; "
                          "turn it over (white minus image)", MorphFlag.NEGATIVE)
    scale = cutout.pixel_scale and cutout.pixel_scale * width / size
    return Frame(pixels, cutout.flag | flag, scale)


def is_negative(pixels, width=None):
    """Tell whether a frame is a negative: its middle is darker than the sky, as on plates.

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (size, size, bands)
        The frame.
    width : float, optional
        Side in pixels of the part in the middle that shows the image. By default the whole frame.

    Returns
    -------
    bool
    """
    around, core = _zones(len(pixels), round(width or len(pixels)))
    light = pixels[..., pixels.shape[2] // 2].ravel()  # the middle band
    sky = np.sort(light[around])
    quarter, median = sky[len(sky) // 4], sky[len(sky) // 2]
    return light[core].mean() < min(quarter, median - _DARKER * np.ptp(light))


@lru_cache(maxsize=64)
def _zones(size, width):
    """Indices of some pixels in the corners of the middle square, and of its core's pixels."""
    x = np.abs(np.arange(size) - (size - 1) / 2) / width
    radius = np.hypot(x, x[:, None])
    inside = np.maximum(x, x[:, None]) < 0.5
    return np.flatnonzero(inside & (radius > 0.5))[::3], np.flatnonzero(
        radius < max(0.1, 1.5 / width))


def _check_sizes(cutout_r90, r90):
    if cutout_r90 is not None and r90 is not None:
        raise wrong("cutout_r90, r90", "one of them, not both",
                    f"cutout_r90={cutout_r90!r} and r90={r90!r}")
    if isinstance(cutout_r90, str):
        raise wrong("cutout_r90", "the width of the image in R90, a number", repr(cutout_r90),
                    'Pass r90="measure" to measure R90 on the image.')
    if isinstance(r90, str) and r90 != "measure":
        raise wrong("r90", 'a number of arcseconds, "measure" or None', repr(r90))


def _enough(size, cutout_r90, frame_r90, measure):
    """Side in pixels that an image needs: two pixels per pixel of the frame."""
    ratio = np.nan if cutout_r90 is None else _number(cutout_r90) / frame_r90
    if 0 < ratio < np.inf:
        return 2 * size * ratio
    return None if measure else 2 * size


def _resample_wider(image, size, width, margin):
    """Resample the frame with a margin around it; outside the image is its reflection."""
    wide = width * (size + 2 * margin) / size
    pad = max(int(np.ceil((wide - min(image.shape[:2])) / 2)) + 2, 0)
    image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    return resample(image, size + 2 * margin, width=wide)


def _r90_pixels(cutout, side, cutout_r90, r90):
    """R90 in pixels from the given sizes, NaN if they are unusable, and the flag that says why.

    No galaxy is smaller than a pixel: then the size, or the scale of the WCS, is wrong.
    """
    if isinstance(r90, str) or cutout_r90 is None and r90 is None:
        return np.nan, MorphFlag(0)
    if r90 is None:
        with np.errstate(divide="ignore"):
            radius = np.float64(side) / _number(cutout_r90)
    elif cutout.pixel_scale is None and 0 < _number(r90) < np.inf:
        return np.nan, MorphFlag.NO_WCS
    else:
        radius = _number(r90) / (cutout.pixel_scale or np.nan)
    return (radius, MorphFlag(0)) if 1 <= radius < np.inf else (np.nan, MorphFlag.NO_SIZE)


def _measured(cutout, frame_r90, flag):
    """R90 in pixels measured on the image, NaN if unreliable, and the flag that says so."""
    radius = trusted_r90(shown(cutout), frame_r90, stretch=cutout.stretch)
    done = MorphFlag.NO_SIZE if np.isnan(radius) else MorphFlag.MEASURED_SIZE
    return radius, flag & MorphFlag.NO_WCS | done


def _number(value):
    """A float; NaN for a masked entry of a column."""
    return np.float64(np.nan if value is np.ma.masked else value)


@lru_cache(maxsize=512)
def _resampling_matrix(n_in, size, start, width):
    """Weights that resample the interval [start, start + width), a sparse array (size, n_in).

    Each output pixel averages the input over its own extent (exact area overlap). If the output is
    finer than the input, the box is one input pixel wide, which is linear interpolation. Rows are
    normalized over the pixels inside the image, and are zero if none is inside.
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
    """Resample a square region of an image to ``size`` x ``size`` pixels, by exact area overlap.

    Parameters
    ----------
    image : `~numpy.ndarray`, shape (y, x, bands)
        Color image.
    size : int
        Side of the output in pixels.
    width : float, optional
        Width of the region in input pixels. By default the smaller side of the image.
    center : tuple of float, optional
        (y, x) of the region's center in pixels, measured from the corner of the image: n / 2 is the
        center of an axis with n pixels. By default the center of the image.

    Returns
    -------
    `~numpy.ndarray`, shape (size, size, bands), float32
        The region; 0 outside the image.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.images import resample
    >>> image = np.arange(16, dtype=float).reshape(4, 4, 1)
    >>> print(resample(image, 2)[..., 0])
    [[ 2.5  4.5]
     [10.5 12.5]]
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
    """Swap the first two axes in a copy; NumPy is several times faster band by band."""
    out = np.empty((image.shape[1], image.shape[0], image.shape[2]), image.dtype)
    for band in range(image.shape[2]):
        out[..., band] = image[..., band].T
    return out


def normalize_bands(pixels):
    """Divide each band of each image by its maximum.

    The source is section 3 of Dominguez Sanchez et al. 2019, MNRAS 484, 93.

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (..., y, x, bands)
        One or more images.

    Returns
    -------
    `~numpy.ndarray`, shape (..., y, x, bands), float32
        The normalized images. A band whose maximum is not positive becomes 0.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.images import normalize_bands
    >>> image = np.arange(12.0).reshape(2, 2, 3)
    >>> normalize_bands(image).max(axis=(0, 1)).tolist()
    [1.0, 1.0, 1.0]
    """
    pixels = np.asarray(pixels, np.float32)
    # Whole rows at once: NumPy is ten times slower on a last axis of three bands.
    *_, n_x, bands = pixels.shape
    rows = pixels.reshape(*pixels.shape[:-2], n_x * bands)
    peak = rows.max(axis=-2).reshape(*pixels.shape[:-3], n_x, bands).max(axis=-2)
    unit = np.where(peak > 0, peak, np.float32(np.inf))
    return (rows / np.concatenate([unit] * n_x, axis=-1)[..., None, :]).reshape(pixels.shape)
