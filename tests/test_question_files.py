"""Questions of TOML files."""
import pytest

from astromorph.question_files import read_questions


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "mine.toml").write_text(text)
        return tmp_path / "mine.toml"

    return write


def test_every_kind(file):
    ring, grades, classes, number = read_questions(file("""
[ring]
positive = "ringed"
parent = "disk"
[arms]
kind = "grades"
answers = ["none", "weak"]
[shape]
kind = "classes"
answers = ["round", "cigar"]
[TType]
kind = "number"
limits = [-6, 11]
"""))
    assert (ring.columns, ring.positive, ring.parent) == (("P_ring",), "ringed", "disk")
    assert grades.columns == ("P_arms_none", "P_arms_weak")
    assert classes.answers == ("round", "cigar") and number.limits == (-6, 11)
    assert number.columns == ("V_TType", "e_V_TType")


@pytest.mark.parametrize("text, message", [
    ("ring = 1", r"ring in .*mine.toml: expected a table, as \[ring\]"),
    ("[ring]\nkinds = 'grades'", "ring.kinds in .*: .*Did you mean kind?"),
    ("[ring]\nkind = 'grade'", r"ring\.kind in .*: expected one of 'yes_no', 'grades'"),
    ("[ring]\nkind = 'grades'", "answers in .*: expected two or more different names"),
    ("[arms]\n[ring]\nlimits = [1, 2]",
     r"ring\.limits in .*: expected none for a question of kind 'yes_no'"),
    ("[ring]\nkind = 'number'\nlimits = [2, 1]", "limits in .*: expected two finite numbers"),
    ("[ring]\nkind = 'number'\nunit = 'furlongs'", "unit in .*: expected a unit"),
    ("[ring]\nkind = 'classes'\nanswers = ['a', 'A']", "answers in .*different names"),
    ("[ring]\ncolumn = 'Ring'",
     r"column in .*: expected another name than the label column \(ring\)"),
    ("[ring]\n[P]\ncolumn = 'p_Ring'", "questions in .*: expected each column once"),
    ("", "questions in .*: expected one Question or more"),
    ("[ring", "questions: expected a TOML file with a table for each question")])
def test_what_is_wrong_is_said(file, text, message):
    with pytest.raises(ValueError, match=message):
        read_questions(file(text))


def test_a_byte_order_mark_does_not_matter(file):
    path = file("[ring]")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_questions(path)[0].key == "ring"
