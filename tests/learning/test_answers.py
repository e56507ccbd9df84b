"""Labels of every kind of answer, in columns as people write them."""
import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table

from astromorph import Question
from astromorph.learning.labels import read_labels

RING = Question("ring", parent="disk", aliases=("rings",))
ARMS = Question("arms", kind="grades", answers=("none", "weak", "very_strong"))
BULGE = Question("bulge", positive="boxy", negative="none")
NUMBER = Question("n", kind="number")
SIZE = Question("size", kind="number", limits=(0, 100), unit="arcsec")


@pytest.mark.parametrize("question, column, labels", [
    (RING, ["yes", "no", ""], [1, 0, np.nan]), (RING, ["Ring", "not ring ", "?"], [1, 0, np.nan]),
    (BULGE, ["boxy", "none", "maybe"], [1, 0, np.nan]),
    (ARMS, ["none", "-", "maybe"], [0, np.nan, np.nan]),
    (RING, [True, False, True], [1, 0, 1]),
    (ARMS, ["None", "weak ", "Very strong"], [0, 1, 2]), (ARMS, [2, 1, -1], [2, 1, np.nan]),
    (ARMS, ["0", "?", "very-strong"], [0, np.nan, 2]),
    (ARMS, MaskedColumn([0, 1, 2], mask=[0, 1, 0]), [0, np.nan, 2]),
    (SIZE, [1, 2.5, np.nan], [1, 2.5, np.nan]), (SIZE, [1, 0.5, 0] * u.arcmin, [60, 30, 0]),
    (SIZE, ["1.5", "", "3"], [1.5, np.nan, 3])])
def test_labels_as_people_write_them(question, column, labels):
    for name in question.label_columns:
        found = read_labels(Table({name.upper(): column}), None, [question])
        np.testing.assert_array_equal(found[:, 0], labels)


@pytest.mark.parametrize("question, column, message", [
    (RING, ["ringed", "no", "no"], "numbers, or of 'not ring', 'ring', yes, no and unknown"),
    (RING, [0, 1, 0.5], "labels 1, 0 or missing in column 'ring'"),
    (ARMS, ["none", "odd", "weak"], r"table\['arms'\]: expected none, weak, very_strong.*'odd'"),
    (ARMS, [0, 1, 3], "or their places 0 to 2, or missing. Received 1 others, first 3"),
    (ARMS, [0, 1, 0.5], "first 0.5"), (ARMS, [0, 1, np.inf], "first inf"),
    (ARMS, ["0_1", "0", "1"], "'0_1' is not a number"),
    (NUMBER, [1, 2, 1e39], "finite numbers"),
    (SIZE, MaskedColumn([1, 2, 3], unit=u.Unit("foo", parse_strict="silent")), "numbers in foo"),
    (SIZE, [1, 2, 101], "from 0 to 100"),
    (SIZE, [1, 2, np.inf], "finite numbers"), (SIZE, ["a", "1", "2"], "an array of numbers"),
    (SIZE, [1, 2, 3] * u.kg, "numbers in arcsec. Received numbers in kg")])
def test_what_is_no_label_raises(question, column, message):
    with pytest.raises(ValueError, match=message):
        read_labels(Table({question.key: column}), None, [question])


def test_words_in_a_list():
    words = ["weak", "none", "?"]
    for labels in (words, np.array(words), MaskedColumn(words)):
        np.testing.assert_array_equal(read_labels([1, 2, 3], labels, [ARMS]), [[1], [0], [np.nan]])
    with pytest.raises(ValueError, match="'odd'"):
        read_labels([1, 2], ["odd", "none"], [ARMS])


def test_parents_and_votes_beside_ones_own():
    table = Table({"ring": [1, 1, 0], "disk": [1, 0, 1], "arms": [0, 1, 2]})
    found = read_labels(table, None, [RING, ARMS])
    np.testing.assert_array_equal(found, [[1, 0], [np.nan, 1], [0, 2]])
    table.remove_column("disk")
    table["smooth-or-featured_smooth"] = [0, 40, 0]
    table["smooth-or-featured_featured-or-disk"] = [40, 0, 40]
    np.testing.assert_array_equal(read_labels(table, None, [RING, ARMS]), found)


def test_answers_are_no_labels():
    """Nor does a classified table's own column stand for a label."""
    table = Table({"V_size": [1.0], "e_V_size": [1.0], "morph_flag": [0]})
    for each in (table, table["V_size", "e_V_size"]):
        with pytest.raises(ValueError, match="labels: expected"):
            read_labels(each, None, [SIZE])
