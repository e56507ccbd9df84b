"""Journal, table and page together; and labels as `adapt` takes them."""
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

from astromorph.datasets import load_sample
from astromorph.errors import AstromorphWarning
from astromorph.labeling.journal import read_journal
from astromorph.labeling.opening import journal_of, open_conversation
from astromorph.learning.labels import read_labels
from astromorph.questions import QUESTIONS, Question
from astromorph.tables import read_table


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cutouts").mkdir()
    for file in load_sample()["file"]:
        shutil.copy(file, tmp_path / "cutouts")
    return tmp_path


def _say(conversation, rows, key="S", start=0):
    for number, row in enumerate(rows, start):
        reply = conversation.receive({"type": "answer", "id": f"{number}", "row": row,
                                      "key": key})[0][0]
        assert reply["type"] == "written", reply


def _begin(classifier, data="cutouts", output="labels.csv", **options):
    return open_conversation(classifier, data, output, learn=False, labeler=options.pop(
        "labeler", "me"), **options)


def test_the_table_follows_from_the_journal(folder, classifier):
    conversation = _begin(classifier)
    _say(conversation, range(8))
    assert not (folder / "labels.csv").exists()
    _say(conversation, [8], "B", 8)  # with the start the tenth entry
    assert len(read_table("labels.csv")) == 9
    _say(conversation, [9], "?", 9)
    conversation.close()
    table = read_table("labels.csv")
    assert table.colnames == ["file", "disk", "edge_on", "bar", "cannot_tell", "no_galaxy",
                              "sealed", "labeler", "time"]
    assert table["disk"].tolist() == [0] * 8 + [1, None]
    assert (folder / "labels.csv").read_text().splitlines()[9].split(",")[1:4] == ["1", "0", "1"]
    conversation = _begin(classifier)
    assert conversation.session.progress()["answered"] == 10
    conversation.receive({"type": "undo", "id": "u", "of": "8"})
    assert conversation.receive({"type": "save"})[0][0]["path"] == "labels.csv"
    assert len(read_table("labels.csv")) == 9
    conversation.close()


def test_labels_are_joined_with_the_galaxies(folder, classifier):
    """From the file that was written, and from the table in memory, in any order."""
    sample = load_sample()
    disks = np.array(["smooth" not in name for name in sample["name"]])
    conversation = _begin(classifier, sample, images="file", r90="petroR90")
    for row in np.random.default_rng(0).permutation(12).tolist()[:10]:
        _say(conversation, [row], "D" if disks[row] else "S", row)
    table = conversation.session.labels()
    rows = conversation.session.rows()
    conversation.close()
    for labels in (table, table[::-1], read_table("labels.csv")):
        found = read_labels(sample, labels, QUESTIONS)
        np.testing.assert_array_equal(found[rows, 0], disks[rows])
        assert np.isnan(np.delete(found, rows, axis=0)).all()
    np.testing.assert_array_equal(read_labels(table, None, QUESTIONS)[:, 0], disks[rows])


@pytest.mark.slow
def test_adapt_takes_the_labels_as_they_are(folder, classifier):
    sample = load_sample()
    files = [sample["file"][row % 12] for row in range(60)]
    data = Table({"name": [f"g{row}" for row in range(60)], "file": files,
                  "petroR90": [sample["petroR90"][row % 12] for row in range(60)]})
    data["petroR90"].unit = "arcsec"
    ring = Question("ring")
    conversation = _begin(classifier, data, images="file", r90="petroR90", questions=[ring])
    for row in range(60):
        _say(conversation, [row], "2" if "smooth" in files[row] else "1", row)
    conversation.close()
    sealed = sorted(conversation.session.sealed)
    labels = read_table("labels.csv")
    for row in sealed:  # a label of theirs would spoil it
        labels["ring"][row] = 1 - labels["ring"][row]
    with pytest.warns(AstromorphWarning, match="12 of 60 galaxies are sealed and teach nothing"):
        taught = classifier.adapt(labels, images="file", r90="petroR90",
                                  questions=[ring])
    assert taught.model.heads[-1].training["galaxies"] == 48
    with pytest.warns(AstromorphWarning, match="Only the 12 sealed galaxies"):
        scores = taught.evaluate(labels, images="file", r90="petroR90", questions=["ring"])
    assert scores["n"][0] == 12 and scores["accuracy"][0] == 0
    found = taught.classify(sample, questions=["ring"], images="file", r90="petroR90")["P_ring"]
    disks = np.array(["smooth" not in name for name in sample["name"]])
    assert found[disks].min() > found[~disks].max()


@pytest.mark.parametrize("name", ["labels.fits", "labels.vot", "labels.ecsv", "labels.parquet"])
def test_every_format_holds_the_labels(folder, classifier, name):
    conversation = _begin(classifier, output=name)
    _say(conversation, range(3), "E")
    _say(conversation, [3], "X", 3)
    conversation.close()
    labels = read_labels(read_table(name), None, QUESTIONS)
    np.testing.assert_array_equal(labels, [[1, 1, np.nan]] * 3 + [[np.nan] * 3])


def test_a_question_of_ones_own_reads_back(folder, classifier):
    ring = Question("ring", kind="grades", answers=("none", "weak", "strong"))
    conversation = _begin(classifier, questions=[ring])
    _say(conversation, [0, 1], "3")
    _say(conversation, [2], "1", 2)
    conversation.close()
    table = read_table("labels.csv")
    np.testing.assert_array_equal(read_labels(table, None, [ring])[:, 0], [2, 2, 0])


def test_two_people_label_one_list(folder, classifier):
    for name in ("ann", "ben"):
        conversation = _begin(classifier, output=f"{name}.csv", labeler=name)
        _say(conversation, range(10), "S")
        _say(conversation, [10], "E" if name == "ann" else "D", 10)
        conversation.close()
    conversation = _begin(classifier, output="ann.csv", labeler="ann", compare=["ben.csv"])
    reply, = conversation.receive({"type": "compare"})
    other, = json.loads(json.dumps(reply[0], allow_nan=False))["others"]
    assert other["labeler"] == "ben" and other["agreement"][0]["n"] == 11
    assert [each["row"] for each in other["disagreements"]] == [10]
    conversation.close()
    with pytest.raises(ValueError, match="compare: expected the labels of somebody else.*cy.csv, "
                       "and no journal cy.csv.journal"):
        _begin(classifier, output="ann.csv", labeler="ann", compare=["cy.csv"])
    (folder / "dan.csv.journal").write_bytes(b"")
    with pytest.raises(ValueError, match="a first line that says what is labeled"):
        _begin(classifier, output="ann.csv", labeler="ann", compare=["dan.csv"])
    _begin(classifier, output="ann.csv", labeler="ann").close()  # it was let go


def test_a_comparison_that_fails_leaves_nothing_behind(folder, classifier):
    ring = Question("ring")
    _begin(classifier, output="rings.csv", questions=[ring]).close()
    for other in ("no.csv", "rings.csv"):
        with pytest.raises(ValueError):
            _begin(classifier, output="new.csv", compare=[other])
    assert not [path for path in folder.iterdir() if path.name.startswith("new")]


def test_damaged_journals_of_others_are_refused_with_the_line(folder, classifier):
    other = _begin(classifier, output="ben.csv", labeler="ben")
    _say(other, [0, 1])
    other.close()
    text = (folder / "ben.csv.journal").read_text()
    (folder / "ben.csv.journal").write_text(text.replace('"row": 1, ', ""))
    with pytest.raises(ValueError, match="a row below 12 in line 3 of ben.csv.journal"):
        _begin(classifier, output="ann.csv", labeler="ann", compare=["ben.csv"])


def test_what_is_there_is_not_overwritten(folder, classifier):
    (folder / "labels.csv").write_text("mine\n1\n")
    with pytest.raises(FileExistsError, match="labels.csv, which exists"):
        _begin(classifier)
    assert not journal_of("labels.csv").exists()
    conversation = _begin(classifier, overwrite=True)
    conversation.close()
    assert not len(read_table("labels.csv"))


def test_a_notebook_cell_that_runs_again_takes_over(folder, classifier):
    first = _begin(classifier)
    _say(first, [1])
    second = _begin(classifier)
    assert second.session.progress()["answered"] == 1
    _say(second, [2], start=1)
    first.close()
    assert first.receive({"type": "answer", "id": "z", "row": 3, "key": "S"})[0][0][
        "type"] == "error"
    second.close()
    assert len(read_table("labels.csv")) == 2 and len(read_journal("labels.csv.journal")) == 3


def test_other_galaxies_are_refused(folder, classifier):
    _begin(classifier).close()
    next((folder / "cutouts").iterdir()).unlink()
    with pytest.raises(ValueError, match="one of the same galaxies"):
        _begin(classifier)


def test_images_that_nobody_can_read(tmp_path, monkeypatch, classifier):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cutouts").mkdir()
    with pytest.raises(ValueError, match="a folder with images"):
        _begin(classifier)
    for name in "abc":
        (tmp_path / "cutouts" / f"{name}.jpg").write_text("nothing")
    conversation = _begin(classifier)
    replies = conversation.receive({"type": "want", "rows": [0, 1, 2]})
    assert all("problem" in message["meta"] and data[:2] == b"\xff\xd8"
               for message, data in replies)
    _say(conversation, range(3), "X")
    assert conversation.session.labels()["no_galaxy"].all()
    conversation.close()


@pytest.fixture
def served(monkeypatch):
    """In place of the page: answers two galaxies, as somebody would, and ends."""
    calls = []

    def serve(conversation, **options):
        calls.append(options)
        _say(conversation, [0, 1])

    monkeypatch.setitem(sys.modules, "astromorph.labeling.page", SimpleNamespace(serve=serve))
    return calls


def test_label_gives_the_table(folder, classifier, served):
    table = classifier.label("cutouts", learn=False, port=8123, browser=False, labeler="Ann")
    assert table["disk"].tolist() == [0, 0] and table["labeler"].tolist() == ["Ann", "Ann"]
    assert served == [{"port": 8123, "browser": False,
                       "keep": str(folder / "labels.csv.journal.page")}]
    assert len(read_table("labels.csv")) == 2
    with pytest.raises(TypeError, match="Did you mean labeler="):
        classifier.label("cutouts", labelr="Ann")


def test_a_notebook_shows_the_widget(folder, classifier, monkeypatch):
    monkeypatch.setattr("astromorph.labeling.opening.in_notebook", lambda: True)
    monkeypatch.setitem(sys.modules, "astromorph.labeling.widget",
                        SimpleNamespace(LabelWidget=lambda conversation: ("shown", conversation)))
    shown, conversation = classifier.label("cutouts", learn=False)
    assert shown == "shown"
    conversation.close()
