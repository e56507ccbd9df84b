"""A classifier learns beside the person who labels: what it states, suggests and saves."""
import json
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier, Question
from astromorph.labeling.conversation import Conversation
from astromorph.labeling.galaxies import LabelGalaxies
from astromorph.labeling.learner import Learner, report_text
from astromorph.labeling.seen import SeenGalaxies
from astromorph.labeling.session import LabelSession
from astromorph.learning.adapting import adapt
from astromorph.questions import QUESTIONS

RING = Question("ring")
N = 160


@pytest.fixture(scope="module")
def sample():
    images, labels = galaxies(N, (1, 2, 3), seed=0)
    return list(images), labels


@pytest.fixture(scope="module")
def shown(classifier, sample):
    return LabelGalaxies(sample[0], classifier.model, cutout_r90=WIDTH)


@pytest.fixture(scope="module")
def seen(classifier, shown):
    """What the network sees of all of them, read once."""
    with SeenGalaxies(classifier.model, shown.source(classifier.model)) as seen:
        seen.align()
        seen.add(range(N))
    return seen


@pytest.fixture
def begin(classifier, shown, seen, tmp_path):
    """A function that begins, or goes on with, a session and its learner."""
    opened = []

    def begin(questions=QUESTIONS, name="j", seen=seen, **options):
        session = LabelSession(shown, questions, tmp_path / name, labeler="me", repeats=0)
        learner = Learner(classifier, session, seen=seen, **options)
        opened.append((learner, session))
        learner.start()
        return learner, session

    yield begin
    for learner, session in opened:
        learner.stop()
        session.close()


def key_of(labels):
    disk, edge_on, bar = labels
    return "S" if disk == 0 else "E" if edge_on == 1 else "B" if bar == 1 else "D"


def label(learner, session, labels, n, tag="a"):
    """Answer n more galaxies as they come; the learner keeps up."""
    for k in range(n):
        row = session.upcoming(1)[0]
        session.answer(row, key_of(labels[row % N]), id=f"{tag}{k}")
        learner.labels_changed()
        assert learner.wait(300)


def test_it_learns_every_25_answers(begin, sample):
    learner, session = begin()
    told = []
    learner.on_change = lambda: told.append(learner.state()["labels"])
    label(learner, session, sample[1], 24)
    assert learner.state()["labels"] == 0
    label(learner, session, sample[1], 76, "b")
    state = learner.state()
    assert state["status"] == "waiting" and state["message"] == "" and state["labels"] == 100
    assert list(dict.fromkeys(told)) == [0, 25, 50, 75, 100]
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    disk = state["details"][0]
    assert [each["labels"] for each in state["questions"]["disk"]] == [0, 25, 50, 75, 100]
    assert disk["taught"] and disk["sealed"] == sum(
        entry["row"] in session.sealed for entry in session.done())
    assert disk["labels"] + disk["sealed"] == 100
    last = state["questions"]["disk"][-1]
    assert 0.7 < last["accuracy"] and last["low"] < last["accuracy"] and last["high"] <= 1
    assert {"completeness", "completeness_low", "purity", "purity_high"} <= set(last)
    too_early = state["forecast"]["disk"].startswith("It is too early for a forecast: ")
    assert too_early == (disk["sealed"] < 20)
    assert "disk" in report_text(state) and "accuracy" in report_text(state)


def test_the_sealed_share_teaches_nothing(begin, sample):
    """Other labels of the sealed galaxies change the scores, and nothing that answers."""
    found = []
    for name in ("right", "wrong"):
        learner, session = begin(name=name)
        labels, sealed = sample[1].copy(), sorted(session.sealed)
        if name == "wrong":
            labels[sealed, 0] = 1 - labels[sealed, 0]
        assert learner.wait(300)
        for row in range(N):
            session.answer(row, key_of(labels[row]), id=f"{row}")
        learner.labels_changed()
        assert learner.wait(300)
        disk = QUESTIONS[0]
        found.append((learner.lessons.answer(disk, learner.lessons.last, range(N)),
                      learner.state()["questions"]["disk"][-1]["accuracy"]))
        session.close()
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] > 0.7 > 0.3 > found[1][1]


def test_what_comes_next_is_suggested_and_never_sealed(begin, sample):
    learner, session = begin()
    orders = []
    set_order, session.set_order = session.set_order, lambda rows: (
        orders.append(rows), set_order(rows))
    label(learner, session, sample[1], 50)
    assert len(orders) >= 2
    done = {entry["row"] for entry in session.done()[:25]}
    assert orders[-1] and not done & set(orders[-1])
    assert not session.sealed & set(sum(orders, []))


def test_going_on_gives_the_same_curve(begin, sample):
    learner, session = begin()
    label(learner, session, sample[1], 75)
    before = learner.state()
    learner.stop()
    session.close()
    learner, session = begin()
    assert learner.wait(300)
    assert learner.state() == before


def test_undo_goes_back(begin, sample):
    learner, session = begin()
    label(learner, session, sample[1], 25)
    after_25 = learner.state()
    label(learner, session, sample[1], 25, "b")
    session.undo(id="u")
    learner.labels_changed()
    assert learner.wait(300)
    state = learner.state()
    assert state == after_25
    assert state["labels"] == 25
    assert [each["labels"] for each in state["questions"]["disk"]] == [0, 25]


def test_no_number_between_two_lessons_tells_which_galaxies_are_sealed(begin, sample):
    """What the page shows depends on whole lessons alone, also after it is gone on with."""
    learner, session = begin()
    label(learner, session, sample[1], 25)
    at_25 = learner.state()
    label(learner, session, sample[1], 7, "b")
    assert learner.state() == at_25
    session.undo(id="u")
    learner.labels_changed()
    assert learner.wait(300) and learner.state() == at_25
    learner.stop()
    session.close()
    learner, session = begin()
    assert learner.wait(300) and learner.state() == at_25
    assert sum(at_25["details"][0][name] for name in ("labels", "sealed")) == 25


def test_a_lesson_of_answers_that_were_corrected_is_learned_anew(begin, sample):
    found = []
    for name in ("a", "b"):
        learner, session = begin(name=name)
        assert learner.wait(300)
        rows = [row for row in range(N) if row not in session.sealed][:100]
        for row in rows[:50]:
            session.answer(row, key_of(sample[1][row]), id=f"{row}")
        if name == "a":  # it has learned from what is corrected later
            learner.labels_changed()
            assert learner.wait(300)
        session.answer(rows[0], key_of(sample[1][rows[0]]), id="again")
        for row in rows[50:]:
            session.answer(row, key_of(sample[1][row]), id=f"{row}")
        learner.labels_changed()
        assert learner.wait(300)
        found.append([learner.lessons.answer(QUESTIONS[0], learner.lessons.taught[n], range(N))
                      for n in (25, 50, 75, 100)])
    np.testing.assert_array_equal(*found)


def test_a_question_of_ones_own(begin, sample, tmp_path):
    learner, session = begin([RING])
    rings = sample[1][:, 0]
    assert learner.wait(300)
    assert learner.state()["forecast"]["ring"] == "It first learns after 25 answers."
    assert learner.state()["questions"] == {"ring": []}
    wrong = [row for row in range(N) if row not in session.sealed][:3]
    for row in range(N - 10):
        is_ring = rings[row] if row not in wrong else 1 - rings[row]
        session.answer(row, "1" if is_ring else "2", id=f"{row}")
    learner.labels_changed()
    assert learner.wait(300)
    state = learner.state()
    assert state["details"][0]["taught"] and state["questions"]["ring"][-1]["accuracy"] > 0.8
    suspect = [each["row"] for each in state["suspects"]]
    assert len(set(wrong) & set(suspect[:6])) >= 2
    folder = learner.save(tmp_path / "out")
    assert learner.wait(300)
    assert {path.name for path in folder.iterdir()} == {
        "report.txt", "learning.json", "weights.safetensors", "card.json"}
    assert learner.state()["message"].endswith("It is in out.")
    taught = MorphologyClassifier.read(folder)
    assert "ring" in [each.key for each in taught.questions]
    assert taught.card["sealed_share"]["labels"] == N - 10
    assert "ring" in (folder / "report.txt").read_text()


@pytest.mark.slow
def test_teach_adapts_and_scores_on_the_sealed_share(begin, sample, tmp_path, monkeypatch):
    monkeypatch.setattr("astromorph.labeling.learner.adapt",
                        partial(adapt, epochs=2, folds=0))  # in a minute
    learner, session = begin()
    for row in range(N):
        session.answer(row, key_of(sample[1][row]), id=f"{row}")
    learner.teach()
    assert learner.wait(600)
    state = learner.state()
    assert state["error"] == "" and state["taught"]["labels"] == N
    assert "The whole network was taught" in state["message"]
    assert "disk accuracy" in state["message"] and state["message"].endswith("to keep it.")
    assert {each["key"] for each in state["taught"]["questions"]} == {"disk", "edge_on", "bar"}
    assert state["taught"]["questions"][0]["accuracy"] > 0.7
    adapted = learner.taught.card.adapted
    assert adapted["galaxies"] == N - len(session.sealed)


def test_the_page_says_how_many_labels_are_missing(begin):
    learner, session = begin([Question("shape", kind="classes", answers=("oval", "two_arms"))])
    rows = [row for row in range(N) if row not in session.sealed]
    for k, row in enumerate([*rows[:20], *sorted(session.sealed)[:5]]):
        session.answer(row, "1" if k < 17 else "2", id=f"{row}")
    learner.labels_changed()
    assert learner.wait(300)
    assert learner.state()["forecast"]["shape"] == (
        "It learns from 10 galaxies of each answer. So far: oval 17, two arms 3.")


def test_errors_become_messages(begin, sample):
    learner, session = begin()
    assert learner.wait(300)
    learner.teach()  # there are no labels
    assert learner.wait(300)
    state = learner.state()
    assert "at least 10 galaxies of each answer" in state["message"] == state["error"]
    assert "Your labels are kept." in state["message"]
    assert f"went wrong last: {state['error']}" in report_text(state)
    assert state["status"] == "waiting" and state["taught"] is None
    label(learner, session, sample[1], 25)
    assert learner.state()["labels"] == 25
    assert learner.state()["message"] == state["error"]  # until somebody teaches again
    learner._adapt = lambda: setattr(learner, "_wanted", False)
    learner.teach()
    assert learner.wait(300) and learner.state()["message"] == ""


def test_a_lesson_that_failed_is_forgotten_with_the_next(begin, sample):
    learner, session = begin()
    assert learner.wait(300)
    fit, learner.lessons._fit = learner.lessons._fit, lambda n: 1 / 0
    label(learner, session, sample[1], 25)
    assert "division" in learner.state()["message"]
    learner.lessons._fit = fit
    label(learner, session, sample[1], 25, "b")
    assert learner.state()["message"] == ""


def test_the_page_draws_what_the_learner_says(begin, sample, page):
    """The learner itself, not a stand-in."""
    pytest.importorskip("starlette")
    from astromorph.labeling.page import PageServer

    learner, session = begin()
    label(learner, session, sample[1], 25)
    conversation = Conversation(session, learner)
    with PageServer(conversation) as server:
        page.open(server.address)
        page.tab.wait_for_selector(".am-learning svg[aria-label^='disk or features: accuracy']")
        assert page.tab.locator(".am-question").count() == 3
    conversation.close()


def test_it_reads_those_that_are_needed_first(classifier, sample, tmp_path):
    """The galaxies that come next and the sealed ones, then the rest; one has no image."""
    images = [*sample[0][:140], "missing.jpg"]
    shown = LabelGalaxies(images, classifier.model, cutout_r90=WIDTH)
    with LabelSession(shown, QUESTIONS, tmp_path / "j", labeler="me") as session:
        learner = Learner(classifier, session)
        chunks, add = [], learner._seen.add
        learner._seen.add = lambda rows: (chunks.append(list(rows)), add(rows))
        needed = {*session.upcoming(), *sorted(session.sealed)}
        learner.start()
        assert learner.wait(300)
        learner.stop()
    assert needed <= {row % 141 for row in chunks[0]}
    assert sorted(sum(chunks, [])) == list(range(141))
    assert learner.state()["read"] == 141 and learner.state()["status"] == "stopped"
    assert np.flatnonzero(~learner._seen.usable()).tolist() == [140]


def test_stop_ends_the_thread(begin):
    learner, _ = begin()
    learner.stop()
    assert not any(thread.name == "astromorph-learner" and thread.is_alive()
                   for thread in threading.enumerate() if thread is learner._thread)
    assert learner.wait(1)


def test_every_must_be_a_count(classifier, shown):
    session = SimpleNamespace(galaxies=shown, questions=QUESTIONS, sealed=frozenset())
    with pytest.raises(ValueError, match="every"):
        Learner(classifier, session, every=0)


