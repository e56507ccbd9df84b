"""Calibrate probabilities so that they come true: Platt scaling, temperature, prior shift."""
from dataclasses import asdict, dataclass

import numpy as np
from astropy.table import Table

from astromorph.arguments import as_floats, as_probabilities, check_number
from astromorph.errors import warn, wrong
from astromorph.metrics import score, valid_pairs
from astromorph.questions import probability_asked

__all__ = ["CLIP", "METHODS", "PlattScaling", "base_rates", "estimate_base_rate", "fit_platt",
           "fit_temperature", "recalibrate", "rounded", "shift_priors"]

CLIP = 1e-7
"""Probabilities are kept this far from 0 and 1, so that their logits are finite (float)."""
# With fewer galaxies of one answer, the two fitted numbers would be noise.
_MIN_PER_ANSWER = 5
# The base rate of fewer galaxies is noise.
_MIN_UNLABELED = 30
_FOLDS = 5


def _logit(probabilities):
    probabilities = np.clip(probabilities, CLIP, 1 - CLIP)
    return np.log(probabilities / (1 - probabilities))


@dataclass(frozen=True)
class PlattScaling:
    """Calibrate probabilities by a straight line in their logits (Platt 1999).

    The calibrated probability is the logistic function of ``slope * logit(p) + intercept``. The
    order of the galaxies stays as it is, and so does the ROC curve.

    Parameters
    ----------
    slope : float
        Positive: below 1 if the probabilities are too close to 0 and 1, above 1 if they are too far
        from them.
    intercept : float
        Above 0 if the probabilities are too low.

    Raises
    ------
    ValueError
        If a number is not finite, or the slope is not positive.

    Examples
    --------
    >>> from astromorph.model.calibration import PlattScaling
    >>> PlattScaling(slope=0.5, intercept=0.0)([0.1, 0.5, 0.9])
    array([0.25, 0.5 , 0.75])
    """

    slope: float
    intercept: float

    def __post_init__(self):
        check_number(self.slope, "slope", "a finite positive number",
                     lambda slope: np.isfinite(slope) and slope > 0)
        check_number(self.intercept, "intercept", "a finite number", np.isfinite)

    @classmethod
    def identity(cls):
        """Return the scaling that changes nothing, except that it keeps 1e-7 away from 0 and 1.

        Examples
        --------
        >>> from astromorph.model.calibration import PlattScaling
        >>> PlattScaling.identity()([0.0, 0.3])
        array([1.e-07, 3.e-01])
        """
        return cls(1.0, 0.0)

    @classmethod
    def from_dict(cls, numbers):
        """Make a scaling from the result of `to_dict`.

        Parameters
        ----------
        numbers : dict
            ``slope`` and ``intercept``.

        Returns
        -------
        PlattScaling

        Raises
        ------
        TypeError, ValueError
            If there are other entries, or they are not numbers.

        Examples
        --------
        >>> from astromorph.model.calibration import PlattScaling
        >>> PlattScaling.from_dict({"slope": 0.5, "intercept": 0.1})
        PlattScaling(slope=0.5, intercept=0.1)
        """
        if not isinstance(numbers, dict) or set(numbers) != {"slope", "intercept"}:
            raise wrong("numbers", "a dictionary with slope and intercept", repr(numbers))
        slope, intercept = (float(as_floats(numbers[name], name))
                            for name in ("slope", "intercept"))
        return cls(slope, intercept)

    def to_dict(self):
        """Return slope and intercept as a plain dictionary, for JSON.

        Returns
        -------
        dict

        Examples
        --------
        >>> from astromorph.model.calibration import PlattScaling
        >>> PlattScaling(0.5, 0.1).to_dict()
        {'slope': 0.5, 'intercept': 0.1}
        """
        return asdict(self)

    def shifted(self, old_rate, new_rate):
        """Return the scaling for a sample with another base rate, whose galaxies look the same.

        By Bayes' theorem, the odds change by the ratio of the odds of the two base rates. This is
        an offset of the logit.

        Parameters
        ----------
        old_rate, new_rate : float
            Base rates, between 0 and 1, of this scaling and of the new one.

        Returns
        -------
        PlattScaling

        Examples
        --------
        >>> from astromorph.model.calibration import PlattScaling
        >>> PlattScaling.identity().shifted(0.5, 0.2)(0.5).round(3)
        np.float64(0.2)
        """
        old, new = _logit(np.array([old_rate, new_rate]))
        return PlattScaling(self.slope, float(self.intercept + new - old))

    def __call__(self, probabilities):
        """Calibrate probabilities.

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

    Do not use galaxies that trained the network: it is more certain of them. The fit is a logistic
    regression without penalty. Its targets are Platt's (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) in
    place of 1 and 0, so that the slope stays finite where the answers separate perfectly.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1 or 0; galaxies with NaN or masked are ignored.
    probabilities : array-like, shape (n,)
        The network's answers, in 0..1; galaxies with NaN or masked are ignored.

    Returns
    -------
    PlattScaling

    Raises
    ------
    TypeError
        If labels or probabilities are not numbers.
    ValueError
        If shapes or values are wrong, one of the answers has fewer than 5 galaxies, all
        probabilities are equal, or galaxies labeled 1 have the lower probabilities.

    References
    ----------
    Platt 1999, in Advances in Large Margin Classifiers, MIT Press, 61.

    Examples
    --------
    The answers are too close to 0 and 1, so that the slope is below 1:

    >>> import numpy as np
    >>> from astromorph.model.calibration import fit_platt
    >>> answers, labels = np.repeat([0.99, 0.01], 50), np.tile([1, 1, 1, 1, 0], 20)
    >>> labels[50:] = 1 - labels[50:]
    >>> fit_platt(labels, answers)([0.99, 0.01]).round(2)
    array([0.79, 0.21])
    """
    return _fit(labels, probabilities, fit_intercept=True)


def fit_temperature(labels, probabilities):
    """Fit the temperature of one question: a single number, for few labels.

    This is `fit_platt` with an intercept of 0. The slope is one over the temperature of [1]_. A
    probability of 0.5 stays 0.5.

    Parameters
    ----------
    labels, probabilities : array-like, shape (n,)
        As for `fit_platt`.

    Returns
    -------
    PlattScaling

    Raises
    ------
    TypeError, ValueError
        As `fit_platt`.

    References
    ----------
    .. [1] Guo et al. 2017, Proc. 34th Int. Conf. Machine Learning, 1321.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.model.calibration import fit_temperature
    >>> answers, labels = np.repeat([0.99, 0.01], 50), np.tile([1, 1, 1, 1, 0], 20)
    >>> labels[50:] = 1 - labels[50:]
    >>> fit_temperature(labels, answers)([0.99, 0.5]).round(2)
    array([0.79, 0.5 ])
    """
    return _fit(labels, probabilities, fit_intercept=False)


def _fit(labels, probabilities, fit_intercept):
    labels, probabilities = valid_pairs(labels, probabilities)
    n_positive = int(labels.sum())
    n_negative = labels.size - n_positive
    if min(n_positive, n_negative) < _MIN_PER_ANSWER:
        raise wrong("labels", f"at least {_MIN_PER_ANSWER} galaxies of each answer to calibrate",
                    f"{n_positive} labeled 1 and {n_negative} labeled 0 that have a probability",
                    "Label more galaxies.")
    logits = _logit(probabilities)
    if np.ptp(logits) == 0:
        raise wrong("probabilities", "probabilities that differ between galaxies to calibrate",
                    f"{probabilities[0]:g} for all")
    targets = np.where(labels == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    slope, intercept = _fit_line(logits, targets, fit_intercept)
    if slope <= 0:
        raise wrong("probabilities", "higher ones for galaxies labeled 1",
                    f"a fitted slope of {slope:.3g}",
                    "Check that labels and columns are not swapped.")
    return PlattScaling(slope, intercept)


def _fit_line(logits, targets, fit_intercept):
    """Logistic regression on targets between 0 and 1: each galaxy counts as a weighted 1 and 0."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    answers = np.repeat([1, 0], logits.size)
    weights = np.concatenate([targets, 1 - targets])
    # An infinite C means no penalty, in every version of scikit-learn.
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8,
                               fit_intercept=fit_intercept)
    model.fit(np.tile(logits, 2)[:, None], answers, sample_weight=weights)
    return float(model.coef_[0, 0]), float(np.squeeze(model.intercept_))


METHODS = {"platt": fit_platt, "temperature": fit_temperature}
"""Calibrations that take labels."""


def recalibrate(questions, scalings, labels, probabilities, method="platt"):
    """Calibrate each question that has enough labels; the others keep their scaling.

    Parameters
    ----------
    questions : sequence of `~astromorph.questions.Question`
        The questions, one per column.
    scalings : sequence of PlattScaling
        The present scalings.
    labels, probabilities : `~numpy.ndarray`, shape (n, questions)
        Labels are 1, 0 or NaN. Probabilities are those before any calibration, NaN where there are
        none.
    method : str
        One of `~astromorph.model.calibration.METHODS`.

    Returns
    -------
    scalings : list of PlattScaling
    report : `~astropy.table.Table`
        One row per question: the galaxies that were used, those labeled 1, their fraction (the base
        rate), and whether the question was calibrated. ``ECE_before`` and ``ECE_after`` are the
        expected calibration errors; the latter is for galaxies left out of the fit (5-fold).

    Raises
    ------
    ValueError
        If no question can be calibrated.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import QUESTIONS
    >>> from astromorph.model.calibration import PlattScaling, recalibrate
    >>> rng = np.random.default_rng(1)
    >>> answers = rng.random((200, 1))
    >>> labels = (rng.random((200, 1)) < answers ** 2).astype(float)
    >>> scalings, report = recalibrate(QUESTIONS[:1], [PlattScaling(1, 0)], labels, answers)
    >>> bool(report["ECE_after"][0] < report["ECE_before"][0])
    True
    """
    new, rows, reasons = [], [], []
    for question, scaling, y, raw in zip(questions, scalings, labels.T, probabilities.T):
        before = score(y, scaling(raw))
        try:
            new.append(METHODS[method](y, raw))
        except ValueError as error:
            new.append(scaling)
            reasons.append(f"{question.key}: {error}")
        done = new[-1] is not scaling
        rows.append({
            "question": question.key, "n": before.n, "n_positive": before.n_positive,
            "calibrated": done, "base_rate": before.n_positive / max(before.n, 1),
            "ECE_before": before.ece,
            "ECE_after": _cross_fitted_error(y, raw, METHODS[method]) if done else before.ece})
    if len(reasons) == len(rows):
        raise wrong("labels", "enough to calibrate a question", " ".join(reasons).rstrip("."))
    for reason in reasons:
        warn(f"Not calibrated: {reason}", late=True)
    return new, rounded(Table(rows))


def base_rates(report):
    """Return the base rates of the calibrated questions in a report.

    Parameters
    ----------
    report : `~astropy.table.Table`
        The report of `recalibrate` or `shift_priors`.

    Returns
    -------
    dict of str to float
        Fraction of positives of each question, by its key.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import QUESTIONS
    >>> from astromorph.model.calibration import PlattScaling, base_rates, recalibrate
    >>> rng = np.random.default_rng(1)
    >>> answers = rng.random((200, 1))
    >>> labels = (rng.random((200, 1)) < answers).astype(float)
    >>> _, report = recalibrate(QUESTIONS[:1], [PlattScaling(1, 0)], labels, answers)
    >>> bool(base_rates(report)["disk"] == labels.mean())
    True
    """
    return {str(row["question"]): float(row["base_rate"]) for row in report if row["calibrated"]}


def rounded(report):
    """Print the numbers of a report with three digits.

    Parameters
    ----------
    report : `~astropy.table.Table`
        It is changed.

    Returns
    -------
    `~astropy.table.Table`
        The same.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.model.calibration import rounded
    >>> rounded(Table({"ECE_after": [0.0123456]})).pformat()[-1].strip()
    '0.012'
    """
    for name in report.colnames:
        if report[name].dtype.kind == "f":
            report[name].format = ".3f"
    return report


def _cross_fitted_error(labels, probabilities, fit):
    """Calibration error of galaxies left out of the fit; NaN if too few remain."""
    labels, probabilities = valid_pairs(labels, probabilities)
    after = np.empty(labels.size)
    # Every fold gets its share of each answer.
    order = np.lexsort((probabilities, labels))
    folds = np.empty(labels.size, int)
    folds[order] = np.arange(labels.size) % _FOLDS
    try:
        for fold in range(_FOLDS):
            out = folds == fold
            after[out] = fit(labels[~out], probabilities[~out])(probabilities[out])
    except ValueError:
        return np.nan
    return score(labels, after).ece


def estimate_base_rate(probabilities, base_rate, *, weights=None):
    """Estimate the base rate of a sample without labels (Saerens et al. 2002).

    The method is expectation maximization: shift the probabilities to the present estimate of the
    base rate, take their mean as the next estimate, and repeat. It assumes that positives and
    negatives look like those of the sample that the probabilities were calibrated on.

    Parameters
    ----------
    probabilities : array-like, shape (n,)
        Calibrated probabilities; NaN or masked where there is none.
    base_rate : float
        Base rate that they were calibrated for.
    weights : array-like, shape (n,), optional
        Weight of each galaxy.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the sum of the weights is less than 30.

    References
    ----------
    Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21.

    Examples
    --------
    Calibrated for as many positives as negatives, applied to a sample with one positive in ten:

    >>> import numpy as np
    >>> from astromorph.model.calibration import estimate_base_rate
    >>> round(estimate_base_rate(np.repeat([0.9, 0.1], [18, 82]), 0.5), 4)
    0.1
    """
    probabilities = as_probabilities(probabilities)
    weights = np.broadcast_to(1.0 if weights is None else weights, probabilities.shape)
    known = np.isfinite(probabilities)
    probabilities, weights = probabilities[known], weights[known]
    total = weights.sum()
    if total < _MIN_UNLABELED:
        raise wrong("data", f"at least {_MIN_UNLABELED} galaxies of which the question is asked, "
                    "to estimate a base rate", f"{total:.3g}")
    rate, last = base_rate, np.inf
    for _ in range(1000):
        if abs(rate - last) < 1e-6:
            break
        last = rate
        now = PlattScaling.identity().shifted(base_rate, last)(probabilities)
        # At a rate of 0 or 1 the odds would be infinite.
        rate = float(np.clip((weights * now).sum() / total, 0.5 / total, 1 - 0.5 / total))
    return rate


def shift_priors(questions, scalings, probabilities, base_rates):
    """Correct scalings for other base rates, which are estimated without labels.

    Parameters
    ----------
    questions : sequence of `~astromorph.questions.Question`
        Parents before their children. The weight of a galaxy is the probability that the question
        is asked of it.
    scalings : sequence of PlattScaling
        The present scalings.
    probabilities : `~numpy.ndarray`, shape (n, questions)
        Probabilities before any calibration.
    base_rates : dict of str to float
        Base rate that each scaling was fitted to, by the question's key.

    Returns
    -------
    scalings : list of PlattScaling
    report : `~astropy.table.Table`
        One row per question: the number of galaxies (the sum of their weights), whether the scaling
        was shifted, and the base rates before and after. Questions with too few galaxies keep
        theirs.

    Raises
    ------
    ValueError
        If no question has 30 galaxies.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import QUESTIONS
    >>> from astromorph.model.calibration import PlattScaling, shift_priors
    >>> rng = np.random.default_rng(1)
    >>> answers = np.repeat([[0.9], [0.1]], [18, 82], axis=0)
    >>> scalings, report = shift_priors(QUESTIONS[:1], [PlattScaling(1, 0)], answers, {"disk": 0.5})
    >>> float(scalings[0](0.5).round(2))
    0.1
    """
    new, rows, reasons, answers = [], [], [], []
    for question, scaling, raw in zip(questions, scalings, probabilities.T):
        present, old = scaling(raw), base_rates[question.key]
        weights = probability_asked(questions[:len(answers) + 1], [*answers, present])[-1]
        weights = np.where(np.isfinite(present), weights, 0) * np.ones(len(present))
        try:
            rate = estimate_base_rate(present, old, weights=weights)
            new.append(scaling.shifted(old, rate))
        except ValueError as error:
            rate = old
            new.append(scaling)
            reasons.append(f"{question.key}: {error}")
        rows.append({"question": question.key, "n": round(float(weights.sum())),
                     "calibrated": new[-1] is not scaling, "base_rate_before": old,
                     "base_rate": rate})
        answers.append(new[-1](raw))
    if len(reasons) == len(rows):
        raise wrong("data", "enough galaxies for one of the questions", reasons[0].rstrip("."))
    for reason in reasons:
        warn(f"Not calibrated: {reason}", late=True)
    return new, rounded(Table(rows))
