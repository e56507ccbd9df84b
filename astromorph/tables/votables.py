"""Read and write VOTable files, the format of the Virtual Observatory."""
import io
import re
import warnings

from astropy.io import votable
from astropy.io.votable.exceptions import VOWarning
from astropy.io.votable.tree import Field, Param, VOTableFile

from astromorph.errors import warn, wrong
from astromorph.tables.columns import as_text, check_cells, like, narrow, no_rows
from astromorph.tables.positions import has_positions
from astromorph.tables.provenance import describe, scalars

__all__ = ["as_votable", "describe_columns", "read_votable", "write_votable"]

_TYPES = {bool: {"datatype": "boolean"}, int: {"datatype": "long"}, float: {"datatype": "double"},
          str: {"datatype": "unicodeChar", "arraysize": "*"}}

_NOT_IN_XML = "".join(map(chr, {*range(32)} - {9, 10, 13})) + "\ufffe\uffff"
_REFUSED = re.compile(f"[{_NOT_IN_XML}\ud800-\udfff]")


def as_votable(table):
    """Convert a table to astropy's `~astropy.io.votable.tree.VOTableFile`.

    Text and numbers of its ``meta`` become parameters.
    """
    table = narrow(table)
    for column in table.itercols():
        check_cells(column, "VOTable", arrays="biufc", most=2, control=_NOT_IN_XML)
        column.description = _in_xml(column.description)
        column.meta = {key: _in_xml(value) for key, value in column.meta.items()}
    entries = [tuple(map(_in_xml, entry)) for entry in scalars(table.meta)]
    table.meta = {key: _in_xml(value) for key, value in table.meta.items() if key == "description"}
    with warnings.catch_warnings():  # astropy makes identifiers of other names, and warns
        warnings.simplefilter("ignore", VOWarning)
        file = VOTableFile.from_table(table)
        element = file.get_first_table()
        for field in element.fields:
            column = table[field.name]
            if column.dtype.kind in "iu" and hasattr(column, "mask"):
                field.values.null = int(column.fill_value)
        for key, value, comment in entries:
            if key != "description":
                element.params.append(_param(file, key, value, comment))
    return file


def _in_xml(value):
    """Escape what XML does not allow in the text about a table; other values stay."""
    if not isinstance(value, str):
        return value
    return _REFUSED.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


def write_votable(table, path):
    """Write a VOTable file."""
    # Astropy's C writer writes beyond its memory (astropy #20419). The Python writer is as fast.
    as_votable(table).to_xml(str(path), _debug_python_based_parser=True)


def read_votable(path):
    """Read the table of a VOTable file; of several tables, the first with positions."""
    element = _choose([*votable.parse(path, verify="ignore").iter_tables()], path)
    table = element.to_table(use_names_over_ids=True)
    for name in table.colnames:
        column = table[name]
        column.description = _one_line(column.description)
        if column.dtype.kind in "US" or column.dtype.kind == "O" and all(
                isinstance(value, (str, bytes)) for value in column):
            text = as_text(column)
            table[name] = like(text, text, mask=text == "")  # VOTable has no null text
    for param in element.params:
        value = param.value
        table.meta[param.name] = value.item() if hasattr(value, "item") else value
    return table


def _choose(tables, path):
    """The only table, or the first with positions."""
    if len(tables) == 1:
        return tables[0]
    placed = [each for each in tables if has_positions(
        no_rows([field.name for field in each.fields], [field.ucd for field in each.fields]))]
    if not placed:
        names = ", ".join(each.name or each.ID or f"table {number}"
                          for number, each in enumerate(tables, start=1))
        raise wrong("path", "one table, or one with positions", f"{path} with {names or 'none'}",
                    "Write the table that you want into a file of its own.")
    if len(placed) > 1:
        warn(f"{path} holds {len(placed)} tables with positions. The first one is read; write "
             "another into a file of its own.")
    return placed[0]


def describe_columns(table, content):
    """Set the unit, description and UCD of columns from the text of a VOTable."""
    element = votable.parse(io.BytesIO(content), verify="ignore").get_first_table()
    for field in element.fields:
        if field.name in table.colnames:
            column = table[field.name]
            column.unit, column.description = field.unit, _one_line(field.description)
            if field.ucd:
                column.meta["ucd"] = field.ucd


def _one_line(text):
    """Join the lines that astropy broke, also those broken at hyphens."""
    return text and " ".join(re.sub(r"(?<=\w-)\n\s*(?=\w)", "", text).split())


class _Text(Param):
    """A parameter of text; astropy's own escapes <, > and & twice."""

    def to_xml(self, w, **options):
        """Write it."""
        Field.to_xml(self, w, **options)


def _param(file, key, value, comment):
    kind = _Text if isinstance(value, str) else Param
    param = kind(file, name=key, value=value, ucd=describe(key)[1], **_TYPES[type(value)])
    param.description = comment or None
    return param
