"""The real services of SDSS, on request: pytest --remote-data -m sdss."""
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion

from astromorph import MorphFlag, MorphologyClassifier, fetch_cutouts, query_galaxies, read_cutout
from astromorph.surveys import SURVEYS

pytestmark = [pytest.mark.sdss, pytest.mark.remote_data]
GALAXY = SkyCoord(194.8988, 27.9594, unit="deg")  # NGC 4874 in Coma
NOWHERE = SkyCoord(75.0, -15.0, unit="deg")  # without images


@pytest.mark.parametrize("way", SURVEYS["sdss"].ways)
def test_galaxy_is_in_the_middle(way, tmp_path):
    table = fetch_cutouts(GALAXY, 60 * u.arcsec, survey="sdss", ways=way, cache=tmp_path)
    assert table["morph_flag"][0] & MorphFlag.UNCLASSIFIED == 0
    gray = read_cutout(table["file"][0], survey="sdss").pixels.mean(axis=2)
    y, x = (n // 3 for n in gray.shape)
    assert gray[y:-y, x:-x].mean() > 1.2 * np.mean([gray[:y].mean(), gray[-y:].mean()])


@pytest.mark.parametrize("way", SURVEYS["sdss"].ways)
def test_outside_the_footprint(way, tmp_path):
    table = fetch_cutouts(NOWHERE, 60 * u.arcsec, survey="sdss", ways=way, cache=tmp_path)
    assert table["morph_flag"][0] & (MorphFlag.OUTSIDE_FOOTPRINT | MorphFlag.BLANK)


def test_catalog_and_classification(tmp_path):
    region = CircleSkyRegion(GALAXY, 2 * u.arcmin)
    galaxies = query_galaxies(region, "sdss", faint_limit=18)
    assert len(galaxies) and (galaxies["petroR90_r"] > 0).all()
    table = MorphologyClassifier.from_pretrained("sdss").classify(galaxies, survey="sdss",
                                                                  cache=tmp_path)
    assert not table["P_disk"].mask.all()
