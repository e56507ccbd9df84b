"""Errors of probabilities: over views and over dropout, and curves that show them to rank."""

import matplotlib
import numpy as np
import pytest
from astropy.table import Table

from astromorph import QUESTIONS, networks
from astromorph.datasets import load_sample
from astromorph.curves import rejection_curve
from astromorph.metrics import score
from astromorph.plots import plot_rejection
from astromorph.services.local import LocalFolder

matplotlib.use("agg")

SAMPLE = list(load_sample()["file"][:5])
COLUMNS = ["P_disk", "P_edge_on", "P_bar"]
ERRORS = [f"{name}_err" for name in COLUMNS]


@pytest.fixture(scope="module", params=["pinwheel", "ds18"])
def model(request):
    return networks.build(request.param, QUESTIONS)


@pytest.fixture(scope="module")
def pixels(model):
    return np.random.default_rng(0).random((3, *model.input_shape[1:]), np.float32)


def test_views_are_those_of_the_square(model, pixels):
    views = networks.run_views(model, pixels, batch_size=4)
    assert views.shape == (8, 3, 3)
    np.testing.assert_allclose(views[0], networks.run(model, pixels, batch_size=4), atol=1e-6)
    assert (np.ptp(views, axis=0) > 0).all()
    turned = networks.run_views(model, np.rot90(pixels, axes=(1, 2)), batch_size=4)
    np.testing.assert_allclose(np.sort(turned, axis=0), np.sort(views, axis=0), atol=1e-6)


def test_features_are_what_the_last_layers_see(model, pixels):
    features = networks.features(model, pixels, batch_size=4)
    assert features.shape == (3, {"pinwheel": 192, "ds18": 192}[model.name])
    whole = networks.run(model, pixels, batch_size=4)
    np.testing.assert_allclose(networks.answer_features(model, features), whole, atol=1e-5)


def test_dropout_draws_do_not_depend_on_other_galaxies(model, pixels):
    draws = networks.run_dropout(model, pixels, draws=20, batch_size=4)
    assert draws.shape == (20, 3, 3) and (draws.std(axis=0) > 0).all()
    alone = networks.run_dropout(model, pixels[1:2], draws=20, batch_size=4)
    np.testing.assert_allclose(alone, draws[:, 1:2], atol=1e-5)
    other = networks.run_dropout(model, pixels, draws=20, seed=1, batch_size=4)
    assert not np.allclose(other, draws)


def test_features_follow_the_weights():
    """The trunk is kept between calls; it must not keep old weights."""
    model = networks.build("pinwheel", QUESTIONS)
    pixels = np.random.default_rng(0).random((2, *model.input_shape[1:]), np.float32)
    before = networks.features(model, pixels)
    networks.import_weights(model, {path: array * (0.5 if "stem_conv" in path else 1)
                                    for path, array in networks.export_weights(model).items()})
    assert np.abs(networks.features(model, pixels) - before).max() > 1e-4


@pytest.mark.parametrize("errors", ["views", "dropout"])
def test_error_columns(any_classifier, errors):
    paths = [*SAMPLE, "missing.fits"]
    plain = any_classifier.classify(paths, survey="sdss", batch_size=8)
    result = any_classifier.classify(paths, survey="sdss", uncertainty=errors, batch_size=8)
    assert result.colnames == ["file", *COLUMNS, *ERRORS, "morph_flag"]
    for name, error in zip(COLUMNS, ERRORS):
        np.testing.assert_array_equal(result[name], plain[name])
        assert result[error].mask.tolist() == [False] * 5 + [True]
        # Where an answer is certain to seven digits, so is it of all views.
        in_doubt = np.abs(result[name][:5] - 0.5) < 0.5 - 1e-6
        assert (result[error][:5][in_doubt] > 0).all() and in_doubt.any()
        assert ((result[error][:5] >= 0) & (result[error][:5] < 0.5)).all()
        assert result[error].meta["ucd"] == "stat.error;stat.probability"
        assert name in result[error].description


def test_views_error_by_hand(any_classifier):
    image = np.random.default_rng(1).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    turned = [np.rot90(view, turn) for view in (image, image[:, ::-1]) for turn in range(4)]
    answers = any_classifier.classify(turned, batch_size=8)
    result = any_classifier.classify([image], uncertainty="views", batch_size=1)
    np.testing.assert_allclose([result[name][0] for name in ERRORS],
                               [answers[name].std() for name in COLUMNS], atol=2e-4)


def test_nothing_classified_still_has_the_columns(any_classifier):
    for data in ([], ["missing.fits"], Table({"image": np.array([], str)})):
        options = {"images": "image"} if isinstance(data, Table) else {}
        result = any_classifier.classify(data, uncertainty="views", batch_size=1, **options)
        assert set(ERRORS) <= set(result.colnames) and len(result) == len(data)


def test_refuses_other_errors(any_classifier):
    with pytest.raises(ValueError, match="uncertainty: expected one of None.*'bootstrap'"):
        any_classifier.classify(SAMPLE, uncertainty="bootstrap")


def test_rejection_curve_by_hand():
    labels = [1, 0, 1, 0, np.nan, 1]
    probabilities = [.9, .2, .4, .8, .5, np.nan]
    rejected, accuracy = rejection_curve(labels, probabilities, [.1, .2, .3, .4, np.nan, .1])
    np.testing.assert_allclose(rejected, [0, .25, .5, .75])
    np.testing.assert_allclose(accuracy, [.5, 2 / 3, 1, 1])
    rejected, accuracy = rejection_curve(labels[:4], probabilities[:4], [1, 1, 2, 2])
    np.testing.assert_allclose(rejected, [0, .5])
    np.testing.assert_allclose(accuracy, [.5, 1])


def simulated(n=4000):
    rng = np.random.default_rng(2)
    probabilities = rng.beta(0.5, 0.5, n)
    labels = (rng.random(n) < probabilities).astype(float)
    return labels, probabilities, np.minimum(probabilities, 1 - probabilities)


def test_rejecting_the_uncertain_helps_and_a_random_error_does_not():
    labels, probabilities, good = simulated()
    whole = score(labels, probabilities).accuracy
    rejected, accuracy = rejection_curve(labels, probabilities, good)
    assert accuracy[0] == pytest.approx(whole)
    assert accuracy[np.searchsorted(rejected, 0.3)] > whole + 0.06
    noise = np.random.default_rng(3).random(len(labels))
    rejected, accuracy = rejection_curve(labels, probabilities, noise)
    assert abs(accuracy[np.searchsorted(rejected, 0.3)] - whole) < 0.02


@pytest.mark.parametrize("errors, message", [
    ([.1, .2], r"shape of the labels, \(3,\). Received \(2,\)"),
    ([.1, .2, np.nan], "1 missing of 3")])
def test_rejection_curve_refuses(errors, message):
    with pytest.raises(ValueError, match=message):
        rejection_curve([1, 0, 1], [.9, .1, .8], errors)


def test_plot_rejection():
    labels, probabilities, errors = simulated(500)
    ax = plot_rejection(labels, probabilities, errors, label="P_disk")
    same = plot_rejection(labels, probabilities, -errors, label="reversed", ax=ax)
    assert same is ax and len(ax.lines) == 2
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.lines[0].get_ydata()[0] == pytest.approx(score(labels, probabilities).accuracy)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["P_disk", "reversed"]
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("errors", ["views", "dropout"])
def test_errors_rank_real_mistakes(real_data, classifier, errors):
    """Rejecting the fifth of real SDSS galaxies with the largest errors leaves fewer mistakes."""
    table = Table.read(real_data / "gz2" / "labels.csv", format="csv")
    table = table[table["split"] == "test"][::3]
    table["file"] = [str(real_data / "gz2" / name) for name in table["file"]]
    result = classifier.classify(table, images="file", cutout_r90="cutout_r90", uncertainty=errors)
    rejected, accuracy = rejection_curve(result["q1"], result["P_disk"], result["P_disk_err"])
    assert accuracy[np.searchsorted(rejected, 0.2)] > accuracy[0]


def test_error_columns_for_positions(classifier, tmp_path):
    """Images of positions go the same way; here they come from a folder."""
    names = [f"g{number}" for number in range(len(SAMPLE))]
    for name, path in zip(names, SAMPLE):
        (tmp_path / f"{name}.fits").symlink_to(path)
    table = Table({"name": [*names, "none"], "ra": np.arange(6.0), "dec": np.zeros(6),
                   "petroR90_r": np.full(6, 8.0)}, units={"petroR90_r": "arcsec"})
    result = classifier.classify(
        table, ids="name", services=[LocalFolder(tmp_path)], uncertainty="dropout")
    assert result["P_bar_err"].mask.tolist() == [False] * 5 + [True]
    assert (result["P_bar_err"][:5] > 0).all()
