"""The real services of every other record, on request: pytest --remote-data tests/live."""
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astromorph import MorphFlag, fetch_cutouts, read_cutout
from astromorph.surveys import BUNDLED

pytestmark = pytest.mark.remote_data

GALAXIES = {  # a bright galaxy in the footprint of each
    "decaps2": (269.9, -32.5),  # no galaxy: a field of stars of the bulge
    "delve": (189.9977, -11.6231), "euclid": (53.4015, -28.1), "hsc": (150.1, 2.2),
    "kids": (180.0, -0.5), "legacy-dr9": (194.8988, 27.9594), "legacy-dr10": (194.8988, 27.9594),
    "legacy-dr11": (194.8988, 27.9594), "ps1": (194.8988, 27.9594),
    "skymapper": (53.4015, -36.1404)}
EACH_WAY = [(name, service) for name in GALAXIES for service in BUNDLED[name].services]
CENTERED = [way for way in EACH_WAY if way[0].startswith(("legacy", "ps1", "sky"))]


def fetched(name, service, folder):
    table = fetch_cutouts(SkyCoord(*GALAXIES[name], unit="deg"), 60 * u.arcsec, survey=name,
                          services=service, cache=folder)
    assert table["morph_flag"][0] & MorphFlag.UNCLASSIFIED == 0
    return read_cutout(table["file"][0], survey=name)


def test_every_record_is_here():
    assert set(GALAXIES) == set(BUNDLED) - {"sdss", "legacy", "des"}


@pytest.mark.parametrize("name, service", EACH_WAY)
def test_there_is_an_image(name, service, tmp_path):
    assert fetched(name, service, tmp_path).pixels.std() > 0.005


@pytest.mark.parametrize("name, service", CENTERED)
def test_galaxy_is_in_the_middle(name, service, tmp_path):
    gray = fetched(name, service, tmp_path).pixels.mean(axis=2)
    n = len(gray) // 3
    assert gray[n:-n, n:-n].mean() > 1.2 * (gray[:n].mean() + gray[-n:].mean()) / 2


@pytest.mark.parametrize("name", [name for name in GALAXIES if {"viewer", "viewer-fits"} <= set(
    BUNDLED[name].services)])
def test_pictures_and_flux_look_alike(name, tmp_path):
    """The record's color mapping is that of the viewer's layer: 2 of 255 is noise of JPEG."""
    from astromorph.images import resample

    shown, drawn = (resample(fetched(name, service, tmp_path).pixels, 40)
                    for service in ("viewer", "viewer-fits"))
    assert 255 * abs(shown - drawn).mean() < 2
