"""Scores of the sealed share with honest intervals, and what more labels would bring."""
import json

import numpy as np
import pytest

from astromorph import Question
from astromorph.labeling.curve import forecast, score_sealed

RING = Question("ring")
SHAPE = Question("shape", kind="classes", answers=("round", "between", "cigar"))
NUMBER = Question("size", kind="number")


def test_scores_by_hand():
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0.])
    p = np.array([.9, .9, .9, .1, .1, .1, .1, .1, .1, .9])[:, None]
    scores = score_sealed(RING, labels, p)
    assert [scores[name][0] for name in ("accuracy", "completeness", "purity")] == [.8, .75, .75]
    assert all(low < value < high for value, low, high in scores.values())
    assert score_sealed(SHAPE, np.array([0, 1.]), np.array([[.5, .3, .2], [.5, .3, .2]]))[
        "accuracy"][0] == 0.5
    value, low, high = score_sealed(NUMBER, np.arange(9.), np.stack(
        [np.arange(9.) + 2, np.ones(9)], axis=1))["rms"]
    assert value == low == high == 2


def test_a_perfect_small_sample_is_not_certain():
    value, low, high = score_sealed(RING, np.ones(10), np.full((10, 1), 0.9))["accuracy"]
    assert value == 1 and low < 0.95


@pytest.mark.parametrize("question", [RING, SHAPE, NUMBER], ids=lambda q: q.kind)
def test_no_galaxies(question):
    scores = score_sealed(question, np.empty(0), np.empty((0, len(question.columns))))
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert all(each == [None] * 3 for each in scores.values())


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        p = np.where(rng.random(60) < 0.9, 0.9, 0.1)[:, None]
        _, low, high = score_sealed(RING, np.ones(60), p)["accuracy"]
        held.append(low <= 0.9 <= high)
    assert 0.6 < np.mean(held) < 0.8


def answers_of(errors, n=400, seed=0):
    """Answers at each point of a curve, of which these parts are wrong; the same galaxies fail."""
    luck = np.random.default_rng(seed).random(n)
    return np.ones(n), [np.where(luck < error, 0.1, 0.9)[:, None] for error in errors]


def test_a_falling_error_goes_on_falling():
    numbers = [25, 50, 75, 100, 125]
    labels, answers = answers_of(2 / np.array(numbers)**0.5)
    told = forecast(RING, numbers, labels, answers)
    assert "Another 50 labels would bring about +" in told.sentence
    expected = 2 / 125**0.5 - 2 / 175**0.5
    assert abs(told.gain[0] - expected) < 0.01 and told.gain[1] < expected < told.gain[2] + 0.01
    assert told.stop > 300 and f"at about {told.stop} labels" in told.sentence


def test_a_flat_curve_is_worth_stopping():
    labels, answers = answers_of([0.05] * 6)
    told = forecast(RING, [25, 50, 75, 100, 125, 150], labels, answers)
    assert told.sentence == ("Another 50 labels would bring less than 0.5% of accuracy. You can "
                             "stop.") and told.stop == 150


def test_what_cannot_be_told_is_not():
    rng = np.random.default_rng(1)
    answers = [np.where(rng.random(40) < 0.2, 0.1, 0.9)[:, None] for _ in range(4)]
    told = forecast(RING, [25, 50, 75, 100], np.ones(40), answers)
    assert told.sentence.startswith("It cannot be told") and told.stop is None
    assert "-0.0" not in told.sentence
    for numbers, n, why in (([25, 50], 400, ""), ([25, 50, 75], 10, ": 10 of 20 test labels")):
        labels, answers = answers_of([0.1] * len(numbers), n)
        told = forecast(RING, numbers, labels, answers)
        assert told.sentence == f"It is too early for a forecast{why}." and told.gain is None


def test_scatter_of_a_number():
    off = np.random.default_rng(2).normal(0, 1, 300)
    numbers = [25, 50, 100, 200]
    answers = [np.stack([off * n**-0.5, np.ones(300)], axis=1) for n in numbers]
    told = forecast(NUMBER, numbers, np.zeros(300), answers)
    assert abs(told.gain[0] - (1 - (200 / 250)**0.5)) < 1e-3 and "of scatter" in told.sentence
