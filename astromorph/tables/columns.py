"""Columns as every file format can hold them."""
import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table
from astropy.time import Time

from astromorph.errors import wrong

__all__ = ["as_text", "like", "narrow", "plain"]

# What neither FITS nor VOTable has, and what holds the same numbers. Unsigned ones come in FITS
# with an offset that readers do not agree to apply to the null value.
_WIDER = {"int8": "int16", "uint16": "int32", "uint32": "int64"}


def plain(table):
    """Copy of a table with nothing but columns of numbers, booleans and text.

    Positions become columns of right ascension and declination (ICRS), times text (ISO 8601).

    Raises
    ------
    ValueError
        If there is another kind of column.
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
            raise wrong("table", "columns of numbers, text, positions and times",
                        f"column {name!r} of type {type(column).__name__}",
                        "Remove it, or write an .ecsv file.")
        elif column.dtype.kind == "O":
            result[name] = as_text(column)
    return result


def as_text(column):
    """Column of text in place of one of Python's strings; None becomes masked."""
    values = column.filled("") if isinstance(column, MaskedColumn) else column
    missing = np.ma.getmaskarray(column) | np.array([value is None for value in values], bool)
    text = np.array(["" if gone else value.decode(errors="replace") if isinstance(value, bytes)
                     else str(value) for value, gone in zip(values, missing)], str)
    return like(column, text, missing)


def like(column, values, mask=None):
    """Column of other values, described as another one is."""
    kind, mask = (MaskedColumn, {"mask": mask}) if np.any(mask) else (Column, {})
    return kind(values, name=column.name, unit=column.unit, description=column.description,
                meta=column.meta, format=column.format, **mask)


def narrow(table):
    """`plain`, and in the types that FITS and VOTable share; masked integers have a null value."""
    result = plain(table)
    for name in result.colnames:
        column = result[name]
        if (wider := _WIDER.get(column.dtype.name)) is not None:
            result[name] = column = column.astype(wider)
        if column.dtype.kind in "iu" and isinstance(column, MaskedColumn):
            limits = np.iinfo(column.dtype)
            column.fill_value = limits.min if limits.min < 0 else limits.max
    return result


def _spread(table, name):
    """Right ascension and declination in place of a column of positions."""
    icrs = table[name].icrs
    taken = {other.lower() for other in table.colnames} - {name.lower()}
    prefix = f"{name}_" if taken & {"ra", "dec"} else ""
    main = "" if prefix else ";meta.main"
    where = table.colnames.index(name)
    table.remove_column(name)
    for key, angle, title in (("dec", icrs.dec, "Declination"), ("ra", icrs.ra, "Right ascension")):
        table.add_column(Column(angle.to_value(u.deg), unit=u.deg, description=f"{title} (ICRS)",
                                meta={"ucd": f"pos.eq.{key}{main}"}), where, f"{prefix}{key}")
