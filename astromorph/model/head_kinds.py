"""What a head does for each kind of answer: turn outputs into answers, and fit both.

The outputs of a head are a linear map of the features. `KINDS` has one small class per kind:

- `outputs` says how many outputs there are, and `answer` turns them into columns.
- `fit` fits the map to labels.
- `calibrate` fits a straight line in each output to galaxies left out of that fit. Classes and
  numbers ignore its method.
- `loss` measures how bad answers are.

Labels are 1 and 0, places of answers, or numbers.
"""
import numpy as np

from astromorph.answers import get_kind
from astromorph.model.calibration import METHODS, PlattScaling

__all__ = ["KINDS", "LARGEST_LOG", "head_kind"]

_CLIP = 1e-7
# Mean of the logarithm of the absolute value of a normal variable of unit variance.
_MEAN_LOG = -0.635
LARGEST_LOG = 80.0
"""Logarithm of a number that a float32 can hold (float)."""


def _sigmoid(logits):
    return (1 + np.tanh(logits / 2)) / 2  # exp(-logits) would overflow


def _logistic(features, labels, weights, strength):
    """Kernel and bias of a logistic regression."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    model = LogisticRegression(C=strength, tol=1e-3, max_iter=300)
    model.fit(features, labels, sample_weight=weights)
    return model.coef_.T, model.intercept_


def _ridge(features, values, weights, strength):
    """Kernel and bias of a linear regression."""
    mean = np.average(values, weights=weights)
    weighted = features * weights[:, None]
    square = weighted.T @ features
    square[np.diag_indices(len(square))] += 1 / strength
    kernel = np.linalg.solve(square, weighted.T @ (values - mean))
    return kernel, mean - np.average(features, axis=0, weights=weights) @ kernel


def _cross_entropy(probabilities):
    """Mean cross-entropy, from the probabilities of the right answers."""
    return float(-np.log(np.clip(probabilities, _CLIP, 1)).mean())


class _YesNo:
    """One output, a logit."""

    def outputs(self, question):
        return 1

    def answer(self, question, outputs):
        return _sigmoid(outputs)

    def fit(self, question, features, labels, weights, strength):
        return _logistic(features, labels, weights, strength)

    def calibrate(self, question, labels, outputs, method="platt"):
        scaling = _scaling(labels, outputs[:, 0], method)
        return [scaling.slope], [scaling.intercept]

    def loss(self, question, labels, outputs):
        p = _sigmoid(outputs[:, 0])
        return _cross_entropy(np.where(labels == 1, p, 1 - p))


class _Grades:
    """One logit per grade but the lowest: "at least this grade"."""

    def outputs(self, question):
        return len(question.answers) - 1

    def answer(self, question, outputs):
        # "At least this grade" is never more probable than "at least the grade below".
        reached = np.minimum.accumulate(_sigmoid(outputs), axis=-1)
        ends = np.ones_like(reached[..., :1])
        reached = np.concatenate([ends, reached, 0 * ends], axis=-1)
        return reached[..., :-1] - reached[..., 1:]

    def fit(self, question, features, labels, weights, strength):
        steps = [_logistic(features, labels >= step, weights, strength)
                 for step in range(1, len(question.answers))]
        return np.hstack([kernel for kernel, _ in steps]), np.hstack([bias for _, bias in steps])

    def calibrate(self, question, labels, outputs, method="platt"):
        steps = [_scaling(labels >= step, each, method) for step, each in enumerate(outputs.T, 1)]
        return [each.slope for each in steps], [each.intercept for each in steps]

    def loss(self, question, labels, outputs):
        return _cross_entropy(_of_labels(self.answer(question, outputs), labels))


class _Classes:
    """One logit per class."""

    def outputs(self, question):
        return len(question.answers)

    def answer(self, question, outputs):
        weights = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    def fit(self, question, features, labels, weights, strength):
        kernel, bias = _logistic(features, labels, weights, strength)
        if kernel.shape[1] == 1:  # two classes have one logit
            return np.hstack([-kernel, kernel]) / 2, np.hstack([-bias, bias]) / 2
        return kernel, bias

    def calibrate(self, question, labels, outputs, method="platt"):
        from scipy.optimize import minimize_scalar

        found = minimize_scalar(lambda log: self.loss(question, labels, np.exp(log) * outputs),
                                bounds=(-2, 2), method="bounded")
        return [float(np.exp(found.x))] * outputs.shape[1], [0.0] * outputs.shape[1]

    def loss(self, question, labels, outputs):
        return _cross_entropy(_of_labels(self.answer(question, outputs), labels))


class _Number:
    """The number, and the logarithm of its standard deviation."""

    def outputs(self, question):
        return 2

    def answer(self, question, outputs):
        value, spread = outputs[..., 0], np.exp(np.minimum(outputs[..., 1], LARGEST_LOG))
        if question.limits is not None:
            low, high = question.limits
            value, spread = np.clip(value, low, high), np.minimum(spread, (high - low) / 2)
        return np.stack([value, spread], axis=-1)

    def fit(self, question, features, labels, weights, strength):
        # The labels may all be equal, if the others are left out of the fit.
        center, scale = labels.mean(), labels.std() or 1.0
        kernel, bias = _ridge(features, (labels - center) / scale, weights, strength)
        off = np.log(np.abs(features @ kernel + bias - (labels - center) / scale) + 1e-3)
        # The error has less information than the number: it is fitted with a tenth of the strength.
        wide, wide_bias = _ridge(features, off - _MEAN_LOG, weights, strength / 10)
        return (np.stack([scale * kernel, wide], axis=1),
                np.array([scale * bias + center, wide_bias + np.log(scale)]))

    def calibrate(self, question, labels, outputs, method="platt"):
        value, spread = self.answer(question, outputs).T
        shift = (labels - value).mean()
        off = ((labels - value - shift) / spread)**2
        return [1.0, 1.0], [float(shift), float(np.log(off.mean()) / 2)]

    def loss(self, question, labels, outputs):
        value, spread = self.answer(question, outputs).T
        return float((((labels - value) / spread)**2 / 2 + np.log(spread)).mean())


def _of_labels(answers, labels):
    """The value in the column that each label names."""
    return np.take_along_axis(answers, labels[:, None].astype(int), axis=1)[:, 0]


def _scaling(labels, outputs, method):
    """The scaling of a logit; none if there are too few galaxies, or the fit fails."""
    try:
        return METHODS[method](labels, _sigmoid(outputs))
    except ValueError:
        return PlattScaling.identity()


KINDS = {"yes_no": _YesNo(), "grades": _Grades(), "classes": _Classes(), "number": _Number()}
"""Kind of answer -> object that does the work of a head."""


def head_kind(question):
    """Return the object that does the work of a head for a question.

    Parameters
    ----------
    question : `~astromorph.questions.Question`

    Returns
    -------
    object
    """
    return get_kind(question, KINDS)
