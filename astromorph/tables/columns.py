"""Convert columns to types that the file formats can hold."""
from itertools import chain
from numbers import Real

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table
from astropy.time import Time

from astromorph.errors import wrong

__all__ = ["as_text", "check_cells", "like", "narrow", "no_rows", "plain"]

# Types that FITS or VOTable lack, and the types that replace them. FITS stores unsigned integers
# with an offset, and readers disagree whether it applies to the null value.
_WIDER = {"int8": "int16", "uint16": "int32", "uint32": "int64"}


def plain(table, *, objects=False):
    """Copy a table and convert its columns to numbers, booleans and text.

    Positions become columns of right ascension and declination (ICRS), and times become text (ISO
    8601). Floats of 16 bits become floats of 32 bits. Python objects become numbers or text if
    nothing is lost.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table, which stays unchanged.
    objects : bool
        Keep bytes and arrays of different lengths as objects.

    Returns
    -------
    `~astropy.table.Table`

    Raises
    ------
    ArgumentError
        If a column cannot be converted.
    """
    result = Table(table, copy=False)  # columns with units instead of quantities
    for name in table.colnames:
        column = result[name]
        if isinstance(column, SkyCoord):
            _spread(result, name)
        elif isinstance(column, Time):
            result[name] = Column(column.isot, description=column.info.description or
                                  f"{column.scale.upper()}, ISO 8601", meta=column.info.meta)
        elif not isinstance(column, Column):
            raise _refused(column, name, f"type {type(column).__name__}")
        elif column.dtype.kind == "O":
            result[name] = _of_objects(column, objects)
        elif column.dtype.kind == "S" and not np.ma.filled(column, b"").tobytes().isascii():
            result[name] = as_text(column.astype(object))
        elif column.dtype.kind == "M":
            result[name] = _dates(column)
        elif column.dtype == np.float16:
            result[name] = column.astype(np.float32)
        elif column.dtype.kind == "f" and column.dtype.itemsize > 8:
            result[name] = _doubles(column)
        elif column.dtype.kind not in "biufcSU":
            raise _refused(column, name, f"type {column.dtype}")
    return result


def _refused(column, name, kind):
    return wrong("table", "columns of numbers, text, positions or times",
                 f"column {name!r} of {kind}", "Remove it, or write an .ecsv file.")


def _dates(column):
    mask = np.ma.getmaskarray(column) | np.isnat(np.ma.getdata(column))
    text = np.where(mask, "", np.datetime_as_string(np.ma.getdata(column)))
    return like(column, text, mask)


def _doubles(column):
    values = np.ma.getdata(column).astype(np.float64)
    if not np.array_equal(values, np.ma.getdata(column), equal_nan=True):
        raise _refused(column, column.name, f"type {column.dtype}, which 64 bits do not hold")
    return like(column, values, np.ma.getmaskarray(column))


def _of_objects(column, objects):
    """Convert a column of Python objects to numbers or text; None becomes masked."""
    mask = np.ma.getmaskarray(column) | np.array([value is None for value in column], bool)
    values = [value for value, gone in zip(column, mask) if not gone]
    if not values or all(isinstance(value, (str, bytes)) for value in values):
        if objects and not _are_text(values):
            return column
        return as_text(column)
    if all(isinstance(value, (bool, np.bool_)) for value in values) or all(
            isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
            for value in values):
        numbers = np.array(values)
        if numbers.dtype.kind in "biuf" and numbers.tolist() == values:
            filled = np.zeros(len(column), numbers.dtype)
            filled[~mask] = numbers
            return like(column, filled, mask)
    if any(np.ndim(value) or isinstance(value, (dict, set, list, tuple)) for value in values):
        if objects and all(np.ndim(value) == 1 and np.asarray(value).dtype.kind in "biufU"
                           for value in values):
            return column
        raise _refused(column, column.name, "arrays, or other objects")
    return as_text(column)


def _are_text(values):
    for value in values:
        try:
            value.encode() if isinstance(value, str) else value.decode()
        except UnicodeError:
            return False
    return True


def as_text(column):
    """Convert a column of Python strings to text; None becomes masked."""
    values = column.filled("") if isinstance(column, MaskedColumn) else column
    missing = np.ma.getmaskarray(column) | np.array([value is None for value in values], bool)
    if not _are_text([value for value in values if isinstance(value, bytes)]):
        raise wrong("table", "columns of text, numbers, positions or times",
                    f"column {column.name!r} of bytes that are not text",
                    "Remove it, or write a .parquet file.")
    text = np.array(["" if gone else value.decode() if isinstance(value, bytes)
                     else str(value) for value, gone in zip(values, missing)], str)
    return like(column, text, missing)


def check_cells(column, format, *, kinds="biufcSU", arrays="biufcSU", most=9, control=""):
    """Raise if a format cannot hold a column.

    Parameters
    ----------
    column : `~astropy.table.Column`
        A column of a `plain` table.
    format : str
        Name of the format, for the message.
    kinds, arrays : str
        Kinds of types that the format holds, and kinds that may have several values per cell.
    most : int
        Largest number of dimensions of a column.
    control : str
        Characters that the format does not allow in text. Surrogates are never allowed.

    Raises
    ------
    ArgumentError
        If the format cannot hold the column.
    """
    if column.dtype.kind not in kinds:
        raise _refused(column, column.name, f"type {column.dtype}")
    if column.ndim > 1 and (column.dtype.kind not in arrays or column.ndim > most):
        raise wrong("table", f"one value per cell, for {format}",
                    f"column {column.name!r} with cells of shape {column.shape[1:]}",
                    "Remove it, or write another format.")
    if column.dtype.kind in "US":
        text = set("".join(np.ma.filled(column, "").astype(str).ravel().tolist()))
        if found := sorted(letter for letter in text
                           if letter in control or "\ud800" <= letter <= "\udfff"):
            raise wrong("table", f"text that {format} can hold",
                        f"column {column.name!r} with the character {found[0]!r}",
                        "Replace it, or remove the column.")


def like(column, values, mask=None):
    """Make a column of new values with the name, unit and description of another column."""
    kind, mask = (MaskedColumn, {"mask": mask}) if np.any(mask) else (Column, {})
    return kind(values, name=column.name, unit=column.unit, description=column.description,
                meta=column.meta, format=column.format, **mask)


def no_rows(names, ucds):
    """Make a table without rows, with these names and UCDs; a UCD may be None."""
    return Table([Column([], name, meta={"ucd": ucd or ""}) for name, ucd in zip(names, ucds)])


def narrow(table):
    """Make a `plain` table of types that FITS and VOTable share, with null values for integers."""
    result = plain(table)
    for name in result.colnames:
        column = result[name]
        if (wider := _WIDER.get(column.dtype.name)) is not None:
            result[name] = column = column.astype(wider)
        elif column.dtype.kind == "u" and column.dtype.itemsize == 8:
            result[name] = column = _signed(column)
        if column.dtype.kind in "iu" and isinstance(column, MaskedColumn):
            result[name] = _with_null(column)
    return result


def _signed(column):
    """Convert to signed integers of 64 bits, or to text if a number is too large."""
    values = np.where(np.ma.getmaskarray(column), 0, np.ma.getdata(column))
    if np.all(values <= np.iinfo(np.int64).max):
        return like(column, values.astype(np.int64), np.ma.getmaskarray(column))
    return like(column, values.astype(str), np.ma.getmaskarray(column))


def _with_null(column):
    """Give a column a fill value that no row has; use more bits if all values are taken."""
    taken = set(np.ma.getdata(column)[~np.ma.getmaskarray(column)].ravel().tolist())
    limits = np.iinfo(column.dtype)
    ends = [limits.min, limits.max] if limits.min < 0 else [limits.max, limits.min]
    free = next((value for value in chain(ends, range(limits.max, limits.min, -1))
                 if value not in taken), None)
    if free is None:
        return _with_null(column.astype("int16" if limits.max < 256 else "int64"))
    column.fill_value = free
    return column


def _spread(table, name):
    """Replace a column of positions by columns of right ascension and declination."""
    icrs = table[name].icrs
    taken = {other.lower() for other in table.colnames} - {name.lower()}
    prefix = f"{name}_" if taken & {"ra", "dec"} else ""
    main = "" if prefix else ";meta.main"
    where = table.colnames.index(name)
    table.remove_column(name)
    for key, angle, title in (("dec", icrs.dec, "Declination"), ("ra", icrs.ra, "Right ascension")):
        table.add_column(Column(angle.to_value(u.deg), unit=u.deg, description=f"{title} (ICRS)",
                                meta={"ucd": f"pos.eq.{key}{main}"}), where, f"{prefix}{key}")
