"""Tables of labels for `~astromorph.MorphologyClassifier.adapt`."""
import numpy as np
from astropy.table import Column, MaskedColumn

from astromorph.errors import wrong
from astromorph.labeling.keys import CANNOT_TELL, NO_GALAXY
from astromorph.learning.labels import without_answers
from astromorph.learning.matching import identifiers
from astromorph.learning.votes import plain_name
from astromorph.questions import DIALECTS

__all__ = ["check_label_columns", "label_table", "whole_numbers"]

_OWN = ("cannot_tell", "no_galaxy", "sealed", "labeler", "time")  # columns beside the labels


def check_label_columns(table, questions):
    """Raise unless the labels of questions can have columns of their own.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The galaxies.
    questions : sequence of `~astromorph.questions.Question`

    Raises
    ------
    ValueError
        If the key or an alias of a question is a column that tables of labels have anyway, or one
        that names the galaxies.
    """
    taken = {plain_name(name) for name in (*_OWN, *identifiers(table)) if name[0] != "?"}
    for question in questions:
        if clash := [name for name in question.label_columns if plain_name(name) in taken]:
            raise wrong("questions", f"keys and aliases other than {', '.join(sorted(taken))}",
                        clash[0], "Its labels would take the place of this column.")


def label_table(galaxies, questions, entries, sealed):
    """Make the table of some answers.

    Parameters
    ----------
    galaxies : `~astropy.table.Table`
        All galaxies. Columns of other votes, labels and answers are left out.
    questions : sequence of `~astromorph.questions.Question`
    entries : list of dict
        The answers, entries of a journal.
    sealed : set of int
        Rows that never train.

    Returns
    -------
    `~astropy.table.Table`
        See `~astromorph.labeling.session.LabelSession.labels`.
    """
    rows = [entry["row"] for entry in entries]
    table = _without_labels(galaxies, questions)[rows]
    for question in questions:
        table[question.key] = np.array(
            [entry["answers"].get(question.key, np.nan) for entry in entries], float)
    for name, key in {"cannot_tell": CANNOT_TELL, "no_galaxy": NO_GALAXY}.items():
        table[name] = np.array([entry["key"] == key for entry in entries], bool)
    table["sealed"] = np.array([row in sealed for row in rows], bool)
    for name in ("labeler", "time"):
        table[name] = Column([entry[name] for entry in entries], dtype=str)
    return table


def whole_numbers(table, questions):
    """Turn labels into whole numbers for a file. Missing labels are masked.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table that `label_table` made. It is changed.
    questions : sequence of `~astromorph.questions.Question`

    Returns
    -------
    `~astropy.table.Table`
    """
    for question in questions:
        if question.kind != "number":
            labels = table[question.key]
            unknown = np.isnan(labels)
            table[question.key] = MaskedColumn(np.where(unknown, 0, labels).astype(int),
                                               mask=unknown)
    return table


def _without_labels(table, questions):
    others = {plain_name(name) for each in questions for dialect in DIALECTS
              for name in (*each.label_columns, *each.vote_columns(dialect), *_OWN)}
    table = without_answers(table, questions)
    return table[[name for name in table.colnames if plain_name(name) not in others]]
