"""FITS files and their in-memory forms -> one flux plane a band, in nanomaggies."""
import bz2
import gzip
import io
import os
import re
import stat
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import singledispatch

import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D, NDData
from astropy.nddata.utils import overlap_slices

from astromorph.errors import CutoutError
from astromorph.flags import MorphFlag
from astromorph.images.bands import (band_names, header_band, light_planes, parse_band,
                                     split_bands)
from astromorph.images.celestial import linear_wcs, pixel_scale, pixels_of, wcs_header
from astromorph.images.flux_units import linear_flux, to_nanomaggies
from astromorph.surveys import SURVEYS, get_survey

__all__ = ["MAX_PIXELS", "FluxPlanes", "ImagePart", "OpenImage", "band_names", "open_regular",
           "read_planes"]

MAX_PIXELS = 2**27  # a DES tile has 10^8; more is a damaged header or a decompression bomb
_MAX_BYTES, _MAX_HEADER = 2**30, 2**21
_END = re.compile(rb"END {77}")


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
    """A 2-D or (band, y, x) image that is to be read, and what came along with it."""

    shape: tuple
    read: Callable  # of None or the slices of y and x; gives flux, NaN where there is no data
    header: Mapping = field(default_factory=dict)
    wcs: object = None
    sky: object = None  # what `pixels_of` takes, if not the WCS
    unit: object = None
    name: str | None = None


class OpenImage:
    """An image that is opened once, to be read whole or in parts; a context manager.

    Threads may share it. It is closed when nobody holds it any more.

    Parameters
    ----------
    source : object
        See `read_planes`.
    own : sequence of str
        Names of bands that a survey has besides u, g, r, i, z, Y.

    Attributes
    ----------
    shape : tuple of int
        (y, x).
    pixel_scale : float or None
        Arcseconds per pixel.

    Raises
    ------
    CutoutError, OSError
        If the image cannot be used.
    """

    def __init__(self, source, own=()):
        with _Files(own) as files:
            self._images = _images(source, files)
            self.shape = _one_shape(self._images)
            self.pixel_scale = pixel_scale(self._images[0].wcs, self.shape)
            self._lock = threading.Lock()
            self.close = weakref.finalize(self, files.pop_all().close)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def pixels_of(self, ra, dec):
        """Find the pixels that show positions.

        Parameters
        ----------
        ra, dec : `~numpy.ndarray`, shape (n,)
            ICRS, degrees.

        Returns
        -------
        x, y : `~numpy.ndarray`, shape (n,)
            NaN for positions outside the image.

        Raises
        ------
        ValueError
            If the image has no celestial WCS.
        """
        image = self._images[0]
        return pixels_of(image.wcs if image.sky is None else image.sky, self.shape, ra, dec)

    def read(self, part=None, *, survey=None, bands=None):
        """Read the bands.

        Parameters
        ----------
        part : tuple of slice, optional
            Of y and x; by default the whole image.
        survey, bands
            See `read_planes`.

        Returns
        -------
        FluxPlanes
        """
        _check_size(self.shape if part is None else [one.stop - one.start for one in part])
        with self._lock:
            flux = [image.read(part) for image in self._images]
        cube = [(image, plane) for image, data in zip(self._images, flux)
                for plane in (data if data.ndim == 3 else [data])]
        names = _name_planes(self._images, len(cube), survey, bands)
        survey = get_survey(survey or ("legacy" if "z" in names and "i" not in names else "sdss"))
        planes = {name: _without_empty(plane) for name, (_, plane) in zip(names, cube)}
        units = [(image.unit, image.header) for image, _ in cube]
        planes, known = to_nanomaggies(planes, units, survey, self.pixel_scale)
        return FluxPlanes(planes, survey, self.pixel_scale,
                          not known or _is_native(self._images[0].header),
                          MorphFlag(0) if known else MorphFlag.UNKNOWN_UNIT)


class _Files(ExitStack):
    """Files that are open, and the names of bands that they may have besides."""

    def __init__(self, own=()):
        super().__init__()
        self.own = own


@dataclass(frozen=True)
class ImagePart:
    """A square of an open image around a pixel, as `~astropy.nddata.Cutout2D` cuts it.

    Parameters
    ----------
    image : OpenImage
        The image.
    x, y : float
        Of the center, which is in the image.
    side : int
        Pixels.
    label : str
        What messages call it.
    """

    image: OpenImage
    x: float
    y: float
    side: int
    label: str = "part of an image"

    def read(self, **options):
        """Read the bands; NaN stands for what is outside the image.

        Parameters
        ----------
        **options
            See `OpenImage.read`.

        Returns
        -------
        FluxPlanes
        """
        square = (self.side, self.side)
        there, here = overlap_slices(self.image.shape, square, (self.y, self.x))
        flux = self.image.read(there, **options)
        planes = {name: np.full(square, np.nan, np.float32) for name in flux.planes}
        for name, plane in planes.items():
            plane[here] = flux.planes[name]
        return replace(flux, planes=planes)


def read_planes(source, *, survey=None, bands=None):
    """Read the bands of one image.

    Parameters
    ----------
    source : path, bytes, binary file, `~astropy.io.fits.HDUList`, HDU, \
            `~astropy.nddata.NDData`, `~astropy.nddata.Cutout2D`, `ImagePart` or dict
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
    survey = survey and get_survey(survey)
    if isinstance(source, ImagePart):
        return source.read(survey=survey, bands=bands)
    with OpenImage(source, survey.bands if survey else ()) as image:
        return image.read(survey=survey, bands=bands)


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
def _images(source, files):
    raise CutoutError(f"an image is a file name, bytes, HDU, NDData, dict of bands or array, not "
                      f"{type(source).__name__}", MorphFlag.UNREADABLE)


@_images.register(str)
@_images.register(os.PathLike)
def _(source, files):
    return _images(files.enter_context(open_regular(source)), files)


@_images.register
def _(source: bytes, files):
    return _images(io.BytesIO(source), files)


@_images.register
def _(source: io.IOBase, files):
    source = _uncompressed(source)
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    if size % 2880 and size < _MAX_BYTES:  # the last padding may be missing
        source = io.BytesIO(source.read() + bytes(-size % 2880))
    hdus = files.enter_context(fits.open(source, memmap=False))
    _check_length(hdus, source, size)
    return _light(hdus, _part_of_file, files.own)


@_images.register
def _(source: fits.HDUList, files):
    return _light(source, _part_in_memory, files.own)


@_images.register(fits.PrimaryHDU)
@_images.register(fits.ImageHDU)
@_images.register(fits.CompImageHDU)
def _(source, files):
    return [_from_hdu(source, source.header, _part_in_memory)]


@_images.register
def _(source: NDData, files):
    shape = np.shape(source.data)
    mask = None if source.mask is None else np.broadcast_to(source.mask, shape)
    return [_from_array(source.data, mask, header=source.meta, wcs=source.wcs, unit=source.unit)]


@_images.register
def _(source: Cutout2D, files):
    return [_from_array(source.data, wcs=source.wcs)]


@_images.register
def _(source: np.ndarray, files):
    return [_from_array(source)]


@_images.register
def _(source: dict, files):
    if not source:
        raise CutoutError("the dict of bands is empty", MorphFlag.BAD_SHAPE)
    images = []
    for name, value in source.items():
        image, *others = _images(value, files)
        if others or len(image.shape) != 2:
            raise CutoutError(f"band {name!r} of the dict must hold one 2-D image",
                              MorphFlag.BAD_SHAPE)
        images.append(replace(image, name=str(name)))
    return images


def _from_array(data, mask=None, *, unit=None, **other):
    """An image in memory."""
    _check_shape(np.shape(data))
    unit = getattr(data, "unit", None) if unit is None else unit

    def read(part):
        part = (...,) if part is None else (..., *part)
        return _as_flux(data[part], mask if mask is None else mask[part])

    return _Image(np.shape(data), read, unit=unit, **other)


def _light(hdus, data_of, own):
    """The images of a file that are light."""
    return [_from_hdu(hdu, hdus[0].header, data_of, band)
            for hdu, band in light_planes(hdus, own)]


def _from_hdu(hdu, primary, data_of, band=None):
    """An image of a file, or one that may become a file's."""
    _check_shape(hdu.shape)
    header = hdu.header
    if header["BITPIX"] == 8 and len(hdu.shape) == 3:
        raise CutoutError("a FITS cube of 8-bit planes is a picture, not flux; get it as JPEG or "
                          "PNG, or pass its array as (y, x, 3)", MorphFlag.BAD_SHAPE)
    where, blank = wcs_header(header, primary), _blank(header)
    if primary is not header:
        header = primary.copy()
        header.update(hdu.header)

    def read(part):
        data = hdu.data if part is None else data_of(hdu, *part)
        bad = data == blank if data.dtype.kind in "iu" and blank is not None else None
        return linear_flux(_as_flux(data, bad), header)

    return _Image(hdu.shape, read, header, linear_wcs(where), where, name=band)


def _part_of_file(hdu, y, x):
    """Pixels of an HDU whose file is open and as it was; whole rows are read the fastest."""
    if isinstance(hdu, fits.CompImageHDU):
        return hdu.section[..., y, x]
    return hdu.section[..., y, :][..., x]


def _part_in_memory(hdu, y, x):
    return hdu.data[..., y, x]


def _blank(header):
    """The value of integers without data, which Astropy leaves where they are unsigned."""
    blank, zero, scale = (header.get(key) for key in ("BLANK", "BZERO", "BSCALE"))
    return blank * (1 if scale is None else scale) + (zero or 0) if isinstance(blank, int) else None


def _check_shape(shape):
    """Refuse what cannot be an image before its data is read."""
    if len(shape) not in (2, 3) or len(shape) == 3 and not 1 <= shape[0] <= 12:
        raise CutoutError(f"flux must have shape (y, x) or (band, y, x), not {tuple(shape)}",
                          MorphFlag.BAD_SHAPE)


def _one_shape(images):
    """(y, x) of all images."""
    shapes = {image.shape[-2:] for image in images}
    if len(shapes) != 1:
        raise CutoutError(f"the bands have different shapes, {sorted(shapes)}; resample them to "
                          "one grid", MorphFlag.BAD_SHAPE)
    return shapes.pop()


def _check_size(shape):
    """Refuse what is too large before it is read."""
    if np.prod(shape, dtype=float) > MAX_PIXELS:
        raise CutoutError(f"the image has {shape[-1]} x {shape[-2]} pixels, more than {MAX_PIXELS};"
                          " cut out the galaxy first", MorphFlag.BAD_SHAPE)


def _as_flux(data, mask=None):
    """Native float32 copy, NaN where masked or not finite."""
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


def _check_length(hdus, file, size):
    """Compare the bytes there are with those the headers promise: astropy only warns."""
    info = hdus[len(hdus) - 1].fileinfo()
    end = info["datLoc"] + info["datSpan"]
    if end > size:
        file.seek(info["hdrLoc"])
        end = info["datLoc"] + fits.Header.fromfile(file).data_size  # without its padding
    file.seek(min(end, size))
    if end > size or file.read(8) == b"XTENSION":
        raise CutoutError(f"the FITS file is truncated or damaged: it has {size} bytes, its "
                          f"headers promise {'more' if end <= size else end}; get it again",
                          MorphFlag.UNREADABLE)


def _name_planes(images, count, survey, bands):
    """Names of the planes: the argument, the dict's keys, the headers, else the survey's order."""
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
    if not bands or None in bands:
        bands = _assumed_bands(count, get_survey(survey or SURVEYS["sdss"]))
    names = [parse_band(band, own) for band in bands]
    if None in names or len(set(names)) < len(names) or len(names) != count:
        raise CutoutError(f"found {count} plane(s) for the bands {list(bands)}; name each plane "
                          "once with bands=, e.g. bands='grz'", MorphFlag.BAD_SHAPE)
    return names


def _assumed_bands(count, survey):
    """Bands of planes without a name: the survey's record, by their number."""
    shown = survey.rgb[::-1]
    if count == 1:
        return shown[len(shown) // 2],
    return shown[:count] if count <= len(shown) else survey.bands


def _is_native(header):
    """Services that interpolate keep the value of a native pixel at every pixel scale.

    The Legacy Surveys viewer does (measured: its noise per pixel is the same at 0.10, 0.14 and
    0.26 arcsec); only it writes ``BAND0`` and ``BANDS`` with ``SURVEY``. So does hips2fits.
    """
    viewer = all(key in header for key in ("BANDS", "BAND0", "SURVEY"))
    return viewer or "hips2fits" in str(header.get("HISTORY", "")).lower()
