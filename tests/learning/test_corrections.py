"""Corrections of the network's own answers: they help with many labels, and do no harm with few."""
import numpy as np

from astromorph.learning.corrections import Correction, correct_left_out, fit_correction


def galaxies(n, seed, shift=0.0, tells=0.0):
    """Features, answers of a network, and labels; the network is off, features tell by how much."""
    rng = np.random.default_rng(seed)
    features = rng.normal(2, 1, (n, 40)) * np.linspace(1, 3, 40)
    logits = rng.normal(0, 2, n)
    truth = logits + shift + tells * (features[:, -1] / 3 - 2)
    labels = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(float)
    return features, 1 / (1 + np.exp(-logits)), labels


def loss(labels, p):
    return -np.log(np.clip(np.where(labels == 1, p, 1 - p), 1e-4, 1)).mean()


def test_no_change_is_the_networks_answer():
    features, present, _ = galaxies(50, 0)
    np.testing.assert_allclose(Correction().answer(features, present)[:, 0], present, atol=1e-3)


def test_a_network_that_is_right_is_hardly_changed():
    test, p, labels = galaxies(4000, 99)
    for seed in range(8):
        features, present, few = galaxies(40, seed)
        found = fit_correction(features, present, few, seed=seed)
        assert loss(labels, found.answer(test, p)[:, 0]) < loss(labels, p) + 0.05


def test_a_network_that_is_off_is_corrected():
    test, p, labels = galaxies(4000, 99, shift=1.5, tells=2)
    features, present, known = galaxies(300, 1, shift=1.5, tells=2)
    found = fit_correction(features, present, known)
    assert loss(labels, found.answer(test, p)[:, 0]) < loss(labels, p) - 0.1
    # All the galaxies tell along which directions they differ.
    other = fit_correction(features, present, known, everything=test)
    assert loss(labels, other.answer(test, p)[:, 0]) < loss(labels, p) - 0.1


def test_answers_left_out_are_those_of_others():
    features, present, labels = galaxies(200, 2, shift=1.5)
    answers = correct_left_out(features, present, labels)
    assert answers.shape == (200, 1)
    assert loss(labels, answers[:, 0]) < loss(labels, present)
    changed = labels.copy()
    changed[7] = 1 - changed[7]
    other = correct_left_out(features, present, changed)
    assert abs(other[7] - answers[7]) < 0.2  # another label hardly moves its own answer


def test_extreme_answers_stay_finite():
    features, _, labels = galaxies(60, 3)
    found = fit_correction(features, labels, labels)
    assert np.isfinite(found.answer(features, labels)).all()
    found = fit_correction(np.zeros_like(features), 1 - labels, labels)
    assert np.isfinite(found.answer(features, 1 - labels)).all()
