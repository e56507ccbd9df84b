"""Find positions and R90 in tables, by the names that catalogs use for their columns."""
import re
import warnings
from numbers import Real

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, ConvertError, SkyCoord
from astropy.coordinates.angles import IllegalMinuteWarning, IllegalSecondWarning
from astropy.table import Table

from astromorph.arguments import as_float, as_floats
from astromorph.errors import ArgumentTypeError, wrong

__all__ = ["angle_unit", "find_positions", "find_sizes", "has_positions", "position_columns",
           "size_column"]

# Names of right ascension and declination, in lower case and without "_-. ()[]" inside. VizieR adds
# _RAJ2000 and _DEJ2000, in degrees, to all of its tables.
_SPELLINGS = [tuple(pair.split()) for pair in (
    "ra dec", "_raj2000 _dej2000", "_raicrs _deicrs", "raj2000 dej2000", "raj2000 decj2000",
    "raicrs deicrs", "raicrs decicrs", "radeg dedeg", "radeg decdeg", "ra2000 dec2000",
    "ra2000 de2000", "ra de", "rightascension declination", "alphaj2000 deltaj2000",
    "alphawinj2000 deltawinj2000", "alphasky deltasky", "ramean decmean", "rastack decstack",
    "coordra coorddec", "sra sdec", "objra objdec", "targetra targetdec", "plugra plugdec")]
# Names of R90 in the order of preference: in r, without a band, then in the bands next to r.
_SIZES = [name + band for band in ("r", "", "i", "g", "z", "u")
          for name in ("petror90", "petroth90", "r90arcsec", "r90")]
# SDSS and the NASA-Sloan Atlas define columns of these names in arcseconds.
_IN_ARCSEC = re.compile("(petror90|petroth90|r90arcsec)[ugriz]?")
# Spellings of units of angle, in lower case and singular, without brackets.
_ANGLES = {word: unit for unit, words in {
    u.deg: "deg degree \N{DEGREE SIGN}", u.rad: "rad radian", u.arcmin: "arcmin arcminute amin",
    u.arcsec: "arcsec arcsecond asec", u.mas: "mas milliarcsec milliarcsecond marcsec",
    u.uas: "uas microarcsec microarcsecond", u.hourangle: "hourangle"}.items()
    for word in words.split()}
_HOURS = {"h", "hr", "hour"}
# Units of sexagesimal text, such as "h:m:s", without the characters between the letters.
_SEXAGESIMAL = re.compile("(h+|hrs?|hours?|d+|degs?|degrees?)(arc)?(m+|mins?|minutes?)"
                          "(arc)?(s+|secs?|seconds?)s*")
_UNDERSTOOD = ("a SkyCoord column, columns such as ra and dec, RA_ICRS and DE_ICRS, RAJ2000 and "
               "DEJ2000, ALPHA_J2000 and DELTA_J2000, right_ascension and declination, or with "
               "the UCDs pos.eq.ra and pos.eq.dec")


def find_positions(data, *, ra=None, dec=None):
    """Find the positions of galaxies in the columns of a table.

    Parameters
    ----------
    data : `~astropy.coordinates.SkyCoord` or `~astropy.table.Table`
        Positions in any frame, or a table with a SkyCoord column or with columns of right ascension
        and declination (J2000 or ICRS). Numbers without a unit are degrees. Text holds decimal
        degrees, or is sexagesimal with right ascension in hours.
    ra, dec : str, optional
        Names of the columns; ``ra`` alone may name a SkyCoord column. By default astromorph looks
        for a single SkyCoord column, and then for ``ra`` and ``dec``. Next come the pair with
        ``meta.main`` in its UCDs, the pair that VizieR adds, and the only pair.

    Returns
    -------
    ra, dec : `~numpy.ndarray`, shape (n,)
        ICRS, in degrees, ``ra`` from 0 to 360. Both are NaN where a position is missing, cannot be
        read, or lies outside -180 to 360 or -90 to 90 degrees.

    Raises
    ------
    TypeError, ValueError
        If there are no such columns or several pairs, or if the columns hold no angles.

    See Also
    --------
    find_sizes : Find R90.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.tables.positions import find_positions
    >>> ra, dec = find_positions(Table({"RAJ2000": ["03 19 41"], "DEJ2000": ["-19 24 41"]}))
    >>> print(f"{ra[0]:.4f} {dec[0]:.4f}")
    49.9208 -19.4114
    """
    if isinstance(data, SkyCoord):
        return _from_skycoord(data, "data")
    if not isinstance(data, Table):
        raise wrong("data", "a SkyCoord or a Table with positions", type(data).__name__,
                    "astromorph.tables.data_frames.as_table converts a data frame.",
                    error=ArgumentTypeError)
    names = _named(data, ra, dec) if ra is not None or dec is not None else position_columns(data)
    if len(names) == 1:
        return _from_skycoord(data[names[0]], names[0])
    longitude = _degrees(data[names[0]], names[0], u.hourangle)
    latitude = _degrees(data[names[1]], names[1], u.deg)
    good = (longitude >= -180) & (longitude <= 360) & (np.abs(latitude) <= 90)
    return np.where(good, longitude, np.nan) % 360, np.where(good, latitude, np.nan)


def find_sizes(data, *, r90=None):
    """Find the Petrosian R90 of galaxies, the radius that holds 90% of their Petrosian flux.

    Parameters
    ----------
    data : `~astropy.coordinates.SkyCoord` or `~astropy.table.Table`
        The galaxies.
    r90 : `~astropy.units.Quantity` or str, optional
        R90 as an angle, one for all or one per galaxy, or the name of a column. By default
        astromorph looks for a column such as ``petroR90_r``, ``PETRO_TH90`` or ``R90``, and prefers
        the r band. Columns of SDSS and of the NASA-Sloan Atlas are in arcseconds; others need a
        unit. Half-light radii do not count as R90.

    Returns
    -------
    `~numpy.ndarray`, shape (n,), or None
        R90 in arcseconds, NaN where it is missing or not positive (SDSS writes -9999). None if
        there is neither ``r90`` nor such a column.

    Raises
    ------
    TypeError, ValueError
        If R90 is not an angle with a unit, or the number of values does not fit.

    See Also
    --------
    find_positions : Find positions.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.tables.positions import find_sizes
    >>> print(find_sizes(Table({"petroR90_r": [21.5, -9999.0]})))
    [21.5  nan]
    """
    if r90 is None:
        r90 = size_column(data)
    return None if r90 is None else arcseconds(data, r90, "r90")


def angle_unit(unit):
    """Find the unit of angle that a file means, in any spelling.

    Parameters
    ----------
    unit : `~astropy.units.Unit` or str or None
        The unit, such as ``ARCSEC``, ``arcsecs``, ``RADIANS``, ``[deg]`` or ``'deg'``.

    Returns
    -------
    `~astropy.units.Unit` or None
        None for no unit. Other units, such as hours and lengths, are returned unchanged.

    Examples
    --------
    >>> from astromorph.tables.positions import angle_unit
    >>> angle_unit("ARCSECS")
    Unit("arcsec")
    """
    if unit is None or not str(unit).strip(" \"'[]()"):
        return None
    if isinstance(unit, u.UnitBase) and _is_angle(unit):
        return unit
    word = str(unit).strip(" \"'[]()").lower()
    for form in (word, re.sub("s$", "", word)):
        if form in _ANGLES:
            return _ANGLES[form]
        if form in _HOURS:
            return u.hour
    if isinstance(unit, str):
        unit = u.Unit(unit, parse_strict="silent")
    return unit if isinstance(unit, u.UnitBase) else u.UnrecognizedUnit(str(unit))


def _is_angle(unit):
    try:
        return unit.is_equivalent(u.arcsec)
    except OverflowError:  # some units have very high powers
        return False


def _form(name):
    """A column's name in lower case, without separators except a leading underscore."""
    return name[:1].lower() + re.sub(r"[-_. ()\[\]]", "", name[1:].lower())


def named_column(table, name, argument):
    """Return the column that an argument names, or raise."""
    names = table.colnames if isinstance(table, Table) else []
    if name not in names:
        raise wrong(argument, f"the name of a column, one of {names}" if names else
                    "no name of a column, because there is no table", repr(name))
    return table[name]


def arcseconds(data, value, argument, largest=np.inf * u.deg):
    """Convert an angle, or the column that an argument names, to arcseconds, one per row.

    Rows without an angle above 0 and up to the largest are NaN; one angle for all must be one.
    """
    name, column = argument, value
    if isinstance(value, str):
        name, column = value, named_column(data, value, argument)
    unit = angle_unit(getattr(column, "unit", None))
    if getattr(getattr(column, "dtype", None), "kind", "f") in "bcmM":
        raise wrong(argument, "numbers", f"{name!r} of type {column.dtype}")
    if unit is None and _IN_ARCSEC.fullmatch(_form(name)):
        unit = u.arcsec
    if not isinstance(unit, u.UnitBase) or not _is_angle(unit):
        if isinstance(value, Real) and not isinstance(value, bool):
            raise wrong(argument, "an angle with its unit", f"the number {value:g}",
                        f"If it is in arcseconds, pass {argument}={value} * u.arcsec.")
        raise wrong(argument, "an angle, as 5 * u.arcsec or a column with a unit", f"unit {unit}",
                    f"Set the unit of a column with table[{name!r}].unit = 'arcsec'.")
    values = _numbers(column, name) * unit.to(u.arcsec)
    n = data.size if isinstance(data, SkyCoord) else len(data)
    if values.ndim and values.shape != (n,):
        raise wrong(argument, f"one angle or {n}, one per galaxy", f"shape {values.shape}")
    good = (values > 0) & np.isfinite(values) & (values <= largest.to_value(u.arcsec))
    if not values.ndim and not good:
        limit = f" of at most {largest:g}" if np.isfinite(largest) else ""
        raise wrong(argument, f"a positive angle{limit}", f"{value}")
    return np.where(good, values, np.full(n, np.nan))


def _numbers(column, name):
    """Convert a column to numbers; cells of text or objects without a number become NaN."""
    if getattr(getattr(column, "dtype", None), "kind", "f") not in "SUO" or column.ndim != 1:
        return as_floats(getattr(column, "value", column), name)
    return np.array([_number(value) for value in column.tolist()], float)


def _number(value):
    """Convert a cell to a number; NaN if it holds none."""
    try:
        return as_float(value)
    except (TypeError, ValueError):
        return np.nan


def _named(table, ra, dec):
    """The names of the columns that the user chose; raise if there are no such columns."""
    if ra is not None and isinstance(named_column(table, ra, "ra"), SkyCoord) and dec is None:
        return (ra,)
    if ra is None or dec is None:
        raise wrong("ra, dec", "the names of two columns, or ra alone for a SkyCoord column",
                    f"ra={ra!r}, dec={dec!r}")
    named_column(table, dec, "dec")
    return ra, dec


def position_columns(table):
    """Find the names of the columns with positions.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table, perhaps without rows.

    Returns
    -------
    tuple of str
        The SkyCoord column, or the pair of right ascension and declination. `find_positions` has
        the order of preference.

    Raises
    ------
    ArgumentError
        If there are no positions, or several.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.tables.positions import position_columns
    >>> position_columns(Table({"objid": [1], "RA": [10.0], "Dec": [0.0]}))
    ('RA', 'Dec')
    """
    found, best = _candidates(table)
    if best:
        return best
    if not found:
        parts = {"RAh", "RAm", "DEd", "DEm"} <= set(table.colnames)  # of journals' tables
        raise wrong("data", f"positions: {_UNDERSTOOD}", f"no positions in the columns "
                    f"{table.colnames}", "Join RAh, RAm, ... to one column of text, such as "
                    "'03 19 41', and 'DE-', DEd, DEm, ... to another." if parts else
                    "Name the columns with ra= and dec=, or rename them.")
    if len(found) > 1:
        raise wrong("data", "one position", "several positions, "
                    f"{', '.join(' and '.join(names) for names in found)}",
                    "Choose with ra= and dec=.")
    return found[0]


def has_positions(table):
    """Tell whether a table has columns of positions, even several.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table, perhaps without rows.

    Returns
    -------
    bool

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.tables.positions import has_positions
    >>> has_positions(Table({"RA": [10.0], "Dec": [0.0]})), has_positions(Table({"x": [1.0]}))
    (True, False)
    """
    found, best = _candidates(table)
    return bool(found or best)


def _candidates(table):
    """All columns of positions, and the preferred ones or None."""
    skycoords = [(name,) for name in table.colnames if isinstance(table[name], SkyCoord)]
    forms = {_form(name): name for name in sorted(table.colnames)}  # "ra" follows "RA" and wins
    spelled = {pair: tuple(forms[form] for form in pair) for pair in _SPELLINGS
               if forms.keys() >= set(pair)}
    main, described = _by_ucd(table, "main"), _by_ucd(table)
    best = [skycoords[0] if len(skycoords) == 1 else None, spelled.get(_SPELLINGS[0]), main,
            *map(spelled.get, _SPELLINGS[1:3])]
    found = list(dict.fromkeys([*skycoords, *spelled.values(), *filter(None, [described])]))
    return found, next(filter(None, best), None)


def _by_ucd(table, word=""):
    """Names of the only pair of columns with UCDs pos.eq.ra and pos.eq.dec and a word, or None."""
    found = {"ra": [], "dec": []}
    for name in table.colnames:
        if re.search("19[05]0", name):  # the equinox B1900 or B1950
            continue
        info = table[name].info
        ucds = f"{(info.meta or {}).get('ucd', '')} {info.description or ''}".lower()
        match = re.search(rf"(?<!\S)pos[._]eq[._](ra|dec)(?![a-z])\S*{word}", ucds)
        if match and not re.search("arith|offset|stat.error", ucds):
            found[match[1]].append(name)
    return (*found["ra"], *found["dec"]) if all(len(v) == 1 for v in found.values()) else None


def _from_skycoord(coordinates, name):
    """Right ascension and declination (ICRS, degrees), NaN where masked or not finite."""
    try:
        icrs = coordinates.icrs
    except (ConvertError, AttributeError) as error:
        raise wrong(name, "positions that can be transformed to ICRS",
                    f"{coordinates.frame.name}: {error}") from error
    ra, dec = (np.atleast_1d(as_floats(angle, name)) for angle in (icrs.ra.deg, icrs.dec.deg))
    if ra.ndim > 1:
        raise wrong(name, "one position or a list", f"shape {ra.shape}")
    good = np.isfinite(ra) & np.isfinite(dec)
    return np.where(good, ra, np.nan), np.where(good, dec, np.nan)


def _degrees(column, name, sexagesimal):
    """Convert a column of angles to degrees, NaN where missing or unreadable."""
    if not hasattr(column, "dtype"):
        raise wrong(name, "a column of angles", f"one of type {type(column).__name__}")
    text = column.dtype.kind in "SUO"
    unit = angle_unit(getattr(column, "unit", None))
    # A unit such as "h:m:s" only says that the text is sexagesimal, which the default handles.
    if text and _SEXAGESIMAL.fullmatch(re.sub("[^a-z]", "", str(unit).lower())):
        unit = None
    if unit in (u.hour, u.hourangle) and sexagesimal == u.hourangle:
        unit = u.hourangle
    elif unit is not None and (unit == u.hourangle or not _is_angle(unit)):
        raise wrong(name, "degrees, another unit of angle, or hours of right ascension",
                    f"unit {unit}")
    if text and column.ndim == 1:
        values = _read(column, unit or u.deg, unit or sexagesimal)
    else:
        values = as_floats(getattr(column, "value", column), name) * (unit or u.deg).to(u.deg)
    if values.ndim != 1:
        raise wrong(name, "one angle per row", f"shape {values.shape}")
    return values


def _read(column, decimal, sexagesimal):
    """Convert a column of text or Python objects to degrees."""
    def read(value):
        value = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        value = value.strip(" \t\"'")
        try:
            return as_float(value) * decimal.to(u.deg)
        except ValueError:
            pass
        if _has_other_sense(value, sexagesimal == u.hourangle):
            return np.nan
        try:
            return Angle(value, sexagesimal).deg
        except (ValueError, TypeError):
            return np.nan

    with warnings.catch_warnings():  # 60 seconds simply count as a minute
        warnings.simplefilter("ignore", IllegalSecondWarning)
        warnings.simplefilter("ignore", IllegalMinuteWarning)
        return np.array([read(value) for value in column.tolist()], float)


def _has_other_sense(text, hours):
    """Whether a text is an angle, but not a right ascension or a declination.

    A declination has no hours, and a right ascension no direction west. No angle has both a sign
    and a direction.
    """
    signed, end = text[:1] in ("-", "+"), text[-1:]
    if end == "S" and re.search("[dhm']", text, re.IGNORECASE):  # seconds
        end = ""
    if hours:
        return end in tuple("NSWnw") or signed and end in tuple("Ee")
    return "h" in text.lower() or end in tuple("EWew") or signed and end in tuple("NSn")


def size_column(data):
    """Find the name of the column with R90.

    Parameters
    ----------
    data : object
        A table, perhaps without rows. Other objects have no columns.

    Returns
    -------
    str or None
        The preferred column, as in `find_sizes`; None if there is none.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astropy import units as u
    >>> from astromorph.tables.positions import size_column
    >>> size_column(Table({"objid": [1], "petroR90_r": [6.0] * u.arcsec}))
    'petroR90_r'
    """
    if not isinstance(data, Table):
        return None
    forms = {_form(name): name for name in sorted(data.colnames)}
    return next((forms[form] for form in _SIZES if form in forms), None)
