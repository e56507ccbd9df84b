"""Correct the network's own answer to a question by labeled galaxies. A few labels change little.

A correction is a straight line in the network's logit plus a linear map of the features. The map
uses the principal axes of all galaxies, labeled or not. It is a logistic regression that starts
from no change. Cross-validation chooses how far it goes: no farther than clearly helps.
"""
from dataclasses import dataclass

import numpy as np

from astromorph.learning.suggesting import principal_axes
from astromorph.learning.teaching import FOLDS, STRENGTHS, deal
from astromorph.running.streaming import one_blas_thread

__all__ = ["Correction", "correct_left_out", "fit_correction"]

_CLIP = 1e-4
# Directions; galaxies to a direction, at least; galaxies that tell them, at most.
_AXES, _PER_AXIS, _MOST = 30, 5, 5000
_STEPS = 30
# How far slope and intercept are expected to be from 1 and 0 (variance).
_LINE = 0.3
# A stronger correction must be better by so many standard errors.
_CLEARLY = 1.0
_DEALS = 4  # splits whose losses are averaged, as one may be lucky


@dataclass(frozen=True, eq=False)
class Correction:
    """A correction of the logit of the network's answer. By default it changes nothing.

    Parameters
    ----------
    slope, intercept : float
        Of a straight line in the logit.
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
            The network's probabilities.

        Returns
        -------
        `~numpy.ndarray`, shape (n, 1)
        """
        logits = (self.slope * _logit(present) + self.intercept
                  + (np.asarray(features, float) * self.kernel).sum(axis=1))
        return _sigmoid(logits)[:, None]


def _logit(probabilities):
    probabilities = np.clip(np.asarray(probabilities, float), _CLIP, 1 - _CLIP)
    return np.log(probabilities / (1 - probabilities))


def _sigmoid(logits):
    return (1 + np.tanh(logits / 2)) / 2  # exp(-logits) can overflow


def fit_correction(features, present, labels, *, everything=None, seed=0):
    """Fit a correction, and choose its strength.

    Parameters
    ----------
    features : `~numpy.ndarray`, shape (n, features)
        Features of the labeled galaxies.
    present : `~numpy.ndarray`, shape (n,)
        The network's probabilities.
    labels : `~numpy.ndarray`, shape (n,)
        1 and 0.
    everything : `~numpy.ndarray`, shape (galaxies, features), optional
        Features of all galaxies. By default those of the labeled ones.
    seed : int
        Seed of the parts of the cross-validation.

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
    """Answer for each labeled galaxy by a correction that was fitted to others.

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
    """The strength, and the answers of its fits to galaxies that were left out."""
    deals = [deal(labels, FOLDS, (seed, k)) for k in range(_DEALS)]
    tried = []
    for strength in (None, 0, *STRENGTHS):  # the farther the later
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
    """A correction of one strength: None for no change, 0 for a straight line only."""
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
    """Coefficients of a logistic regression that are drawn to expected ones (Newton's method)."""
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
