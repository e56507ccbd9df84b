"""FITS files and their in-memory forms -> one flux plane a band, in nanomaggies."""
import io
import os
import re
import stat
from dataclasses import dataclass, field
from functools import singledispatch

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.nddata import Cutout2D, NDData
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area

from astromorph.errors import CutoutError
from astromorph.fits_layout import PACKED, layout_fault
from astromorph.flags import MorphFlag
from astromorph.images.bands import (band_names, header_band, light_planes, parse_band,
                                     split_bands)
from astromorph.images.flux_units import linear_flux, to_nanomaggies
from astromorph.surveys import SURVEYS, get_survey

__all__ = ["MAX_PIXELS", "FluxPlanes", "band_names", "open_regular", "read_planes"]

MAX_PIXELS = 2**27  # a DES tile has 10^8; more is a damaged header or a decompression bomb
_MAX_BYTES, _MAX_HEADER = 2**30, 2**21
_END = re.compile(rb"END {77}")
_CELESTIAL = (("pos.eq.ra", "pos.eq.dec"), ("pos.galactic.lon", "pos.galactic.lat"),
              ("pos.ecliptic.lon", "pos.ecliptic.lat"))
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
    scale = _pixel_scale(image.wcs, image.data.shape[-2:])
    planes = {name: _without_empty(plane) for name, (_, plane) in zip(names, cube)}
    units = [(one.unit, one.header) for one, _ in cube]
    planes, known = to_nanomaggies(planes, units, survey, scale)
    return FluxPlanes(planes, survey, scale, not known or _is_native(image.header),
                      MorphFlag(0) if known else MorphFlag.UNKNOWN_UNIT)


def open_regular(path):
    """Open a file to read; nothing waits for a pipe or a device.

    Parameters
    ----------
    path : str or path
        Its name.

    Returns
    -------
    binary file

    Raises
    ------
    CutoutError, OSError
        If it is no regular file, or cannot be opened.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise CutoutError(f"it is {what}, not a file; get it again as a file",
                          MorphFlag.UNREADABLE)
    return open(path, "rb")


@singledispatch
def _images(source):
    raise CutoutError(f"an image is a file name, bytes, HDU, NDData, dict of bands or array, not "
                      f"{type(source).__name__}", MorphFlag.UNREADABLE)


@_images.register(str)
@_images.register(os.PathLike)
def _(source):
    with open_regular(source) as file:
        return _images(file)


@_images.register
def _(source: bytes):
    return _images(io.BytesIO(source))


@_images.register
def _(source: io.IOBase):
    source = _uncompressed(source)
    size = source.seek(0, os.SEEK_END)
    if (fault := layout_fault(source)) is not None:
        raise CutoutError(f"the FITS file cannot be read: {fault}; get it again",
                          MorphFlag.UNREADABLE)
    if size % 2880 and size < _MAX_BYTES:  # the last padding may be missing
        source = io.BytesIO(source.read() + bytes(-size % 2880))
    with fits.open(source, memmap=False) as hdus:
        return _images(hdus)


@_images.register
def _(source: fits.HDUList):
    """Take the images that are light."""
    return [_from_hdu(hdu, source[0].header, band) for hdu, band in light_planes(source)]


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


def _from_hdu(hdu, primary, band=None):
    _check_shape(hdu.shape)
    header = hdu.header
    if isinstance(hdu, fits.CompImageHDU) and 4 * np.prod(hdu.shape, dtype=float) > _MAX_BYTES:
        raise CutoutError(f"the compressed image has shape {hdu.shape}, more than {_MAX_BYTES} "
                          "bytes; cut out the galaxy first", MorphFlag.BAD_SHAPE)
    if header["BITPIX"] == 8 and len(hdu.shape) == 3:
        raise CutoutError("a FITS cube of 8-bit planes is a picture, not flux; get it as JPEG or "
                          "PNG, or pass its array as (y, x, 3)", MorphFlag.BAD_SHAPE)
    if primary is not header:
        header = primary.copy()
        header.update(hdu.header)
    flux = linear_flux(_as_flux(*_stored(hdu)), header)
    return _Image(flux, header, _plain_wcs(hdu.header, primary), name=band)


def _stored(hdu):
    """The data of an HDU, and where its integers are BLANK, which Astropy leaves if unsigned."""
    blank, zero, scale = (hdu.header.get(key) for key in ("BLANK", "BZERO", "BSCALE"))
    data = hdu.data
    if data.dtype.kind not in "iu" or blank is None:
        return data, None
    if not isinstance(blank, int):
        raise CutoutError(f"its card BLANK, {blank!r}, is no integer; get it again",
                          MorphFlag.UNREADABLE)
    value = blank * (1 if scale is None else scale) + (zero or 0)
    return data, data == value


def _plain_wcs(header, primary):
    """WCS of a header's linear terms: quiet, fast and enough for the pixel scale.

    At the reference point all projections have the scale of TAN, which needs no other terms.
    """
    if "CTYPE1" not in header and "CTYPE1" in primary and header.get("INHERIT", True) and (
            primary.get("NAXIS") == 0 or header.get("INHERIT")):
        header = primary
    cards = [card for card in header.cards if _WCS_KEY.match(card.keyword)]
    known = all(card.value is not None for card in cards)  # raises where a card is damaged
    try:
        plain = fits.Header(cards if known else [])
        for key in ("CTYPE1", "CTYPE2"):
            plain[key] = re.sub(r"^(.{4}-)[A-Z]{3}.*", r"\1TAN", plain[key])
        return WCS(plain)
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
    if not block.any():
        return plane
    finite = plane[np.isfinite(plane)]
    if np.array_equal(finite, np.rint(finite)) and finite.any():
        return plane
    empty = np.zeros_like(zero)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        empty[y:y + block.shape[0], x:x + block.shape[1]] |= block
    return np.where(empty, np.float32(np.nan), plane)


def _uncompressed(file):
    head = file.read(3)
    file.seek(0)
    opener = PACKED.get(head[:2])
    if opener is None:
        return file
    with opener(file) as packed:
        data = packed.read(2880)
        if not data.startswith(b"SIMPLE  ="):
            raise CutoutError("the compressed file holds no FITS; get it again",
                              MorphFlag.UNREADABLE)
        while not _END.search(data) and len(data) < _MAX_HEADER and (more := packed.read(2880)):
            data += more
        promised = fits.Header.fromstring(data).data_size
        if promised <= _MAX_BYTES:
            data += packed.read(_MAX_BYTES + 1)
    if max(len(data), promised) > _MAX_BYTES:
        raise CutoutError(f"the compressed file holds more than {_MAX_BYTES} bytes; cut out the "
                          "galaxy first", MorphFlag.BAD_SHAPE)
    return io.BytesIO(data)


def _name_planes(images, count, survey, bands):
    """Names of the planes: the argument, the dict's keys, the headers; a single one may lack it."""
    record = survey and get_survey(survey)
    own = record.bands if record else ()
    if bands is None and images[0].name is not None:
        bands = [image.name for image in images]
    header = images[0].header
    if bands is None and count > 1 and len(images) == 1:
        bands = [header.get(f"BAND{i}") for i in range(count)]
        if None in bands:
            bands = split_bands(str(header.get("BANDS", "")), own)
    elif bands is None:
        bands = [header_band(image.header, own) for image in images]
    if count == 1 and (not bands or None in bands):
        bands = [get_survey(survey or SURVEYS["sdss"]).rgb[1]]
    names = [parse_band(band, own) for band in bands]
    if None in names or len(set(names)) < len(names) or len(names) != count:
        raise CutoutError(f"found {count} plane(s) for the bands {list(bands)}; name each plane "
                          "once with bands=, e.g. bands='grz'", MorphFlag.BAD_SHAPE)
    return names


def _pixel_scale(wcs, shape):
    """Arcseconds per pixel, or None without a celestial WCS."""
    try:
        if hasattr(wcs, "celestial"):
            scale = 3600 * float(np.sqrt(proj_plane_pixel_area(wcs.celestial)))
        else:
            scale = _scale_at_center(wcs, shape)
    except Exception:  # no WCS, none that is celestial, a singular matrix
        return None
    return scale if np.isfinite(scale) and scale > 0 else None


def _scale_at_center(wcs, shape):
    """Arcseconds per pixel of any WCS of Astropy's interface: sliced or wrapped."""
    wcs = getattr(wcs, "low_level_wcs", wcs)
    kinds = list(wcs.world_axis_physical_types)
    axes = next([kinds.index(kind) for kind in pair] for pair in _CELESTIAL if pair[0] in kinds)
    at = np.zeros((wcs.pixel_n_dim, 3))
    at[:2] = np.array([[shape[1] / 2], [shape[0] / 2]]) + [[0, 1, 0], [0, 0, 1]]
    world = np.atleast_2d(wcs.pixel_to_world_values(*at))
    lon, lat = ((world[axis] * u.Unit(wcs.world_axis_units[axis])).to_value(u.rad)
                for axis in axes)
    points = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]).T
    area = np.linalg.norm(np.cross(points[1] - points[0], points[2] - points[0]))
    return float(np.sqrt(area) * u.rad.to(u.arcsec))


def _is_native(header):
    """Services that interpolate keep the value of a native pixel at every pixel scale.

    The Legacy Surveys viewer does (measured: its noise per pixel is the same at 0.10, 0.14 and
    0.26 arcsec); only it writes ``BAND0`` and ``BANDS`` with ``SURVEY``. So does hips2fits.
    """
    viewer = all(key in header for key in ("BANDS", "BAND0", "SURVEY"))
    return viewer or "hips2fits" in str(header.get("HISTORY", "")).lower()
