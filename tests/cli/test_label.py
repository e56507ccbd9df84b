"""``astromorph label``."""
import builtins
import json
import shutil
import sys
from types import SimpleNamespace

import pytest

from astromorph import cli
from astromorph.datasets import load_sample
from astromorph.tables import read_table


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Two galaxies are answered in place of the page; the options that the page was given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cutouts").mkdir()
    for file in load_sample()["file"][:4]:
        shutil.copy(file, tmp_path / "cutouts")
    calls = []

    def serve(conversation, **options):
        state, = conversation.receive({"type": "ready"})
        calls.append(options | {"state": state[0]})
        for each in state[0]["queue"][:2]:
            conversation.receive({"type": "answer", "id": each["name"], "row": each["row"],
                                  "key": state[0]["keys"][0]["key"]})

    monkeypatch.setitem(sys.modules, "astromorph.labeling.page", SimpleNamespace(serve=serve))
    return calls


def test_labels_of_a_folder(served, capsys):
    for labeled in (2, 4):
        assert cli.main(["label", "cutouts", "-o", "mine.csv", "--labeler", "Ann", "--no-learn",
                         "--no-browser", "--port", "8123", "--json"]) == 0
        summary = json.loads(capsys.readouterr().out)
        assert (summary["rows"], summary["labeled"], summary["output"]) == (4, labeled, "mine.csv")
    assert served[0]["port"] == 8123 and served[0]["browser"] is False
    assert set(read_table("mine.csv")["labeler"]) == {"Ann"}


def test_the_end_says_what_to_do_next(served, tmp_path, capsys, monkeypatch):
    command = ["label", "cutouts", "-o", "mine.csv", "--no-learn"]
    assert cli.main(command) == 0
    said = capsys.readouterr().err
    assert "Labeled 2 of 4 galaxies: mine.csv." in said and "--weights" not in said
    (tmp_path / "mine_classifier").mkdir()
    (tmp_path / "mine_classifier" / "weights.safetensors").touch()
    assert cli.main(command) == 0
    assert "astromorph classify ... --weights mine_classifier" in capsys.readouterr().err
    learner = SimpleNamespace(state=lambda: {"status": "teaching"}, start=lambda: None,
                              stop=lambda: None, labels_changed=lambda: None)
    monkeypatch.setattr("astromorph.labeling.opening._learner", lambda *args: learner)
    assert cli.main(command[:-1]) == 0
    said = capsys.readouterr().err
    assert "press Save" in said and "--weights" not in said


def test_a_question_in_a_file(served, tmp_path):
    (tmp_path / "ring.toml").write_text('[ring]\npositive = "a ring"\n')
    assert cli.main(["label", "cutouts", "--questions", "ring.toml", "--no-learn", "-q"]) == 0
    assert [each["title"] for each in served[0]["state"]["keys"]][:2] == ["a ring", "not a ring"]
    assert read_table("labels.csv")["ring"].tolist() == [1, 1]


def test_a_table_of_positions_or_of_files(served, tmp_path):
    load_sample().write("sample.ecsv")
    assert cli.main(["label", "sample.ecsv", "--images", "file", "--r90", "petroR90",
                     "-o", "a.csv", "--no-learn", "-q"]) == 0
    assert len(read_table("a.csv")["name"]) == 2


@pytest.mark.parametrize("arguments, message", [
    (["nowhere", "-o", "x.csv"], "there is no file nowhere"),
    (["empty", "-o", "x.csv"], "there are no images in empty"),
    (["cutouts", "-o", "x.csv", "--labeler", "Ben"], "'Ann', who began"),
    (["cutouts", "-o", "table.csv"], "--output: expected the name of a new file"),
    (["cutouts", "-o", "x.csv", "--compare", "y.csv"], "y.csv.journal"),
    (["cutouts", "-o", "y.csv", "--seed", "-1"], "--seed: expected a whole number"),
    (["cutouts", "-o", "y.csv", "--questions", "two.toml"], "Label one question at a time"),
    (["cutouts", "-o", "x.csv", "--questions", "no.toml"], "no.toml")])
def test_what_is_wrong_is_said_in_a_line(served, tmp_path, capsys, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "table.csv").write_text("a\n1\n")
    (tmp_path / "two.toml").write_text("[ring]\n[shell]\n")
    assert cli.main(["label", "cutouts", "-o", "x.csv", "--labeler", "Ann", "--no-learn",
                     "-q"]) == 0
    capsys.readouterr()
    try:
        assert cli.main(["label", *arguments, "--no-learn"]) == 1
    except SystemExit as refusal:
        assert refusal.code == 2
    line, = capsys.readouterr().err.splitlines()
    assert message in line and line.startswith("astromorph label: error: ")
    assert not list(tmp_path.glob("y.*"))


def test_without_the_extra_the_command_says_which(served, monkeypatch, capsys):
    load = builtins.__import__

    def refuse(name, *args):
        if name in ("starlette", "uvicorn", "websockets") or name.startswith("starlette."):
            raise ImportError(f"No module named {name!r}")
        return load(name, *args)

    monkeypatch.delitem(sys.modules, "astromorph.labeling.page")
    monkeypatch.setattr(builtins, "__import__", refuse)
    assert cli.main(["label", "cutouts", "--no-learn"]) == 1
    assert 'pip install "astromorph-galaxies[label]"' in capsys.readouterr().err
