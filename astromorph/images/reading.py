"""Read files, HDUs, NDData and arrays as color pictures."""
import errno
import io
import os
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from astromorph.errors import CutoutError
from astromorph.flags import MorphFlag
from astromorph.images.composite import color_composite, native_area, shown_bands
from astromorph.images.fits_planes import band_names, read_planes
from astromorph.images.flux_units import subtract_sky
from astromorph.images.forms import numpy_masked, open_regular
from astromorph.images.pictures import decode_picture
from astromorph.images.sizes import PICTURE_STRETCH
from astromorph.surveys import get_survey

__all__ = ["Cutout", "is_blank", "open_cutout", "read_cutout", "shown", "source_label"]

_MIN_SIDE = 16
_NEGATIVE = 0.9  # largest fraction of negative pixels; pure noise has 0.5
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM, errno.ESTALE, errno.EINTR,
            errno.EAGAIN, errno.ENOBUFS, errno.ETIMEDOUT}  # the file itself may be good
_FITS_STARTS = (b"SIMPLE  =", b"\x1f\x8b", b"BZh")
_OTHERS = {b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF", b"GIF8": "GIF", b"RIFF": "WebP",
           b"BM": "BMP", b"\x93NUMPY": "an array of NumPy", b"#ASDF": "ASDF", b"PK": "ZIP",
           b"\x89HDF": "HDF5", b"\0\0\0\x0cjP": "JPEG 2000", b"PAR1": "Parquet"}


@dataclass(frozen=True)
class Cutout:
    """A color image of a galaxy.

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (y, x, 3), float32
        R, G, B from 0 to 1; row 0 is at the top, as in a JPEG.
    pixel_scale : float or None
        Arcseconds per pixel; None without a celestial WCS.
    flag : `~astromorph.flags.MorphFlag`
        What was assumed or repaired on reading.
    stretch : float
        Stretch of the picture, for `measure_r90`.
    white : float
        Pixel value that means 1. `read_cutout` divides by it, so it is 1 there.

    See Also
    --------
    read_cutout : Read one from a file, an HDU or an array.

    Examples
    --------
    >>> from astromorph import read_cutout
    >>> from astromorph.datasets import load_sample
    >>> cutout = read_cutout(load_sample()["file"][0])
    >>> cutout.pixels.shape[2], round(cutout.pixel_scale, 3), cutout.flag
    (3, 0.396, <MorphFlag: 0>)
    """

    pixels: np.ndarray
    pixel_scale: float | None = None
    flag: MorphFlag = MorphFlag(0)
    stretch: float = PICTURE_STRETCH
    white: float = 1.0


def read_cutout(source, *, survey=None, bands=None):
    """Read an image as a color picture.

    Parameters
    ----------
    source : object
        - A file name (str or path) or the bytes of a JPEG, PNG or FITS file (also ``.fz``, ``.gz``,
          ``.bz2``). A FITS file may hold one HDU per band, one band, or a (band, y, x) cube. The
          header of a cube names its bands (``BANDS``, or ``BAND0`` and so on).
        - An `~astropy.io.fits.HDUList`, an HDU, an `~astropy.nddata.NDData`, an
          `~astropy.nddata.CCDData` or an `~astropy.nddata.Cutout2D`.
        - A dict of band name to one of these or to a 2-D array of flux.
        - An array (y, x, 3) of R, G, B, or (y, x) of gray, with row 0 at the top. Its numbers have
          8 or 16 bits or are floats. Floats up to 1 stay as they are; larger ones are divided by
          255, or by their maximum if that is more. Numbers of 16 bits that use only 8 or 12 of them
          are read as such.

        Flux has row 0 at the bottom, and its unit is converted to nanomaggies.
    survey : str or `~astromorph.surveys.Survey`, optional
        Survey whose color mapping turns flux into a picture. By default "legacy" for images with z
        and no i, "sdss" for all others.
    bands : sequence of str, optional
        Names of the flux planes in their order, such as ``"grz"``. By default the headers name
        them.

    Returns
    -------
    Cutout

    Raises
    ------
    CutoutError
        If the image cannot be used. Its ``flag`` says why.
    ArgumentError
        If ``survey`` or ``bands`` has a wrong value.

    See Also
    --------
    measure_r90 : Measure the size of the galaxy.
    astromorph.fetch_cutouts : Download images of positions.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import read_cutout
    >>> gray = np.arange(400, dtype=np.uint16).reshape(20, 20)
    >>> cutout = read_cutout(gray)
    >>> cutout.pixels.shape, cutout.flag.name
    ((20, 20, 3), 'MISSING_BAND|ONE_BAND')
    """
    cutout = open_cutout(source, survey=survey, bands=bands)
    return replace(cutout, pixels=shown(cutout), white=1.0)


def shown(cutout):
    """Scale the pixels of a cutout to 0..1.

    Parameters
    ----------
    cutout : Cutout
        The result of `open_cutout`.

    Returns
    -------
    `~numpy.ndarray`, shape (y, x, 3), float32
    """
    return np.asarray(cutout.pixels, np.float32) / np.float32(cutout.white)


def open_cutout(source, *, survey=None, bands=None, usual=None, enough=None):
    """Read an image as `read_cutout` does, but keep the stored values of its pixels.

    Parameters
    ----------
    source, survey, bands
        See `read_cutout`.
    usual : `~astromorph.surveys.Survey`, optional
        The survey that images of unknown origin probably belong to, such as that of the weights.
        Without ``survey``, it is used unless the bands are those of another one.
    enough : int, optional
        Side in pixels that is enough, see `decode_picture`.

    Returns
    -------
    Cutout
        Its ``white`` is the pixel value that means 1.

    Raises
    ------
    CutoutError, ArgumentError
        See `read_cutout`.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.images import open_cutout
    >>> picture = np.random.default_rng(1).integers(0, 255, (64, 64, 3), "uint8")
    >>> cutout = open_cutout(picture)
    >>> cutout.pixels.dtype, cutout.white
    (dtype('uint8'), 255.0)
    """
    survey = survey if survey is None else get_survey(survey)
    bands = bands if bands is None else band_names(bands, survey or usual)
    try:
        cutout = _read(source, {"survey": survey, "bands": bands, "usual": usual}, enough)
        _check(cutout.pixels)
        return (replace(cutout, flag=cutout.flag | MorphFlag.ONE_BAND)
                if _is_gray(cutout.pixels) else cutout)
    except CutoutError as error:
        raise CutoutError(f"{source_label(source)}: {error}", error.flag) from None
    except MemoryError:
        raise CutoutError(f"{source_label(source)}: no memory to read it now; try it again",
                          MorphFlag.READ_ERROR) from None
    except FileNotFoundError as error:
        raise CutoutError(f"{error.filename}: no such file{_in_folder(error.filename)}; check the "
                          "name and the folder", MorphFlag.MISSING_FILE) from None
    except Exception as error:  # damaged bytes fail anywhere in Pillow and astropy
        if getattr(error, "errno", None) in _PASSING:
            raise CutoutError(f"{source_label(source)}: not read now, try it again "
                              f"({error.strerror})", MorphFlag.READ_ERROR) from error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CutoutError(f"{source_label(source)}: unreadable, get it again ({reason})",
                          MorphFlag.UNREADABLE) from error


def _in_folder(name):
    """Where a relative name was looked for, because tables may lie in another folder."""
    return "" if os.path.isabs(str(name)) else f" in {os.getcwd()}"


def source_label(source):
    """Name an image in a message: by its file, or by the type of the source.

    Parameters
    ----------
    source : object
        See `read_cutout`.

    Returns
    -------
    str
    """
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return getattr(source, "label", f"image given as {type(source).__name__}")


def _read(source, options, enough):
    if source is None or source is np.ma.masked or isinstance(source, str) and not source.strip():
        raise CutoutError("no file name; fill in the row or remove it", MorphFlag.MISSING_FILE)
    if isinstance(source, (bytearray, memoryview)):
        source = bytes(source)
    if isinstance(source, bytes):
        return _read_file(io.BytesIO(source), options, enough)
    if isinstance(source, (str, os.PathLike)):
        with open_regular(source) as file:
            return _read_file(file, options, enough)
    if isinstance(source, np.ndarray) and getattr(source, "unit", None) is None:
        return _from_array(source)
    return _from_flux(source, options)


def _read_file(file, options, enough):
    head = file.read(512)
    file.seek(0)
    if head.startswith(_FITS_STARTS):
        return _from_flux(file, options)
    if head.startswith((b"\xff\xd8", b"\x89PNG")):
        return _from_array(decode_picture(file.read(), enough))
    kind = next((kind for start, kind in _OTHERS.items() if head.startswith(start)), None)
    if kind is not None:
        raise CutoutError(f"the file is {kind}; expected JPEG, PNG or FITS, convert it",
                          MorphFlag.UNREADABLE)
    if not head:
        found = "the file is empty"
    elif not head.strip(b"\0"):
        found = "the file holds only zeros"
    elif head.isascii():
        found = f"the file is text: {' '.join(head.decode().split())[:60]!r}"
    else:
        found = "the file is not an image"
    raise CutoutError(f"{found}; expected JPEG, PNG or FITS, get it again", MorphFlag.UNREADABLE)


def _from_array(array):
    array = numpy_masked(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or array.ndim == 3 and array.shape[2] != 3:
        raise CutoutError("an array must have shape (y, x, 3), or (y, x) for gray, not "
                          f"{array.shape}; for flux pass a dict of bands", MorphFlag.BAD_SHAPE)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind not in "buif":
        raise CutoutError(f"pixels must be numbers, not {array.dtype}", MorphFlag.BAD_SHAPE)
    pixels, flag = array, MorphFlag(0)
    if array.dtype not in (np.uint8, np.uint16) or np.ma.isMaskedArray(array):
        pixels = np.ma.filled(array.astype(np.float32), np.nan)
        bad = ~np.isfinite(pixels)
        pixels[bad] = 0
        flag = MorphFlag.BAD_PIXELS if bad.any() else flag
        _check_normalized(pixels)
        pixels = pixels.clip(0)
    white = _white(array.dtype, pixels)
    if pixels.ndim == 2:
        pixels, flag = np.repeat(pixels[..., None], 3, axis=2), flag | MorphFlag.MISSING_BAND
    return Cutout(pixels, None, flag, white=white)


def _check_normalized(pixels):
    """Raise if almost all pixels are negative, because zero would then replace them."""
    share = np.mean(pixels < 0) if pixels.size else 0
    if share > _NEGATIVE:
        raise CutoutError(f"{100 * share:.0f}% of its pixels are negative, as in arrays that were "
                          "normalized for a network, or whose sky was subtracted twice; pass the "
                          "picture from 0 to 1, or from 0 to 255", MorphFlag.BAD_SHAPE)


def _white(dtype, pixels):
    """Pixel value that means 1."""
    if dtype == np.uint8:
        return 255.0
    peak = float(pixels.max(initial=0))
    if dtype == np.uint16:  # a picture of 8 or 12 bits may be stored in 16
        return next((white for white in (255.0, 4095.0) if peak <= white), 65535.0)
    return 1.0 if peak <= 1 else 255.0 if peak <= 255 else peak


def _from_flux(source, options):
    flux = read_planes(source, **options)
    if not any(np.ptp(plane[np.isfinite(plane)]) for plane in flux.planes.values()
               if np.isfinite(plane).any()):
        raise _blank()
    shown = shown_bands(flux.planes, flux.survey)
    scale = None if flux.native else flux.pixel_scale
    planes, dark = subtract_sky(flux.planes, flux.survey, native_area(flux.survey, scale))
    flag = flux.flag | (MorphFlag.UNKNOWN_UNIT if dark else MorphFlag(0))
    if len(set(shown) & {band.lower() for band in flux.survey.scales}) < 3:
        flag |= MorphFlag.MISSING_BAND
    if any(np.isnan(flux.planes[band]).any() for band in shown if band):
        flag |= MorphFlag.BAD_PIXELS
    pixels = color_composite(planes, flux.survey, pixel_scale=scale)
    return Cutout(np.ascontiguousarray(pixels[::-1]), flux.pixel_scale, flag,
                  stretch=flux.survey.softening**0.5)


def _check(pixels):
    if min(pixels.shape[:2]) < _MIN_SIDE:
        raise CutoutError(f"the image has {pixels.shape[1]} x {pixels.shape[0]} pixels; at least "
                          f"{_MIN_SIDE} a side are needed", MorphFlag.BAD_SHAPE)
    if is_blank(pixels):
        raise _blank()


def _is_gray(pixels):
    """Whether all bands of an image are the same."""
    return all(np.array_equal(part[..., 0], part[..., band]) for part in _parts(pixels)
               for band in range(1, part.shape[-1]))


def _blank():
    return CutoutError("the image is blank: no signal; is the galaxy in the survey's footprint?",
                       MorphFlag.BLANK)


def is_blank(pixels):
    """Tell whether no band of an image varies.

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (y, x, bands)
        The image.

    Returns
    -------
    bool
    """
    first = np.asarray(pixels[0, 0], np.float32)
    return not any((np.abs(part - first) > 1e-6).any() for part in _parts(pixels))


def _parts(pixels):
    """A few pixels, which usually decide the question, then some rows at a time."""
    return chain([pixels[::17, ::17]], (pixels[n:n + 256] for n in range(0, len(pixels), 256)))
