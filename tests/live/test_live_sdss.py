"""The real services of SDSS, on request: pytest --remote-data -m sdss."""
import pytest
from astropy.coordinates import SkyCoord
from live_contract import LiveContract

pytestmark = [pytest.mark.sdss, pytest.mark.remote_data]


class TestSdss(LiveContract):
    survey = "sdss"
    galaxy = SkyCoord(194.8988, 27.9594, unit="deg")  # NGC 4874 in Coma
    nowhere = SkyCoord(75.0, -15.0, unit="deg")
