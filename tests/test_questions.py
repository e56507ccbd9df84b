"""Questions: what their fields may be, and which of them go together."""
import numpy as np
import pytest
from astropy import units as u

from astromorph import Question
from astromorph.questions import QUESTIONS, check_questions

NAMES = ("none", "weak")


@pytest.mark.parametrize("name, value, options", [
    ("key", "größe", {}), ("key", "a" * 61, {}), ("column", "P ring", {}),
    ("column", "morph_flag", {}), ("column", "Features", {}), ("parent", 3, {}),
    ("aliases", "abc", {}), ("aliases", (1,), {}), ("aliases", None, {}), ("unit", 5, {}),
    ("answers", "abc", {"kind": "grades"}), ("answers", {"none", "weak"}, {"kind": "grades"}),
    ("answers", None, {"kind": "classes"}), ("answers", ("1", "2", "3"), {"kind": "grades"}),
    ("limits", (0, 10**400), {"kind": "number"}), ("limits", (0, 1e39), {"kind": "number"})])
def test_what_a_field_cannot_be(name, value, options):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        Question(**{"key": "ring", name: value} | options)


def test_what_json_and_astropy_bring():
    size = Question("size", kind="number", unit=u.arcsec, limits=[np.float32(0.5), np.int64(2)],
                    aliases=["r"])
    assert (size.unit, size.limits, size.aliases) == ("arcsec", (0.5, 2), ("r",))
    assert type(size.limits[0]) is float


@pytest.mark.parametrize("other", [
    Question("bar_err"), Question("bar_joint"), Question("ring", aliases=("bar",)),
    Question("q3"), Question("P_bar"), Question("Bar", "P_other")])
def test_columns_that_would_be_taken_twice(other):
    with pytest.raises(ValueError, match="questions: expected each (key|column) once"):
        check_questions((*QUESTIONS, other))
    check_questions((*QUESTIONS, Question("ring", kind="classes", answers=NAMES)))


@pytest.mark.parametrize("given", [(), None, 5, "ring", ["ring"], [QUESTIONS[0], None]])
def test_what_are_no_questions(given):
    with pytest.raises(ValueError, match="questions: expected one Question or more"):
        check_questions(given)
