"""Scalings find known distortions, keep the order, and refuse what cannot be fitted."""
import json

import numpy as np
import pytest
from astropy.table import Table
from scipy.special import expit, logit

from astromorph import QUESTIONS, MorphologyClassifier
from astromorph.datasets import load_sample
from astromorph.errors import AstromorphWarning
from astromorph.model.calibration import (PlattScaling, estimate_base_rate, fit_platt,
                                          fit_temperature, recalibrate, shift_priors)
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
    ([1] * 9 + [0] * 9, [.5] * 18, r"probabilities that differ between galaxies.*0.5 for all"),
    ([1] * 9 + [0] * 9, [.2, .3, .4] * 3 + [.6, .7, .8] * 3, r"fitted slope of -.*swapped"),
    ([1, 0], [.5], r"same shape"),
])
def test_refuses_to_fit(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        fit_platt(labels, probabilities)


@pytest.mark.parametrize("slope, intercept, message", [
    (0, 0, "slope: expected a finite positive number.*0"), (-1, 0, "slope"), (NAN, 0, "slope"),
    (np.inf, 0, "slope"), (1, NAN, "intercept: expected a finite number.*nan")])
def test_refuses_wrong_numbers(slope, intercept, message):
    with pytest.raises(ValueError, match=message):
        PlattScaling(slope, intercept)


@pytest.mark.parametrize("numbers", [None, {"slope": 1}, {"slope": 1, "intercept": 0, "more": 1}])
def test_refuses_wrong_dictionaries(numbers):
    with pytest.raises(ValueError, match="dictionary with slope and intercept"):
        PlattScaling.from_dict(numbers)


def test_refuses_words_and_logits():
    with pytest.raises(TypeError, match="slope: expected an array of numbers.*steep"):
        PlattScaling.from_dict({"slope": "steep", "intercept": 0})
    with pytest.raises(ValueError, match="probabilities: expected numbers in 0..1.*logits"):
        PlattScaling.identity()([-3.2, 4.1])


@pytest.mark.parametrize("slope", [0.5, 1, 2])
def test_temperature_recovers_a_known_distortion(slope):
    scaling = fit_temperature(*distorted(40_000, slope, 0))
    assert scaling.slope == pytest.approx(slope, rel=.05) and scaling.intercept == 0
    assert scaling([.5])[0] == .5


def test_temperature_refuses_constant_labels():
    with pytest.raises(ValueError, match="at least 5 galaxies of each answer"):
        fit_temperature([1] * 20, np.linspace(.1, .9, 20))


def other_mix(rate, n=20_000, seed=0):
    """Labels and probabilities calibrated for a half of positives, in a sample with another."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < rate).astype(float)
    # Normal distributions one apart have the difference of the logits 2x.
    return labels, expit(2 * (rng.normal(0, 1, n) + 2 * labels - 1))


@pytest.mark.parametrize("rate", [.1, .5, .8])
def test_base_rate_is_found_without_labels(rate):
    labels, probabilities = other_mix(rate)
    found = estimate_base_rate(probabilities, .5)
    assert found == pytest.approx(labels.mean(), abs=.02)
    shifted = PlattScaling.identity().shifted(.5, found)(probabilities)
    assert score(labels, shifted).ece < .02
    assert rate == .5 or score(labels, probabilities).ece > .04


def test_shift_is_bayes_theorem():
    odds = (.3 / .7) * (.2 / .8) / (.6 / .4)
    assert PlattScaling(1, 0).shifted(.6, .2)(.3) == pytest.approx(odds / (1 + odds))
    there = PlattScaling(1.4, .3).shifted(.6, .2)
    assert there.shifted(.2, .6).intercept == pytest.approx(.3)


def test_weights_of_base_rates_count():
    _, probabilities = other_mix(.2, 500)
    _, others = other_mix(.9, 500, seed=1)
    both = estimate_base_rate(np.r_[probabilities, others, NAN], .5,
                              weights=np.r_[np.ones(500), np.zeros(501)])
    assert both == pytest.approx(estimate_base_rate(probabilities, .5), abs=1e-6)


def test_base_rate_stays_inside():
    assert 0 < estimate_base_rate(np.full(100, 1e-4), .5) < .01
    with pytest.raises(ValueError, match="at least 30 galaxies.*29"):
        estimate_base_rate([.5] * 29, .5)


def test_child_question_counts_where_it_is_asked():
    """Of smooth galaxies, nothing is learned about edge-on disks."""
    labels, edge_on = other_mix(.1, 4000)
    disk = np.tile([.9999, .0001], 2000)
    edge_on[1::2] = .9  # of galaxies without a disk
    scalings, report = shift_priors(
        QUESTIONS[:2], [PlattScaling.identity()] * 2, np.stack([disk, edge_on], axis=1),
        {"disk": .5, "edge_on": .5})
    assert report["base_rate"][1] == pytest.approx(labels[::2].mean(), abs=.02)
    assert report["n"].tolist() == [4000, 2000]


def three_questions(n=400):
    """Labels and distorted probabilities of three questions; the last has too few labels."""
    labels, probabilities = (np.stack(arrays, axis=1) for arrays in zip(
        *(distorted(n, .5, .6, seed) for seed in range(3))))
    labels[8:, 2] = NAN
    return labels, probabilities


@pytest.mark.parametrize("method", ["platt", "temperature"])
def test_recalibrate_keeps_what_it_cannot_fit(method):
    labels, probabilities = three_questions()
    old = [PlattScaling(1.1, .1)] * 3
    with pytest.warns(AstromorphWarning, match="^Not calibrated: bar: ") as said:
        new, report = recalibrate(QUESTIONS, old, labels, probabilities, method)
    assert new[2] == old[2] and new[0] != old[0] and new[1] != old[1]
    assert len(said) == 1
    assert report["calibrated"].tolist() == [True, True, False]
    assert (report["ECE_after"][:2] < report["ECE_before"][:2]).all()
    assert report["n"].tolist() == [400, 400, 8]


def test_recalibrate_refuses_where_nothing_can_be_fitted():
    with pytest.raises(ValueError, match="enough to calibrate a question.*disk.*edge_on.*bar"):
        recalibrate(QUESTIONS, [PlattScaling.identity()] * 3, np.ones((20, 3)),
                    np.random.default_rng(0).random((20, 3)))


@pytest.fixture(scope="module")
def images():
    """Sixty arrays: the simulated galaxies, in several orientations."""
    from astromorph import read_cutout

    paths = load_sample()["file"]
    pictures = [read_cutout(path, survey="sdss").pixels for path in paths]
    return [np.rot90(view, turn) for view in pictures for turn in range(5)]


def odds(table, column):
    return logit(np.clip(np.asarray(table[column], float), 1e-6, 1 - 1e-6))


def test_calibrate_with_labels(classifier, images, tmp_path):
    before = classifier.classify(images)
    rng = np.random.default_rng(1)
    labels = (rng.random((60, 3)) < .4).astype(float)
    labels[:, 2] = np.where(np.argsort(np.argsort(before["P_bar"])) + rng.normal(0, 5, 60) > 30,
                            1, 0)
    labels[:, :2] = NAN
    card = classifier.card
    new = classifier.calibrate(images, labels, survey="legacy")
    assert classifier.card == card and new.card["survey"] == "legacy"
    assert new.card["calibration"]["disk"] == card["calibration"]["disk"]
    after = new.classify(images)
    np.testing.assert_array_equal(after["P_disk"], before["P_disk"])
    assert after["P_bar"].mean() == pytest.approx(labels[:, 2].mean(), abs=.02)
    assert new.card["base_rates"]["bar"] == labels[:, 2].mean()
    assert new.card["base_rates"]["disk"] == card["base_rates"]["disk"]
    assert new.calibration_report["calibrated"].tolist() == [False, False, True]
    assert classifier.calibration_report is None
    new.write(tmp_path / "new.safetensors")
    back = MorphologyClassifier.read(tmp_path / "new.safetensors")
    np.testing.assert_array_equal(back.classify(images)["P_bar"], after["P_bar"])
    assert back.calibration_report.meta["method"] == "platt"
    assert back.calibration_report["base_rate"].format == ".3f"
    # A second time nothing is left to correct.
    with pytest.warns(AstromorphWarning, match=r"did not fall.* after: bar 0\.\d+ and 0\."):
        new.calibrate(images, labels)


def test_prior_shift_after_labels(classifier, images, tmp_path):
    """The two compose: the shift is that of the base rates in the card."""
    new = classifier.calibrate(images, method="prior")
    rates = [clf.card["base_rates"] for clf in (classifier, new)]
    shift = logit(rates[1]["disk"]) - logit(rates[0]["disk"])
    before, after = classifier.classify(images), new.classify(images)
    middle = np.abs(odds(before, "P_disk")) < 8
    np.testing.assert_allclose((odds(after, "P_disk") - odds(before, "P_disk"))[middle], shift,
                               atol=.01)
    assert after["P_disk"].mean() == pytest.approx(rates[1]["disk"], abs=1e-3)
    # A second time nothing is left to correct.
    again = new.calibrate(images, method="prior").card["calibration"]["disk"]
    assert again["intercept"] == pytest.approx(new.card["calibration"]["disk"]["intercept"],
                                               abs=.02)


@pytest.mark.parametrize("labels, options, message", [
    (np.ones((60, 3)), {}, "labels.*60 positive and 0 negative"),
    (np.full((60, 3), NAN), {}, "labels"), (np.full((60, 3), .4), {}, "labels: expected 1, 0, or"),
    (np.ones((59, 3)), {}, r"labels: expected shape \(60, 3\)"),
    (None, {}, "labels: expected an array"),
    (np.ones((60, 3)), {"method": "prior"}, "labels: expected none with method=.prior."),
    (None, {"method": "isotonic"}, "method: expected one of.*isotonic")])
def test_calibrate_refuses(classifier, images, labels, options, message):
    with pytest.raises(ValueError, match=message):
        classifier.calibrate(images, labels, **options)


def test_prior_refuses_few_images_and_unknown_base_rates(classifier, images):
    with pytest.raises(ValueError, match="at least 30 galaxies"):
        classifier.calibrate(images[:20], method="prior")
    bare = MorphologyClassifier(classifier.model.replace(base_rates={}))
    with pytest.raises(ValueError, match="base rates of .*disk"):
        bare.calibrate(images, method="prior")


def test_labels_from_the_table(classifier, images):
    table = Table({"image": np.arange(60)})
    table["image"] = images_as_objects = np.empty(60, object)
    images_as_objects[:] = images
    table["image"] = images_as_objects
    table["disk"] = (np.arange(60) % 3 == 0).astype(float)
    table["edge_on"] = table["bar"] = np.full(60, NAN)
    table["disk"][odds(classifier.classify(images), "P_disk") > 0] = 1
    new = classifier.calibrate(table, images="image", method="temperature")
    assert new.card["calibration"]["disk"]["intercept"] == 0
