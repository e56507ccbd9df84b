"""Checks of arguments accept what they should, and name what they refuse."""
import numpy as np
import pytest
from astropy import units as u

from astromorph.arguments import (as_floats, as_labels, as_path, as_probabilities, as_seconds,
                                  check_choice, check_count, check_number, check_whole)
from astromorph.errors import ArgumentError, ArgumentTypeError


@pytest.mark.parametrize("convert", [as_floats, as_labels, as_probabilities])
def test_masked_values_become_nan(convert):
    values = convert(np.ma.masked_array([1, 0], [False, True]), "x")
    np.testing.assert_array_equal(values, [1, np.nan])
    assert type(values) is np.ndarray and values.dtype == float


@pytest.mark.parametrize("convert, values, message", [
    (as_labels, [0.5], "x: expected 1, 0, or NaN where unknown. Received 1 others, first 0.5"),
    (as_probabilities, [2, -1], "x: expected numbers in 0..1 .* Received 2 outside, first 2")])
def test_values_out_of_range(convert, values, message):
    with pytest.raises(ArgumentError, match=message):
        convert(values, "x")


@pytest.mark.parametrize("values", [["a"], [[1], [1, 2]], object()])
def test_no_numbers(values):
    with pytest.raises(ArgumentTypeError, match="x: expected an array of numbers"):
        as_floats(values, "x")


def test_counts():
    check_count(np.int32(3), "n")
    for value in (0, -1, 1.0, True, "1", None):
        with pytest.raises(ArgumentError, match="n: expected a positive integer"):
            check_count(value, "n")


def test_whole_numbers():
    for value in (0, 5, np.uint8(29)):
        check_whole(value, "n", 0, 29)
    for value in (-1, 30, 5.0, True, "1", None, float("nan")):
        with pytest.raises(ArgumentError, match="n: expected a whole number from 0 to 29"):
            check_whole(value, "n", 0, 29)


def test_numbers():
    check_number(np.float32(0.5), "p", "a number", lambda value: value > 0)
    for value in (-1, float("nan"), True, "1", None, [1]):
        with pytest.raises(ArgumentError, match="p: expected a number above 0"):
            check_number(value, "p", "a number above 0", lambda value: value > 0)


def test_choices():
    check_choice(None, "kind", ["all", None])
    with pytest.raises(ArgumentError, match="kind: expected one of 'all', None. Received 'some'."):
        check_choice("some", "kind", ["all", None])


def test_paths(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_path("~/a", "folder") == tmp_path / "a" and as_path(tmp_path, "folder") == tmp_path
    for value in (5, None, b"a"):
        with pytest.raises(ArgumentTypeError, match="folder: expected the path of a folder"):
            as_path(value, "folder")
    for value in ("~no-such-user-here/a", "a\0b"):
        with pytest.raises(ArgumentError, match="folder: expected a path. Received "):
            as_path(value, "folder")


def test_times():
    assert as_seconds(2 * u.min, "age") == 120 == as_seconds(120, "age", u.s)
    assert as_seconds("1 day", "age") == 86400 and as_seconds(0 * u.s, "age") == 0
    for value in (3, -1 * u.s, np.nan * u.s, [1, 2] * u.s, 3 * u.m, "soon", None):
        with pytest.raises(ArgumentError, match="age: expected one time, 0 or more"):
            as_seconds(value, "age")
