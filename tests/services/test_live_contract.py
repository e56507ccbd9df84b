"""The contract of tests/live, held against the simulated services: it can be kept, and broken."""
import pytest
from astropy.coordinates import SkyCoord
from live.live_contract import RECORDS, LiveContract, RecordContract
from loopback import LoopbackServer, Sky
from loopback.redirect import redirected
from loopback.rubin import RUBIN_TOKEN

from astromorph.services.rubin import TOKEN
from astromorph.surveys import BUNDLED, SURVEYS

GALAXIES = {"sdss": (180.0, 30.0), "legacy": (200.0, 5.0), "des": (10.0, -55.0)}
LIMITS = {"sdss": (-20, 80), "legacy": (-80, 80), "des": (-65, 5)}


class OnLoopback(LiveContract):
    @pytest.fixture(autouse=True)
    def simulated(self):
        low, high = LIMITS[self.survey]
        sky = Sky([(*GALAXIES[self.survey], 2)], footprints={self.survey: (low, high)})
        with LoopbackServer(sky) as server, redirected(server.url):
            self.galaxy = SkyCoord(*GALAXIES[self.survey], unit="deg")
            self.nowhere = SkyCoord(75.0, high + 1, unit="deg")
            yield server

    @pytest.fixture
    def live_report(self):
        answers = []
        yield answers
        assert {answer["service"] for answer in answers} <= set(SURVEYS[self.survey].services)
        for answer in answers:
            assert answer["bytes"] > 0 or set(answer["flags"]) & {"OUTSIDE_FOOTPRINT", "BLANK"}


class TestSDSS(OnLoopback):
    survey = "sdss"


class TestLegacy(OnLoopback):
    survey = "legacy"

    def test_other_colors_break_it(self, tmp_path, monkeypatch):
        """The layer that the record had at first."""
        from dataclasses import replace

        monkeypatch.setitem(SURVEYS, "legacy", replace(SURVEYS["legacy"], layer="ls-dr10"))
        with pytest.raises(AssertionError, match="viewer-fits"):
            LiveContract.test_all_services_show_the_same_colors(self, tmp_path, [])


class TestDES(OnLoopback):
    survey = "des"


def test_every_record_is_asked_for():
    assert {*RECORDS, *GALAXIES} == set(BUNDLED)


class TestRecords(RecordContract):
    """The records without a catalog."""

    @pytest.fixture
    def token(self, monkeypatch):
        monkeypatch.setenv(TOKEN, RUBIN_TOKEN)
        return RUBIN_TOKEN

    @pytest.fixture(autouse=True)
    def simulated(self, record):
        ra, dec = RECORDS[self.survey]
        with LoopbackServer(Sky([(ra, dec, 2)])) as server, redirected(server.url):
            yield server

    @pytest.fixture
    def live_report(self):
        return []
