"""Find the images in every form of flux: files, HDUs, NDData, arrays and dicts of bands."""
import io
import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import singledispatch

import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D, NDData
from astropy.utils.masked import Masked

from astromorph.errors import CutoutError
from astromorph.fits_layout import PACKED, layout_fault, promised_size
from astromorph.flags import MorphFlag
from astromorph.images.bands import header_band, light_planes, parse_band
from astromorph.images.celestial import linear_wcs, wcs_header
from astromorph.images.flux_units import is_flux, linear_flux
from astromorph.images.packed import check_packed

__all__ = ["Files", "StoredImage", "numpy_masked", "open_regular", "stored_images"]

_MAX_BYTES, _MAX_HEADER = 2**30, 2**21
_END = re.compile(rb"END {77}")


@dataclass(frozen=True)
class StoredImage:
    """An image that is not read yet, with its metadata.

    Parameters
    ----------
    shape : tuple of int
        (y, x) or (band, y, x).
    read : callable
        Takes None, or the slices of y and x. Returns flux, (..., y, x) float32, NaN where there is
        no data.
    header : mapping
        Cards of the image.
    wcs : object or None
        A WCS that is good enough for the pixel scale.
    sky : object or None
        The argument of `~astromorph.images.celestial.pixels_of`, if that is not ``wcs``.
    unit : object or None
        Unit of the flux.
    name : str or None
        Name of the band in a dict of bands.
    """

    shape: tuple
    read: Callable
    header: Mapping = field(default_factory=dict)
    wcs: object = None
    sky: object = None
    unit: object = None
    name: str | None = None


class Files(ExitStack):
    """Open files, to close together, and the names of bands that they may use.

    Parameters
    ----------
    own : iterable of str
        Names of a survey's bands other than u, g, r, i, z, Y.
    """

    def __init__(self, own=()):
        super().__init__()
        self.own = own


def open_regular(path):
    """Open a regular file for reading; opening a pipe or a device might wait forever.

    Parameters
    ----------
    path : str or path
        Name of the file.

    Returns
    -------
    binary file

    Raises
    ------
    CutoutError, OSError
        If it is not a regular file, or cannot be opened.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise CutoutError(f"it is {what}, not a file; get it again as a file",
                          MorphFlag.UNREADABLE)
    return open(path, "rb")


@singledispatch
def stored_images(source, files):
    """Find the images that hold light in a source of any form.

    Parameters
    ----------
    source : object
        See `~astromorph.images.fits_planes.read_planes`.
    files : Files
        Collects the open files.

    Returns
    -------
    list of StoredImage

    Raises
    ------
    CutoutError, OSError
        If the source cannot be read or holds no such image.
    """
    raise CutoutError(f"an image is a file name, bytes, HDU, NDData, dict of bands or array, not "
                      f"{type(source).__name__}", MorphFlag.UNREADABLE)


@stored_images.register(str)
@stored_images.register(os.PathLike)
def _(source, files):
    return stored_images(files.enter_context(open_regular(source)), files)


@stored_images.register
def _(source: bytes, files):
    return stored_images(io.BytesIO(source), files)


@stored_images.register
def _(source: io.IOBase, files):
    source = _uncompressed(source)
    size = source.seek(0, os.SEEK_END)
    if (fault := layout_fault(source)) is not None:
        raise CutoutError(f"the FITS file cannot be read: {fault}; get it again",
                          MorphFlag.UNREADABLE)
    if size % 2880 and size < _MAX_BYTES:  # the last padding may be missing
        source = io.BytesIO(source.read() + bytes(-size % 2880))
    hdus = files.enter_context(fits.open(source, memmap=False))
    if any(isinstance(hdu, fits.CompImageHDU) for hdu in hdus):
        check_packed(source)
    return _light(hdus, _part_of_file, files.own)


@stored_images.register
def _(source: fits.HDUList, files):
    return _light(source, _part_in_memory, files.own)


@stored_images.register(fits.PrimaryHDU)
@stored_images.register(fits.ImageHDU)
@stored_images.register(fits.CompImageHDU)
def _(source, files):
    return [_from_hdu(source, source.header, _part_in_memory)]


@stored_images.register
def _(source: NDData, files):
    shape = np.shape(source.data)
    mask = None if source.mask is None else np.broadcast_to(source.mask, shape)
    return [_from_array(source.data, mask, header=source.meta, wcs=source.wcs, unit=source.unit)]


@stored_images.register
def _(source: Cutout2D, files):
    return [_from_array(source.data, wcs=source.wcs)]


@stored_images.register
def _(source: np.ndarray, files):
    return [_from_array(source)]


@stored_images.register
def _(source: dict, files):
    if not source:
        raise CutoutError("the dict of bands is empty", MorphFlag.BAD_SHAPE)
    images = []
    for name, value in source.items():
        image, *others = stored_images(value, files)
        if others or len(image.shape) != 2:
            raise CutoutError(f"band {name!r} of the dict must hold one 2-D image",
                              MorphFlag.BAD_SHAPE)
        told, own = header_band(image.header, files.own), parse_band(name, files.own)
        if told and own and told != own:
            raise CutoutError(f"the dict calls an image band {name!r}, but its header says band "
                              f"{told!r}; exchange the images, or delete the wrong card",
                              MorphFlag.BAD_SHAPE)
        images.append(replace(image, name=str(name)))
    return images


def _from_array(data, mask=None, *, unit=None, **other):
    """An image in memory."""
    _check_shape(np.shape(data))
    unit = getattr(data, "unit", None) if unit is None else unit

    def read(part):
        part = (...,) if part is None else (..., *part)
        flux = _as_flux(data[part], mask if mask is None else mask[part])
        return flux if is_flux(unit) else linear_flux(flux, other.get("header", {}))

    return StoredImage(np.shape(data), read, unit=unit, **other)


def _light(hdus, data_of, own):
    """The images of a file that hold light."""
    return [_from_hdu(hdu, hdus[0].header, data_of, band, hdus)
            for hdu, band in light_planes(hdus, own)]


def _from_hdu(hdu, primary, data_of, band=None, hdus=None):
    """An image in an HDU, which may belong to an open file."""
    shape, header = _without_single(hdu.shape), hdu.header
    _check_shape(shape)
    if header["BITPIX"] == 8 and len(hdu.shape) == 3:
        raise CutoutError("a FITS cube of 8-bit planes is a picture, not flux; get it as JPEG or "
                          "PNG, or pass its array as (y, x, 3)", MorphFlag.BAD_SHAPE)
    where, blank = wcs_header(header, primary), _blank(header)
    if primary is not header:
        header = primary.copy()
        header.update(hdu.header)

    def read(part):
        data = _whole(hdu) if part is None else data_of(hdu, *part)
        data = data.reshape(shape[:-2] + data.shape[-2:])
        _check_scaled(data, hdu.header)
        bad = data == blank if data.dtype.kind in "iu" and blank is not None else None
        return linear_flux(_as_flux(data, bad), header)

    return StoredImage(shape, read, header, linear_wcs(where), (where, hdus), name=band)


def _check_scaled(data, header):
    """Raise for integers that were read without their scale, which `astropy.io.fits` can do."""
    signed = data.dtype.kind == "i" and header["BITPIX"] != 8  # unsigned integers keep BZERO
    if data.dtype.kind in "iu" and header.get("BSCALE", 1) != 1 or signed and header.get("BZERO"):
        raise CutoutError("its HDUList was opened without BSCALE and BZERO; open it with "
                          "fits.open(path)", MorphFlag.BAD_SHAPE)


def _whole(hdu):
    if isinstance(hdu, fits.CompImageHDU) and 4 * np.prod(hdu.shape, dtype=float) > _MAX_BYTES:
        raise CutoutError(f"the compressed image has shape {hdu.shape}, more than {_MAX_BYTES} "
                          "bytes; cut out the galaxy first", MorphFlag.BAD_SHAPE)
    return hdu.data


def _part_of_file(hdu, y, x):
    """Read a part of an HDU from its open file; reading whole rows is the fastest way."""
    if isinstance(hdu, fits.CompImageHDU):
        return hdu.section[..., y, x]
    return hdu.section[..., y, :][..., x]


def _part_in_memory(hdu, y, x):
    return hdu.data[..., y, x]


def _blank(header):
    """The value that means "no data" in integers; Astropy keeps it in unsigned integers."""
    blank, zero, scale = (header.get(key) for key in ("BLANK", "BZERO", "BSCALE"))
    if header["BITPIX"] < 0 or blank is None:
        return None
    if not isinstance(blank, int):
        raise CutoutError(f"its card BLANK, {blank!r}, is not an integer; get it again",
                          MorphFlag.UNREADABLE)
    return blank * (1 if scale is None else scale) + (zero or 0)


def _without_single(shape):
    """A shape without a fourth axis, and more, of one plane, as radio astronomers write them."""
    return _without_single(shape[1:]) if len(shape) > 3 and shape[0] == 1 else shape


def _check_shape(shape):
    """Raise if an array of this shape cannot be an image, before its data is read."""
    if len(shape) not in (2, 3) or len(shape) == 3 and not 1 <= shape[0] <= 12:
        raise CutoutError(f"flux must have shape (y, x) or (band, y, x), not {tuple(shape)}",
                          MorphFlag.BAD_SHAPE)


def _as_flux(data, mask=None):
    """Copy to float32 in native byte order, NaN where masked or not finite."""
    data = numpy_masked(data)
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


def numpy_masked(data):
    """Convert an array with a mask of Astropy (`~astropy.utils.masked.Masked`) to NumPy's own.

    Parameters
    ----------
    data : array-like

    Returns
    -------
    array-like
        Other arrays are returned unchanged.
    """
    return np.ma.masked_array(data.unmasked, data.mask) if isinstance(data, Masked) else data


def _uncompressed(file):
    head = file.read(3)
    file.seek(0)
    opener = PACKED.get(head[:2])
    if opener is None:
        return file
    with opener(file) as packed:
        data = packed.read(2880)
        if not data.startswith(b"SIMPLE  ="):
            raise CutoutError("the compressed file is not a FITS file; get it again",
                              MorphFlag.UNREADABLE)
        while not _END.search(data) and len(data) < _MAX_HEADER and (more := packed.read(2880)):
            data += more
        promised = promised_size(data)
        if promised <= _MAX_BYTES:
            data += packed.read(_MAX_BYTES + 1)
    if max(len(data), promised) > _MAX_BYTES:
        raise CutoutError(f"the compressed file holds more than {_MAX_BYTES} bytes; cut out the "
                          "galaxy first", MorphFlag.BAD_SHAPE)
    return io.BytesIO(data)
