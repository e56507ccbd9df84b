"""Alignment of brightness, on the simulated second survey."""
import json

import numpy as np
import pytest
from astropy.table import Table
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier
from astromorph.galaxies import open_source
from astromorph.model.alignment import LEVELS, Alignment, measure_brightness
from astromorph.running import read_frames


@pytest.fixture(scope="module")
def images():
    return galaxies(48, (1, 2, 3), seed=0)[0]


@pytest.fixture(scope="module")
def aligned(classifier, images):
    return classifier.align(images, cutout_r90=WIDTH, survey="legacy")


def network_pixels(model, images, **reading):
    """What the network sees of images."""
    source = open_source(model, images, **reading)
    return model.prepare(read_frames(source, size=model.size, frame_r90=model.frame_r90))


def _frames(n, power, seed=0):
    x, y = np.mgrid[-1:1:32j, -1:1:32j]
    disk = np.exp(-4 * np.hypot(x, y))[..., None]
    rng = np.random.default_rng(seed)
    return [(disk * rng.uniform(0.9, 1.1, (32, 32, 3))).astype(np.float32) ** power
            for _ in range(n)]


def test_brightness_is_quantiles_of_all_pixels():
    frames = _frames(40, 1.0)
    quantiles, n_images = measure_brightness(iter(frames))
    peaks = [frame / frame.max(axis=(0, 1)) for frame in frames]
    expected = np.quantile(np.stack(peaks).reshape(-1, 3), LEVELS, axis=0).T
    assert n_images == 40 and quantiles.shape == (3, len(LEVELS))
    # The brightest of all are single pixels: quantiles between them are a matter of definition.
    dense = LEVELS < 0.999
    np.testing.assert_allclose(quantiles[:, dense], expected[:, dense], atol=3e-3)


def test_curves_carry_one_brightness_onto_the_other():
    wanted, _ = measure_brightness(_frames(40, 1.0))
    measured, _ = measure_brightness(_frames(40, 0.5, seed=1))
    alignment = Alignment(measured, wanted, 32, blur=0)
    after, _ = measure_brightness([alignment(frame) for frame in _frames(40, 0.5, seed=2)])
    assert np.abs(measured - wanted).max() > 0.2
    dense = LEVELS < 0.99
    np.testing.assert_allclose(after[:, dense], wanted[:, dense], atol=0.03)


def test_alignment_does_not_depend_on_exposure_and_keeps_black_and_peak():
    quantiles, _ = measure_brightness(_frames(30, 1.0))
    alignment = Alignment(quantiles, np.sqrt(quantiles), 32, blur=0)
    frame = _frames(1, 1.0)[0]
    np.testing.assert_allclose(alignment(frame * 0.3), alignment(frame), atol=2e-3)
    np.testing.assert_allclose(alignment(frame).max(axis=(0, 1)), 1, atol=2e-3)


def test_saturated_pixels_do_not_stand_out():
    """They are many at one value: the lowest of the quantiles that coincide there counts."""
    wanted = np.tile(LEVELS, (3, 1))
    alignment = Alignment(np.minimum(wanted / 0.9, 1), wanted, 32, blur=0)
    frame = np.tile(np.linspace(0, 1, 32, dtype=np.float32)[:, None, None], (1, 32, 3))
    assert alignment(frame).max() == pytest.approx(0.9, abs=0.01)


def test_margin_changes_nothing_inside():
    """Frames for training are aligned as those that are classified."""
    quantiles, _ = measure_brightness(_frames(30, 1.0))
    alignment = Alignment(quantiles, np.sqrt(quantiles), 20, blur=0)
    frame = _frames(1, 1.0)[0]
    frame[0, 0] = 5  # a star in the margin
    np.testing.assert_allclose(alignment(frame)[6:26, 6:26], alignment(frame[6:26, 6:26]),
                               atol=1e-6)


def test_blur_keeps_flux():
    identity = np.tile(LEVELS, (3, 1))
    frame = np.zeros((32, 32, 3), np.float32)
    frame[16, 16] = 1
    blurred = Alignment(identity, identity, 32, blur=1.5 / 32)(frame)
    np.testing.assert_allclose(blurred.sum(axis=(0, 1)), 1, rtol=1e-3)
    assert blurred.max() < 0.1


def test_round_trip_through_json():
    quantiles, n_images = measure_brightness(_frames(30, 1.0))
    alignment = Alignment(quantiles, np.sqrt(quantiles), 32, n_images=n_images, survey="legacy")
    again = Alignment.from_dict(json.loads(json.dumps(alignment.to_dict())))
    frame = _frames(1, 1.0)[0]
    np.testing.assert_array_equal(again(frame), alignment(frame))
    assert again.n_images == 30 and again.survey == "legacy"


@pytest.mark.parametrize("measured, blur, message", [
    (np.zeros((2, 5)), 0, "measured: expected a row"),
    (np.ones((3, 5)).cumsum(axis=1)[:, ::-1], 0, "measured: expected a row of increasing"),
    (np.zeros((3, 4)), 0, "expected the same shape"),
    (np.zeros((3, 5)), 2, "blur: expected a fraction"),
    (np.full((3, 5), np.nan), 0, "measured: expected"),
])
def test_wrong_alignments(measured, blur, message):
    with pytest.raises(ValueError, match=message):
        Alignment(measured, np.zeros((3, 5)), 32, blur)


def test_align_closes_the_difference_of_surveys(classifier, aligned):
    """Without a label: the brightness of other galaxies, and most of the errors on them."""
    images, labels = galaxies(48, (3,), seed=1)
    source = np.array(classifier.card["brightness"]["quantiles"])

    def distance(chosen):
        frames = network_pixels(chosen.model, images, cutout_r90=WIDTH)
        return np.abs(measure_brightness(frames)[0] - source).mean()

    assert distance(aligned) < 0.3 * distance(classifier)
    scores = [chosen.evaluate(images, labels, cutout_r90=WIDTH, intervals=False)["accuracy"]
              for chosen in (classifier, aligned)]
    assert scores[1][0] > scores[0][0] + 0.1 and scores[1].sum() > scores[0].sum()


def test_align_leaves_the_old_classifier_and_says_what_it_did(classifier, aligned, images):
    assert "alignment" not in classifier.card and aligned is not classifier
    card = aligned.card
    assert card["sha256"] == classifier.card["sha256"] and card["survey"] == "legacy"
    assert aligned.model.identity != classifier.model.identity
    assert "aligned" in repr(aligned) and "aligned" not in repr(classifier)
    assert card["alignment"]["n_images"] == 48 and card["alignment"]["survey"] == "legacy"
    again = aligned.align(images, cutout_r90=WIDTH, survey="legacy")
    assert again.card == card  # measured on the images as they are, not as aligned


def test_classify_and_predict_align_alike(aligned, classifier, images, tmp_path):
    answers = aligned.predict(images[:4], cutout_r90=WIDTH)
    table = aligned.classify(images[:4], cutout_r90=WIDTH)
    np.testing.assert_allclose(table["P_disk"], answers[:, 0], atol=1e-6)
    assert np.abs(answers - classifier.predict(images[:4], cutout_r90=WIDTH)).max() > 0.01
    aligned.write(tmp_path / "aligned.safetensors")
    again = MorphologyClassifier.read(tmp_path / "aligned.safetensors")
    np.testing.assert_array_equal(again.predict(images[:4], cutout_r90=WIDTH), answers)


def test_too_few_images(classifier, images):
    with pytest.raises(ValueError, match="at least 30 usable images.*Received 28"):
        classifier.align([*images[:28], "nowhere.jpg", "nor_here.jpg"], cutout_r90=WIDTH)


def test_weights_without_brightness(classifier, images):
    dark = MorphologyClassifier(classifier.model.replace(brightness=None))
    with pytest.raises(ValueError, match="say how bright"):
        dark.align(images, cutout_r90=WIDTH)


def test_bundled_weights_know_their_brightness(any_classifier):
    card = any_classifier.card
    quantiles = np.array(card["brightness"]["quantiles"])
    assert quantiles.shape == (3, len(LEVELS)) and (np.diff(quantiles) >= 0).all()
    assert card["brightness"]["n_images"] > 5000


@pytest.mark.slow
def test_real_decals_images_align(real_data, classifier):
    """Brightness of DECam pictures ends up much nearer to that of SDSS."""
    paths = sorted((real_data / "decals").glob("*.jpg"))[:150]
    aligned = classifier.align(paths[:100], r90="measure", survey="legacy")
    source = np.array(classifier.card["brightness"]["quantiles"])
    distances = []
    for chosen in (classifier, aligned):
        frames = network_pixels(chosen.model, paths[100:], r90="measure")
        distances.append(np.abs(measure_brightness(frames)[0] - source).mean())
    assert distances[1] < 0.5 * distances[0]


@pytest.fixture(scope="module", params=["r90", "cutout_r90"])
def decals(request, real_data, ds18_classifier):
    """Labeled DECam galaxies, how to read them, and how well ds18 finds their disks."""
    table, reading = decals_to_read(real_data, request.param)
    return table, reading, ds18_classifier.evaluate(table, intervals=False, **reading)[0]


@pytest.mark.slow
def test_align_corrects_disks_of_decals_without_labels(decals, ds18_classifier):
    """However the galaxies are framed, for a network that saw SDSS images as they are."""
    table, reading, before = decals
    aligned = ds18_classifier.align(table, **reading)
    after = aligned.evaluate(table, intervals=False, **reading)[0]
    assert before["n"] == 256
    assert after["accuracy"] > before["accuracy"] and after["AUC"] > before["AUC"]


@pytest.mark.slow
def test_varied_looks_carry_over_without_aligning(decals, classifier):
    """The default network was taught on images of varied looks, and reads DECam images at once."""
    table, reading, plain = decals
    default = classifier.evaluate(table, intervals=False, **reading)[0]
    assert default["accuracy"] > max(plain["accuracy"], 0.88)
    assert default["AUC"] > max(plain["AUC"], 0.96)


def decals_to_read(real_data, framing):
    """Labeled DECam galaxies, and how to read them."""
    table = Table.read(real_data / "decals" / "labels.csv", format="csv")
    table = table[table["split"] != "train"]
    table["file"] = [str(real_data / "decals" / file) for file in table["file"]]
    return table, {"images": "file", "survey": "legacy"} | (
        {"r90": "measure"} if framing == "r90" else {"cutout_r90": "cutout_r90"})
