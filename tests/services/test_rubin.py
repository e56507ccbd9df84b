"""The Rubin Science Platform: what is asked, and where the token goes."""
import json
import logging
import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astromorph import FetchError, MorphFlag, fetch_cutouts, get_survey
from astromorph.images.fits_planes import read_planes
from astromorph.services import CutoutRequest, conf, transport as transport_module
from astromorph.services.rubin import TOKEN, rubin_planes
from astromorph.services.transport import Transport
from loopback import LoopbackServer, Sky
from loopback.redirect import redirected
from loopback.rubin import RUBIN_TOKEN

RA, DEC = 53.1, -28.1


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(transport_module, "BACK_OFF", lambda state: 0)
    monkeypatch.setenv(TOKEN, RUBIN_TOKEN)
    with LoopbackServer(Sky([(RA, DEC, 1)], footprints={"rubin": (-60, 5)})) as server, \
            redirected(server.url):
        yield server
        assert server.stats.errors == []


def fetch(dec=DEC, bands=("g", "r", "z"), retries=0):
    request = CutoutRequest(RA, dec, 40.0, 160, get_survey("rubin"), bands)
    with Transport(retries=retries) as transport:
        return rubin_planes(request, transport)


def test_flux_of_the_nearest_coadd(server):
    image = fetch()
    flux = read_planes(image.data, survey="rubin")
    n = len(flux.planes["r"])
    truth = server.sky.render("rubin", RA, DEC, 40, n, "grz")
    assert list(flux.planes) == ["g", "r", "z"] and flux.flag == 0 and image.coverage == 1
    for band, plane in truth.items():
        assert flux.planes[band].sum() == pytest.approx(plane.sum(), rel=0.03)
    assert dict(server.stats.paths) == {"/rubin/sia/dp1/query": 1, "/rubin/datalink": 3,
                                        "/rubin/cutout/sync": 3, "/rubin/result": 3}


def test_the_token_is_kept_nowhere(server, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    table = fetch_cutouts(SkyCoord(RA, DEC, unit="deg"), 40 * u.arcsec, survey="rubin",
                          cache=tmp_path, retries=0)
    assert table["morph_flag"][0] == 0
    assert all(RUBIN_TOKEN.encode() not in path.read_bytes()
               for path in tmp_path.rglob("*") if path.is_file())
    assert RUBIN_TOKEN not in caplog.text + str(table) + json.dumps(server.stats.as_dict())


def test_a_refused_token(server, monkeypatch):
    monkeypatch.setenv(TOKEN, "gt-wrong-one")
    with pytest.raises(FetchError, match=f"status 401.*is {TOKEN} valid") as error:
        fetch()
    assert b"gt-wrong-one" not in pickle.dumps(error.value)
    assert error.value.__context__ is None or error.value.__suppress_context__
    assert "gt-wrong-one" not in repr(vars(error.value))


def test_without_a_token_nothing_is_asked(server, monkeypatch, classifier):
    monkeypatch.delenv(TOKEN)
    with pytest.raises(FetchError, match=f"set {TOKEN}") as error:
        fetch()
    assert error.value.flag == MorphFlag.SERVER_ERROR and not error.value.retry
    assert server.stats.requests == 0


def test_other_hosts_get_no_token(server, monkeypatch):
    """A DataLink, or a table, that sends elsewhere."""
    with LoopbackServer() as other:
        links = server.url.encode(), other.url.encode()
        with Transport(retries=0) as transport:
            get = transport.session.get
            seen = []

            def changed(url, **options):
                seen.append((url, options["headers"]))
                response = get(url, **options)
                response._content = response.content.replace(*links)
                return response

            transport.session.get = changed
            request = CutoutRequest(RA, DEC, 40.0, 160, get_survey("rubin"), ("r",))
            with pytest.raises(FetchError, match="sends to another host"):
                rubin_planes(request, transport)
        assert other.stats.requests == 0 and len(seen) == 1


def test_outside_and_missing_bands(server):
    with pytest.raises(FetchError, match="no deep coadd of it") as error:
        fetch(dec=30.0)
    assert error.value.final and error.value.flag == MorphFlag.OUTSIDE_FOOTPRINT


@pytest.mark.parametrize("fault", ["html", "json", "500", "cut"])
def test_odd_answers_are_flagged(server, fault):
    for path in ("sia", "datalink", "result") + ("cutout",) * (fault != "cut"):  # has no body
        server.faults.set(rates={fault: 1.0}, only=f"/rubin/{path}")
        with pytest.raises(FetchError) as error:
            fetch()
        assert error.value.flag & MorphFlag.UNCLASSIFIED
        server.faults.clear()
    server.faults.set(rates={"500": 0.3}, only="/rubin")
    assert np.isfinite(fetch(retries=20).coverage)


def test_the_address_is_that_of_the_configuration():
    assert conf.rubin_url.startswith("https://")
