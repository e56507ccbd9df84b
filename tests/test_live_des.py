"""The real services of DES, on request: pytest --remote-data -m des."""
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion

from astromorph import MorphFlag, MorphologyClassifier, fetch_cutouts, query_galaxies, read_cutout
from astromorph.surveys import SURVEYS

pytestmark = [pytest.mark.des, pytest.mark.remote_data]
GALAXY = SkyCoord(53.4015, -36.1404, unit="deg")  # the center of NGC 1365
NOWHERE = SkyCoord(75.0, 5.5, unit="deg")  # without images


@pytest.mark.parametrize("way", SURVEYS["des"].ways)
def test_galaxy_is_in_the_middle(way, tmp_path):
    table = fetch_cutouts(GALAXY, 60 * u.arcsec, survey="des", ways=way, cache=tmp_path)
    assert table["morph_flag"][0] & MorphFlag.UNCLASSIFIED == 0
    gray = read_cutout(table["file"][0], survey="des").pixels.mean(axis=2)
    y, x = (n // 3 for n in gray.shape)
    assert gray[y:-y, x:-x].mean() > 1.2 * np.mean([gray[:y].mean(), gray[-y:].mean()])


@pytest.mark.parametrize("way", SURVEYS["des"].ways)
def test_outside_the_footprint(way, tmp_path):
    table = fetch_cutouts(NOWHERE, 60 * u.arcsec, survey="des", ways=way, cache=tmp_path)
    assert table["morph_flag"][0] & (MorphFlag.OUTSIDE_FOOTPRINT | MorphFlag.BLANK)


def test_catalog_and_classification(tmp_path):
    region = CircleSkyRegion(GALAXY, 2 * u.arcmin)
    galaxies = query_galaxies(region, "des", faint_limit=18)
    assert len(galaxies) and (galaxies["petroR90_r"] > 0).all()
    table = MorphologyClassifier.from_pretrained("sdss").classify(galaxies, survey="des",
                                                                  cache=tmp_path)
    assert not table["P_disk"].mask.all()
