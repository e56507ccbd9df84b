"""Read labels of questions of any kind, from a column or an array.

Labels are 1 and 0 for yes/no questions, places of the answers for grades and classes, and numbers.
"""
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
        A table whose label column is named like the question's key or one of its aliases, else
        like its probability column.
    question : `~astromorph.questions.Question`

    Returns
    -------
    `~astromorph.learning.votes.VoteFractions`
        All NaN if there is no such column.

    Raises
    ------
    TypeError, ValueError
        If the column holds anything but 1, 0, words for them, or words for a missing label.
    """
    if _columns(table, (*question.label_columns, question.column)):
        return VoteColumns(table, [question], PLAIN).read(question)
    return VoteFractions(*np.full((2, len(table)), np.nan), None, "")


def read_answers(table, question):
    """Read the labels of a question of another kind than yes/no.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table whose label column is named like the question's key or one of its aliases. Grades
        and classes are names of answers, or their places from 0. Numbers have the unit of the
        question, or one that converts to it.
    question : `~astromorph.questions.Question`

    Returns
    -------
    labels : `~numpy.ndarray`, shape (n,)
        NaN where there is no label.
    column : str
        The name of the column. If there is none, it is empty, and all labels are NaN.

    Raises
    ------
    TypeError, ValueError
        If the column holds anything else, or there are several columns.
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
    """Raise an error unless all numbers can be labels of a question.

    Parameters
    ----------
    labels : array-like
        NaN or masked where there is no label.
    question : `~astromorph.questions.Question`
    argument : str
        Name of the labels in the error message.

    Returns
    -------
    `~numpy.ndarray`, float
        NaN where there is no label.

    Raises
    ------
    TypeError, ValueError
        If a label is not one of the answers.
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
    """Columns of these names, in upper or lower case and with ``-`` or ``_``."""
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
    except ValueError:  # the unit does not convert, or is unknown
        raise wrong(f"table[{name!r}]", f"numbers in {question.unit or 'no unit'}",
                    f"numbers in {unit}") from None


def _read_places(column, name, question):
    """Places of the answers that the column names, NaN where missing."""
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
