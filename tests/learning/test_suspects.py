"""Suspect labels: flipped ones are found, for all kinds of questions; none is changed."""
import numpy as np
import pytest
from astropy.table import Table
from second_survey import WIDTH, galaxies

from astromorph import AstromorphWarning, Question
from astromorph.learning.suspects import find_suspects

RING = Question("ring")
GRADES = Question("arms", kind="grades", answers=("none", "weak", "strong"))
CLASSES = Question("shape", kind="classes", answers=("round", "between", "cigar"))
NUMBER = Question("size", kind="number")
DISK = Question("disk")


def features_and_labels(question, n=300):
    rng = np.random.default_rng(5)
    seen = rng.normal(0, 1, (n, 12))
    depth = 4 * seen[:, 0] + rng.normal(0, 0.5, n)
    if question.kind == "number":
        return seen, depth
    return seen, np.digitize(depth, [0] if question.kind == "yes_no" else [-2, 2]).astype(float)


def wrong_one(question, label):
    if question.kind == "number":
        return label + 8
    return 1 - label if question.kind == "yes_no" else 2.0 if label == 0 else 0.0


@pytest.mark.parametrize("question", [RING, GRADES, CLASSES, NUMBER, DISK], ids=lambda q: q.key)
def test_wrong_labels_are_the_most_suspect(question):
    seen, labels = features_and_labels(question)
    far = [row for row in np.argsort(-np.abs(seen[:, 0]))[:150:10]]
    given = labels.copy()
    given[far] = [wrong_one(question, labels[row]) for row in far]
    before = given.copy()
    present = np.full((300, 1), 0.5)
    found = find_suspects(["disk"], present, seen, given[:, None], [question])
    np.testing.assert_array_equal(given, before)
    assert len(found) <= 24 and {each["question"] for each in found} == {question.key}
    rows = [each["row"] for each in found]
    assert len(set(rows[:len(far)]) & set(far)) >= len(far) - 2
    suspicion = [each["suspicion"] for each in found]
    assert suspicion == sorted(suspicion, reverse=True) and 0 < min(suspicion) <= max(suspicion) < 1
    top = found[0]
    assert top["P"] < 0.2
    assert top["label"] == (f"{given[top['row']]:g}" if question.kind == "number" else (
        question.answers or (question.negative, question.positive))[int(given[top["row"]])])


def test_galaxies_without_image_or_label_are_no_suspects():
    seen, labels = features_and_labels(RING)
    labels[::3], seen[1::3] = np.nan, np.nan
    labels[2::30] = 1 - labels[2::30]
    found = find_suspects([], np.empty((300, 0)), seen, labels[:, None], [RING], share=0.2)
    assert found and all(each["row"] % 3 == 2 for each in found)


def test_too_few_labels():
    seen, labels = features_and_labels(RING)
    with pytest.warns(AstromorphWarning, match="ring has too few labels"):
        assert find_suspects([], np.empty((15, 0)), seen[:15], labels[:15, None], [RING]) == []


@pytest.fixture(scope="module")
def sample():
    images, labels = galaxies(80, (1, 2), seed=0)
    return list(images), labels[:, 0]


def test_of_a_classifier(classifier, sample):
    images, truth = sample
    given = truth.copy()
    given[[10, 40]] = 1 - given[[10, 40]]
    table = Table({"name": [f"g{row}" for row in range(80)], "ring": given})
    options = {"questions": [RING], "cutout_r90": WIDTH, "progress": False}
    found = classifier.suspects(images, table["ring"], **options)
    assert found.colnames == ["row", "name", "question", "label", "P", "suspicion"]
    assert {10, 40} <= set(found["row"][:4]) and len(found) <= 7
    again = classifier.suspects(images, table["ring"], **options)
    assert again["row"].tolist() == found["row"].tolist()
    with pytest.raises(ValueError, match="share"):
        classifier.suspects(images, truth, share=0, **options)
    with pytest.raises(ValueError, match="questions"):
        classifier.suspects(images, truth, **options | {"questions": "ring"})
    table["image"] = images
    named = classifier.suspects(table, images="image", **options)
    assert named["name"].tolist() == [f"g{row}" for row in named["row"]]


def test_nothing_suspect(classifier, sample):
    images, truth = sample
    found = classifier.suspects(images[:30], truth[:30], questions=[RING], share=0.01,
                                cutout_r90=WIDTH, progress=False)
    assert len(found) <= 1 and found["suspicion"].dtype.kind == "f"
