"""What the real services of every survey must do; each test_live_*.py fills it in."""
import os
import time
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion

from astromorph import MorphFlag, MorphologyClassifier, fetch_cutouts, query_galaxies, read_cutout
from astromorph.flags import decode_flags
from astromorph.images import resample
from astromorph.services.rubin import TOKEN
from astromorph.surveys import SURVEYS

_SIDE = 53  # pixels to compare colors on: JPEG moves those of single ones
RECORDS = {  # bright and in the footprint
    "decaps2": (269.9, -32.5),  # stars of the bulge: there are no galaxies
    "delve": (189.9977, -11.6231),  # M104
    "euclid": (267.7808, 65.5308),  # NGC 6505
    "hsc": (180.0984, -1.1), "kids": (180.0984, -1.1),  # NGC 4030
    "legacy-dr9": (194.8988, 27.9594), "legacy-dr10": (194.8988, 27.9594),  # NGC 4874
    "legacy-dr11": (194.8988, 27.9594), "ps1": (194.8988, 27.9594),
    "skymapper": (53.4015, -36.1404),  # NGC 1365
    "rubin": (53.1625, -27.7914),  # in the Extended Chandra Deep Field South, with a token
}


class LiveContract:
    """Subclasses set ``survey``, the position of a bright ``galaxy``, and ``nowhere``, without
    images but within the declinations of the survey's record."""

    def each_service(self, position, place, folder, live_report):
        """Name, flag, and picture or None of each service; the report takes the rest down."""
        for service in SURVEYS[self.survey].services:
            begun = time.monotonic()
            row, = fetch_cutouts(position, 60 * u.arcsec, survey=self.survey, services=service,
                                 cache=folder)
            picture = None if not row["file"] else resample(
                read_cutout(row["file"], survey=self.survey).pixels, _SIDE)
            live_report.append({
                "survey": self.survey, "service": service, "place": place,
                "flags": decode_flags(int(row["morph_flag"])), "url": str(row["cutout_url"]),
                "bytes": Path(row["file"]).stat().st_size if row["file"] else 0,
                "coverage": float(row["cutout_coverage"] or np.nan),
                "seconds": round(time.monotonic() - begun, 1), "picture": picture})
            yield service, row["morph_flag"], picture

    def test_galaxy_is_in_the_middle(self, tmp_path, live_report):
        for service, flag, picture in self.each_service(self.galaxy, "galaxy", tmp_path,
                                                        live_report):
            assert flag & MorphFlag.UNCLASSIFIED == 0, service
            gray = picture.mean(axis=2)
            third = _SIDE // 3
            around = np.mean([gray[:third].mean(), gray[-third:].mean()])
            assert gray[third:-third, third:-third].mean() > 1.2 * around, service

    def test_all_services_show_the_same_colors(self, tmp_path, live_report):
        """Those that the record says to have the survey's colors."""
        record = SURVEYS[self.survey]
        pictures = {service: picture for service, _, picture in self.each_service(
            self.galaxy, "colors", tmp_path, live_report)
            if picture is not None and service not in record.other_colors}
        first, *others = pictures.values()
        assert all(255 * np.abs(other - first).mean() < 2 for other in others), {
            service: round(255 * float(np.abs(picture - first).mean()), 1)
            for service, picture in pictures.items()}

    def test_outside_the_footprint(self, tmp_path, live_report):
        for service, flag, _ in self.each_service(self.nowhere, "nowhere", tmp_path, live_report):
            assert flag & (MorphFlag.OUTSIDE_FOOTPRINT | MorphFlag.BLANK), service

    def test_catalog_and_classification(self, tmp_path):
        galaxies = query_galaxies(CircleSkyRegion(self.galaxy, 2 * u.arcmin), self.survey,
                                  faint_limit=18)
        assert len(galaxies) and (galaxies["petroR90_r"] > 0).all()
        table = MorphologyClassifier.from_pretrained("sdss").classify(
            galaxies, survey=self.survey, cache=tmp_path)
        assert not table["P_disk"].mask.all()


class RecordContract(LiveContract):
    """For the records in files: where they have no images is not so sure."""

    test_outside_the_footprint = None

    @pytest.fixture
    def token(self):
        """Rubin's, from the environment."""
        return os.environ.get(TOKEN)

    @pytest.fixture(autouse=True, params=RECORDS)
    def record(self, request, token):
        self.survey = request.param
        if self.survey == "rubin" and not token:
            pytest.skip(f"{TOKEN} is not set")
        self.galaxy = SkyCoord(*RECORDS[self.survey], unit="deg")

    def test_galaxy_is_in_the_middle(self, tmp_path, live_report):
        if self.survey == "decaps2":
            for service, _, picture in self.each_service(self.galaxy, "stars", tmp_path,
                                                         live_report):
                assert picture is not None and picture.std() > 0.005, service
        else:
            super().test_galaxy_is_in_the_middle(tmp_path, live_report)

    def test_all_services_show_the_same_colors(self, tmp_path, live_report):
        record = SURVEYS[self.survey]
        if set(record.services) <= set(record.other_colors):
            pytest.skip("all of its pictures have other colors than the record")
        super().test_all_services_show_the_same_colors(tmp_path, live_report)

    def test_catalog_and_classification(self, tmp_path):
        if SURVEYS[self.survey].catalog is None:
            pytest.skip("the record names no catalog")
        super().test_catalog_and_classification(tmp_path)
