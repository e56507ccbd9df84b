"""What comes of a run: an answer, a flag and a provenance per row; and the table of them."""
from datetime import datetime, timezone

import numpy as np
from astropy.table import Column, MaskedColumn

from astromorph.arguments import as_floats, as_probabilities
from astromorph.errors import wrong
from astromorph.questions import ENDS, probability_asked, split_answers

__all__ = ["Results", "add_provenance", "clear_answers", "now", "probabilities"]

_FORMAT = ".4f"  # how probabilities are shown; the numbers stay whole


class Results:
    """What comes of n rows.

    Parameters
    ----------
    n : int
        Number of rows.
    width : int
        Numbers per answer.

    Attributes
    ----------
    answers : `~numpy.ndarray`, shape (n, width), float32
        NaN where there are none.
    flags : `~numpy.ndarray`, shape (n,), int32
        The flag of each row.
    provenance : list
        Where the images come from, None where there is none.
    done : `~numpy.ndarray`, shape (n,), bool
        Rows of an earlier run, which are not read again.
    date : str
        When the run began (UTC).
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
        """Tell which rows between start and stop are not done.

        Parameters
        ----------
        start, stop : int
            The first row, and the one after the last.

        Returns
        -------
        `~numpy.ndarray` of int
        """
        return start + np.flatnonzero(~self.done[start:stop])

    def to_table(self, table, questions, *, shown=None, spread=None, joint=False,
                 provenance_columns=None, meta=None):
        """Add the results to a table.

        Parameters
        ----------
        table : `~astropy.table.Table`
            With one row per result; it is changed.
        questions : sequence of `~astromorph.questions.Question`
            What the answers are to; standard deviations follow the answers where there are any.
        shown : sequence of `~astromorph.questions.Question`, optional
            Those of which there will be columns; by default all.
        spread : str, optional
            What the standard deviations were measured over, in words.
        joint : bool
            Add the probability of each question's answer and of all that it presupposes.
        provenance_columns : dict, optional
            See `add_provenance`; by default none are added.
        meta : dict, optional
            What to say in the table's ``meta``.

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
    """The time (UTC), to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def _add_answer(table, question, columns):
    for column, values in zip(question.answer_columns, columns.T, strict=True):
        _add(table, column.name, values, column.description, column.ucd, column)


def _add_spread(table, question, columns, spread):
    for column, values in zip(question.answer_columns, columns.T, strict=True):
        if not column.of:  # no error of an error
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
    """Take out what an earlier classification left and new answers do not replace.

    Parameters
    ----------
    table : `~astropy.table.Table`
        It is changed, if it was classified before.
    model : `~astromorph.model.TrainedModel`
        What will answer.
    shown : sequence of `~astromorph.questions.Question`
        Of which there will be columns: their old spreads and joint probabilities go.

    Returns
    -------
    list of `~astromorph.questions.Question`
        The others whose answers stay, as the same model gave them.
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
    """Add columns that say where images come from.

    Parameters
    ----------
    table : `~astropy.table.Table`
        It is changed.
    columns : dict of str to tuple
        Name -> (type, unit, description, UCD).
    rows : sequence of tuple or None
        One per row of the table, None where there is no image.
    """
    empty = tuple("" if kind is str else np.nan for kind, *_ in columns.values())
    values = zip(*(row or empty for row in rows)) if len(rows) else [()] * len(columns)
    for (name, (kind, unit, description, ucd)), column in zip(columns.items(), values):
        table[name] = Column(np.array(column, kind), unit=unit, description=description,
                             meta={"ucd": ucd})


def probabilities(table, questions):
    """Take the answers to some questions from a classified table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        What `~astromorph.classifier.MorphologyClassifier.classify` returns.
    questions : sequence of `~astromorph.questions.Question`
        Which columns, in which order.

    Returns
    -------
    `~numpy.ndarray`, shape (n, columns)
        NaN where there is none; one column a question where all are yes/no questions.

    Raises
    ------
    ValueError
        If a column is missing, or does not hold probabilities, or numbers.
    """
    columns = [column for question in questions for column in question.answer_columns]
    names = [column.name for column in columns]
    if missing := [name for name in names if name not in table.colnames]:
        raise wrong("table", f"a classified table with columns {names}",
                    f"one without {missing}")
    return np.stack([(as_probabilities if column.is_probability else as_floats)(
        table[column.name], column.name) for column in columns], axis=1)
