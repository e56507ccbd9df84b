"""Where on the sky the galaxies of a table are, as a coverage map (MOC)."""
import numpy as np
from astropy import units as u
from astropy.coordinates import Latitude, Longitude

from astromorph.arguments import check_number
from astromorph.distribution import missing
from astromorph.errors import wrong
from astromorph.tables.positions import arcseconds, find_positions

__all__ = ["to_moc"]


def to_moc(table, *, radius=None, order=12):
    """Make the coverage map of the galaxies of a table, for Aladin, TOPCAT or mocpy.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.coordinates.SkyCoord`
        With positions, see `~astromorph.tables.positions.find_positions`.
    radius : `~astropy.units.Quantity` or str, optional
        Cover a circle around each galaxy: its radius, one or one per galaxy, or the name of a
        column. By default, the cell that each galaxy is in.
    order : int
        HEALPix order of the smallest cells, 0 to 29; those of 12 are 52 arcsec wide.

    Returns
    -------
    `mocpy.MOC`
        Galaxies without a position are left out.

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
    check_number(order, "order", "a whole number from 0 to 29",
                 lambda value: value in range(30))
    ra, dec = find_positions(table)
    good = np.isfinite(ra)
    sizes = np.zeros(len(ra)) if radius is None else arcseconds(table, radius, "radius")
    good &= np.isfinite(sizes)
    if not good.any():
        raise wrong("table", "galaxies with a position" + ("" if radius is None else
                    " and a radius"), "none")
    longitude, latitude = Longitude(ra[good] * u.deg), Latitude(dec[good] * u.deg)
    if radius is None:
        return MOC.from_lonlat(longitude, latitude, max_norder=order)
    return MOC.from_cones(lon=longitude, lat=latitude, radius=sizes[good] * u.arcsec,
                          max_depth=order, union_strategy="small_cones")
