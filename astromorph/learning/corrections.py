"""Correct the network's own answer to a question, by labeled galaxies; a few of them change little.

A correction is a logistic regression. It adds two parts: a straight line in the network's logit,
and a linear map of the features, along the directions in which all galaxies differ most. The
regression starts from no change. Galaxies left out of the fit choose how far it goes: no farther
than what makes their answers clearly better.
"""
from dataclasses import dataclass

import numpy as np

from astromorph.learning.suggesting import principal_axes
from astromorph.learning.teaching import FOLDS, STRENGTHS, deal
from astromorph.running.streaming import one_blas_thread

__all__ = ["Correction", "correct_left_out", "fit_correction"]

_CLIP = 1e-4
# Most directions; fewest galaxies per direction; most galaxies that determine the directions.
_AXES, _PER_AXIS, _MOST = 30, 5, 5000
_STEPS = 30
# Prior variance of the slope around 1, and of the intercept around 0.
_LINE = 0.3
# A stronger correction must be better by this many standard errors.
_CLEARLY = 1.0
_DEALS = 4  # random splits whose losses are averaged: a single split may be lucky


@dataclass(frozen=True, eq=False)
class Correction:
    """A change of the logit of the network's answer; by default none.

    Parameters
    ----------
    slope, intercept : float
        Straight line in the logit.
    kernel : `~numpy.ndarray`, shape (features,)
        Linear map of the features, which is added.
    """

    slope: float = 1.0
    intercept: float = 0.0
    kernel: np.ndarray | float = 0.0

    def answer(self, features, present):
        """Answer the question.

        Parameters
        ----------
        features : `~numpy.ndarray`, shape (n, features)
            Features of the galaxies.
        present : `~numpy.ndarray`, shape (n,)
            Probabilities that the network gives.

        Returns
        -------
        `~numpy.ndarray`, shape (n, 1)
            The corrected probabilities.
        """
        logits = (self.slope * _logit(present) + self.intercept
                  + (np.asarray(features, float) * self.kernel).sum(axis=1))
        return _sigmoid(logits)[:, None]


def _logit(probabilities):
    probabilities = np.clip(np.asarray(probabilities, float), _CLIP, 1 - _CLIP)
    return np.log(probabilities / (1 - probabilities))


def _sigmoid(logits):
    return (1 + np.tanh(logits / 2)) / 2  # exp(-logits) would overflow


def fit_correction(features, present, labels, *, everything=None, seed=0):
    """Fit a correction, and choose how strong it is.

    Parameters
    ----------
    features : `~numpy.ndarray`, shape (n, features)
        Features of the labeled galaxies.
    present : `~numpy.ndarray`, shape (n,)
        Probabilities that the network gives.
    labels : `~numpy.ndarray`, shape (n,)
        1 and 0.
    everything : `~numpy.ndarray`, shape (galaxies, features), optional
        Features of all galaxies; by default of the labeled ones.
    seed : int
        Seed of the split into parts.

    Returns
    -------
    Correction
    """
    with one_blas_thread():
        center, axes = _axes(features if everything is None else everything)
        known = np.asarray(features, float) - center
        strength, _ = _choose(known @ axes, present, labels, seed)
        found = _fit(known @ axes, present, labels, strength)
    kernel = axes @ np.broadcast_to(found.kernel, axes.shape[1])
    return Correction(found.slope, float(found.intercept - center @ kernel), kernel)


def correct_left_out(features, present, labels, *, seed=0):
    """Answer for labeled galaxies, each by a correction that was fitted to others.

    Parameters
    ----------
    features, present, labels, seed
        As for `fit_correction`.

    Returns
    -------
    `~numpy.ndarray`, shape (n, 1)
    """
    with one_blas_thread():
        center, axes = _axes(features)
        return _choose((features - center) @ axes, present, labels, seed)[1]


def _axes(features):
    step = max(len(features) // _MOST, 1)
    return principal_axes(np.asarray(features[::step], float),
                          max(min(_AXES, len(features) // _PER_AXIS), 1))


def _choose(features, present, labels, seed):
    """The best strength, and the answers of corrections of that strength to galaxies left out."""
    deals = [deal(labels, FOLDS, (seed, k)) for k in range(_DEALS)]
    tried = []
    for strength in (None, 0, *STRENGTHS):  # from the weakest to the strongest
        answers = [_left_out(features, present, labels, strength, folds) for folds in deals]
        losses = np.mean([_losses(labels, each[:, 0]) for each in answers], axis=0)
        tried.append((losses, strength, np.mean(answers, axis=0)))
    best = min((losses for losses, *_ in tried), key=np.mean)
    for losses, strength, answers in tried:
        worse = losses - best
        if worse.mean() <= _CLEARLY * worse.std() / len(labels)**0.5:
            return strength, answers


def _left_out(features, present, labels, strength, folds):
    answers = np.empty((len(labels), 1))
    for fold in range(FOLDS):
        out = folds == fold
        fitted = _fit(features[~out], present[~out], labels[~out], strength)
        answers[out] = fitted.answer(features[out], present[out])
    return answers


def _losses(labels, p):
    p = np.clip(np.where(labels == 1, p, 1 - p), _CLIP, 1)
    return -np.log(p)


def _fit(features, present, labels, strength):
    """A correction of one strength. None makes no change, 0 fits a straight line only."""
    if strength is None:
        return Correction()
    center, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    columns = [_logit(present)[:, None], np.ones((len(labels), 1)), (features - center) / scale]
    x = np.hstack(columns if strength else columns[:2])
    penalty = np.full(x.shape[1], 1 / (strength or 1))
    penalty[:2] = 1 / _LINE
    found = _solve(x, labels, np.eye(1, len(penalty))[0], penalty)
    if not strength:
        return Correction(*found)
    kernel = found[2:] / scale
    return Correction(found[0], found[1] - center @ kernel, kernel)


def _solve(x, labels, expected, penalty):
    """Coefficients of a logistic regression that is drawn to expected ones (Newton's method)."""
    def loss(b):
        z = x @ b
        return (np.logaddexp(0, z) - labels * z).sum() + penalty @ (b - expected)**2 / 2

    found, last = expected, loss(expected)
    for _ in range(_STEPS):
        p = _sigmoid(x @ found)
        slope = x.T @ (p - labels) + penalty * (found - expected)
        bend = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        while (now := loss(found - step)) > last and np.abs(step).max() > 1e-6:
            step = step / 2
        found, last = found - step, now
        if np.abs(step).max() < 1e-4:
            break
    return found
