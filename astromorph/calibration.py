"""Probabilities that mean what they say: Platt scaling."""
from dataclasses import asdict, dataclass

import numpy as np

from astromorph.metrics import as_floats, as_probabilities, valid_pairs

__all__ = ["PlattScaling", "fit_platt"]

# Probabilities are kept this far from 0 and 1, so that their logits are finite.
_CLIP = 1e-7
# Two numbers are fitted: fewer galaxies of either answer than this would only fit noise.
_MIN_PER_ANSWER = 5


def _logit(probabilities):
    probabilities = np.clip(probabilities, _CLIP, 1 - _CLIP)
    return np.log(probabilities / (1 - probabilities))


@dataclass(frozen=True)
class PlattScaling:
    """Calibrate probabilities by a straight line in their logits (Platt 1999).

    The calibrated probability is the logistic function of ``slope * logit(p) + intercept``. The
    order of galaxies, hence the ROC curve, stays as it is.

    Parameters
    ----------
    slope : float
        Below 1 where the probabilities are too sure, above 1 where too cautious; positive.
    intercept : float
        Above 0 where the probabilities are too low.

    Raises
    ------
    ValueError
        If they are not finite, or the slope is not positive.
    """

    slope: float
    intercept: float

    def __post_init__(self):
        if not (np.isfinite(self.slope) and self.slope > 0):
            raise ValueError(f"slope must be finite and positive. Received: {self.slope!r}")
        if not np.isfinite(self.intercept):
            raise ValueError(f"intercept must be finite. Received: {self.intercept!r}")

    @classmethod
    def identity(cls):
        """Scaling that changes nothing (but keeps 1e-7 away from 0 and 1)."""
        return cls(1.0, 0.0)

    @classmethod
    def from_dict(cls, numbers):
        """Build from what `to_dict` gave."""
        if not isinstance(numbers, dict) or set(numbers) != {"slope", "intercept"}:
            raise ValueError("numbers must be a dictionary with slope and intercept. "
                             f"Received: {numbers!r}")
        slope, intercept = (float(as_floats(numbers[name], name))
                            for name in ("slope", "intercept"))
        return cls(slope, intercept)

    def to_dict(self):
        """Slope and intercept as a plain dictionary, for JSON."""
        return asdict(self)

    def __call__(self, probabilities):
        """Calibrate.

        Parameters
        ----------
        probabilities : array-like of any shape
            In 0..1; NaN or masked where there is none.

        Returns
        -------
        `~numpy.ndarray` or `~numpy.ma.MaskedArray`, float64
            Same shape; NaN stays NaN, masked stays masked.

        Raises
        ------
        TypeError, ValueError
            If the probabilities are not numbers in 0..1.
        """
        logits = self.slope * _logit(as_probabilities(probabilities)) + self.intercept
        # tanh does not overflow, where exp(-logits) would.
        calibrated = (1 + np.tanh(logits / 2)) / 2
        if np.ma.isMaskedArray(probabilities):
            return np.ma.masked_array(calibrated, np.ma.getmaskarray(probabilities))
        return calibrated


def fit_platt(labels, probabilities):
    """Fit the Platt scaling of one question.

    The galaxies must not have trained the network: it is surer of those it has seen. Logistic
    regression without penalty, on Platt's targets (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) in place
    of 1 and 0, so that the slope stays finite where the answers separate perfectly.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown: those are ignored.
    probabilities : array-like, shape (n,)
        What the network says, in 0..1; galaxies with NaN or masked are ignored.

    Returns
    -------
    PlattScaling

    Raises
    ------
    TypeError
        If labels or probabilities are not numbers.
    ValueError
        If their shapes or values are wrong, fewer than 5 galaxies have either answer, all
        probabilities are equal, or galaxies labeled 1 have the lower probabilities.

    References
    ----------
    Platt 1999, in Advances in Large Margin Classifiers, MIT Press, 61.
    """
    labels, probabilities = valid_pairs(labels, probabilities)
    n_positive = int(labels.sum())
    n_negative = labels.size - n_positive
    if min(n_positive, n_negative) < _MIN_PER_ANSWER:
        raise ValueError(f"labels must hold at least {_MIN_PER_ANSWER} galaxies of each answer "
                         f"to calibrate. Received {n_positive} labeled 1 and {n_negative} "
                         "labeled 0 that have a probability: label more galaxies.")
    logits = _logit(probabilities)
    if np.ptp(logits) == 0:
        raise ValueError("probabilities must differ between galaxies to calibrate. "
                         f"Received {probabilities[0]:g} for all.")
    targets = np.where(labels == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    slope, intercept = _fit_line(logits, targets)
    if slope <= 0:
        raise ValueError("probabilities must be higher for galaxies labeled 1. Received a fitted "
                         f"slope of {slope:.3g}: are the labels or the columns swapped?")
    return PlattScaling(slope, intercept)


def _fit_line(logits, targets):
    """Logistic regression on targets between 0 and 1: each galaxy is a weighted 1 and 0."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    answers = np.repeat([1, 0], logits.size)
    weights = np.concatenate([targets, 1 - targets])
    # An infinite C means no penalty, in every version of scikit-learn.
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    model.fit(np.tile(logits, 2)[:, None], answers, sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
