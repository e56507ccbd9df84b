"""Positions and sizes of an image's pixels on the sky."""
import re
from numbers import Real

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area
from astropy.wcs.wcsapi import HighLevelWCSWrapper

from astromorph.tables.positions import angle_unit

__all__ = ["fault_of_grids", "linear_wcs", "north_angle", "pixel_scale", "pixels_of", "wcs_header"]

_CELESTIAL = (("pos.eq.ra", "pos.eq.dec"), ("pos.galactic.lon", "pos.galactic.lat"),
              ("pos.ecliptic.lon", "pos.ecliptic.lat"))
_WCS_KEY = re.compile(r"(CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)[12]$|(CD|PC)[12]_[12]$")
_LARGEST = 60  # arcseconds in a pixel that may show galaxies
_SQUARE = 1.1  # largest ratio of the sides of a pixel that counts as a square
_APART = 2  # largest offset of bands in pixels; SDSS frames of two bands differ by one
_DATE = re.compile("DATE|MJD|OBSGEO")


def wcs_header(header, primary):
    """Find the header that holds the WCS of an image: its own, or the primary one.

    Parameters
    ----------
    header, primary : `~astropy.io.fits.Header`
        The header of the image, and the primary header of its file.

    Returns
    -------
    `~astropy.io.fits.Header`
    """
    inherits = "CTYPE1" not in header and "CTYPE1" in primary and header.get("INHERIT", True) and (
        primary.get("NAXIS") == 0 or header.get("INHERIT"))
    return primary if inherits else header


def linear_wcs(header):
    """Build a WCS from the linear terms of a header only.

    It is fast, gives no warnings and is enough for the pixel scale: at the reference point all
    projections have the scale of TAN, which needs no other terms.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        See `wcs_header`.

    Returns
    -------
    `~astropy.wcs.WCS` or None
        None if the header has no usable WCS, or does not say how large a pixel is.
    """
    # Reading a damaged card raises. The cards are copied, so that the header stays unchanged.
    cards = [(card.keyword, card.value) for card in header.cards if _WCS_KEY.match(card.keyword)]
    known = all(value is not None for _, value in cards) and any(
        key.startswith("CD") and isinstance(value, Real) and value for key, value in cards)
    try:
        plain = _with_units(fits.Header(cards if known else []))
        for key in ("CTYPE1", "CTYPE2"):
            plain[key] = re.sub(r"^(.{4}-)[A-Z]{3}.*", r"\1TAN", plain[key])
        return WCS(plain)
    except Exception:  # a broken WCS can fail in many ways; the image itself is still good
        return None


def pixel_scale(wcs, shape):
    """Compute the pixel scale of an image.

    Parameters
    ----------
    wcs : object
        Any WCS with Astropy's interface, or None.
    shape : tuple of int
        (y, x) of the image.

    Returns
    -------
    float or None
        Arcseconds per pixel; None without a celestial WCS, or if a pixel is larger than galaxies.
    """
    try:
        if hasattr(wcs, "celestial"):
            scale = 3600 * float(np.sqrt(proj_plane_pixel_area(wcs.celestial)))
        else:
            scale = _scale_at_center(wcs, shape)
    except Exception:  # no WCS, none that is celestial, a singular matrix
        return None
    return scale if 0 < scale < _LARGEST else None


def _scale_at_center(wcs, shape):
    """Arcseconds per pixel of any WCS with Astropy's interface, also sliced or wrapped."""
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


def north_angle(wcs, shape):
    """Compute the direction of north in the middle of an image.

    Parameters
    ----------
    wcs : `~astropy.wcs.WCS` or None
        The linear terms, see `linear_wcs`.
    shape : tuple of int
        (y, x) of the image.

    Returns
    -------
    float or None
        Angle in degrees from +y towards -x. None without a WCS in right ascension and declination.
    """
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    try:
        sky = wcs.celestial
        kinds = sky.world_axis_physical_types
        world = np.array(sky.wcs_pix2world(*middle, 0), float)
        world[kinds.index("pos.eq.dec")] += pixel_scale(wcs, shape) / 3600
        x, y = np.subtract(sky.wcs_world2pix(*world, 0), middle)
    except Exception:  # no WCS, one of other axes, a singular matrix
        return None
    return float(np.degrees(np.arctan2(-x, y))) if np.isfinite(x + y) else None


def pixels_of(wcs, shape, ra, dec):
    """Convert positions to pixels.

    Parameters
    ----------
    wcs : object
        Any celestial WCS with Astropy's interface, or a header with a WCS. If tables of distortions
        belong to the header, pass a tuple of the header and their HDUList.
    shape : tuple of int
        (y, x) of the image.
    ra, dec : `~numpy.ndarray`, shape (n,)
        ICRS, degrees.

    Returns
    -------
    x, y : `~numpy.ndarray`, shape (n,)
        Pixel coordinates, 0 at the center of the first pixel; NaN for positions outside the image.

    Raises
    ------
    ValueError
        If the WCS is not celestial.
    """
    sky = _celestial(wcs)
    x, y = np.full((2, len(ra)), np.nan)
    finite = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    positions = SkyCoord(ra[finite], dec[finite], unit="deg")
    near = _near(sky, shape, positions)
    x[finite[near]], y[finite[near]] = sky.world_to_pixel(positions[near])
    seen = ((np.abs(x - (shape[1] - 1) / 2) <= shape[1] / 2)
            & (np.abs(y - (shape[0] - 1) / 2) <= shape[0] / 2))[finite]
    # Projections and distortions may map distant positions into the image. Mapping the pixels back
    # to the sky reveals these.
    back, beside = (sky.pixel_to_world(x[finite[seen]] + step, y[finite[seen]])
                    for step in (0, 1))
    seen[seen] = back.separation(positions[seen]) < back.separation(beside)
    outside = np.setdiff1d(np.arange(len(ra)), finite[seen])
    x[outside] = y[outside] = np.nan
    return x, y


def _celestial(wcs):
    """The two celestial axes of a WCS; from a header, with all distortions."""
    header, hdus = wcs if isinstance(wcs, tuple) else (wcs, None)
    if isinstance(header, fits.Header):
        # Dates only cause warnings. All planes of a cube have the same celestial WCS, so naxis=2.
        cards = [card for card in header.copy().cards if not _DATE.match(card.keyword)]
        wcs = WCS(_with_units(fits.Header(cards)), hdus, naxis=2)
    if hasattr(wcs, "celestial"):
        wcs = wcs.celestial
    elif not hasattr(wcs, "world_to_pixel"):
        wcs = HighLevelWCSWrapper(wcs)
    if wcs.pixel_n_dim != 2 or wcs.world_n_dim != 2 or not isinstance(
            wcs.pixel_to_world(0, 0), SkyCoord):
        raise ValueError("the WCS is not celestial")
    return wcs


def _with_units(header):
    """Spell the units of the axes as WCSLIB does, such as deg for DEGREES; others stay."""
    for key in ("CUNIT1", "CUNIT2"):
        unit = angle_unit(header.get(key))
        if isinstance(unit, u.UnitBase) and unit in (u.deg, u.arcmin, u.arcsec, u.rad):
            header[key] = unit.name
    return header


def _near(sky, shape, positions):
    """Whether each position may be in the image, from its distance to the image's center."""
    y, x = (np.array([n / 2, 0, 0, n, n]) for n in shape)
    y, x = y, x[[0, 1, 3, 2, 4]]
    center, *corners = sky.pixel_to_world(x, y)
    reach = [center.separation(corner).deg for corner in corners]
    if not np.isfinite(reach).all() or max(reach) > 20:  # corners off the sky, curved edges
        return np.ones(len(positions), bool)
    return center.separation(positions).deg < 1.5 * max(reach) + 1e-3


def fault_of_grids(wcses, shape):
    """Check that all planes of an image have the same grid of square pixels.

    Parameters
    ----------
    wcses : list
        The linear WCS of each plane, or None.
    shape : tuple of int
        (y, x) of all planes.

    Returns
    -------
    str or None
        What is wrong; None if nothing is wrong or no WCS is known.
    """
    grids = [grid for grid in (_grid(wcs, shape) for wcs in wcses) if grid is not None]
    if not grids:
        return None
    corner, right, up = grids[0]
    sides = np.linalg.norm(right - corner) / max(shape[1], 1), np.linalg.norm(up - corner) / max(
        shape[0], 1)
    skew = abs(np.dot(right - corner, up - corner)) / (sides[0] * shape[1] * sides[1] * shape[0])
    if not (max(sides) < _SQUARE * min(sides) and skew < _SQUARE - 1):
        return "its WCS has pixels that are not square"
    apart = max(np.linalg.norm(grid - grids[0], axis=1).max() for grid in grids)
    return "its bands are on different grids" if apart > _APART * min(sides) else None


def _grid(wcs, shape):
    """Unit vectors of the first corner and its two neighbors; None without a linear WCS."""
    if not isinstance(wcs, WCS):
        return None
    try:
        sky = wcs.celestial
        lon, lat = np.radians(sky.wcs_pix2world([0, shape[1], 0], [0, 0, shape[0]], 0))
        lon, lat = (lon, lat) if sky.wcs.lng == 0 else (lat, lon)
    except Exception:  # a broken WCS is not used
        return None
    vectors = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]).T
    return vectors if np.isfinite(vectors).all() else None
