"""FITS files and their in-memory forms -> one flux plane a band, in nanomaggies."""
import bz2
import gzip
import io
import os
import re
from dataclasses import dataclass, field
from functools import singledispatch
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D, NDData
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area

from astromorph.errors import CutoutError, wrong
from astromorph.flags import MorphFlag
from astromorph.images.flux_units import to_nanomaggies
from astromorph.surveys import SURVEYS, get_survey

__all__ = ["MAX_PIXELS", "FluxPlanes", "band_names", "read_planes"]

MAX_PIXELS = 2**27  # a DES tile has 10^8; more is a damaged header or a decompression bomb
_MAX_BYTES = 2**30
_NOT_IMAGES = re.compile(r"inv?var|ivar|weight|mask|err|rms|psf|var|\bdq|bkg|sky", re.IGNORECASE)
_BAND = re.compile(r"(?:^|[^a-z])([ugrizy])(?![a-z])", re.IGNORECASE)
_WCS_KEY = re.compile(r"(CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)[12]$|(CD|PC)[12]_[12]$")


@dataclass(frozen=True)
class FluxPlanes:
    """The bands of one image; row 0 is at the bottom, as in FITS.

    Parameters
    ----------
    planes : dict
        Band name to flux, (y, x) float32 in nanomaggies per pixel, NaN where there is no data.
    survey : `~astromorph.surveys.Survey`
        Whose color mapping applies.
    pixel_scale : float or None
        Arcseconds per pixel.
    native : bool
        The flux is already that of one native pixel of the survey, whatever the pixel scale.
    flag : `~astromorph.flags.MorphFlag`
    """

    planes: dict
    survey: object
    pixel_scale: float | None
    native: bool
    flag: MorphFlag


@dataclass(frozen=True)
class _Image:
    """A 2-D or (band, y, x) array and what came along with it."""

    data: np.ndarray
    header: dict = field(default_factory=dict)
    wcs: object = None
    unit: object = None
    name: str | None = None


def read_planes(source, *, survey=None, bands=None):
    """Read the bands of one image.

    Parameters
    ----------
    source : path, bytes, binary file, `~astropy.io.fits.HDUList`, HDU, \
            `~astropy.nddata.NDData`, `~astropy.nddata.Cutout2D` or dict
        FITS in any form: a (band, y, x) cube, one HDU per band, one band, or a dict of one of these
        (or a 2-D array) for each band name.
    survey : str or `~astromorph.surveys.Survey`, optional
        By default Legacy Surveys for images with z and no i, SDSS for all others.
    bands : sequence of str, optional
        Names of the planes in their order, in place of those in the headers.

    Returns
    -------
    FluxPlanes

    Raises
    ------
    CutoutError
        If the image cannot be used.
    """
    images = _images(source)
    shapes = {image.data.shape[-2:] for image in images}
    if len(shapes) != 1:
        raise CutoutError(f"the bands have different shapes, {sorted(shapes)}; resample them to "
                          "one grid", MorphFlag.BAD_SHAPE)
    cube = [(image, plane) for image in images
            for plane in (image.data if image.data.ndim == 3 else [image.data])]
    names = _name_planes(images, len(cube), survey, bands)
    survey = get_survey(survey or ("legacy" if "z" in names and "i" not in names else "sdss"))
    image = images[0]
    scale = _pixel_scale(image.wcs)
    planes = {name: _without_empty(plane) for name, (_, plane) in zip(names, cube)}
    units = [(one.unit, one.header) for one, _ in cube]
    planes, known = to_nanomaggies(planes, units, survey, scale)
    return FluxPlanes(planes, survey, scale, not known or _is_native(image.header),
                      MorphFlag(0) if known else MorphFlag.UNKNOWN_UNIT)


def band_names(bands, survey=None):
    """Check the ``bands`` argument: an iterable of names such as ``"grz"`` or ``["g", "r"]``.

    Parameters
    ----------
    bands : iterable of str
        Different names in upper or lower case: u, g, r, i, z, Y, and the survey's own.
    survey : `~astromorph.surveys.Survey`, optional
        A record that may name others.

    Returns
    -------
    list of str
        In lower case.

    Raises
    ------
    ValueError
        If they are others, or a band is named twice.
    """
    own = [band for band in survey.bands if band.lower() not in "ugrizy"] if survey else []
    names, known = [str(band).lower() for band in bands], [*"ugrizy", *(map(str.lower, own))]
    if not names or len(set(names)) < len(names) or not set(names) <= set(known):
        raise wrong("bands", f"different names out of {', '.join([*'ugriz', 'Y', *own])}",
                    repr(bands))
    return names


@singledispatch
def _images(source):
    raise CutoutError(f"an image is a file name, bytes, HDU, NDData, dict of bands or array, not "
                      f"{type(source).__name__}", MorphFlag.UNREADABLE)


@_images.register(str)
@_images.register(os.PathLike)
def _(source):
    with Path(source).open("rb") as file:
        return _images(file)


@_images.register
def _(source: bytes):
    return _images(io.BytesIO(source))


@_images.register
def _(source: io.IOBase):
    source = _uncompressed(source)
    with fits.open(source, memmap=False) as hdus:
        _check_length(hdus, source)
        return _images(hdus)


@_images.register
def _(source: fits.HDUList):
    """Take the first image and those that are evidently its other bands."""
    images = [hdu for hdu in source if hdu.is_image and len(hdu.shape) > 1 and hdu.size
              and not _NOT_IMAGES.search(f"{hdu.name} {hdu.header.get('IMAGETYP', '')}")]
    if not images:
        raise CutoutError("the FITS file holds no image", MorphFlag.BAD_SHAPE)
    first = images[0]
    same = [hdu for hdu in images if hdu.shape == first.shape and len(hdu.shape) == 2
            and (hdu.header["BITPIX"] < 0) == (first.header["BITPIX"] < 0)
            and bool(_header_band(hdu.header)) == bool(_header_band(first.header))]
    return [_from_hdu(hdu, source[0].header) for hdu in same or [first]]


@_images.register(fits.PrimaryHDU)
@_images.register(fits.ImageHDU)
@_images.register(fits.CompImageHDU)
def _(source):
    return [_from_hdu(source, source.header)]


@_images.register
def _(source: NDData):
    mask = None if source.mask is None else np.broadcast_to(source.mask, np.shape(source.data))
    return [_Image(_as_flux(source.data, mask), source.meta, source.wcs, source.unit)]


@_images.register
def _(source: Cutout2D):
    return [_Image(_as_flux(source.data), wcs=source.wcs, unit=getattr(source.data, "unit", None))]


@_images.register
def _(source: np.ndarray):
    return [_Image(_as_flux(source), unit=getattr(source, "unit", None))]


@_images.register
def _(source: dict):
    if not source:
        raise CutoutError("the dict of bands is empty", MorphFlag.BAD_SHAPE)
    images = []
    for name, value in source.items():
        found = _images(value)
        if len(found) > 1 or found[0].data.ndim != 2:
            raise CutoutError(f"band {name!r} of the dict must hold one 2-D image",
                              MorphFlag.BAD_SHAPE)
        image = found[0]
        images.append(_Image(image.data, image.header, image.wcs, image.unit, str(name)))
    return images


def _from_hdu(hdu, primary):
    _check_shape(hdu.shape)
    header = hdu.header
    if header["BITPIX"] == 8 and len(hdu.shape) == 3:
        raise CutoutError("a FITS cube of 8-bit planes is a picture, not flux; get it as JPEG or "
                          "PNG, or pass its array as (y, x, 3)", MorphFlag.BAD_SHAPE)
    if primary is not header:
        header = primary.copy()
        header.update(hdu.header)
    return _Image(_as_flux(hdu.data), header, _plain_wcs(hdu.header))


def _plain_wcs(header):
    """WCS of a header's linear terms: quiet, fast and enough for the pixel scale."""
    try:
        return WCS(fits.Header([card for card in header.cards if _WCS_KEY.match(card.keyword)]))
    except Exception:  # the many ways to write a WCS wrong; the image itself is still good
        return None


def _check_shape(shape):
    """Refuse what cannot be an image before its data is read."""
    if len(shape) not in (2, 3) or len(shape) == 3 and not 1 <= shape[0] <= 12:
        raise CutoutError(f"flux must have shape (y, x) or (band, y, x), not {tuple(shape)}",
                          MorphFlag.BAD_SHAPE)
    if np.prod(shape[-2:], dtype=float) > MAX_PIXELS:
        raise CutoutError(f"the image has {shape[-1]} x {shape[-2]} pixels, more than {MAX_PIXELS};"
                          " cut out the galaxy first", MorphFlag.BAD_SHAPE)


def _as_flux(data, mask=None):
    """Native float32 copy, NaN where masked or not finite."""
    _check_shape(np.shape(data))
    if np.ma.isMaskedArray(data):
        mask = np.ma.getmaskarray(data) if mask is None else mask | np.ma.getmaskarray(data)
        data = data.data
    data = np.asarray(data)
    if data.dtype.kind not in "biuf":
        raise CutoutError(f"pixels must be numbers, not {data.dtype}", MorphFlag.BAD_SHAPE)
    with np.errstate(over="ignore", invalid="ignore"):
        flux = data.astype(np.float32)
    flux[~np.isfinite(flux)] = np.nan
    if mask is not None:
        flux[np.asarray(mask, bool)] = np.nan
    return flux


def _without_empty(plane):
    """Mark areas of exact zeros, "no data" in calibrated flux; in whole counts they are values.

    A single zero may be chance: only blocks of 2 x 2 or more count.
    """
    zero = plane == 0
    block = zero[:-1, :-1] & zero[:-1, 1:] & zero[1:, :-1] & zero[1:, 1:]
    finite = plane[np.isfinite(plane)]
    if not block.any() or np.array_equal(finite, np.rint(finite)) and finite.any():
        return plane
    empty = np.zeros_like(zero)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        empty[y:y + block.shape[0], x:x + block.shape[1]] |= block
    return np.where(empty, np.float32(np.nan), plane)


def _uncompressed(file):
    head = file.read(3)
    file.seek(0)
    opener = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}.get(head[:2])
    if opener is None:
        return file
    with opener(file) as packed:
        data = packed.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise CutoutError(f"the compressed file holds more than {_MAX_BYTES} bytes; cut out the "
                          "galaxy first", MorphFlag.BAD_SHAPE)
    return io.BytesIO(data)


def _check_length(hdus, file):
    """Compare the bytes there are with those the headers promise: astropy only warns."""
    size = file.seek(0, os.SEEK_END)
    info = hdus[len(hdus) - 1].fileinfo()
    end = info["datLoc"] + info["datSpan"]
    file.seek(min(end, size))
    if end > size or file.read(8) == b"XTENSION":
        raise CutoutError(f"the FITS file is truncated or damaged: it has {size} bytes, its "
                          f"headers promise {'more' if end <= size else end}; get it again",
                          MorphFlag.UNREADABLE)


def _header_band(header):
    """Name of the band that a header gives, or None."""
    for key in ("BAND", "FILTER", "BAND0", "EXTNAME"):
        match = _BAND.search(str(header.get(key, "")))
        if match:
            return match.group(1).lower()
    return None


def _name_planes(images, count, survey, bands):
    """Names of the planes: the argument, the dict's keys, the headers, else the survey's order."""
    if bands is None and images[0].name is not None:
        bands = [image.name for image in images]
    header = images[0].header
    if bands is None and count > 1 and len(images) == 1:
        bands = [header.get(f"BAND{i}") for i in range(count)]
        if None in bands:
            bands = re.findall("[a-zA-Z]", str(header.get("BANDS", "")))
    elif bands is None:
        bands = [_header_band(image.header) for image in images]
    if not bands or None in bands:
        bands = _assumed_bands(count, get_survey(survey or SURVEYS["sdss"]))
    record = survey and get_survey(survey)
    own = [band.lower() for band in record.bands] if record else []
    try:
        names = band_names([band if str(band).lower() in own else _BAND.sub(r"\1", str(band))
                            for band in bands], record)
    except ValueError:
        names = []
    if len(names) != count:
        raise CutoutError(f"found {count} plane(s) for the bands {list(bands)}; name each plane "
                          "once with bands=, e.g. bands='grz'", MorphFlag.BAD_SHAPE)
    return names


def _assumed_bands(count, survey):
    """Bands of planes without a name: the survey's record, by their number."""
    shown = survey.rgb[::-1]
    return {1: (survey.rgb[1],), 2: shown[:2], 3: shown}.get(count, survey.bands)


def _pixel_scale(wcs):
    """Arcseconds per pixel, or None without a celestial WCS."""
    try:
        scale = 3600 * float(np.sqrt(proj_plane_pixel_area(wcs.celestial)))
    except Exception:  # no WCS, another API's WCS, none that is celestial, a singular matrix
        return None
    return scale if np.isfinite(scale) and scale > 0 else None


def _is_native(header):
    """Services that interpolate keep the value of a native pixel at every pixel scale.

    The Legacy Surveys viewer does (measured: its noise per pixel is the same at 0.10, 0.14 and
    0.26 arcsec); only it writes ``BAND0`` and ``BANDS`` with ``SURVEY``. So does hips2fits.
    """
    viewer = all(key in header for key in ("BANDS", "BAND0", "SURVEY"))
    return viewer or "hips2fits" in str(header.get("HISTORY", "")).lower()
