"""Where galaxies are and how large: positions and R90 from tables as catalogs spell them."""
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

# Names of right ascension and declination, in any case and with any of "_-. " within. VizieR adds
# _RAJ2000 and _DEJ2000, in degrees, to tables of any kind.
_SPELLINGS = [tuple(pair.split()) for pair in (
    "ra dec", "_raj2000 _dej2000", "_raicrs _deicrs", "raj2000 dej2000", "raj2000 decj2000",
    "raicrs deicrs", "raicrs decicrs", "radeg dedeg", "radeg decdeg", "ra2000 dec2000",
    "ra2000 de2000", "ra de", "rightascension declination", "alphaj2000 deltaj2000",
    "alphawinj2000 deltawinj2000", "alphasky deltasky", "ramean decmean", "rastack decstack",
    "sra sdec", "objra objdec", "targetra targetdec", "plugra plugdec")]
# Names of R90, the preferred ones first: of the r band, of an unnamed one, of the others near to r.
_SIZES = [name + band for band in ("r", "", "i", "g", "z", "u")
          for name in ("petror90", "petroth90", "r90arcsec", "r90")]
# What SDSS and the NASA-Sloan Atlas call it is in arcseconds by their definition.
_IN_ARCSEC = re.compile("(petror90|petroth90|r90arcsec)[ugriz]?")
# Units of angle as files spell them, without case, plural and brackets.
_ANGLES = {word: unit for unit, words in {
    u.deg: "deg degree \N{DEGREE SIGN}", u.rad: "rad radian", u.arcmin: "arcmin arcminute amin",
    u.arcsec: "arcsec arcsecond asec", u.mas: "mas milliarcsec milliarcsecond marcsec",
    u.uas: "uas microarcsec microarcsecond", u.hourangle: "hourangle"}.items()
    for word in words.split()}
_HOURS = {"h", "hr", "hour"}
# Units of text in hours, or degrees, and minutes and seconds; with or without ":" and the like.
_SEXAGESIMAL = re.compile("(h+|hrs?|hours?|d+|degs?|degrees?)(arc)?(m+|mins?|minutes?)"
                          "(arc)?(s+|secs?|seconds?)s*")
_UNDERSTOOD = ("a SkyCoord column, columns such as ra and dec, RA_ICRS and DE_ICRS, RAJ2000 and "
               "DEJ2000, ALPHA_J2000 and DELTA_J2000, right_ascension and declination, or with "
               "the UCDs pos.eq.ra and pos.eq.dec")


def find_positions(data, *, ra=None, dec=None):
    """Find the positions of galaxies, whatever their columns are called.

    Parameters
    ----------
    data : `~astropy.coordinates.SkyCoord` or `~astropy.table.Table`
        Positions in any frame, or a table with a SkyCoord column or with columns of right ascension
        and declination (J2000 or ICRS) in a usual spelling. Numbers without a unit are degrees;
        text is sexagesimal, with right ascension in hours, or decimal degrees.
    ra, dec : str, optional
        Names of the columns; ``ra`` alone may name a SkyCoord column. By default they are found:
        the one SkyCoord column, else ``ra`` and ``dec``, else the pair whose UCD says
        ``meta.main``, else those that VizieR adds, else the only pair there is.

    Returns
    -------
    ra, dec : `~numpy.ndarray`, shape (n,)
        ICRS, degrees, ``ra`` from 0 to 360. Both are NaN where a position is missing, cannot be
        read, or lies outside -180 to 360 or -90 to 90 degrees.

    Raises
    ------
    TypeError, ValueError
        If the columns cannot be told, have a unit that is no angle, or are no columns of numbers.
    """
    if isinstance(data, SkyCoord):
        return _from_skycoord(data, "data")
    if not isinstance(data, Table):
        raise wrong("data", "a SkyCoord or a Table with positions", type(data).__name__,
                    error=ArgumentTypeError)
    names = _named(data, ra, dec) if ra is not None or dec is not None else position_columns(data)
    if len(names) == 1:
        return _from_skycoord(data[names[0]], names[0])
    longitude = _degrees(data[names[0]], names[0], u.hourangle)
    latitude = _degrees(data[names[1]], names[1], u.deg)
    good = (longitude >= -180) & (longitude <= 360) & (np.abs(latitude) <= 90)
    return np.where(good, longitude, np.nan) % 360, np.where(good, latitude, np.nan)


def find_sizes(data, *, r90=None):
    """Find the Petrosian R90 of galaxies, the radius that holds 90 % of their light.

    Parameters
    ----------
    data : `~astropy.coordinates.SkyCoord` or `~astropy.table.Table`
        The galaxies.
    r90 : `~astropy.units.Quantity` or str, optional
        R90 as an angle, one or one per galaxy, or the name of a column. By default a column named
        ``petroR90_r``, ``PETRO_TH90``, ``R90`` or similar is found, of several that of the r band.
        The names of SDSS and of the NASA-Sloan Atlas are in arcseconds by definition; any other
        needs a unit. Half-light radii are not taken for R90.

    Returns
    -------
    `~numpy.ndarray`, shape (n,), or None
        Arcseconds, NaN where R90 is missing or not positive (SDSS writes -9999); None if there is
        no ``r90`` and no column of it.

    Raises
    ------
    TypeError, ValueError
        If R90 has no unit or one that is no angle, or there is not one for each galaxy.
    """
    if r90 is None:
        r90 = size_column(data)
    return None if r90 is None else arcseconds(data, r90, "r90")


def angle_unit(unit):
    """Give the unit of angle that a file means, whatever its spelling.

    Parameters
    ----------
    unit : `~astropy.units.Unit` or str or None
        As ``ARCSEC``, ``arcsecs``, ``RADIANS``, ``[deg]``, ``'deg'``.

    Returns
    -------
    `~astropy.units.Unit` or None
        None for no unit; what is no angle is given back as it came (hours, lengths).
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
    except OverflowError:  # of high powers, as d63 for a day
        return False


def _form(name):
    """A column's name without case and separators, but for a leading underscore."""
    return name[:1].lower() + re.sub("[-_. ]", "", name[1:].lower())


def named_column(table, name, argument):
    """Give the column of a table that an argument names, or say what is wrong."""
    names = table.colnames if isinstance(table, Table) else []
    if name not in names:
        raise wrong(argument, f"the name of a column, one of {names}" if names else
                    "no name of a column, as there is no table", repr(name))
    return table[name]


def arcseconds(data, value, argument):
    """Give an angular size, or the column of it that an argument names, in arcseconds."""
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
                    f"A table's column {name!r} gets one by table[{name!r}].unit = 'arcsec'.")
    values = _numbers(column, name) * unit.to(u.arcsec)
    n = data.size if isinstance(data, SkyCoord) else len(data)
    if values.ndim and values.shape != (n,):
        raise wrong(argument, f"one angle or {n}, one per galaxy", f"shape {values.shape}")
    if not values.ndim and not 0 < values < np.inf:
        raise wrong(argument, "a positive angle", f"{value}")
    return np.where((values > 0) & np.isfinite(values), values, np.full(n, np.nan))


def _numbers(column, name):
    """Numbers of a column; NaN in cells of text or of objects that hold none."""
    if getattr(getattr(column, "dtype", None), "kind", "f") not in "SUO" or column.ndim != 1:
        return as_floats(getattr(column, "value", column), name)
    return np.array([_number(value) for value in column.tolist()], float)


def _number(value):
    """The number that a cell holds, else NaN."""
    try:
        return as_float(value)
    except (TypeError, ValueError):
        return np.nan


def _named(table, ra, dec):
    """Names of the columns that the user asked for."""
    if ra is not None and isinstance(named_column(table, ra, "ra"), SkyCoord) and dec is None:
        return (ra,)
    if ra is None or dec is None:
        raise wrong("ra, dec", "the names of two columns, or ra alone for a SkyCoord column",
                    f"ra={ra!r}, dec={dec!r}")
    named_column(table, dec, "dec")
    return ra, dec


def position_columns(table):
    """Find the columns of positions by their names.

    Parameters
    ----------
    table : `~astropy.table.Table`
        May be without rows.

    Returns
    -------
    tuple of str
        The one SkyCoord column, or the best pair, as `find_positions` takes them.

    Raises
    ------
    ValueError
        If there are none, or several.
    """
    found, best = _candidates(table)
    if best:
        return best
    if not found:
        raise wrong("data", f"positions: {_UNDERSTOOD}", f"no positions in the columns "
                    f"{table.colnames}", "Rename others to those, or name them by ra and dec.")
    if len(found) > 1:
        raise wrong("data", "one position", "several positions, "
                    f"{', '.join(' and '.join(names) for names in found)}",
                    "Choose by ra and dec.")
    return found[0]


def has_positions(table):
    """Tell whether a table has columns of positions, one or several.

    Parameters
    ----------
    table : `~astropy.table.Table`

    Returns
    -------
    bool
    """
    found, best = _candidates(table)
    return bool(found or best)


def _candidates(table):
    """All columns of positions, and those that are better than the others, if any."""
    skycoords = [(name,) for name in table.colnames if isinstance(table[name], SkyCoord)]
    forms = {_form(name): name for name in sorted(table.colnames)}  # "ra" after "RA": it wins
    spelled = {pair: tuple(forms[form] for form in pair) for pair in _SPELLINGS
               if forms.keys() >= set(pair)}
    main, described = _by_ucd(table, "main"), _by_ucd(table)
    best = [skycoords[0] if len(skycoords) == 1 else None, spelled.get(_SPELLINGS[0]), main,
            *map(spelled.get, _SPELLINGS[1:3])]
    found = list(dict.fromkeys([*skycoords, *spelled.values(), *filter(None, [described])]))
    return found, next(filter(None, best), None)


def _by_ucd(table, word=""):
    """Names of the only columns with UCDs pos.eq.ra and pos.eq.dec that hold a word, or None."""
    found = {"ra": [], "dec": []}
    for name in table.colnames:
        if re.search("19[05]0", name):  # the equinox
            continue
        info = table[name].info
        ucds = f"{(info.meta or {}).get('ucd', '')} {info.description or ''}".lower()
        match = re.search(rf"(?<!\S)pos[._]eq[._](ra|dec)(?![a-z])\S*{word}", ucds)
        if match and not re.search("arith|offset|stat.error", ucds):
            found[match[1]].append(name)
    return (*found["ra"], *found["dec"]) if all(len(v) == 1 for v in found.values()) else None


def _from_skycoord(coordinates, name):
    """ICRS degrees, NaN where masked or not finite."""
    try:
        icrs = coordinates.icrs
    except (ConvertError, AttributeError) as error:
        raise wrong(name, "positions that can be turned into ICRS",
                    f"{coordinates.frame.name}: {error}") from error
    ra, dec = (np.atleast_1d(as_floats(angle, name)) for angle in (icrs.ra.deg, icrs.dec.deg))
    if ra.ndim > 1:
        raise wrong(name, "one position or a list", f"shape {ra.shape}")
    good = np.isfinite(ra) & np.isfinite(dec)
    return np.where(good, ra, np.nan), np.where(good, dec, np.nan)


def _degrees(column, name, sexagesimal):
    """A column of angles in degrees, NaN where missing or unreadable."""
    if not hasattr(column, "dtype"):
        raise wrong(name, "a column of angles", f"one of type {type(column).__name__}")
    text = column.dtype.kind in "SUO"
    unit = angle_unit(getattr(column, "unit", None))
    # Declared as "h:m:s" and the like, text needs no more than the usual reading.
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
    """Angles of a column of text, or of Python objects."""
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

    with warnings.catch_warnings():  # 60 seconds are a minute
        warnings.simplefilter("ignore", IllegalSecondWarning)
        warnings.simplefilter("ignore", IllegalMinuteWarning)
        return np.array([read(value) for value in column.tolist()], float)


def _has_other_sense(text, hours):
    """Whether a text is no right ascension, or no declination, though it can be read as an angle.

    Hours are no declination, west is no right ascension, and a sign and a direction are too many.
    """
    signed, end = text[:1] in ("-", "+"), text[-1:]
    if end == "S" and re.search("[dhm']", text, re.IGNORECASE):  # seconds
        end = ""
    if hours:
        return end in tuple("NSWnw") or signed and end in tuple("Ee")
    return "h" in text.lower() or end in tuple("EWew") or signed and end in tuple("NSn")


def size_column(data):
    """Find the column of R90 by its name.

    Parameters
    ----------
    data : `~astropy.table.Table`
        May be without rows; anything else has no columns.

    Returns
    -------
    str or None
        The best one, as `find_sizes` takes it.
    """
    if not isinstance(data, Table):
        return None
    forms = {_form(name): name for name in sorted(data.colnames)}
    return next((forms[form] for form in _SIZES if form in forms), None)
