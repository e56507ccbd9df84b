"""What comes of a run: an answer, a flag and a provenance per row; and the table of them."""
from datetime import datetime, timezone

import numpy as np
from astropy.table import Column, MaskedColumn

from astromorph.arguments import as_probabilities
from astromorph.errors import wrong
from astromorph.questions import probability_asked

__all__ = ["Results", "add_provenance", "now", "probabilities"]

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

    def to_table(self, table, questions, *, spread=None, joint=False, provenance_columns=None,
                 meta=None):
        """Add the results to a table.

        Parameters
        ----------
        table : `~astropy.table.Table`
            With one row per result; it is changed.
        questions : sequence of `~astromorph.questions.Question`
            What the answers are to; standard deviations follow the answers where there are any.
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
        answers, spreads = np.split(self.answers, [len(questions)], axis=1)
        for question, column in zip(questions, answers.T, strict=True):
            _add(table, question.column, column, question.description, question.ucd)
        for question, column in zip(questions, spreads.T if spread else ()):
            _add(table, f"{question.column}_err", column,
                 f"Standard deviation of {question.column} over {spread}",
                 "stat.error;stat.probability")
        for question, column, likely in zip(
                questions, answers.T, probability_asked(questions, answers.T) if joint else ()):
            if question.parent:
                _add(table, f"{question.column}_joint", column * likely,
                     f"{question.column} times the probability of all that it presupposes",
                     question.ucd)
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


def _add(table, name, values, description, ucd):
    table[name] = MaskedColumn(values, mask=np.isnan(values), description=description,
                               format=_FORMAT, meta={"ucd": ucd})


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
    """Take the probabilities of some questions from a classified table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        What `~astromorph.classifier.MorphologyClassifier.classify` returns.
    questions : sequence of `~astromorph.questions.Question`
        Which columns, in which order.

    Returns
    -------
    `~numpy.ndarray`, shape (n, questions)
        NaN where there is none.

    Raises
    ------
    ValueError
        If a column is missing, or does not hold probabilities.
    """
    names = [question.column for question in questions]
    if missing := [name for name in names if name not in table.colnames]:
        raise wrong("table", f"a classified table with columns {names}",
                    f"one without {missing}")
    return np.stack([as_probabilities(table[name], name) for name in names], axis=1)
