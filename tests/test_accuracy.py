"""The bundled weights on real galaxies that no training saw; needs ``ASTROMORPH_REAL_DATA``."""
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table, vstack

from astromorph import MorphFlag, MorphologyClassifier
from astromorph.metrics import score

SETS = ("gz2", "efigi", "sdss24")
# Least area under the ROC curve: network -> (set, question) -> area
FLOORS = {
    "pinwheel": {("gz2", "q1"): 0.985, ("gz2", "q2"): 0.995, ("efigi", "q3"): 0.90,
                 ("sdss24", "q3"): 0.92},
    "tuningfork": {("gz2", "q1"): 0.98, ("gz2", "q2"): 0.995, ("efigi", "q3"): 0.90,
                   ("sdss24", "q3"): 0.90},
    "ds18": {("gz2", "q1"): 0.96, ("gz2", "q2"): 0.975, ("efigi", "q3"): 0.82,
             ("sdss24", "q3"): 0.82},
}


@pytest.fixture(scope="module", params=FLOORS)
def answers(request, real_data):
    """(network, table of the test galaxies of all sets with labels and probabilities)."""
    tables = []
    for name in SETS:
        labels = Table.read(real_data / name / "labels.csv", format="csv")
        labels = labels[labels["split"] == "test"]
        table = Table({"file": [str(real_data / name / file) for file in labels["file"]]})
        for key in ("q1", "q2", "q3"):
            table[key] = MaskedColumn(labels[key], dtype=float).filled(np.nan)
        table["width"] = labels["cutout_r90"].astype(float)
        table["set"] = name
        tables.append(table)
    classifier = MorphologyClassifier.from_pretrained("sdss", network=request.param)
    return request.param, classifier.classify(vstack(tables), images="file", cutout_r90="width",
                                              progress=False)


def _score(table, question, column):
    return score(table[question], table[column].astype(float))


def test_ranks_real_galaxies(answers):
    network, table = answers
    columns = {"q1": "P_disk", "q2": "P_edge_on", "q3": "P_bar"}
    for (name, question), floor in FLOORS[network].items():
        found = _score(table[table["set"] == name], question, columns[question])
        assert found.n > 90 and found.auc >= floor, (network, name, question, found)


@pytest.mark.parametrize("question, column", [("q1", "P_disk"), ("q2", "P_edge_on"),
                                              ("q3", "P_bar")])
def test_probabilities_mean_what_they_say(answers, question, column):
    network, table = answers
    assert _score(table, question, column).ece < 0.05
    assert set(table["morph_flag"]) <= {0, MorphFlag.UNUSUAL}
    assert (table["morph_flag"] == MorphFlag.UNUSUAL).mean() < 0.02


def test_real_fits_files_are_classified_or_flagged(real_data):
    """Files as users have them: a damaged or a tiny one costs its own row only."""
    paths = sorted((real_data / "fits").iterdir())
    table = MorphologyClassifier.from_pretrained("sdss").classify(paths, r90="measure")
    unusable = {"decals_grz_truncated.fits", "legacysurvey_brick_g.fits.fz"}
    for path, probability, flag in zip(paths, table["P_disk"], table["morph_flag"]):
        assert np.ma.is_masked(probability) == (path.name in unusable), (path.name, flag)


@pytest.mark.parametrize("network, framing", [
    ("pinwheel", "measure"), ("pinwheel", "cutout_r90"), ("tuningfork", "measure"),
    ("ds18", "measure")])
def test_decam_weights_read_decam_images(real_data, network, framing):
    """They were trained on these galaxies: this tests the service from file to answer, not how good
    the network is, which the card says."""
    table = Table.read(real_data / "decals" / "labels.csv", format="csv")
    table = table[table["split"] == "test"]
    table["file"] = [str(real_data / "decals" / file) for file in table["file"]]
    scores = MorphologyClassifier.from_pretrained("legacy", network=network).evaluate(
        table, images="file", cutout_r90=framing, intervals=False, progress=False)
    assert scores["n"].tolist() == [128, 96, 41]
    assert (scores["accuracy"] > [0.93, 0.95, 0.83]).all() and (scores["AUC"] > 0.9).all()
