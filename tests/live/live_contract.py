"""What the real services of every survey must do; each test_live_*.py fills it in."""
import numpy as np
from astropy import units as u
from regions import CircleSkyRegion

from astromorph import MorphFlag, MorphologyClassifier, fetch_cutouts, query_galaxies, read_cutout
from astromorph.surveys import SURVEYS


class LiveContract:
    """Subclasses set ``survey``, the position of a bright ``galaxy``, and ``nowhere``, without
    images but within the declinations of the survey's record."""

    def each_service(self, position, folder):
        for service in SURVEYS[self.survey].services:
            table = fetch_cutouts(position, 60 * u.arcsec, survey=self.survey, services=service,
                                  cache=folder)
            yield service, table["morph_flag"][0], table["file"][0]

    def test_galaxy_is_in_the_middle(self, tmp_path):
        for service, flag, file in self.each_service(self.galaxy, tmp_path):
            assert flag & MorphFlag.UNCLASSIFIED == 0, service
            gray = read_cutout(file, survey=self.survey).pixels.mean(axis=2)
            y, x = (n // 3 for n in gray.shape)
            around = np.mean([gray[:y].mean(), gray[-y:].mean()])
            assert gray[y:-y, x:-x].mean() > 1.2 * around, service

    def test_outside_the_footprint(self, tmp_path):
        for service, flag, _ in self.each_service(self.nowhere, tmp_path):
            assert flag & (MorphFlag.OUTSIDE_FOOTPRINT | MorphFlag.BLANK), service

    def test_catalog_and_classification(self, tmp_path):
        galaxies = query_galaxies(CircleSkyRegion(self.galaxy, 2 * u.arcmin), self.survey,
                                  faint_limit=18)
        assert len(galaxies) and (galaxies["petroR90_r"] > 0).all()
        table = MorphologyClassifier.from_pretrained("sdss").classify(
            galaxies, survey=self.survey, cache=tmp_path)
        assert not table["P_disk"].mask.all()
