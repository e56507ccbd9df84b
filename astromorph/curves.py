"""Compute the curves that compare probabilities with labels: ROC, reliability, rejection.

`astromorph.metrics` says what labels and probabilities may hold.
"""
from dataclasses import dataclass

import numpy as np

from astromorph.arguments import as_floats, as_labels, as_probabilities, check_count
from astromorph.errors import wrong
from astromorph.metrics import bin_numbers, check_threshold, ratio, valid_pairs

__all__ = ["Reliability", "rejection_curve", "reliability", "roc_curve"]


@dataclass(frozen=True)
class Reliability:
    """Fraction of positives against probability, in bins of equal width.

    Parameters
    ----------
    edges : `~numpy.ndarray`, shape (n_bins + 1,)
        Edges of the bins, from 0 to 1.
    count : `~numpy.ndarray` of int, shape (n_bins,)
        Number of galaxies per bin.
    probability, fraction : `~numpy.ndarray`, shape (n_bins,)
        Mean probability and fraction of positives per bin; NaN in an empty bin.
    low, high : `~numpy.ndarray`, shape (n_bins,)
        Limits of the fraction's 68% interval (binomial, Wilson); NaN in an empty bin.

    See Also
    --------
    reliability : Compute it.
    astromorph.plots.plot_reliability : Draw it.

    Examples
    --------
    >>> from astromorph.curves import reliability
    >>> curve = reliability([1, 0, 1, 0], [0.9, 0.2, 0.6, 0.7], n_bins=2)
    >>> curve.edges, curve.count, curve.fraction
    (array([0. , 0.5, 1. ]), array([1, 3]), array([0. , 0.66666667]))
    """

    edges: np.ndarray
    count: np.ndarray
    probability: np.ndarray
    fraction: np.ndarray
    low: np.ndarray
    high: np.ndarray


def roc_curve(labels, probabilities):
    """Compute the ROC curve: false and true positive rates at every threshold.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown.
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.

    Returns
    -------
    fpr, tpr, thresholds : `~numpy.ndarray`, shape (k,)
        As `sklearn.metrics.roc_curve` returns them: from the highest threshold, where no galaxy
        counts as positive, to the lowest.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or the labels do not hold both answers.

    See Also
    --------
    astromorph.plots.plot_roc : Draw the curve.
    astromorph.metrics.score : Compute the area below it.

    Examples
    --------
    >>> from astromorph.curves import roc_curve
    >>> fpr, tpr, thresholds = roc_curve([1, 1, 0, 0], [0.9, 0.4, 0.2, 0.6])
    >>> print(fpr, tpr)
    [0.  0.  0.5 0.5 1. ] [0.  0.5 0.5 1.  1. ]
    """
    from sklearn import metrics  # takes a second to import, so only here

    labels, probabilities = valid_pairs(labels, probabilities)
    n_positive = int(labels.sum())
    if n_positive in (0, labels.size):
        raise wrong("labels", "both answers, which a ROC curve needs",
                    f"{n_positive} positive of {labels.size} with a probability")
    return metrics.roc_curve(labels, probabilities)


def reliability(labels, probabilities, *, n_bins=10):
    """Compare probabilities with fractions of positives, bin by bin.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown.
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.
    n_bins : int
        Number of bins of equal width from 0 to 1.

    Returns
    -------
    Reliability

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    astromorph.plots.plot_reliability : Draw the result.

    Examples
    --------
    >>> from astromorph.curves import reliability
    >>> bins = reliability([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.6], n_bins=2)
    >>> bins.count.tolist(), bins.fraction.round(2).tolist()
    ([1, 3], [0.0, 0.67])
    """
    from astropy.stats import binom_conf_interval

    check_count(n_bins, "n_bins")
    labels, probabilities = valid_pairs(labels, probabilities)
    where = bin_numbers(probabilities, n_bins)
    count = np.bincount(where, minlength=n_bins)
    positive = np.bincount(where, labels, n_bins)
    low, high = np.full((2, n_bins), np.nan)
    if count.any():
        low[count > 0], high[count > 0] = binom_conf_interval(
            positive[count > 0], count[count > 0], interval="wilson")
    return Reliability(np.linspace(0, 1, n_bins + 1), count,
                       ratio(np.bincount(where, probabilities, n_bins), count),
                       ratio(positive, count), low, high)


def rejection_curve(labels, probabilities, errors, *, threshold=0.5):
    """Compute the accuracy that remains when the galaxies with the largest errors are rejected.

    The curve rises if large errors mark wrong answers.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown.
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.
    errors : array-like, shape (n,)
        Errors of the probabilities, or any number that grows with their uncertainty.
    threshold : float
        A galaxy counts as positive from this probability on.

    Returns
    -------
    rejected, accuracy : `~numpy.ndarray`, shape (k,)
        Fraction of galaxies rejected, from 0 up, and accuracy of the remaining ones. There is one
        point per distinct error.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or a galaxy with a label and a probability has
        no error.

    See Also
    --------
    astromorph.plots.plot_rejection : Draw the curve.

    Examples
    --------
    >>> from astromorph.curves import rejection_curve
    >>> rejected, accuracy = rejection_curve([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.6], [1, 2, 3, 4])
    >>> rejected.tolist(), accuracy.tolist()
    ([0.0, 0.25, 0.5, 0.75], [0.75, 1.0, 1.0, 1.0])
    """
    check_threshold(threshold)
    errors = as_floats(errors, "errors")
    if errors.shape != np.shape(labels):
        raise wrong("errors", f"the shape of the labels, {np.shape(labels)}", errors.shape)
    labels, probabilities = as_labels(labels), as_probabilities(probabilities)
    known = ~(np.isnan(labels) | np.isnan(probabilities))
    labels, probabilities = valid_pairs(labels, probabilities)
    errors = errors[known]
    if not errors.size or np.isnan(errors).any():
        raise wrong("errors", "one per galaxy with a label and a probability, and at least one",
                    f"{np.isnan(errors).sum()} missing of {errors.size}")
    order = np.argsort(errors)
    right = np.cumsum(((probabilities >= threshold) == labels)[order])
    kept = np.flatnonzero(np.diff(errors[order], append=np.inf))[::-1]
    return 1 - (kept + 1) / errors.size, right[kept] / (kept + 1)
