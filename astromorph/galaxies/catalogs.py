"""Galaxies of a survey's catalog inside a region of the sky."""
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

_TIMEOUT = 300.0  # seconds; databases think longer than image services

_TYPES = {"REX": 1.0, "EXP": 1.0, "DEV": 4.0}  # Sersic index of Tractor's galaxies, but for "SER"
_DES_PIXEL = 0.263  # arcsec, of the coadds

_COLUMNS = {  # name: (unit, UCD, description)
    "ra": (u.deg, "pos.eq.ra;meta.main", "Right ascension (ICRS)"),
    "dec": (u.deg, "pos.eq.dec;meta.main", "Declination (ICRS)"),
    "petroR90_r": (u.arcsec, "phys.angSize", "Petrosian R90 in r"),
    "mag_r": (u.mag, "phot.mag;em.opt.R", "Magnitude in r (AB), not corrected for extinction"),
    "axis_ratio": (None, "phys.size.axisRatio", "Minor to major axis"),
    "position_angle": (u.deg, "pos.posAng", "Of the major axis, north through east"),
}


def query_galaxies(region, survey="sdss", *, max_rows: int = 100_000,
                   faint_limit: float | None = None) -> Table:
    """Ask a survey's catalog for the galaxies in a region of the sky.

    Parameters
    ----------
    region : CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion or RectangleSkyRegion
        Of the `regions` package.
    survey : str or `~astromorph.surveys.Survey`
        Whose record names the catalog (see `CATALOGS`).
    max_rows : int
        Most galaxies that the circle around the region may hold.
    faint_limit : float, optional
        Faintest r magnitude.

    Returns
    -------
    `~astropy.table.Table`
        The catalog's identifier, ``ra`` and ``dec`` (ICRS, degrees), ``petroR90_r`` (arcsec),
        ``mag_r``, ``axis_ratio`` and ``position_angle`` (degrees, north through east). SDSS
        measures R90. For the others it is that of a Sersic profile (see `petrosian_r90`): in the
        Legacy Surveys of the model fitted; in DES of an exponential disk with the half-light radius
        measured, an approximation: 2.3 of these, where other profiles have 1.8 to 2.7.

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
    """Petrosian R90 of Sersic profiles, as SDSS defines petroR90.

    The Petrosian radius, where the surface brightness is a fifth of the mean inside, and the flux
    within two of them follow from the profile (Graham & Driver 2005, PASA 22, 118). R90 of all
    light would be 5.5 half-light radii of a de Vaucouleurs profile, that of the Petrosian flux is
    2.5. The circular apertures around an inclined galaxy are allowed for by the mean of its axes,
    right within 15 % for indices from 1 and axis ratios from 0.2. Seeing is not allowed for.

    Parameters
    ----------
    half_light : array-like
        Half-light radius along the major axis.
    index : array-like
        Sersic index, 0.5 to 6; others count as the nearest.
    axis_ratio : array-like
        Minor to major axis.

    Returns
    -------
    `~numpy.ndarray`
        In the unit of ``half_light``.
    """
    return half_light * np.interp(index, *_r90_of_index()) * (1 + np.asarray(axis_ratio)) / 2


@cache
def _r90_of_index():
    """Sersic indices, and R90 in half-light radii of round galaxies."""
    indices = np.linspace(0.5, 6, 56)
    return indices, np.array([_round_r90(n) for n in indices])


def _round_r90(n):
    # In x = b (r / half-light radius)^(1/n), the flux within r is that in all times gammainc(2n, x)
    def brightness(x):
        return x ** (2 * n) * np.exp(-x) / (2 * n * gamma(2 * n) * gammainc(2 * n, x))

    petrosian = brentq(lambda x: brightness(x) - 0.2, 0.1, 60)
    flux = gammainc(2 * n, petrosian * 2 ** (1 / n))
    return (gammaincinv(2 * n, 0.9 * flux) / gammaincinv(2 * n, 0.5)) ** n


def _sdss(release, center, radius, max_rows, faint_limit):
    """Galaxies with a measured R90 in SDSS's photometric catalog."""
    sql = (f"SELECT TOP {max_rows} p.objID, p.ra, p.dec, p.petroR90_r, p.petroMag_r AS mag_r, "
           "p.expAB_r AS axis_ratio, p.expPhi_r AS position_angle FROM Galaxy AS p "
           f"JOIN dbo.fGetNearbyObjEq({center.ra.deg:.8f}, {center.dec.deg:.8f}, "
           f"{radius.arcmin:.6f}) AS n ON n.objID = p.objID WHERE p.clean = 1 AND p.petroR90_r > 0"
           + _fainter("p.petroMag_r", faint_limit))
    number = int(release.removeprefix("DR"))
    sdss = SDSSClass()

    def attempt():
        # query_sql itself takes any text for a table, or for an empty one.
        response = sdss.query_sql_async(sql, timeout=_TIMEOUT, data_release=number, cache=False)
        return _read_csv(response.text, "objID,ra,dec,petroR90_r,mag_r,axis_ratio,position_angle")

    with Transport(timeout=_TIMEOUT) as transport:
        sdss._session = transport.session
        return _table("objID", transport.call(sdss_conf.skyserver_baseurl, attempt))


def _legacy(release, center, radius, max_rows, faint_limit):
    """Galaxies of the Legacy Surveys' Tractor catalog, with R90 of the model fitted."""
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
    """The column that holds the types of models: some tables have it exchanged with ref_cat."""
    row, = _ask_tap(f"SELECT TOP 1 type, ref_cat FROM {tractor} WHERE shape_r > 0", 2)
    for name in ("type", "ref_cat"):
        if str(row[name]).strip() in {*_TYPES, "SER"}:
            return name
    raise FetchError(f"no column of {tractor} holds types of models: {tuple(row)}",
                     MorphFlag.UNREADABLE)


def _des(release, center, radius, max_rows, faint_limit):
    """Sources of DES that are galaxies with high confidence, with R90 of exponential disks."""
    rows = _ask_tap(
        f"SELECT TOP {max_rows} coadd_object_id, ra, dec, flux_radius_r, mag_auto_r AS mag_r, "
        "a_image, b_image, theta_j2000 AS position_angle "
        f"FROM des_{release.lower()}.main WHERE {_circle(center, radius)} "
        "AND extended_class_coadd = 3 AND flux_radius_r > 0"
        + _fainter("mag_auto_r", faint_limit), max_rows)
    return _table("coadd_object_id", rows, axis_ratio=rows["b_image"] / rows["a_image"],
                  petroR90_r=petrosian_r90(_DES_PIXEL * rows["flux_radius_r"], 1.0))


CATALOGS = {"sdss": _sdss, "legacy": _legacy, "des": _des}
"""Name to function ``catalog(release, center, radius, max_rows, faint_limit)`` (`dict`).

It takes the release that the survey's record names (str), a SkyCoord, an Angle, an int and a
magnitude or None, and gives a Table of at most ``max_rows`` galaxies in the circle, with positions
and R90 in columns that `~astromorph.tables.positions.find_positions` and
`~astromorph.tables.positions.find_sizes` find. To use one of your own, add it here and name it in a
`~astromorph.surveys.Survey`.
"""


def _fainter(column, limit):
    return "" if limit is None else f" AND {column} < {float(limit)}"


def _circle(center, radius):
    # As the service has it: its ADQL knows the index q3c, but not always CONTAINS.
    return (f"'t' = q3c_radial_query(ra, dec, {center.ra.deg:.8f}, {center.dec.deg:.8f}, "
            f"{radius.deg:.8f})")


def _ask_tap(adql, max_rows):
    """Rows that NOIRLab's Table Access Protocol service gives."""
    with Transport(timeout=_TIMEOUT) as transport:
        query = TAPQuery(conf.tap_url, adql, maxrec=max_rows, session=transport.session)

        def attempt():
            try:
                return _read_votable(query.submit().content)
            except StatusError as error:
                if error.status == 400:  # the VOTable sent along says what is wrong with the query
                    return _read_votable(error.response.content)
                raise

        results = transport.call(query.queryurl, attempt)
    if results.query_status == "OVERFLOW":
        raise _too_many(len(results))
    return results.to_table()


def _too_many(limit):
    return wrong("max_rows", f"at most {limit} galaxies in the circle around the region",
                 f"more than {limit} galaxies", "Choose a smaller region, a brighter faint_limit, "
                 "or more max_rows if that is the limit; none is left out silently.")


def _read_csv(text, header):
    """Table of SkyServer's answer, if it is one."""
    if "error_message" in text:
        raise FetchError(f"SkyServer refused the query: {text[:300]}", MorphFlag.SERVER_ERROR)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or lines[0].strip().lower() != header.lower():
        raise FetchError("SkyServer answered with something else than a table: "
                         f"{' '.join(text[:200].split())!r}", MorphFlag.UNREADABLE, retry=True)
    try:
        return Table.read([header, *lines[1:]], format="ascii.csv")
    except InconsistentTableError as error:
        raise FetchError(f"SkyServer's table is cut: {error}", MorphFlag.UNREADABLE,
                         retry=True) from error


def _read_votable(data):
    """Result of a TAP query, if it is one."""
    try:
        with warnings.catch_warnings():  # the caller looks at the status
            warnings.simplefilter("ignore", DALOverflowWarning)
            return TAPResults(votable.parse(io.BytesIO(data), verify="ignore"))
    except DALQueryError as error:
        raise FetchError(f"the catalog refused the query: {error}",
                         MorphFlag.SERVER_ERROR) from error
    except Exception as error:  # the parser has errors of many kinds for what is no VOTable
        raise FetchError("the catalog answered with something else than a VOTable: "
                         f"{data[:200]!r}", MorphFlag.UNREADABLE, retry=True) from error


def _table(identifier, rows, **columns):
    """The columns that all catalogs have, described; those not given are among the rows."""
    table = Table()
    table[identifier] = Column(rows[identifier], dtype=np.int64,
                               description="Identifier in the catalog", meta={"ucd": "meta.id"})
    for name, (unit, ucd, description) in _COLUMNS.items():
        values = as_floats(columns[name] if name in columns else rows[name], name)
        table[name] = Column(values, unit=unit, description=description, meta={"ucd": ucd})
    return table
