"""The bundled weights on real galaxies that no training saw; needs ``ASTROMORPH_REAL_DATA``."""
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table, vstack

from astromorph import MorphFlag, MorphologyClassifier
from astromorph.metrics import score

SETS = ("gz2", "efigi", "sdss24")
COLUMNS = {"disk": "P_disk", "edge_on": "P_edge_on", "bar": "P_bar"}
# Least area under the ROC curve: network -> (set, question) -> area
FLOORS = {
    "pinwheel": {("gz2", "disk"): 0.985, ("gz2", "edge_on"): 0.995, ("efigi", "bar"): 0.90,
                 ("sdss24", "bar"): 0.92},
    "ds18": {("gz2", "disk"): 0.96, ("gz2", "edge_on"): 0.975, ("efigi", "bar"): 0.82,
             ("sdss24", "bar"): 0.82},
}


def _test_galaxies(root, name):
    """Files, labels and width of the test galaxies of a set."""
    labels = Table.read(root / name / "labels.csv", format="csv")
    labels = labels[labels["split"] == "test"]
    table = Table({"file": [str(root / name / file) for file in labels["file"]]})
    for key, column in zip(COLUMNS, ("q1", "q2", "q3")):
        table[key] = MaskedColumn(labels[column], dtype=float).filled(np.nan)
    table["width"] = labels["cutout_r90"].astype(float)
    table["set"] = name
    return table


@pytest.fixture(scope="module", params=["pinwheel", pytest.param("ds18", marks=pytest.mark.slow)])
def answers(request, real_data):
    """(network, table of the test galaxies of all sets with labels and probabilities)."""
    tables = [_test_galaxies(real_data, name) for name in SETS]
    classifier = request.getfixturevalue({"pinwheel": "classifier", "ds18": "ds18_classifier"}[
        request.param])
    return request.param, classifier.classify(vstack(tables), images="file", cutout_r90="width",
                                              progress=False)


def _score(table, question, column):
    return score(table[question], table[column].astype(float))


def test_ranks_real_galaxies(answers):
    network, table = answers
    for (name, question), floor in FLOORS[network].items():
        found = _score(table[table["set"] == name], question, COLUMNS[question])
        assert found.n > 90 and found.auc >= floor, (network, name, question, found)


@pytest.mark.parametrize("name, questions", [
    ("gz2", ["disk", "edge_on"]), ("efigi", ["disk", "edge_on", "bar"]), ("sdss24", ["bar"])])
def test_the_default_frame_is_as_good_as_the_true_one(real_data, classifier, name, questions):
    """On images twice as wide as the frame, and on those that the galaxy fills."""
    table = _test_galaxies(real_data, name)
    given, default = (classifier.classify(table, images="file", progress=False, **options)
                      for options in ({"cutout_r90": "width"}, {}))
    for question in questions:
        areas = [_score(each, question, COLUMNS[question]).auc for each in (given, default)]
        assert areas[1] > areas[0] - 0.01, (question, areas)
    kinds = default["morph_flag"] & (MorphFlag.MEASURED_SIZE | MorphFlag.NO_SIZE)
    assert set(kinds) <= {MorphFlag.MEASURED_SIZE, MorphFlag.NO_SIZE}
    measured = (kinds == MorphFlag.MEASURED_SIZE).mean()
    assert measured > 0.9 if name == "gz2" else measured < 0.15


@pytest.mark.parametrize("question, column", COLUMNS.items())
def test_probabilities_mean_what_they_say(answers, question, column):
    network, table = answers
    assert _score(table, question, column).ece < 0.05
    assert set(table["morph_flag"]) <= {0, MorphFlag.UNUSUAL}
    assert (table["morph_flag"] == MorphFlag.UNUSUAL).mean() < 0.02


def test_real_fits_files_are_classified_or_flagged(real_data, classifier):
    """Files as users have them: a damaged or a tiny one costs its own row only.

    The brick lacks no more than the padding of its last block.
    """
    paths = sorted((real_data / "fits").iterdir())
    table = classifier.classify(paths, r90="measure")
    unusable = {"decals_grz_truncated.fits"}
    for path, probability, flag in zip(paths, table["P_disk"], table["morph_flag"]):
        assert np.ma.is_masked(probability) == (path.name in unusable), (path.name, flag)


@pytest.mark.parametrize("network, framing", [
    ("pinwheel", {"r90": "measure"}), ("pinwheel", {"cutout_r90": "cutout_r90"}),
    pytest.param("ds18", {"r90": "measure"}, marks=pytest.mark.slow)])
def test_decam_weights_read_decam_images(real_data, network, framing):
    """The way from file to answer: the card says how good the network is.

    The weights were trained on these galaxies.
    """
    table = Table.read(real_data / "decals" / "labels.csv", format="csv")
    table = table[table["split"] == "test"]
    table["file"] = [str(real_data / "decals" / file) for file in table["file"]]
    scores = MorphologyClassifier.from_pretrained("legacy", network=network).evaluate(
        table, images="file", intervals=False, progress=False, **framing)
    assert scores["n"].tolist() == [128, 96, 41]
    assert (scores["accuracy"] > [0.93, 0.95, 0.83]).all() and (scores["AUC"] > 0.9).all()
