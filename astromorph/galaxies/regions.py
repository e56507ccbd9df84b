"""Regions of the sky: tell what lies inside, and turn classified galaxies into regions."""
import numpy as np
from astropy import units as u
from astropy.coordinates import ICRS, Angle, SkyCoord, UnitSphericalRepresentation
from astropy.wcs.utils import celestial_frame_to_wcs
from regions import (CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion, RectangleSkyRegion,
                     RegionMeta, Regions, RegionVisual)

from astromorph.arguments import as_floats, check_number
from astromorph.errors import ArgumentTypeError, wrong
from astromorph.tables.positions import arcseconds, find_positions, find_sizes

__all__ = ["CLASS_COLORS", "bounding_circle", "find_classes", "inside", "to_regions"]

CLASS_COLORS = {"smooth": "red", "featured": "cyan", "edge-on": "green", "barred": "magenta",
                "unclassified": "gray"}
"""Class of galaxies in `to_regions` to its color, by names of DS9 and Matplotlib (dict)."""

# Columns of axis ratio and position angle (degrees, north through east) for ellipses.
_SHAPES = (("axis_ratio", "position_angle"), ("expAB_r", "expPhi_r"), ("deVAB_r", "deVPhi_r"),
           ("PETRO_BA90", "PETRO_PHI90"), ("SERSIC_BA", "SERSIC_PHI"))


def bounding_circle(region):
    """Find a circle that encloses a region.

    Parameters
    ----------
    region : CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion or RectangleSkyRegion
        A region of the `regions` package.

    Returns
    -------
    center : `~astropy.coordinates.SkyCoord`
        The region's own center, or the middle of a polygon's vertices (ICRS).
    radius : `~astropy.coordinates.Angle`
        Radius of the circle.

    Raises
    ------
    TypeError
        If it is another kind of region.
    ArgumentError
        If a polygon is as large as a hemisphere, or the region is excluded (a minus sign in DS9).
    """
    if (getattr(region, "meta", None) or {}).get("include", True) in (False, "-"):
        raise wrong("region", "a region to search", "an excluded one, with a minus sign",
                    "Leave out the sign.")
    if isinstance(region, PolygonSkyRegion):
        return _around(region.vertices.icrs)
    if isinstance(region, CircleSkyRegion):
        radius = region.radius
    elif isinstance(region, EllipseSkyRegion):
        radius = max(region.width, region.height) / 2
    elif isinstance(region, RectangleSkyRegion):
        radius = np.hypot(region.width, region.height) / 2
    else:
        raise wrong("region", "a CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion or "
                    "RectangleSkyRegion", type(region).__name__, error=ArgumentTypeError)
    return region.center.icrs, Angle(radius)


def inside(region, ra, dec):
    """Tell which positions lie in a region.

    Circles are circles on the sphere, and sides of polygons are great circles. Ellipses and
    rectangles have their shape in the projection that keeps distances from their center (ARC).

    Parameters
    ----------
    region : CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion or RectangleSkyRegion
        A region of the `regions` package.
    ra, dec : array-like
        Positions (ICRS, degrees); NaN lies outside.

    Returns
    -------
    `~numpy.ndarray` of bool
        Same shape as ``ra``.

    Raises
    ------
    TypeError, ValueError
        See `bounding_circle`.
    """
    center, radius = bounding_circle(region)
    ra, dec = np.broadcast_arrays(as_floats(ra, "ra"), as_floats(dec, "dec"))
    points = np.stack([ra.ravel(), dec.ravel()])
    result = np.isfinite(points).all(axis=0)
    for contains in (lambda points: center.separation(points) <= radius * (1 + 1e-9),
                     lambda points: region.contains(points, _wcs(region, center))):
        result[result] = contains(SkyCoord(*points[:, result], unit=u.deg))
    return result.reshape(ra.shape)


def to_regions(table, *, radius=None, threshold: float = 0.5) -> Regions:
    """Make one region per classified galaxy, to overlay on an image.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table with positions (see `~astromorph.tables.positions.find_positions`) and the column
        ``P_disk``. Without ``P_edge_on`` or ``P_bar``, no galaxy gets that class.
    radius : `~astropy.units.Quantity` or str, optional
        Radius, or semi-major axis: one angle for all, one per galaxy, or the name of a column. By
        default R90 of the table (see `~astromorph.tables.positions.find_sizes`).
    threshold : float
        A galaxy counts as positive from this probability on.

    Returns
    -------
    `regions.Regions`
        One region per galaxy with a position and a radius: an ellipse if the table has an axis
        ratio and a position angle, otherwise a circle. Its color is that of its class
        (`~astromorph.galaxies.regions.CLASS_COLORS`), dashed gray without probabilities. Its
        text is the class with its probability.

    Raises
    ------
    ArgumentError
        If there are no positions, no radii or no probabilities, or ``threshold`` is not in 0..1.

    See Also
    --------
    query_galaxies : Find the galaxies in a region of the sky.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import Table
    >>> from astromorph import to_regions
    >>> table = Table({"ra": [10.0], "dec": [20.0], "P_disk": [0.9], "P_edge_on": [0.2],
    ...                "P_bar": [0.75]})
    >>> regions = to_regions(table, radius=5 * u.arcsec)
    >>> regions[0].meta["text"]
    'barred 0.75'
    """
    check_number(threshold, "threshold", "one number in 0..1", lambda value: 0 <= value <= 1)
    ra, dec = find_positions(table)
    sizes = find_sizes(table) if radius is None else arcseconds(table, radius, "radius")
    if sizes is None:
        raise wrong("radius", "an angle, as 10 * u.arcsec, or the name of a column, because the "
                    "table has no column of R90", f"none, and the columns {table.colnames}")
    ratios, angles = _shapes(table)
    names, probabilities = find_classes(table, threshold)
    centers = SkyCoord(ra, dec, unit=u.deg)
    return Regions([_region(centers[row], sizes[row], ratios[row], angles[row], names[row],
                            probabilities[row])
                    for row in np.flatnonzero(np.isfinite(ra) & np.isfinite(sizes))])


def _around(vertices):
    """Center and radius of the circle around the vertices of a polygon."""
    center = SkyCoord(vertices.cartesian.mean().represent_as(UnitSphericalRepresentation))
    radius = center.separation(vertices).max()
    if radius >= 89 * u.deg:
        raise wrong("region", "a polygon smaller than a hemisphere",
                    f"vertices {radius.deg:.0f} degrees from their middle")
    return center, radius


def _wcs(region, center):
    """A projection around the center in which the outline of the region is simple."""
    frame = ICRS()
    if isinstance(region, (EllipseSkyRegion, RectangleSkyRegion)):  # their angle is in their frame
        frame = region.center.frame.replicate_without_data()
    # Straight lines are great circles in the gnomonic projection (TAN).
    polygon = isinstance(region, PolygonSkyRegion)
    wcs = celestial_frame_to_wcs(frame, projection="TAN" if polygon else "ARC")
    position = center.transform_to(frame).spherical
    wcs.wcs.crval = [position.lon.deg, position.lat.deg]
    wcs.wcs.cdelt = [-1 / 3600, 1 / 3600]
    return wcs


def _shapes(table):
    """Axis ratio, 1 if unknown, and position angle in degrees of each galaxy."""
    names = next((pair for pair in _SHAPES if set(pair) <= set(table.colnames)), None)
    if names is None:
        return np.ones(len(table)), np.zeros(len(table))
    ratios, angles = (as_floats(getattr(table[name], "value", table[name]), name)
                      for name in names)
    good = (ratios > 0) & (ratios <= 1) & np.isfinite(angles)
    return np.where(good, ratios, 1), np.where(good, angles, 0)


def find_classes(table, threshold):
    """Give the class and probability of each galaxy, from the last question that applies.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table with ``P_disk``; see `to_regions`.
    threshold : float
        Probability from which an answer counts as positive.

    Returns
    -------
    names : `~numpy.ndarray` of str
        Names of `CLASS_COLORS`.
    probabilities : `~numpy.ndarray`

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if "P_disk" not in table.colnames:
        raise wrong("table", "a classified table, with the column P_disk",
                    f"the columns {table.colnames}")
    disk, edge_on, bar = (as_floats(table[name], name) if name in table.colnames
                          else np.full(len(table), np.nan)
                          for name in ("P_disk", "P_edge_on", "P_bar"))
    cases = [np.isnan(disk), disk < threshold, edge_on >= threshold, bar >= threshold]
    names = np.select(cases, ["unclassified", "smooth", "edge-on", "barred"], "featured")
    return names, np.select(cases, [disk, 1 - disk, edge_on, bar], disk)


def _region(center, size, ratio, angle, name, probability):
    """Make the circle or ellipse of one galaxy."""
    meta = RegionMeta({"text": name if np.isnan(probability) else f"{name} {probability:.2f}"})
    visual = RegionVisual({"edgecolor": CLASS_COLORS[str(name)]})
    if name == "unclassified":
        visual["linestyle"] = "dashed"
    size = size * u.arcsec
    if ratio == 1:
        return CircleSkyRegion(center, size, meta=meta, visual=visual)
    # The height points north, and turns to the east with the position angle.
    return EllipseSkyRegion(center, 2 * ratio * size, 2 * size, angle * u.deg, meta=meta,
                            visual=visual)
