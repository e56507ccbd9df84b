"""Read and write tables in any of the supported formats."""
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
from astromorph.tables.hats import check_places, is_hats, read_hats, write_hats
from astromorph.tables.votables import read_votable, write_votable

__all__ = ["FORMATS", "Format", "check_columns", "check_destination", "read_table", "table_format",
           "write_table"]

_LINE_ENDS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@dataclass(frozen=True)
class Format:
    """A format of tables.

    Parameters
    ----------
    read : callable
        Takes a path and returns a table.
    write : callable
        Takes a table and a path, and writes the file.
    suffixes : tuple of str
        Endings of the names of such files.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.tables import FORMATS, Format
    >>> FORMATS["rst"] = Format(read=lambda path: Table.read(path, format="ascii.rst"),
    ...                         write=lambda table, path: table.write(path, format="ascii.rst"),
    ...                         suffixes=(".rst",))
    >>> del FORMATS["rst"]
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
        if Path(path).suffix.lower() == ".tsv":
            return "csv", read_csv
        return "a table", Table.read  # astropy knows many more formats
    return name, FORMATS[name].read


def _read_ascii(name):
    return lambda path: Table.read(path, format=name)


def _write_ecsv(table, path):
    table = table.copy(copy_data=False)
    for number, name in enumerate(table.colnames):
        kind = getattr(getattr(table[name], "dtype", None), "kind", None)
        if kind == "M":
            table[name] = plain(table[[name]])[name]
        elif kind == "m":  # astropy's reader of ECSV cannot read time differences
            check_cells(table[name], "ECSV")
        elif kind in ("U", "S"):
            check_cells(table[name], "ECSV", most=99, control=_LINE_ENDS)
            if number == 0 and any(str(value).startswith("#") for value in table[name].flat):
                raise wrong("table", "text that ECSV can hold",
                            f"the first column, {name!r}, with text that starts with #, which "
                            "means a comment", "Move the column, or use another format.")
    table.write(path, format="ascii.ecsv", overwrite=True)


FORMATS = {
    "fits": Format(read_fits, write_fits, (".fits", ".fit", ".fits.gz", ".fit.gz")),
    "votable": Format(read_votable, write_votable, (".vot", ".votable", ".xml")),
    "ecsv": Format(_read_ascii("ascii.ecsv"), _write_ecsv, (".ecsv",)),
    "parquet": Format(read_parquet, write_parquet, (".parquet", ".parq", ".pq")),
    "csv": Format(read_csv, write_csv, (".csv",)),
    "hats": Format(read_hats, write_hats, ("hats",)),
}
"""Name of a format to its `Format` (`dict`)."""


def table_format(path, format=None):
    """Find the format of a table from the name of its file.

    Parameters
    ----------
    path : path
        A file, or the folder of a HATS catalog.
    format : str, optional
        A name in `FORMATS`, in upper or lower case. By default the ending of the path decides.

    Returns
    -------
    str
        A name in `FORMATS`.

    Raises
    ------
    ArgumentError
        If the format is unknown, or the path has no known ending.

    Examples
    --------
    >>> from astromorph.tables import table_format
    >>> table_format("galaxies.fits.gz")
    'fits'
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
        raise wrong("path", f"a name that ends in {ends}", f"{name}, which has no such ending",
                    f"Rename it, or pass format= one of {', '.join(FORMATS)}.")
    return found[0]


def read_table(path, *, format=None, hdu=None):
    """Read a table, with the units, descriptions, UCDs and missing values that its format keeps.

    If a FITS or VOTable file holds several tables, astromorph reads the first one with positions.

    Parameters
    ----------
    path : path
        A file, or the folder of a HATS catalog with at most 3 million rows.
    format : str, optional
        ``"fits"``, ``"votable"``, ``"ecsv"``, ``"parquet"``, ``"csv"`` or ``"hats"``. By default
        the ending of the name decides, and astropy reads files with other endings.
    hdu : int or str, optional
        Number or name of the HDU in a FITS file.

    Returns
    -------
    `~astropy.table.Table`
        The table. The ``meta`` of a column holds its UCD under ``"ucd"``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If it is a HATS catalog and LSDB is not installed.
    ArgumentError
        If the format is unknown, or the file holds no table that can be read. Also if a VOTable
        file holds several tables, none of them with positions.

    See Also
    --------
    write_table : Write a table.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from astromorph.tables import read_table
    >>> folder = TemporaryDirectory()
    >>> file = Path(folder.name) / "galaxies.csv"
    >>> _ = file.write_text('''name,ra,dec
    ... NGC 1300,49.92,-19.41
    ... ''')
    >>> read_table(file).colnames
    ['name', 'ra', 'dec']
    >>> folder.cleanup()
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    name, read = _reader(path, format)
    if hdu is not None and name != "fits":
        raise wrong("hdu", "None, because only FITS files have HDUs", f"{hdu!r}, for {path}")
    try:
        return read(path) if hdu is None else read(path, hdu)
    except (ImportError, PermissionError, AstromorphWarning, ArgumentError):
        raise
    except Exception as error:  # the parsers raise errors of every kind for damaged files
        hint = None if name in FORMATS else (
            "Read it with astropy's Table.read(path, format=...), such as 'ascii.mrt', or pass "
            f"format= one of {', '.join(FORMATS)}.")
        raise wrong("path", "a file that holds a table", f"{path}, which cannot be read as {name}: "
                    f"{_first_line(error)}", hint) from error


def write_table(table, path, *, overwrite=False, format=None):
    """Write a table, with all metadata that the format can hold.

    Columns keep their unit, description, UCD (``"ucd"`` in the column's ``meta``) and missing
    values. The table keeps the text and numbers of its ``meta``, such as the provenance
    (`PROVENANCE`). CSV keeps the missing values only. Except in ECSV, positions become columns of
    right ascension and declination (ICRS, degrees), and times become text (ISO 8601).

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table, which stays unchanged.
    path : path
        A file, or the folder of a HATS catalog.
    overwrite : bool
        Replace an existing file.
    format : str, optional
        See `read_table`.

    Raises
    ------
    DestinationError
        If the file exists and ``overwrite`` is False, or the path is not a file.
    ImportError
        If it is a HATS catalog and LSDB is not installed.
    OSError
        If the file cannot be written. An existing file then stays as it was.
    ArgumentError
        If the format is unknown, or cannot hold a column.

    See Also
    --------
    read_table : Read a table.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from astropy.table import Table
    >>> from astromorph.tables import read_table, write_table
    >>> table = Table({"ra": [49.92], "dec": [-19.41], "P_bar": [0.97]})
    >>> table["P_bar"].description = "Probability of a bar"
    >>> folder = TemporaryDirectory()
    >>> write_table(table, Path(folder.name) / "galaxies.fits")
    >>> read_table(Path(folder.name) / "galaxies.fits")["P_bar"].description
    'Probability of a bar'
    >>> folder.cleanup()
    """
    path, name = Path(path), table_format(path, format)
    _check_kind(path, name)
    with written_whole(path, overwrite=overwrite) as part:
        if name == "hats":
            write_hats(table, part, name=path.name)
        else:
            _write(name, table, part)


def check_destination(path, *, overwrite=False, format=None):
    """Check the destination of `write_table` before the work starts.

    Parameters
    ----------
    path, overwrite, format
        See `write_table`.

    Returns
    -------
    str
        The format, a name in `FORMATS`.

    Raises
    ------
    DestinationError, OSError, ArgumentError
        See `write_table`.
    """
    path, name = Path(path), table_format(path, format)
    _check_kind(path, name)
    check_writable(path, overwrite=overwrite)
    return name


def check_columns(table, format):
    """Check that a format can hold the columns of a table, before the work starts.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    format : str
        A name in `FORMATS`.

    Raises
    ------
    ArgumentError
        If the format cannot hold a column.
    """
    if format == "hats":
        check_places(table)
        to_arrow(_telling_rows(table))
        return
    table = _telling_rows(table)
    with suppress(OSError), tempfile.TemporaryDirectory() as folder:  # if the disk has no room
        _write(format, table, Path(folder, f"columns{FORMATS[format].suffixes[0]}"))


def _telling_rows(table):
    """Make a few rows that a format refuses if it refuses the whole table.

    The first row holds all letters of a column of text. If a column holds objects, bytes or long
    numbers, every value matters, and all rows stay.
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
    """Write a file; every fault of a column raises the same kind of error."""
    for column in table.colnames:
        if not column.strip() or not column.isprintable():  # few readers could find such a column
            raise wrong("table", "columns with names of letters", repr(column),
                        "Rename it: table.rename_column.")
    try:
        FORMATS[format].write(table, path)
    except (ArgumentError, ImportError, OSError):
        raise
    except Exception as error:  # the writers raise errors of every kind for such columns
        raise wrong("table", f"columns that {format} can hold", _first_line(error)) from error


def _check_kind(path, name):
    """Raise unless the path fits the format: only a HATS catalog may replace a HATS catalog."""
    if path.is_dir() and not (name == "hats" and is_hats(path)):
        raise wrong("path", "a file, or a HATS catalog to replace", f"{path}, which is a folder",
                    error=DestinationError)
    if path.is_file() and name == "hats":
        raise wrong("path", "the folder of a HATS catalog", f"{path}, which is a file",
                    error=DestinationError)


def _first_line(error):
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")[:300]
