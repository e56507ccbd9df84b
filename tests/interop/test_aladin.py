"""The widget gets a catalog for each answer, in the right place and with the right images."""
import io
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from astromorph import AstromorphWarning
from astromorph.galaxies.regions import CLASS_COLORS
from astromorph.interop import show

pytest.importorskip("ipyaladin")


@pytest.fixture
def table():
    nan = np.nan
    return Table({
        "RAJ2000": [359.9, 0.1, 0.0, 0.0, nan], "DEJ2000": [10.0, 10.0, 10.1, 9.9, 10.0],
        "ra": [7.0] * 5,  # of something else
        "P_disk": MaskedColumn(np.array([.1, .9, .9, .5, .9]), mask=[0, 0, 0, 1, 0]),
        "P_edge_on": [.0, .9, .1, nan, .9], "P_bar": [.0, .1, .9, nan, .1],
        "P_ring": [.2, .7, nan, .1, .1], "grid": np.zeros((5, 2)),
    }, meta={"MORPHSRV": "sdss"})


def catalogs(widget):
    """Name -> color and rows of each catalog that the page will be sent."""
    found = {}
    for overlay in widget._overlay_manager.values() if hasattr(
            widget._overlay_manager, "values") else widget._overlay_manager._overlays_dict.values():
        info = overlay if isinstance(overlay, dict) else overlay.__dict__
        options, rows = info["options"], info["table"]
        found[options["name"]] = options["color"], rows
    return found


def test_by_class(table):
    del table["ra"]
    widget = show(table, height=300)
    found = catalogs(widget)
    assert {name: len(rows) for name, (_, rows) in found.items()} == {
        "smooth": 1, "edge-on": 1, "barred": 1, "unclassified": 1}
    assert all(color == CLASS_COLORS[name] for name, (color, _) in found.items())
    assert found["smooth"][1]["ra"] == [359.9] and found["edge-on"][1]["P_disk"] == [0.9]
    assert widget.height == 300 and widget.survey == "CDS/P/SDSS9/color"
    found = SkyCoord(*map(float, widget._target.split()), unit="deg")
    assert found.separation(SkyCoord(0, 10, unit="deg")) < 1 * u.arcmin
    assert 0.2 < widget._fov < 0.5


def test_by_one_column(table):
    del table["ra"]
    found = catalogs(show(table, column="P_ring", threshold=0.6, survey="legacy"))
    assert {name: len(rows) for name, (_, rows) in found.items()} == {
        "P_ring of 0.6 or more": 1, "P_ring below 0.6": 2, "unclassified": 1}


def test_the_table_can_be_read_by_the_page(table):
    del table["ra"]
    rows = catalogs(show(table))["barred"][1]
    file = io.BytesIO()
    rows.write(file, format="votable")
    assert Table.read(io.BytesIO(file.getvalue()), format="votable")["P_bar"][0] == 0.9


def test_columns_of_bytes_and_objects(table, tmp_path):
    """What FITS files and lists of Python give is shown; a warning names what cannot be."""
    del table["ra"]
    table["name"] = np.array([b"NGC 1", b"", b"c", b"d", b"e"])
    table["note"] = np.array(["a", None, "ö", 5, "e"], object)
    table["when"] = np.array(["2020-01-01"] * 5, "M8[D]")
    table["list"], table["list"][:] = np.empty(5, object), [[1], [1, 2], [], [3], [4]]
    table["raw"] = np.array([b"\xff"] * 5)
    table["control"] = ["\0", "\udc80", "", "", ""]
    with pytest.warns(AstromorphWarning, match="does not show the columns grid, list, raw, control"
                      r"\. It shows one number or text per row"):
        rows = catalogs(show(table))
    assert rows["smooth"][1]["name"].tolist() == ["NGC 1"]
    assert rows["unclassified"][1]["note"].tolist() == ["5"]
    file = tmp_path / "t.fits"
    Table(table["RAJ2000", "DEJ2000", "P_disk", "P_edge_on", "P_bar", "name"]).write(file)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstromorphWarning)
        again = catalogs(show(Table.read(file)))
    assert again["barred"][1]["name"].tolist() == ["c"]


def test_wrong_arguments(table):
    del table["ra"]
    with pytest.raises(ValueError, match="column: expected one of RAJ2000"):
        show(table, column="P_rings")
    with pytest.raises(ValueError, match="threshold"):
        show(table, threshold=2)
    with pytest.raises(ValueError, match="P_disk"):
        show(table["RAJ2000", "DEJ2000"])
    with pytest.raises(ValueError, match="table: expected an astropy table"):
        show([1])
    table.meta["MORPHSRV"] = ["of", "somebody"]
    assert len(catalogs(show(table))) == 4
    with pytest.raises(ValueError, match="galaxies with a position"):
        show(table[4:])
