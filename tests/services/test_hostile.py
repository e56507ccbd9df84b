"""A storm of hostile answers: every row gets a flag, none raises, none waits for ever."""
import resource
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astromorph import MorphFlag, fetch_cutouts
from astromorph.services import hosts, limits
from loopback.hostile import ANSWERS, HostileServer, count
from loopback.redirect import redirected

TIMEOUT = 0.3
SURVEYS = {"viewer": ("legacy", 1), "viewer-fits": ("legacy", 1), "sia": ("des", -30),
           "sdss-frames": ("sdss", 1)}


def test_there_are_enough():
    assert count() == 117


@pytest.mark.parametrize("service", ANSWERS)
def test_storm(service, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "FAILURES", 10**6)  # nobody is left alone
    survey, dec = SURVEYS[service]
    answers = ANSWERS[service]
    places = SkyCoord(np.arange(len(answers)), np.full(len(answers), dec), unit="deg")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with HostileServer(answers) as server, redirected(server.url), \
            warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of readers, about nonsense
        table = fetch_cutouts(places, 40 * u.arcsec, survey=survey, services=service, cache=False,
                              folder=tmp_path, timeout=TIMEOUT, retries=0, progress=False)
    flags = table["morph_flag"] & MorphFlag.UNCLASSIFIED
    assert flags.all(), np.flatnonzero(flags == 0)
    assert not table["file"].astype(bool).any()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024
    assert server.longest < limits.LONGEST * TIMEOUT + 30  # for ever would be longer
