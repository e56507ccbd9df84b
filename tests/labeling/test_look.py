"""The gallery without a browser: its order, filters, selection, corrections and messages."""
import json
import time
import warnings
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from astromorph.errors import AstromorphWarning
from astromorph.labeling.gallery import Gallery
from astromorph.labeling.journal import Journal, read_journal
from astromorph.labeling.looking import LookConversation, look
from astromorph.labeling.selected import corrections_journal
from astromorph.questions import Question

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m"


@pytest.fixture
def table(tmp_path):
    """Six classified galaxies, one without an image."""
    rng = np.random.default_rng(0)
    files = [str(tmp_path / f"galaxy{row}.jpg") for row in range(6)]
    for file in files[:5]:
        Image.fromarray(rng.integers(0, 255, (90, 90, 3), np.uint8)).save(file)
    return Table({
        "file": files, "note": [HOSTILE, *"bcdef"],
        "P_disk": np.ma.masked_array([0.2, 0.9, 0.5, 0.7, 0.1, 0], [0, 0, 0, 0, 0, 1]),
        "P_edge_on": np.linspace(0, 1, 6), "P_edge_on_err": np.full(6, 0.01),
        "P_bar": np.linspace(1, 0, 6), "z": [3.0, np.nan, 1, 2, 5, 4],
        "morph_flag": np.array([0, 64, 0, 64 | 1 << 19, 0, 1], np.int32)})


@pytest.fixture
def talk(tmp_path):
    """A function that begins a conversation, and what it pushes."""
    opened = []

    def begin(table, labels=None, output=None, **options):
        gallery = Gallery(table, journal=corrections_journal(labels), cutout_r90=8.48, **options)
        conversation = LookConversation(gallery, labels=labels, output=output)
        conversation.pushed = []
        conversation.on_push(lambda *reply: conversation.pushed.append(reply))
        opened.append(conversation)
        return conversation

    yield begin
    for each in opened:
        each.close()


def ask(conversation, type, **content):
    """The only reply."""
    reply, = conversation.receive({"type": type, **content})
    json.dumps(reply[0], allow_nan=False)
    return reply


def pushed(conversation):
    """The next reply that comes by itself."""
    for _ in range(500):
        if conversation.pushed:
            return conversation.pushed.pop(0)
        time.sleep(0.02)
    raise AssertionError("nothing came")


def shown(reply):
    """(rows, values) of a view."""
    message, data = reply
    rows = np.frombuffer(data, "<u4", message["count"])
    return rows.tolist(), np.frombuffer(data[rows.nbytes:], "<f4")


def view(conversation, n=1, sort=None, **content):
    return shown(ask(conversation, "view", n=n, sort=sort, **content))


def test_sorted_by_a_column_rows_without_a_number_come_last(table, talk):
    conversation = talk(table)
    assert view(conversation)[0] == [0, 1, 2, 3, 4, 5]
    assert view(conversation, sort="P_disk")[0] == [4, 0, 2, 3, 1, 5]
    rows, values = view(conversation, sort="P_disk", descending=True)
    assert rows == [1, 3, 2, 0, 4, 5]
    assert values[:5] == pytest.approx([0.9, 0.7, 0.5, 0.2, 0.1]) and np.isnan(values[5])
    assert view(conversation, sort="z")[0] == [2, 3, 0, 5, 4, 1]


@pytest.mark.parametrize("flag, rows", [
    (None, [0, 1, 2, 3, 4, 5]), ("none", [0, 2, 4]), ("any", [1, 3, 5]), ("unclassified", [5]),
    ("PARTIAL_FRAME", [1, 3]), ("UNUSUAL", [3]), ("STALE", [])])
def test_filtered_by_flag(table, talk, flag, rows):
    assert view(talk(table), flag=flag)[0] == rows


def test_filtered_by_ranges(table, talk):
    conversation = talk(table)
    assert view(conversation, ranges=[["P_disk", 0.2, None]])[0] == [0, 1, 2, 3]
    assert view(conversation, ranges=[["P_disk", 0.2, None], ["z", None, 2]])[0] == [2, 3]
    assert view(conversation, ranges=[["P_disk", None, 1]], flag="none")[0] == [0, 2, 4]


@pytest.mark.parametrize("message", [
    {"type": "view", "n": 1, "sort": "file"}, {"type": "view", "n": 1, "flag": "RED"},
    {"type": "view", "n": 1, "sort": 3}, {"type": "view", "n": 1, "ranges": [["P_disk", "a", 1]]},
    {"type": "view", "n": 1, "ranges": [["P_disk"]]}, {"type": "view", "n": 1, "like": 99},
    {"type": "view", "n": float("nan")}, {"type": "view", "n": "1"},
    {"type": "view", "n": 1, "ranges": 7}, {"type": "info", "row": -1}, {"type": "info"},
    {"type": "info", "row": True}, {"type": "want", "id": "a", "row": 0, "size": "huge"},
    {"type": "want", "id": "", "row": 0}, {"type": "want", "id": "a", "row": 0, "stretch": "x"},
    {"type": "drop", "ids": 3}, {"type": "select", "view": 9, "from": 0, "to": 1, "on": True},
    {"type": "save"}, {"type": "answer", "id": "a", "row": 0, "key": "S"}, {"type": "open"},
    {"type": ["ready"]}, {}, []])
def test_what_a_page_must_not_ask_is_refused(table, talk, message):
    (reply, data), = talk(table).receive(message)
    assert reply["type"] == "error" and reply["refused"] and data is None


def test_the_state_of_the_table(table, talk):
    message, data = ask(talk(table), "ready")
    assert [each["name"] for each in message["columns"]] == [
        "P_disk", "P_edge_on", "P_bar", "P_edge_on_err", "z"]
    assert [each["answer"] for each in message["columns"]] == [True] * 3 + [False] * 2
    assert message["columns"][0]["low"] == 0.1 and message["columns"][0]["high"] == 0.9
    assert {each["name"]: each["count"] for each in message["flags"]} == {
        "none": 3, "any": 3, "unclassified": 1, "MISSING_FILE": 1, "PARTIAL_FRAME": 2,
        "UNUSUAL": 1}
    assert list(data) == [0, 1, 0, 1, 0, 3]
    assert message["can"] == {"answer": False, "save": False, "similar": False}
    assert "journal" in message["why"]


def test_all_that_is_known_of_a_galaxy(table, talk):
    message, _ = ask(talk(table), "info", row=0)
    assert [(each["name"], each["text"], each["error"]) for each in message["answers"]] == [
        ("P_disk", "0.200", ""), ("P_edge_on", "0.000", "0.01"), ("P_bar", "1.000", "")]
    note = next(each["text"] for each in message["others"] if each["name"] == "note")
    assert note.startswith("<img") and "\x1b" not in note
    message, _ = ask(talk(table), "info", row=5)
    assert [(each["name"], each["failed"]) for each in message["flags"]] == [("MISSING_FILE", True)]
    assert message["flags"][0]["about"] == "There is no such file."
    assert message["answers"][0]["text"] == "" and message["answers"][0]["value"] is None


def test_pictures_come_when_they_are_there(table, talk):
    conversation = talk(table)
    assert conversation.receive({"type": "want", "id": "a", "row": 0, "size": "small"}) == []
    message, data = pushed(conversation)
    assert (message["type"], message["id"], message["name"]) == ("picture", "a", "galaxy0.jpg")
    assert data[:2] == b"\xff\xd8"
    conversation.receive({"type": "want", "id": "b", "row": 5, "size": "large"})
    assert "no such file" in pushed(conversation)[0]["meta"]["problem"]


def test_pictures_that_are_scrolled_past_are_not_drawn(table, talk, monkeypatch):
    conversation = talk(table)
    drawn = []

    def picture(row, stretch, size):
        drawn.append(row)
        time.sleep(0.1)
        return b"", {}

    monkeypatch.setattr(conversation.gallery.galaxies, "picture", picture)
    for k in range(40):
        conversation.receive({"type": "want", "id": f"{k}", "row": k % 6})
    conversation.receive({"type": "drop", "ids": [f"{k}" for k in range(40)]})
    conversation.receive({"type": "want", "id": "last", "row": 2})
    while pushed(conversation)[0]["id"] != "last":
        pass
    assert len(drawn) < 20


def test_selection_is_of_the_places_that_are_shown(table, talk):
    conversation = talk(table)
    view(conversation, n=1, sort="P_disk")
    reply, _ = ask(conversation, "select", view=1, **{"from": 0, "to": 1}, on=True, clear=True)
    assert reply["count"] == 2
    assert conversation.gallery.selection["P_disk"].tolist() == [0.2, 0.1]
    view(conversation, n=2, flag="any")
    ask(conversation, "select", view=2, **{"from": 0, "to": 0}, on=True, clear=False)
    ask(conversation, "select", view=2, **{"from": 2, "to": 2}, on=True, clear=False)
    ask(conversation, "select", view=2, **{"from": 2, "to": 2}, on=False, clear=False)
    assert np.flatnonzero(conversation.gallery.chosen).tolist() == [0, 1, 4]
    _, data = ask(conversation, "ready")
    assert [state & 4 for state in data] == [4, 4, 0, 0, 4, 0]
    ask(conversation, "select", view=2, **{"from": 0, "to": 0}, on=False, clear=True)
    assert len(conversation.gallery.selection) == 0


def test_corrections_are_lines_of_a_journal_and_a_table(table, talk, tmp_path):
    labels = tmp_path / "labels.csv"
    conversation = talk(table, labels)
    assert not corrections_journal(labels).exists()  # looking alone writes nothing
    for row, key in [(0, "B"), (1, "S"), (0, "E"), (2, "?")]:
        reply, _ = ask(conversation, "answer", id=f"{row}{key}", row=row, key=key, ms=5)
        assert (reply["type"], reply["row"], reply["key"]) == ("written", row, key)
    ask(conversation, "answer", id="0E", row=0, key="E")  # sent again after a reconnect
    reply, _ = ask(conversation, "undo", id="u", of="0E")
    assert (reply["row"], reply["key"]) == (0, "B")  # what was corrected stands again
    kinds = [each["kind"] for each in read_journal(f"{labels}.journal")]
    assert kinds == ["start", *["answer"] * 4, "undo"]
    assert ask(conversation, "save")[0]["paths"] == [str(labels)]
    table = Table.read(labels)
    assert table["disk"].tolist()[:2] == [1, 0] and table["bar"][0] == 1
    assert table["cannot_tell"].astype(str).tolist() == ["False", "False", "True"]


def test_what_was_corrected_before_is_shown(table, talk, tmp_path):
    first = talk(table, tmp_path / "labels.csv")
    ask(first, "answer", id="a", row=3, key="D")
    first.close()
    again, _ = ask(talk(table, tmp_path / "labels.csv"), "ready")
    assert again["done"] == [{"row": 3, "key": "D", "value": None}]


def test_a_table_of_others_is_not_replaced(table, tmp_path):
    (tmp_path / "labels.csv").write_text("mine")
    with pytest.raises(FileExistsError, match="has no journal"):
        corrections_journal(tmp_path / "labels.csv")


def test_a_number_and_a_question_of_ones_own_are_corrected(table, talk, tmp_path):
    table["TType"] = np.arange(6.0)
    question = Question("t", column="TType", kind="number", limits=(-6, 11))
    conversation = talk(table, tmp_path / "labels.csv", questions=[question])
    assert ask(conversation, "ready")[0]["number"]["title"]
    reply, _ = ask(conversation, "answer", id="a", row=0, value=3.5)
    assert reply["value"] == 3.5
    assert ask(conversation, "answer", id="b", row=0, value=99)[0]["type"] == "error"


def test_selection_and_labels_are_written_at_the_end(table, talk, tmp_path):
    table["features"] = np.zeros((6, 16), np.float32)  # CSV cannot hold them
    conversation = talk(table, tmp_path / "labels.csv", tmp_path / "selected.csv")
    view(conversation)
    ask(conversation, "select", view=1, **{"from": 1, "to": 2}, on=True, clear=True)
    ask(conversation, "answer", id="a", row=0, key="S")
    conversation.close()
    assert len(Table.read(tmp_path / "selected.csv")) == 2
    assert len(Table.read(tmp_path / "labels.csv")) == 1


def test_nothing_is_written_where_nothing_was_done(table, talk, tmp_path):
    talk(table, tmp_path / "labels.csv", tmp_path / "selected.csv").close()
    assert not list(tmp_path.glob("*.csv*"))


def test_similar_ones_come_by_the_features_of_the_table(table, talk):
    angles = np.radians([0, 10, 90, 5, 0, 45])
    table["features"] = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    table["features"][4] = np.nan
    table.meta["MORPHEMB"] = "a"
    conversation = talk(table)
    assert conversation.receive({"type": "view", "n": 1, "like": 1}) == []
    reply = pushed(conversation)
    rows, values = shown(reply)
    assert rows == [1, 3, 0, 5, 2] and values[0] == 1
    assert values[1] == pytest.approx(np.cos(np.radians(5)), abs=1e-5)
    assert reply[0]["message"] == "Compared with 5 of 6."
    conversation.receive({"type": "view", "n": 2, "like": 0, "flag": "any"})
    assert shown(pushed(conversation))[0] == [0, 3, 1, 5]
    conversation.receive({"type": "view", "n": 3, "like": 4})
    message, _ = pushed(conversation)
    assert (message["type"], message["id"]) == ("error", "view 3")
    assert "without" in message["message"]


class Embedding:
    """A classifier that tells galaxies apart by the number in their names."""

    all_questions = ()

    def __init__(self, model):
        self.model, self.asked = model, []

    def embed(self, table, *, images, cutout_r90, views, progress):
        numbers = np.array([float(str(name)[-5]) for name in table[images]])
        self.asked += numbers.tolist()
        table = table.copy()
        table["features"] = np.stack([np.cos(numbers / 9), np.sin(numbers / 9)],
                                     axis=1).astype(np.float32)
        table.meta["MORPHEMB"] = "a"
        return table


def test_similar_ones_are_looked_at_where_a_classifier_is_given(table, talk):
    classifier = Embedding(talk(table).gallery.galaxies.model)
    conversation = talk(table, classifier=classifier)
    assert ask(conversation, "ready")[0]["can"]["similar"]
    for n, flag, rows in [(1, "none", [2, 4, 0]), (2, None, [2, 1, 3, 4, 0, 5])]:
        conversation.receive({"type": "view", "n": n, "like": 2, "flag": flag})
        found = shown(pushed(conversation))[0]
        assert found[0] == 2 and sorted(found) == sorted(rows)
    assert sorted(classifier.asked) == [0, 1, 2, 3, 4, 5]  # none twice


def test_it_says_that_it_cannot_tell_which_look_alike(table, talk):
    conversation = talk(table)
    conversation.receive({"type": "view", "n": 1, "like": 1})
    message, _ = pushed(conversation)
    assert message["type"] == "error" and "classifier" in message["message"]


def test_a_view_that_nobody_waits_for_changes_nothing(table, talk, monkeypatch):
    """Similar galaxies may take long to find: another view may be shown by then."""
    conversation, gate = talk(table), Event()
    monkeypatch.setattr(conversation.gallery, "similar", lambda row, among: (
        gate.wait(10), (np.array([5, 4]), np.ones(2)))[1])
    conversation.receive({"type": "view", "n": 1, "like": 5})
    conversation.receive({"type": "view", "n": 2, "like": 5})
    assert view(conversation, n=3, sort="P_disk")[0][0] == 4
    gate.set()
    conversation._looking.shutdown()
    assert conversation.pushed == []
    ask(conversation, "select", view=3, **{"from": 0, "to": 0}, on=True)
    assert conversation.gallery.chosen.tolist() == [False] * 4 + [True, False]


@pytest.mark.parametrize("features", [["a"] * 6, [1.0] * 6, np.full((6, 4), np.nan)])
def test_features_that_are_none_are_an_error_of_the_page(table, talk, features):
    table["features"] = features
    conversation = talk(table)
    conversation.receive({"type": "view", "n": 1, "like": 1})
    message, _ = pushed(conversation)
    assert message["type"] == "error" and message["id"] == "view 1"


ODD = {HOSTILE: range(6), "": range(6), "a,b\n": range(6), "__proto__": range(6),
       "a\udcff": range(6), "wide": np.full(6, 2**63, np.uint64), "objects": np.array([
           None, {}, [1], "s", 2, 3.5], object), "vector": np.zeros((6, 3)),
       "bytes": np.array([b"x"] * 6), "complex": np.full(6, 1j),
       "inf": [np.inf, -np.inf, np.nan, 1e308, 0, 1], "text": ["\udcff\x1b[2J", *"bcdef"]}


@pytest.mark.parametrize("name", ["selected.csv", "selected.fits", "selected.ecsv"])
def test_odd_columns_are_shown_and_written_as_far_as_a_file_holds_them(table, talk, tmp_path, name):
    for column, values in ODD.items():
        table[column] = values
    conversation = talk(table, labels=tmp_path / "labels.csv", output=tmp_path / name)
    ask(conversation, "ready")
    ask(conversation, "info", row=0)
    view(conversation)
    ask(conversation, "select", view=1, **{"from": 0, "to": 1}, on=True)
    ask(conversation, "answer", id="a", row=0, key="S")
    with pytest.warns(AstromorphWarning, match=f"{name} lacks .*img src"):
        conversation.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written, labels = Table.read(tmp_path / name), Table.read(tmp_path / "labels.csv")
    assert len(written) == 2 and {"file", "P_disk", "inf", "__proto__"} <= set(written.colnames)
    assert labels["disk"].tolist() == [0]
    Journal(tmp_path / "labels.csv.journal").close()  # it was let go


def test_columns_of_odd_names_are_sorted_by(table, talk):
    for column in (HOSTILE, "", "a\udcff"):
        table[column] = range(6)
    conversation = talk(table)
    for each in ask(conversation, "ready")[0]["columns"]:
        assert len(view(conversation, sort=each["name"])[0]) == 6


@pytest.mark.parametrize("values", [["a"] * 6, [0.5] * 6, [-1] * 6, [2**60] * 6, np.zeros((6, 2))])
def test_flags_that_are_none_are_refused(table, values):
    table["morph_flag"] = values
    with pytest.raises(ValueError, match="morph_flag"):
        Gallery(table, cutout_r90=8.48)


def test_missing_flags_are_none(table):
    table["morph_flag"] = np.ma.masked_array([1.0, np.nan, 3, 4, 5, 6], [0, 0, 1, 0, 0, 0])
    assert Gallery(table, cutout_r90=8.48).flags.tolist() == [1, 0, 0, 4, 5, 6]


QUESTIONS_OF_ALL_KINDS = [
    (Question("ring"), ["1", "2"]), (Question("t", kind="number"), []),
    (Question("arms", kind="grades", answers=("none", "weak", "strong")), ["1", "2", "3"]),
    (Question("kind", kind="classes", answers=("a", "b")), ["1", "2"])]


@pytest.mark.parametrize("question, keys", QUESTIONS_OF_ALL_KINDS)
def test_questions_of_the_classifier_are_corrected(table, talk, tmp_path, question, keys):
    rows = Table({"file": table["file"], **{name: np.arange(6) / 6 for name in question.columns}})
    classifier = SimpleNamespace(model=Gallery(table, cutout_r90=8.48).galaxies.model,
                                 all_questions=[question])
    for options in ({"classifier": classifier}, {"questions": [question]}):
        look, _ = ask(talk(rows, labels=tmp_path / "a.csv", **options), "ready")
        assert [each["key"] for each in look["keys"]] == [*keys, "?", "X"]
        assert (look["number"] is None) == (question.kind != "number")
        assert question.columns[0] in [each["name"] for each in look["columns"] if each["answer"]]
    look, _ = ask(talk(rows, labels=tmp_path / "a.csv"), "ready")
    assert not look["keys"] and "--questions" in look["why"]


def test_one_galaxy_and_the_same_galaxy_again(table, talk, tmp_path):
    assert view(talk(table[:1]))[0] == [0]
    twice = table[[0, 0, 1, 1]]
    conversation = talk(twice, labels=tmp_path / "labels.csv")
    ask(conversation, "answer", id="a", row=1, key="E")
    assert [each["row"] for each in ask(conversation, "ready")[0]["done"]] == [1]


def test_corrections_wait_while_another_process_has_the_journal(table, talk, tmp_path):
    conversation = talk(table, labels=tmp_path / "labels.csv")
    other = Journal(tmp_path / "labels.csv.journal")
    error, _ = ask(conversation, "answer", id="a", row=1, key="E")
    assert "in use by another process" in error["message"] and not error["refused"]
    with pytest.raises(OSError, match="in use"):
        talk(table, labels=tmp_path / "labels.csv")
    other.close()
    assert ask(conversation, "answer", id="a", row=1, key="E")[0]["type"] == "written"


@pytest.mark.parametrize("output, labels", [("a.csv", "a.csv"), ("a.csv", "labels.strange"),
                                            ("selected", "labels.csv")])
def test_files_that_could_not_be_written_are_refused_before_the_work(table, tmp_path, output,
                                                                     labels):
    with pytest.raises(ValueError, match="labels|format|path"):
        LookConversation(Gallery(table, cutout_r90=8.48), output=tmp_path / output,
                         labels=tmp_path / labels)


def test_a_data_frame_is_looked_at(table):
    assert len(Gallery(table.to_pandas(), cutout_r90=8.48)) == 6


@pytest.mark.parametrize("wrong", [Table(), Table({"file": []}), "table.fits", None])
def test_only_a_table_with_galaxies_is_looked_at(wrong):
    with pytest.raises(ValueError, match="table: expected a table with galaxies"):
        Gallery(wrong)


def test_a_notebook_gets_the_selection(table, tmp_path):
    pytest.importorskip("anywidget")
    widget = look(table, labels=tmp_path / "labels.csv", cutout_r90=8.48)
    sent = []
    widget.send = lambda message, buffers=None: sent.append((message, buffers))
    for message in [{"type": "ready"}, {"type": "view", "n": 1, "sort": "P_disk"},
                    {"type": "select", "view": 1, "from": 0, "to": 2, "on": True, "clear": True},
                    {"type": "answer", "id": "a", "row": 0, "key": "S"}]:
        widget._receive(widget, message, [])
    assert [message["type"] for message, _ in sent] == ["look", "view", "selected", "written"]
    assert widget.selection["P_disk"].tolist() == [0.2, 0.5, 0.1]
    assert widget.labels["disk"].tolist() == [0]
    again = look(table, labels=tmp_path / "labels.csv", cutout_r90=8.48)  # the cell runs again
    assert again.labels["disk"].tolist() == [0]
    again.conversation.close()
    assert "import " not in widget._esm and "export default { render }" in widget._esm


def test_the_command_line(table, tmp_path, monkeypatch, capsys):
    page = pytest.importorskip("astromorph.labeling.page")
    from astromorph.cli import main

    def serve(conversation, **options):
        view(conversation, sort="P_disk")
        ask(conversation, "select", view=1, **{"from": 0, "to": 1}, on=True, clear=True)
        ask(conversation, "answer", id="a", row=0, key="S")
        assert options == {"browser": False}

    monkeypatch.setattr(page, "serve", serve)
    table.write(tmp_path / "table.fits")
    arguments = ["look", str(tmp_path / "table.fits"), "--images", "file", "--cutout-r90", "8.48",
                 "--no-browser", "--json", "-o", str(tmp_path / "selected.csv")]
    assert main(arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["rows"], summary["selected"], summary["corrected"]) == (6, 2, 1)
    assert len(Table.read(tmp_path / "selected.csv")) == 2
    assert len(Table.read(tmp_path / "table.fits.labels.csv")) == 1
    assert read_journal(tmp_path / "table.fits.labels.csv.journal")[1]["key"] == "S"


@pytest.mark.parametrize("arguments, message", [
    (["table.fits", "--labels", "labels.strange"], "labels.strange"),
    (["table.fits", "-o", "x.csv", "--labels", "x.csv"], "--labels: expected another file"),
    (["table.fits", "--labels", "table.csv"], "has no journal"), (["galaxy0.jpg"], "as a table"),
    (["nowhere.fits"], "nowhere.fits"), (["empty.csv"], "a table with galaxies"),
    (["table.fits", "--questions", "no.toml"], "no.toml"),
    (["table.fits", "table.csv"], "table")])
def test_what_is_wrong_is_said_in_a_line(table, tmp_path, monkeypatch, capsys, arguments, message):
    page = pytest.importorskip("astromorph.labeling.page")
    from astromorph.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "serve", lambda *args, **options: None)
    table["file", "P_disk"].write("table.fits")
    table["file", "P_disk"].write("table.csv")
    table["file", "P_disk"][:0].write("empty.csv")
    try:
        assert main(["look", "--images", "file", "--cutout-r90", "8.48", *arguments]) == 1
    except SystemExit as refusal:
        assert refusal.code == 2
    line, = capsys.readouterr().err.splitlines()
    assert message in line and line.startswith("astromorph look: error: ")
    assert not list(tmp_path.glob("*.journal"))
