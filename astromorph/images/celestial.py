"""Where the pixels of an image are on the sky, and how large."""
import re

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area
from astropy.wcs.wcsapi import HighLevelWCSWrapper

__all__ = ["fault_of_grids", "linear_wcs", "north_angle", "pixel_scale", "pixels_of", "wcs_header"]

_CELESTIAL = (("pos.eq.ra", "pos.eq.dec"), ("pos.galactic.lon", "pos.galactic.lat"),
              ("pos.ecliptic.lon", "pos.ecliptic.lat"))
_WCS_KEY = re.compile(r"(CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)[12]$|(CD|PC)[12]_[12]$")
_SQUARE = 1.1  # sides of pixels, and the angle between them
_APART = 2  # pixels; frames of SDSS in two bands are one apart
_DATE = re.compile("DATE|MJD|OBSGEO")


def wcs_header(header, primary):
    """Give the header that holds the WCS of an image: its own, or one that it inherits.

    Parameters
    ----------
    header, primary : `~astropy.io.fits.Header`
        Of the image, and of its file.

    Returns
    -------
    `~astropy.io.fits.Header`
    """
    inherits = "CTYPE1" not in header and "CTYPE1" in primary and header.get("INHERIT", True) and (
        primary.get("NAXIS") == 0 or header.get("INHERIT"))
    return primary if inherits else header


def linear_wcs(header):
    """WCS of a header's linear terms: quiet, fast and enough for the pixel scale.

    At the reference point all projections have the scale of TAN, which needs no other terms.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        See `wcs_header`.

    Returns
    -------
    `~astropy.wcs.WCS` or None
    """
    # Damaged cards raise. Copies: what is changed here must not reach the header.
    cards = [(card.keyword, card.value) for card in header.cards if _WCS_KEY.match(card.keyword)]
    known = all(value is not None for _, value in cards)
    try:
        plain = fits.Header(cards if known else [])
        for key in ("CTYPE1", "CTYPE2"):
            plain[key] = re.sub(r"^(.{4}-)[A-Z]{3}.*", r"\1TAN", plain[key])
        return WCS(plain)
    except Exception:  # the many ways to write a WCS wrong; the image itself is still good
        return None


def pixel_scale(wcs, shape):
    """Give the side of a pixel on the sky.

    Parameters
    ----------
    wcs : object
        Any WCS of Astropy's interface, or None.
    shape : tuple of int
        (y, x) of the image.

    Returns
    -------
    float or None
        Arcseconds; None without a celestial WCS.
    """
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


def north_angle(wcs, shape):
    """Tell where north is in the middle of an image.

    Parameters
    ----------
    wcs : `~astropy.wcs.WCS`
        Linear terms, see `linear_wcs`; or None.
    shape : tuple of int
        (y, x) of the image.

    Returns
    -------
    float or None
        Degrees from the direction in which y grows towards that in which x falls; None without a
        celestial WCS of right ascension and declination.
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
    """Find the pixels that show positions.

    Parameters
    ----------
    wcs : object
        Any celestial WCS of Astropy's interface, or a header that has one, alone or in a tuple
        with the HDUList that holds its tables of distortions.
    shape : tuple of int
        (y, x) of the image.
    ra, dec : `~numpy.ndarray`, shape (n,)
        ICRS, degrees.

    Returns
    -------
    x, y : `~numpy.ndarray`, shape (n,)
        Counted from 0 at the center of the first pixel; NaN for positions outside the image.

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
    # Projections and distortions may lead into the image from far away: the way back tells.
    back, beside = (sky.pixel_to_world(x[finite[seen]] + step, y[finite[seen]])
                    for step in (0, 1))
    seen[seen] = back.separation(positions[seen]) < back.separation(beside)
    outside = np.setdiff1d(np.arange(len(ra)), finite[seen])
    x[outside] = y[outside] = np.nan
    return x, y


def _celestial(wcs):
    """The two axes of a WCS that are on the sky; a header's with all of its distortions."""
    header, hdus = wcs if isinstance(wcs, tuple) else (wcs, None)
    if isinstance(header, fits.Header):
        # Dates make nothing but warnings. The planes of a cube have one place on the sky.
        cards = [card for card in header.copy().cards if not _DATE.match(card.keyword)]
        wcs = WCS(fits.Header(cards), hdus, naxis=2)
    if hasattr(wcs, "celestial"):
        wcs = wcs.celestial
    elif not hasattr(wcs, "world_to_pixel"):
        wcs = HighLevelWCSWrapper(wcs)
    if wcs.pixel_n_dim != 2 or wcs.world_n_dim != 2 or not isinstance(
            wcs.pixel_to_world(0, 0), SkyCoord):
        raise ValueError("the WCS is not celestial")
    return wcs


def _near(sky, shape, positions):
    """Which positions may be in the image, by their distance from its center."""
    y, x = (np.array([n / 2, 0, 0, n, n]) for n in shape)
    y, x = y, x[[0, 1, 3, 2, 4]]
    center, *corners = sky.pixel_to_world(x, y)
    reach = [center.separation(corner).deg for corner in corners]
    if not np.isfinite(reach).all() or max(reach) > 20:  # corners off the sky, curved edges
        return np.ones(len(positions), bool)
    return center.separation(positions).deg < 1.5 * max(reach) + 1e-3


def fault_of_grids(wcses, shape):
    """Say why planes cannot be taken pixel by pixel, each pixel for a square of the sky.

    Parameters
    ----------
    wcses : list
        The linear WCS of each plane, or None.
    shape : tuple of int
        (y, x) of all.

    Returns
    -------
    str or None
        None where nothing is wrong, or nothing is known.
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
    """Unit vectors of the first corner and its neighbors; None for what is no linear WCS."""
    if not isinstance(wcs, WCS):
        return None
    try:
        sky = wcs.celestial
        lon, lat = np.radians(sky.wcs_pix2world([0, shape[1], 0], [0, 0, shape[0]], 0))
        lon, lat = (lon, lat) if sky.wcs.lng == 0 else (lat, lon)
    except Exception:  # it is not used then
        return None
    vectors = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]).T
    return vectors if np.isfinite(vectors).all() else None
