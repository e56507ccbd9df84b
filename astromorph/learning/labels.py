"""Turn votes of volunteers into training labels: 1, 0, or NaN where the votes do not decide."""
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table

from astromorph.arguments import as_floats, as_probabilities, check_number
from astromorph.errors import ArgumentTypeError, warn, wrong
from astromorph.learning.answers import check_answers, read_answers, read_own
from astromorph.learning.matching import find_identifiers, identifiers, match_labels
from astromorph.learning.votes import PLAIN, VoteColumns, has_votes
from astromorph.printing import printable
from astromorph.questions import QUESTIONS, Question
from astromorph.tables.data_frames import as_table

__all__ = ["MIN_PER_ANSWER", "Labels", "find_trained", "keep_read", "labels_of", "make_labels",
           "read_labels", "read_test_labels", "read_training_labels", "vote_agreement",
           "without_answers"]

MIN_PER_ANSWER = 10
"""A question is trained if each of its answers has at least this many galaxies."""
_MARKS = ("sealed", "no_galaxy")
"""Columns of `label` that mark rows that do not train."""


@dataclass(frozen=True)
class Labels:
    """Training labels and how they were made; printable.

    Parameters
    ----------
    values : `~numpy.ndarray`, float, shape (n, questions)
        1, 0, or NaN where there is no label.
    keys : tuple of str
        Keys of the questions, in the order of the columns.
    report : `~astropy.table.Table`
        One row per question. It counts the galaxies that are positive or negative, and those
        without a label, by the reason; each galaxy counts once. It also says whether votes were
        counted, and names the columns of the positive answer. Its ``meta`` has the choices of
        `make_labels`.
    names : dict of str to list, optional
        The columns that name the galaxies, such as ``objid`` or ``file``.
    marks : `~numpy.ndarray`, float, shape (n, 2), optional
        1 where the columns ``sealed`` and ``no_galaxy`` of `~astromorph.MorphologyClassifier.label`
        say yes, else NaN.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph import make_labels
    >>> labels = make_labels(Table({"name": ["a", "b"], "disk": [1, 0]}))
    >>> labels.keys, labels.values
    (('disk', 'edge_on', 'bar'), array([[ 1., nan, nan], [ 0., nan, nan]]))
    """

    values: np.ndarray
    keys: tuple[str, ...]
    report: Table
    names: dict | None = None
    marks: np.ndarray | None = None

    def select(self, questions) -> np.ndarray:
        """Return the labels of some questions.

        Parameters
        ----------
        questions : sequence of `~astromorph.questions.Question` or str
            The questions, or their keys.

        Returns
        -------
        `~numpy.ndarray`, float, shape (n, questions)
            1, 0 or NaN, in the order of ``questions``.

        Raises
        ------
        ValueError
            If one of the questions has no labels.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from astromorph import make_labels
        >>> labels = make_labels(Table({"disk": [1, 1], "bar": [0, 1]}))
        >>> labels.select(["bar", "disk"])
        array([[0., 1.],
               [1., 1.]])
        """
        keys = [getattr(question, "key", question) for question in questions]
        if missing := [key for key in keys if key not in self.keys]:
            raise wrong("labels", f"labels of {', '.join(keys)}",
                        f"labels of {', '.join(self.keys)}",
                        f"Make those of {', '.join(missing)} too: make_labels(questions=...).")
        return self.values[:, [self.keys.index(key) for key in keys]]

    def __str__(self):
        choices = ", ".join(f"{name}={value}" for name, value in self.report.meta.items())
        lines = [f"{len(self.values)} galaxies: {choices}", *self.report.pformat(max_width=-1)]
        uncounted = self.report["question"][~self.report["counted"]]
        if len(uncounted) and self.report.meta["dialect"] != PLAIN:
            lines.append(f"No numbers of votes for {', '.join(uncounted)}: min_votes not applied.")
        return printable("\n".join(lines))


def make_labels(table, *, questions=QUESTIONS, threshold: float = 0.7, min_votes: float = 5,
                agreement: float | None = None, debiased: bool = False,
                dialect: str | None = None) -> Labels:
    """Turn votes into labels, where the volunteers agree.

    A galaxy gets a label if more than ``threshold`` of the votes went to one of the two answers,
    and at least ``min_votes`` votes were cast. As in the catalogs and in [1]_, fractions are of all
    votes on a question: votes for a star or artifact count against both answers.

    Each question makes sense only after the one before it. ``edge_on`` gets labels only where
    features have more votes than smooth. ``bar`` gets labels only where, besides, not edge-on has
    more votes than edge-on. Where the earlier vote is missing, it restricts nothing.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table of votes or labels; names of columns may differ in case, and in ``-`` or ``_``.
        Votes have columns as in Galaxy Zoo 2 [2]_ [3]_, Galaxy Zoo DECaLS [4]_ or DESI, or as in
        the table of [1]_. They are fractions (weighted ones are preferred), numbers, or both.
        Labels have columns named after the questions: ``disk``, ``edge_on``, ``bar`` (or ``q1``,
        ``q2``, ``q3``), else ``P_disk``, ``P_edge_on``, ``P_bar``. They are 1 and 0, yes and no, or
        true and false. Masked, -1, "unknown" and "" mean no label.
    questions : sequence of `~astromorph.questions.Question`
        The questions to make labels of. A question whose parent is not among them gets labels for
        all galaxies.
    threshold : float
        Vote fraction to exceed, at least 0.5 and below 1.
    min_votes : float
        Least number of votes on the question. It is not applied if the table has no numbers of
        votes, as with predicted fractions; the report says so.
    agreement : float, optional
        Least `vote_agreement`, above 0 and at most 1; replaces ``threshold``.
    debiased : bool
        Use the fractions that were corrected for redshift bias. They say how a galaxy would look if
        it were nearer, not how it looks.
    dialect : str, optional
        Whose columns to use if the table has those of several catalogs: the name of one of
        `~astromorph.questions.DIALECTS`, or ``"labels"``.

    Returns
    -------
    Labels

    Raises
    ------
    TypeError
        If ``table`` is not a table, or a column does not hold numbers.
    ValueError
        If columns are unknown, incomplete, of several dialects or out of range, or another
        argument has the wrong type or value.

    See Also
    --------
    astromorph.MorphologyClassifier.adapt : Learn from labels.
    vote_agreement : Measure how far volunteers agree.

    References
    ----------
    .. [1] Dominguez Sanchez et al. 2019, MNRAS 484, 93.
    .. [2] Willett et al. 2013, MNRAS 435, 2835.
    .. [3] Hart et al. 2016, MNRAS 461, 3663.
    .. [4] Walmsley et al. 2022, MNRAS 509, 3966.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph import make_labels
    >>> votes = Table({"smooth-or-featured_featured-or-disk": [36, 4, 20],
    ...                "smooth-or-featured_smooth": [3, 35, 19]})
    >>> labels = make_labels(votes)
    >>> labels.select(["disk"])[:, 0]
    array([ 1.,  0., nan])
    """
    if not isinstance(table, Table):
        raise wrong("table", "an astropy Table", type(table).__name__,
                    "Table.from_pandas makes one.", error=ArgumentTypeError)
    agrees = _criterion(threshold, agreement)
    check_number(min_votes, "min_votes", "one number, 0 or more", lambda value: value >= 0)
    questions = list(questions)
    votes, choice = _votes(table, questions, dialect, debiased)
    values, rows = [], []
    for question in questions:
        asked = np.broadcast_to(_asked(question, questions, votes), len(table))
        if question.key in votes:
            labels, row = _judge(votes[question.key], asked, agrees, min_votes)
        else:
            labels, row = _take(*read_answers(table, question), asked)
        values.append(labels)
        rows.append({"question": question.key} | row)
    criterion = {"threshold": threshold} if agreement is None else {"agreement": agreement}
    meta = {"dialect": choice, **criterion, "min_votes": min_votes, "debiased": debiased}
    return Labels(np.stack(values, axis=1), tuple(each.key for each in questions),
                  Table(rows, meta=meta), identifiers(table), _marks(table))


def _marks(table):
    """Where the columns that keep rows from teaching say yes."""
    found = [read_own(table, Question(name)).positive for name in _MARKS]
    return np.where(np.stack(found, axis=1) == 1, 1.0, np.nan)


def labels_of(table, questions, *, key=None, **choices):
    """Make labels from a table that a classifier may have classified before.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As for `make_labels`. Probabilities from `classify` in it do not count as labels.
    questions : sequence of `~astromorph.questions.Question`
        Questions of the classifier. Their parents get labels, too.
    key : str, optional
        The only column that names the galaxies; by default those with usual names.
    **choices
        Options of `make_labels`.

    Returns
    -------
    Labels
    """
    names = identifiers(table, key)
    labels = make_labels(without_answers(table, questions), questions=_with_parents(questions),
                         **choices)
    return replace(labels, names=names)


def read_labels(data, labels, questions, *, key=None):
    """Return labels as an array, from an array, from `Labels`, or from the columns of a table.

    Labels of another table, and `Labels`, are matched by the names of the galaxies, in a column
    that both have: files, or identifiers. If there is no such column, rows are matched in their
    order.

    Parameters
    ----------
    data : `~astropy.table.Table` or sequence
        The galaxies.
    labels : array-like or `~astropy.table.Table` or Labels or None
        A table of labels or votes may have rows of only some of the galaxies. `Labels` may hold
        more questions. None takes the labels from the table of galaxies; see `labels_of`.
    questions : sequence of `~astromorph.questions.Question`
        The columns of the result.
    key : str, optional
        The column by which to match a table of labels; lists of files are matched by their names.
        By default a column with a usual name, such as ``file``, ``name``, ``id`` or ``objid``.

    Returns
    -------
    `~numpy.ndarray`, shape (n, questions)

    Raises
    ------
    TypeError, ValueError
        If there are no labels, there is not one row per galaxy, or labels are not 1, 0 and NaN. For
        questions of other kinds, `~astromorph.learning.answers.check_answers` says what labels are.
    """
    return _read(data, labels, questions, key)[0]


def read_training_labels(data, labels, questions, *, key=None):
    """Give labels to learn from, and which galaxies to learn from.

    Parameters
    ----------
    data, labels, questions, key
        As for `read_labels`.

    Returns
    -------
    labels : `~numpy.ndarray`, shape (kept, questions)
    rows : `~numpy.ndarray` of int or None
        The rows of the galaxies; None for all. Those that a column ``sealed`` keeps for a test,
        and those of ``no_galaxy``, are left out.

    Raises
    ------
    TypeError, ValueError
        As for `read_labels`.

    Warns
    -----
    AstromorphWarning
        If galaxies are sealed.
    """
    labels, marks = _read(data, labels, questions, key)
    if not marks.any():
        return labels, None
    if n := marks[:, 0].sum():
        warn(f"{n} of {len(labels)} galaxies are sealed and teach nothing: evaluate scores them. "
             "To train on them, too, remove the column 'sealed'.")
    rows = np.flatnonzero(~marks.any(axis=1))
    return labels[rows], rows


def read_test_labels(data, labels, questions, *, key=None):
    """Give labels to score answers with: those of the sealed galaxies, where there are any.

    Parameters
    ----------
    data, labels, questions, key
        As for `read_labels`.

    Returns
    -------
    `~numpy.ndarray`, shape (n, questions)
        NaN for galaxies that a column ``sealed`` leaves for training, if it seals others.

    Raises
    ------
    TypeError, ValueError
        As for `read_labels`.

    Warns
    -----
    AstromorphWarning
        If galaxies are sealed.
    """
    labels, marks = _read(data, labels, questions, key)
    if not (sealed := marks[:, 0]).any():
        return labels
    warn(f"Only the {sealed.sum()} sealed galaxies of {len(labels)} are scored: the others may "
         "have taught. To score all, remove the column 'sealed'.")
    return np.where(sealed[:, None], labels, np.nan)


def _read(data, labels, questions, key):
    """Labels of the galaxies, and where they are sealed, and no galaxies."""
    table = as_table(labels)
    labels = labels if table is None else table
    if key is not None and not isinstance(labels, (Table, Labels)):
        raise wrong("key", "a table of labels to match by it", type(labels).__name__)
    marks = None
    if labels is None:
        _check_labeled(data, questions)
        labels = labels_of(data, questions)
        labels, marks = labels.select(questions), labels.marks
    elif isinstance(labels, Table):
        labels = labels_of(labels, questions, key=key)
    elif len(questions) == 1 and _are_words(labels):
        labels = labels_of(Table({questions[0].key: labels}), questions).select(questions)
    if isinstance(labels, Labels):
        labels, marks = _of_galaxies(data, labels, questions, key)
    labels = as_floats(labels, "labels")
    labels = labels[:, None] if labels.ndim == len(questions) == 1 else labels
    if labels.shape != (len(data), len(questions)):
        raise wrong("labels", f"shape ({len(data)}, {len(questions)}), one row per galaxy and one "
                    "column per question", labels.shape)
    return np.stack([check_answers(each, question) for each, question
                     in zip(labels.T, questions, strict=True)], axis=1), (
        np.zeros((len(data), len(_MARKS)), bool) if marks is None else marks == 1)


def _are_words(labels):
    return np.ndim(labels) == 1 and any(isinstance(label, str) for label in labels)


def _of_galaxies(data, labels, questions, key):
    """Labels and marks of the galaxies, matched by their names, else by the order of the rows."""
    marks = np.full((len(labels.values), len(_MARKS)), np.nan)
    values = np.hstack([labels.select(questions), marks if labels.marks is None else labels.marks])
    theirs = labels.names or {}
    mine = identifiers(data, key if isinstance(data, Table) else None)
    if key is not None:
        if not mine:
            raise wrong("key", "galaxies with names: a table, or files", "galaxies without names")
        theirs = dict.fromkeys(mine, find_identifiers(theirs, key))
    shared = mine.keys() & theirs.keys()
    if shared and all(mine[name] == theirs[name] for name in shared):
        return _parted(values)  # the same rows
    matched = match_labels(mine, theirs, values)
    if matched is None and len(values) == len(data):
        warn("No column names the galaxies in both tables, so the labels are taken in the order of "
             "the rows. If the order may differ, choose such a column with key=.")
    return _parted(values if matched is None else matched)


def _parted(values):
    """Labels, and the marks after them."""
    return np.split(values, [-len(_MARKS)], axis=1)


def _check_labeled(data, questions):
    """Raise an error unless a table has labels, votes, or probabilities to use as labels."""
    keys = [question.key for question in questions]
    names = without_answers(data, questions).colnames if isinstance(data, Table) else None
    if names is None or not (has_votes(data, questions) or {
            question.column for question in questions if question.kind == "yes_no"} & set(names)):
        found = "data that are not a table" if names is None else f"the columns {', '.join(names)}"
        raise wrong("labels", f"an array (n, {len(questions)}) of 1, 0 and NaN, a table of labels, "
                    f"or galaxies in a table with columns {keys} (1, 0 or missing) or votes",
                    f"none, and {found:.150}")


def _with_parents(questions):
    """The questions, each after those of the published questions that it follows from."""
    known = {question.key: question for question in (*QUESTIONS, *questions)}
    found = {}

    def add(question):
        if question.parent in known:
            add(known[question.parent])
        found[question.key] = question

    for question in questions:
        add(question)
    return tuple(found.values())


def without_answers(table, questions=QUESTIONS):
    """Leave out the probabilities from `classify`, which are not labels.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table, classified or not.
    questions : sequence of `~astromorph.questions.Question`
        Questions whose columns to leave out.

    Returns
    -------
    `~astropy.table.Table`
    """
    if "morph_flag" not in getattr(table, "colnames", ()):
        return table
    return table[[name for name in table.colnames
                  if name not in {column for question in questions
                                  for column in question.columns}]]


def vote_agreement(fraction):
    """Measure how far volunteers agree: a(p) = 1 - H(p) / log 2, where H is the entropy.

    Parameters
    ----------
    fraction : array-like
        Vote fraction of one of two answers, in 0..1.

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

    Examples
    --------
    >>> from astromorph.learning.labels import vote_agreement
    >>> vote_agreement([0.5, 0.7, 1.0]).round(3)
    array([0.   , 0.119, 1.   ])
    """
    p = as_probabilities(fraction, "fraction")
    # The limit of p log p is 0, as is 0 log 1.
    return 1 + sum(share * np.log2(np.where(share == 0, 1, share)) for share in (p, 1 - p))


def _criterion(threshold, agreement):
    """A function that says whether the fraction of the leading answer is enough."""
    if agreement is None:
        check_number(threshold, "threshold", "one number, at least 0.5 and below 1",
                     lambda value: 0.5 <= value < 1)
        return lambda leading: leading > threshold
    check_number(agreement, "agreement", "one number above 0, at most 1",
                 lambda value: 0 < value <= 1)
    # Rounded fractions may add up to a little over 1.
    return lambda leading: ((leading > 0.5)
                            & (vote_agreement(np.minimum(leading, 1)) >= agreement))


def _asked(question, questions, votes):
    """Where a question is asked, as far as the votes on its parents are known."""
    parent = next((each for each in questions if each.key == question.parent), None)
    if parent is None or parent.key not in votes:
        return np.array(True)
    cast = votes[parent.key]
    unknown = np.isnan(cast.positive + cast.negative)
    return _asked(parent, questions, votes) & (cast.favors(question.asked_if) | unknown)


def _votes(table, questions, dialect, debiased):
    """Votes on each yes/no question, by its key; and the dialect of the catalog's votes."""
    voted = [each for each in questions if each.kind == "yes_no" and each.votes]
    own = [each for each in questions if each not in voted]
    alone = has_votes(table, own) and not has_votes(table, voted)
    columns = None if alone else VoteColumns(table, voted or own, dialect)
    votes = {each.key: read_own(table, each) for each in own if each.kind == "yes_no"}
    if columns:
        votes |= {each.key: columns.read(each, debiased=debiased) for each in voted}
    return votes, columns.dialect if columns else PLAIN


def _take(labels, column, asked):
    """Labels where the question is asked, and the numbers of galaxies with and without one."""
    row = dict.fromkeys(("positive", "negative", "not_applicable", "too_few_votes", "missing",
                         "not_robust"), 0)
    known = np.isfinite(labels)
    row |= {"positive": int((known & asked).sum()), "missing": int((asked & ~known).sum()),
            "not_applicable": int((~asked & known).sum())}
    return np.where(asked, labels, np.nan), row | {"counted": False, "columns": column}


def _judge(votes, asked, agrees, min_votes):
    """Labels of one question, and the number of galaxies per label, or per reason for none."""
    leading = np.maximum(votes.positive, votes.negative)
    number = np.inf if votes.number is None else votes.number
    few = (number < min_votes) | (number == 0)
    unfit = {"not_applicable": ~asked, "too_few_votes": few,
             "missing": np.isnan(leading + number), "not_robust": ~agrees(leading)}
    reason = np.select([np.broadcast_to(rows, asked.shape) for rows in unfit.values()],
                       list(unfit), "")
    labels = np.where(reason == "", votes.favors(1), np.nan)
    row = {"counted": votes.number is not None, "columns": votes.columns}
    outcomes = {"positive": labels == 1, "negative": labels == 0,
                **{name: reason == name for name in unfit}}
    return labels, {name: int(rows.sum()) for name, rows in outcomes.items()} | row


def find_trained(labels, questions):
    """Find the questions with enough labels of each answer to train.

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
        If no question has enough.
    """
    counts = np.stack([(labels == answer).sum(axis=0) for answer in (1, 0)])
    trained = counts.min(axis=0) >= MIN_PER_ANSWER
    if not trained.any():
        found = ", ".join(f"{question.key} {positive} positive and {negative} negative"
                          for question, positive, negative in zip(questions, *counts, strict=True))
        raise wrong("labels", f"at least {MIN_PER_ANSWER} galaxies of each answer to a question, "
                    "with images that can be used", found)
    return trained


def keep_read(frames, labels):
    """Leave out the galaxies whose images could not be read.

    Parameters
    ----------
    frames : iterable of `~numpy.ndarray` or None
        Result of `~astromorph.running.read_frames`.
    labels : `~numpy.ndarray`, shape (n, questions)
        Labels of the same galaxies.

    Returns
    -------
    frames : list of `~numpy.ndarray`
    labels : `~numpy.ndarray`, shape (m, questions)

    Raises
    ------
    ValueError
        If no image could be read.
    """
    frames = list(frames)
    labels = labels[[frame is not None for frame in frames]]
    if not len(labels):
        raise wrong("data", "labeled galaxies with images that can be read", "none",
                    "The warning before this error says what is wrong with them.")
    return [frame for frame in frames if frame is not None], labels
