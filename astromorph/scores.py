"""Scores of answers of every kind, one small class each, in one table.

The rules of `astromorph.metrics` hold: labels are NaN where nobody knows, a galaxy without label or
answer is ignored, and what the data leave undefined is NaN, without a warning.
"""
import numpy as np

from astromorph.answers import get_kind
from astromorph.arguments import as_floats
from astromorph.errors import wrong
from astromorph.metrics import central_interval, score_row
from astromorph.questions import split_answers

__all__ = ["KINDS", "confusion", "score_answers", "score_rows"]

# Numbers drawn for a bootstrap in all: fewer resamples of many galaxies tell as much.
_DRAWS = 3_000_000
_FEWEST = 100
# From this many robust standard deviations a number is an outlier.
_FAR = 3


def score_answers(labels, answers, questions, *, threshold=0.5, intervals=True, level=0.68,
                  n_resamples=1000, seed=0):
    """Score the answers to questions of any kind.

    Parameters
    ----------
    labels : array-like, shape (n, questions)
        1 and 0 of a yes/no question, the place of the answer of grades and classes, numbers; NaN or
        masked where unknown.
    answers : array-like, shape (n, columns)
        The columns of the questions.
    questions : sequence of `~astromorph.questions.Question`
    threshold, intervals, level, n_resamples, seed
        As for `~astromorph.metrics.score_table`. Of many galaxies fewer resamples are drawn for
        questions that are no yes/no questions.

    Returns
    -------
    `~astropy.table.Table`
        A row a question as in `~astromorph.metrics.score_table`, with its scores. Grades have the
        fraction that is right (accuracy) and the rank correlation, and another row for "at least"
        each grade, ``key>=grade``. Classes have the accuracy and the mean area of all rows
        ``key=class``, one class against the others. Numbers have the bias (mean of answer minus
        label), sigma (1.4826 times the median absolute deviation), rms, the fraction of outliers
        (farther than 3 sigma from the median), and the fraction within one standard deviation of
        the label. What a kind has not is masked.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    confusion : How many galaxies of each answer get which one.
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
    """Make a table of rows that have not the same scores.

    Parameters
    ----------
    rows : list of dict
        Name of a score -> number.
    meta : dict, optional
        Of the table.

    Returns
    -------
    `~astropy.table.Table`
        What a row has not is masked.
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
    """Count the galaxies of each answer that get each answer.

    Parameters
    ----------
    labels : array-like, shape (n,)
        Places of the answers; NaN or masked where unknown.
    answers : array-like, shape (n, answers)
        Probabilities.
    question : `~astromorph.questions.Question`
        Of grades or classes.

    Returns
    -------
    `~numpy.ndarray` of int, shape (answers, answers)
        A row for each label, a column for each answer that is the most probable one.
    """
    labels = as_floats(labels, "labels")
    _check_places(labels, question)
    labels, answers = _known(labels, as_floats(answers, "answers"))
    n = len(question.answers)
    counts = np.bincount(n * labels.astype(int) + answers.argmax(axis=1), minlength=n * n)
    return counts.reshape(n, n)


def _check_places(labels, question):
    """Where labels are known; raise unless all of them are places of answers."""
    known = np.isfinite(labels)
    if others := set(labels[known]) - set(range(len(question.answers))):
        raise wrong("labels", f"places of the answers to {question.key}, 0 to "
                    f"{len(question.answers) - 1}", f"others, such as {min(others):g}")
    return known


def _known(labels, answers):
    known = np.isfinite(labels) & np.isfinite(answers).all(axis=1)
    return labels[known], answers[known]


def _whole(question, labels, answers, measure, options):
    """The row of all of a question: what ``measure`` gives, by name, with bootstrap intervals."""
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
    """Area under the ROC curve, from the ranks of the positives."""
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
"""Name of a kind of answer -> how it is scored."""
