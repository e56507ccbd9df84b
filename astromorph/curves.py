"""Curves of labels against probabilities: ROC, reliability, rejection.

Labels and probabilities are those of `astromorph.metrics`.
"""
from dataclasses import dataclass

import numpy as np

from astromorph.arguments import as_floats, as_labels, as_probabilities, check_count
from astromorph.errors import wrong
from astromorph.metrics import bin_numbers, check_threshold, ratio, valid_pairs

__all__ = ["Reliability", "rejection_curve", "reliability", "roc_curve"]


@dataclass(frozen=True)
class Reliability:
    """Observed against predicted fractions of positives, in equal-width bins of probability.

    Parameters
    ----------
    edges : `~numpy.ndarray`, shape (n_bins + 1,)
        Limits of the bins, from 0 to 1.
    count : `~numpy.ndarray` of int, shape (n_bins,)
        Galaxies in each bin.
    probability, fraction : `~numpy.ndarray`, shape (n_bins,)
        Mean probability and fraction of positives; NaN in an empty bin.
    low, high : `~numpy.ndarray`, shape (n_bins,)
        Limits of the binomial (Wilson) 68% interval of the fraction.
    """

    edges: np.ndarray
    count: np.ndarray
    probability: np.ndarray
    fraction: np.ndarray
    low: np.ndarray
    high: np.ndarray


def roc_curve(labels, probabilities):
    """False and true positive rates at every threshold, as scikit-learn's function does.

    Parameters
    ----------
    labels, probabilities : array-like, shape (n,)
        See `valid_pairs`.

    Returns
    -------
    fpr, tpr, thresholds : `~numpy.ndarray`
        From the highest threshold (nothing called positive) down.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or one of the two answers has no galaxy.
    """
    from sklearn import metrics  # a second to import: only when asked for

    labels, probabilities = valid_pairs(labels, probabilities)
    n_positive = int(labels.sum())
    if n_positive in (0, labels.size):
        raise wrong("labels", "both answers, without which there is no ROC curve",
                    f"{n_positive} positive of {labels.size} with a probability")
    return metrics.roc_curve(labels, probabilities)


def reliability(labels, probabilities, *, n_bins=10):
    """Compare the probabilities with the fractions of positives, bin by bin.

    Parameters
    ----------
    labels, probabilities : array-like, shape (n,)
        See `valid_pairs`.
    n_bins : int
        Number of equal-width bins from 0 to 1.

    Returns
    -------
    Reliability

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.
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
    """Accuracy of the galaxies that are left when those with the largest errors are rejected.

    It rises where the errors tell which answers are wrong.

    Parameters
    ----------
    labels, probabilities : array-like, shape (n,)
        See `valid_pairs`.
    errors : array-like, shape (n,)
        Of the probabilities, or anything that is larger where they are less certain.
    threshold : float
        Probability from which a galaxy is called positive.

    Returns
    -------
    rejected, accuracy : `~numpy.ndarray`
        Fraction rejected, from 0 up, at every distinct error (equal ones go together), and the
        accuracy of the others.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or a galaxy with label and probability has no error.
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
        raise wrong("errors", "one for every galaxy with a label and a probability, at least one",
                    f"{np.isnan(errors).sum()} missing of {errors.size}")
    order = np.argsort(errors)
    right = np.cumsum(((probabilities >= threshold) == labels)[order])
    kept = np.flatnonzero(np.diff(errors[order], append=np.inf))[::-1]
    return 1 - (kept + 1) / errors.size, right[kept] / (kept + 1)
