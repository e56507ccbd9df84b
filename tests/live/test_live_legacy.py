"""The real services of the Legacy Surveys, on request: pytest --remote-data -m legacy."""
import pytest
from astropy.coordinates import SkyCoord
from live_contract import LiveContract

pytestmark = [pytest.mark.legacy, pytest.mark.remote_data]


class TestLegacy(LiveContract):
    survey = "legacy"
    galaxy = SkyCoord(194.8988, 27.9594, unit="deg")  # NGC 4874 in Coma
    nowhere = SkyCoord(75.0, 84.5, unit="deg")
