"""Read and write CSV files, in the variants of services and spreadsheets."""
import csv
import io
import re
from itertools import zip_longest

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from astromorph.arguments import as_float
from astromorph.errors import warn
from astromorph.tables.columns import check_cells, plain
from astromorph.tables.positions import angle_unit

__all__ = ["read_csv", "write_csv"]

_MISSING = ("", "null")
_NEXT_TABLE = re.compile(r"#Table(\d*|\s.*)|#RESOURCE=.*", re.DOTALL)
# Names of columns of identifiers. There, 1e5 is a name and not the number 100,000.
_IDENTIFIERS = re.compile("(.*[_ -])?(ids?|name|names|designation|file|filename|label)"
                          "|(spec|photo|phot|best)?(obj)ids?|id[_ -].*", re.IGNORECASE)


def read_csv(path):
    """Read a CSV file.

    A byte order mark and comments (``#Table1``) before the line of names are skipped. Semicolons or
    tabs may stand between the cells, and units below the names, as VizieR writes them. Empty cells
    and ``null`` are missing values. Integers keep every digit. A column stays text if numbers would
    lose something, such as leading zeros.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if text.startswith("# %ECSV"):
        return Table.read(text, format="ascii.ecsv")
    names, units, rows = _split(text)
    if not names or any(not name.isprintable() for name in names):
        raise ValueError("it has no line of column names")
    columns = list(zip(*rows)) or [()] * len(names)
    table = Table([_column(name, cells) for name, cells in zip(names, columns)], names=names)
    for name, unit in zip(names, units):
        table[name].unit = angle_unit(unit)
    return table


def write_csv(table, path):
    """Write a CSV file."""
    table = plain(table).copy(copy_data=False)
    for name in table.colnames:
        check_cells(table[name], "CSV", arrays="", control="\0\r")
        table[name].info.format = None  # a format would round the numbers
    table.write(path, format="ascii.csv", overwrite=True)


def _split(text):
    """The names of the columns, their units, and the rows, each with one cell per column."""
    comments, lines, delimiter = [], [], _delimiter(text)
    for line in _lines(text, delimiter):
        first = line[0].strip() if line else ""
        if not lines and first.startswith("#"):
            comments.append(line)
        elif lines and first == "#END#":  # VizieR's last line
            break
        elif lines and _NEXT_TABLE.fullmatch(first):
            warn("The file holds several tables. Only the first one is read; write the others "
                 "into files of their own.")
            break
        elif line and (lines or any(cell.strip() for cell in line)):
            lines.append(line)
    while len(lines) > 1 and len(lines[0]) > 1 and not any(cell.strip() for cell in lines[-1]):
        lines.pop()  # spreadsheets add empty rows at the end; other empty rows stay
    if comments and _is_header(comments[-1], lines):
        lines.insert(0, [comments[-1][0].lstrip("# "), *comments[-1][1:]])
    units = _take_units(lines) if delimiter != "," else []
    names = [name.strip() for name in lines[0]] if lines else []
    while names and not names[-1]:  # a comma at the end of the line
        names.pop()
    return _distinct(names), units, [_fitted(line, len(names), number)
                                     for number, line in enumerate(lines[1:], start=1)]


def _take_units(lines):
    """Take the units, which VizieR writes between the names and a line of dashes, out of lines."""
    for number in (1, 2):
        cells = [cell.strip() for cell in lines[number]] if number < len(lines) else []
        if any(len(cell) > 1 for cell in cells) and not "".join(cells).strip("-"):
            units = lines[1:number]
            del lines[1:number + 1]
            return units[0] if units else []
    return []


def _delimiter(text):
    """The comma; or what stands between the names in a file of a spreadsheet, as ; or a tab."""
    names = next((line for line in text.splitlines()
                  if line.strip() and not line.startswith("#")), "")
    return next((mark for mark in ",;\t" if mark in names), ",")


def _lines(text, delimiter):
    return csv.reader(io.StringIO(text, newline=""), skipinitialspace=delimiter != "\t",
                      delimiter=delimiter)


def _is_header(comment, lines):
    """Whether the last comment holds the names of the columns: then numbers follow at once."""
    return len(comment) > 1 and bool(lines) and len(comment) == len(lines[0]) and any(
        _is_number(cell) for cell in lines[0]) and not any(map(_is_number, comment))


def _is_number(cell):
    try:
        return bool(as_float(cell)) or True
    except ValueError:
        return False


def _distinct(names):
    result = []
    for number, name in enumerate(names, start=1):
        name = name or f"col{number}"
        result.append(f"{name}_{number}" if name in result else name)
    return result


def _fitted(line, width, number):
    """Fit a row to the width of the table; a row with too many cells becomes missing values."""
    if any(cell.strip() for cell in line[width:]):
        warn(f"Row {number} has {len(line)} cells instead of {width}. All its values are read as "
             "missing; correct the row in the file.")
        line = []
    return [cell for _, cell in zip_longest(range(width), line[:width], fillvalue="")]


def _column(name, cells):
    """Make a column of integers, other numbers or text from cells."""
    text = np.array([cell.strip() for cell in cells], str)
    mask = np.isin(np.char.lower(text), _MISSING) if text.size else np.zeros(0, bool)
    values = _values(text[~mask], name)
    filled = np.zeros(len(text), values.dtype)
    filled[~mask] = values
    if mask.all() and len(mask):
        filled = np.zeros(len(text), float)
    return MaskedColumn(filled, mask=mask) if mask.any() else Column(filled)


def _values(text, name):
    if not text.size:
        return text.astype(float)
    for kind in (np.int64, np.uint64):
        try:
            values = text.astype(kind)
        except (ValueError, OverflowError):
            continue
        if np.array_equal(values.astype(str), text):
            return values
    digits = np.char.lstrip(text, "+-")
    if (_IDENTIFIERS.fullmatch(name) or np.any(np.char.find(text, "_") >= 0) or np.any(
            np.char.isdigit(digits) & ((np.char.str_len(digits) > 18)
                                       | (np.char.startswith(digits, "0")
                                          & (np.char.str_len(digits) > 1))))):
        return text
    try:
        return text.astype(float)
    except ValueError:
        return text
