"""Query a survey's catalog for the galaxies in a region of the sky."""
import io
import warnings
from functools import cache

import numpy as np
from astropy import units as u
from astropy.io import votable
from astropy.io.ascii import InconsistentTableError
from astropy.table import Column, Table
from astroquery.sdss import SDSSClass
from astroquery.sdss import conf as sdss_conf
from pyvo.dal import DALOverflowWarning, DALQueryError
from pyvo.dal.tap import TAPQuery, TAPResults
from scipy.optimize import brentq
from scipy.special import gamma, gammainc, gammaincinv

from astromorph.arguments import as_floats, check_count
from astromorph.errors import FetchError, wrong
from astromorph.flags import MorphFlag
from astromorph.galaxies.regions import bounding_circle, inside
from astromorph.services import conf
from astromorph.services.transport import StatusError, Transport
from astromorph.surveys import get_survey
from astromorph.tables.positions import find_positions

__all__ = ["CATALOGS", "petrosian_r90", "query_galaxies"]

_TIMEOUT = 300.0  # seconds; databases take longer than image services

_TYPES = {"REX": 1.0, "EXP": 1.0, "DEV": 4.0}  # Sersic index of Tractor's types, except "SER"
_DES_PIXEL = 0.263  # arcsec per pixel of the coadds

_COLUMNS = {  # name: (unit, UCD, description)
    "ra": (u.deg, "pos.eq.ra;meta.main", "Right ascension (ICRS)"),
    "dec": (u.deg, "pos.eq.dec;meta.main", "Declination (ICRS)"),
    "petroR90_r": (u.arcsec, "phys.angSize", "Petrosian R90 in r"),
    "mag_r": (u.mag, "phot.mag;em.opt.R", "Magnitude in r (AB), not corrected for extinction"),
    "axis_ratio": (None, "phys.size.axisRatio", "Minor to major axis"),
    "position_angle": (u.deg, "pos.posAng", "Position angle of the major axis, north through east"),
}


def query_galaxies(region, survey="sdss", *, max_rows: int = 100_000,
                   faint_limit: float | None = None) -> Table:
    """Query a survey's catalog for the galaxies in a region of the sky.

    Parameters
    ----------
    region : CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion or RectangleSkyRegion
        A region of the `regions` package.
    survey : str or `~astromorph.surveys.Survey`
        The survey. Its record names the catalog, see
        `~astromorph.galaxies.catalogs.CATALOGS`.
    max_rows : int
        Largest number of galaxies that the circle around the region may hold.
    faint_limit : float, optional
        Faintest r magnitude (AB).

    Returns
    -------
    `~astropy.table.Table`
        One row per galaxy: the catalog's identifier, ``ra`` and ``dec`` (ICRS, degrees),
        ``petroR90_r`` (arcsec), ``mag_r``, ``axis_ratio`` and ``position_angle`` (degrees, north
        through east).

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or there are more galaxies than ``max_rows``.
    FetchError
        If the service does not answer.

    See Also
    --------
    to_regions : Make regions of classified galaxies.
    astromorph.MorphologyClassifier.classify : Classify the galaxies found.

    Notes
    -----
    Only SDSS measures R90. For the Legacy Surveys, astromorph computes R90 from the Sersic profile
    of the fitted model (see `petrosian_r90`). For DES it is approximate: the profile is taken as
    exponential, with an R90 of 2.3 half-light radii. Other profiles have 1.8 to 2.7.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from regions import CircleSkyRegion
    >>> from astromorph import query_galaxies
    >>> coma = CircleSkyRegion(SkyCoord(194.95, 27.98, unit="deg"), 10 * u.arcmin)
    >>> galaxies = query_galaxies(coma, "sdss", faint_limit=17)  # doctest: +SKIP
    """
    record = get_survey(survey)
    if record.catalog not in CATALOGS:
        raise wrong("survey", f"one with a catalog, {', '.join(CATALOGS)}",
                    f"{record.name!r} with {record.catalog!r}")
    check_count(max_rows, "max_rows")
    if faint_limit is not None and not np.isfinite(as_floats(faint_limit, "faint_limit")):
        raise wrong("faint_limit", "a magnitude", repr(faint_limit))
    table = CATALOGS[record.catalog](record.release, *bounding_circle(region), max_rows + 1,
                                     faint_limit)
    if len(table) > max_rows:
        raise _too_many(max_rows)
    table = table[inside(region, *find_positions(table))]
    table.meta["catalog"] = f"{record.title} {record.release}"
    return table


def petrosian_r90(half_light, index, axis_ratio=1.0):
    """Compute the Petrosian R90 of Sersic profiles, as SDSS defines petroR90.

    Parameters
    ----------
    half_light : array-like, shape (n,)
        Half-light radius along the major axis.
    index : array-like, shape (n,)
        Sersic index, 0.5 to 6. A value outside counts as the nearest limit.
    axis_ratio : array-like, shape (n,)
        Minor to major axis.

    Returns
    -------
    `~numpy.ndarray`, shape (n,)
        R90 in the unit of ``half_light``.

    Notes
    -----
    The profile gives the Petrosian radius, where the surface brightness is a fifth of the mean
    inside. It also gives the flux within two of these radii (Graham & Driver 2005, PASA 22, 118).
    For a de Vaucouleurs profile, R90 is 2.5 half-light radii; 90% of all light would need 5.5.

    SDSS measures in circular apertures. For inclined galaxies, the mean of the axes corrects R90
    for that, within 15% for indices from 1 and axis ratios from 0.2. Seeing is ignored.

    Examples
    --------
    >>> from astromorph.galaxies.catalogs import petrosian_r90
    >>> print(petrosian_r90([2.0, 2.0], [1.0, 4.0]).round(1))
    [4.6 5. ]
    """
    return half_light * np.interp(index, *_r90_of_index()) * (1 + np.asarray(axis_ratio)) / 2


@cache
def _r90_of_index():
    """Sersic indices, and R90 of round galaxies in half-light radii."""
    indices = np.linspace(0.5, 6, 56)
    return indices, np.array([_round_r90(n) for n in indices])


def _round_r90(n):
    # With x = b (r / half-light radius)^(1/n), the fraction of flux within r is gammainc(2n, x).
    def brightness(x):
        return x ** (2 * n) * np.exp(-x) / (2 * n * gamma(2 * n) * gammainc(2 * n, x))

    petrosian = brentq(lambda x: brightness(x) - 0.2, 0.1, 60)
    flux = gammainc(2 * n, petrosian * 2 ** (1 / n))
    return (gammaincinv(2 * n, 0.9 * flux) / gammaincinv(2 * n, 0.5)) ** n


def _sdss(release, center, radius, max_rows, faint_limit):
    """Galaxies with a measured R90 in the photometric catalog of SDSS."""
    sql = (f"SELECT TOP {max_rows} p.objID, p.ra, p.dec, p.petroR90_r, p.petroMag_r AS mag_r, "
           "p.expAB_r AS axis_ratio, p.expPhi_r AS position_angle FROM Galaxy AS p "
           f"JOIN dbo.fGetNearbyObjEq({center.ra.deg:.8f}, {center.dec.deg:.8f}, "
           f"{radius.arcmin:.6f}) AS n ON n.objID = p.objID WHERE p.clean = 1 AND p.petroR90_r > 0"
           + _fainter("p.petroMag_r", faint_limit))
    number = int(release.removeprefix("DR"))
    sdss = SDSSClass()

    def attempt():
        # query_sql itself reads any text as a table, even an error message.
        response = sdss.query_sql_async(sql, timeout=_TIMEOUT, data_release=number, cache=False)
        return _read_csv(response.text, "objID,ra,dec,petroR90_r,mag_r,axis_ratio,position_angle")

    with Transport(timeout=_TIMEOUT) as transport:
        sdss._session = transport.session
        return _table("objID", transport.call(sdss_conf.skyserver_baseurl, attempt))


def _legacy(release, center, radius, max_rows, faint_limit):
    """Galaxies of the Legacy Surveys' Tractor catalog, with R90 from the fitted model."""
    tractor = f"ls_{release.lower()}.tractor"
    kind = _type_column(tractor) if release.upper() == "DR11" else "type"
    rows = _ask_tap(
        f"SELECT TOP {max_rows} ls_id, ra, dec, {kind} AS type, sersic, shape_r, shape_e1, "
        f"shape_e2, mag_r FROM {tractor} WHERE {_circle(center, radius)} "
        f"AND brick_primary = 1 AND {kind} IN ('REX', 'EXP', 'DEV', 'SER') AND shape_r > 0"
        + _fainter("mag_r", faint_limit), max_rows)
    types = [str(kind).strip() for kind in rows["type"]]
    index = [_TYPES.get(kind, n) for kind, n in zip(types, rows["sersic"])]
    ellipticity = np.hypot(rows["shape_e1"], rows["shape_e2"])
    ratio = (1 - ellipticity) / (1 + ellipticity)
    angle = np.degrees(np.arctan2(rows["shape_e2"], rows["shape_e1"])) / 2 % 180
    return _table("ls_id", rows, petroR90_r=petrosian_r90(rows["shape_r"], index, ratio),
                  axis_ratio=ratio, position_angle=angle)


def _type_column(tractor):
    """The column with the types of models; some tables exchange it with ref_cat."""
    row, = _ask_tap(f"SELECT TOP 1 type, ref_cat FROM {tractor} WHERE shape_r > 0", 2)
    for name in ("type", "ref_cat"):
        if str(row[name]).strip() in {*_TYPES, "SER"}:
            return name
    raise FetchError(f"no column of {tractor} holds types of models: {tuple(row)}",
                     MorphFlag.UNREADABLE)


def _des(release, center, radius, max_rows, faint_limit):
    """High-confidence galaxies of DES, with R90 of exponential disks."""
    rows = _ask_tap(
        f"SELECT TOP {max_rows} coadd_object_id, ra, dec, flux_radius_r, mag_auto_r AS mag_r, "
        "a_image, b_image, theta_j2000 AS position_angle "
        f"FROM des_{release.lower()}.main WHERE {_circle(center, radius)} "
        "AND extended_class_coadd = 3 AND flux_radius_r > 0"
        + _fainter("mag_auto_r", faint_limit), max_rows)
    return _table("coadd_object_id", rows, axis_ratio=rows["b_image"] / rows["a_image"],
                  petroR90_r=petrosian_r90(_DES_PIXEL * rows["flux_radius_r"], 1.0))


CATALOGS = {"sdss": _sdss, "legacy": _legacy, "des": _des}
"""Name of a catalog to a function ``catalog(release, center, radius, max_rows, faint_limit)``
(`dict`).

The function takes the release in the survey's record (str), a SkyCoord, an Angle, an int, and a
magnitude or None. It returns a table of at most ``max_rows`` galaxies in the circle. Its columns
hold positions and R90 such that `~astromorph.tables.positions.find_positions` and
`~astromorph.tables.positions.find_sizes` find them. To use your own catalog, add it here and name
it in a `~astromorph.surveys.Survey`.
"""


def _fainter(column, limit):
    return "" if limit is None else f" AND {column} < {float(limit)}"


def _circle(center, radius):
    # The service's ADQL knows the index q3c, but not always CONTAINS.
    return (f"'t' = q3c_radial_query(ra, dec, {center.ra.deg:.8f}, {center.dec.deg:.8f}, "
            f"{radius.deg:.8f})")


def _ask_tap(adql, max_rows):
    """Query the Table Access Protocol service of NOIRLab; return the rows."""
    with Transport(timeout=_TIMEOUT) as transport:
        query = TAPQuery(conf.tap_url, adql, maxrec=max_rows, session=transport.session)

        def attempt():
            try:
                return _read_votable(query.submit().content)
            except StatusError as error:
                if error.status == 400:  # the answer is a VOTable that explains the error
                    return _read_votable(error.response.content)
                raise

        results = transport.call(query.queryurl, attempt)
    if results.query_status == "OVERFLOW":
        raise _too_many(len(results))
    return results.to_table()


def _too_many(limit):
    return wrong("max_rows", f"at most {limit} galaxies in the circle around the region",
                 f"more than {limit} galaxies", "Choose a smaller region, a brighter faint_limit, "
                 "or a larger max_rows; galaxies are never left out silently.")


def _read_csv(text, header):
    """Read SkyServer's answer as a table, or raise."""
    if "error_message" in text:
        raise FetchError(f"SkyServer refused the query: {text[:300]}", MorphFlag.SERVER_ERROR)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or lines[0].strip().lower() != header.lower():
        raise FetchError("SkyServer did not answer with a table: "
                         f"{' '.join(text[:200].split())!r}", MorphFlag.UNREADABLE, retry=True)
    try:
        return Table.read([header, *lines[1:]], format="ascii.csv")
    except InconsistentTableError as error:
        raise FetchError(f"SkyServer's table is incomplete: {error}", MorphFlag.UNREADABLE,
                         retry=True) from error


def _read_votable(data):
    """Read an answer as the result of a TAP query, or raise."""
    try:
        with warnings.catch_warnings():  # the caller checks for an overflow
            warnings.simplefilter("ignore", DALOverflowWarning)
            return TAPResults(votable.parse(io.BytesIO(data), verify="ignore"))
    except DALQueryError as error:
        raise FetchError(f"the catalog refused the query: {error}",
                         MorphFlag.SERVER_ERROR) from error
    except Exception as error:  # the parser raises errors of many kinds
        raise FetchError("the catalog did not answer with a VOTable: "
                         f"{data[:200]!r}", MorphFlag.UNREADABLE, retry=True) from error


def _table(identifier, rows, **columns):
    """Make the table with the columns of all catalogs; ``columns`` replace those of ``rows``."""
    table = Table()
    table[identifier] = Column(rows[identifier], dtype=np.int64,
                               description="Identifier in the catalog", meta={"ucd": "meta.id"})
    for name, (unit, ucd, description) in _COLUMNS.items():
        values = as_floats(columns[name] if name in columns else rows[name], name)
        table[name] = Column(values, unit=unit, description=description, meta={"ucd": ucd})
    return table
