"""Results of a run: an answer, a flag and a provenance per row, and their columns in a table."""
from datetime import datetime, timezone

import numpy as np
from astropy.table import Column, MaskedColumn

from astromorph.arguments import as_floats, as_probabilities
from astromorph.errors import wrong
from astromorph.questions import ENDS, probability_asked, split_answers

__all__ = ["Results", "add_provenance", "clear_answers", "now", "probabilities"]

_FORMAT = ".4f"  # printing rounds probabilities; the values are exact


class Results:
    """The results of n rows.

    Parameters
    ----------
    n : int
        Number of rows.
    width : int
        Number of columns of answers.

    Attributes
    ----------
    answers : `~numpy.ndarray`, shape (n, width), float32
        Answers; NaN where there is none.
    flags : `~numpy.ndarray`, shape (n,), int32
        Flags.
    provenance : list
        Provenance of the image of each row, or None.
    done : `~numpy.ndarray`, shape (n,), bool
        Rows that an earlier run finished, and that need not be read again.
    date : str
        Start of the run (UTC).
    """

    def __init__(self, n, width):
        self.answers = np.full((n, width), np.nan, np.float32)
        self.flags = np.zeros(n, np.int32)
        self.provenance = [None] * n
        self.done = np.zeros(n, bool)
        self.date = now()

    def __len__(self):
        return len(self.flags)

    def todo(self, start=0, stop=None):
        """Find the rows between start and stop that are not done.

        Parameters
        ----------
        start, stop : int
            The first row, and the row after the last.

        Returns
        -------
        `~numpy.ndarray` of int
            Numbers of the rows.
        """
        return start + np.flatnonzero(~self.done[start:stop])

    def to_table(self, table, questions, *, shown=None, spread=None, joint=False,
                 provenance_columns=None, meta=None):
        """Add the results to a table.

        Parameters
        ----------
        table : `~astropy.table.Table`
            The table to change, with one row per result.
        questions : sequence of `~astromorph.questions.Question`
            The questions of the answers. Standard deviations follow all answers, if there are any.
        shown : sequence of `~astromorph.questions.Question`, optional
            The questions that get columns. By default all.
        spread : str, optional
            What the standard deviations were measured over, in words.
        joint : bool
            Add columns with joint probabilities.
        provenance_columns : dict, optional
            Columns of the provenance to add, see `add_provenance`. By default none.
        meta : dict, optional
            Entries to add to the ``meta`` of the table.

        Returns
        -------
        `~astropy.table.Table`
            The same table.
        """
        shown = questions if shown is None else shown
        width = sum(len(question.columns) for question in questions)
        answers = split_answers(questions, self.answers[:, :width])
        spreads = split_answers(questions, self.answers[:, width:]) if spread else ()
        for question, columns in zip(questions, answers):
            if question in shown:
                _add_answer(table, question, columns)
        for question, columns in zip(questions, spreads):
            if question in shown:
                _add_spread(table, question, columns, spread)
        for question, columns, likely in zip(questions, answers, probability_asked(
                questions, [each[:, 0] for each in answers]) if joint else ()):
            if question in shown and question.parent:
                _add_joint(table, question, columns, likely)
        table["morph_flag"] = Column(
            self.flags, description="Quality bits of the classification, 0 is good",
            meta={"ucd": "meta.code.qual"})
        if provenance_columns:
            add_provenance(table, provenance_columns, self.provenance)
        table.meta.update(meta or {}, MORPHDAT=self.date)
        return table


def now():
    """The current time (UTC), to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def _add_answer(table, question, columns):
    for column, values in zip(question.answer_columns, columns.T, strict=True):
        _add(table, column.name, values, column.description, column.ucd, column)


def _add_spread(table, question, columns, spread):
    for column, values in zip(question.answer_columns, columns.T, strict=True):
        if not column.of:  # an error has no error column
            kind = "stat.probability" if column.is_probability else column.ucd
            _add(table, f"{column.name}_err", values,
                 f"Standard deviation of {column.name} over {spread}", f"stat.error;{kind}", column)


def _add_joint(table, question, columns, likely):
    for column, values in zip(question.answer_columns, columns.T, strict=True):
        if column.is_probability:
            _add(table, f"{column.name}_joint", values * likely,
                 f"{column.name} times the probability of all that it presupposes", column.ucd,
                 column)


def _add(table, name, values, description, ucd, column):
    table[name] = MaskedColumn(values, mask=np.isnan(values), description=description,
                               format=_FORMAT if column.is_probability else None,
                               unit=column.unit or None, meta={"ucd": ucd})


def clear_answers(table, model, shown):
    """Remove outdated columns of an earlier classification from a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table, which changes only if it was classified before.
    model : `~astromorph.model.TrainedModel`
        The model that will answer.
    shown : sequence of `~astromorph.questions.Question`
        Questions that get new columns. Their old standard deviations and joint probabilities are
        removed.

    Returns
    -------
    list of `~astromorph.questions.Question`
        Other questions whose old answers stay, because the same model gave them.
    """
    if "morph_flag" not in table.colnames:
        return []
    kept = [question for question in model.all_questions if question not in shown
            and set(question.columns) <= set(table.colnames)] if model.has_made(table) else []
    for question in model.all_questions:
        ends = () if question in kept else ENDS if question in shown else ("", *ENDS)
        old = {column + end for column in question.columns for end in ends}
        table.remove_columns([name for name in table.colnames if name in old])
    return kept


def add_provenance(table, columns, rows):
    """Add columns with the provenance of images to a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table to change.
    columns : dict of str to tuple
        Name of a column to (type, unit, description, UCD).
    rows : sequence of tuple or None
        Values per row of the table; None for a row without an image.
    """
    empty = tuple("" if kind is str else np.nan for kind, *_ in columns.values())
    values = zip(*(row or empty for row in rows)) if len(rows) else [()] * len(columns)
    for (name, (kind, unit, description, ucd)), column in zip(columns.items(), values):
        table[name] = Column(np.array(column, kind), unit=unit, description=description,
                             meta={"ucd": ucd})


def probabilities(table, questions):
    """Extract the answers to some questions from a classified table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The result of `~astromorph.classifier.MorphologyClassifier.classify`.
    questions : sequence of `~astromorph.questions.Question`
        The questions, in the order of the result.

    Returns
    -------
    `~numpy.ndarray`, shape (n, columns)
        Answers; NaN where there is none. A yes/no question has one column.

    Raises
    ------
    ArgumentError
        If a column is missing, or holds values that cannot be answers.
    """
    columns = [column for question in questions for column in question.answer_columns]
    names = [column.name for column in columns]
    if missing := [name for name in names if name not in table.colnames]:
        raise wrong("table", f"a classified table with columns {names}",
                    f"one without {missing}")
    return np.stack([(as_probabilities if column.is_probability else as_floats)(
        table[column.name], column.name) for column in columns], axis=1)
