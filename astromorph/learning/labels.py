"""From the votes of volunteers to training labels: 1, 0, or NaN where the votes do not tell."""
from dataclasses import dataclass
from numbers import Real

import numpy as np
from astropy.table import Table

from astromorph.errors import wrong
from astromorph.metrics import as_labels, as_probabilities
from astromorph.questions import QUESTIONS
from astromorph.learning.votes import PLAIN, VoteColumns

__all__ = ["MIN_PER_ANSWER", "Labels", "find_trained", "make_labels", "read_labels",
           "vote_agreement", "without_answers"]

MIN_PER_ANSWER = 10
"""A question with fewer galaxies of either answer is not trained."""



@dataclass(frozen=True)
class Labels:
    """Training labels and how they came about; printable.

    Parameters
    ----------
    values : `~numpy.ndarray`, float, shape (n, questions)
        1, 0, or NaN where there is no label, in the order of `~astromorph.questions.QUESTIONS`.
    report : `~astropy.table.Table`
        A row a question: how many galaxies are positive and negative, how many have no label and
        why (each galaxy counts once), whether votes were counted, and the columns of the positive
        answer. What was asked for is in its ``meta``.
    """

    values: np.ndarray
    report: Table

    def __str__(self):
        choices = ", ".join(f"{name}={value}" for name, value in self.report.meta.items())
        lines = [f"{len(self.values)} galaxies: {choices}", *self.report.pformat(max_width=-1)]
        uncounted = self.report["question"][~self.report["counted"]]
        if len(uncounted) and self.report.meta["dialect"] != PLAIN:
            lines.append(f"No numbers of votes for {', '.join(uncounted)}: min_votes not applied.")
        return "\n".join(lines)


def make_labels(table, *, threshold=0.7, min_votes=5, agreement=None, debiased=False,
                dialect=None):
    """Turn votes into labels, keeping only what volunteers agree on.

    A galaxy is labeled where more than ``threshold`` of the votes went to one of the two answers
    and at least ``min_votes`` were cast. As in the catalogs and in [1]_, fractions are of all the
    votes on a question: those for a star or artifact count against both answers. Edge-on is asked
    only where features outvote smooth, and a bar only where, besides, not edge-on outvotes
    edge-on; where the vote that decides is missing, the question is taken as asked.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With columns as in Galaxy Zoo 2 [2]_ [3]_, Galaxy Zoo DECaLS [4]_ or DESI, or the table of
        [1]_, in any case and with ``-`` or ``_``: vote fractions (weighted ones are preferred),
        numbers of votes, or both. Or with labels: ``q1``, ``q2``, ``q3``, else ``P_disk``,
        ``P_edge_on``, ``P_bar``, of 1, 0 and missing. Masked and text columns will do.
    threshold : float
        Vote fraction to exceed, at least 0.5 and below 1.
    min_votes : float
        Votes that the question needs. Not applied where the table has no numbers of votes, as
        for predicted fractions; the report says so.
    agreement : float, optional
        Least `vote_agreement`, above 0 and at most 1, instead of ``threshold``.
    debiased : bool
        Use the fractions that were corrected for redshift bias. They tell how a galaxy would look
        if it were nearer, not how it looks.
    dialect : str, optional
        Whose columns to use, where a table has those of several: the name of one of
        `~astromorph.questions.DIALECTS`, or ``"labels"``.

    Returns
    -------
    Labels

    Raises
    ------
    TypeError
        If ``table`` is no table, or a column does not hold numbers.
    ValueError
        If columns are unknown, incomplete, of several dialects or out of range, or another
        argument is not as described.

    References
    ----------
    .. [1] Dominguez Sanchez et al. 2019, MNRAS 484, 93.
    .. [2] Willett et al. 2013, MNRAS 435, 2835.
    .. [3] Hart et al. 2016, MNRAS 461, 3663.
    .. [4] Walmsley et al. 2022, MNRAS 509, 3966.
    """
    if not isinstance(table, Table):
        raise TypeError("table: expected an astropy Table (Table.from_pandas makes one). "
                        f"Received {type(table).__name__}.")
    agrees = _criterion(threshold, agreement)
    if not (isinstance(min_votes, Real) and min_votes >= 0):
        raise ValueError(f"min_votes must be one number, 0 or more. Received: {min_votes!r}")
    columns = VoteColumns(table, dialect)
    values, rows, votes, probability_asked = [], [], {}, {}
    for question in QUESTIONS:
        key = question.key
        votes[key] = columns.read(question, debiased=debiased)
        probability_asked[key] = _asked(question, votes, probability_asked)
        labels, counts = _judge(votes[key], probability_asked[key], agrees, min_votes)
        values.append(labels)
        rows.append({"question": key} | counts | {"counted": votes[key].number is not None,
                                                  "columns": votes[key].columns})
    criterion = {"threshold": threshold} if agreement is None else {"agreement": agreement}
    meta = {"dialect": columns.dialect, **criterion, "min_votes": min_votes, "debiased": debiased}
    return Labels(np.stack(values, axis=1), Table(rows, meta=meta))


def read_labels(data, labels, questions):
    """Labels as an array, given as one, as `Labels`, or by the columns of a table.

    Parameters
    ----------
    data : `~astropy.table.Table` or sequence
        The galaxies.
    labels : array-like or Labels or None
        None to take them from the table, see `make_labels`; probabilities of `classify` in it are
        not taken for labels.
    questions : sequence of `~astromorph.questions.Question`
        The columns.

    Returns
    -------
    `~numpy.ndarray`, shape (n, questions)

    Raises
    ------
    TypeError, ValueError
        If there are none, or they are not 1, 0 and NaN, one row a galaxy.
    """
    if labels is None:
        if not isinstance(data, Table):
            raise ValueError("labels: none given, and the data are not a table that has them. "
                             f"Expected an array (n, {len(questions)}) of 1, 0 and NaN, or a table "
                             f"with columns {[question.key for question in questions]} or votes.")
        labels = make_labels(without_answers(data, questions))
    labels = as_labels(labels.values if isinstance(labels, Labels) else labels)
    if labels.shape != (len(data), len(questions)):
        raise ValueError(f"labels: expected shape ({len(data)}, {len(questions)}), a row for each "
                         f"galaxy and a column a question. Received {labels.shape}.")
    return labels


def without_answers(table, questions=QUESTIONS):
    """Leave out the probabilities of `classify`, which are no labels.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Classified or not.
    questions : sequence of `~astromorph.questions.Question`
        Whose columns to leave out.

    Returns
    -------
    `~astropy.table.Table`
    """
    if "morph_flag" not in getattr(table, "colnames", ()):
        return table
    return table[[name for name in table.colnames
                  if name not in {question.column for question in questions}]]


def vote_agreement(fraction):
    """Agreement of volunteers between two answers: a(p) = 1 - H(p) / log 2, H the entropy.

    Parameters
    ----------
    fraction : array-like
        Vote fraction of one of the answers, in 0..1.

    Returns
    -------
    `~numpy.ndarray`
        0 where the votes are split evenly, 1 where all agree; 0.119 for 0.7 of the votes.

    Raises
    ------
    TypeError, ValueError
        If the fractions are not numbers in 0..1.

    References
    ----------
    Dieleman, Willett & Dambre 2015, MNRAS 450, 1441.
    """
    p = as_probabilities(fraction)
    # The limit of p log p is 0, as is 0 log 1.
    return 1 + sum(share * np.log2(np.where(share == 0, 1, share)) for share in (p, 1 - p))


def _criterion(threshold, agreement):
    """What tells whether the fraction of the leading answer is enough."""
    if agreement is None:
        if not (isinstance(threshold, Real) and 0.5 <= threshold < 1):
            raise ValueError("threshold must be one number, at least 0.5 and below 1. "
                             f"Received: {threshold!r}")
        return lambda leading: leading > threshold
    if not (isinstance(agreement, Real) and 0 < agreement <= 1):
        raise ValueError("agreement must be one number above 0, at most 1. "
                         f"Received: {agreement!r}")
    # Rounded fractions may add up to a little over 1.
    return lambda leading: ((leading > 0.5)
                            & (vote_agreement(np.minimum(leading, 1)) >= agreement))


def _asked(question, votes, probability_asked):
    """Where a question makes sense, as far as the votes on its parents are known."""
    if question.parent is None:
        return np.ones(votes[question.key].positive.shape, bool)
    parent = votes[question.parent]
    return probability_asked[question.parent] & (parent.favors(question.asked_if)
                                     | np.isnan(parent.positive + parent.negative))


def _judge(votes, probability_asked, agrees, min_votes):
    """Labels of one question, and how many galaxies got which, or none for which reason."""
    leading = np.maximum(votes.positive, votes.negative)
    number = np.inf if votes.number is None else votes.number
    unfit = {"not_applicable": ~probability_asked, "too_few_votes": number < min_votes,
             "missing": np.isnan(leading + number), "not_robust": ~agrees(leading)}
    reason = np.select([np.broadcast_to(rows, probability_asked.shape) for rows in unfit.values()],
                       list(unfit), "")
    labels = np.where(reason == "", votes.favors(1), np.nan)
    outcomes = {"positive": labels == 1, "negative": labels == 0,
                **{name: reason == name for name in unfit}}
    return labels, {name: int(rows.sum()) for name, rows in outcomes.items()}


def find_trained(labels, questions):
    """Tell which questions have enough labels of either answer to learn from.

    Parameters
    ----------
    labels : `~numpy.ndarray`, shape (n, questions)
        1, 0 or NaN.
    questions : sequence of `~astromorph.questions.Question`
        The columns.

    Returns
    -------
    `~numpy.ndarray` of bool, shape (questions,)

    Raises
    ------
    ValueError
        If none has.
    """
    counts = np.stack([(labels == answer).sum(axis=0) for answer in (1, 0)])
    trained = counts.min(axis=0) >= MIN_PER_ANSWER
    if not trained.any():
        found = ", ".join(f"{question.key} {positive} positive and {negative} negative"
                          for question, positive, negative in zip(questions, *counts, strict=True))
        raise wrong("labels", f"at least {MIN_PER_ANSWER} galaxies of either answer to a question, "
                    "with images that can be used", found)
    return trained
