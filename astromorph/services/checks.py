"""Check whether an answer of a service is the requested image, a part of it, or something else."""
import io
import math
import re

import numpy as np
from astropy.io import fits
from PIL import Image
from scipy import ndimage

from astromorph.errors import FetchError
from astromorph.fits_layout import layout_fault
from astromorph.flags import MorphFlag
from astromorph.images import decode_picture
from astromorph.images.packed import check_packed
from astromorph.services.framing import celestial, frame_wcs
from astromorph.services.limits import check_size

__all__ = ["check_fits", "check_picture", "check_planes", "outside", "read_fits"]

# Fractions of the frame. In fully covered images of Galaxy Zoo 2 and the Legacy Surveys, less than
# 0.25 has the color that means "no data". Except for 1 image in 1000, less than 0.02 has it along
# the border. Outside the footprint, SkyServer's tile has 0.91.
_FULL = 0.98
_OUTSIDE = 0.8
_WORDS, _GRAY = 0.5, 24  # small tiles have larger words; JPEG colors gray by so many levels
_WHITE = 0.002  # 1% of the images have brighter stars or cores
_HOLE = 0.0005


def outside(request, reason="no data there"):
    """Make the error for a position that the survey has not observed."""
    return FetchError(f"{request.survey.title} has no image of ra={request.ra:.5f}, "
                      f"dec={request.dec:.5f}: {reason}", MorphFlag.OUTSIDE_FOOTPRINT, final=True)


def check_picture(data, request, *, pixels, blank=(0, 0, 0), words=False):
    """Check a JPEG or PNG.

    Parameters
    ----------
    data : bytes
        Body of an answer.
    request : `~astromorph.services.base.CutoutRequest`
        The request.
    pixels : int
        Requested side in pixels.
    blank : tuple of int
        Red, green and blue of pixels without data. Transparent pixels have no data either.
    words : bool
        Whether the service writes gray words on black if it has no data.

    Returns
    -------
    coverage : float
        Fraction of the frame with data.
    flag : `~astromorph.flags.MorphFlag`
        Whether the frame is partly empty or saturated.

    Raises
    ------
    FetchError
        If it is anything but a picture of the requested frame.
    """
    _check_start(data, (b"\xff\xd8", b"\x89PNG"))
    picture = _decode(data)
    _check_side(picture.shape[1:], pixels)
    tolerance = 1 if any(blank) else 0  # JPEG changes colors a little, but keeps black
    empty = (np.abs(picture - np.int16(blank)[:, None, None]) <= tolerance).all(axis=0)
    transparent = _transparent(data)
    if transparent is not None:
        empty = transparent
    gray = words and np.ptp(picture, axis=0).max() <= _GRAY
    if empty.mean() >= (_WORDS if gray else _OUTSIDE):
        raise outside(request, "the picture is empty")
    if not np.ptp(picture, axis=(1, 2)).any():
        raise FetchError("the picture has one color only: no signal", MorphFlag.BLANK)
    white = _largest_region((picture >= 254).all(axis=0))
    missing = _border_regions(empty) if transparent is None else empty
    return _verdict(1 - missing.mean(), white > _WHITE * pixels**2)


def _decode(data):
    """Decode a picture to channels (3, y, x) from 0 to 255, flattened on black."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            check_size(4 * math.prod(picture.size))  # before it is unpacked
        picture = decode_picture(data)
    except FetchError:
        raise
    except Exception as error:  # damaged bytes fail anywhere in Pillow
        raise FetchError(f"the service sent a damaged picture: {error!s:.100}",
                         getattr(error, "flag", MorphFlag.UNREADABLE), retry=True) from error
    channels = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    return np.moveaxis(channels, -1, 0).astype(np.int16, order="C")


def _transparent(data):
    """Mask (y, x) of the transparent pixels of a PNG; None if it has no transparency."""
    if data.startswith(b"\xff\xd8"):
        return None
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        return (np.asarray(picture.convert("RGBA"))[..., 3] == 0
                if "A" in picture.mode or "transparency" in picture.info else None)


def _border_regions(empty):
    """Mask of empty areas along the border; other empty pixels may be noise of an upsampled sky."""
    if empty.mean() < 1 - _FULL:  # the usual case, in which the place does not matter
        return np.zeros_like(empty)
    side = max(8, min(empty.shape) // 26)
    solid = ndimage.grey_opening(empty.astype(np.uint8), size=(side, side))
    return solid & _touches_border(solid)


def _touches_border(mask):
    """Mask of the pixels whose region reaches the border."""
    labels, number = ndimage.label(mask)
    reaches = np.zeros(number + 1, bool)
    reaches[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    return reaches[labels]


def _largest_region(mask):
    if not mask.any():
        return 0
    labels, number = ndimage.label(mask)
    return np.bincount(labels.ravel())[1:].max() if number else 0


def _verdict(coverage, saturated):
    flag = MorphFlag.PARTIAL_FRAME if coverage < _FULL else MorphFlag(0)
    return float(coverage), flag | (MorphFlag.SATURATED if saturated else MorphFlag(0))


def read_fits(data):
    """Read the image of a FITS file.

    Parameters
    ----------
    data : bytes
        Body of an answer.

    Returns
    -------
    planes : `~numpy.ndarray`, shape (band, y, x), float32
        The planes; a 2-D image has one band.
    header : `~astropy.io.fits.Header`
        Header of the image.

    Raises
    ------
    FetchError
        If it is not a complete FITS file with an image.
    """
    _check_start(data, (b"SIMPLE  =",))
    try:
        if (fault := layout_fault(io.BytesIO(data))) is not None:
            raise EOFError(fault)
        with fits.open(io.BytesIO(data), memmap=False) as hdus:
            hdu = next((hdu for hdu in hdus if hdu.is_image and len(hdu.shape) in (2, 3)), None)
            if hdu is None:
                raise ValueError("it has no image")
            check_size(4 * math.prod(hdu.shape))  # before it is unpacked
            if isinstance(hdu, fits.CompImageHDU):
                check_packed(io.BytesIO(data))
            planes = np.asarray(hdu.data, np.float32)
            return planes.reshape(-1, *planes.shape[-2:]), hdu.header
    except FetchError:
        raise
    except Exception as error:  # damaged bytes fail anywhere in astropy
        raise FetchError(f"the service sent a damaged FITS file: {error!s:.100}",
                         MorphFlag.UNREADABLE, retry=True) from error


def check_fits(data, request, *, bands, pixels):
    """Check a FITS file of a service that resamples.

    Parameters
    ----------
    data : bytes
        Body of an answer.
    request : `~astromorph.services.base.CutoutRequest`
        The request.
    bands : str or None
        Requested bands in their order, which BANDS and BAND0... must confirm; None for one plane.
    pixels : int
        Requested side in pixels.

    Returns
    -------
    planes : `~numpy.ndarray`, shape (band, y, x), float32
        The planes.
    header : `~astropy.io.fits.Header`
        Header of the image.

    Raises
    ------
    FetchError
        If it is anything but the requested bands in the requested frame.
    """
    planes, header = read_fits(data)
    if bands is not None:
        _check_bands(header, bands)
    expected = 1 if bands is None else len(bands)
    if len(planes) != expected:
        raise FetchError(f"the service sent {len(planes)} planes instead of {expected}",
                         MorphFlag.MISSING_BAND)
    _check_side(planes.shape[1:], pixels)
    _check_frame(header, frame_wcs(request, pixels), pixels)
    return planes, header


def check_planes(planes, request):
    """Measure how much of the frame has flux.

    Parameters
    ----------
    planes : `~numpy.ndarray`, shape (band, y, x)
        Flux; NaN or exactly 0 where there is no data.
    request : `~astromorph.services.base.CutoutRequest`
        The request.

    Returns
    -------
    coverage : float
        Fraction of the frame with data, in all bands that have any.
    flag : `~astromorph.flags.MorphFlag`
        Whether the frame is partly empty or saturated, or a band is missing.

    Raises
    ------
    FetchError
        If no pixel has flux, or all have the same.
    """
    valid = np.isfinite(planes) & (planes != 0)
    bands = valid.any(axis=(1, 2))
    if not bands.any():
        raise outside(request, "every pixel is empty")
    if all(np.unique(plane[good]).size == 1 for plane, good in zip(planes[bands], valid[bands])):
        raise FetchError("the image has one value only: no signal", MorphFlag.BLANK)
    good = valid[bands].all(axis=0)
    coverage, flag = _verdict(good.mean(), _hole(~good) > _HOLE * good.size)
    return coverage, flag if bands.all() else flag | MorphFlag.MISSING_BAND


def _hole(bad):
    """Number of pixels of the largest hole in the middle that does not reach the border."""
    quarter = bad.shape[0] // 4
    return _largest_region((bad & ~_touches_border(bad))[quarter:-quarter, quarter:-quarter])


def _check_start(data, starts):
    """Raise if an answer is not an image; show the first words of a page or text."""
    if data.startswith(starts):
        return
    text = re.sub(rb"<(style|script).*?</\1>|<[^>]*>", b" ", data[:2000], flags=re.S | re.I)
    words = " ".join(text.decode("ascii", "replace").split())[:80]
    if "no such layer" in words.lower():
        raise FetchError("the service has no such layer; check the layer in the survey's record",
                         MorphFlag.SERVER_ERROR)
    what = ("nothing" if not data else f"text: {words!r}" if data[:200].isascii() and words else
            "something else")
    raise FetchError(f"the service sent {what} instead of an image", MorphFlag.UNREADABLE,
                     retry=True)


def _check_side(shape, pixels):
    if tuple(shape) != (pixels, pixels):
        raise FetchError(f"the service sent {shape[1]} x {shape[0]} pixels instead of "
                         f"{pixels} x {pixels}", MorphFlag.BAD_SHAPE)


def _check_bands(header, bands):
    told = str(header.get("BANDS", ""))
    each = "".join(str(header.get(f"BAND{number}", "")) for number in range(len(told)))
    if told.lower() != bands.lower() or each.lower() not in ("", bands.lower()):
        raise FetchError(f"the service sent bands {each or told or 'without names'} instead of "
                         f"{bands}", MorphFlag.MISSING_BAND)


def _check_frame(header, wanted, pixels):
    """Compare the positions of the corners in the header with those of the request."""
    corners = np.array([[0, pixels - 1, 0, pixels - 1], [0, 0, pixels - 1, pixels - 1]])
    sky = celestial(header).wcs_pix2world(*corners, 0)
    distance = np.hypot(*(np.array(wanted.wcs_world2pix(*sky, 0)) - corners)).max()
    if not distance < 1.5:
        raise FetchError("the service sent another frame than requested, or not with north up and "
                         f"east left: a corner is {distance:.0f} pixels off", MorphFlag.UNREADABLE)
