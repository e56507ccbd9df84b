"""Tables to files and back, and what others read in them."""
import shutil
import subprocess
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits, votable
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time
from astropy.utils.masked import Masked

from astromorph.cutouts import PROVENANCE as CUTOUT_PROVENANCE
from astromorph.running.results import Results, add_provenance
from astromorph.errors import AstromorphWarning
from astromorph.learning.labels import make_labels
from astromorph.questions import QUESTIONS
from astromorph.tables import (FORMATS, PROVENANCE, check_columns, check_destination, read_table,
                               write_table)
from astromorph.tables.positions import find_positions, find_sizes

NAMES = {"fits": "t.fits", "votable": "t.vot", "ecsv": "t.ecsv", "parquet": "t.parquet",
         "csv": "t.csv", "hats": "t_hats"}
FILES = [name for name in NAMES if name != "hats"]


def needs(name):
    if name == "hats":
        pytest.importorskip("lsdb")


@pytest.fixture
def table():
    """A classified table, with missing values of every kind."""
    probability = np.array([0.25, np.nan, 0.75], np.float32)
    table = Table({
        "objid": Column([587722982829850899, -5, 3], description="Identifier",
                        meta={"ucd": "meta.id;meta.main"}),
        "ra": Column([10.5, 200.0, 359.9], unit="deg", description="Right ascension (ICRS)",
                     meta={"ucd": "pos.eq.ra;meta.main"}),
        "dec": Column([-1.0, 45.0, 89.0], unit="deg", meta={"ucd": "pos.eq.dec;meta.main"}),
        "petroR90_r": Column([3.5, 4.5, 5.5], unit="arcsec", meta={"ucd": "phys.angSize"}),
        "name": MaskedColumn(["NGC 1", "x", "Ω & <b>"], mask=[False, True, False]),
        "field": MaskedColumn(np.array([301, 7, 12], np.int16), mask=[False, False, True]),
        "good": np.array([True, False, True]),
    })
    for question in QUESTIONS:
        table[question.column] = MaskedColumn(
            probability, mask=np.isnan(probability), description=question.description,
            meta={"ucd": question.ucd})
    table["morph_flag"] = Column(np.array([0, 1, 64], np.int32), description="Quality bits",
                                 meta={"ucd": "meta.code.qual"})
    table.meta.update(MORPHNET="pinwheel", MORPHWGT="0123456789abcdef", MORPHDAT="2026-01-02",
                      MORPHIMG="DESI Legacy Imaging Surveys DR10", NROWS=3, SIMULATD=True)
    return table


def same_values(result, table):
    assert result.colnames == table.colnames
    order = np.argsort(result["objid"]) if "objid" in table.colnames else slice(None)
    expected = table[np.argsort(table["objid"])] if "objid" in table.colnames else table
    for name in table.colnames:
        mask = np.ma.getmaskarray(expected[name])
        assert np.array_equal(np.ma.getmaskarray(result[name])[order], mask), name
        assert np.array_equal(np.asarray(result[name][order])[~mask],
                              np.asarray(expected[name])[~mask]), name


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(table, tmp_path, name):
    needs(name)
    path = tmp_path / NAMES[name]
    if name == "csv":  # it has no booleans
        table["good"] = table["good"].astype(int)
    before = table.copy()
    write_table(table, path)
    for column in before.itercols():  # writing leaves the table as it was
        for attribute in ("unit", "description", "meta", "dtype", "fill_value"):
            assert getattr(table[column.name], attribute, None) == getattr(column, attribute, None)
    assert table.meta == before.meta
    result = read_table(path)
    same_values(result, table)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if name == "csv":  # which has no place for more
        return
    for column in table.itercols():
        assert result[column.name].unit == column.unit
        assert result[column.name].description == column.description
        assert result[column.name].meta.get("ucd") == column.meta.get("ucd")
        if column.dtype.kind in "iub":
            assert result[column.name].dtype.newbyteorder("=") == column.dtype
    kept = PROVENANCE if name == "hats" else table.meta
    assert {key: result.meta.get(key) for key in kept} == {key: table.meta.get(key) for key in kept}


@pytest.mark.parametrize("name", NAMES)
def test_no_rows(table, tmp_path, name):
    needs(name)
    path = tmp_path / NAMES[name]
    if name == "hats":
        with pytest.raises(ValueError, match="Received no such row"):
            write_table(table[:0], path)
        assert not list(tmp_path.iterdir())
        return
    write_table(table[:0], path)
    assert read_table(path).colnames == table.colnames


@pytest.mark.parametrize("name", [name for name in FILES if name != "ecsv"])
def test_positions_times_and_quantities(tmp_path, name):
    """Mixin columns become what every reader of the format understands."""
    positions = SkyCoord([10.0, 20.0], [-5.0, 5.0], unit="deg").galactic
    table = QTable({"place": positions, "seen": Time([60000.0, 60001.0], format="mjd"),
                    "size": Masked([3.0, 4.0] * u.arcmin, mask=[False, True]),
                    "who": np.array(["a", None], object)})
    path = tmp_path / NAMES[name]
    write_table(table, path)
    result = read_table(path)
    assert result.colnames == ["ra", "dec", "seen", "size", "who"]
    assert np.allclose(result["ra"], [10, 20]) and np.allclose(result["dec"], [-5, 5])
    assert result["seen"][1] == "2023-02-26T00:00:00.000"
    assert list(np.ma.getmaskarray(result["size"])) == [False, True]
    assert list(np.ma.getmaskarray(result["who"])) == [False, True]
    if name != "csv":
        assert result["size"].unit == u.arcmin
        assert result["ra"].meta["ucd"] == "pos.eq.ra;meta.main"


def test_positions_stay_in_ecsv(tmp_path):
    table = Table({"place": SkyCoord([10.0], [-5.0], unit="deg")})
    write_table(table, tmp_path / "t.ecsv")
    assert isinstance(read_table(tmp_path / "t.ecsv")["place"], SkyCoord)


@pytest.mark.parametrize("name", ["fits", "votable", "parquet"])
@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8", "?",
                                  "U3", "S3"])
def test_every_type(tmp_path, name, kind):
    values = np.array(["ab", "c", "d"]).astype(kind) if kind in ("U3", "S3") else np.array(
        [1, 0, 100]).astype(kind)
    table = Table({"full": values, "gaps": MaskedColumn(values, mask=[False, False, True])})
    path = tmp_path / NAMES[name]
    write_table(table, path)
    result = read_table(path)
    expected = values.astype(str) if kind == "S3" else values
    assert np.array_equal(result["full"], expected)
    assert list(result["gaps"].mask) == [False, False, True]
    assert np.array_equal(result["gaps"][:2], expected[:2])


@pytest.mark.parametrize("name", ["fits", "votable", "parquet"])
def test_columns_of_arrays(tmp_path, name):
    table = Table({"flux": np.arange(6.0).reshape(2, 3)})
    write_table(table, tmp_path / NAMES[name])
    assert np.array_equal(read_table(tmp_path / NAMES[name])["flux"], table["flux"])


def test_fits_header(table, tmp_path):
    path = tmp_path / "t.fits"
    table["field"].description = "Número de la\nplaca"
    write_table(table, path)
    header = fits.getheader(path, 1)
    number = table.colnames.index("field") + 1
    assert header[f"TCOMM{number}"] == "Numero de la placa"
    assert header[f"TNULL{number}"] == np.iinfo(np.int16).min
    assert header["TUCD2"] == "pos.eq.ra;meta.main" and header["TUNIT2"] == "deg"
    assert header.comments["MORPHNET"] == PROVENANCE["MORPHNET"][0]
    assert header.comments["MORPHWGT"] == PROVENANCE["MORPHWGT"][0]
    assert "COMMENT" not in header
    with fits.open(path) as hdus:
        hdus.verify("exception")


def test_votable_is_valid(table, tmp_path):
    path = tmp_path / "t.vot"
    table["a name-with: signs"] = [1, 2, 3]
    write_table(table, path)
    report = votable.validate(str(path), output=None)
    assert "found no violations" in report, report
    params = {param.name: param for param in votable.parse(path).get_first_table().params}
    assert params["MORPHNET"].value == "pinwheel"
    assert params["MORPHNET"].description == PROVENANCE["MORPHNET"][0]


def test_ucds_are_of_the_vocabulary():
    from astropy.io.votable.ucd import check_ucd

    ucds = [ucd for _, ucd in PROVENANCE.values()] + [question.ucd for question in QUESTIONS]
    sources = Table()
    add_provenance(sources, CUTOUT_PROVENANCE, [])
    ucds += [column.meta["ucd"] for column in sources.itercols()]
    for ucd in [*ucds, "meta.code.qual", "stat.error;stat.probability"]:
        assert check_ucd(ucd, check_controlled_vocabulary=True, has_colon=False), ucd


@pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed")
@pytest.mark.parametrize("name", ["fits", "votable", "csv"])
def test_topcat_reads_it(table, tmp_path, name):
    """Its command-line tools see values, nulls and descriptions."""
    path = tmp_path / NAMES[name]
    write_table(table, path)

    def stilts(*arguments):
        return subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=True,
                              timeout=120).stdout

    if name == "votable":
        lines = stilts("votlint", f"votable={path}").splitlines()
        assert not [line for line in lines if line.startswith(("ERROR", "WARNING"))], lines
    meta = stilts("tpipe", f"in={path}", f"ifmt={name}", "cmd=meta", "omode=out", "ofmt=csv")
    if name != "csv":
        row = next(line for line in meta.splitlines() if ",P_disk," in line)
        assert "stat.probability" in row and QUESTIONS[0].description in row
    rows = stilts("tpipe", f"in={path}", f"ifmt={name}",
                  "cmd=keepcols 'P_disk field morph_flag'", "omode=out", "ofmt=csv")
    assert rows.splitlines()[1:] == ["0.25,301,0", ",7,1", "0.75,,64"]


def test_parquet_for_others(table, tmp_path):
    """pandas has its nulls, astropy its units, the Virtual Observatory its header."""
    from pyarrow import parquet

    write_table(table, tmp_path / "t.parquet")
    data = parquet.read_table(tmp_path / "t.parquet")
    assert data["P_disk"].null_count == data["field"].null_count == data["name"].null_count == 1
    assert str(data.schema.field("field").type) == "int16"
    assert Table.read(tmp_path / "t.parquet")["ra"].unit == u.deg
    header = data.schema.metadata[b"IVOA.VOTable-Parquet.content"]
    assert b"pos.eq.ra;meta.main" in header and b"MORPHNET" in header


def test_parquet_with_a_header_of_the_virtual_observatory_only(table, tmp_path):
    from pyarrow import parquet

    write_table(table, tmp_path / "t.parquet")
    data = parquet.read_table(tmp_path / "t.parquet")
    metadata = {key: value for key, value in data.schema.metadata.items() if b"VOTable" in key}
    parquet.write_table(data.replace_schema_metadata(metadata), tmp_path / "vo.parquet")
    result = read_table(tmp_path / "vo.parquet")
    assert result["ra"].unit == u.deg
    assert result["ra"].meta["ucd"] == "pos.eq.ra;meta.main"
    assert result["P_disk"].description == QUESTIONS[0].description


def test_hats(table, tmp_path):
    needs("hats")
    path = tmp_path / "t_hats"
    write_table(table, path)
    assert "morphnet=pinwheel" in (path / "hats.properties").read_text()
    with pytest.raises(FileExistsError, match="exists"):
        write_table(table, path)
    write_table(table[:2], path, overwrite=True)
    assert len(read_table(path)) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["t_hats"]


def test_hats_needs_positions(table, tmp_path):
    needs("hats")
    path = tmp_path / "t_hats"
    with pytest.raises(ValueError, match="positions"):
        write_table(table[["objid", "P_disk"]], path)
    table["dec"][1] = np.nan
    with pytest.warns(AstromorphWarning, match="1 of 3 rows have no position"):
        write_table(table, path)
    assert sorted(read_table(path)["objid"]) == [3, 587722982829850899]


def test_hats_that_is_too_large(table, tmp_path, monkeypatch):
    needs("hats")
    write_table(table, tmp_path / "t_hats")
    monkeypatch.setattr("astromorph.tables.hats.MAX_ROWS", 2)
    with pytest.raises(ValueError, match="3 rows.*classify_catalog"):
        read_table(tmp_path / "t_hats")


def test_no_folder_but_a_catalog_is_replaced(table, tmp_path):
    folder = tmp_path / "my_hats"
    folder.mkdir()
    (folder / "precious.txt").write_text("work of years")
    with pytest.raises(FileExistsError, match="is a folder"):
        write_table(table, folder, overwrite=True)
    assert (folder / "precious.txt").read_text() == "work of years"


@pytest.mark.parametrize("name", NAMES)
def test_errors_leave_what_was_there(table, tmp_path, name, monkeypatch):
    path = tmp_path / NAMES[name]

    def full_disk(table, part, **options):
        part.mkdir() if name == "hats" else part.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("astromorph.tables.files.write_hats", full_disk)
    monkeypatch.setitem(FORMATS, name, type(FORMATS[name])(None, full_disk, ()))
    with pytest.raises(OSError, match="No space"):
        write_table(table, path, format=name)
    assert list(tmp_path.iterdir()) == []
    if name != "hats":
        path.write_text("old")
        with pytest.raises(OSError, match="No space"):
            write_table(table, path, format=name, overwrite=True)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(("path", "options", "error", "message"), [
    ("t.tableau", {}, ValueError, "which has no such ending"),
    ("t.fits", {"format": "tableau"}, ValueError, "format: expected one of"),
    ("no/t.fits", {}, FileNotFoundError, "there is no folder"),
    ("file/t.fits", {}, FileNotFoundError, "there is no folder"),
    ("old.fits", {}, FileExistsError, "overwrite=True"),
    ("/dev/full", {"format": "csv", "overwrite": True}, FileExistsError, "is not a file"),
    ("/proc/t.fits", {}, OSError, "/proc/")])
def test_destinations_that_will_not_do(table, tmp_path, path, options, error, message, check):
    (tmp_path / "old.fits").write_text("old")
    (tmp_path / "file").write_text("")
    path = tmp_path / path
    with pytest.raises(error, match=message):
        check_destination(path, **options) if check else write_table(table, path, **options)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "old.fits"]


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(tmp_path, name):
    path = tmp_path / NAMES[name]
    path.write_bytes(b"\x00\x01 no table\n" * 3)
    with pytest.raises(ValueError, match=f"cannot be read as {name}") as error:
        read_table(path)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_table(tmp_path / "no.fits")
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(tmp_path / "image.fits")
    with pytest.raises(ValueError, match="no table"):
        read_table(tmp_path / "image.fits")


def test_other_formats_of_astropy(tmp_path):
    Table({"a": [1, 2]}).write(tmp_path / "t.rdb", format="ascii.rdb")
    assert list(read_table(tmp_path / "t.rdb")["a"]) == [1, 2]


def test_of_several_tables_the_first_is_read(tmp_path):
    path = tmp_path / "two.fits"
    hdus = [fits.BinTableHDU(Table({"a": [number]})) for number in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    with pytest.warns(AstromorphWarning, match="holds 2 tables"):
        assert read_table(path)["a"].tolist() == [1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AstromorphWarning):  # and not that the file cannot be read
            read_table(path)


@pytest.mark.parametrize("text", [
    "#Table1\nobjid,ra,dec,petroR90_r\n1237648720693756918,1.5,2,6.1\n"
    "1237648720693756919,2.5,3,null\n",
    "\ufeffobjid, ra, dec, petroR90_r\r\n1237648720693756918,1.5,2,6.1\r\n"
    "1237648720693756919,2.5,3,\r\n",
    "# by hand\n# objid,ra,dec,petroR90_r\n1237648720693756918,1.5,2,6.1\n"
    "1237648720693756919,2.5,3,NULL\n"])
def test_csv_as_services_write_it(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    table = read_table(path)
    assert table["objid"].tolist() == [1237648720693756918, 1237648720693756919]
    assert np.array_equal(find_positions(table), [[1.5, 2.5], [2, 3]])
    assert np.array_equal(find_sizes(table), [6.1, np.nan], equal_nan=True)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_of_spreadsheets(tmp_path, mark, name):
    rows = [["objid", "ra", "dec", "notes"], ["7", "1.5", "-2", "big, blue"], ["8", "", "3", ""]]
    rows[1][3] = '"big, blue"' if mark == "," else rows[1][3]
    (tmp_path / name).write_text("# made by hand; twice\n" + "\n".join(map(mark.join, rows)))
    table = read_table(tmp_path / name)
    assert table.colnames == rows[0] and table["notes"][0] == "big, blue"
    np.testing.assert_array_equal(find_positions(table), [[1.5, np.nan], [-2, np.nan]])


@pytest.mark.parametrize("mark", [";", "\t"])
def test_files_of_vizier(tmp_path, mark):
    """Comments, names, units and a line of dashes come before the rows."""
    rows = [["_RAJ2000", "_DEJ2000", "RAJ2000", "R90", "Name"],
            ["deg", "deg", '"h:m:s"', "arcmin", ""],
            ["----", "----", "-----", "---", "-"], ["010.5", "-0.25", "00 42 00", " 0.1", "M 31"],
            ["011.0", "+3.00", "00 44 00", "    ", "     "]]
    text = "#   VizieR; cds\n#RESOURCE=yCat\n#Column\t_RAJ2000\t(F10.6)\n"
    text += "\n".join(map(mark.join, rows)) + "\n\n#END#\n"
    (tmp_path / "asu.tsv").write_text(text)
    table = read_table(tmp_path / "asu.tsv")
    assert table.colnames == rows[0] and table["Name"].tolist() == ["M 31", None]
    np.testing.assert_allclose(find_positions(table), [[10.5, 11], [-0.25, 3]])
    np.testing.assert_allclose(find_positions(table, ra="RAJ2000", dec="_DEJ2000")[0], [10.5, 11])
    np.testing.assert_allclose(find_sizes(table), [6, np.nan])
    (tmp_path / "asu.tsv").write_text(text.replace("#END#", "#Table\tanother:\nname;ra\nx;1\n"))
    with pytest.warns(AstromorphWarning, match="several tables"):
        assert len(read_table(tmp_path / "asu.tsv")) == 2


def test_other_text_says_how_to_read_it(tmp_path):
    (tmp_path / "t.dat").write_text("ra dec\n1 2\n")
    with pytest.raises(ValueError, match=r"t.dat.*Read it with astropy's Table.read\(path, format"):
        read_table(tmp_path / "t.dat")


def _patched(path, old, new):
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


def test_nulls_of_booleans_are_missing(tmp_path):
    """A zero byte is neither true nor false, although Astropy reads False."""
    fits.BinTableHDU.from_columns([
        fits.Column("name", "3A", array=["one", "two", "six"]),
        fits.Column("disk", "L", array=[True, False, False]),
        fits.Column("all", "2L", array=[[True, False]] * 3)]).writeto(tmp_path / "t.fits")
    _patched(tmp_path / "t.fits", b"sixFTF", b"six\0T\0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = read_table(tmp_path / "t.fits")
    assert table["disk"].tolist() == [True, False, None]
    assert table["all"].tolist() == [[True, False], [True, False], [True, None]]
    np.testing.assert_array_equal(make_labels(table["name", "disk"]).values[:, 0], [1, 0, np.nan])
    write_table(table["name", "disk"], tmp_path / "again.fits")
    assert read_table(tmp_path / "again.fits")["disk"].tolist() == [1, 0, None]


def test_nulls_of_scaled_integers_are_missing(tmp_path):
    """Astropy scales the null value, and takes it for a size."""
    fits.BinTableHDU.from_columns([
        fits.Column("petroR90_r", "I", array=np.array([610, 1000]), null=32767, unit="arcsec"),
        fits.Column("name", "3A", array=["one", "two"])]).writeto(tmp_path / "t.fits")
    _patched(tmp_path / "t.fits", b"\x03\xe8two", b"\x7f\xfftwo")
    before = fits.Card("TTYPE2", "name").image.encode()
    _patched(tmp_path / "t.fits", before + fits.Card("TFORM2", "3A").image.encode() + b"END".ljust(
        160), before + fits.Card("TFORM2", "3A").image.encode() + fits.Card(
            "TSCAL1", 0.01).image.encode() + b"END".ljust(80))
    table = read_table(tmp_path / "t.fits")
    np.testing.assert_allclose(find_sizes(table), [6.1, np.nan])
    assert table["petroR90_r"].mask.tolist() == [False, True]


@pytest.mark.parametrize(("name", "cells", "expected"), [
    ("id", ["000123", "1e5"], ["000123", "1e5"]), ("name", ["1e5"], ["1e5"]),
    ("plate", ["0266", "1960"], ["0266", "1960"]), ("flux", ["1e5", "-2"], [1e5, -2]),
    ("specobjid", ["12030000000000000001"], [12030000000000000001]),
    ("x", ["99999999999999999999999", "1"], ["99999999999999999999999", "1"]),
    ("x", ["0.5", "nan"], [0.5, np.nan]), ("x", ["1", "-3"], [1, -3]), ("x", ["1_0"], ["1_0"])])
def test_csv_keeps_every_digit(tmp_path, name, cells, expected):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([f"{name},b", *(f"{cell},x" for cell in cells)]))
    column = read_table(path)[name]
    np.testing.assert_array_equal(column, expected)
    assert column.dtype.kind == np.array(expected).dtype.kind


def test_a_row_of_a_csv_that_cannot_be_read_costs_that_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ra,dec\n1,2\n1,2,3,4\n5\n7,8\n")
    with pytest.warns(AstromorphWarning, match="Row 2 has 4 cells instead of 2"):
        table = read_table(path)
    assert np.array_equal(find_positions(table)[0], [1, np.nan, np.nan, 7], equal_nan=True)


def ldac(*names):
    head = fits.BinTableHDU(Table({"Field Header Card": ["SIMPLE  = T"]}), name="LDAC_IMHEAD")
    objects = [fits.BinTableHDU(Table({"ALPHA_J2000": [10.0 + n], "DELTA_J2000": [20.0]}),
                                name=name) for n, name in enumerate(names)]
    return fits.HDUList([fits.PrimaryHDU(), head, *objects])


def test_the_table_with_positions_is_read(tmp_path, recwarn):
    path = tmp_path / "t.cat.fits"
    ldac("LDAC_OBJECTS").writeto(path)
    assert find_positions(read_table(path))[0] == 10
    assert not recwarn
    ldac("LDAC_OBJECTS", "SECOND").writeto(path, overwrite=True)
    with pytest.warns(AstromorphWarning, match=r"The first one with positions \(HDU 2\)"):
        assert find_positions(read_table(path))[0] == 10
    for hdu in (3, "second"):
        assert find_positions(read_table(path, hdu=hdu))[0] == 11
    for hdu in (9, "no", 0):
        with pytest.raises(ValueError, match="^hdu: expected"):
            read_table(path, hdu=hdu)
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    with pytest.raises(ValueError, match="only FITS files have HDUs"):
        read_table(path, hdu=1)


def test_fits_plus_of_topcat(tmp_path):
    primary = fits.PrimaryHDU(np.frombuffer(b"<?xml version='1.0'?><VOTABLE/>", "u1"))
    primary.header["VOTMETA"] = True
    table = fits.BinTableHDU(Table({"RA": [1.0], "DEC": [2.0]}))
    fits.HDUList([primary, table]).writeto(tmp_path / "t.fits")
    assert read_table(tmp_path / "t.fits").colnames == ["RA", "DEC"]


ODD = {
    "uint64": np.array([5, 2**63 + 1], np.uint64), "small uint64": np.array([5, 6], np.uint64),
    "float16": np.array([0.5, 2], np.float16), "longdouble": np.array([0.5, 2], np.longdouble),
    "masked uint8": MaskedColumn(np.array([255, 3], np.uint8), mask=[False, True]),
    "masked uint64": MaskedColumn(np.array([2**63 + 1, 3], np.uint64), mask=[False, True]),
    "masked int64": MaskedColumn([1237648720693756918, 3], mask=[False, True]),
    "least int16": MaskedColumn(np.array([-32768, 3], np.int16), mask=[False, True]),
    "objects": np.array([1, None], object), "big objects": np.array([2**63 + 1, 2], object),
    "2-D": np.arange(4.0).reshape(2, 2), "2-D text": np.array([["a", "bc"], ["d", "e"]]),
    "arrays": Column([np.arange(3.0), np.arange(2000.0)], dtype=object),
    "bytes": np.array([b"\xff\xd8", b"\x00\x01"], object), "NUL": ["a\0b", "c"],
    "control": ["a\x1bb", "c"], "dicts": np.array([{"a": 1}, {}], object),
    "complex": np.array([1j, 2]), "timedelta": np.array([1, 2], "m8[s]"),
    "3-D": np.arange(12.0).reshape(2, 2, 3), "2-D booleans": np.eye(2, dtype=bool),
}


@pytest.mark.parametrize("name", [name for name in FILES if name != "ecsv"])
@pytest.mark.parametrize("kind", ODD)
def test_columns_are_kept_or_refused_at_once(tmp_path, name, kind):
    table, path = Table({"a": ODD[kind], "neighbor": ["x", "y"]}), tmp_path / NAMES[name]
    try:
        check_columns(table, name)
    except (ValueError, TypeError) as error:
        assert "'a'" in str(error) and kind not in (
            "uint64", "small uint64", "float16", "longdouble", "objects", "masked uint8",
            "masked uint64", "masked int64", "least int16", "big objects")
        with pytest.raises(type(error)):
            write_table(table, path)
        return
    write_table(table, path)
    result = read_table(path)
    assert result["neighbor"].tolist() == ["x", "y"]
    gone = np.ma.getmaskarray(table["a"]) | np.array([one is None for one in table["a"].tolist()]
                                                     ).reshape(-1, *[1] * (table["a"].ndim - 1))
    assert np.array_equal(np.ma.getmaskarray(result["a"]), gone)
    for one, other in zip(np.ma.getdata(table["a"]), np.ma.getdata(result["a"])):
        if one is not None and not (gone.ndim == 1 and gone.all()):
            if isinstance(one, bytes) or isinstance(other, str):
                same = other == one or str(one) == str(other)
            else:
                same = np.array_equal(one, other)
            assert same or gone.any()


def test_dates_and_missing_dates_become_text(tmp_path):
    table = Table({"when": np.array(["2026-01-02T03:04:05", "NaT"], "M8[s]"), "b": [1, 2]})
    for name in FILES:
        write_table(table, tmp_path / NAMES[name])
        result = read_table(tmp_path / NAMES[name])
        assert result["when"][0] == "2026-01-02T03:04:05", name
        assert np.ma.getmaskarray(result["when"]).tolist() == [False, True], name


@pytest.mark.parametrize("name", FILES)
def test_probabilities_are_shown_with_four_digits_and_kept_whole(tmp_path, name, recwarn):
    results = Results(2, len(QUESTIONS))
    results.answers[0] = 9.5392985e-05
    table = results.to_table(Table({"id": [1, 2]}), QUESTIONS)
    assert [line.strip() for line in table["P_disk"].pformat(show_name=False)][-2:] == [
        "0.0001", "--"]
    write_table(table, tmp_path / NAMES[name])
    assert np.float32(read_table(tmp_path / NAMES[name])["P_disk"][0]) == np.float32(9.5392985e-05)
    assert not recwarn


@pytest.mark.parametrize("ending", ["fits", "parquet", "ecsv"])
def test_what_astropy_wrote_in_parts_is_put_together(tmp_path, ending):
    """Masks and positions, which it keeps in columns of their own."""
    path = tmp_path / f"table.{ending}"
    table = QTable({"name": MaskedColumn(["a", "b"], mask=[False, True]),
                    "mag": MaskedColumn([17.0, 18.0], mask=[True, False]),
                    "place": SkyCoord([1, 2], [3, 4], unit="deg"), "r90": [5, 6] * u.arcsec})
    table.write(path)
    found = read_table(path)
    assert found.colnames == ["name", "mag", "place", "r90"]
    assert found["mag"].mask.tolist() == [True, False] and found["name"].mask.tolist() == [
        False, True]
    np.testing.assert_allclose(found["place"].dec.deg, [3, 4])
    np.testing.assert_array_equal(find_sizes(found, r90="r90"), [5, 6])


def test_spans_of_time_are_refused_by_ecsv(tmp_path):
    """Its reader could not read the file."""
    table = Table({"exposure": np.array([1, 2], "m8[s]")})
    with pytest.raises(ValueError, match="exposure.*type timedelta64"):
        check_columns(table, "ecsv")
