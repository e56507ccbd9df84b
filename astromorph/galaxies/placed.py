"""Galaxies at positions in images that the user holds: mosaics and their catalog."""
import os
from bisect import bisect_left
from dataclasses import replace
from functools import cache, lru_cache
from threading import Lock

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astromorph.errors import CutoutError, wrong
from astromorph.flags import MorphFlag
from astromorph.galaxies.frames import MEASURE, MEASURE_WIDTHS, FrameOptions
from astromorph.galaxies.given import GivenImages, images_of
from astromorph.galaxies.kinds import as_image, is_image
from astromorph.galaxies.loaded import Loaded, measured_twice
from astromorph.images.fits_planes import ImagePart, OpenImage
from astromorph.images.frames import read_frame
from astromorph.images.reading import source_label
from astromorph.running.fingerprints import fingerprint
from astromorph.tables.positions import find_positions, has_positions

__all__ = ["PlacedImages", "open_images"]

_OPEN_IMAGES = 4
_MAX_SIDE = 4096
_SAME = 1 / 3600  # degrees


class PlacedImages(GivenImages):
    """Galaxies at positions in images: a `~astromorph.galaxies.GalaxySource`.

    A frame is cut out around each position, where the image has a celestial WCS. An image that
    serves many rows is opened once and read in parts. An image without a WCS is taken as a cutout
    of its galaxy; where it serves galaxies at several positions, their rows are flagged, unless
    ``cutout_r90`` says that it is one.

    Parameters
    ----------
    data : `~astropy.table.Table`
        The galaxies.
    images : list
        The image of each.
    ra, dec : `~numpy.ndarray`
        ICRS, degrees.
    frame_r90 : float
        Width of the network's frame in R90.
    frames : FrameOptions
        What is known of sizes. R90 is measured where nothing is.
    needs_wcs : bool
        Whether to flag also a galaxy that has an image without a WCS for itself.
    **options
        See `~astromorph.galaxies.given.GivenImages`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.
    """

    def __init__(self, data, images, ra, dec, *, frame_r90, frames=FrameOptions(),
                 needs_wcs=False, **options):
        super().__init__(data, images, frames=replace(frames, width=None), **options)
        self._ra, self._dec = ra, dec
        self._widths, self._r90 = self._sizes_at(data, frames, frame_r90)
        self._needs_wcs = needs_wcs or frames.width is not None
        self._rows = {}
        self._keys = _keys(self._images)
        for row, key in enumerate(self._keys):
            self._rows.setdefault(key, []).append(row)
        places = np.array([ra, dec])
        self._limits = {key: (places[:, rows].min(axis=1), places[:, rows].max(axis=1))
                        for key, rows in self._rows.items() if len(rows) > 1}
        self._open = lru_cache(_OPEN_IMAGES)(self._opened)
        self._lock = Lock()

    def _sizes_at(self, data, frames, frame_r90):
        """Widths in arcseconds of the parts to read, and R90, None where it is to be measured."""
        if frames.cutout_r90 is not None:
            return np.full((2, len(self)), np.nan)
        r90 = self._sizes[1]
        if r90 and isinstance(r90[0], float):
            r90 = r90 * u.arcsec
        else:
            r90 = None if frames.width is not None and not frames.measured else MEASURE
        return replace(frames, r90=r90).of_positions(data, len(self), frame_r90)

    def __exit__(self, *exception):
        self._open.cache_clear()

    def __iter__(self):
        return enumerate(super().__iter__())

    def identity(self):
        """Tell what the rows are, by name: equal for the same images at the same positions."""
        images = [self._images[rows[0]] for rows in self._rows.values()]
        places = [self._ra, self._dec, self._widths, np.array(self._r90, float)]
        return self._identity([images, list(self._rows.values())]) | {
            "data": "images at positions", "positions": fingerprint(places)}

    def picture(self, row):
        """The image of one row, to look at; None if it does not show the galaxy."""
        try:
            opened, x, y = self._place(row)
            side = _side(opened, x, y, self._widths[row], None)
        except Exception:
            return super().picture(row)
        return ImagePart(opened, x, y, side) if np.isfinite(x) and 0 < side <= _MAX_SIDE else None

    def load(self, item, size, frame_r90, margin=0):
        """Load one row; see `~astromorph.galaxies.GalaxySource`."""
        row, item = item
        _, cutout_r90, *_ = item
        shared = self._shows_others(row)
        try:
            place = None if cutout_r90 is not None and not shared else self._place(row)
        except Exception as error:  # a picture, no WCS, damaged, missing: a cutout that says why
            loaded = super().load(item, size, frame_r90, margin)
            told = shared or self._needs_wcs or isinstance(error, _UnusableWCS)
            return loaded._replace(flag=loaded.flag | MorphFlag.NO_WCS) if (
                told and loaded.error is None and cutout_r90 is None) else loaded
        if place is None:
            return super().load(item, size, frame_r90, margin)
        try:
            loaded = self._load_at(row, place, size, frame_r90, margin)
        except CutoutError as error:
            return Loaded.failed(error)
        if loaded.flag & MorphFlag.NO_SIZE and not shared and _is_cutout(*place):
            return super().load(item, size, frame_r90, margin)
        return loaded

    def _place(self, row):
        """The image of a row, open, and x and y of its galaxy."""
        key = self._keys[row]
        if len(self._rows[key]) == 1:
            opened, x, y = self._opened(key)
        else:
            with self._lock:
                opened, x, y = self._open(key)
        index = bisect_left(self._rows[key], row)
        return opened, x[index], y[index]

    def _opened(self, key):
        """An image, open, and x and y of all galaxies that it serves."""
        rows = self._rows[key]
        opened = OpenImage(self._images[rows[0]])
        try:
            return opened, *opened.pixels_of(self._ra[rows], self._dec[rows])
        except Exception as error:  # the many ways to write a WCS wrong
            raise (_UnusableWCS if opened.has_wcs else ValueError)(str(error)) from error

    def _shows_others(self, row):
        """Whether the image of a row is also that of a galaxy elsewhere."""
        if self._keys[row] not in self._limits:
            return False
        low, high = self._limits[self._keys[row]]
        place = np.array([self._ra[row], self._dec[row]])
        return not np.all((place - low <= _SAME) & (high - place <= _SAME))

    def _load_at(self, row, place, size, frame_r90, margin):
        """A frame around the place of a galaxy in its image."""
        opened, x, y = place
        ra, dec, r90, width = (all_[row] for all_ in (
            self._ra, self._dec, self._r90, self._widths))
        label = f"{source_label(self._images[row])} at {ra:.5f} {dec:+.5f}"
        if not np.isfinite(ra + dec):
            raise CutoutError(f"{label}: the position is missing or not on the sphere; mend the "
                              "row or remove it", MorphFlag.BAD_COORDINATE)
        if not np.isfinite(x):
            raise CutoutError(f"{label}: the position is outside the image",
                              MorphFlag.OUTSIDE_FOOTPRINT)

        def load(width):
            side = _side(opened, x, y, width, None if r90 is None else 1 + 2 * margin / size)
            if not 0 < side <= _MAX_SIDE:
                raise CutoutError(f"{label}: no size, or one whose frame is wider than {_MAX_SIDE} "
                                  "pixels; pass r90= or width=", MorphFlag.BAD_SIZE)
            pixels, flag, scale = read_frame(
                ImagePart(opened, x, y, side, label), size, margin=margin, frame_r90=frame_r90,
                r90=MEASURE if r90 is None else r90, **self._options)
            return Loaded(pixels, flag, pixel_scale=scale)

        return measured_twice(load, width) if r90 is None else load(width)


class _UnusableWCS(ValueError):
    """An image says where it is on the sky, but not so that it could be used."""


def open_images(data, images=None, *, ra=None, dec=None, frame_r90, frames=FrameOptions(),
                **options):
    """Find the source of images that the user holds, with positions or without.

    Parameters
    ----------
    data : `~astropy.table.Table`, `~astropy.coordinates.SkyCoord` or list
        See `~astromorph.galaxies.kinds.as_galaxies`.
    images : object
        For a table, its column of images; for a table or positions, the one image of them all.
    ra, dec : str, optional
        Columns of the positions; by default found, where the table has some.
    frame_r90, frames, **options
        See `PlacedImages`.

    Returns
    -------
    `~astromorph.galaxies.given.GivenImages`

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.
    """
    if not isinstance(data, (Table, SkyCoord)):
        return GivenImages(data, images, frames=frames, **options)
    if isinstance(data, SkyCoord):
        data = Table(dict(zip(("ra", "dec"), find_positions(data) * u.deg)))
    is_column = isinstance(images, str) and images in data.colnames
    given = (images_of(data, images) if is_column
             else [_one_image(images, data.colnames)] * len(data))
    place = _positions(data, ra, dec, given, needed=not is_column)
    if place is None:
        if frames.width is not None:
            raise wrong("width", "a table with positions", f"the columns {data.colnames}",
                        "For cutouts pass cutout_r90= or r90=.")
        return GivenImages(data, given, frames=frames, **options)
    if not is_column and frames.cutout_r90 is not None:
        raise wrong("cutout_r90", "r90= or width=, angles, for galaxies in one image", "cutout_r90")
    return PlacedImages(data, given, *place, frame_r90=frame_r90, frames=frames,
                        needs_wcs=not is_column, **options)


def _one_image(image, columns):
    """The one image of all galaxies."""
    image = as_image(image)
    named = isinstance(image, (str, os.PathLike))
    if not (is_image(image) or named and os.path.isfile(image)):
        raise wrong("images", f"the name of a column, one of {columns}, or one image with a WCS "
                    "that shows all galaxies", f"{os.fspath(image)!r}, which is neither a column "
                    "nor a file" if named else type(image).__name__)
    return image


def _positions(table, ra, dec, images, needed):
    """Positions of a table of images; None where it tells none and can do without."""
    try:
        return find_positions(table, ra=ra, dec=dec)
    except (TypeError, ValueError):
        shared = len(set(_keys(images))) < len(images)
        if needed or ra is not None or dec is not None or shared and has_positions(table):
            raise
        return None


def _is_cutout(opened, x, y):
    """Whether an image shows one galaxy, in its middle, so that it may be framed as given."""
    off = np.hypot(x - (opened.shape[1] - 1) / 2, y - (opened.shape[0] - 1) / 2)
    side = min(opened.shape)
    return off < 0.1 * side and side * opened.pixel_scale <= MEASURE_WIDTHS[1]


def _keys(images):
    """What tells images apart: their files, or, in memory, which they are."""
    real = cache(os.path.realpath)
    return [real(image) if isinstance(image, (str, os.PathLike)) else id(image)
            for image in images]


def _side(opened, x, y, width, wider):
    """Pixels of the square to read: odd, so that its middle is that of the galaxy's pixel."""
    half = width / opened.pixel_scale * (wider or 1) / 2
    if not np.isfinite(half + x):
        return 0
    if wider is None:  # to be measured on as much as there is
        half = min(half, *(n / 2 for n in opened.shape))
        to_edge = int(min(x, y, opened.shape[1] - 1 - x, opened.shape[0] - 1 - y))
        half = min(half, to_edge) if to_edge > 0.8 * half else half
    return 2 * int(np.ceil(half)) + 1
