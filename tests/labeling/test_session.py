"""A person's labels: all of it follows from the journal."""
import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from astromorph.labeling.journal import Journal, read_journal
from astromorph.labeling.session import LabelSession, standing
from astromorph.learning.labels import read_labels
from astromorph.questions import QUESTIONS, Question

RING = Question("ring", kind="grades", answers=("none", "weak", "strong"))
T_TYPE = Question("t", kind="number", limits=(-6, 11))


class Galaxies:
    """Names only."""

    def __init__(self, n, start=0):
        self.names = [f"galaxy {row}" for row in range(start, start + n)]
        self.digest = f"{n} from {start}"
        self.table = Table({"file": [f"{name}.jpg" for name in self.names]})


def _session(path, n=40, questions=QUESTIONS, **options):
    return LabelSession(Galaxies(n), questions, path, labeler="me", **options)


def _state(session):
    return session.progress(), session.done(), session.labels().pformat(max_width=-1)


@pytest.mark.parametrize("key, expected", [
    ("S", [0, np.nan, np.nan]), ("E", [1, 1, np.nan]), ("B", [1, 0, 1]), ("D", [1, 0, 0]),
    ("?", [np.nan] * 3), ("X", [np.nan] * 3)])
def test_one_key_answers_the_tree(tmp_path, key, expected):
    with _session(tmp_path / "j") as session:
        session.answer(3, key, id="a")
        table = session.labels()
    assert table.colnames == ["file", "disk", "edge_on", "bar", "cannot_tell", "no_galaxy",
                              "sealed", "labeler", "time"]
    assert table["file"].tolist() == ["galaxy 3.jpg"]
    np.testing.assert_array_equal([table[name][0] for name in ("disk", "edge_on", "bar")], expected)
    assert (table["cannot_tell"][0], table["no_galaxy"][0]) == (key == "?", key == "X")


def test_questions_of_ones_own(tmp_path):
    with _session(tmp_path / "a", questions=[RING]) as session:
        assert [(each.key, each.title) for each in session.keys.values()] == [
            ("1", "none"), ("2", "weak"), ("3", "strong"), ("?", "cannot tell"),
            ("X", "no galaxy")]
        session.answer(0, "3", id="a")
        assert session.labels()["ring"].tolist() == [2]
    with _session(tmp_path / "b", questions=[T_TYPE]) as session:
        session.answer(0, value="-2.5", id="a")
        session.answer(1, "?", id="b")
        for value in ("12", "nan", "", None, "1_0", [1]):
            with pytest.raises(ValueError, match="value"):
                session.answer(2, value=value, id="c")
        np.testing.assert_array_equal(session.labels()["t"], [-2.5, np.nan])
    with pytest.raises(ValueError, match="one question, or disk, edge_on and bar"):
        _session(tmp_path / "c", questions=[RING, T_TYPE])
    assert not (tmp_path / "c").exists()


def test_labels_and_votes_of_others_are_left_out(tmp_path):
    galaxies = Galaxies(3)
    for name in ("q1", "Edge_On", "P_disk", "smooth-or-featured_smooth", "t03_bar_a06_bar_fraction",
                 "morph_flag", "mag"):
        galaxies.table[name] = [1, 0, 1]
    with LabelSession(galaxies, QUESTIONS, tmp_path / "j", labeler="me") as session:
        session.answer(1, "B", id="a")
        table = session.labels()
    assert table.colnames[:6] == ["file", "morph_flag", "mag", "disk", "edge_on", "bar"]
    np.testing.assert_array_equal(read_labels(table, None, QUESTIONS), [[1, 0, 1]])


@pytest.mark.parametrize("key", ["sealed", "no_galaxy", "Cannot_Tell", "time", "labeler", "file",
                                 "FILE"])
def test_labels_have_columns_of_their_own(tmp_path, key):
    for question in (Question(key), Question("ring", aliases=(key,))):
        with pytest.raises(ValueError, match="questions: expected keys and aliases other than"):
            _session(tmp_path / "j", questions=[question])
    assert not list(tmp_path.iterdir())


def test_columns_of_labels_replace_those_of_the_galaxies(tmp_path):
    galaxies = Galaxies(3)
    for name in ("Sealed", "NO_GALAXY", "time", "mag"):
        galaxies.table[name] = [1, 1, 1]
    with LabelSession(galaxies, QUESTIONS, tmp_path / "j", labeler="me") as session:
        session.answer(1, "B", id="a")
        assert session.labels().colnames == ["file", "mag", "disk", "edge_on", "bar", "cannot_tell",
                                             "no_galaxy", "sealed", "labeler", "time"]


@pytest.mark.parametrize("row", [-1, 80, 1.0, "1", True, None])
def test_rows_are_checked(tmp_path, row):
    with _session(tmp_path / "j") as session:
        for work in (lambda: session.answer(row, "S", id="a"), lambda: session.go(row)):
            with pytest.raises(ValueError, match="row"):
                work()
        assert len(session.journal.entries) == 1


_STEPS = st.lists(st.one_of(
    st.tuples(st.just("answer"), st.integers(0, 7), st.sampled_from("SEBDU?X")),
    st.tuples(st.just("undo"), st.none() | st.integers(0, 30), st.none())), max_size=30)


@given(steps=_STEPS)
def test_undo_is_exact_and_a_resumed_session_is_the_same(tmp_path_factory, steps):
    """Against a model that keeps a list of all steps, and drops those that were taken back."""
    path = tmp_path_factory.mktemp("session") / "j"
    session, steps_done = _session(path, 8), []
    for number, (kind, what, key) in enumerate(steps):
        if kind == "answer":
            session.answer(what, key, id=f"{number}")
            steps_done.append([f"{number}", what, key, True])
            continue
        live = [step for step in steps_done if step[3] and step[2] != "undo"]
        of = f"{what}" if what is not None else live[-1][0] if live else None
        target = next((step for step in steps_done if step[0] == of and step[3]), None)
        if target is None:
            with pytest.raises(ValueError, match="of"):
                session.undo(of, id=f"{number}")
            continue
        session.undo(what if what is None else of, id=f"{number}")
        _take_back(steps_done, target)
        steps_done.append([f"{number}", target[0], "undo", True])
    expected = {}
    for _, row, key, stands in steps_done:
        if stands and key != "undo":
            expected[row] = key
    assert {entry["row"]: entry["key"] for entry in session.done()} == expected
    before = _state(session)
    session.close()
    with _session(path, 8) as again:
        assert _state(again) == before


def _take_back(steps, target):
    target[3] = False
    if target[2] == "undo":
        undone = next(step for step in steps if step[0] == target[1])
        undone[3] = True


def test_an_undo_and_an_answer_sent_twice_count_once(tmp_path):
    with _session(tmp_path / "j") as session:
        first = session.answer(1, "S", id="a")
        session.answer(1, "E", id="b")
        assert session.answer(1, "S", id="a") is first
        assert session.standing_answer(1)["key"] == "E"
        undone = session.undo(id="u")
        assert session.undo(id="u") is undone
        assert session.standing_answer(1)["key"] == "S"
        session.undo("u", id="v")
        assert session.standing_answer(1)["key"] == "E"
        assert len(read_journal(tmp_path / "j")) == 5


def test_what_was_taken_back_comes_next(tmp_path):
    with _session(tmp_path / "j", repeats=0) as session:
        rows = session.upcoming(5)
        for n, row in enumerate(rows[:3]):
            session.answer(row, "S", id=f"{n}")
        session.undo(id="u")
        assert session.upcoming(3) == rows[2:5]
        session.go(rows[0])
        assert session.upcoming(3) == [rows[0], *rows[2:4]]
        session.answer(rows[0], "E", id="z")
        assert session.upcoming(3) == rows[2:5]


def test_resumed_the_same_galaxies_come(tmp_path):
    with _session(tmp_path / "j", repeats=0) as session:
        rows = session.upcoming(40)
        for n, row in enumerate(rows[:7]):
            session.answer(row, "S", id=f"{n}")
    with _session(tmp_path / "j", repeats=0, seed=5, sealed=0.5) as session:
        assert session.upcoming(40) == rows[7:]
    assert sorted(rows) == list(range(40))


def test_one_in_five_is_sealed_and_mixed_in_at_random(tmp_path):
    places = []
    for seed in range(10):
        with _session(tmp_path / f"{seed}", 500, seed=seed, repeats=0) as session:
            assert len(session.sealed) == 100
            rows = session.upcoming(250)
            places.append([row in session.sealed for row in rows])
    shares = np.mean(places, axis=1)
    assert abs(shares.mean() - 0.2) < 0.03 and shares.std() > 0
    assert abs(np.mean(places, axis=0)[:20].mean() - 0.2) < 0.1
    assert len({tuple(each) for each in places}) == 10


def test_an_order_changes_what_was_not_told_and_never_the_sealed_share(tmp_path):
    with _session(tmp_path / "j", 200, repeats=0) as session:
        told = session.upcoming(10)
        wanted = [row for row in range(200) if row not in told][::-1]
        session.set_order(wanted)
        rows = session.upcoming(200)
        assert rows[:10] == told
        rest = [row for row in rows[10:] if row not in session.sealed]
        assert rest == [row for row in wanted if row not in session.sealed]
        assert sorted(rows) == list(range(200))
        sealed = [row in session.sealed for row in rows[10:110]]
    assert 10 < sum(sealed) < 35


def test_training_labels_are_without_the_sealed_share(tmp_path):
    with _session(tmp_path / "j") as session:
        for row in range(40):
            session.answer(row, "S", id=f"{row}")
        rows = session.rows(sealed=False)
        assert len(rows) == 32 and not session.sealed & set(rows)
        assert session.labels(sealed=False)["file"].tolist() == [
            f"galaxy {row}.jpg" for row in rows]
        assert set(session.rows(sealed=True)) == session.sealed
        assert session.labels()["sealed"].sum() == 8


def test_some_galaxies_come_twice_unasked(tmp_path):
    with _session(tmp_path / "j", 300, repeats=0.1) as session:
        seen = []
        while row := session.upcoming(1):
            seen += row
            session.answer(row[0], "S" if row[0] < 300 else "E", id=f"{len(seen)}")
        again = [row - 300 for row in seen if row >= 300]
        assert 15 < len(again) < 45 and len(set(seen)) == len(seen)
        for row in again:
            assert seen.index(row + 300) - seen.index(row) > 10
        assert set(session.labels()["disk"]) == {0}  # the first answer is the label
        assert session.progress()["answered"] == 300


def test_another_list_other_questions_or_another_labeler_is_refused(tmp_path):
    _session(tmp_path / "j").close()
    for galaxies, questions, word in [(Galaxies(40, 1), QUESTIONS, "galaxies"),
                                      (Galaxies(41), QUESTIONS, "galaxies"),
                                      (Galaxies(40), [RING], "questions")]:
        with pytest.raises(ValueError, match=f"one of the same {word}"):
            LabelSession(galaxies, questions, tmp_path / "j")
    with pytest.raises(ValueError, match="'me', who began"):
        LabelSession(Galaxies(40), QUESTIONS, tmp_path / "j", labeler="you")
    with LabelSession(Galaxies(40), QUESTIONS, tmp_path / "j") as session:  # all were let go
        assert session.labeler == "me"


def test_a_journal_of_something_else_is_refused(tmp_path):
    with Journal(tmp_path / "j") as journal:
        journal.append({"kind": "answer", "id": "a"})
    with pytest.raises(ValueError, match="what is labeled"):
        _session(tmp_path / "j")


def test_an_undo_that_was_undone_does_not_stand():
    entries = [{"kind": "answer", "id": "a"}, {"kind": "undo", "id": "b", "of": "a"},
               {"kind": "undo", "id": "c", "of": "b"}]
    assert [entry["id"] for entry in standing(entries)] == ["a", "c"]
    assert [entry["id"] for entry in standing(entries[:2])] == ["b"]


@pytest.mark.parametrize("old, new, expected", [
    ('"row": 3, ', "", "a row below 40 in line 2"), ('"row": 3', '"row": 40', "a row below 40"),
    ('"row": 3', '"row": 4', "the name 'galaxy 4' for row 4 in line 2"),
    ('"row": 3', '"row": true', "a row below 40"), ('"row": 3', '"row": "3"', "a row below 40"),
    (', "answers": {"disk": 0}', "", "the answers {.disk.: 0} of key S in line 2"),
    ('{"disk": 0}', '{"disk": 1}', "the answers {.disk.: 0} of key S in line 2"),
    ('"key": "S", ', "", "one of the keys S, E, B, D, U, ., X, or a number"),
    ('"key": "S"', '"key": ["S"]', "one of the keys"),
    ('"id": "a", ', "", "each a text, in line 2"),
    ('"labeler": "me", "shown"', '"labeler": null, "shown"', "each a text, in line 2"),
    ('"of": "b", ', "", "id and of, each a text, in line 4"),
    ('"seed": 0', '"seed": -1', "seed, and share and repeats in 0..0.5 in line 1"),
    ('"sealed": [', '"sealed": [99, ', "a list of 8 different rows below 40, in line 1"),
    ('"share": 0.2', '"share": 0.1', "a list of 4 different rows below 40, in line 1"),
    ('"of": "b"', '"of": "u"', "of, the id of an earlier answer or undo, in line 4"),
    ('"of": "b"', '"of": "z"', "of, the id of an earlier answer or undo, in line 4"),
    ('"rows": 40', '"rows": 0', "time and rows in line 1"),
    ('"yes_no"', '"maybe"', "questions that can be labeled in line 1")])
def test_an_entry_that_was_edited_raises_with_its_line(tmp_path, old, new, expected):
    path = tmp_path / "j"
    with _session(path) as session:
        session.answer(3, "S", id="a")
        session.answer(5, "E", id="b")
        session.undo(id="u")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=expected):
        _session(path)
    path.write_text(text)
    _session(path).close()  # it was let go


def test_an_answer_may_be_corrected_by_hand(tmp_path):
    with _session(tmp_path / "j", questions=[T_TYPE]) as session:
        session.answer(3, value=2.5, id="a")
    text = (tmp_path / "j").read_text()
    (tmp_path / "j").write_text(text.replace("2.5", "4")[:-1])
    with _session(tmp_path / "j", questions=[T_TYPE]) as session:
        assert session.labels()["t"].tolist() == [4]
    (tmp_path / "j").write_text(text.replace("2.5", "44"))
    with pytest.raises(ValueError, match="a number that is the answer, in line 2"):
        _session(tmp_path / "j", questions=[T_TYPE])


@pytest.mark.parametrize("seed", [-1, 1.5, float("nan"), 2**60, "1"])
def test_a_seed_that_is_none_leaves_no_journal(tmp_path, seed):
    with pytest.raises(ValueError, match="seed"):
        _session(tmp_path / "j", seed=seed)
    assert not list(tmp_path.iterdir())
