"""Read FITS files and their forms in memory as one flux plane per band, in nanomaggies."""
import threading
import weakref
from dataclasses import dataclass, replace

import numpy as np
from astropy.nddata.utils import overlap_slices

from astromorph.errors import CutoutError
from astromorph.flags import MorphFlag
from astromorph.images.bands import LETTERS, band_names, header_band, parse_band, split_bands
from astromorph.images.celestial import fault_of_grids, north_angle, pixel_scale, pixels_of
from astromorph.images.flux_units import to_nanomaggies
from astromorph.images.forms import Files, stored_images
from astromorph.surveys import SURVEYS, get_survey

__all__ = ["MAX_PIXELS", "FluxPlanes", "ImagePart", "OpenImage", "band_names", "read_planes"]

MAX_PIXELS = 2**27  # a DES tile has 10^8; more means a damaged header or a decompression bomb


@dataclass(frozen=True)
class FluxPlanes:
    """The bands of one image; row 0 is at the bottom, as in FITS.

    Parameters
    ----------
    planes : dict
        Band name to flux, (y, x) float32 in nanomaggies per pixel, NaN where there is no data.
    survey : `~astromorph.surveys.Survey`
        The survey whose color mapping applies.
    pixel_scale : float or None
        Arcseconds per pixel; None if unknown.
    native : bool
        Whether the flux refers to one native pixel of the survey, whatever the pixel scale.
    flag : `~astromorph.flags.MorphFlag`
        What was assumed on reading.
    """

    planes: dict
    survey: object
    pixel_scale: float | None
    native: bool
    flag: MorphFlag


class OpenImage:
    """An open image, to read as a whole or in parts; a context manager.

    Threads may share it. Python closes it when it is no longer used.

    Parameters
    ----------
    source : object
        See `read_planes`.
    survey : `~astromorph.surveys.Survey`, optional
        A survey whose bands may have other names than u, g, r, i, z, Y.

    Attributes
    ----------
    shape : tuple of int
        (y, x) of the image.
    pixel_scale : float or None
        Arcseconds per pixel; None if unknown.

    Raises
    ------
    CutoutError, OSError
        If the image cannot be used.
    """

    def __init__(self, source, survey=None):
        with Files(survey.bands if survey else ()) as files:
            self._images = stored_images(source, files)
            self.shape = _one_shape(self._images)
            fault = fault_of_grids([image.wcs for image in self._images], self.shape)
            if fault is not None:
                raise CutoutError(f"{fault}; resample them to one grid of squares",
                                  MorphFlag.BAD_SHAPE)
            self._placed = next((image for image in self._images if image.wcs is not None),
                                self._images[0])
            self.pixel_scale = pixel_scale(self._placed.wcs, self.shape)
            self._lock = threading.Lock()
            self.close = weakref.finalize(self, files.pop_all().close)

    @property
    def has_wcs(self):
        """Whether the image has a celestial WCS, even an unusable one (bool)."""
        placed = self._placed
        header = placed.sky[0] if isinstance(placed.sky, tuple) else {}
        return placed.wcs is not None or "CTYPE1" in header or "CRVAL1" in header

    @property
    def north(self):
        """Angle from up (+y) to north in degrees, positive to the left; None if unknown."""
        return north_angle(self._placed.wcs, self.shape)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def pixels_of(self, ra, dec):
        """Convert positions to pixels.

        Parameters
        ----------
        ra, dec : `~numpy.ndarray`, shape (n,)
            ICRS, degrees.

        Returns
        -------
        x, y : `~numpy.ndarray`, shape (n,)
            Pixel coordinates from 0; NaN for positions outside the image.

        Raises
        ------
        ValueError
            If the image has no celestial WCS.
        """
        image = self._placed
        return pixels_of(image.wcs if image.sky is None else image.sky, self.shape, ra, dec)

    def read(self, part=None, *, survey=None, bands=None, usual=None):
        """Read the bands.

        Parameters
        ----------
        part : tuple of slice, optional
            Slices of y and x. By default the whole image.
        survey, bands, usual
            See `read_planes`.

        Returns
        -------
        FluxPlanes

        Raises
        ------
        CutoutError
            If the image cannot be used.
        """
        _check_size(self.shape if part is None else [one.stop - one.start for one in part])
        with self._lock:
            flux = [image.read(part) for image in self._images]
        cube = [(image, plane) for image, data in zip(self._images, flux)
                for plane in (data if data.ndim == 3 else [data])]
        names = _name_planes(self._images, len(cube), survey or usual, bands)
        survey = get_survey(survey or _survey_of(names, usual))
        planes = {name: _without_empty(plane) for name, (_, plane) in zip(names, cube)}
        units = [(image.unit, image.header) for image, _ in cube]
        planes, known = to_nanomaggies(planes, units, survey, self.pixel_scale)
        return FluxPlanes(planes, survey, self.pixel_scale,
                          not known or _is_native(self._images[0].header),
                          MorphFlag(0) if known else MorphFlag.UNKNOWN_UNIT)


@dataclass(frozen=True)
class ImagePart:
    """A square part of an open image, as `~astropy.nddata.Cutout2D` would cut it out.

    Parameters
    ----------
    image : OpenImage
        The image.
    x, y : float
        Pixel coordinates of the center, which must lie in the image.
    side : int
        Side of the square in pixels.
    label : str
        Name of the part in messages.
    """

    image: OpenImage
    x: float
    y: float
    side: int
    label: str = "part of an image"

    def read(self, **options):
        """Read the bands, NaN outside the image.

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


def read_planes(source, *, survey=None, bands=None, usual=None):
    """Read the bands of one image.

    Parameters
    ----------
    source : path, bytes, binary file, `~astropy.io.fits.HDUList`, HDU, \
            `~astropy.nddata.NDData`, `~astropy.nddata.Cutout2D`, `ImagePart` or dict
        FITS in any form: a (band, y, x) cube, one HDU per band, or one band. Or a dict of band name
        to one of these or to a 2-D array.
    survey : str or `~astromorph.surveys.Survey`, optional
        The survey. By default ``usual``, if its color mapping shows all bands of the image, or if
        the image has all bands that it shows. Else "legacy" for images with z and no i, and "sdss"
        for all others.
    bands : sequence of str, optional
        Names of the planes in their order. By default the headers name them.
    usual : `~astromorph.surveys.Survey`, optional
        The survey that images of unknown origin probably belong to, such as that of the weights.

    Returns
    -------
    FluxPlanes

    Raises
    ------
    CutoutError
        If the image cannot be used.
    """
    options = {"survey": survey and get_survey(survey), "bands": bands, "usual": usual}
    if isinstance(source, ImagePart):
        return source.read(**options)
    with OpenImage(source, options["survey"] or usual) as image:
        return image.read(**options)


def _survey_of(names, usual):
    """The survey of an image by its bands: the usual one, unless it shows others in their place."""
    if usual is not None:
        names, shown = set(names), {band.lower() for band in usual.rgb}
        if shown <= names or names <= shown or not names <= LETTERS:
            return usual
    return "legacy" if "z" in names and "i" not in names else "sdss"


def _one_shape(images):
    """The shape (y, x) of all images; raise if they differ."""
    shapes = {image.shape[-2:] for image in images}
    if len(shapes) != 1:
        raise CutoutError(f"the bands have different shapes, {sorted(shapes)}; resample them to "
                          "one grid", MorphFlag.BAD_SHAPE)
    return shapes.pop()


def _check_size(shape):
    """Raise if an image is too large, before it is read."""
    if np.prod(shape, dtype=float) > MAX_PIXELS:
        raise CutoutError(f"the image has {shape[-1]} x {shape[-2]} pixels, more than {MAX_PIXELS};"
                          " cut out the galaxy first", MorphFlag.BAD_SHAPE)


def _without_empty(plane):
    """Replace areas of exact zeros by NaN, because they mean "no data" in calibrated flux.

    Only blocks of 2 x 2 or more count, because a single zero may be chance. In an image of integer
    counts, zeros are values.
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


def _name_planes(images, count, survey, bands):
    """Names of the planes, from the argument, the dict or the headers; one plane may be unnamed."""
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
        shown = get_survey(survey or SURVEYS["sdss"]).rgb
        bands = [shown[(len(shown) - 1) // 2]]
    names = [parse_band(band, own) for band in bands]
    if None in names or len(set(names)) < len(names) or len(names) != count:
        raise CutoutError(f"found {count} plane(s) for the bands {list(bands)}; name each plane "
                          "once with bands=, e.g. bands='grz'; for bands of your own survey, also "
                          "pass its record, survey=", MorphFlag.BAD_SHAPE)
    return names


def _is_native(header):
    """Whether the service interpolated, so that values refer to native pixels at any pixel scale.

    hips2fits does, and so does the Legacy Surveys viewer: we measured the same noise per pixel at
    0.10, 0.14 and 0.26 arcsec. Only the viewer writes ``BAND0`` and ``BANDS`` with ``IMAGEW``; its
    layers of the Legacy Surveys add ``SURVEY``.
    """
    viewer = all(key in header for key in ("BANDS", "BAND0")) and (
        "SURVEY" in header or "IMAGEW" in header)
    return viewer or "hips2fits" in str(header.get("HISTORY", "")).lower()
