"""Galaxies at positions in images that the user has, such as mosaics with a catalog."""
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
    """Galaxies at positions in images; a `~astromorph.galaxies.GalaxySource`.

    The frame is cut out around the position if the image has a celestial WCS. An image of many rows
    is opened once and read in parts. An image without a WCS counts as a cutout of its galaxy. If
    such an image belongs to several positions and ``cutout_r90`` is not given, its rows are
    flagged.

    Parameters
    ----------
    data : `~astropy.table.Table`
        The galaxies.
    images : list
        One image per row.
    ra, dec : `~numpy.ndarray`, shape (n,)
        Positions (ICRS, degrees).
    frame_r90 : float
        Width of the network's frame in R90.
    frames : FrameOptions
        The known sizes. Without any, R90 is measured.
    needs_wcs : bool
        Flag every galaxy whose image has no WCS, even if the image belongs to it alone.
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
        """Widths of the parts to read, and R90 or None to measure it, both in arcseconds."""
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
        """Describe the rows by name; equal for the same images at the same positions."""
        images = [self._images[rows[0]] for rows in self._rows.values()]
        places = [self._ra, self._dec, self._widths, np.array(self._r90, float)]
        return self._identity([images, list(self._rows.values())]) | {
            "data": "images at positions", "positions": fingerprint(places)}

    def picture(self, row):
        """The image of one row, to show to people; None if it does not show the galaxy."""
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
        except Exception as error:  # load it as a cutout, which flags a damaged or missing image
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
        """The open image of a row, and x and y of its galaxy."""
        key = self._keys[row]
        if len(self._rows[key]) == 1:
            opened, x, y = self._opened(key)
        else:
            with self._lock:
                opened, x, y = self._open(key)
        index = bisect_left(self._rows[key], row)
        return opened, x[index], y[index]

    def _opened(self, key):
        """Open an image; return it with x and y of all its galaxies."""
        rows = self._rows[key]
        opened = OpenImage(self._images[rows[0]], self._options["survey"] or self._options["usual"])
        try:
            if opened.pixel_scale is None:
                raise ValueError("its WCS has no scale")
            return opened, *opened.pixels_of(self._ra[rows], self._dec[rows])
        except Exception as error:  # a broken WCS can fail in many ways
            raise (_UnusableWCS if opened.has_wcs else ValueError)(str(error)) from error

    def _shows_others(self, row):
        """Whether the image of a row also belongs to a galaxy at another position."""
        if self._keys[row] not in self._limits:
            return False
        low, high = self._limits[self._keys[row]]
        place = np.array([self._ra[row], self._dec[row]])
        return not np.all((place - low <= _SAME) & (high - place <= _SAME))

    def _load_at(self, row, place, size, frame_r90, margin):
        """Load the frame around a galaxy's place in its image."""
        opened, x, y = place
        ra, dec, r90, width = (all_[row] for all_ in (
            self._ra, self._dec, self._r90, self._widths))
        label = f"{source_label(self._images[row])} at {ra:.5f} {dec:+.5f}"
        if not np.isfinite(ra + dec):
            raise CutoutError(f"{label}: the position is missing or not on the sphere; correct the "
                              "row or remove it", MorphFlag.BAD_COORDINATE)
        if not np.isfinite(x):
            raise CutoutError(f"{label}: the position is outside the image",
                              MorphFlag.OUTSIDE_FOOTPRINT)

        def load(width):
            side = _side(opened, x, y, width, None if r90 is None else 1 + 2 * margin / size)
            if not 0 < side <= _MAX_SIDE:
                raise CutoutError(f"{label}: the size is missing, or its frame is wider than "
                                  f"{_MAX_SIDE} pixels; pass r90= or width=", MorphFlag.BAD_SIZE)
            pixels, flag, scale = read_frame(
                ImagePart(opened, x, y, side, label), size, margin=margin, frame_r90=frame_r90,
                r90=MEASURE if r90 is None else r90, **self._options)
            return Loaded(pixels, flag, pixel_scale=scale)

        return measured_twice(load, width) if r90 is None else load(width)


class _UnusableWCS(ValueError):
    """An image has a celestial WCS that cannot be used."""


def open_images(data, images=None, *, ra=None, dec=None, frame_r90, frames=FrameOptions(),
                **options):
    """Make the source for images that the user has, with or without positions.

    Parameters
    ----------
    data : `~astropy.table.Table`, `~astropy.coordinates.SkyCoord` or list
        See `~astromorph.galaxies.kinds.as_galaxies`.
    images : object
        The name of a table's column of images. Or one image that shows all galaxies of a table or
        of positions.
    ra, dec : str, optional
        Columns of the positions. By default astromorph finds them, if the table has positions.
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
    """Check that an argument is one image for all galaxies."""
    image = as_image(image)
    named = isinstance(image, (str, os.PathLike))
    if not (is_image(image) or named and os.path.isfile(image)):
        raise wrong("images", f"the name of a column, one of {columns}, or one image with a WCS "
                    "that shows all galaxies", f"{os.fspath(image)!r}, which is neither a column "
                    "nor a file" if named else type(image).__name__)
    return image


def _positions(table, ra, dec, images, needed):
    """The positions in a table of images; None if it has none and needs none."""
    try:
        return find_positions(table, ra=ra, dec=dec)
    except (TypeError, ValueError):
        shared = len(set(_keys(images))) < len(images)
        if needed or ra is not None or dec is not None or shared and has_positions(table):
            raise
        return None


def _is_cutout(opened, x, y):
    """Whether an image is a cutout: small, with the galaxy in its middle."""
    off = np.hypot(x - (opened.shape[1] - 1) / 2, y - (opened.shape[0] - 1) / 2)
    side = min(opened.shape)
    return off < 0.1 * side and side * opened.pixel_scale <= MEASURE_WIDTHS[1]


def _keys(images):
    """Keys that are equal for the same image: real paths of files, or identities of objects."""
    real = cache(os.path.realpath)
    return [real(image) if isinstance(image, (str, os.PathLike)) else id(image)
            for image in images]


def _side(opened, x, y, width, wider):
    """Side in pixels of the square to read, an odd number, so that the galaxy's pixel is central.

    ``wider`` is None to measure R90, which uses as much of the image as possible.
    """
    half = width / opened.pixel_scale * (wider or 1) / 2
    if not np.isfinite(half + x):
        return 0
    if wider is None:
        half = min(half, *(n / 2 for n in opened.shape))
        to_edge = int(min(x, y, opened.shape[1] - 1 - x, opened.shape[0] - 1 - y))
        half = min(half, to_edge) if to_edge > 0.8 * half else half
    return 2 * int(np.ceil(half)) + 1
