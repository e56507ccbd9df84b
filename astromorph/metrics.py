"""Score probabilities against labels, with bootstrap intervals.

Labels are 1 (positive), 0, or NaN where unknown. Probabilities lie in 0..1, NaN where there is
none. Both may be masked arrays. All functions ignore a galaxy whose label *or* probability is NaN
or masked. A galaxy counts as positive if its probability is at least the threshold. A score that
the data do not define is NaN, without a warning.
"""
from dataclasses import dataclass

import numpy as np

from astromorph.arguments import as_labels, as_probabilities, check_count, check_number
from astromorph.errors import wrong

__all__ = ["Score", "balanced_threshold", "bin_numbers", "central_interval", "check_threshold",
           "ratio", "score", "score_intervals", "score_row", "score_table", "valid_pairs"]

# Random numbers drawn at once. This limits the memory of a bootstrap, whatever the sample's size.
_BLOCK = 1_000_000


@dataclass(frozen=True)
class Score:
    """How well probabilities agree with labels.

    Parameters
    ----------
    n, n_positive : int
        Number of galaxies with both a label and a probability, and of those with label 1.
    tpr : float
        True positive rate (completeness), TP / (TP + FN).
    fpr : float
        False positive rate, FP / (FP + TN).
    precision : float
        Purity, TP / (TP + FP).
    accuracy : float
        (TP + TN) / (TP + TN + FP + FN).
    auc : float
        ROC area, the area under the ROC curve.
    ece : float
        Expected calibration error: the distance between the mean probability and the fraction of
        positives in a bin, averaged over galaxies.

    See Also
    --------
    score : Compute the scores.

    Notes
    -----
    TPR, precision and accuracy are equation 1 of Dominguez Sanchez et al. 2019, MNRAS 484, 93.

    Examples
    --------
    >>> from astromorph import score
    >>> result = score([1, 0, 1, 0], [0.9, 0.2, 0.6, 0.7])
    >>> result.n, result.tpr, result.accuracy
    (4, 1.0, 0.75)
    """

    n: int
    n_positive: int
    tpr: float
    fpr: float
    precision: float
    accuracy: float
    auc: float
    ece: float


def check_threshold(threshold):
    """Raise unless a threshold is one number in 0..1."""
    check_number(threshold, "threshold", "one number in 0..1", lambda value: 0 <= value <= 1)


def valid_pairs(labels, probabilities):
    """Keep the galaxies that have both a label and a probability.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown.
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.

    Returns
    -------
    labels, probabilities : `~numpy.ndarray`, float
        The pairs in which neither is NaN or masked.

    Raises
    ------
    TypeError
        If one of them does not hold numbers.
    ValueError
        If their shapes differ or are not (n,), or a value is out of range.

    Examples
    --------
    >>> from astromorph.metrics import valid_pairs
    >>> labels, probabilities = valid_pairs([1, 0, float("nan")], [0.9, 0.2, 0.4])
    >>> len(labels)
    2
    """
    labels, probabilities = as_labels(labels), as_probabilities(probabilities)
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise wrong("labels, probabilities", "the same shape (n,), one question at a time",
                    f"{labels.shape} and {probabilities.shape}")
    known = ~(np.isnan(labels) | np.isnan(probabilities))
    return labels[known], probabilities[known]


def _tally(labels, probabilities):
    """Reduce a sample to its distinct probabilities (k,) and the (k, 2) counts of labels 0, 1."""
    labels, probabilities = valid_pairs(labels, probabilities)
    levels, where = np.unique(probabilities, return_inverse=True)
    counts = np.bincount(2 * where + labels.astype(int), minlength=2 * levels.size)
    return levels, counts.reshape(-1, 2)


def bin_numbers(levels, n_bins):
    """Number of each level's bin, of ``n_bins`` equal bins in 0..1; 1 belongs to the last bin."""
    return np.minimum((levels * n_bins).astype(int), n_bins - 1)


def ratio(part, whole):
    """Divide; the result is NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _scores(levels, counts, threshold):
    """Score samples given as counts (..., k, 2) at the k levels; each score has shape (...)."""
    negative, positive = counts[..., 0], counts[..., 1]
    n_negative, n_positive = negative.sum(-1), positive.sum(-1)
    called = levels >= threshold
    tp, fp = positive[..., called].sum(-1), negative[..., called].sum(-1)
    # The area is the chance that a positive outranks a negative; ties count one half.
    outranked = (positive * (np.cumsum(negative, -1) - negative / 2)).sum(-1)
    return {"tpr": ratio(tp, n_positive), "fpr": ratio(fp, n_negative),
            "precision": ratio(tp, tp + fp),
            "accuracy": ratio(tp + n_negative - fp, n_negative + n_positive),
            "auc": ratio(outranked, n_positive * n_negative)}


def _calibration_error(levels, counts, n_bins):
    """Sum over the bins of abs(expected - observed positives), divided by the galaxies."""
    n = counts.sum(-1)
    excess = np.bincount(bin_numbers(levels, n_bins), n * levels - counts[:, 1], n_bins)
    return ratio(np.abs(excess).sum(), n.sum())


def score(labels, probabilities, *, threshold: float = 0.5, n_bins: int = 10) -> Score:
    """Score one question.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown.
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.
    threshold : float
        A galaxy counts as positive from this probability on, in 0..1.
    n_bins : int
        Number of bins of equal width for the expected calibration error.

    Returns
    -------
    Score

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    score_table : Score several questions, with intervals.
    score_intervals : Bootstrap the scores.
    balanced_threshold : Find the threshold where completeness equals purity.

    Examples
    --------
    >>> from astromorph import score
    >>> result = score([1, 1, 0, 0], [0.9, 0.4, 0.2, 0.6])
    >>> result.tpr, result.accuracy, result.auc
    (0.5, 0.5, 0.75)
    """
    check_threshold(threshold)
    check_count(n_bins, "n_bins")
    levels, counts = _tally(labels, probabilities)
    numbers = _scores(levels, counts, threshold)
    numbers["ece"] = _calibration_error(levels, counts, n_bins)
    return Score(n=int(counts.sum()), n_positive=int(counts[:, 1].sum()),
                 **{name: float(value) for name, value in numbers.items()})


def balanced_threshold(labels, probabilities):
    """Find the threshold where completeness equals purity.

    With this threshold as many galaxies count as positive as have label 1.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown.
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.

    Returns
    -------
    float
        Halfway between the two probabilities that it separates. NaN if all labels are equal.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    Examples
    --------
    >>> from astromorph.metrics import balanced_threshold
    >>> print(f"{balanced_threshold([1, 1, 0, 0], [0.9, 0.4, 0.2, 0.6]):.2f}")
    0.50
    """
    labels, probabilities = valid_pairs(labels, probabilities)
    n_positive = int(labels.sum())
    if n_positive in (0, labels.size):
        return np.nan
    return float(np.sort(probabilities)[::-1][n_positive - 1:n_positive + 1].mean())


def score_intervals(labels, probabilities, *, threshold=0.5, n_resamples=1000, level=0.68,
                    seed=0):
    """Compute bootstrap intervals of the scores: percentiles over resampled galaxies.

    Galaxies are drawn with replacement and without stratification by label. The base rate is
    itself uncertain, and precision and accuracy depend on it.

    Parameters
    ----------
    labels, probabilities, threshold
        See `score`.
    n_resamples : int
        Number of resamples.
    level : float
        Central probability of the intervals, for example 0.68 or 0.95.
    seed : int, `~numpy.random.Generator` or None
        The same seed gives the same intervals; None draws differently each time.

    Returns
    -------
    dict of str to tuple of float
        (low, high) of tpr, fpr, precision, accuracy and auc; NaN where undefined.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    score : Compute the scores themselves.

    Notes
    -----
    Resamples in which a score is undefined do not count for that score. A perfect score, such as
    no false positives, has an interval of zero width, because every resample is perfect too. The
    calibration error has no interval: noise only increases it, so resamples would be biased high.

    Examples
    --------
    >>> from astromorph.metrics import score_intervals
    >>> low, high = score_intervals([1, 1, 0, 0] * 25, [0.9, 0.4, 0.2, 0.6] * 25)["accuracy"]
    >>> print(f"{low:.2f} to {high:.2f}")
    0.45 to 0.55
    """
    check_threshold(threshold)
    check_count(n_resamples, "n_resamples")
    check_number(level, "level", "a number between 0 and 1, as 0.68", lambda value: 0 < value < 1)
    levels, counts = _tally(labels, probabilities)
    rng = np.random.default_rng(seed)
    step = max(_BLOCK // max(counts.size, 1), 1)
    blocks = [_scores(levels, _resample(counts, min(step, n_resamples - start), rng), threshold)
              for start in range(0, n_resamples, step)]
    return {name: central_interval(np.concatenate([block[name] for block in blocks]), level)
            for name in blocks[0]}


def _resample(counts, size, rng):
    """Resample the counts: drawing n galaxies with replacement is one multinomial draw."""
    n = counts.sum()
    if n == 0:
        return np.zeros((size, *counts.shape), int)
    return rng.multinomial(n, counts.ravel() / n, size).reshape(size, *counts.shape)


def central_interval(values, level):
    """Compute the central interval of the values that are not NaN.

    Parameters
    ----------
    values : `~numpy.ndarray`, shape (n,)
        NaN where undefined.
    level : float
        Probability inside, for example 0.68.

    Returns
    -------
    tuple of float
        (low, high); NaN where no value is defined.
    """
    values = values[~np.isnan(values)]
    if not values.size:
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def score_table(labels, probabilities, questions, *, threshold=0.5, intervals=True,
                level=0.68, n_resamples=1000, seed=0):
    """Score several questions.

    Parameters
    ----------
    labels, probabilities : array-like, shape (n, q)
        One column per question. NaN or masked where there is none.
    questions : sequence of `~astromorph.questions.Question` or str, length q
        The questions, in the order of the columns.
    threshold : float or sequence of float, length q
        A galaxy counts as positive from this probability on, in 0..1.
    intervals : bool
        Whether to compute bootstrap intervals.
    level, n_resamples, seed
        See `score_intervals`.

    Returns
    -------
    `~astropy.table.Table`
        One row per question: question, n, n_positive, then TPR, precision, accuracy and AUC, each
        followed by its _low and _high, and ECE. `Score` defines the scores.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    score : Score one question.
    astromorph.MorphologyClassifier.evaluate : Classify galaxies and score the answers.

    Examples
    --------
    >>> from astromorph import score_table
    >>> table = score_table([[1, 0], [0, 1], [1, 1]], [[0.9, 0.2], [0.3, 0.8], [0.6, 0.4]],
    ...                     ["disk", "bar"], intervals=False)
    >>> print(table["question", "n", "TPR", "AUC"])
    question  n   TPR   AUC
    -------- --- ----- -----
        disk   3 1.000 1.000
         bar   3 0.500 1.000
    """
    from astropy.table import Table

    labels, probabilities = as_labels(labels), as_probabilities(probabilities)
    keys = [getattr(question, "key", question) for question in questions]
    if labels.ndim != 2 or not labels.shape == probabilities.shape == (len(labels), len(keys)):
        raise wrong("labels, probabilities", f"shape (n, {len(keys)}), a column for each of the "
                    f"questions {keys}", f"{labels.shape} and {probabilities.shape}")
    thresholds = _thresholds(threshold, len(keys))
    options = {"n_resamples": n_resamples, "level": level, "seed": np.random.default_rng(seed)}
    rows = [score_row(key, y, p, value, options if intervals else None)
            for key, y, p, value in zip(keys, labels.T, probabilities.T, thresholds, strict=True)]
    meta = {"threshold": threshold}
    if intervals:
        meta |= {"interval_level": level, "n_resamples": n_resamples}
    table = Table(rows, meta=meta)
    for column in table.colnames[3:]:
        table[column].format = ".3f"
    return table


def _thresholds(threshold, n_questions):
    """One threshold per question, from a number for all or a sequence."""
    if np.ndim(threshold) == 0:
        return [threshold] * n_questions
    if np.shape(threshold) != (n_questions,):
        raise wrong("threshold", f"one number in 0..1, or {n_questions}, one per question",
                    repr(threshold))
    return list(threshold)


def score_row(key, labels, probabilities, threshold, options):
    """Score one question as a row of `score_table`.

    Parameters
    ----------
    key : str
        Key of the question.
    labels, probabilities, threshold
        See `score`.
    options : dict or None
        Options of `score_intervals`; None for no intervals.

    Returns
    -------
    dict
        Name of a column to its value.
    """
    result = score(labels, probabilities, threshold=threshold)
    limits = options and score_intervals(labels, probabilities, threshold=threshold, **options)
    row = {"question": key, "n": result.n, "n_positive": result.n_positive}
    for title in ("TPR", "precision", "accuracy", "AUC"):
        name = title.lower()
        row[title] = getattr(result, name)
        if limits:
            row[f"{title}_low"], row[f"{title}_high"] = limits[name]
    return row | {"ECE": result.ece}
