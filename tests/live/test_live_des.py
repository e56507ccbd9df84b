"""The real services of DES, on request: pytest --remote-data -m des."""
import pytest
from astropy.coordinates import SkyCoord
from live_contract import LiveContract

pytestmark = [pytest.mark.des, pytest.mark.remote_data]


class TestDes(LiveContract):
    survey = "des"
    galaxy = SkyCoord(53.4015, -36.1404, unit="deg")  # the center of NGC 1365
    nowhere = SkyCoord(75.0, 5.5, unit="deg")
