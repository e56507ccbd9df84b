"""How far labelers agree."""
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from sklearn.metrics import cohen_kappa_score

from astromorph.labeling.agreement import (Agreement, compare_journals, kappa,
                                           own_agreement)
from astromorph.labeling.session import LabelSession
from astromorph.questions import QUESTIONS, Question


def _galaxies(n):
    names = [f"galaxy {row}" for row in range(n)]
    return SimpleNamespace(names=names, digest=str(n), table=Table({"name": names}))


def _entries(path, answers, questions=QUESTIONS, n=40):
    with LabelSession(_galaxies(n), questions, path, labeler=path.name, repeats=0) as session:
        for number, (row, key) in enumerate(answers):
            if isinstance(key, float):
                session.answer(row, value=key, id=f"{number}")
            else:
                session.answer(row, key, id=f"{number}")
        return session.journal.entries


@pytest.mark.parametrize("weights", [None, "quadratic"])
def test_kappa_is_that_of_others(weights):
    first, second = np.random.default_rng(1).integers(0, 4, (2, 200))
    counts = np.zeros((4, 4))
    np.add.at(counts, (first, second), 1)
    distances = np.subtract.outer(range(4), range(4)) ** 2 if weights else None
    assert kappa(counts, distances) == pytest.approx(
        cohen_kappa_score(first, second, weights=weights))


def test_two_labelers_of_one_list(tmp_path):
    keys = "SSSSSSEEEEBBBBDDDD?X" * 2
    ann = _entries(tmp_path / "ann", enumerate(keys))
    ben = _entries(tmp_path / "ben", [*enumerate(keys[:36])][::-1] + [(0, "D"), (7, "B")])
    found = compare_journals(ann, ben)
    scores = {row["question"]: row for row in found.scores}
    assert [scores[key]["n"] for key in ("disk", "edge_on", "bar", "key")] == [34, 22, 14, 36]
    assert scores["disk"]["agree"] == pytest.approx(33 / 34)
    assert scores["bar"]["kappa"] == 1 and scores["key"]["agree"] == pytest.approx(34 / 36)
    assert 0 < scores["disk"]["kappa_low"] < scores["disk"]["kappa"] < 1
    assert [tuple(row) for row in found.disagreements] == [
        (0, "galaxy 0", "smooth", "disk without a bar"),
        (7, "galaxy 7", "edge-on disk", "barred disk")]


def test_the_interval_holds_in_about_68_percent():
    rng, inside = np.random.default_rng(3), 0
    share = np.array([[0.4, 0.1], [0.1, 0.4]])
    for _ in range(100):
        drawn = rng.choice(4, 80, p=share.ravel())
        pairs = [tuple({"answers": {"ring": side}, "key": str(2 - side), "row": 0, "name": "g"}
                       for side in divmod(int(place), 2)) for place in drawn]
        row = Agreement([Question("ring")], pairs).scores[0]
        inside += row["kappa_low"] <= 0.6 <= row["kappa_high"]
    assert 55 <= inside <= 80


def test_grades_that_are_far_apart_disagree_more(tmp_path):
    ring = [Question("ring", kind="grades", answers=("none", "weak", "strong"))]
    ann = _entries(tmp_path / "ann", enumerate("123" * 10), ring)
    near = _entries(tmp_path / "near", enumerate("123" * 9 + "233"), ring)
    far = _entries(tmp_path / "far", enumerate("123" * 9 + "313"), ring)
    kappas = [compare_journals(ann, other).scores[0]["kappa"] for other in (near, far)]
    assert kappas[0] > kappas[1]


def test_numbers_have_no_kappa_but_disagreements(tmp_path):
    t = [Question("t", kind="number")]
    found = compare_journals(_entries(tmp_path / "a", [(0, 1.5), (1, 2.0), (2, "?")], t),
                             _entries(tmp_path / "b", [(0, 1.5), (1, 3.0), (2, 4.0)], t))
    assert found.scores["n"].tolist() == [2] and np.isnan(found.scores["kappa"][0])
    assert [tuple(row)[2:] for row in found.disagreements] == [("2", "3"), ("cannot tell", "4")]


def test_nothing_in_common_is_no_number(tmp_path):
    found = compare_journals(_entries(tmp_path / "a", [(0, "S")]), _entries(tmp_path / "b", []))
    assert found.scores["n"].tolist() == [0, 0, 0, 0] and not len(found.disagreements)
    assert np.isnan(found.scores["kappa"]).all() and np.isnan(found.scores["agree"]).all()
    same = compare_journals(*[_entries(tmp_path / name, [(0, "S"), (1, "S")]) for name in "cd"])
    assert same.scores["agree"][0] == 1 and np.isnan(same.scores["kappa"][0])


def test_other_galaxies_or_questions_are_refused(tmp_path):
    ann = _entries(tmp_path / "ann", [(0, "S")])
    for other, word in [(_entries(tmp_path / "b", [], n=41), "galaxies"), ([], "empty"),
                        (_entries(tmp_path / "c", [], [Question("ring")]), "questions")]:
        with pytest.raises(ValueError, match=f"journals: .*{word}"):
            compare_journals(ann, other)


def test_galaxies_that_came_twice_tell_ones_own_consistency(tmp_path):
    with LabelSession(_galaxies(200), QUESTIONS, tmp_path / "j", labeler="me",
                      repeats=0.2) as session:
        for number in range(240):
            for row in session.upcoming(1):
                session.answer(row, "S" if row % 2 or row == 200 else "E", id=f"{number}")
        found = own_agreement(session.journal.entries)
        repeated = [entry for entry in session.done() if entry.get("again")]
    assert found.scores["n"][0] == len(repeated) > 20
    assert found.scores["kappa"][0] > 0.8
