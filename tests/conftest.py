"""Fixtures shared by the tests: bundled weights, a simulated galaxy, the folder of real ones."""
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import settings

from astromorph.surveys import SURVEYS

# The same examples in every run: a failure can be repeated.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def classifier():
    """The bundled SDSS weights of the default network, for all tests: leave it as it is."""
    from astromorph import MorphologyClassifier

    return MorphologyClassifier.from_pretrained("sdss")


@pytest.fixture(scope="session")
def ds18_classifier():
    """The bundled SDSS weights of the paper's network, for all tests: leave it as it is."""
    from astromorph import MorphologyClassifier

    return MorphologyClassifier.from_pretrained("sdss", network="ds18")


@pytest.fixture(params=["pinwheel", "ds18"])
def any_classifier(request):
    """Each of the two in turn."""
    return request.getfixturevalue("classifier" if request.param == "pinwheel"
                                   else "ds18_classifier")


@pytest.fixture(scope="session")
def real_data():
    """The folder of real galaxies; tests that need it are skipped without it."""
    folder = os.environ.get("ASTROMORPH_REAL_DATA")
    if not folder:
        pytest.skip("ASTROMORPH_REAL_DATA is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def galaxy_planes():
    """g, r, i of a simulated galaxy in nanomaggies, (y, x) = (90, 100), row 0 at the bottom.

    An exponential disk with a blue knot above and to the left and a red one below, so that every
    flip and every exchange of bands shows.
    """
    y, x = np.mgrid[:90, :100].astype(np.float32)
    disk = np.exp(-np.hypot((x - 49.5) / 7, (y - 44.5) / 5))

    def knot(at_x, at_y):
        return np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 18)

    sky = np.random.default_rng(7).normal(0, 0.01, (3, 90, 100))
    planes = (0.5 * disk + 0.9 * knot(30, 70), 1.0 * disk + 0.3 * knot(30, 70) + 0.2 * knot(60, 20),
              1.4 * disk + 0.9 * knot(60, 20))
    return {band: (plane + noise).astype(np.float32)
            for band, plane, noise in zip("gri", planes, sky)}


@pytest.fixture(scope="session")
def galaxy_wcs():
    """Celestial WCS of `galaxy_planes`, in SDSS's native pixels."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [180.0, 30.0]
    wcs.wcs.crpix = [50.5, 45.5]
    scale = SURVEYS["sdss"].pixel_scale.to_value("deg")
    wcs.wcs.cdelt = [-scale, scale]
    return wcs


def pytest_collection_modifyitems(items):
    """Begin with the files that have slow tests, so that no process is left with one at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
