"""Coverage maps: what is surely outside asks for nothing, and nothing else is refused."""
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astromorph import AstromorphWarning, MorphFlag, fetch_cutouts, get_survey
from astromorph.cutouts import CutoutFetcher
from astromorph.services import CutoutRequest, transport as transport_module
from astromorph.services.footprints import Footprint
from astromorph.services.transport import Transport
from loopback import LoopbackServer, Sky
from loopback.redirect import redirected

SDSS = get_survey("sdss")
MOC = "/MocServer/query"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(transport_module, "BACK_OFF", lambda state: 0)
    with LoopbackServer(Sky(footprints={"sdss": (0, 60)})) as server, redirected(server.url):
        yield server
        assert server.stats.errors == []


def at(dec, width=40.0):
    return CutoutRequest(10.0, dec, width, 64, SDSS, ("g", "r", "i"))


def test_rows_outside_ask_for_nothing(server, tmp_path):
    positions = SkyCoord(np.full(60, 10.0), np.linspace(-24, 30, 60), unit="deg")
    for _ in range(2):
        table = fetch_cutouts(positions, 40 * u.arcsec, survey="sdss", cache=tmp_path,
                              footprint=True, progress=False)
        outside = (table["morph_flag"] & MorphFlag.OUTSIDE_FOOTPRINT) > 0
        assert (outside == (positions.dec.deg < 0)).all()
        asked = dict(server.stats.paths)
        assert asked[MOC] == 1  # kept in the folder of the cache
    pictures = sum(n for name, n in asked.items() if name != MOC)
    assert (~outside).sum() <= pictures < (~outside).sum() + 10
    assert len(list((tmp_path / "footprints").iterdir())) == 1


def test_without_the_option_no_map_is_asked_for(server, tmp_path):
    fetch_cutouts(SkyCoord(10, 30, unit="deg"), 40 * u.arcsec, survey="sdss", cache=tmp_path)
    assert MOC not in server.stats.paths


@pytest.mark.parametrize("width", [10.0, 60.0, 3600.0])
def test_margin(server, width):
    """Never a frame that touches the footprint, whatever its size; far away, always."""
    footprint = Footprint(SDSS)
    with Transport(retries=0) as transport:
        for dec in np.linspace(-1, 0.1, 23) - width / 7200:
            touches = dec + width / 7200 >= 0
            assert not (touches and footprint.excludes(at(dec, width), transport))
        assert footprint.excludes(at(-12.0, width), transport)
        assert not footprint.excludes(at(30.0, width), transport)


@pytest.mark.parametrize("answer", [
    b"<html>Down for maintenance</html>", b"", b"6/", b"0/0-11", b"6/0-99999999", b"\xff\xfe",
    b"2/5"])
def test_without_a_map_nothing_is_refused(tmp_path, answer):
    class Answering:
        """A transport that gives the same answer to everything."""

        def get(self, url, *, params=None, check=None, on_error=None):
            self.params = params
            return check(type("Response", (), {"content": answer}))

    footprint, transport = Footprint(SDSS, tmp_path), Answering()
    with pytest.warns(AstromorphWarning, match="coverage map of Sloan .* could not be downloaded"):
        assert not footprint.excludes(at(-89.0), transport)
    assert transport.params["expr"] == "ID=CDS/P/SDSS9/color"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not footprint.excludes(at(-89.0), transport)
    assert not (tmp_path / "footprints").exists()


def test_a_server_that_fails_refuses_nothing(server, tmp_path):
    server.faults.set(rates={"500": 1.0}, only=MOC)
    with pytest.warns(AstromorphWarning, match="astromorph requests all positions"):
        table = fetch_cutouts(SkyCoord(10, 30, unit="deg"), 40 * u.arcsec, survey="sdss",
                              cache=tmp_path, footprint=True, retries=0)
    assert table["morph_flag"][0] == 0


def test_a_damaged_file_is_not_there(server, tmp_path):
    with Transport() as transport:
        Footprint(SDSS, tmp_path).excludes(at(30), transport)
        kept, = (tmp_path / "footprints").iterdir()
        kept.write_bytes(kept.read_bytes()[:1])
        assert Footprint(SDSS, tmp_path).excludes(at(-20.0), transport)
    assert server.stats.paths[MOC] == 2


def test_offline_and_forecasts_ask_for_no_map(server, tmp_path):
    options = {"cache": tmp_path, "footprint": True}
    with CutoutFetcher("sdss", **options) as fetcher:
        outside = fetcher.request(10, -20, 40)
        assert fetcher.forecast(outside) == "request"
        with pytest.raises(Exception, match="by its coverage map"):
            fetcher.fetch(outside)
        assert fetcher.forecast(outside) == "refused"
    with CutoutFetcher("sdss", offline=True, **options) as fetcher:
        with pytest.raises(Exception, match="by its coverage map"):
            fetcher.fetch(outside)
    assert server.stats.paths == {MOC: 1}


def test_without_mocpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "mocpy", None)
    with pytest.raises(ValueError, match=r'footprint: .*"astromorph-galaxies\[footprints\]"'):
        CutoutFetcher("sdss", footprint=True, cache=False)


def test_a_survey_without_a_map(tmp_path):
    with CutoutFetcher(replace(SDSS, moc=None), footprint=True, cache=tmp_path) as fetcher:
        assert fetcher.forecast(at(-20.0)) == "request"
