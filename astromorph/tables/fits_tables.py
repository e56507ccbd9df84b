"""Read and write FITS tables, with units, nulls, descriptions and UCDs in TOPCAT's cards."""
import io
import os
import re
import unicodedata
import warnings

import numpy as np
from astropy.io import fits
from astropy.table import Table

from astromorph.errors import warn, wrong
from astromorph.fits_layout import PACKED, layout_fault
from astromorph.tables.columns import check_cells, like, narrow, no_rows
from astromorph.tables.positions import has_positions
from astromorph.tables.provenance import scalars

__all__ = ["holds_table", "is_table", "read_fits", "write_fits"]

# Cards per column that astropy does not write.
_ATTRIBUTES = {"TCOMM": "description", "TUCD": "ucd"}


def write_fits(table, path):
    """Write a FITS file with one binary table."""
    table = narrow(table)
    cards = {}
    for number, name in enumerate(table.colnames, start=1):
        check_cells(table[name], "FITS", control="\0")
        table[name] = _storable(table[name])
        column = table[name]
        about = {"description": column.description, "ucd": column.meta.get("ucd")}
        cards |= {f"{key}{number}": _ascii(about[attribute])
                  for key, attribute in _ATTRIBUTES.items() if about[attribute]}
        column.description, column.meta = None, {}  # astropy would write them as COMMENT cards
    lines = {key: [_ascii(str(line)) for line in table.meta[key]]
             for key in ("comments", "HISTORY") if isinstance(table.meta.get(key), list)}
    table.meta = cards | lines | dict(map(_card, scalars(table.meta)))
    with warnings.catch_warnings():
        # Users can do nothing about these: astropy writes long keys as HIERARCH cards, cuts long
        # comments and leaves out reserved words.
        warnings.filterwarnings("ignore", "Keyword name|Card is too long|Meta-data keyword")
        table.write(path, format="fits", overwrite=True)


def read_fits(path, hdu=None):
    """Read the table of an HDU; by default the first with positions, or the only one."""
    _check_layout(path)
    with fits.open(path, character_as_bytes=True) as hdus:  # needed to see missing text
        chosen = _choose(hdus, path) if hdu is None else _named(hdus, hdu)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*contains NULL")  # they are masked below
            table, header = Table.read(chosen, format="fits"), chosen.header
            nulls = list(_nulls(chosen))
    if len(table.columns) == header["TFIELDS"] and set(table.colnames) == set(_names(header)):
        _describe(table, header)
        for name, mask in nulls:
            table[name] = like(table[name], table[name], mask | np.ma.getmaskarray(table[name]))
    _decode(table)
    return table


def holds_table(path):
    """Tell whether a FITS file holds a table and no image.

    Parameters
    ----------
    path : path

    Returns
    -------
    bool
        False if the file does not exist or cannot be read.
    """
    if not os.path.isfile(path):
        return False
    try:
        _check_layout(path)
        with fits.open(path) as hdus:
            return any(map(is_table, hdus)) and not any(
                hdu.is_image and hdu.header.get("NAXIS", 0) > 1 for hdu in hdus)
    except Exception:  # damaged in one of the many ways that astropy knows
        return False


def _check_layout(path):
    """Raise for a damaged file, because Astropy might never finish reading it."""
    with open(path, "rb") as file:
        packed = PACKED.get(file.read(2))
        file.seek(0)
        fault = layout_fault(io.BytesIO(packed(file).read()) if packed else file)
    if fault is not None:
        raise ValueError(fault)


def is_table(hdu):
    """Tell whether an HDU is a table, and not a compressed image."""
    return (isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))
            and not isinstance(hdu, fits.CompImageHDU))


def _named(hdus, name):
    try:
        found = hdus[name]
    except (KeyError, IndexError, TypeError) as error:
        raise wrong("hdu", f"the name or number of an HDU, of {[hdu.name for hdu in hdus]}",
                    repr(name)) from error
    if not is_table(found):
        raise wrong("hdu", "an HDU that holds a table", f"{name!r}, which holds none")
    return found


def _choose(hdus, path):
    """The first table with positions, else the first that is not a copy of an image's header."""
    tables = [hdu for hdu in hdus if is_table(hdu)]
    if not tables:
        raise ValueError("it holds images, but no table")
    placed = [hdu for hdu in tables if _has_positions(hdu)]
    others = [hdu for hdu in tables if hdu.name != "LDAC_IMHEAD"]  # SExtractor copies headers there
    best = placed or others or tables
    if len(best) > 1:
        number = hdus.index_of(best[0])
        warn(f"{path} holds {len(tables)} tables. The first one"
             f"{' with positions' if placed else ''} (HDU {number}) is read; hdu= chooses another.")
    return best[0]


def _has_positions(hdu):
    names = hdu.columns.names
    return has_positions(no_rows(names, [hdu.header.get(f"TUCD{number + 1}")
                                         for number in range(len(names))]))


def _names(header):
    return [header.get(f"TTYPE{number}") for number in range(1, header["TFIELDS"] + 1)]


def _describe(table, header):
    for number in range(1, header["TFIELDS"] + 1):
        about = {attribute: table.meta.pop(f"{key}{number}", None)
                 for key, attribute in _ATTRIBUTES.items()}
        name = header.get(f"TTYPE{number}")
        if name in table.colnames:
            info = table[name].info
            info.description = about["description"]
            info.meta = {"ucd": about["ucd"]} if about["ucd"] else {}


def _nulls(hdu):
    """Names and masks of columns whose nulls Astropy takes for values.

    These are bytes other than T and F in columns of booleans, and the null value of scaled
    integers.
    """
    if not isinstance(hdu, fits.BinTableHDU):
        return
    stored = hdu.data.view(np.ndarray)
    for column, field in zip(hdu.columns, stored.dtype.names, strict=True):
        if re.fullmatch(r"\d*L", column.format):
            yield column.name, ~np.isin(stored[field], (ord("T"), ord("F")))
        elif column.null is not None and hdu.data[column.name].dtype.kind == "f":
            yield column.name, stored[field] == column.null


def _decode(table):
    for name in table.colnames:
        column = table[name]
        if getattr(getattr(column, "dtype", None), "kind", "O") == "S":
            text = np.char.decode(np.ma.filled(column, b""), "utf-8", "replace")
            table[name] = like(column, text, np.ma.getmaskarray(column))


def _storable(column):
    """Convert text to bytes, and masked booleans to integers, because FITS has no null for them.

    Masked text becomes empty.
    """
    mask = np.ma.getmaskarray(column)
    if column.dtype.kind == "U":
        column = like(column, np.char.encode(np.ma.filled(column, ""), "utf-8"))
    elif column.dtype.kind == "b" and mask.any():
        column = like(column, np.ma.filled(column, False).astype(np.uint8), mask)
        column.fill_value = 255
    return column


def _card(entry):
    key, value, comment = entry
    value = _ascii(value) if isinstance(value, str) else value
    return key, (value, _ascii(comment)) if comment else value


def _ascii(text):
    """Convert text to the characters that a FITS header can hold."""
    text = unicodedata.normalize("NFKD", " ".join(text.split()))
    return "".join(character for character in text if not unicodedata.combining(character)).encode(
        "ascii", "replace").decode()
