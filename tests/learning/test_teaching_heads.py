"""Questions of one's own: heads of each kind, fitted, calibrated, scored and kept."""
import json
import warnings

import numpy as np
import pytest
from astropy.table import Table
from second_survey import WIDTH, galaxies

from astromorph import AstromorphWarning, MorphologyClassifier, Question, cli
from astromorph.learning.teaching import fit_head
from astromorph.scores import score_answers

GRADES = Question("arms", kind="grades", answers=("none", "weak", "strong"))
CLASSES = Question("shape", kind="classes", answers=("round", "between", "cigar"))
NUMBER = Question("size", kind="number", limits=(-10, 10))
RING = Question("ring")
OPTIONS = {"cutout_r90": WIDTH, "progress": False}


@pytest.fixture(scope="module")
def sample():
    images, labels = galaxies(60, (1, 2), seed=0)
    return list(images), labels


@pytest.fixture(scope="module")
def taught(sample):
    clf = MorphologyClassifier.from_pretrained("sdss")
    images, labels = sample
    return clf.adapt(images, labels[:, 0], questions=[RING], **OPTIONS)


def features_and_labels(question, n, seed):
    """Features of two views, of which some tell the answer, with noise."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(3, 2, (2, n, 12))
    seen[1] = seen[0] + rng.normal(0, 0.1, (n, 12))
    depth = (seen[0] - 3) @ np.r_[1, -1, 0.5, np.zeros(9)] + rng.normal(0, 1, n)
    if question.kind == "number":
        return seen, np.clip(depth, -10, 10)
    return seen, np.digitize(depth, [0] if question.kind == "yes_no" else [-1, 1.5]).astype(float)


@pytest.mark.parametrize("question", [RING, GRADES, CLASSES, NUMBER], ids=lambda q: q.kind)
def test_a_head_learns_and_knows_how_well(question):
    head = fit_head(question, *features_and_labels(question, 300, 0))
    seen, labels = features_and_labels(question, 2000, 1)
    scores = score_answers(labels[:, None], head.answer(seen[0]), [question], intervals=False)
    if question.kind == "number":
        assert scores["sigma"][0] < 1.15 and abs(scores["bias"][0]) < 0.15
        assert abs(scores["within_error"][0] - 0.68) < 0.06
    else:
        measured = [row for row in scores if row["ECE"] is not np.ma.masked]
        assert all(row["AUC"] > 0.75 and row["ECE"] < 0.06 for row in measured)
    # What cross-validation said is what new galaxies show.
    said = {row["question"]: row for row in head.training["scores"]}
    name = "sigma" if question.kind == "number" else "accuracy"
    for row in scores:
        assert abs(said[row["question"]][name] - row[name]) < 0.08


def test_labels_that_tell_nothing_give_the_base_rate():
    seen, _ = features_and_labels(RING, 300, 0)
    labels = (np.random.default_rng(9).random(300) < 0.3).astype(float)
    answers = fit_head(RING, seen, labels).answer(seen[0])
    assert abs(answers.mean() - 0.3) < 0.05 and np.ptp(answers) < 0.6


def test_questions_are_added_and_taught_anew(taught, sample, classifier):
    images, labels = sample
    assert [each.key for each in taught.questions] == ["disk", "edge_on", "bar", "ring"]
    more = taught.adapt(images, np.arange(60) % 3, questions=[CLASSES], **OPTIONS)
    assert [each.key for each in more.questions[3:]] == ["ring", "shape"]
    assert more.model.heads[0] == taught.model.heads[0]
    again = more.adapt(images, 1 - labels[:, 0], questions=[RING], **OPTIONS)
    assert [each.key for each in again.questions[3:]] == ["shape", "ring"]
    assert again.model.heads[1] != taught.model.heads[0]
    np.testing.assert_array_equal(again.predict(images[:5], cutout_r90=WIDTH)[:, :3],
                                  classifier.predict(images[:5], cutout_r90=WIDTH))
    assert "ring: 60 galaxies" in str(taught.report) and taught.report.better == []


def test_the_report_of_numbers_alone_has_their_bias(classifier, sample):
    new = classifier.adapt(sample[0], np.arange(60) / 10, questions=NUMBER, **OPTIONS)
    assert all(f"    {name} " in str(new.report) for name in ("bias", "sigma", "rms"))


def test_the_calibration_report_tells_of_heads(taught, sample):
    images, labels = sample
    both = np.full((60, 4), np.nan)
    both[:, 3] = labels[:, 0]
    report = taught.calibrate(images, both, **OPTIONS).calibration_report
    assert report["question"].tolist() == ["disk", "edge_on", "bar", "ring"]
    assert report["calibrated"].tolist() == [False, False, False, True]
    both[:, 0], both[9:, 3] = labels[:, 0], np.nan
    with pytest.warns(AstromorphWarning, match="Not calibrated, because of too few labels: ring"):
        taught.calibrate(images, both, **OPTIONS)


def test_columns_of_the_table_itself_are_not_replaced_in_silence(taught, sample):
    images = np.array([*sample[0][:3], None], object)[:3]
    table = Table({"image": images, "P_ring": [1.0, 0, 1]})
    with pytest.warns(AstromorphWarning, match="replace the table's own columns P_ring"):
        once = taught.classify(table, images="image", **OPTIONS)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=AstromorphWarning)
        warnings.filterwarnings("error", "The answers replace")  # its own it renews
        taught.classify(once, images="image", questions="ring", **OPTIONS)


@pytest.mark.slow
def test_all_layers(taught, sample):
    images, labels = sample
    both = np.column_stack([labels[:, 0], np.arange(60) % 3])
    with pytest.warns(AstromorphWarning, match="ring were taught on what the network saw before"):
        deep = taught.adapt(images, both, questions=[RING, GRADES], train="all", epochs=1,
                            **OPTIONS)
    assert deep.card["sha256"] != taught.card["sha256"]
    assert [each.key for each in deep.questions[3:]] == ["ring", "arms"]
    assert deep.card["adapted"]["train"] == "all" and deep.model.card.test == []
    assert np.isfinite(deep.predict(images[:5], cutout_r90=WIDTH)).all()


@pytest.mark.parametrize("labels, options, message", [
    (np.arange(60) % 2, {"questions": [Question("bar")]}, "bar, which the network answers itself"),
    (np.arange(60) % 2, {"questions": "ring"}, "one Question or more. Received 'ring'"),
    (np.arange(60) % 2, {"questions": [Question("Bar")]}, "each key once"),
    (np.arange(60) % 2, {"questions": [Question("b", column="P_bar")]}, "each column once"),
    (np.arange(60) % 2, {"questions": [Question("ring", parent="ring")]}, "the parent, before"),
    (np.arange(60) % 2, {"questions": [Question("ring", parent="odd")]},
     "parent of 'ring': expected one of disk, .*'odd'"),
    (np.arange(60) > 54, {"questions": [RING]}, "at least 10 galaxies of each answer to ring"),
    (np.arange(60) % 2, {"questions": [GRADES]}, "each answer to arms.* 0 strong"),
    (np.full(60, np.nan), {"questions": [NUMBER]},
     "at least 30 galaxies of different size.* 0 numbers. Name their column size, or .*aliases="),
    (np.arange(60) % 3, {"questions": [RING]}, "labels: expected 1, 0, or NaN"),
    (np.arange(60), {"questions": [NUMBER]}, "labels: expected finite numbers from -10 to 10"),
    (np.arange(60) % 2, {"questions": [RING], "train": "dense"}, '"head" or "all" for questions'),
    (np.zeros((60, 3)), {"train": "head"}, "questions: expected those to teach")])
def test_what_cannot_be_taught(classifier, sample, labels, options, message):
    with pytest.raises(ValueError, match=message):
        classifier.adapt(sample[0], labels.astype(float), **options, **OPTIONS)


def test_command_line(sample, tmp_path, monkeypatch, capsys):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    images, labels = sample
    for k, image in enumerate(images):
        Image.fromarray(image).save(f"{k}.png")
    table = Table({"file": [f"{k}.png" for k in range(60)],
                   "ring": np.where(labels[:, 0] == 1, "yes", "no"),
                   "shape": np.array(CLASSES.answers)[np.arange(60) % 3]})
    table.write("rings.csv")
    (tmp_path / "mine.toml").write_text(
        '[ring]\n[shape]\nkind = "classes"\nanswers = ["round", "between", "cigar"]\n')
    common = ["rings.csv", "--images", "file", "--cutout-r90", str(WIDTH), "--json", "-q"]
    assert cli.main(["adapt", *common, "--questions", "mine.toml", "-o", "m.safetensors"]) == 0
    assert set(json.loads(capsys.readouterr().out)["heads"]) == {"ring", "shape"}
    assert cli.main(["info", "m.safetensors"]) == 0
    out = capsys.readouterr().out
    assert "taught         ring, shape" in out and "if asked       t_type, " in out
    weights = ["--weights", "m.safetensors"]
    assert cli.main(["classify", *common, *weights, "--questions", "disk,shape", "-o",
                     "done.ecsv"]) == 0
    names = Table.read("done.ecsv").colnames
    assert "P_shape_cigar" in names and not {"P_ring", "P_bar"} & set(names)
    capsys.readouterr()
    assert cli.main(["evaluate", *common, *weights, "--questions", "ring,shape"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert [row["question"] for row in scores] == ["ring", "shape", "shape=round",
                                                   "shape=between", "shape=cigar"]
    assert scores[0]["AUC"] > 0.9 and "AUC" in scores[1] and "TPR" not in scores[1]


def test_a_number_that_one_galaxy_alone_tells():
    """Without it the labels are equal."""
    seen, labels = features_and_labels(NUMBER, 60, 0)[0], np.zeros(60)
    labels[3] = 1
    assert np.isfinite(fit_head(NUMBER, seen, labels).answer(seen[0])).all()


def test_parents_come_first_and_are_known(taught, sample):
    images, labels = sample
    kinds = Question("kind", parent="ring")
    more = taught.adapt(images, labels[:, 0], questions=[kinds], **OPTIONS)
    again = more.adapt(images, 1 - labels[:, 0], questions=[RING], **OPTIONS)
    assert [each.key for each in again.questions[3:]] == ["ring", "kind"]
    for clf, questions, message in [
            (again, [Question("z", column="P_ring")], "parent of 'kind': expected one of disk"),
            (again, [Question("Disk")], "each key once"), (taught, [RING, RING], "each key once"),
            (taught, [Question("z", parent="kind")], "parent of 'z': expected one of disk")]:
        both = np.tile(labels[:, :1], len(questions))
        with pytest.raises(ValueError, match=message):
            clf.adapt(images, both, questions=questions, **OPTIONS)


def test_temperature_is_a_slope_only(taught, sample):
    images, labels = sample
    by = {method: taught.calibrate(
        images, np.column_stack([np.full((60, 3), np.nan), labels[:, 0]]), method=method,
        **OPTIONS).model.heads[-1] for method in ("platt", "temperature")}
    assert by["temperature"].intercept == (0,) != by["platt"].intercept
