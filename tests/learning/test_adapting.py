"""`MorphologyClassifier.adapt` on a simulated second survey, and briefly on real DECam images."""
import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier, networks
from astromorph.errors import AstromorphWarning
from astromorph.learning import adapting
from astromorph.learning.reports import AdaptationReport
from astromorph.metrics import balanced_threshold, score_table
from astromorph.questions import QUESTIONS

QUICK = {"cutout_r90": WIDTH, "epochs": 3, "folds": 0, "validation_fraction": 0.25}


@pytest.fixture(autouse=True)
def few_views(monkeypatch):
    """Features of one view: enough here, and quick."""
    for name, record in networks.ARCHITECTURES.items():
        recipes = {mode: replace(recipe, views=1) for mode, recipe in record.recipes.items()}
        monkeypatch.setitem(networks.ARCHITECTURES, name, replace(record, recipes=recipes))


@pytest.fixture(scope="module")
def sample():
    """96 labeled galaxies of two templates a kind."""
    return galaxies(96, (1, 2), seed=0)


@pytest.fixture(scope="module")
def unseen():
    """48 galaxies of the third."""
    return galaxies(48, (3,), seed=1)


@pytest.fixture(scope="module")
def adapted(classifier, sample):
    return classifier.adapt(*sample, survey="legacy", **QUICK)


def arrays(classifier):
    return networks.export_weights(classifier.model.network)


def changed(one, other):
    one, other = arrays(one), arrays(other)
    return {name for name in one if not np.array_equal(one[name], other[name])}


def test_adapted_is_better_and_the_old_one_unchanged(classifier, adapted, unseen):
    images, labels = unseen
    fresh = MorphologyClassifier.from_pretrained("sdss")
    assert not changed(classifier, fresh) and classifier.card == fresh.card
    np.testing.assert_array_equal(classifier.predict(images, cutout_r90=WIDTH),
                                  fresh.predict(images, cutout_r90=WIDTH))
    before, after = (chosen.evaluate(images, labels, cutout_r90=WIDTH, intervals=False)["accuracy"]
                     for chosen in (classifier, adapted))
    assert after[0] > before[0] + 0.1 and after[1] >= before[1] and after.sum() > before.sum() + 0.2


def test_card_says_how_it_came_about(classifier, adapted):
    card = adapted.card
    assert card["survey"] == "legacy" and "test" not in card
    assert card["sha256"] != classifier.card["sha256"]
    assert card["adapted"]["from"] == classifier.card["sha256"]
    assert card["adapted"]["train"] == "all" and card["adapted"]["seed"] == 0
    assert card["adapted"]["galaxies"] == 96 and not card["adapted"]["interrupted"]
    assert card["adapted"]["labels"]["bar"] == {"n": 48, "positive": 24, "trained": True}
    assert card["alignment"]["n_images"] == 96
    assert card["calibration"] != classifier.card["calibration"]
    assert "legacy" in repr(adapted)


def test_report(adapted):
    table = adapted.report.table
    assert table["question"].tolist() == ["disk", "edge_on", "bar"]
    assert table["n"].tolist() == [24, 18, 12] and table["n_positive"].tolist() == [18, 6, 6]
    assert table["accuracy_after"][2] > table["accuracy_before"][2]
    for name in ("TPR", "precision", "accuracy", "AUC"):
        assert (table[f"{name}_after_low"] <= table[f"{name}_after"]).all()
        assert (table[f"{name}_after"] <= table[f"{name}_after_high"]).all()
    printed = str(adapted.report)
    assert "disk: 24 galaxies, 18 positive" in printed and "validation part" in printed
    assert adapted.report.learning_curve is None
    assert MorphologyClassifier.from_pretrained("sdss").report is None


def test_report_says_what_it_began_with_and_what_got_better(classifier, adapted):
    start = f"pinwheel for {classifier.survey.title}, weights {classifier.card['sha256'][:16]}"
    assert f"Started from {start}\n" in str(adapted.report)
    table = adapted.report.table
    rose = table["question"][table["AUC_after"] > table["AUC_before"]].tolist()
    assert adapted.report.better == rose
    assert str(adapted.report).count("no better than before") == 3 - len(rose)


def test_better_is_what_orders_the_galaxies_better():
    labels = np.array([[0.0, 0, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]])
    good, bad = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.2, 0.3, 0.1])
    before, after = np.stack([bad, good, bad], 1), np.stack([good, bad, good], 1)
    report = AdaptationReport.compare(labels, before, after, QUESTIONS, [True, True, False], "me")
    assert report.better == ["disk"]
    assert report.changes() == ["disk 0.250 and 1.000", "edge_on 1.000 and 0.250"]
    assert "edge_on: 4 galaxies, 2 positive; no better than before" in str(report)
    assert AdaptationReport.from_dict(report.to_dict()).better == ["disk"]


def test_adapt_says_when_no_question_got_better(classifier, sample, monkeypatch):
    """Where warnings are errors, too, what was learned is not lost."""
    monkeypatch.setattr(AdaptationReport, "better", [])
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstromorphWarning)
        with pytest.raises(AstromorphWarning, match="no question got better.*pinwheel for .*: "
                           "disk .* and .*; edge_on .*; bar .* Label more") as raised:
            classifier.adapt(*sample, align=False, **QUICK | {"train": "dense", "epochs": 1})
    assert raised.value.result.report.table["n"].tolist() == [24, 18, 12]


def test_write_and_read(adapted, sample, tmp_path):
    adapted.write(tmp_path / "mine.safetensors")
    again = MorphologyClassifier.read(tmp_path / "mine.safetensors")
    assert str(again.report) == str(adapted.report) and repr(again) == repr(adapted)
    np.testing.assert_array_equal(again.predict(sample[0][:4], cutout_r90=WIDTH),
                                  adapted.predict(sample[0][:4], cutout_r90=WIDTH))


@pytest.mark.slow
def test_same_seed_same_classifier(classifier, adapted, sample):
    again = classifier.adapt(*sample, survey="legacy", **QUICK)
    answers = [chosen.predict(sample[0][:8], cutout_r90=WIDTH) for chosen in (adapted, again)]
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("network, layers", [
    ("pinwheel", {"answers/kernel", "answers/bias"}),
    ("ds18", {f"dense{k}_{key}/{part}" for k in (1, 2) for key in ("q1", "q2", "q3")
              for part in ("kernel", "bias")}),
])
def test_dense_leaves_convolutions_alone(sample, network, layers):
    source = MorphologyClassifier.from_pretrained("sdss", network=network)
    images, labels = sample[0][::2], sample[1][::2]
    dense = source.adapt(images, labels, train="dense", **QUICK)
    assert changed(source, dense) == layers
    assert dense.report.table["AUC_after"][0] > 0.8


def test_all_layers_learn_but_not_the_norms(classifier, adapted):
    moved = changed(classifier, adapted)
    assert "stem_conv/kernel" in moved and "block3_conv2/kernel" in moved
    assert not any("norm" in name for name in moved)


@pytest.mark.slow
def test_scratch_does_not_start_from_the_source(classifier, adapted, sample):
    scratch = classifier.adapt(*sample, train="scratch", align=False, **QUICK)
    old, tuned, new = (arrays(chosen)["block3_conv1/kernel"].ravel()
                       for chosen in (classifier, adapted, scratch))
    assert np.corrcoef(old, tuned)[0, 1] > 0.9 and abs(np.corrcoef(old, new)[0, 1]) < 0.1
    assert "alignment" not in scratch.card
    # Later images are aligned to these, not to those of the bundled weights.
    assert scratch.card["brightness"]["n_images"] == 96
    assert adapted.card["brightness"] == classifier.card["brightness"]


def test_galaxies_without_a_label_keep_the_old_answer(classifier, sample):
    images, labels = sample
    trainer = adapting.Trainer(classifier.model, images, labels, "all", None, 0, False)
    old, known = networks.run(classifier.model.network, networks.crop(
        images, classifier.card["size"])), np.isfinite(labels)
    unknown = ~known[:, 2]
    assert unknown.any() and (trainer.weights[known] == 1).all()
    np.testing.assert_allclose(trainer.weights[unknown, 2],
                               0.5 * (old[:, 0] * (1 - old[:, 1]))[unknown], rtol=1e-5)
    np.testing.assert_allclose(trainer.targets[~known], old[~known])
    assert (trainer.judged == known).all()  # they do not choose the epoch


def _interrupted_after(monkeypatch, epochs):
    """Ctrl-C during the training of the epoch after this many."""
    train, done = networks.FineTuning.train, []

    def interrupted(*args):
        epoch = train(*args)
        while len(done) < epochs:
            try:
                answers = next(epoch)
            except StopIteration:
                return
            done.append(1)
            yield answers
        raise KeyboardInterrupt

    monkeypatch.setattr(networks.FineTuning, "train", interrupted)


def test_interrupted_returns_the_best_so_far(classifier, sample, monkeypatch):
    _interrupted_after(monkeypatch, 1)
    with pytest.warns(AstromorphWarning, match="interrupted"):
        partial = classifier.adapt(*sample, **QUICK | {"folds": 3})
    assert partial.card["adapted"]["interrupted"] and changed(classifier, partial)
    assert partial.report.table.meta["tested_by"].startswith("the validation part")


@pytest.mark.slow
def test_interrupted_in_cross_validation_keeps_the_network(classifier, adapted, sample,
                                                           monkeypatch):
    _interrupted_after(monkeypatch, 3)
    kept = classifier.adapt(*sample, **QUICK | {"folds": 3})
    assert kept.card["adapted"]["interrupted"]
    assert not changed(kept, adapted) or np.abs(
        arrays(kept)["answers/kernel"] - arrays(adapted)["answers/kernel"]).max() < 1e-3


@pytest.mark.slow
def test_last_epoch_without_validation(classifier, sample, monkeypatch):
    """All galaxies train; the weights are those of the last epoch, not of an earlier one."""
    options = QUICK | {"folds": 2, "validation_fraction": 0, "train": "dense", "epochs": 2}
    whole = classifier.adapt(*sample, **options)
    assert whole.report.table["n"].tolist() == [96, 72, 48]
    _interrupted_after(monkeypatch, 1)
    partial = classifier.adapt(*sample, **options)
    assert changed(whole, partial)
    assert partial.report.table["n"].tolist() == [0, 0, 0]  # nothing was left to score on


def test_interrupted_before_anything_was_learned(classifier, sample, monkeypatch):
    _interrupted_after(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        classifier.adapt(*sample, **QUICK)


@pytest.mark.slow
def test_question_without_labels_is_kept(classifier, sample):
    """All-positive bars: the others are taught, Q3 keeps its answers and calibration."""
    images, labels = sample[0], sample[1].copy()
    labels[labels[:, 2] == 0, 2] = np.nan
    with pytest.warns(AstromorphWarning, match="bar have fewer than 10"):
        adapted = classifier.adapt(images, labels, **QUICK | {"epochs": 6})
    assert adapted.report.table["trained"].tolist() == [True, True, False]
    assert "kept as it was" in str(adapted.report)
    assert adapted.card["calibration"]["bar"] == classifier.card["calibration"]["bar"]
    old, new = (chosen.predict(images, cutout_r90=WIDTH) for chosen in (
        classifier.align(images, cutout_r90=WIDTH), adapted))
    away = np.abs(old - new).mean(axis=0)
    assert away[2] < 0.1 and away[2] < away[:2].mean()


@pytest.mark.slow
def test_cross_validation_and_learning_curve(classifier, sample):
    adapted = classifier.adapt(*sample, train="dense", learning_curve=[30, 60],
                               **QUICK | {"folds": None, "epochs": 2})
    table = adapted.report.table  # few labels: every galaxy is tested, in three parts
    assert table["n"].tolist() == [96, 72, 48]
    assert table.meta["tested_by"] == "3-fold cross-validation"
    curve = adapted.report.learning_curve
    assert curve["n_train"].tolist() == [30] * 3 + [60] * 3
    assert curve["question"].tolist() == ["disk", "edge_on", "bar"] * 2
    assert "Learning curve" in str(adapted.report)


def test_parts_are_disjoint_and_alike(classifier, sample):
    images, labels = sample
    trainer = adapting.Trainer(classifier.model, images, labels, "dense", None, 0, False)
    rows = np.arange(96)
    parts = trainer.parts(rows, 4, 0)
    assert np.bincount(parts).tolist() == [24] * 4
    for part in range(4):
        assert np.nansum(labels[parts == part], axis=0).tolist() == [18, 6, 6]


def test_table_of_votes_and_bad_rows(classifier, sample, tmp_path):
    """Labels from vote columns; files that cannot be read are left out."""
    from PIL import Image

    images, labels = sample[0][:60], sample[1][:60].copy()
    files = [str(tmp_path / f"{k}.png") for k in range(60)]
    for file, image in zip(files, images):
        Image.fromarray(image).save(file)
    (tmp_path / "7.png").write_bytes(b"")
    labels[8] = np.nan  # a galaxy without a label does not count
    table = Table({"file": files})
    for question, name in ((0, "smooth-or-featured_featured-or-disk"), (1, "disk-edge-on_yes"),
                           (2, "bar_yes")):
        table[f"{name}_fraction"] = np.where(np.isnan(labels[:, question]), 0.5,
                                             0.1 + 0.8 * np.nan_to_num(labels[:, question]))
    table["smooth-or-featured_smooth_fraction"] = 1 - table[
        "smooth-or-featured_featured-or-disk_fraction"]
    table["disk-edge-on_no_fraction"] = 1 - table["disk-edge-on_yes_fraction"]
    table["bar_no_fraction"] = 1 - table["bar_yes_fraction"]
    adapted = classifier.adapt(table, images="file", train="dense", **QUICK)
    assert adapted.card["adapted"]["galaxies"] == 58


@pytest.mark.parametrize("labels, message", [
    (np.ones((96, 3)), "at least 10 galaxies of each answer.*disk 96 positive and 0 negative"),
    (np.full((96, 3), np.nan), "disk 0 positive and 0 negative"),
    (np.full((96, 3), 0.4), "labels: expected 1, 0, or NaN"),
    (np.full((96, 3), 2), "labels: expected 1, 0, or NaN"),
    (np.ones((95, 3)), r"expected shape \(96, 3\).*\(95, 3\)"),
    (np.ones(96), r"expected shape \(96, 3\).*\(96,\)"),
    (None, "labels: expected an array"),
])
def test_wrong_labels(classifier, sample, labels, message):
    with pytest.raises(ValueError, match=message):
        classifier.adapt(sample[0], labels, **QUICK)


def test_labels_that_are_not_numbers(classifier, sample):
    with pytest.raises(TypeError, match="labels: expected an array of numbers"):
        classifier.adapt(sample[0], [["yes", "no", "no"]] * 96, **QUICK)


def test_three_galaxies_or_none_usable(classifier, sample):
    images, labels = sample
    with pytest.raises(ValueError, match="at least 10 galaxies.*disk 2 positive and 1 negative"):
        classifier.adapt(images[1:4], [[1, 0, 0], [1, 1, np.nan], [0, np.nan, np.nan]], **QUICK)
    with pytest.raises(ValueError, match="data: expected .*images that can be read. Received none"):
        classifier.adapt(["nowhere.jpg"] * 96, labels, **QUICK)


@pytest.mark.parametrize("options, message", [
    ({"train": "some"}, "train: expected one of"),
    ({"epochs": 0}, "epochs: expected a positive integer"),
    ({"folds": 1}, "folds: expected 2 or more"),
    ({"seed": -1}, "seed: expected an integer"),
    ({"validation_fraction": 0.9}, "validation_fraction: expected a number"),
    ({"validation_fraction": 0}, "leaves no galaxies to score on"),
    ({"learning_curve": [1000]}, "learning_curve: expected at most the 72 galaxies"),
    ({"learning_curve": [0]}, "learning_curve: expected a positive integer"),
    ({"survey": "2mass"}, "survey: expected one of"),
    ({"color": 1}, "color: expected a known option"),
])
def test_wrong_arguments(classifier, sample, options, message):
    with pytest.raises(ValueError, match=message):
        classifier.adapt(*sample, **QUICK | options)


def test_balanced_threshold():
    labels, probabilities = [1, 0, 1, 0, 1, np.nan], [0.9, 0.8, 0.7, 0.2, 0.6, 0.95]
    threshold = balanced_threshold(labels, probabilities)
    assert threshold == pytest.approx(0.65)
    row = score_table(np.array(labels)[:, None], np.array(probabilities)[:, None], ["disk"],
                      threshold=threshold, intervals=False)[0]
    assert row["TPR"] == pytest.approx(row["precision"])
    assert np.isnan(balanced_threshold([1, 1], [0.2, 0.3]))


def test_report_of_nothing_tested():
    nothing = np.full((4, 3), np.nan)
    report = AdaptationReport.compare(nothing, nothing, nothing, QUESTIONS, [True] * 3, "nothing")
    assert report.table["n"].tolist() == [0, 0, 0] and "nan" in str(report)


@pytest.mark.slow
def test_adapted_to_decals_beats_direct(real_data, ds18_classifier):
    """Disks of galaxies that training did not see, by the dense layers in a few steps.

    By the network that has most to learn of them: what adapting adds to pinwheel's accuracy in so
    few steps is less than 128 galaxies can tell.
    """
    labels = Table.read(real_data / "decals" / "labels.csv", format="csv")
    labels["file"] = [str(real_data / "decals" / file) for file in labels["file"]]
    train, val = (labels[labels["split"] == split] for split in ("train", "val"))
    train = train[::3]
    reading = {"images": "file", "r90": "measure"}
    adapted = ds18_classifier.adapt(train, survey="legacy", train="dense", epochs=3, folds=0,
                                    progress=False, **reading)
    before, after = (chosen.evaluate(val, intervals=False, **reading)[0]
                     for chosen in (ds18_classifier, adapted))
    assert after["accuracy"] > before["accuracy"] and after["AUC"] > before["AUC"]
