"""Where on the sky the galaxies of a table are, as a coverage map (MOC)."""
import numpy as np
from astropy import units as u
from astropy.coordinates import Latitude, Longitude

from astromorph.arguments import check_whole
from astromorph.distribution import missing
from astromorph.errors import wrong
from astromorph.tables.positions import arcseconds, find_positions

__all__ = ["to_moc"]

_LARGEST = 10 * u.deg
_DEEPEST = 29
# Cells of order 0 are about this wide. A circle as wide as thousands of cells takes seconds.
_WIDEST = np.sqrt(4 * np.pi / 12) * u.rad
_MOST = 5000


def to_moc(table, *, radius=None, order=12):
    """Make the coverage map of the galaxies of a table, for Aladin, TOPCAT or mocpy.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.coordinates.SkyCoord`
        With positions, see `~astromorph.tables.positions.find_positions`.
    radius : `~astropy.units.Quantity` or str, optional
        Cover a circle around each galaxy: its radius, one or one per galaxy, or the name of a
        column. By default, the cell that each galaxy is in. A radius is at most 10 degrees.
    order : int
        HEALPix order of the smallest cells, 0 to 29; those of 12 are 52 arcsec wide. With a radius,
        these cells are at most 5000 times smaller than the largest radius.

    Returns
    -------
    `mocpy.MOC`
        Galaxies without a position or a radius are left out.

    Raises
    ------
    ImportError
        If mocpy is not installed.
    TypeError, ValueError
        If there are no positions, or an argument is not as described.

    See Also
    --------
    astromorph.to_regions : Mark each galaxy.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import Table
    >>> from astromorph.interop import to_moc
    >>> table = Table({"ra": [10.0, 10.1], "dec": [20.0, 20.0]})
    >>> moc = to_moc(table, radius=1 * u.arcmin)
    >>> moc.contains_lonlat([10, 11] * u.deg, [20, 20] * u.deg)
    array([ True, False])
    """
    try:
        from mocpy import MOC
    except ImportError as error:
        raise missing("A coverage map", "mocpy", "footprints") from error
    check_whole(order, "order", 0, _DEEPEST)
    ra, dec = find_positions(table)
    good = np.isfinite(ra)
    sizes = np.zeros(len(ra)) if radius is None else arcseconds(
        table, radius, "radius", _LARGEST)
    good &= np.isfinite(sizes)
    if not good.any():
        raise wrong("table", "galaxies with a position" + ("" if radius is None else
                    " and a radius"), "none")
    longitude, latitude = Longitude(ra[good] * u.deg), Latitude(dec[good] * u.deg)
    if radius is None:
        return MOC.from_lonlat(longitude, latitude, max_norder=int(order))
    _check_cells(order, sizes[good].max())
    return MOC.from_cones(lon=longitude, lat=latitude, radius=sizes[good] * u.arcsec,
                          max_depth=int(order), union_strategy="small_cones")


def _check_cells(order, radius):
    """Raise if the circles would be as wide as too many cells."""
    finest = int(np.log2(_MOST * _WIDEST.to_value(u.arcsec) / radius))
    if order > finest:
        raise wrong("order", f"at most {finest} for circles of {radius:.4g} arcsec, which are "
                    f"{_MOST} cells wide then", order, "Pass a smaller order=.")
