"""Images by position: rate against a sequential loop, peak memory, and the cost of every service.

    python benchmarks/images_by_position.py --out docs
    python benchmarks/images_by_position.py --galaxies 10000 --latency 0.1
    python benchmarks/images_by_position.py --requests

The services are simulated on this machine (tests/loopback), in a process of their own, with a
latency added to every answer. The sequential loop calls astroquery's hips2fits for one galaxy after
another; it runs in turn with `fetch_cutouts` and `classify`, which use the same service by the same
client, so that the ratios hold whatever the machine's load. The cache starts empty.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from documents import write_table

ROOT = Path(__file__).resolve().parents[1]
CENTERS = {"sdss": (150.0, 20.0), "legacy": (150.0, 20.0), "des": (10.0, -40.0)}


@contextmanager
def simulated_services(latency):
    """Run the services; everything here that asks the real ones asks these. Gives their URL."""
    import astroquery.sdss

    from astromorph import services

    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-m", "loopback", "--latency", str(latency)],
                               cwd=ROOT / "tests", env=environment, stdout=subprocess.PIPE,
                               text=True)
    url = process.stdout.readline().split()[-1]
    with ExitStack() as stack:
        stack.callback(process.kill)
        for name in ("skyserver", "viewer", "hips2fits", "sia", "tap"):
            path = "" if name == "skyserver" else f"/{name}"
            stack.enter_context(services.conf.set_temp(f"{name}_url", url + path))
        stack.enter_context(services.conf.set_temp("hips2fits_mirror_url",
                                                   url + "/hips2fits-mirror"))
        stack.enter_context(astroquery.sdss.conf.set_temp("skyserver_baseurl", url))
        stack.enter_context(astroquery.sdss.conf.set_temp("sas_baseurl", url + "/sas"))
        yield url


def ask(url, path):
    with urlopen(url + path) as answer:
        return json.load(answer)


def catalog(survey, n):
    """n galaxies on the raster of the simulated sky, with a size."""
    ra, dec = CENTERS[survey]
    k = np.arange(n)
    table = Table({"ra": ra + 0.01 * (k % 200), "dec": dec + 0.01 * (k // 200)})
    table["petroR90_r"] = 8.0
    return table


def sequential(table, url):
    """What one would write first: astroquery, one galaxy after another."""
    from astropy.coordinates import Angle, Latitude, Longitude
    from astroquery.hips2fits import hips2fitsClass

    client = hips2fitsClass()
    client.server = url + "/hips2fits"
    for row in table:
        client.query(hips="CDS/P/SDSS9/color", width=212, height=212, projection="TAN",
                     ra=Longitude(row["ra"], u.deg), dec=Latitude(row["dec"], u.deg),
                     fov=Angle(8 * 4.24, u.arcsec), format="jpg")


def timed(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def fetch(table):
    from astromorph import fetch_cutouts

    with tempfile.TemporaryDirectory() as cache:
        fetch_cutouts(SkyCoord(table["ra"], table["dec"], unit="deg"), 8 * 4.24 * u.arcsec,
                      services="hips2fits", cache=cache, progress=False)


def classify(classifier, table):
    with tempfile.TemporaryDirectory() as cache:
        result = classifier.classify(table, services="hips2fits", cache=cache, progress=False)
    if (result["morph_flag"] != 0).any():
        raise RuntimeError("not every galaxy was classified")


def compare(n, latency, repeats):
    """Rates of the sequential loop, `fetch_cutouts` and `classify`, in turn; lines of text."""
    from astromorph import MorphologyClassifier

    classifier = MorphologyClassifier.from_pretrained("sdss")
    table = catalog("sdss", n)
    few = table[:max(n // 50, 20)]
    with simulated_services(latency) as url:
        sequential(few[:5], url)
        classify(classifier, few)
        ask(url, "/_reset")
        rates = {"sequential astroquery loop": [], "fetch_cutouts": [], "classify": []}
        for _ in range(repeats):
            rates["sequential astroquery loop"].append(len(few) / timed(sequential, few, url))
            rates["fetch_cutouts"].append(n / timed(fetch, table))
            rates["classify"].append(n / timed(classify, classifier, table))
            print({name: round(values[-1], 1) for name, values in rates.items()}, flush=True)
        most = ask(url, "/_stats")["most_simultaneous"]
    base = rates["sequential astroquery loop"]
    for name, values in rates.items():
        ratio = statistics.median(value / b for value, b in zip(values, base))
        yield f"{name:26s}  {statistics.median(values):8.1f}  {ratio:6.1f}"
    yield most


def peak_memory(n, latency):
    """Classify n positions in this process; its peak resident memory in MB."""
    from astromorph import MorphologyClassifier

    with simulated_services(latency):
        classify(MorphologyClassifier.from_pretrained("sdss"), catalog("sdss", n))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def cost_of_services(n):
    """Requests, kilobytes received and seconds of processor for a galaxy, by every service."""
    from astromorph.cutouts import fetch_cutouts
    from astromorph.surveys import SURVEYS

    with simulated_services(0) as url:
        for survey in (SURVEYS[name] for name in ("sdss", "legacy", "des")):
            for service in survey.services:
                ask(url, "/_reset")
                with tempfile.TemporaryDirectory() as cache:
                    start = time.process_time()
                    table = fetch_cutouts(catalog(survey.name, n), 34 * u.arcsec, services=service,
                                          survey=survey, cache=cache, progress=False)
                    seconds = time.process_time() - start
                stats = ask(url, "/_stats")
                yield (survey.name, service, table["cutout_bands"][0], stats["requests"] / n,
                       stats["bytes"] / n / 1024, 1000 * seconds / n)


def requests_of_rows(n=100):
    """Requests by path for n galaxies of each survey, and for n positions outside its footprint."""
    from dataclasses import replace

    from astromorph.cutouts import fetch_cutouts
    from astromorph.surveys import SURVEYS

    with simulated_services(0) as url:
        for name in CENTERS:
            anywhere = replace(SURVEYS[name], declinations=(-90, 90))
            for place, dec in (("inside", None), ("outside", 89.0)):
                table = catalog(name, n)
                if dec is not None:
                    table["dec"] = dec
                ask(url, "/_reset")
                with tempfile.TemporaryDirectory() as cache:
                    found = fetch_cutouts(table, 34 * u.arcsec, survey=anywhere, cache=cache,
                                          progress=False)
                paths = ask(url, "/_stats")["paths"]
                yield name, place, paths, int((found["file"] != "").sum())


def csv_table(header, rows):
    lines = [".. csv-table::", f"   :header: {header}", ""]
    return "\n".join(lines + [f"   {row}" for row in rows]) + "\n"


def write_docs(folder, galaxies, latency, repeats):
    """The two tables of docs/images_by_position.rst."""
    services = csv_table("survey, service, bands, requests, kB, processor ms", [
        f"{survey}, ``{service}``, {bands}, {requests:.3g}, {kilobytes:.0f}, {milliseconds:.1f}"
        for survey, service, bands, requests, kilobytes, milliseconds in cost_of_services(200)])
    write_table(folder, "services_table", services)
    *lines, most = compare(galaxies, latency, repeats)
    memory = [int(subprocess.run([sys.executable, __file__, "--memory", str(n)], check=True,
                                 capture_output=True, text=True).stdout)
              for n in (galaxies // 10, galaxies)]
    speed = csv_table("way, galaxies/s, times the loop",
                      [", ".join(line.rsplit(maxsplit=2)) for line in lines])
    write_table(
        folder, "images_speed",
        f"{speed}\n{galaxies:,} positions against simulated services that answer after "
        f"{1000 * latency:.0f} ms, with at most {most} requests at a time (counted by the "
        f"services), on 2 cores that they share; the network alone is part of ``classify``. Peak "
        f"memory of ``classify``: {memory[0]} MB for {galaxies // 10:,} positions, {memory[1]} MB "
        f"for {galaxies:,}. ``benchmarks/images_by_position.py --repeats {repeats}``, the cache "
        "empty each time.\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=10_000, help="positions to time")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, metavar="N", help="only peak memory at N positions")
    parser.add_argument("--requests", action="store_true",
                        help="only the requests for 100 rows inside and outside of footprints")
    parser.add_argument("--out", type=Path, help="folder for the tables of the documentation")
    args = parser.parse_args()
    if args.memory:
        peak_memory(args.memory, args.latency)
    elif args.requests:
        for survey, place, paths, images in requests_of_rows():
            print(f"{survey:8} {place:8} {images:4} images  {paths}")
    elif args.out:
        write_docs(args.out, args.galaxies, args.latency, args.repeats)
    else:
        *lines, most = compare(args.galaxies, args.latency, args.repeats)
        print("\n".join(lines), f"at most {most} requests at a time", sep="\n")


if __name__ == "__main__":
    main()
