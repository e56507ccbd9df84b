"""What the real services of every survey must do; each test_live_*.py fills it in."""
import time
from pathlib import Path

import numpy as np
from astropy import units as u
from regions import CircleSkyRegion

from astromorph import MorphFlag, MorphologyClassifier, fetch_cutouts, query_galaxies, read_cutout
from astromorph.flags import decode_flags
from astromorph.images import resample
from astromorph.surveys import SURVEYS

_SIDE = 53  # pixels to compare colors on: JPEG moves those of single ones


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
