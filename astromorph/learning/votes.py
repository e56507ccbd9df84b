"""Read the votes of volunteers from a table with the column names of any Galaxy Zoo catalog."""
from dataclasses import dataclass

import numpy as np
from astropy import units as u

from astromorph.arguments import as_float, as_floats
from astromorph.errors import ArgumentTypeError, wrong
from astromorph.names import as_names
from astromorph.questions import DIALECTS

__all__ = ["NO_TEXT", "PLAIN", "UNSURE", "VoteColumns", "VoteFractions", "as_numbers", "as_unknown",
           "has_votes", "plain_name"]

PLAIN = "labels"
"""Name of the dialect of tables that hold labels instead of votes."""

# A missing number: in tables of SDSS, and in text.
_NO_NUMBER, NO_TEXT = -9999, ("", "--", "nan", "none", "null", "<na>", "n/a", "na", "masked")
# Numbers that people write where there is no label.
_NO_LABEL = (-1, -9, -99, -999, _NO_NUMBER)
UNSURE = ("unknown", "unsure", "uncertain", "unclear", "maybe", "?", "-", "not sure", "don't know")
_WORDS = {**dict.fromkeys(("yes", "y", "true", "t"), "1"),
          **dict.fromkeys(("no", "n", "false", "f"), "0"), **dict.fromkeys(UNSURE, "nan")}
# Catalogs round fractions, so that those of one question may add up to a little over 1. Debiased
# fractions, which are corrected answer by answer, may add up to more.
_ROUNDING = 0.01


@dataclass(frozen=True)
class VoteFractions:
    """Votes on a question.

    Parameters
    ----------
    positive, negative : `~numpy.ndarray`, float, shape (n,)
        Fractions of the votes for the two answers, NaN where missing.
    number : `~numpy.ndarray`, float, shape (n,), or None
        Number of votes, NaN where missing. None if the table does not say.
    columns : str
        The columns of the positive answer.
    """

    positive: np.ndarray
    negative: np.ndarray
    number: np.ndarray | None
    columns: str

    def favors(self, label):
        """Tell where the answer 1 (or 0) has more votes than the other one."""
        return self.positive > self.negative if label else self.negative > self.positive


class VoteColumns:
    """The columns of a table that hold votes or labels.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table. The names of its columns may differ in case, and in ``-`` or ``_``.
    questions : sequence of `~astromorph.questions.Question`
        Questions whose columns to look for.
    dialect : str, optional
        Name of one of `~astromorph.questions.DIALECTS`, or ``"labels"``. By default, the only one
        that the table has columns of.

    Raises
    ------
    ValueError
        If the table has columns of no dialect, or of several and ``dialect`` is not given.
    """

    def __init__(self, table, questions, dialect=None):
        self._table, self._questions = table, questions
        self._names = {plain_name(name): name for name in table.colnames}
        self.dialect = self._choose(dialect)

    def read(self, question, *, debiased=False):
        """Read the votes on a question.

        Parameters
        ----------
        question : `~astromorph.questions.Question`
            The question.
        debiased : bool
            Read the fractions that were corrected for redshift bias.

        Returns
        -------
        VoteFractions
            All NaN if the table has no column for the question.

        Raises
        ------
        TypeError, ValueError
            If a column does not hold numbers, is out of range, is incomplete, or exists twice.
        """
        if self.dialect == PLAIN:
            return self._read_labels(question, debiased)
        dialect = next(known for known in DIALECTS if known.name == self.dialect)
        votes, suffix = self._find(question, dialect, debiased)
        if votes is None:
            return self._nothing()
        counted = suffix == dialect.count
        sides = [self._present(dialect.columns(votes, side, suffix))
                 for side in (votes.positive, votes.negative)]
        shares = [sum(self._numbers(name, np.inf if counted else 1) for name in side)
                  for side in sides]
        number = self._number(votes, dialect)
        if counted:
            with np.errstate(divide="ignore", invalid="ignore"):
                shares = [share / number for share in shares]
        if not debiased and np.any(sum(shares) > 1 + _ROUNDING):
            raise wrong("table", "votes on the answers that add up to the votes cast, or less, in "
                        f"columns {sum(sides, [])}", "more votes than were cast")
        return VoteFractions(*shares, number, " + ".join(sides[0]))

    def _choose(self, name):
        found, names = self._dialects(), [*(known.name for known in DIALECTS), PLAIN]
        if name is not None and name not in names:
            raise wrong("dialect", f"one of {names}", repr(name))
        if name in found:
            return name
        if name is None and len(found) > 1:
            there = "; ".join(f"{known} ({', '.join(found[known][:3])})" for known in found)
            raise wrong("dialect", f"a choice, because the table has columns of {there}", "none")
        if name or not found:
            raise wrong("table", f"columns of {name or 'votes or labels'}", self._table.colnames,
                        f"Known columns: {', '.join(self._examples())}, and those of the other "
                        "answers and questions.")
        return next(iter(found))

    def _examples(self):
        """One column of each dialect."""
        for known in DIALECTS:
            columns = [name for each in self._questions for name in each.vote_columns(known)]
            if columns:
                yield f"{known.name} ({columns[0]})"
        first = self._questions[0]
        yield f"{PLAIN} ({first.key} or {first.column})"

    def _dialects(self):
        """Dialects of the table: name -> columns. Probabilities are labels if nothing else is."""
        found = {dialect.name: self._present(name for question in self._questions
                                             for name in question.vote_columns(dialect))
                 for dialect in DIALECTS}
        found[PLAIN] = self._labels()
        if not any(found.values()):
            found[PLAIN] = self._present(question.column for question in self._questions)
        return {name: columns for name, columns in found.items() if columns}

    def _labels(self):
        """Columns named after the questions."""
        return self._present(name for question in self._questions
                             for name in question.label_columns)

    def _present(self, names):
        return [self._names[plain_name(name)] for name in names if plain_name(name) in self._names]

    def _find(self, question, dialect, debiased):
        """Votes and suffix of the best complete columns; None, None if there is no column."""
        kinds = ((dialect.debiased,),) if debiased else (*dialect.fractions, (dialect.count,))
        for votes in question.votes_in(dialect):
            for kind in kinds:
                names = {suffix: dialect.columns(votes, votes.positive + votes.negative, suffix)
                         for suffix in kind}
                complete = [suffix for suffix in kind
                            if len(self._present(names[suffix])) == len(names[suffix])]
                if len(complete) > 1:
                    raise wrong("table", f"one spelling of the votes on {question.key}",
                                [names[suffix][0] for suffix in complete],
                                "Keep the columns of one catalog.")
                if complete:
                    return votes, complete[0]
        part = self._present(question.vote_columns(dialect))
        if part:
            votes = question.votes_in(dialect)[0]
            names = dialect.columns(votes, votes.positive + votes.negative, kinds[0][0])
            raise wrong("table", f"{'debiased ' * debiased}votes on both answers to "
                        f"{question.key}, as in {names}", part)
        return None, None

    def _number(self, votes, dialect):
        """Number of votes: the catalog's total, else the sum over the answers, else None."""
        total = self._present(votes.task + dialect.campaign + end for end in dialect.totals)
        if total:
            return self._numbers(total[0])
        counts = [self._present(dialect.columns(votes, side, dialect.count))
                  for side in (votes.positive, votes.negative, votes.other)]
        if not all(counts[:2]):
            return None
        return sum(self._numbers(name) for name in sum(counts, []))

    def _read_labels(self, question, debiased):
        if debiased:
            raise wrong("debiased", "a table of votes", "a table of labels",
                        "Leave out debiased.")
        columns = self._present(question.label_columns if self._labels() else [question.column])
        if not columns:
            return self._nothing()
        if len(columns) > 1:
            raise wrong("table", f"one column of labels for {question.key}", columns)
        words = _WORDS | {question.negative.lower(): "0", question.positive.lower(): "1"}
        labels = self._numbers(columns[0], 1, words)
        others = labels[(labels > 0) & (labels < 1)]
        if others.size:
            raise wrong("table", f"labels 1, 0 or missing in column {columns[0]!r}",
                        f"{others.size} others, first {others[0]:g}")
        return VoteFractions(labels, 1 - labels, None, columns[0])

    def _nothing(self):
        return VoteFractions(*np.full((2, len(self._table)), np.nan), None, "")

    def _numbers(self, name, top=np.inf, words=None):
        """Numbers of a column (or words for labels), NaN where missing; all must lie in 0..top."""
        values = as_numbers(self._table[name], name, words or {})
        values = as_unknown(values) if words else values
        if values.shape != (len(self._table),):
            raise wrong("table", f"one number per row in column {name!r}", f"shape {values.shape}")
        others = values[(values < 0) | (values > top) | np.isinf(values)]
        if others.size:
            raise wrong("table", f"{'0..1' if top == 1 else '0 or more'}, or missing, in column "
                        f"{name!r}", f"{others.size} others, first {others[0]:g}",
                        words and "Write -1, or leave the cell empty, where the answer is unknown.")
        return values


def has_votes(table, questions):
    """Tell whether a table has columns of labels or votes; probabilities do not count."""
    known = {plain_name(name) for question in questions for dialect in DIALECTS
             for name in (*question.label_columns, *question.vote_columns(dialect))}
    return not known.isdisjoint(map(plain_name, table.colnames))


def plain_name(name):
    """Return a column's name in lower case and with ``_`` for ``-``; databases vary both.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return name.lower().replace("-", "_")


def as_unknown(labels):
    """Replace numbers that people write for an unknown label, such as -1, by NaN.

    Parameters
    ----------
    labels : `~numpy.ndarray`, float

    Returns
    -------
    `~numpy.ndarray`
    """
    return np.where(np.isin(labels, _NO_LABEL), np.nan, labels)


def as_numbers(column, name, words):
    """Return the numbers of a column of any type.

    Parameters
    ----------
    column : `~astropy.table.Column`
    name : str
        Name of the column in the error message.
    words : dict of str to str
        Words of text and the numbers that they mean.

    Returns
    -------
    `~numpy.ndarray`, float
        NaN where missing.

    Raises
    ------
    TypeError, ValueError
        If the column holds anything else, or has a unit.
    """
    if isinstance(column, u.Quantity):
        if not column.unit.is_equivalent(u.dimensionless_unscaled):
            raise wrong("table", f"votes, without a unit, in column {name!r}", column.unit)
        column = column.to_value(u.dimensionless_unscaled)
    if getattr(column, "dtype", np.dtype("V")).kind in "SUO" and column.ndim == 1:
        column = _from_text(column, name, words)
    values = as_floats(column, f"table[{name!r}]")
    return np.where(values == _NO_NUMBER, np.nan, values)


def _from_text(column, name, words):
    """Numbers of a column of text, or of Python objects."""
    values, others = np.full(len(column), np.nan), []
    for row, text in enumerate(as_names(column)):
        text = "" if text is None else text.strip().lower()
        try:
            values[row] = as_float(words.get(text, "nan" if text in NO_TEXT else text))
        except ValueError:
            others.append(text)
    if others:
        own = "".join(f"{word!r}, " for word in words if word not in _WORDS)
        raise wrong(f"table[{name!r}]", "an array of numbers" + (
            f", or of {own}yes, no and unknown" if words else ""),
            f"{others[0]!r:.40} and similar texts in {len(others)} rows", error=ArgumentTypeError)
    return values
