"""Names of galaxies as parts of the names of files."""
import os

from hypothesis import given
from hypothesis import strategies as st

from astromorph.names import as_names, file_stem, is_missing


@given(st.text())
def test_a_name_stays_in_its_folder(name):
    stem = file_stem(name)
    assert len(stem) == len(name)
    assert os.path.basename(f"/folder/{stem}.jpg") == f"{stem}.jpg"
    assert not set(stem) & set("/\\\0\n\r\x1b")
    assert stem == name or set(name) - set(stem)


@given(st.lists(st.one_of(st.text(), st.integers(), st.none(), st.just(float("nan")))))
def test_names_are_unchanged_or_missing(values):
    for value, name in zip(values, as_names(values), strict=True):
        assert name == (None if is_missing(value) else str(value))
