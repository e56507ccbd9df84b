"""Score the answers to questions of every kind in one table.

The rules of `astromorph.metrics` hold. Labels are NaN where unknown, galaxies without a label or
an answer are ignored, and a score that the data do not define is NaN, without a warning.
"""
import numpy as np

from astromorph.answers import get_kind
from astromorph.arguments import as_floats
from astromorph.errors import wrong
from astromorph.metrics import central_interval, score_row
from astromorph.questions import split_answers

__all__ = ["KINDS", "confusion", "score_answers", "score_rows"]

# Total of random numbers for a bootstrap: for many galaxies, fewer resamples are enough.
_DRAWS = 3_000_000
_FEWEST = 100
# An answer farther than this from the median is an outlier, in robust standard deviations.
_FAR = 3


def score_answers(labels, answers, questions, *, threshold=0.5, intervals=True, level=0.68,
                  n_resamples=1000, seed=0):
    """Score the answers to questions of any kind.

    Parameters
    ----------
    labels : array-like, shape (n, questions)
        1 and 0 for yes/no questions, the position of the answer (from 0) for grades and classes, or
        the number; NaN or masked where unknown.
    answers : array-like, shape (n, columns)
        The columns of all questions, in their order.
    questions : sequence of `~astromorph.questions.Question`
        The questions.
    threshold, intervals, level, n_resamples, seed
        See `~astromorph.metrics.score_table`. For kinds other than yes/no, many galaxies get fewer
        resamples.

    Returns
    -------
    `~astropy.table.Table`
        One row per question, as in `~astromorph.metrics.score_table`; scores that a kind does not
        have are masked:

        - Grades have the accuracy and the rank correlation. More rows, ``key>=grade``, score "at
          least this grade".
        - Classes have the accuracy and the mean ROC area. More rows, ``key=class``, score one class
          against the others.
        - Numbers have the bias (mean of answer minus label), sigma (1.4826 times the median
          absolute deviation) and rms. ``outliers`` is the fraction farther than 3 sigma from the
          median, ``within_error`` the fraction within one standard deviation of the label.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    confusion : Count which answers the galaxies of each label got.
    astromorph.metrics.score_table : Score yes/no questions only.

    Examples
    --------
    >>> from astromorph import Question
    >>> from astromorph.scores import score_answers
    >>> ring = Question("ring", kind="classes", answers=("none", "inner", "outer"))
    >>> answers = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2]]
    >>> table = score_answers([[0], [1], [2]], answers, [ring], intervals=False)
    >>> print(table["question", "n", "accuracy"])
     question   n  accuracy
    ---------- --- --------
          ring   3    0.667
     ring=none   3    0.667
    ring=inner   3    1.000
    ring=outer   3    0.667
    """
    labels, answers = as_floats(labels, "labels"), as_floats(answers, "answers")
    width = sum(len(question.columns) for question in questions)
    if labels.shape != (len(answers), len(questions)) or answers.shape != (len(labels), width):
        raise wrong("labels, answers", f"shapes (n, {len(questions)}) and (n, {width})",
                    f"{labels.shape} and {answers.shape}")
    rng = np.random.default_rng(seed)
    options = {"n_resamples": n_resamples, "level": level, "seed": rng} if intervals else None
    rows = [row for question, y, columns in zip(questions, labels.T,
                                                split_answers(questions, answers))
            for row in get_kind(question, KINDS).rows(question, y, columns, threshold, options)]
    meta = {"threshold": threshold}
    if intervals:
        meta |= {"interval_level": level, "n_resamples": n_resamples}
    return score_rows(rows, meta)


def score_rows(rows, meta=None):
    """Make a table of rows that may have different scores.

    Parameters
    ----------
    rows : list of dict
        Name of a score to its value.
    meta : dict, optional
        Metadata of the table.

    Returns
    -------
    `~astropy.table.Table`
        Scores that a row does not have are masked.
    """
    from astropy.table import Table

    names = [name for name in _ORDER if any(name in row for row in rows)]
    columns = {name: np.ma.masked_array(
        [row.get(name, 0) for row in rows], [name not in row for row in rows]) for name in names}
    table = Table({name: column if column.mask.any() else column.data
                   for name, column in columns.items()}, meta=meta)
    for name in set(names) - set(_COUNTS):
        table[name].format = ".3f"
    return table


_SCORES = ("TPR", "precision", "accuracy", "AUC", "rank_correlation", "bias", "sigma", "rms",
           "outliers", "within_error")
_COUNTS = ("question", "n", "n_positive")
_ORDER = (*_COUNTS,
          *(f"{name}{end}" for name in _SCORES for end in ("", "_low", "_high")), "ECE")


def confusion(labels, answers, question):
    """Compute the confusion matrix of a question with grades or classes.

    Parameters
    ----------
    labels : array-like, shape (n,)
        Positions of the true answers, from 0; NaN or masked where unknown.
    answers : array-like, shape (n, answers)
        Probabilities of the answers.
    question : `~astromorph.questions.Question`
        A question with grades or classes.

    Returns
    -------
    `~numpy.ndarray` of int, shape (answers, answers)
        Number of galaxies; one row per label, one column per most probable answer.

    Raises
    ------
    ArgumentError
        If a label is not the position of an answer.

    See Also
    --------
    astromorph.plots.plot_confusion : Draw the matrix.

    Examples
    --------
    >>> from astromorph import Question
    >>> from astromorph.scores import confusion
    >>> ring = Question("ring", kind="classes", answers=("none", "inner", "outer"))
    >>> answers = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2]]
    >>> print(confusion([0, 1, 2], answers, ring))
    [[1 0 0]
     [0 1 0]
     [1 0 0]]
    """
    labels = as_floats(labels, "labels")
    _check_places(labels, question)
    labels, answers = _known(labels, as_floats(answers, "answers"))
    n = len(question.answers)
    counts = np.bincount(n * labels.astype(int) + answers.argmax(axis=1), minlength=n * n)
    return counts.reshape(n, n)


def _check_places(labels, question):
    """Tell where labels are known; raise unless they are positions of answers."""
    known = np.isfinite(labels)
    if others := set(labels[known]) - set(range(len(question.answers))):
        raise wrong("labels", f"positions of the answers to {question.key}, 0 to "
                    f"{len(question.answers) - 1}", f"others, such as {min(others):g}")
    return known


def _known(labels, answers):
    known = np.isfinite(labels) & np.isfinite(answers).all(axis=1)
    return labels[known], answers[known]


def _whole(question, labels, answers, measure, options):
    """The row of a whole question: the scores of ``measure``, with bootstrap intervals."""
    labels, answers = _known(labels, answers)
    row = {"question": question.key, "n": len(labels)}
    for name, value in measure(labels, answers).items():
        row[name] = float(value)
    if options:
        n, rng = max(len(labels), 1), np.random.default_rng(options["seed"])
        times = min(options["n_resamples"], max(_DRAWS // n, _FEWEST)) if len(labels) else 0
        draws = [measure(labels[rows], answers[rows]) for rows in
                 (rng.integers(0, n, n) for _ in range(times))]
        for name in list(row)[2:]:
            row[f"{name}_low"], row[f"{name}_high"] = central_interval(
                np.array([draw[name] for draw in draws]), options["level"])
    return row


def _mean(values):
    return values.mean() if len(values) else np.nan


class _YesNo:
    def rows(self, question, labels, answers, threshold, options):
        return [score_row(question.key, labels, answers[:, 0], threshold, options)]


class _Grades:
    def rows(self, question, labels, answers, threshold, options):
        known = _check_places(labels, question)
        steps = [score_row(f"{question.key}>={name}", np.where(known, labels >= step, np.nan),
                           np.clip(answers[:, step:].sum(axis=1), 0, 1), threshold, options)
                 for step, name in enumerate(question.answers) if step]
        return [_whole(question, labels, answers, self.measure, options), *steps]

    def measure(self, labels, answers):
        from scipy.stats import rankdata

        found = answers.argmax(axis=1)
        mean = answers @ np.arange(answers.shape[1])
        varied = len(labels) > 1 and np.ptp(labels) and np.ptp(mean)
        return {"accuracy": _mean(found == labels), "rank_correlation": np.corrcoef(
            rankdata(labels), rankdata(mean))[0, 1] if varied else np.nan}


class _Classes:
    def rows(self, question, labels, answers, threshold, options):
        known = _check_places(labels, question)
        each = [score_row(f"{question.key}={name}", np.where(known, labels == place, np.nan),
                          np.clip(answers[:, place], 0, 1), threshold, options)
                for place, name in enumerate(question.answers)]
        return [_whole(question, labels, answers, self.measure, options), *each]

    def measure(self, labels, answers):
        areas = [_area(labels == place, p) for place, p in enumerate(answers.T)]
        return {"accuracy": _mean(answers.argmax(axis=1) == labels),
                "AUC": np.nan if np.isnan(areas).all() else np.nanmean(areas)}


def _area(positive, p):
    """ROC area, from the ranks of the positives."""
    from scipy.stats import rankdata

    n = positive.sum()
    if n in (0, len(p)):
        return np.nan
    return (rankdata(p)[positive].mean() - (n + 1) / 2) / (len(p) - n)


class _Number:
    def rows(self, question, labels, answers, threshold, options):
        return [_whole(question, labels, answers, self.measure, options)]

    def measure(self, labels, answers):
        value, error = answers.T
        off = value - labels
        if not len(off):
            return dict.fromkeys(("bias", "sigma", "rms", "outliers", "within_error"), np.nan)
        from_median = np.abs(off - np.median(off))
        sigma = 1.4826 * np.median(from_median)
        return {"bias": off.mean(), "sigma": sigma, "rms": np.sqrt((off**2).mean()),
                "outliers": (from_median > _FAR * sigma).mean(),
                "within_error": (np.abs(off) <= error).mean()}


KINDS = {"yes_no": _YesNo(), "grades": _Grades(), "classes": _Classes(), "number": _Number()}
"""Name of a kind of answer to the object that scores it (dict)."""
