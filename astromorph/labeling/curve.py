"""Scores on the sealed share against the number of labels, and a forecast for more labels.

All points of a curve use the same galaxies: the sealed ones that have a label. A bootstrap of these
galaxies says whether the curve still rises.
"""
import numpy as np
from astropy.stats import binom_conf_interval

from astromorph.metrics import central_interval

__all__ = ["LEVEL", "Forecast", "forecast", "score_sealed"]

LEVEL = 0.68
"""Probability of the intervals."""
MORE = 50
"""Labels that a forecast is about."""
_POINTS, _GALAXIES = 3, 20  # fewer points, or galaxies, are not enough
_DRAWS = 400
# A smaller gain is not worth 50 labels: in accuracy, and in the relative scatter of a number.
_WORTH = {"accuracy": 0.005, "rms": 0.02}


def score_sealed(question, labels, answers):
    """Score the answers to one question on the sealed galaxies.

    Parameters
    ----------
    question : `~astromorph.questions.Question`
    labels : `~numpy.ndarray`, shape (n,)
    answers : `~numpy.ndarray`, shape (n, columns)

    Returns
    -------
    dict of str to list of float or None
        Name of a score -> value, low, high. All questions but numbers have the accuracy, yes/no
        questions also completeness and purity of the positive answer, with binomial (Wilson)
        intervals. Numbers have the rms with a bootstrap interval. None without galaxies.
    """
    if question.kind == "number":
        off = (answers[:, 0] - labels)**2
        draws = np.array([_rms(each) for each in _drawn(off[None])])
        return {"rms": _listed(_rms(off), central_interval(draws, LEVEL))}
    right = _is_right(question, labels, answers)
    scores = {"accuracy": _fraction(right)}
    if question.kind == "yes_no":
        scores |= {"completeness": _fraction(right[labels == 1]),
                   "purity": _fraction(labels[answers[:, 0] >= 0.5] == 1)}
    return scores


def _is_right(question, labels, answers):
    found = answers[:, 0] >= 0.5 if question.kind == "yes_no" else answers.argmax(axis=1)
    return found == labels


def _fraction(right):
    if not len(right):
        return [None] * 3
    return _listed(right.mean(), binom_conf_interval(right.sum(), len(right), LEVEL,
                                                     interval="wilson"))


def _listed(value, limits):
    return [float(number) if np.isfinite(number) else None for number in (value, *limits)]


def _rms(squares):
    return np.sqrt(squares.mean(axis=-1)) if squares.shape[-1] else np.nan


def _drawn(errors):
    """Bootstrap samples of the columns."""
    rng, n = np.random.default_rng(0), errors.shape[1]
    return (errors[:, rng.integers(0, n, n)] for _ in range(_DRAWS if n else 0))


class Forecast:
    """The forecast for more labels.

    Parameters
    ----------
    gain : list of float or None
        Gain in accuracy with another 50 labels, and its limits. For a number, the relative
        decrease of its scatter. None if it is unknown.
    stop : int or None
        Number of labels from which more labels bring little. None if it is unknown.
    sentence : str
        The forecast in words.
    """

    def __init__(self, gain, stop, sentence):
        self.gain, self.stop, self.sentence = gain, stop, sentence


def forecast(question, numbers, labels, answers):
    """Forecast the gain from more labels by a power law in the number of labels.

    Parameters
    ----------
    question : `~astromorph.questions.Question`
    numbers : sequence of int
        Number of labels at each point of the curve, above 0.
    labels : `~numpy.ndarray`, shape (n,)
        Labels of the sealed galaxies.
    answers : sequence of `~numpy.ndarray`, shape (n, columns)
        Answers at each point.

    Returns
    -------
    Forecast
    """
    name = "rms" if question.kind == "number" else "accuracy"
    what = "scatter" if name == "rms" else "accuracy"
    if len(numbers) < _POINTS or len(labels) < _GALAXIES:
        few = f": {len(labels)} of {_GALAXIES} test labels" if len(labels) < _GALAXIES else ""
        return Forecast(None, None, f"It is too early for a forecast{few}.")
    if name == "rms":
        errors = np.stack([(each[:, 0] - labels)**2 for each in answers])
    else:
        errors = np.stack([~_is_right(question, labels, each) for each in answers]).astype(float)
    gains = np.array([_gain(name, numbers, each) for each in _drawn(errors)])
    gain, (low, high) = _gain(name, numbers, errors), central_interval(gains, LEVEL)
    worth, stop = _WORTH[name], None
    more = f"Another {MORE} labels would bring"
    if high < worth:
        sentence = f"{more} less than {_percent(worth)} of {what}. You can stop."
        stop = int(numbers[-1])
    elif low <= 0:
        sentence = (f"It cannot be told what another {MORE} labels would bring: from "
                    f"{_percent(low)} to {_percent(high)} of {what}.")
    else:
        stop = _worth_until(name, numbers, errors, worth)
        sign = "-" if name == "rms" else "+"
        sentence = (f"{more} about {sign}{_percent(gain)} of {what} ({_percent(low)} to "
                    f"{_percent(high)}). " + (
                        "You can stop." if stop is not None and stop <= numbers[-1] else
                        f"You can stop at about {stop} labels." if stop else
                        "More labels go on helping."))
    return Forecast([float(gain), float(low), float(high)], stop, sentence)


def _percent(part):
    return f"{100 * part + 0.0:.1f}%".replace("-0.0%", "0.0%")


def _law(name, numbers, errors):
    """Exponent and logarithm of the factor of errors = factor * numbers**exponent."""
    # Half an error among the galaxies keeps a perfect point finite.
    mean = errors.mean(axis=1) + (0.5 / errors.shape[1] if name == "accuracy" else 1e-12)
    return np.polyfit(np.log(numbers), np.log(mean), 1)


def _at(name, law, n):
    error = np.exp(np.polyval(law, np.log(n)))
    return np.sqrt(error) if name == "rms" else error


def _gain(name, numbers, errors, now=None):
    law, now = _law(name, numbers, errors), now or numbers[-1]
    before, after = _at(name, law, now), _at(name, law, now + MORE)
    return 1 - after / before if name == "rms" else before - after


def _worth_until(name, numbers, errors, worth):
    """The number of labels from which more bring little, at most ten times the present one."""
    later = np.arange(numbers[-1], 10 * numbers[-1] + 1, 10)
    little = [n for n in later if _gain(name, numbers, errors, n) < worth]
    return int(round(little[0], -1)) if little else None
