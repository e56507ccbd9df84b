"""Scores of every kind of answer."""
import numpy as np
import pytest

from astromorph import Question, score_table
from astromorph.plots import plot_confusion, plot_numbers
from astromorph.scores import confusion, score_answers

RING = Question("ring")
GRADES = Question("arms", kind="grades", answers=("none", "weak", "strong"))
CLASSES = Question("shape", kind="classes", answers=("round", "cigar"))
NUMBER = Question("size", kind="number")


@pytest.fixture
def galaxies():
    """Labels and answers to the four questions."""
    rng = np.random.default_rng(0)
    labels = np.c_[rng.integers(0, 2, 200), rng.integers(0, 3, 200), rng.integers(0, 2, 200),
                   rng.normal(5, 2, 200)].astype(float)
    grades = rng.dirichlet([1, 1, 1], 200) / 2 + np.eye(3)[labels[:, 1].astype(int)] / 2
    classes = rng.dirichlet([1, 1], 200) / 2 + np.eye(2)[labels[:, 2].astype(int)] / 2
    value = labels[:, 3] + rng.normal(0.5, 1, 200)
    return labels, np.c_[rng.random(200), grades, classes, value, np.ones(200)]


def test_yes_no_scores_are_those_of_score_table(galaxies):
    labels, answers = galaxies
    own = score_answers(labels[:, :1], answers[:, :1], [RING])
    known = score_table(labels[:, :1], answers[:, :1], [RING])
    assert own.colnames == known.colnames
    assert all(own[name][0] == known[name][0] for name in known.colnames)


def test_all_kinds_in_one_table(galaxies):
    scores = score_answers(*galaxies, [RING, GRADES, CLASSES, NUMBER])
    assert list(scores["question"]) == ["ring", "arms", "arms>=weak", "arms>=strong", "shape",
                                        "shape=round", "shape=cigar", "size"]
    row = dict(zip(scores["question"], scores))
    assert row["size"]["bias_low"] < 0.5 < row["size"]["bias_high"] + 0.2
    assert 0.8 < row["size"]["sigma"] < 1.2 and row["size"]["TPR"] is np.ma.masked
    assert row["size"]["outliers"] < 0.03 and 0.5 < row["size"]["within_error"] < 0.7
    assert row["arms"]["accuracy_low"] <= row["arms"]["accuracy"] <= row["arms"]["accuracy_high"]
    assert row["arms"]["rank_correlation"] > 0.7 and row["arms>=weak"]["AUC"] > 0.9
    assert row["shape"]["AUC"] == pytest.approx(row["shape=round"]["AUC"])
    again = score_answers(*galaxies, [RING, GRADES, CLASSES, NUMBER])
    assert str(again) == str(scores)


def test_nothing_known(galaxies):
    labels, answers = galaxies
    scores = score_answers(labels * np.nan, answers, [RING, GRADES, CLASSES, NUMBER])
    assert not scores["n"].any() and np.isnan(scores["sigma"][-1])


def test_shapes_must_fit(galaxies):
    labels, answers = galaxies
    with pytest.raises(ValueError, match=r"labels, answers: expected shapes \(n, 2\) and \(n, 4\)"):
        score_answers(labels[:, :2], answers, [RING, GRADES])


def test_confusion_and_plots():
    labels = [0, 1, 1, 2, np.nan]
    answers = np.array([[1, 0, 0], [0, 1, 0], [0.8, 0.1, 0.1], [0, 0, 1], [1, 0, 0]])
    counts = confusion(labels, answers, GRADES)
    assert counts.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    ax = plot_confusion(counts, GRADES.answers)
    assert [text.get_text() for text in ax.texts][:3] == ["1", "0", "0"]
    ax = plot_numbers([1, 2, np.nan], [[1, 0.1], [3, 0.2], [1, 1]], unit="kpc")
    assert ax.get_xlabel() == "Label (kpc)" and len(ax.containers[0][0].get_xdata()) == 2


@pytest.mark.parametrize("question, label", [
    (GRADES, 3), (GRADES, -1), (GRADES, 0.5), (CLASSES, 2)])
def test_labels_of_another_scale_are_refused(question, label):
    n = len(question.answers)
    for score in (lambda y, p: score_answers(y[:, None], p, [question]),
                  lambda y, p: confusion(y, p, question)):
        score(np.array([0, np.nan]), np.eye(n)[:2])
        with pytest.raises(ValueError, match=f"labels: expected positions .* 0 to {n - 1}"):
            score(np.array([0, label]), np.eye(n)[:2])
