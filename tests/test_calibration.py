"""Platt scaling finds known distortions, keeps the order, and refuses what cannot be fitted."""
import json

import numpy as np
import pytest
from scipy.special import expit, logit

from astromorph.calibration import PlattScaling, fit_platt
from astromorph.metrics import score

NAN = np.nan


def distorted(n, slope, intercept, seed=0):
    """Labels, and probabilities that ``PlattScaling(slope, intercept)`` would put right."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    labels = (rng.random(n) < expit(logits)).astype(float)
    return labels, expit((logits - intercept) / slope)


@pytest.mark.parametrize("slope, intercept", [(1, 0), (.5, 0), (2, -.7), (.8, 1.5)])
def test_recovers_a_known_distortion(slope, intercept):
    scaling = fit_platt(*distorted(40_000, slope, intercept))
    assert scaling.slope == pytest.approx(slope, rel=.05)
    assert scaling.intercept == pytest.approx(intercept, abs=.06)


def test_lowers_the_error_of_other_galaxies_and_keeps_the_area():
    scaling = fit_platt(*distorted(2000, .4, .8))
    labels, probabilities = distorted(5000, .4, .8, seed=1)
    before, after = score(labels, probabilities), score(labels, scaling(probabilities))
    assert before.ece > .1
    assert after.ece < .03
    assert after.auc == pytest.approx(before.auc, abs=1e-12)


def test_is_the_formula():
    probabilities = np.array([[.1, .5], [.9, .999]])
    np.testing.assert_allclose(PlattScaling(1.7, -.3)(probabilities),
                               expit(1.7 * logit(probabilities) - .3), rtol=1e-12)


def test_identity_keeps_probabilities():
    probabilities = np.array([0, 1e-5, .25, .5, 1])
    np.testing.assert_allclose(PlattScaling.identity()(probabilities), probabilities, atol=1.1e-7)


def test_certain_probabilities_stay_finite():
    low, high = PlattScaling(50, 0)(np.array([0, 1], np.float32))
    assert 0 <= low < 1e-6 and 1 - 1e-6 < high <= 1


def test_nan_and_masked_stay():
    assert np.isnan(PlattScaling(2, 0)([.5, NAN])).tolist() == [False, True]
    masked = PlattScaling(2, 0)(np.ma.masked_array([.2, .5], [True, False]))
    assert masked.mask.tolist() == [True, False]
    assert masked[1] == pytest.approx(.5)


def test_fit_ignores_unknown():
    labels, probabilities = distorted(200, 1, 0)
    more = fit_platt(np.r_[labels, NAN, 1], np.r_[probabilities, .9, NAN])
    assert more == fit_platt(labels, probabilities)


def test_fit_stays_finite_where_answers_separate():
    scaling = fit_platt([0] * 10 + [1] * 10, [.1] * 10 + [.9] * 10)
    # Both Platt targets, 1/12 and 11/12, can be met exactly.
    np.testing.assert_allclose(scaling([.1, .9]), [1 / 12, 11 / 12], rtol=1e-5)


def test_survives_json():
    scaling = fit_platt(*distorted(200, 1.2, .3))
    assert PlattScaling.from_dict(json.loads(json.dumps(scaling.to_dict()))) == scaling


@pytest.mark.parametrize("labels, probabilities, message", [
    ([1] * 20, [.5] * 20, r"at least 5 galaxies of each answer.*20 labeled 1 and 0 labeled 0"),
    ([1] * 20 + [0] * 4, [.5] * 24, r"20 labeled 1 and 4 labeled 0"),
    ([NAN] * 9, [.5] * 9, r"0 labeled 1 and 0 labeled 0"),
    ([1] * 9 + [0] * 9, [.5] * 18, r"must differ between galaxies.*0.5 for all"),
    ([1] * 9 + [0] * 9, [.2, .3, .4] * 3 + [.6, .7, .8] * 3, r"fitted slope of -.*swapped"),
    ([1, 0], [.5], r"same shape"),
])
def test_refuses_to_fit(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        fit_platt(labels, probabilities)


@pytest.mark.parametrize("slope, intercept, message", [
    (0, 0, "slope must be finite and positive.*0"), (-1, 0, "slope"), (NAN, 0, "slope"),
    (np.inf, 0, "slope"), (1, NAN, "intercept must be finite.*nan")])
def test_refuses_wrong_numbers(slope, intercept, message):
    with pytest.raises(ValueError, match=message):
        PlattScaling(slope, intercept)


@pytest.mark.parametrize("numbers", [None, {"slope": 1}, {"slope": 1, "intercept": 0, "more": 1}])
def test_refuses_wrong_dictionaries(numbers):
    with pytest.raises(ValueError, match="dictionary with slope and intercept"):
        PlattScaling.from_dict(numbers)


def test_refuses_words_and_logits():
    with pytest.raises(TypeError, match="slope must be an array of numbers.*steep"):
        PlattScaling.from_dict({"slope": "steep", "intercept": 0})
    with pytest.raises(ValueError, match="probabilities must lie in 0..1.*logits"):
        PlattScaling.identity()([-3.2, 4.1])
