"""Scores, curves and intervals, against hand counts, brute force and scikit-learn."""
import subprocess
import sys
import warnings

import numpy as np
import pytest
from astropy.table import MaskedColumn
from sklearn.metrics import roc_auc_score

from astromorph import curves, metrics
from astromorph.questions import QUESTIONS

NAN = np.nan
# At 0.5: TP 3 (.9 .8 .5), FN 1 (.4), FP 2 (.7 .6), TN 4 (.1 .2 .3 .45).
LABELS = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
PROBABILITIES = [.9, .8, .5, .4, .7, .6, .1, .2, .3, .45]


def sample(n, seed=0, calibrated=True):
    rng = np.random.default_rng(seed)
    truth = rng.beta(.5, .5, n)
    labels = (rng.random(n) < truth).astype(float)
    return labels, truth if calibrated else truth**2


def test_confusion_matrix_by_hand():
    result = metrics.score(LABELS, PROBABILITIES)
    assert (result.n, result.n_positive) == (10, 4)
    assert result.tpr == pytest.approx(3 / 4)
    assert result.fpr == pytest.approx(2 / 6)
    assert result.precision == pytest.approx(3 / 5)
    assert result.accuracy == pytest.approx(7 / 10)
    assert result.auc == pytest.approx((6 + 6 + 4 + 3) / 24)


@pytest.mark.parametrize("threshold, tpr, fpr, precision, accuracy", [
    (0.0, 1, 1, .4, .4), (0.5, .75, 1 / 3, .6, .7), (0.75, .5, 0, 1, .8), (1.0, 0, 0, NAN, .6)])
def test_threshold_is_inclusive(threshold, tpr, fpr, precision, accuracy):
    result = metrics.score(LABELS, PROBABILITIES, threshold=threshold)
    np.testing.assert_allclose([result.tpr, result.fpr, result.precision, result.accuracy],
                               [tpr, fpr, precision, accuracy])


@pytest.mark.parametrize("decimals", [1, 2, 15])
def test_area_counts_pairs(decimals):
    labels, probabilities = sample(300)
    probabilities = probabilities.round(decimals)
    difference = probabilities[labels == 1][:, None] - probabilities[labels == 0]
    by_hand = ((difference > 0) + (difference == 0) / 2).mean()
    area = metrics.score(labels, probabilities).auc
    assert area == pytest.approx(by_hand, abs=1e-12)
    assert area == pytest.approx(roc_auc_score(labels, probabilities), abs=1e-12)


def test_unknown_galaxies_are_ignored():
    labels = np.ma.masked_array(LABELS + [1, NAN, 1, 0], dtype=float)
    probabilities = np.ma.masked_array(PROBABILITIES + [NAN, .9, .2, .8])
    labels[12] = np.ma.masked
    probabilities[13] = np.ma.masked
    assert metrics.score(labels, probabilities) == metrics.score(LABELS, PROBABILITIES)


def test_table_columns_become_plain_arrays():
    labels = MaskedColumn([1, 0, 1, 1], mask=[False, False, True, False])
    probabilities = MaskedColumn(np.float32([.5, .25, .75, 1]), mask=[True, False, False, False])
    kept = metrics.valid_pairs(labels, probabilities)
    assert [type(values) for values in kept] == [np.ndarray] * 2
    np.testing.assert_array_equal(kept, [[0, 1], [.25, 1]])


def test_undefined_scores_are_nan_without_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        empty = metrics.score([NAN], [.3])
        negatives = metrics.score([0, 0], [.1, .2])
        low, high = metrics.score_intervals([0, 0], [.1, .2], n_resamples=10)["tpr"]
        nothing = metrics.score_intervals([], [], n_resamples=10)
    assert empty.n == 0
    assert np.isnan([empty.tpr, empty.fpr, empty.precision, empty.accuracy, empty.auc,
                     empty.ece]).all()
    assert np.isnan([negatives.tpr, negatives.precision, negatives.auc, low, high]).all()
    assert (negatives.fpr, negatives.accuracy) == (0, 1)
    assert np.isnan(list(nothing.values())).all()


def test_calibration_error_by_hand():
    # Bins 0-.5 and .5-1: |.1 + .3 - 1| and |.5 + .9 + 1 - 2|, over five galaxies.
    result = metrics.score([1, 0, 1, 1, 0], [.1, .3, .5, .9, 1], n_bins=2)
    assert result.ece == pytest.approx((.6 + .4) / 5)


def test_calibration_error_of_calibrated_and_miscalibrated_samples():
    assert metrics.score(*sample(40_000)).ece < 0.01
    labels, probabilities = sample(40_000, calibrated=False)
    # E|p - p^2| = 1/2 - 3/8 for this beta distribution.
    assert metrics.score(labels, probabilities).ece == pytest.approx(1 / 8, abs=0.01)


def test_reliability_bins():
    bins = curves.reliability([0, 1, 1, 1], [.1, .2, .9, 1], n_bins=4)
    np.testing.assert_array_equal(bins.edges, [0, .25, .5, .75, 1])
    np.testing.assert_array_equal(bins.count, [2, 0, 0, 2])
    np.testing.assert_allclose(bins.probability, [.15, NAN, NAN, .95])
    np.testing.assert_allclose(bins.fraction, [.5, NAN, NAN, 1])
    # Wilson at one sigma: (k + 1/2 +- sqrt(k (n - k) / n + 1/4)) / (n + 1).
    np.testing.assert_allclose(bins.low, [.5 - .75**.5 / 3, NAN, NAN, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(bins.high, [.5 + .75**.5 / 3, NAN, NAN, 1], rtol=1e-6)


def test_reliability_of_nothing():
    bins = curves.reliability([], [], n_bins=3)
    assert bins.count.tolist() == [0, 0, 0]
    assert np.isnan([bins.probability, bins.fraction, bins.low, bins.high]).all()


def test_roc_curve_goes_through_the_threshold():
    fpr, tpr, thresholds = curves.roc_curve(LABELS, PROBABILITIES)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    at = np.flatnonzero(thresholds == .5)
    assert (fpr[at], tpr[at]) == (pytest.approx(1 / 3), pytest.approx(3 / 4))
    assert np.trapezoid(tpr, fpr) == pytest.approx(metrics.score(LABELS, PROBABILITIES).auc)


@pytest.mark.parametrize("level", [.68, .95])
def test_bootstrap_covers_a_binomial_rate(level):
    """The interval of the accuracy holds the true one, 0.8, as often as it says."""
    rng = np.random.default_rng(1)
    trials, n, held = 300, 200, 0
    for seed in range(trials):
        labels = rng.integers(0, 2, n)
        answers = np.where(rng.random(n) < .8, labels, 1 - labels)
        low, high = metrics.score_intervals(labels, answers, n_resamples=200, level=level,
                                            seed=seed)["accuracy"]
        held += low <= .8 <= high
    # Three standard errors of the coverage, and a little for a discrete score.
    assert held / trials == pytest.approx(level, abs=3 * (level * (1 - level) / trials)**.5 + .02)


def test_bootstrap_agrees_with_resampled_galaxies():
    """Multinomial counts stand for galaxies drawn one by one."""
    labels, probabilities = sample(150, seed=4)
    rng = np.random.default_rng(0)
    drawn = [metrics.score(labels[index], probabilities[index])
             for index in rng.integers(0, 150, (2000, 150))]
    intervals = metrics.score_intervals(labels, probabilities, n_resamples=2000)
    for name, (low, high) in intervals.items():
        expected = np.quantile([getattr(one, name) for one in drawn], [.16, .84])
        np.testing.assert_allclose([low, high], expected, atol=.008)
        assert low <= getattr(metrics.score(labels, probabilities), name) <= high


def test_bootstrap_repeats_with_its_seed_whatever_the_block(monkeypatch):
    labels, probabilities = sample(100)
    once = metrics.score_intervals(labels, probabilities, seed=3, n_resamples=50)
    assert once != metrics.score_intervals(labels, probabilities, seed=4, n_resamples=50)
    monkeypatch.setattr(metrics, "_BLOCK", 1)
    assert once == metrics.score_intervals(labels, probabilities, seed=3, n_resamples=50)


def test_wider_level_wider_interval():
    labels, probabilities = sample(500)
    narrow = metrics.score_intervals(labels, probabilities, level=.68)["auc"]
    wide = metrics.score_intervals(labels, probabilities, level=.95)["auc"]
    assert (wide[1] - wide[0]) / (narrow[1] - narrow[0]) == pytest.approx(1.97, abs=.25)


def test_score_table():
    labels, probabilities = (np.column_stack(columns) for columns in
                             zip(sample(200), sample(200, seed=1), sample(200, seed=2),
                                 strict=True))
    labels[:50, 1] = NAN
    table = metrics.score_table(labels, probabilities, QUESTIONS, threshold=[.5, .3, .5],
                                n_resamples=100, level=.95)
    assert table.colnames == [
        "question", "n", "n_positive", "TPR", "TPR_low", "TPR_high", "precision",
        "precision_low", "precision_high", "accuracy", "accuracy_low", "accuracy_high",
        "AUC", "AUC_low", "AUC_high", "ECE"]
    assert table["question"].tolist() == ["disk", "edge_on", "bar"]
    assert table["n"].tolist() == [200, 150, 200]
    assert table.meta == {"threshold": [.5, .3, .5], "interval_level": .95, "n_resamples": 100}
    expected = metrics.score(labels[:, 1], probabilities[:, 1], threshold=.3)
    row = table[1]
    assert (row["TPR"], row["precision"], row["accuracy"], row["AUC"], row["ECE"]) == (
        expected.tpr, expected.precision, expected.accuracy, expected.auc, expected.ece)
    assert all(table["AUC_low"] < table["AUC"]) and all(table["AUC"] < table["AUC_high"])


def test_score_table_without_intervals():
    table = metrics.score_table(np.c_[LABELS], np.c_[PROBABILITIES], ["q1"], intervals=False)
    assert table.colnames == ["question", "n", "n_positive", "TPR", "precision", "accuracy",
                              "AUC", "ECE"]
    assert "interval_level" not in table.meta


@pytest.mark.parametrize("labels, probabilities, options, error, message", [
    ([1, 0], [.5], {}, ValueError, r"same shape \(n,\).*Received \(2,\) and \(1,\)"),
    ([[1, 0]], [[.5, .5]], {}, ValueError, r"one question at a time"),
    ([1, .7], [.5, .5], {}, ValueError, r"labels: expected 1, 0, or NaN.*first 0.7"),
    ([1, 0], [.5, 1.2], {}, ValueError, r"probabilities: expected numbers in 0..1.*first 1.2"),
    ([1, 0], [-.5, .2], {}, ValueError, r"probabilities: expected numbers in 0..1.*first -0.5"),
    (["yes", "no"], [.5, .2], {}, TypeError, r"labels: expected an array of numbers.*yes"),
    ([1, 0], [.5, .2], {"threshold": 50}, ValueError, r"threshold: expected one number.*50"),
    ([1, 0], [.5, .2], {"threshold": NAN}, ValueError, r"threshold: expected one number.*nan"),
    ([1, 0], [.5, .2], {"n_bins": 0}, ValueError, r"n_bins: expected a positive integer.*0"),
])
def test_wrong_arguments(labels, probabilities, options, error, message):
    with pytest.raises(error, match=message):
        metrics.score(labels, probabilities, **options)


@pytest.mark.parametrize("options, message", [
    ({"level": 95}, r"level: expected a number between 0 and 1.*95"),
    ({"n_resamples": 0}, r"n_resamples: expected a positive integer.*0")])
def test_wrong_bootstrap(options, message):
    with pytest.raises(ValueError, match=message):
        metrics.score_intervals(LABELS, PROBABILITIES, **options)


@pytest.mark.parametrize("labels, threshold, message", [
    (np.ones((4, 3)), .5, r"shape \(n, 2\).*\['q1', 'q2'\].*\(4, 3\) and \(4, 2\)"),
    (np.ones((3, 2)), .5, r"\(3, 2\) and \(4, 2\)"),
    (np.ones(4), .5, r"\(4,\) and \(4, 2\)"),
    (np.ones((4, 2)), [.5] * 3, r"threshold: expected one number in 0..1, or 2, one per"),
    (np.ones((4, 2)), [.5, 2], r"threshold: expected one number in 0..1.*2")])
def test_wrong_table(labels, threshold, message):
    with pytest.raises(ValueError, match=message):
        metrics.score_table(labels, np.full((4, 2), .5), ["q1", "q2"], threshold=threshold)


def test_roc_curve_needs_both_answers():
    with pytest.raises(ValueError, match="both answers.*Received 2 positive of 2"):
        curves.roc_curve([1, 1, NAN], [.5, .6, .7])


@pytest.mark.parametrize("modules, heavy", [
    ("plots, astromorph.metrics", "'matplotlib', 'sklearn', 'keras', 'tensorflow', 'scipy'"),
    ("model.calibration", "'matplotlib', 'sklearn', 'keras', 'tensorflow'")])
def test_import_is_light(modules, heavy):
    code = (f"import sys, astromorph.{modules}; "
            f"print([m for m in ({heavy}) if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
