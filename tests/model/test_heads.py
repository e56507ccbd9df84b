"""Heads: further questions of each kind, answered in the same pass, written and read."""
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from astromorph import MorphologyClassifier, Question
from astromorph.model import TrainedModel
from astromorph.model.head_kinds import KINDS
from astromorph.model.heads import Head

QUESTIONS = (
    Question("ring", parent="disk"),
    Question("arms", kind="grades", answers=("none", "weak", "strong"), parent="disk"),
    Question("shape", kind="classes", answers=("round", "between", "cigar")),
    Question("t", column="TType", kind="number", limits=(-6, 11), ucd="src.morph.type"))
COLUMNS = [column for question in QUESTIONS for column in question.columns]
SMALL = {"batch_size": 8}  # a batch is filled up, and 64 galaxies are many for five


def random_heads(n_features, questions=QUESTIONS, **parts):
    """Heads with random weights."""
    rng = np.random.default_rng(0)
    widths = [KINDS[question.kind].outputs(question) for question in questions]
    return tuple(Head(question, rng.normal(0, 0.2, (n_features, width)), rng.normal(size=width),
                      **parts) for question, width in zip(questions, widths, strict=True))


@pytest.fixture
def pixels(any_classifier):
    size = any_classifier.model.size
    return np.random.default_rng(1).random((5, size, size, 3), np.float32)


@pytest.fixture
def without_heads(any_classifier):
    return any_classifier.model.replace(heads=())


@pytest.fixture
def with_heads(without_heads):
    return without_heads.replace(heads=random_heads(192))


@pytest.fixture
def images():
    return list(np.random.default_rng(2).random((4, 90, 90, 3)))


def test_old_answers_stay_bit_for_bit(without_heads, with_heads, pixels):
    before, after = without_heads.answer(pixels, **SMALL), with_heads.answer(pixels, **SMALL)
    assert after.shape == (5, 3 + len(COLUMNS))
    np.testing.assert_array_equal(after[:, :3], before)
    np.testing.assert_array_equal(with_heads.raw(pixels, **SMALL),
                                  without_heads.raw(pixels, **SMALL))
    np.testing.assert_array_equal(with_heads.answer_with_features(pixels, **SMALL)[:, :3], before)


def test_what_the_answers_may_be(with_heads, pixels):
    ring, *rest = with_heads.answer(pixels, **SMALL)[:, 3:].T
    grades, classes, (value, error) = np.split(np.array(rest), [3, 6])
    assert ((ring > 0) & (ring < 1)).all()
    for answers in (grades, classes):
        assert (answers >= 0).all() and np.allclose(answers.sum(axis=0), 1)
    assert ((value >= -6) & (value <= 11) & (error > 0)).all()


def test_spreads_of_all_columns(with_heads, pixels):
    for kind in ("views", "dropout"):
        found = with_heads.answer_with_spread(kind, pixels, **SMALL)
        np.testing.assert_array_equal(found[:, :12], with_heads.answer(pixels, **SMALL))
        assert found.shape == (5, 24) and (found[:, 12:] >= 0).all() and found[:, 12:].any()


def test_write_read_identity(with_heads, without_heads, tmp_path, pixels):
    with_heads.write(tmp_path / "heads.safetensors")
    again = TrainedModel.read(tmp_path / "heads.safetensors")
    assert again.card == with_heads.card and again.identity == with_heads.identity
    np.testing.assert_array_equal(again.answer(pixels, **SMALL), with_heads.answer(pixels, **SMALL))
    other = with_heads.replace(heads=(replace(again.heads[0], bias=[0.5]), *again.heads[1:]))
    assert other.identity != with_heads.identity
    # What is not asked for does not count.
    assert other.asking(["disk"]).identity == without_heads.identity
    assert again.asking("all") is again


def test_a_changed_head_is_refused(with_heads, tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "heads.safetensors"
    with_heads.write(path)
    with safe_open(path, framework="numpy") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    save_file(arrays | {"heads/ring/bias": np.float32([9])}, path, metadata)
    with pytest.raises(ValueError, match=r"heads\['ring'\].*edited"):
        TrainedModel.read(path)
    del arrays["heads/ring/bias"]
    save_file(arrays, path, metadata)
    with pytest.raises(ValueError, match="heads: expected the array 'heads/ring/bias'"):
        TrainedModel.read(path)


def test_classify_answers_what_is_asked(classifier, images):
    clf = MorphologyClassifier(classifier.model.replace(heads=(
        *random_heads(192, QUESTIONS[:1]), *random_heads(192, QUESTIONS[1:], default=False))))
    plain = classifier.classify(images, progress=False)
    table = clf.classify(images, progress=False)
    assert table.colnames[:-1] == ["P_disk", "P_edge_on", "P_bar", "P_ring"]
    for column in ("P_disk", "P_edge_on", "P_bar", "morph_flag"):
        assert np.array_equal(table[column], plain[column])
    whole = clf.classify(images, questions="all", uncertainty="views", joint=True, progress=False)
    assert [name for name in whole.colnames if name in COLUMNS] == COLUMNS
    assert {"TType_err", "P_arms_weak_joint", "P_ring_joint"} <= set(whole.colnames)
    assert not {"e_TType_err", "TType_joint"} & set(whole.colnames)
    assert whole["TType"].meta["ucd"] == "src.morph.type"
    assert whole["e_TType"].meta["ucd"] == "stat.error;src.morph.type"
    some = clf.classify(images, questions=["disk", "TType"], progress=False)
    assert some.colnames == ["P_disk", "TType", "e_TType", "morph_flag"]
    assert np.array_equal(some["TType"], whole["TType"])
    assert clf.predict(images).shape == (4, 4)
    assert isinstance(clf.classify([], questions="all"), Table)
    with pytest.raises(ValueError, match="questions: expected 'all', or some of disk, .*, t."):
        clf.classify(images, questions=["rings"])


def test_a_head_of_another_network_is_refused(classifier):
    with pytest.raises(ValueError, match="192 features"):
        classifier.model.replace(heads=random_heads(64))


@pytest.mark.parametrize("parts", [{"bias": [1, 2]}, {"bias": [np.nan]}, {"slope": (1, 2)},
                                   {"kernel": np.ones(4)}])
def test_heads_that_do_not_fit(parts):
    with pytest.raises(ValueError, match="of 'ring'"):
        Head(**{"question": QUESTIONS[0], "kernel": np.ones((4, 1)), "bias": [0]} | parts)


def test_checkpoint_keeps_numbers_of_any_size(classifier, images, tmp_path):
    clf = MorphologyClassifier(classifier.model.replace(heads=random_heads(192)))
    first = clf.classify(images, questions="all", checkpoint=tmp_path / "run", progress=False)
    again = clf.classify(images, questions="all", checkpoint=tmp_path / "run", progress=False)
    assert all(np.array_equal(first[name], again[name]) for name in COLUMNS)
    with pytest.raises(ValueError, match="head_ring"):
        clf.classify(images, questions=["TType"], checkpoint=tmp_path / "run", progress=False)


@pytest.mark.parametrize("part, message", [
    ({"kernel": np.full((192, 1), 1e39)}, "kernel of 'ring': expected finite numbers"),
    ({"kernel": np.zeros(192)}, r"shape \(features, 1\)"), ({"bias": [np.nan]}, "bias of 'ring'"),
    ({"slope": "5"}, "slope of 'ring'"), ({"slope": [10**400]}, "slope: expected an array"),
    ({"intercept": [0, 0]}, "intercept of 'ring'"), ({"kernel": None}, "kernel"),
    ({"default": "no"}, "default: expected true or false"),
    ({"training": []}, "training: expected a dictionary")])
def test_what_no_head_can_have(part, message):
    with pytest.raises(ValueError, match=message):
        Head(**{"question": QUESTIONS[0], "kernel": np.zeros((192, 1)), "bias": [0.0]} | part)


def test_answers_that_cannot_be_are_not_minus_zero():
    head = Head(QUESTIONS[1], np.zeros((3, 2)), [5.0, 5.0])
    assert not np.signbit(head.answer(np.zeros((1, 3)))).any()


@pytest.mark.parametrize("asked", [5, [5], [["disk"]], [Question("TType")], Question("ring")])
def test_only_questions_of_the_model_are_answered(with_heads, asked):
    assert with_heads.find_questions([QUESTIONS[0]]) == QUESTIONS[:1]
    assert with_heads.find_questions(QUESTIONS[0]) == QUESTIONS[:1]
    with pytest.raises(ValueError, match="questions: expected 'all', or some of disk"):
        with_heads.find_questions(asked)


def test_answers_of_another_model_do_not_stay(classifier, images):
    ring, *others = random_heads(192)
    first = MorphologyClassifier(classifier.model.replace(heads=(ring, *others)))
    other = MorphologyClassifier(first.model.replace(heads=(replace(ring, bias=[9.0]), *others)))
    options = {"images": "image", "progress": False}
    table = Table({"image": [None] * 4, "V_own": np.arange(4)})
    for row, image in enumerate(images):
        table["image"][row] = image
    old = first.classify(table, uncertainty="views", joint=True, **options)
    more = first.classify(old, questions=["disk", "TType"], **options)
    assert {"P_ring", "P_ring_err", "V_own"} <= set(more.colnames)  # of the same model
    assert first.model.has_made(more) and not {"P_disk_err", "TType_err"} & set(more.colnames)
    new = other.classify(old, questions=["disk"], **options)
    assert new.colnames == ["image", "V_own", "P_disk", "morph_flag"]
    assert other.model.has_made(new) and other.model.has_made(table) is None
    assert other.model.has_made(old) is False
    with pytest.raises(ValueError, match="data: expected galaxies, or the answers of this"):
        other.evaluate(old, np.ones((4, 7)))
