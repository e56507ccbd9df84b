"""A new question, a subset of questions, a survey, a network, an image service: one record each.

Every record goes the whole round: build, adapt on simulated galaxies, write, read in a new process,
classify, calibrate, evaluate, report, mark regions, draw a mosaic.
"""
import io
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import processes
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from loopback import LoopbackServer
from loopback.redirect import redirected
from second_survey import WIDTH, galaxies

from astromorph import (QUESTIONS, MorphFlag, MorphologyClassifier, Question, Survey, get_survey,
                        networks, plot_mosaic, read_cutout, to_regions, write_report)
from astromorph.datasets import load_sample
from astromorph.errors import ImageError
from astromorph.model import TrainedModel
from astromorph.model.calibration import PlattScaling
from astromorph.networks import ARCHITECTURES, Architecture, Recipe
from astromorph.partitions import classify_partition
from astromorph.running import probabilities
from astromorph.services import IMAGE_SERVICES, ImageService, ServiceImage
from astromorph.surveys import SURVEYS

ROUND = Question("round_one", positive="round", parent="disk", asked_if=0)
QUICK = {"cutout_r90": WIDTH, "epochs": 1, "folds": 0, "validation_fraction": 0.25}


@pytest.fixture(scope="module")
def sample():
    """64 images of simulated galaxies, and their labels of the three published questions."""
    return galaxies(64, (1, 2), seed=0)


def untrained(questions, architecture="pinwheel", survey="sdss", **card):
    """A model with random weights that answers some questions."""
    arrays = networks.export_weights(networks.build(architecture, questions))
    return TrainedModel.make(
        arrays, network=architecture, survey=get_survey(survey), questions=questions,
        size=networks.get_architecture(architecture).size, frame_r90=4.24,
        calibration=dict.fromkeys((each.key for each in questions), PlattScaling(0.9, 0.1)),
        **card)


def labels_of(questions, labels):
    """Labels of other questions: of the published ones, or every second galaxy."""
    known = dict(zip((question.key for question in QUESTIONS), labels.T, strict=True))
    every_second = (np.arange(len(labels)) % 2).astype(float)
    return np.stack([known.get(question.key, every_second) for question in questions], axis=1)


READ = """
import sys
import numpy as np
from astromorph import MorphologyClassifier

clf = MorphologyClassifier.read(sys.argv[1])
images = np.load(sys.argv[2])
np.save(sys.argv[3], clf.predict(images, cutout_r90=float(sys.argv[4])))
print(clf.survey.name, *(question.key for question in clf.questions))
"""


def whole_round(model, images, labels, folder, *, train="all", survey=None, setup=""):
    """Take a model the whole round; the adapted classifier and the classified table."""
    clf, questions = MorphologyClassifier(model), model.questions
    columns = [question.column for question in questions]
    adapted = clf.adapt(images, labels, train=train, survey=survey, align=False, progress=False,
                        **QUICK)
    assert adapted.questions == questions
    assert [str(name) for name in adapted.report.table["question"]] == [q.key for q in questions]

    path = folder / "adapted.safetensors"
    adapted.write(path)
    np.save(folder / "images.npy", images[:6])
    run = processes.run(setup + READ, path, folder / "images.npy", folder / "answers.npy", WIDTH)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [adapted.survey.name, *(question.key for question in questions)]
    np.testing.assert_array_equal(np.load(folder / "answers.npy"),
                                  adapted.predict(images[:6], cutout_r90=WIDTH))

    table = adapted.classify(list(images), cutout_r90=WIDTH, joint=True, uncertainty="views",
                             progress=False)
    assert [name for name in table.colnames if name in columns] == columns
    assert np.isfinite(probabilities(table, questions)).all()
    assert [name.removesuffix("_joint") for name in table.colnames if name.endswith("_joint")] == [
        question.column for question in questions if question.parent]

    answers = adapted.predict(list(images), cutout_r90=WIDTH)
    likely = (answers > np.median(answers, axis=0)).astype(float)
    likely[::7] = 1 - likely[::7]  # as a rule 1 for the more probable
    calibrated = adapted.calibrate(images, likely, cutout_r90=WIDTH, progress=False)
    assert calibrated.model.identity != adapted.model.identity
    scores = calibrated.evaluate(images, labels, cutout_r90=WIDTH, progress=False)
    assert [str(name) for name in scores["question"]] == [question.key for question in questions]
    assert np.isfinite(scores["AUC"]).all()

    page = folder / "report.html"
    write_report(table, page, classifier=adapted, labels=labels, images=list(images))
    text = page.read_text()
    assert all(column in text and f'id="{question.key}"' in text
               for column, question in zip(columns, questions, strict=True))

    table["ra"], table["dec"] = np.linspace(10, 11, len(table)) * u.deg, 0 * u.deg
    table["petroR90_r"] = 5 * u.arcsec
    if {"P_disk", "P_edge_on", "P_bar"} <= set(columns):
        assert len(to_regions(table)) == len(table)
    axes = plot_mosaic(images[:4], probabilities(table, questions)[:4], questions=questions)
    assert axes.shape == (4, 2)
    plt.close("all")
    return adapted, table


@pytest.mark.slow
def test_a_fourth_question_is_one_record(classifier, sample, tmp_path):
    images, labels = sample
    questions = (*QUESTIONS, ROUND)
    model = untrained(questions, brightness=classifier.model.card.brightness)
    adapted, table = whole_round(model, images, labels_of(questions, labels), tmp_path)
    assert "P_round_one" in table.colnames and adapted.questions[3] == ROUND
    assert adapted.questions[3] is not ROUND or adapted.card["questions"][3]["key"] == "round_one"


@pytest.mark.slow
def test_two_of_three_questions(sample, tmp_path, toy):
    images, labels = sample
    questions = (QUESTIONS[0], QUESTIONS[2])
    _, table = whole_round(untrained(questions, "toy"), images, labels_of(questions, labels),
                           tmp_path, setup=TOY)
    assert "P_edge_on" not in table.colnames and table.colnames[-1] != "P_edge_on"


OWN = {
    "yes_no": Question("ring", positive="ringed", parent="disk"),
    "grades": Question("arms", kind="grades", answers=("none", "weak", "strong"), parent="disk"),
    "classes": Question("shape", kind="classes", answers=("round", "between", "cigar")),
    "number": Question("t", column="TType", kind="number", limits=(-6, 11), ucd="src.morph.type")}


def labels_of_kind(kind, n):
    """Labels that the images have nothing to do with."""
    rng = np.random.default_rng(5)
    return rng.uniform(-6, 11, n) if kind == "number" else np.arange(n) % (
        2 if kind == "yes_no" else 3) * 1.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(OWN))
def test_a_question_of_each_kind_is_one_record(classifier, sample, tmp_path, kind):
    images, published = sample
    images, question = list(images), OWN[kind]
    labels = labels_of_kind(kind, len(images))
    table = Table({"ra": np.linspace(10, 11, 64) * u.deg, "dec": np.zeros(64) * u.deg,
                   question.key: labels})
    pixels = np.empty(len(images), object)
    pixels[:] = images
    table["image"] = pixels
    options = {"cutout_r90": WIDTH, "progress": False}
    taught = classifier.adapt(table, questions=[question], images="image", **options)
    assert taught.questions == (*QUESTIONS, question)
    assert question.key in str(taught.report)

    path = tmp_path / "taught.safetensors"
    taught.write(path)
    np.save(tmp_path / "images.npy", images[:6])
    run = processes.run(READ, path, tmp_path / "images.npy", tmp_path / "answers.npy", WIDTH)
    assert run.returncode == 0, run.stderr
    answers = taught.predict(images[:6], cutout_r90=WIDTH)
    np.testing.assert_array_equal(np.load(tmp_path / "answers.npy"), answers)
    np.testing.assert_array_equal(answers[:, :3], classifier.predict(images[:6], cutout_r90=WIDTH))

    done = taught.classify(table, images="image", joint=True, uncertainty="views",
                           checkpoint=tmp_path / "run", **options)
    assert set(question.columns) <= set(done.colnames)
    assert np.isfinite(probabilities(done, [question])).all()
    plain = classifier.classify(table, images="image", **options)
    assert all(np.array_equal(done[each.column], plain[each.column]) for each in QUESTIONS)

    both = np.column_stack([published, labels])
    calibrated = taught.calibrate(images, both, **options)
    assert calibrated.model.heads != taught.model.heads
    scores = calibrated.evaluate(images, both, **options)
    assert question.key in set(scores["question"])
    own = taught.evaluate(done, questions=[question.key])
    assert own["n"][0] == 64
    with pytest.raises(ValueError, match="the answers of this classifier"):
        calibrated.evaluate(done, questions=[question.key])
    assert len(taught.suggest(images, 5, **options)) == 5

    page = tmp_path / "report.html"
    write_report(done, page, classifier=taught, labels=both, images=images)
    text = page.read_text()
    assert f'id="{question.key}"' in text and question.columns[0] in text
    assert plot_mosaic(images[:2], probabilities(done, taught.questions)[:2],
                       questions=taught.questions).shape == (2, 2)
    plt.close("all")

    partition = classify_partition(
        table["ra", "dec", question.key].to_pandas()[:0], taught, width=20 * u.arcsec,
        questions=[question.key])
    assert list(partition.columns[3:]) == [*question.columns, "morph_flag"]


def test_labels_are_taken_by_their_keys(sample):
    """A table of labels in any order, with more questions than the classifier answers."""
    images, labels = sample
    clf = MorphologyClassifier(untrained((QUESTIONS[0], QUESTIONS[2])))
    table = Table({"bar": labels[:, 2], "edge_on": labels[:, 1], "disk": labels[:, 0]})
    table["image"] = pixels = np.empty(len(images), object)
    pixels[:] = list(images)
    table["image"] = pixels
    by_table = clf.evaluate(table, images="image", cutout_r90=WIDTH, progress=False,
                            intervals=False)
    by_array = clf.evaluate(list(images), labels[:, [0, 2]], cutout_r90=WIDTH, progress=False,
                            intervals=False)
    assert by_table["n_positive"].tolist() == by_array["n_positive"].tolist()
    assert by_table["AUC"].tolist() == by_array["AUC"].tolist()


@pytest.fixture
def euclid_like():
    """A survey of one's own, whose bands have names of several letters."""
    return Survey("wide", "A wide survey", bands=("VIS", "Y", "J", "H"), rgb=("H", "J", "VIS"),
                  pixel_scale=0.1 * u.arcsec, psf_fwhm=0.2 * u.arcsec,
                  scales={"VIS": 2.0, "J": 1.2, "H": 1.0}, offset=0.01, softening=20.0,
                  sky_noise=0.01 * u.nmgy, release="Q1", services=("my-archive",))


@pytest.mark.slow
def test_a_survey_is_one_record(sample, tmp_path, toy, euclid_like):
    images, labels = sample
    adapted, _ = whole_round(untrained(QUESTIONS, "toy"), images, labels, tmp_path,
                             survey=euclid_like, setup=TOY)
    assert adapted.survey == euclid_like
    assert MorphologyClassifier.read(tmp_path / "adapted.safetensors").survey == euclid_like


def test_flux_of_a_survey_with_long_band_names(euclid_like):
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    flux = np.exp(-5 * np.hypot(x, y))
    planes = {"VIS": flux, "J": 2 * flux, "H": 3 * flux}
    cutout = read_cutout(planes, survey=euclid_like)
    red, green, blue = cutout.pixels[32, 20]
    assert red > green > blue > 0
    shown = MorphologyClassifier(untrained(QUESTIONS)).predict(
        [planes], survey=euclid_like, cutout_r90=4.24)
    assert np.isfinite(shown).all()


@pytest.fixture
def own_survey():
    """A survey of one's own, with bands of its own, whose images hips2fits has."""
    des = get_survey("des")
    bands = dict(zip(("F475W", "F814W", "F160W"), "gri"))
    return Survey("mine", "My survey", bands=tuple(bands), rgb=tuple(bands)[::-1],
                  pixel_scale=0.396 * u.arcsec, psf_fwhm=1.3 * u.arcsec, offset=des.offset,
                  scales={band: des.scales[theirs] for band, theirs in bands.items()},
                  softening=des.softening, sky_noise=des.sky_noise, release="DR1",
                  services=("hips2fits-fits",), declinations=(-30, 5),
                  hips={band: des.hips[theirs] for band, theirs in bands.items()})


def own_images(survey):
    """Flux of the sample in the bands of a survey, each galaxy at four angles, with its labels."""
    images, kinds = [], []
    for path in load_sample()["file"]:
        planes, header = fits.getdata(path, header=True)
        images += [{band: np.rot90(plane, k).copy() for band, plane in zip(survey.bands, planes)}
                   for k in range(4)]
        kinds += 4 * [header["MORPH"]]
    return images, np.array(kinds)


@pytest.mark.slow
def test_a_whole_survey_of_ones_own(classifier, own_survey, tmp_path):
    """Own bands, pixels and services; questions of two kinds beside the published ones."""
    images, kinds = own_images(own_survey)
    disk = kinds != "smooth"
    published = np.column_stack([disk, np.where(disk, kinds == "edge-on", np.nan),
                                 np.where(disk & (kinds != "edge-on"), kinds == "barred", np.nan)])
    own = (Question("arms", parent="disk"),
           Question("shape", kind="classes", answers=("round", "flat", "open")))
    labels = Table(published, names=[question.key for question in QUESTIONS])
    labels["arms"] = kinds == "spiral"
    labels["shape"] = np.select([kinds == "smooth", kinds == "edge-on"], ["round", "flat"], "open")
    by_image = {"survey": own_survey, "r90": 5 * u.arcsec, "pixel_scale": own_survey.pixel_scale,
                "progress": False}

    with pytest.raises(ImageError, match="survey="):
        classifier.predict(images[:1], r90=5 * u.arcsec)
    started = classifier.adapt(images, published, epochs=1, folds=0, validation_fraction=0.5,
                               **by_image)
    mine = started.adapt(images, labels, questions=own, **by_image)
    assert mine.survey == own_survey and mine.card["network"] == "pinwheel"
    assert mine.questions == (*QUESTIONS, *own)
    table = mine.classify(images, **by_image)
    assert (table["morph_flag"] & MorphFlag.UNCLASSIFIED == 0).all()
    calibrated = mine.calibrate(images, labels, **by_image)
    scores = calibrated.evaluate(images, labels, questions=["arms", "shape"], **by_image)
    assert scores["n"][:2].tolist() == [36, 48]  # arms are asked of disks
    assert scores["accuracy"][:2].min() > 0.8

    calibrated.write(tmp_path / "mine.safetensors")
    again = MorphologyClassifier.read(tmp_path / "mine.safetensors")
    assert again.survey == own_survey and again.questions == mine.questions
    places = Table({"ra": [10.0, 11.0, 12.0] * u.deg, "dec": [0.0, -1.0, 40.0] * u.deg,
                    "petroR90_r": [5.0, 6.0, 5.0] * u.arcsec})
    with LoopbackServer() as server, redirected(server.url):
        first, second = (each.classify(places, cache=False, provenance=True, progress=False)
                         for each in (calibrated, again))
    assert set(first["cutout_service"][:2]) == {"hips2fits-fits"}
    assert set(first["cutout_bands"][:2]) == {"f475w,f814w,f160w"}
    assert (first["morph_flag"] & MorphFlag.UNCLASSIFIED).astype(bool).tolist() == [
        False, False, True]
    for column in ("P_bar", "P_arms", "P_shape_open"):
        assert np.array_equal(first[column].filled(-1), second[column].filled(-1))
    first, second = (each.classify(images[:4], **by_image) for each in (calibrated, again))
    assert all(np.array_equal(first[name], second[name]) for name in first.colnames)


TOY = """
from keras import Input, Model, layers
from astromorph.networks import ARCHITECTURES, Architecture, Recipe


def toy(questions):
    inputs = Input((16, 16, 3))
    x = layers.Conv2D(8, 3, activation="relu", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return Model(inputs, layers.Dense(len(questions), "sigmoid", name="answers")(x))


recipe = Recipe(1e-2, epochs=1)
ARCHITECTURES["toy"] = Architecture("toy", toy, 16, cut="answers", recipes={
    "all": recipe, "dense": Recipe(1e-2, epochs=1, dense=True), "scratch": recipe})
"""


@pytest.fixture
def toy(monkeypatch):
    """A network without dropout, registered for one test."""
    monkeypatch.setattr(networks.architectures, "ARCHITECTURES", ARCHITECTURES)
    known = dict(ARCHITECTURES)
    exec(TOY, {})
    yield ARCHITECTURES["toy"]
    ARCHITECTURES.clear()
    ARCHITECTURES.update(known)


@pytest.mark.slow
@pytest.mark.parametrize("train", ["all", "dense"])
def test_a_network_is_one_record(sample, tmp_path, toy, train):
    images, labels = sample
    assert isinstance(toy, Architecture) and isinstance(toy.recipes[train], Recipe)
    adapted, _ = whole_round(untrained(QUESTIONS, "toy"), images, labels, tmp_path, train=train,
                             setup=TOY)
    assert adapted.card["network"] == "toy" and adapted.model.size == 16
    with pytest.raises(ValueError, match="uncertainty"):
        adapted.classify(list(images[:2]), uncertainty="dropout", progress=False)


def test_an_unknown_network_is_refused(tmp_path, toy):
    MorphologyClassifier(untrained(QUESTIONS, "toy")).write(tmp_path / "toy.safetensors")
    del ARCHITECTURES["toy"]
    with pytest.raises(ValueError, match="toy"):
        MorphologyClassifier.read(tmp_path / "toy.safetensors")


def archive(request, transport):
    """An image service of one's own: one FITS file per galaxy."""
    side = request.pixels
    y, x = np.indices((side, side)) - (side - 1) / 2
    scale = request.width / side
    flux = np.exp(-np.hypot(x, y) * scale / 3)
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": request.ra,
                          "CRVAL2": request.dec, "CRPIX1": (side + 1) / 2,
                          "CRPIX2": (side + 1) / 2, "CDELT1": -scale / 3600,
                          "CDELT2": scale / 3600, "BANDS": "gri", "BUNIT": "nanomaggy"})
    hdu = fits.PrimaryHDU(np.float32([0.5 * flux, flux, 1.5 * flux]), header)
    file = io.BytesIO()
    hdu.writeto(file)
    return ServiceImage(file.getvalue(), "archive://1", "gri", scale)


def test_an_image_service_is_one_function_and_its_entry(classifier, monkeypatch, tmp_path):
    """Named in the record of a survey, and given as it is."""
    monkeypatch.setitem(IMAGE_SERVICES, "my-archive",
                        ImageService("my-archive", archive, needs=lambda survey: True))
    mine = replace(get_survey("sdss"), name="mine", services=("my-archive",))
    monkeypatch.setitem(SURVEYS, "mine", mine)
    table = Table({"ra": [10.0, 11.0] * u.deg, "dec": [0.0, 1.0] * u.deg,
                   "petroR90_r": [5.0, 6.0] * u.arcsec})
    options = {"cache": tmp_path / "cache", "provenance": True, "progress": False}
    named = classifier.classify(table, survey="mine", **options)
    assert named["morph_flag"].tolist() == [0, 0]
    assert set(named["cutout_service"]) == {"my-archive"}
    given = classifier.classify(table, services=archive, **options)
    assert np.array_equal(given["P_disk"], named["P_disk"])
    forecast = classifier.classify(table[:0], survey=mine, **options)
    assert len(forecast) == 0 and "P_disk" in forecast.colnames
