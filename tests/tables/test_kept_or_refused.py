"""Tables: what is read is what was written; what a format cannot hold is refused early."""
import io
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import votable
from astropy.table import Column, MaskedColumn, Table
from astropy.time import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astromorph.errors import ArgumentError, AstromorphWarning
from astromorph.tables import FORMATS, check_columns, read_table, write_table
from astromorph.tables.positions import angle_unit, find_positions, find_sizes

SUFFIX = {"fits": "fits", "votable": "vot", "ecsv": "ecsv", "parquet": "parquet", "csv": "csv"}
FEW = settings(max_examples=80, deadline=None,
               suppress_health_check=[HealthCheck.function_scoped_fixture])
DIGITS = st.text("0123456789", min_size=1, max_size=30)
NUMBERS = st.from_regex(r"[-+]?[0-9]{1,20}(\.[0-9]*)?(e[0-9]{1,2})?", fullmatch=True)
CELLS = st.one_of(DIGITS, NUMBERS, st.text("0123456789abcDEF_.+- ", min_size=1))
LETTERS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@FEW
@given(st.lists(CELLS, min_size=1, max_size=8), st.sampled_from(["objid", "id", "plate_id"]))
def test_identifiers_keep_every_letter(tmp_path, cells, name):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([f"{name},z", *(f"{cell},1" for cell in cells)]))
    for cell, value in zip(cells, read_table(path)[name], strict=True):
        assert value is np.ma.masked and not cell.strip() or str(value) == cell.strip()


@FEW
@given(st.lists(LETTERS, min_size=1, max_size=5), st.sampled_from(list(SUFFIX)))
def test_text_is_kept_or_refused_before_the_run(tmp_path, texts, name):
    table, path = Table({"a": texts, "b": np.arange(len(texts))}), tmp_path / f"t.{SUFFIX[name]}"
    try:
        check_columns(table, name)
    except ArgumentError:
        with pytest.raises(ArgumentError):
            write_table(table, path, overwrite=True)
        return
    write_table(table, path, overwrite=True)
    back = read_table(path)
    assert back["b"].tolist() == table["b"].tolist()
    for one, other in zip(texts, back["a"].tolist()):  # formats take blanks around it for nothing
        plain = "\n".join(one.split("\r\n")).replace("\r", "\n").strip()
        assert (other or "") == one or str(other or "").strip() in (
            plain, one.strip(), "" if plain == "null" else plain) or name == "csv"


ODD = {
    "float": np.arange(50.0), "text": np.array(["a"] * 50), "NUL": np.array(["a"] * 49 + ["a\0b"]),
    "control": np.array(["a"] * 49 + ["a\x1fb"]), "surrogate": np.array(["a"] * 49 + ["\udc80"]),
    "masked NUL": MaskedColumn(["a"] * 49 + ["a\0b"], mask=[True] * 49 + [False]),
    "return": np.array(["a"] * 49 + ["a\rb"]), "comment": np.array(["a"] * 49 + ["#a"]),
    "objects": np.array([1] * 49 + ["x"], object), "dicts": np.array([1] * 49 + [{}], object),
    "bytes": np.array([b"a"] * 49 + [b"\xff"], object), "S": np.array([b"a"] * 49 + [b"\xff"]),
    "long": np.array([1] * 49 + [np.longdouble(1) / 3], np.longdouble), "complex": np.full(50, 1j),
    "dates": np.array(["2026-01-01"] * 50, "M8[s]"), "steps": np.array([1] * 50, "m8[s]"),
    "uint64": np.array([2**64 - 1] * 50, np.uint64), "2-D": np.ones((50, 2)),
    "2-D text": np.array([["a", "b\0c"]] * 50), "half": np.arange(50).astype("f2"),
    "ends": MaskedColumn([np.iinfo("i8").min, np.iinfo("i8").max] * 25, mask=[False] * 49 + [True]),
    "places": SkyCoord(np.arange(50.0), np.arange(50.0), unit="deg"),
    "times": Time(58000 + np.arange(50.0), format="mjd"), "empty": np.array([None] * 50, object),
    "angles": np.arange(50.0) * u.arcsec, "scaled": np.arange(50.0) * u.Unit("1.5 km"),
}


@pytest.mark.parametrize("name", list(SUFFIX))
@pytest.mark.parametrize("first", [True, False])
def test_few_rows_tell_what_the_whole_table_would(tmp_path, name, first, monkeypatch):
    for kind, values in ODD.items():
        others = {"x": np.arange(50)}
        table = Table({"a": values} | others if first else others | {"a": values})
        errors = []
        for check in (lambda: check_columns(table, name),
                      lambda: write_table(table, tmp_path / "t", format=name, overwrite=True)):
            try:
                check()
                errors.append(None)
            except ArgumentError as error:
                errors.append(type(error))
        assert errors[0] == errors[1], kind


def test_the_trial_is_of_a_few_rows(monkeypatch):
    lengths = []
    kept = FORMATS["csv"]
    monkeypatch.setitem(FORMATS, "csv", type(kept)(
        kept.read, lambda table, path: lengths.append(len(table)), kept.suffixes))
    check_columns(Table({"a": np.arange(100_000), "b": ["x"] * 100_000}), "csv")
    assert lengths == [2]


@pytest.mark.parametrize("name", ["fits", "votable", "parquet", "ecsv"])
def test_integers_at_both_ends_keep_a_null(tmp_path, name):
    values = [np.iinfo("i8").min, np.iinfo("i8").max, 5]
    table = Table({"a": MaskedColumn(values, mask=[False, False, True])})
    write_table(table, tmp_path / f"t.{SUFFIX[name]}")
    back = read_table(tmp_path / f"t.{SUFFIX[name]}")["a"]
    assert back.tolist() == [*values[:2], None]


def test_an_empty_row_keeps_its_place(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ra,dec\n1,2\n,\n3,4\n\n5,6\n,\n,\n")
    table = read_table(path)
    assert table["ra"].tolist() == [1, None, 3, 5]


def document(*tables):
    """A VOTable file of tables with names."""
    file = votable.tree.VOTableFile()
    resource = votable.tree.Resource()
    file.resources.append(resource)
    for name, table in tables:
        element = votable.tree.TableElement.from_table(file, table)
        element.name = name
        resource.tables.append(element)
    text = io.BytesIO()
    file.to_xml(text)
    return text.getvalue()


def test_votable_of_several_tables(tmp_path, recwarn):
    path, notes = tmp_path / "t.vot", ("notes", Table({"n": [1, 2]}))
    sources = Table({"RAJ2000": [10.0], "DEJ2000": [20.0]})
    path.write_bytes(document(notes, ("sources", sources)))
    assert find_positions(read_table(path))[0] == 10
    assert not [one for one in recwarn if issubclass(one.category, AstromorphWarning)]
    path.write_bytes(document(("sources", sources), notes, ("more", sources)))
    with pytest.warns(AstromorphWarning, match="2 tables with positions"):
        assert find_positions(read_table(path))[0] == 10
    path.write_bytes(document(notes, ("other", Table({"n": [3]}))))
    with pytest.raises(ValueError, match="notes, other"):
        read_table(path)
    path.write_bytes(document(notes))
    assert read_table(path)["n"].tolist() == [1, 2]


@FEW
@given(st.one_of(st.text(), st.text("degarcsimh:[]'()*/^,0123456789. ", max_size=12)))
def test_any_unit_of_angle(text):
    unit = angle_unit(text)
    assert unit is None or isinstance(unit, u.UnitBase)
    table = Table({"ra": [1.0], "dec": [2.0], "petroR90_r": [3.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table["petroR90_r"].unit = u.Unit(text, parse_strict="silent")
        except (OverflowError, u.UnitScaleError):  # Astropy has no column with such a unit
            return
    try:
        assert np.all(find_sizes(table) >= 0) or np.isnan(find_sizes(table)).all()
    except ArgumentError as error:
        assert "expected an angle" in str(error)


@pytest.mark.parametrize("text", ["1_000", "1_0.5", "", "x", "1 2 3 4", "--"])
def test_what_is_no_number_costs_its_row_only(text):
    table = Table({"ra": ["10.5", text, "11"], "dec": [1.0, 2.0, 3.0],
                   "petroR90_r": ["3", text, "4"]})
    assert np.array_equal(find_positions(table)[0], [10.5, np.nan, 11], equal_nan=True)
    assert np.array_equal(find_sizes(table), [3, np.nan, 4], equal_nan=True)


def test_positions_of_other_columns():
    for values in (Time([58000.0], format="mjd"), SkyCoord([1.0], [2.0], unit="deg")):
        table = Table({"ra": values, "dec": [1.0], "also": SkyCoord([1.0], [2.0], unit="deg")})
        if isinstance(values, SkyCoord):
            with pytest.raises(ValueError, match="ra: expected a column of angles"):
                find_positions(table)
        else:
            assert find_positions(table)[0] == 1


def test_bytes_with_letters_are_text(tmp_path):
    table = Table({"a": Column([b"caf\xc3\xa9", b"x"]), "b": [1, 2]})
    for name, suffix in SUFFIX.items():
        if name != "ecsv":
            write_table(table, tmp_path / f"t.{suffix}")
            assert read_table(tmp_path / f"t.{suffix}")["a"].tolist() == ["caf\u00e9", "x"]


def test_an_error_is_short(tmp_path):
    path = tmp_path / "t.vot"
    write_table(Table({"a": [1.5]}), path)
    path.write_bytes(path.read_bytes().replace(b"double", b"x" * 9999))
    with pytest.raises(ArgumentError) as error:
        read_table(path)
    assert len(str(error.value)) < 600


def test_votables_are_not_written_by_code_that_damages_memory(tmp_path, monkeypatch):
    """Rows of 2**n bytes end the process, now and then (astropy #20419)."""
    writer = pytest.importorskip("astropy.io.votable.tablewriter")
    monkeypatch.setattr(writer, "write_tabledata", None)
    table = Table({"a": ["x" * n for n in range(1, 600)], "b": np.arange(599)})
    write_table(table, tmp_path / "t.vot")
    assert read_table(tmp_path / "t.vot")["a"].tolist() == table["a"].tolist()


@pytest.mark.parametrize("column", [" ", "a\nb", "\t", "a\x1b"])
@pytest.mark.parametrize("name", list(SUFFIX))
def test_columns_without_a_name_are_refused(tmp_path, column, name):
    table = Table({"k": [1], column: [2.5]})
    for check in (lambda: check_columns(table, name),
                  lambda: write_table(table, tmp_path / f"t.{SUFFIX[name]}")):
        with pytest.raises(ArgumentError, match="names of letters"):
            check()
    assert not list(tmp_path.iterdir())


def test_text_about_a_table_never_spoils_a_votable(tmp_path):
    table = Table({"x": Column([1], description="a\x1b\u200bb", meta={"ucd": "\x00"})},
                  meta={"note": "\x1b[31m\ud800", "ke\x01y": 1, "kept": "a\u3000<&'\">b"})
    write_table(table, tmp_path / "t.vot")
    back = read_table(tmp_path / "t.vot")
    assert back["x"].description == "a\\x1b\u200bb" and back["x"].tolist() == [1]
    assert back.meta["note"] == r"\x1b[31m\ud800" and back.meta["kept"] == table.meta["kept"]
