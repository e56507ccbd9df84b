"""Addresses of pictures: right ones, and none where there is no picture."""
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from loopback import LoopbackServer
from loopback.redirect import redirected

from astromorph.interop import add_thumbnails
from astromorph.services import conf
from astromorph.services.transport import Transport
from astromorph.tables import read_table, write_table

TABLE = Table({"ra": [10.0, 20.0, np.nan], "dec": [1.0, -2.5, 3.0],
               "petroR90_r": [5.0, -9999.0, 4.0] * u.arcsec}, meta={"MORPHSRV": "sdss"})


def test_pictures_of_a_survey():
    table = add_thumbnails(TABLE)
    assert table["thumbnail"].mask.tolist() == [False, True, True]
    assert table.colnames == [*TABLE.colnames, "thumbnail"] and "thumbnail" not in TABLE.colnames
    assert table["thumbnail"].meta["ucd"] == "meta.ref.url"
    asked = parse_qs(urlsplit(table["thumbnail"][0]).query)
    assert table["thumbnail"][0].startswith(conf.hips2fits_url + "?")
    assert asked["hips"] == ["CDS/P/SDSS9/color"] and asked["ra"] == ["10.000000"]
    assert float(asked["fov"][0]) == pytest.approx(8.48 * 5 / 3600, rel=1e-4)


def test_the_service_answers():
    with LoopbackServer() as server, redirected(server.url):
        table = add_thumbnails(TABLE[:2], width=40 * u.arcsec, pixels=64)
        with Transport(retries=0) as transport:
            for address in table["thumbnail"]:
                assert transport.get(address).content.startswith(b"\xff\xd8")


def test_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = MaskedColumn(["a b.jpg", "/data/c#d.png", "https://host/x.jpg", ""],
                         mask=[0, 0, 0, 1])
    table = add_thumbnails(Table({"file": files}), images="file", column="picture")
    found = table["picture"].tolist()
    assert found[2:] == ["https://host/x.jpg", None]
    paths = [Path(url2pathname(urlsplit(address).path)) for address in found[:2]]
    assert paths == [tmp_path / "a b.jpg", Path("/data/c#d.png")]


@pytest.mark.parametrize("name", ["t.vot", "t.fits"])
def test_kept_in_files(tmp_path, name):
    write_table(add_thumbnails(TABLE), tmp_path / name)
    back = read_table(tmp_path / name)["thumbnail"]
    assert back.meta["ucd"] == "meta.ref.url" and back.mask.tolist() == [False, True, True]
    assert back[0] == add_thumbnails(TABLE)["thumbnail"][0]


@pytest.mark.parametrize("options, message", [
    ({"survey": "rubin"}, "survey: expected one with color images"),
    ({"column": "ra"}, "column: expected the name of a new column"),
    ({"images": "file"}, "images: expected the name of a column, one of .'ra'"),
    ({"pixels": 0}, "pixels: expected a whole number from 1 to 3000. Received 0"),
    ({"pixels": 3001}, "pixels: expected a whole"), ({"pixels": 64.0}, "pixels: expected a whole"),
    ({"width": 11 * u.deg}, "width: expected a positive angle of at most 10 deg"),
    ({"width": 5}, "width"), ({"survey": "x"}, "survey")])
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        add_thumbnails(TABLE, **options)


def test_what_the_table_must_have():
    with pytest.raises(ValueError, match="survey: expected one of 'sdss'.* as the table does not "
                       r"say .*\(MORPHSRV in its meta\). Received none. Pass survey=."):
        add_thumbnails(Table({"ra": [1.0], "dec": [1.0]}), width=1 * u.arcmin)
    with pytest.raises(ValueError, match="width: expected an angle"):
        add_thumbnails(Table({"ra": [1.0], "dec": [1.0]}), survey="sdss")
    with pytest.raises(ValueError, match="table: expected an astropy table"):
        add_thumbnails([1])
    for name in (5, None, " "):
        with pytest.raises(ValueError, match="column: expected the name"):
            add_thumbnails(TABLE, column=name)
    with pytest.raises(ValueError, match=r"Received none, and \['sdss'\] in the meta"):
        add_thumbnails(Table(TABLE, meta={"MORPHSRV": ["sdss"]}))


@pytest.mark.parametrize("files", [[1, 2], [True, False], [["a", "b"], ["c", "d"]],
                                   SkyCoord([1, 2], [1, 2], unit="deg")])
def test_columns_that_name_no_files(files):
    with pytest.raises(ValueError, match="images: expected a column of file names"):
        add_thumbnails(Table({"x": files}), images="x")


def test_names_of_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = add_thumbnails(Table({"x": [b"\xff.jpg"]}), images="x")["thumbnail"][0]
    assert address == f"{tmp_path.as_uri()}/%FF.jpg"
