"""A storm of hostile answers (tests/loopback/hostile.py): flags, the longest exchange, and memory.

python benchmarks/hostile.py [--timeout 30]
"""
import argparse
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def peak():
    """Most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def storm(service, answers, timeout):
    """Rows with a flag, seconds of the longest exchange as the server saw it."""
    from loopback.hostile import HostileServer
    from loopback.redirect import redirected

    from astromorph import MorphFlag, fetch_cutouts

    survey, dec = {"viewer": ("legacy", 1), "viewer-fits": ("legacy", 1), "sia": ("des", -30),
                   "sdss-frames": ("sdss", 1)}[service]
    places = SkyCoord(np.arange(len(answers)), np.full(len(answers), dec), unit="deg")
    with HostileServer(answers) as server, redirected(server.url), \
            tempfile.TemporaryDirectory() as folder:
        table = fetch_cutouts(places, 40 * u.arcsec, survey=survey, services=service, cache=False,
                              folder=folder, timeout=timeout, retries=0, progress=False)
        return np.count_nonzero(table["morph_flag"] & MorphFlag.UNCLASSIFIED), server.longest


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    from loopback.hostile import ANSWERS

    from astromorph.services import hosts

    hosts.FAILURES = 10**6  # nobody is left alone
    before = peak()
    for service, answers in ANSWERS.items():
        begun = time.monotonic()
        flagged, longest = storm(service, answers, args.timeout)
        print(f"{service}: {len(answers)} answers, {flagged} rows flagged, longest exchange "
              f"{longest:.1f} s, all in {time.monotonic() - begun:.1f} s, "
              f"{peak() - before:.0f} MB more than at the start", flush=True)


if __name__ == "__main__":
    main()
