"""Read the columns of a classified table: answers, numbers, flags, and the text of a cell."""
import numpy as np

from astromorph.arguments import as_floats
from astromorph.errors import wrong
from astromorph.flags import MorphFlag, decode_flags, flag_meanings
from astromorph.labeling.galaxies import one_line
from astromorph.learning.embedding import COLUMN
from astromorph.questions import ENDS

__all__ = ["FLAG", "describe_row", "find_answers", "read_flags", "read_numbers"]

FLAG = "morph_flag"
_MOST_COLUMNS, _LONGEST = 80, 200
_LARGEST = 2**53  # from here on not every whole number is a float


def find_answers(table, questions):
    """Find the columns of numbers that answer questions.

    Parameters
    ----------
    table : `~astropy.table.Table`
    questions : sequence of `~astromorph.questions.Question`
        The known questions. Other columns whose names begin with ``P_`` are answers, too.

    Returns
    -------
    list of str
    """
    known = {column for question in questions for column in question.columns}
    return [name for name in table.colnames
            if name in known or (name.startswith("P_") and not name.endswith(ENDS))
            if _is_number(table[name])]


def read_numbers(table, first):
    """Read the columns of numbers.

    Parameters
    ----------
    table : `~astropy.table.Table`
    first : list of str
        Columns that come first.

    Returns
    -------
    dict of str to `~numpy.ndarray`
        NaN where masked.
    """
    names = [*first, *(name for name in table.colnames if name not in first and name != FLAG)]
    return {name: np.ma.filled(np.ma.asarray(_plain(table[name])).astype(float), np.nan)
            for name in names if _is_number(table[name])}


def read_flags(table):
    """Read the column of flags.

    Parameters
    ----------
    table : `~astropy.table.Table`

    Returns
    -------
    `~numpy.ndarray` of int
        0 without such a column, and where it is masked.

    Raises
    ------
    TypeError, ValueError
        If the column holds anything but whole numbers.
    """
    if FLAG not in table.colnames:
        return np.zeros(len(table), int)
    values = np.nan_to_num(as_floats(table[FLAG], f"table[{FLAG!r}]"), nan=0)
    bad = (values < 0) | (values != np.floor(values)) | (values >= _LARGEST)
    if values.shape != (len(table),) or bad.any():
        received = f"{values[bad][0]:g}" if bad.any() else f"shape {values.shape}"
        raise wrong(f"table[{FLAG!r}]", "whole numbers, 0 or more, as `classify` writes them",
                    received)
    return values.astype(int)


def describe_row(table, row, answers, numbers, flag):
    """Give all columns of a galaxy as text.

    Parameters
    ----------
    table : `~astropy.table.Table`
    row : int
    answers : list of str
        Of `find_answers`.
    numbers : dict
        Of `read_numbers`.
    flag : int
        The flags of the galaxy.

    Returns
    -------
    dict
        ``answers``, ``flags`` and ``others``, each a list of dictionaries of texts.
    """
    meanings = flag_meanings()
    return {
        "answers": [{"name": one_line(name), "text": _text(table, name, row, ".3f"),
                     "value": _finite(numbers[name][row]),
                     "error": _text(table, f"{name}_err", row),
                     "about": one_line(table[name].info.description or "")} for name in answers],
        "flags": [{"name": name, "about": meanings[name],
                   "failed": bool(MorphFlag[name] & MorphFlag.UNCLASSIFIED)}
                  for name in decode_flags(flag)],
        "others": [{"name": one_line(name), "text": _text(table, name, row)}
                   for name in table.colnames
                   if name not in (*answers, FLAG, COLUMN)][:_MOST_COLUMNS]}


def _text(table, name, row, form=".4g"):
    """The text of a cell. Empty if it is masked, an array, or there is no such column."""
    if name not in table.colnames:
        return ""
    column = table[name]
    value, unit = column[row], getattr(column, "unit", None)
    if value is np.ma.masked or getattr(value, "ndim", 0):
        return ""
    if not isinstance(value, (float, np.floating)):
        return one_line(value)[:_LONGEST]
    return one_line(f"{value:{form}}" if unit is None else f"{value:{form}} {unit}")[:_LONGEST]


def _is_number(column):
    return getattr(column, "ndim", 0) == 1 and getattr(
        getattr(column, "dtype", None), "kind", "O") in "iuf"


def _plain(column):
    """The numbers of a column, without a unit."""
    return getattr(column, "value", column) if not np.ma.isMaskedArray(column) else column


def _finite(value):
    return float(value) if np.isfinite(value) else None
