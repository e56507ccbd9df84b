"""Read and write tables, whatever the format."""
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from astromorph.atomic import check_writable, written_whole
from astromorph.errors import (ArgumentError, AstromorphWarning, DestinationError,
                               wrong)
from astromorph.tables.arrow import read_parquet, to_arrow, write_parquet
from astromorph.tables.columns import check_cells, like, plain
from astromorph.tables.csv_files import read_csv, write_csv
from astromorph.tables.fits_tables import read_fits, write_fits
from astromorph.tables.hats import is_hats, read_hats, write_hats
from astromorph.tables.votables import read_votable, write_votable

__all__ = ["FORMATS", "Format", "check_columns", "check_destination", "read_table", "table_format",
           "write_table"]

_LINE_ENDS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@dataclass(frozen=True)
class Format:
    """How a kind of file is read and written.

    Parameters
    ----------
    read : callable
        Takes a path, returns a table.
    write : callable
        Takes a table and a path.
    suffixes : tuple of str
        Ends of the names of such files.
    """

    read: Callable
    write: Callable
    suffixes: tuple


def _reader(path, format):
    try:
        name = table_format(path, format)
    except ValueError:
        if format is not None:
            raise
        return "a table", Table.read  # astropy knows many more
    return name, FORMATS[name].read


def _read_ascii(name):
    return lambda path: Table.read(path, format=name)


def _write_ecsv(table, path):
    table = table.copy(copy_data=False)
    for number, name in enumerate(table.colnames):
        kind = getattr(getattr(table[name], "dtype", None), "kind", None)
        if kind == "M":
            table[name] = plain(table[[name]])[name]
        elif kind == "m":  # which its reader cannot read
            check_cells(table[name], "ECSV")
        elif kind in ("U", "S"):
            check_cells(table[name], "ECSV", most=99, control=_LINE_ENDS)
            if number == 0 and any(str(value).startswith("#") for value in table[name].flat):
                raise wrong("table", "text that ECSV can hold",
                            f"the first column, {name!r}, with text that starts with #, which a "
                            "reader takes for a comment", "Move the column, or use another format.")
    table.write(path, format="ascii.ecsv", overwrite=True)


FORMATS = {
    "fits": Format(read_fits, write_fits, (".fits", ".fit", ".fits.gz", ".fit.gz")),
    "votable": Format(read_votable, write_votable, (".vot", ".votable", ".xml")),
    "ecsv": Format(_read_ascii("ascii.ecsv"), _write_ecsv, (".ecsv",)),
    "parquet": Format(read_parquet, write_parquet, (".parquet", ".parq", ".pq")),
    "csv": Format(read_csv, write_csv, (".csv",)),
    "hats": Format(read_hats, write_hats, ("hats",)),
}
"""Name to `Format` (`dict`)."""


def table_format(path, format=None):
    """The format that a path or a name means.

    Parameters
    ----------
    path : path
        Its end tells; a folder that holds a HATS catalog is one.
    format : str, optional
        A name in `FORMATS`, in any case.

    Returns
    -------
    str
        A name in `FORMATS`.

    Raises
    ------
    ValueError
        If there is no such format, or the path tells none.
    """
    if format is not None:
        if str(format).lower() not in FORMATS:
            raise wrong("format", f"one of {', '.join(map(repr, FORMATS))}", repr(format))
        return str(format).lower()
    if is_hats(path):
        return "hats"
    name = Path(path).name
    found = [key for key, known in FORMATS.items() if name.lower().endswith(known.suffixes)]
    if not found:
        ends = ", ".join(known.suffixes[0] for known in FORMATS.values())
        raise wrong("path", f"a name that ends in {ends}", f"{name}, which tells no table format",
                    f"Rename it, or pass format= one of {', '.join(FORMATS)}.")
    return found[0]


def read_table(path, *, format=None, hdu=None):
    """Read a table, with the units, descriptions, UCDs and missing values that its format keeps.

    Parameters
    ----------
    path : path
        A file, or the folder of a HATS catalog, which is read whole (at most
        `~astromorph.tables.hats.MAX_ROWS` rows). Of several tables in a FITS file the first with
        positions is read, and so of those in a VOTable file, of which else there must be one only.
    format : str, optional
        ``"fits"``, ``"votable"``, ``"ecsv"``, ``"parquet"``, ``"csv"`` or ``"hats"``; by default
        the name tells, or else astropy.
    hdu : int or str, optional
        Number or name of the HDU, for FITS files.

    Returns
    -------
    `~astropy.table.Table`
        UCDs are in the ``meta`` of its columns, ``"ucd"``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If it is a HATS catalog and LSDB is not installed.
    ValueError
        If the format is unknown, or the file does not hold a table in it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    name, read = _reader(path, format)
    if hdu is not None and name != "fits":
        raise wrong("hdu", "None, as only FITS files have HDUs", f"{hdu!r}, for {path}")
    try:
        return read(path) if hdu is None else read(path, hdu)
    except (ImportError, PermissionError, AstromorphWarning, ArgumentError):
        raise
    except Exception as error:  # the parsers have errors of every kind for what they cannot read
        raise wrong("path", "a file that holds a table", f"{path}, which cannot be read as {name}: "
                    f"{_first_line(error)}") from error


def write_table(table, path, *, overwrite=False, format=None):
    """Write a table to publish it: whole, with all that the format can say about its columns.

    Columns keep their unit, description, UCD (``"ucd"`` in the column's ``meta``) and missing
    values, the table what its ``meta`` holds of text and numbers, among it the provenance
    (`PROVENANCE`). CSV keeps the missing values only. Except in ECSV, positions become columns of
    right ascension and declination (ICRS, degrees), and times become text (ISO 8601).

    Parameters
    ----------
    table : `~astropy.table.Table`
    path : path
        A file, or the folder of a HATS catalog.
    overwrite : bool
        Replace what is there.
    format : str, optional
        As for `read_table`.

    Raises
    ------
    DestinationError
        If the file exists and ``overwrite`` is not set, or it is no file.
    ImportError
        If it is a HATS catalog and LSDB is not installed.
    OSError
        If it cannot be written; what was there is still there, and nothing else.
    ValueError
        If the format is unknown, or cannot hold a column.
    """
    path, name = Path(path), table_format(path, format)
    _check_kind(path, name)
    with written_whole(path, overwrite=overwrite) as part:
        if name == "hats":
            write_hats(table, part, name=path.name)
        else:
            _write(name, table, part)


def check_destination(path, *, overwrite=False, format=None):
    """Raise what `write_table` would, as far as can be told before the table is there.

    Parameters
    ----------
    path, overwrite, format
        As for `write_table`.

    Returns
    -------
    str
        The format, a name in `FORMATS`.

    Raises
    ------
    DestinationError, OSError, ValueError
        As `write_table`.
    """
    path, name = Path(path), table_format(path, format)
    _check_kind(path, name)
    check_writable(path, overwrite=overwrite)
    return name


def check_columns(table, format):
    """Raise what `write_table` would raise about the columns, before the work.

    Parameters
    ----------
    table : `~astropy.table.Table`
    format : str
        A name in `FORMATS`.

    Raises
    ------
    ValueError
        If the format cannot hold a column.
    """
    table = _telling_rows(table)
    if format == "hats":
        to_arrow(table)
        return
    with suppress(OSError), tempfile.TemporaryDirectory() as folder:  # of no room for a trial
        _write(format, table, Path(folder, f"columns{FORMATS[format].suffixes[0]}"))


def _telling_rows(table):
    """A few rows that are refused as the whole table is.

    All letters of a column of text are in its first row. Columns of objects, of bytes and of long
    numbers are judged by every value.
    """
    kinds = {name: getattr(table[name], "dtype", np.dtype(bool)) for name in table.colnames}
    whole = any(kind.kind in "OS" or kind.kind in "fc" and kind.itemsize > 8 * (
        1 + (kind.kind == "c")) for kind in kinds.values())
    few = (table if whole else table[:2]).copy(copy_data=False)
    for name, kind in kinds.items():
        if kind.kind == "U" and table[name].size:
            texts = np.ma.filled(table[name], "").ravel().tolist()
            first = next((text for text in texts if text.startswith("#")), f"x{texts[0]}")
            cells = np.ma.filled(few[name], "").astype(object)
            cells.flat[0] = f"{first}{''.join(set(''.join(texts)))}x"  # a last NUL would be lost
            mask = np.ma.getmaskarray(few[name]).copy()
            mask.flat[0] = False
            few[name] = like(few[name], cells.astype(str), mask)
    return few


def _write(format, table, path):
    """Write a file; all that is wrong with a column is an error of the same kind."""
    for column in table.colnames:
        if not column.strip() or not column.isprintable():  # written, few readers would find it
            raise wrong("table", "columns with names of letters", repr(column),
                        "Rename it: table.rename_column.")
    try:
        FORMATS[format].write(table, path)
    except (ArgumentError, ImportError, OSError):
        raise
    except Exception as error:  # the writers have errors of every kind for what they cannot hold
        raise wrong("table", f"columns that {format} can hold", _first_line(error)) from error


def _check_kind(path, name):
    """Only a HATS catalog takes the place of a folder, and only of one of its kind."""
    if path.is_dir() and not (name == "hats" and is_hats(path)):
        raise wrong("path", "a file, or a HATS catalog to replace", f"{path}, which is a folder",
                    error=DestinationError)
    if path.is_file() and name == "hats":
        raise wrong("path", "the folder of a HATS catalog", f"{path}, which is a file",
                    error=DestinationError)


def _first_line(error):
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")[:300]
