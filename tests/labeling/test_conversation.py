"""The messages of the page: what it may send, and what it is told."""
import json
import math

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from astromorph.labeling.conversation import AHEAD, Conversation, as_json
from astromorph.labeling.galaxies import one_line
from astromorph.labeling.journal import read_journal
from astromorph.labeling.session import LabelSession
from astromorph.questions import QUESTIONS, Question

HOSTILE = ["<img src=x onerror=alert(1)>.jpg", "\x1b[31mred\x1b]0;title\x07.jpg", "a\nb\r\n.jpg",
           "\udcff\u202egpj.exe", "';--\u2028.jpg", "../../etc/passwd"]


class Galaxies:
    def __init__(self, names):
        self.names = [one_line(name) for name in names]
        self.digest, self.table = "1", Table({"name": self.names})

    def picture(self, row, stretch):
        return b"%d" % row, {"width": 4, "height": 4}

    def close(self):
        pass


class Learner:
    """What a conversation asks of one, in the order in which it does."""

    def __init__(self):
        self.calls = []

    def state(self):
        return {"curve": [{"n": np.int64(25), "accuracy": np.nan}], "suspects": [{"row": 1}]}

    def __getattr__(self, name):
        if name not in ("start", "stop", "labels_changed", "teach", "save"):
            raise AttributeError(name)
        return lambda *args: self.calls.append((name, *args))


@pytest.fixture
def talk(tmp_path):
    """A function that sends one message, and gives the one reply to it."""
    yield from _talk(tmp_path)


def _talk(tmp_path, names=None, questions=QUESTIONS, **options):
    names = [f"g{row}" for row in range(60)] if names is None else names
    session = LabelSession(Galaxies(names), questions, tmp_path / "j", labeler="me", repeats=0)
    conversation = Conversation(session, **options)

    def send(kind, **content):
        (reply, data), = conversation.receive({"type": kind, **content})
        assert data is None
        assert json.loads(json.dumps(reply, allow_nan=False)) == reply
        return reply

    send.conversation, send.session = conversation, session
    yield send
    conversation.close()


def test_state_says_all_that_the_page_needs(talk):
    state = talk("ready")
    assert set(state) == {"type", "session", "title", "labeler", "questions", "keys", "number",
                          "hint", "total", "queue", "done", "progress", "learning", "can"}
    assert [each["key"] for each in state["keys"]] == ["S", "E", "B", "D", "U", "?", "X"]
    assert state["total"] == 60 and len(state["queue"]) == AHEAD and state["done"] == []
    assert state["number"] is None and state["learning"] is None and state["hint"] == ""
    assert state["can"] == dict.fromkeys(("teach", "save", "suspects", "compare"), False)


@pytest.mark.parametrize("options, hint", [
    ({}, "big ring"),
    ({"parent": "disk"}, 'big ring. For "disk or features" only: press ? for others.'),
    ({"parent": "edge_on", "asked_if": 0}, 'big ring. Not for "edge-on": press ? for these.'),
    ({"parent": "mine"}, 'big ring. For "mine" only: press ? for others.')])
def test_a_page_says_what_it_asks(tmp_path, options, hint):
    for talk in _talk(tmp_path, questions=[Question("big_ring", **options)]):
        assert talk("ready")["hint"] == hint


def test_a_disk_without_a_word_on_its_bar(talk):
    talk("answer", id="a", row=7, key="U")
    labels = talk.session.labels()[0]
    assert (labels["disk"], labels["edge_on"], labels["cannot_tell"]) == (1, 0, False)
    assert math.isnan(labels["bar"])


def test_a_number_is_typed(tmp_path):
    for talk in _talk(tmp_path, questions=[Question("t", kind="number", limits=(-6, 11))]):
        assert talk("ready")["number"] == {"title": "t", "unit": "", "limits": [-6, 11]}
        assert talk("answer", id="a", row=3, value="2.5")["type"] == "written"
        assert talk("ready")["done"] == [
            {"id": "a", "row": 3, "name": "g3", "key": None, "value": 2.5}]
        error = talk("answer", id="b", row=4, value="12")
        assert error["type"] == "error" and error["id"] == "b" and "-6 to 11" in error["message"]


def test_an_answer_is_written_before_it_is_acknowledged(talk):
    reply = talk("answer", id="a", row=7, key="B", ms=812.5,
                 shown={"stretch": "asinh", "zoom": 2, "invert": True, "more": "x" * 10**6})
    assert (reply["type"], reply["id"], reply["n"], reply["row"]) == ("written", "a", 2, 7)
    assert reply["progress"] == {"answered": 1, "total": 60, "keys": {"B": 1}}
    entry = read_journal(talk.session.journal.path)[1]
    assert entry["answers"] == {"disk": 1, "edge_on": 0, "bar": 1} and entry["ms"] == 812.5
    assert entry["shown"] == {"stretch": "asinh", "zoom": 2, "invert": True}
    assert talk("answer", id="a", row=7, key="S")["n"] == 2  # sent again
    assert len(read_journal(talk.session.journal.path)) == 2


def test_undo_says_what_stands_now(talk):
    talk("answer", id="a", row=7, key="B")
    talk("answer", id="b", row=7, key="S")
    undone = talk("undo", id="u", of="b")
    assert (undone["of"], undone["row"], undone["key"]) == ("b", 7, "B")
    assert talk("undo", id="v")["key"] is None
    assert talk("undo", id="w")["type"] == "error"
    assert talk("undo", id="x", of="v")["key"] == "B"
    assert [each["id"] for each in talk("ready")["done"]] == ["a"]


def test_pictures_come_with_their_rows(talk):
    replies = talk.conversation.receive({"type": "want", "rows": [3, 61], "stretch": "asinh"})
    assert [(message["row"], data) for message, data in replies] == [(3, b"3"), (61, b"1")]
    assert replies[0][0] == {"type": "picture", "row": 3, "stretch": "asinh", "mime": "image/jpeg",
                             "meta": {"width": 4, "height": 4}}


def test_a_galaxy_comes_next_when_asked_for(talk):
    queue = talk("ready")["queue"]
    assert talk("go", row=queue[4]["row"])["queue"][:2] == [queue[4], queue[0]]


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                     lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
_KINDS = ("ready", "answer", "undo", "want", "go", "teach", "save", "suspects", "compare")


@settings(max_examples=50)
@given(message=_JSON | st.fixed_dictionaries(
    {"type": st.sampled_from(_KINDS) | _JSON},
    optional=dict.fromkeys(("id", "of", "row", "rows", "key", "value", "shown", "ms", "stretch"),
                           _JSON)))
def test_no_message_raises(tmp_path_factory, message):
    for talk in _talk(tmp_path_factory.mktemp("any")):
        for reply, _ in talk.conversation.receive(message):
            json.dumps(reply, allow_nan=False).encode()
        assert len(read_journal(talk.session.journal.path)) == len(talk.session.journal.entries)


def test_hostile_names_are_harmless_text(tmp_path):
    for talk in _talk(tmp_path, HOSTILE):
        told = talk("ready")
        for row in range(len(HOSTILE)):
            told |= {row: talk("answer", id=f"{row}", row=row, key="S")}
        text = json.dumps(told, ensure_ascii=False)
        text.encode()  # as UTF-8, without lone surrogates
        assert all(one.isprintable() for one in text)
        assert {each["name"] for each in told["queue"]} == set(talk.session.galaxies.names)


def _shape(value):
    """A message without what may differ from galaxy to galaxy."""
    if isinstance(value, dict):
        return {key: _shape(each) for key, each in value.items()}
    return [*map(_shape, value)] if isinstance(value, list) else type(value)


def test_nothing_tells_which_galaxies_are_sealed(tmp_path):
    """Messages about them are of one form with the others, and no number goes with them."""
    told = {True: [], False: []}
    for talk in _talk(tmp_path, [f"g{row}" for row in range(500)]):
        text = json.dumps(talk("ready"))
        for step in range(400):
            row = talk.session.upcoming(1)[0]
            before = talk.session.progress()
            replies = [talk("answer", id=f"{step}", row=row, key="S")]
            after = replies[0]["progress"]
            assert after["answered"] - before["answered"] == 1
            picture, = talk.conversation.receive({"type": "want", "rows": [row]})
            replies += [picture[0], talk("go", row=talk.session.upcoming(1)[0])]
            text += json.dumps(replies)
            told[row in talk.session.sealed].append((step, row, _shape(replies)))
    assert "seal" not in text and "test" not in text and "train" not in text
    shapes = {kind: {json.dumps(shape, default=str) for *_, shape in each}
              for kind, each in told.items()}
    assert shapes[True] == shapes[False]
    rows = {kind: np.array([row for _, row, _ in each]) for kind, each in told.items()}
    assert 60 < len(rows[True]) < 101
    assert abs(rows[True].mean() - rows[False].mean()) < 60
    steps = {kind: np.mean([step for step, *_ in each]) for kind, each in told.items()}
    assert abs(steps[True] - steps[False]) < 50


def test_an_order_of_the_learner_leaves_what_was_told(tmp_path):
    """Else those that keep their places would be known as the sealed ones."""
    for talk in _talk(tmp_path):
        queue = talk("ready")["queue"]
        talk.session.set_order(range(59, -1, -1))
        assert talk("ready")["queue"] == queue


def test_the_learner_is_asked_and_speaks(tmp_path):
    learner, said = Learner(), []
    for talk in _talk(tmp_path, learner=learner, save=lambda: tmp_path / "labels.csv",
                      folder=tmp_path / "results"):
        talk.conversation.on_push(lambda message, data: said.append(message))
        talk.conversation.on_push(lambda message, data: 1 / 0)  # a page that is gone
        talk("answer", id="a", row=1, key="S")
        learner.on_change()
        learner.on_change()
        assert talk("teach")["curve"] == [{"n": 25, "accuracy": None}]
        assert talk("save") == {"type": "saved", "path": str(tmp_path / "labels.csv"),
                                "folder": str(tmp_path / "results")}
        assert talk("suspects")["rows"] == [{"row": 1, "name": "g1"}]
    assert [call[0] for call in learner.calls] == ["start", "labels_changed", "teach", "save",
                                                   "stop"]
    assert [message["type"] for message in said] == ["learning"] * 2


def test_without_a_learner_or_a_file_the_page_is_told(talk):
    for kind in ("teach", "save", "suspects", "compare"):
        assert talk(kind)["type"] == "error"


def test_a_table_that_is_not_written_takes_no_answer_back(tmp_path):
    full = []

    def save():
        if full:
            raise OSError("the disk is full")

    for talk in _talk(tmp_path, save=save):
        full.append(True)
        replies = [talk.conversation.receive({"type": "answer", "id": f"{row}", "row": row,
                                              "key": "S"}) for row in range(9)]
        assert [len(each) for each in replies] == [1] * 8 + [2]
        (written, _), (error, _) = replies[-1]
        assert written["type"] == "written" and "id" not in error and "disk is full" in str(error)
        full.clear()


def test_an_answer_that_is_not_written_is_said_to_be(talk, monkeypatch):
    def refuse(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr("os.fsync", refuse)
    assert talk("answer", id="a", row=1, key="S") == {
        "type": "error", "id": "a", "message": "the disk is full", "refused": False}
    monkeypatch.undo()
    assert talk("answer", id="a", row=1, key="S")["n"] == 2


def test_a_learner_that_fails_takes_no_answer_back(tmp_path):
    learner = Learner()
    learner.labels_changed = lambda: 1 / 0
    for talk in _talk(tmp_path, learner=learner):
        (written, _), (error, _) = talk.conversation.receive(
            {"type": "answer", "id": "a", "row": 1, "key": "S"})
        assert written["type"] == "written" and "id" not in error


def test_after_the_end_nothing_is_written(tmp_path):
    for talk in _talk(tmp_path):
        talk.conversation.close()
        talk.conversation.close()
        assert "is closed" in talk("answer", id="a", row=1, key="S")["message"]
        assert talk("want", rows=[1])["type"] == "error"
    assert len(read_journal(tmp_path / "j")) == 1


def test_numbers_of_numpy_become_plain_ones():
    assert as_json({"a": (np.float32(0.5), np.inf), "b": np.arange(2), 3: [None, "x", True]}) == {
        "a": [0.5, None], "b": [0, 1], "3": [None, "x", True]}


@pytest.mark.parametrize("odd", [float("inf"), float("nan"), "x", True, 10**400],
                         ids=["infinite", "nan", "text", "bool", "huge"])
def test_odd_times_take_no_answer_back(tmp_path, odd):
    conversation = Conversation(
        LabelSession(Galaxies(list("abcde")), QUESTIONS, tmp_path / "a.journal"))
    (reply, _), = conversation.receive({"type": "answer", "id": "a", "row": 0, "key": "S",
                                        "ms": odd, "shown": {"zoom": odd}})
    conversation.close()
    assert reply["type"] == "written"


@pytest.mark.parametrize("value", [10**400, True], ids=["huge", "bool"])
def test_what_is_no_number_is_refused(tmp_path, value):
    conversation = Conversation(LabelSession(
        Galaxies(list("abcde")), [Question("size", kind="number")], tmp_path / "a.journal"))
    (reply, _), = conversation.receive({"type": "answer", "id": "a", "row": 0, "value": value})
    conversation.close()
    assert reply["type"] == "error" and reply["refused"]
