"""The command line: which labels, and which weights to start from."""
import json

import numpy as np
import pytest
from astropy.table import Table

from astromorph import MorphologyClassifier, cli
from astromorph.datasets import load_sample


@pytest.fixture
def galaxies(tmp_path, monkeypatch):
    """The embedded galaxies, as files and in a table without labels."""
    monkeypatch.chdir(tmp_path)
    files = list(load_sample()["file"])
    Table({"no": range(12), "file": files}).write("galaxies.fits")
    return files


@pytest.fixture
def labels(galaxies):
    """Their labels in another order, of all but the last one."""
    table = Table({"who": [file.rpartition("/")[2] for file in galaxies], "no": range(12),
                   "disk": [float("smooth" not in file) for file in galaxies]})
    table["edge_on"], table["bar"] = np.nan, np.nan
    table[np.roll(range(11), 3)].write("labels.csv")
    return ["--labels", "labels.csv", "--no-intervals", "--json", "--r90", "measure"]


def scores(capsys, *arguments):
    assert cli.main(["evaluate", *arguments]) == 0
    return json.loads(capsys.readouterr().out)["scores"][0]


def test_labels_are_joined_by_a_column_of_choice(galaxies, labels, capsys):
    by_number = scores(capsys, "galaxies.fits", "--images", "file", *labels, "--key", "no")
    assert (by_number["n"], by_number["n_positive"], by_number["AUC"]) == (11, 8, 1)
    by_file = scores(capsys, *galaxies, *labels, "--key", "who")
    assert by_file == by_number
    chosen = scores(capsys, *galaxies, *labels, "--key", "who", "--min-votes", "1")
    assert chosen == by_number


@pytest.mark.parametrize("arguments, status, message", [
    (["galaxies.fits", "--images", "file", "--key", "no"], 2, "--key needs --labels"),
    (["galaxies.fits", "--images", "file", "--labels", "labels.csv", "--key", "whom"], 1,
     "--key: expected the name of a column"),
    (["galaxies.fits", "--images", "file", "--labels", "labels.csv", "--vote-threshold", "2"], 1,
     "--vote-threshold: expected one number, at least 0.5"),
    (["galaxies.fits", "--images", "file", "--r90", "measure"], 1,
     "--labels: expected an array")])
def test_labels_that_are_not_there(galaxies, labels, capsys, arguments, status, message):
    try:
        assert cli.main(["evaluate", *arguments]) == status
    except SystemExit as refusal:
        assert refusal.code == status
    line = capsys.readouterr().err.splitlines()[-1]
    assert message in line and len(line) < 400


def test_the_parents_of_a_question_are_asked(galaxies, monkeypatch, capsys):
    """Whether a galaxy is edge-on is no question where most votes are for smooth."""
    votes = Table.read("galaxies.fits")
    votes["smooth-or-featured_smooth"], votes["smooth-or-featured_featured-or-disk"] = 30, 5
    votes["disk-edge-on_yes"], votes["disk-edge-on_no"] = 5, 0
    votes.write("votes.fits")
    clf = MorphologyClassifier.from_pretrained("sdss")
    one = MorphologyClassifier(clf.model)
    monkeypatch.setattr(MorphologyClassifier, "questions", clf.questions[1:2])
    seen = []

    def evaluate(self, data, labels, **options):
        seen.append(labels)
        return Table({"n": [1]})

    monkeypatch.setattr(MorphologyClassifier, "evaluate", evaluate)
    monkeypatch.setattr("astromorph.cli.evaluate.load_classifier", lambda args: one)
    cli.main(["evaluate", "votes.fits", "--images", "file", "--min-votes", "3"])
    assert np.isnan(seen[0].select(clf.questions[1:2])).all()


@pytest.mark.parametrize("arguments, begun, taught", [
    (["--survey", "des"], "des", "des"), (["--from", "SDSS", "--survey", "des"], "sdss", "des"),
    (["--from", "legacy"], "legacy", None), (["--from", "mine.safetensors"], "legacy", None),
    (["--weights", "mine.safetensors", "--survey", "des"], "legacy", "des")])
def test_adapt_from_chosen_weights(galaxies, monkeypatch, capsys, arguments, begun, taught):
    MorphologyClassifier.from_pretrained("legacy").write("mine.safetensors")
    seen = []

    def adapt(self, data, labels, *, survey=None, **options):
        seen.append((self.survey.name, survey))
        return MorphologyClassifier.from_pretrained("legacy")

    monkeypatch.setattr(MorphologyClassifier, "adapt", adapt)
    cli.main(["adapt", "galaxies.fits", "--images", "file", "--json", "-o", "new.safetensors",
              *arguments])
    assert seen == [(begun, taught)]
    assert isinstance(json.loads(capsys.readouterr().out)["better"], list)


@pytest.mark.parametrize("arguments, message", [
    (["--from", "nowhere.safetensors"], "there is no such file"),
    (["--from", "hubble"], "one of sdss, legacy, des, "),
    (["--from", "galaxies.fits", "--network", "ds18"], "--network needs"),
    (["--from", "sdss", "--weights", "mine.safetensors"], "give --from or --weights, not both")])
def test_weights_that_are_not_there(galaxies, capsys, arguments, message):
    with pytest.raises(SystemExit) as refusal:
        cli.main(["adapt", "galaxies.fits", "--images", "file", "-o", "n.safetensors", *arguments])
    assert refusal.value.code == 2 and message in capsys.readouterr().err
