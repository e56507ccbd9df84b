"""Kinds of answers that a question may have: one small class each, listed in `KINDS`.

Two other modules have a `KINDS` with the same names: `astromorph.model.head_kinds` trains heads,
`astromorph.scores` scores answers.
"""
from numbers import Real

import numpy as np
from astropy import units as u

from astromorph.errors import wrong

__all__ = ["KINDS", "LARGEST", "AnswerColumn", "get_kind"]

LARGEST = float(np.finfo(np.float32).max)
"""The largest number that a column of answers can hold, with 32 bits (float)."""

_PROBABILITY = "stat.probability;src.morph"


class AnswerColumn:
    """How a table shows one number of an answer.

    Parameters
    ----------
    name, description, ucd : str
        Name, description and UCD of the table's column.
    title : str
        What the number means, in words for people.
    unit : str
        Unit of the column; empty if it has none.
    is_probability : bool
        Whether the numbers are probabilities.
    of : str
        Name of the column whose error this column holds; empty if it holds no error.
    """

    def __init__(self, name, description, ucd, title, unit="", is_probability=True, of=""):
        self.name, self.description, self.ucd, self.title = name, description, ucd, title
        self.unit, self.is_probability, self.of = unit, is_probability, of


class _YesNo:
    """One probability: that of the positive answer."""

    ucd = _PROBABILITY

    def check(self, question):
        _refuse(question, "answers", "limits", "unit")

    def column(self, question):
        return f"P_{question.key}"

    def description(self, question):
        return f"Probability of {question.positive}"

    def columns(self, question):
        return AnswerColumn(question.column, question.description, question.ucd,
                            question.positive),


class _Exclusive:
    """One probability per answer; they add up to 1."""

    ucd = _PROBABILITY

    def check(self, question):
        _refuse(question, "limits", "unit")
        answers = question.answers
        named = all(f"_{each}".isidentifier() and not each.isdecimal() for each in answers)
        if not named or len({each.lower() for each in answers}) < max(len(answers), 2):
            raise wrong("answers", "two or more different names of letters, digits and "
                        "underscores, as ('none', 'weak', 'strong')", repr(answers),
                        "A name of digits alone would be read as the position of an answer.")

    def column(self, question):
        return f"P_{question.key}"

    def description(self, question):
        return f"Probabilities of {question.positive}: {', '.join(question.answers)}"

    def columns(self, question):
        return tuple(AnswerColumn(
            f"{question.column}_{each}", f"Probability of {question.positive}: {each}",
            question.ucd, each.replace("_", " ")) for each in question.answers)


class _Number:
    """A value and its standard deviation."""

    ucd = "src.morph.param"

    def check(self, question):
        _refuse(question, "answers")
        limits = question.limits
        if limits is not None and not (
                isinstance(limits, tuple) and len(limits) == 2 and all(map(_is_finite, limits))
                and limits[0] < limits[1]):
            raise wrong("limits", "two finite numbers, the lower one first, as (-5, 10)",
                        repr(limits))
        try:
            u.Unit(question.unit)
        except (TypeError, ValueError):
            raise wrong("unit", "a unit as astropy writes it, or '' for none",
                        repr(question.unit)) from None

    def column(self, question):
        return f"V_{question.key}"

    def description(self, question):
        return question.positive[:1].upper() + question.positive[1:]

    def columns(self, question):
        return (AnswerColumn(question.column, question.description, question.ucd,
                             question.positive, question.unit, False),
                AnswerColumn(f"e_{question.column}", f"Standard deviation of {question.column}",
                             f"stat.error;{question.ucd}", f"error of {question.positive}",
                             question.unit, False, of=question.column))


KINDS = {"yes_no": _YesNo(), "grades": _Exclusive(), "classes": _Exclusive(), "number": _Number()}
"""Name of a kind of answer to the object that handles it (dict)."""


def get_kind(question, kinds=KINDS):
    """Find the object that handles a question's kind of answer.

    Parameters
    ----------
    question : `~astromorph.questions.Question`
        The question.
    kinds : dict
        Name of a kind to its object, as in `KINDS`.

    Returns
    -------
    object
        The entry of ``kinds``.

    Raises
    ------
    ArgumentError
        If ``kinds`` does not have the question's kind.
    """
    try:
        return kinds[question.kind]
    except (KeyError, TypeError):
        raise wrong("kind", f"one of {', '.join(map(repr, kinds))}",
                    repr(question.kind)) from None


def _is_finite(value):
    return (isinstance(value, Real) and not isinstance(value, bool)
            and bool(abs(value) <= LARGEST))


def _refuse(question, *names):
    """Raise for a field that this kind of question does not have."""
    for name in names:
        if value := getattr(question, name):
            raise wrong(name, f"none for a question of kind {question.kind!r}", repr(value))
