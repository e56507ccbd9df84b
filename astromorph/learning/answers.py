"""Labels of any kind of answer, from a column or an array: 1 and 0, places of answers, numbers."""
import numpy as np
from astropy import units as u

from astromorph.answers import LARGEST
from astromorph.arguments import as_float, as_floats, as_labels
from astromorph.errors import ArgumentTypeError, wrong
from astromorph.learning.votes import (NO_TEXT, PLAIN, UNSURE, VoteColumns, VoteFractions,
                                       as_numbers, as_unknown, plain_name)
from astromorph.names import as_names

__all__ = ["check_answers", "read_answers", "read_own"]


def read_own(table, question):
    """Read the labels of a yes/no question that no catalog has votes on.

    Parameters
    ----------
    table : `~astropy.table.Table`
    question : `~astromorph.questions.Question`
        Its label column is named like its key or one of its aliases, else like its answer.

    Returns
    -------
    `~astromorph.learning.votes.VoteFractions`
        All NaN if there is no such column.

    Raises
    ------
    TypeError, ValueError
        If the column holds anything but 1, 0 and what stands for them or for nothing.
    """
    if _columns(table, (*question.label_columns, question.column)):
        return VoteColumns(table, [question], PLAIN).read(question)
    return VoteFractions(*np.full((2, len(table)), np.nan), None, "")


def read_answers(table, question):
    """Read the labels of a question that is no yes/no question.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Its label column is named like the key of the question, or one of its aliases. Grades and
        classes are named there, or given by their places, from 0; numbers have the unit of the
        question, or one that converts to it.
    question : `~astromorph.questions.Question`

    Returns
    -------
    labels : `~numpy.ndarray`, shape (n,)
        NaN where there is none.
    column : str
        Where they were, empty if nowhere: then all are NaN.

    Raises
    ------
    TypeError, ValueError
        If the column holds anything else, or there are several.
    """
    columns = _columns(table, question.label_columns)
    if len(columns) > 1:
        raise wrong("table", f"one column of labels for {question.key}", columns)
    if not columns:
        return np.full(len(table), np.nan), ""
    name, = columns
    read = _read_number if question.kind == "number" else _read_places
    values = read(table[name], name, question)
    if values.shape != (len(table),):
        raise wrong("table", f"one label per row in column {name!r}", f"shape {values.shape}")
    return check_answers(values, question, f"table[{name!r}]"), name


def check_answers(labels, question, argument="labels"):
    """Raise unless numbers can be labels of a question.

    Parameters
    ----------
    labels : array-like
        NaN or masked where there is none.
    question : `~astromorph.questions.Question`
    argument : str
        What to call them in an error.

    Returns
    -------
    `~numpy.ndarray`, float
        NaN where there is none.

    Raises
    ------
    TypeError, ValueError
        If one is none of the answers.
    """
    labels = as_floats(labels, argument)
    if question.kind == "yes_no":
        return as_labels(as_unknown(labels), argument)
    if question.kind == "number":
        low, high = question.limits or (-LARGEST, LARGEST)
        bad, expected = (labels < low) | (labels > high), (
            f"finite numbers from {low:g} to {high:g}, or missing")
    else:
        labels = as_unknown(labels)
        bad = (labels < 0) | (labels >= len(question.answers)) | (np.floor(labels) != labels)
        bad &= ~np.isnan(labels)
        expected = _places(question)
    if bad.any():
        raise wrong(argument, expected, f"{bad.sum()} others, first {labels[bad][0]:g}")
    return labels


def _columns(table, names):
    """Columns of these names, in any case and with ``-`` or ``_``."""
    wanted = {plain_name(name) for name in names}
    return [name for name in table.colnames if plain_name(name) in wanted]


def _places(question):
    return (f"{', '.join(question.answers)}, or their places 0 to {len(question.answers) - 1}, "
            "or missing")


def _read_number(column, name, question):
    """Numbers in the unit of the question, NaN where missing."""
    unit, own = getattr(column, "unit", None), u.Unit(question.unit)
    values = as_numbers(column.value if isinstance(column, u.Quantity) else column, name, {})
    if unit is None or unit == own:
        return values
    try:
        return unit.to(own, values)
    except ValueError:  # of another kind, or unknown
        raise wrong(f"table[{name!r}]", f"numbers in {question.unit or 'no unit'}",
                    f"some in {unit}") from None


def _read_places(column, name, question):
    """Places of the answers that are named, NaN where missing."""
    if column.dtype.kind not in "SUO":
        return as_numbers(column, name, {})
    known = dict.fromkeys(map(_word, (*NO_TEXT, *UNSURE)), np.nan) | {
        _word(answer): place for place, answer in enumerate(question.answers)}
    texts = ["" if text is None else text for text in as_names(column)]
    try:
        return np.array([known[_word(text)] if _word(text) in known else as_float(text)
                         for text in texts])
    except ValueError as error:
        raise wrong(f"table[{name!r}]", _places(question), str(error).rpartition(": ")[2],
                    error=ArgumentTypeError) from None


def _word(text):
    return plain_name(text.strip()).replace(" ", "_")
