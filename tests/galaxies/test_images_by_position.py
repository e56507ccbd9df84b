"""Positions to probabilities, through the real clients, against the simulated sky."""
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from loopback import LoopbackServer, Sky
from loopback.redirect import redirected
from regions import CircleSkyRegion, PolygonSkyRegion

from astromorph import MorphFlag
from astromorph.cutouts.fetching import CutoutFetcher, fetch_cutouts
from astromorph.images import read_cutout, resample
from astromorph.services.base import FetchError
from astromorph.galaxies.regions import to_regions
from astromorph.surveys import SURVEYS

COLUMNS = ["P_disk", "P_edge_on", "P_bar"]
CENTERS = {"sdss": (180.0, 30.0), "legacy": (180.0, 30.0), "des": (10.0, -30.0)}
IMAGE_SERVICES = [(name, service) for name in CENTERS for service in SURVEYS[name].services]
BACKENDS = {name: getattr(pytest.mark, name) for name in CENTERS}
EACH_SERVICE = [pytest.param(survey, service, marks=BACKENDS[survey])
                for survey, service in IMAGE_SERVICES]


def catalog(survey, n=12, step=0.02):
    """Positions of n galaxies, the sample's in their order, on the raster of the sky."""
    ra, dec = CENTERS[survey]
    return Table({"ra": ra + step * np.arange(n), "dec": np.full(n, dec)})


def asked(table):
    return SkyCoord(table["ra"], table["dec"], unit="deg")


@pytest.fixture(scope="module")
def running():
    galaxies = [(row["ra"], row["dec"], k) for survey in CENTERS
                for k, row in enumerate(catalog(survey))]
    galaxies += [(ra, dec + 1, "asymmetric") for ra, dec in CENTERS.values()]
    with LoopbackServer(Sky(galaxies)) as server:
        yield server


@pytest.fixture
def server(running):
    """The simulated services in place of the real ones."""
    running.faults.clear()
    running.stats.reset()
    with redirected(running.url):
        yield running
    assert running.stats.errors == []


def answers(table):
    return np.stack([np.ma.filled(table[name].astype(float), np.nan) for name in COLUMNS], axis=1)


def sizes(server, table):
    return [server.sky.galaxy_at(row["ra"], row["dec"]).r90 for row in table] * u.arcsec


@pytest.mark.parametrize("survey", [pytest.param(name, marks=BACKENDS[name]) for name in CENTERS])
def test_every_way_gives_the_same_probabilities(server, classifier, tmp_path, survey):
    """Pictures among themselves and FITS among themselves; JPEG moves answers in doubt a bit."""
    table = catalog(survey)
    table["petroR90_r"] = sizes(server, table)
    pictures, planes = [], []
    for service in SURVEYS[survey].services:
        result = classifier.classify(table, services=service, survey=survey, cache=tmp_path,
                                     progress=False, provenance=True)
        others = service in SURVEYS[survey].other_colors
        assert result["morph_flag"].tolist() == [others * MorphFlag.OTHER_COLORS] * len(table)
        assert set(result["cutout_service"]) == {service}
        (pictures if service in ("skyserver", "viewer", "hips2fits") else planes).append(
            answers(result))
    assert np.ptp(pictures, axis=0).max() < 0.02 and np.ptp(planes, axis=0).max() < 0.021
    difference = np.abs(np.mean(pictures, axis=0) - np.mean(planes, axis=0))
    assert (difference < 0.02).mean() > 0.9 and difference.max() < 0.04


@pytest.mark.parametrize("survey, service", EACH_SERVICE)
def test_every_way_shows_the_same_picture(server, tmp_path, survey, service):
    """The asymmetric galaxy: any flip, rotation, shift or exchange of bands would show."""
    ra, dec = CENTERS[survey]

    def picture(name):
        with CutoutFetcher(survey, services=name, cache=tmp_path) as fetcher:
            cutout = fetcher.fetch(fetcher.request(ra, dec + 1, 40.0))
        pixels = read_cutout(cutout.image.data, survey=survey).pixels
        side = min(pixels.shape[:2])
        return pixels[:side, :side], side

    pixels, reference = (resample(image, 48, width=side) for image, side in map(
        picture, (service, SURVEYS[survey].services[0])))
    for band in range(3):
        same = np.corrcoef(pixels[..., band].ravel(), reference[..., band].ravel())[0, 1]
        assert same > 0.99
        turned = [np.rot90(pixels[..., band], k) for k in (1, 2, 3)]
        mirrored = [np.fliplr(pixels[..., band]), np.flipud(pixels[..., band])]
        others = [pixels[..., other] for other in range(3) if other != band]
        for wrong in turned + mirrored + others:
            assert np.corrcoef(wrong.ravel(), reference[..., band].ravel())[0, 1] < same - 0.005


@pytest.mark.sdss
def test_nothing_but_positions_and_sizes(server, classifier, tmp_path, monkeypatch):
    """The sentence of the README: positions and sizes in a file, the usual cache."""
    monkeypatch.setenv("ASTROMORPH_CACHE", str(tmp_path / "cache"))
    table = catalog("sdss")
    table["petroR90_r"] = sizes(server, table).value  # arcseconds by definition
    table.write(tmp_path / "cat.fits")
    result = classifier.classify(Table.read(tmp_path / "cat.fits"))
    assert result.colnames == ["ra", "dec", "petroR90_r", *COLUMNS, "morph_flag"]
    assert not result["P_bar"].mask.any()
    assert result.meta["MORPHIMG"] == "Sloan Digital Sky Survey DR17"
    assert list((tmp_path / "cache").rglob("*.jpg"))
    again = classifier.classify(table, offline=True)
    np.testing.assert_array_equal(answers(again), answers(result))


@pytest.mark.sdss
def test_ways_to_say_the_size(server, classifier, tmp_path):
    table, options = catalog("sdss"), {"cache": tmp_path, "progress": False}
    r90 = sizes(server, table)
    expected = answers(classifier.classify(table, r90=r90, **options))
    table["size"] = r90
    table["frame"] = r90 * classifier.frame_r90
    positions = QTable({"where": asked(table)})
    for data, size in ((table, {"r90": "size"}), (table, {"width": "frame"}),
                       (asked(table), {"r90": r90}), (positions, {"r90": r90})):
        np.testing.assert_allclose(answers(classifier.classify(data, **size, **options)), expected,
                                   atol=1e-3)
    wider = classifier.classify(table, r90="size", cutout_r90=8.48, pixels=424, **options)
    np.testing.assert_allclose(answers(wider), expected, atol=0.1)
    with pytest.raises(ValueError, match="r90: expected a column.*width=.*measure"):
        classifier.classify(asked(table), **options)


@pytest.mark.sdss
def test_size_is_measured_on_request(server, classifier, tmp_path):
    table = catalog("sdss")
    result = classifier.classify(table, r90="measure", cache=tmp_path, progress=False)
    assert (result["morph_flag"] & MorphFlag.MEASURED_SIZE == MorphFlag.MEASURED_SIZE).all()
    given = classifier.classify(table, r90=sizes(server, table), cache=tmp_path, progress=False)
    assert np.median(np.abs(answers(result) - answers(given))) < 0.1


@pytest.mark.sdss
def test_bad_rows_keep_their_place(server, classifier, tmp_path):
    table = catalog("sdss", 6)
    table["petroR90_r"] = sizes(server, table).value
    table["dec"][1], table["petroR90_r"][2], table["dec"][3] = np.nan, -9999, -80
    table["dec"][4] = 82  # the record's limits allow it, the server has no image
    server.sky.footprints["sdss"] = (-26, 80)
    result = classifier.classify(table, services="skyserver", cache=tmp_path, progress=False)
    server.sky.footprints["sdss"] = SURVEYS["sdss"].declinations
    assert result["morph_flag"].tolist() == [
        0, MorphFlag.BAD_COORDINATE, MorphFlag.BAD_SIZE, MorphFlag.OUTSIDE_FOOTPRINT,
        MorphFlag.OUTSIDE_FOOTPRINT, 0]
    assert result["P_disk"].mask.tolist() == [False, True, True, True, True, False]


STORM = {"429": 0.10, "500": 0.05, "reset": 0.02, "cut": 0.02, "html": 0.01}


def storm_catalog(n):
    """Every 50th position is one that the server has no image of, though the record allows it."""
    table = catalog("sdss", n, 0.003)
    table["dec"][::50] = 82
    return table


@pytest.fixture
def storm(server):
    server.sky.footprints["sdss"] = (-26, 80)
    server.faults.set(rates=STORM, retry_after="0", seed=3)
    yield server
    server.sky.footprints["sdss"] = SURVEYS["sdss"].declinations


def undamaged(table):
    """Whether every listed file is a whole picture with signal."""
    return all(read_cutout(file).flag == 0 for file in set(table["file"]) - {""})


@pytest.mark.slow
@pytest.mark.sdss
def test_storm(storm, tmp_path):
    """Faults in 20% of the answers: all that can be served is got, nothing bad is kept."""
    table = storm_catalog(1400)
    result = fetch_cutouts(table, 30 * u.arcsec, services="skyserver", cache=tmp_path,
                           progress=False)
    assert sum(storm.stats.faults.values()) > 300
    expected = np.where(table["dec"] == 82, MorphFlag.OUTSIDE_FOOTPRINT, 0)
    assert result["morph_flag"].tolist() == expected.tolist()
    assert undamaged(result)
    assert storm.stats.most_simultaneous <= 16


FETCH = """
import sys
import astropy.units as u
from astropy.table import Table
from astromorph import services
from astromorph.cutouts import fetch_cutouts

url, catalog, cache = sys.argv[1:]
with services.conf.set_temp("skyserver_url", url):
    table = fetch_cutouts(Table.read(catalog), 30 * u.arcsec, services="skyserver", cache=cache,
                          progress=False)
table.write(sys.stdout, format="ascii.csv")
"""


def start(server, catalog_file, cache):
    """Another process that gets the images of a catalog."""
    return subprocess.Popen([sys.executable, "-c", FETCH, server.url, catalog_file, cache],
                            stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.sdss
def test_killed_run_continues(storm, tmp_path):
    """SIGKILL half-way, then again: nothing that is in the cache is asked for."""
    table, cache = storm_catalog(600), tmp_path / "cache"
    table.write(tmp_path / "cat.ecsv")
    with start(storm, tmp_path / "cat.ecsv", cache) as process:
        while len(storm.stats.targets) < 300 and process.poll() is None:
            time.sleep(0.02)
        process.kill()
    assert process.returncode < 0
    kept = fetch_cutouts(table, 30 * u.arcsec, services="skyserver", cache=cache, offline=True,
                         progress=False)
    assert 200 < (kept["morph_flag"] == 0).sum() < 500 and undamaged(kept)
    storm.stats.reset()
    # Anew, else the first requests are all those that failed before, which looks like an outage.
    storm.faults.set(seed=4)
    result = fetch_cutouts(table, 30 * u.arcsec, services="skyserver", cache=cache, progress=False)
    assert (result["morph_flag"] == np.where(table["dec"] == 82, MorphFlag.OUTSIDE_FOOTPRINT,
                                             0)).all() and undamaged(result)
    missing = {target(row) for row in kept if row["morph_flag"] != 0}
    assert set(storm.stats.targets) == missing


def target(row):
    """A position as the server counts it."""
    return f"/dr17/SkyServerWS/ImgCutout/getjpeg {row['ra']:.4f},{row['dec']:.4f}"


@pytest.mark.slow
@pytest.mark.sdss
def test_two_processes_share_a_cache(server, tmp_path):
    """One catalog, one cache: every image is downloaded once."""
    table, cache = catalog("sdss", 300, 0.003), tmp_path / "cache"
    table.write(tmp_path / "cat.ecsv")
    processes = [start(server, tmp_path / "cat.ecsv", cache) for _ in range(2)]
    results = [Table.read(process.communicate()[0], format="ascii.csv") for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    for result in results:
        assert (result["morph_flag"] == 0).all() and undamaged(result)
    assert (results[0]["cutout_sha256"] == results[1]["cutout_sha256"]).all()
    assert len(server.stats.targets) == 300 and set(server.stats.targets.values()) == {1}


@pytest.mark.parametrize("kind, flag", [
    ("429", MorphFlag.SERVER_ERROR), ("500", MorphFlag.SERVER_ERROR),
    ("502", MorphFlag.SERVER_ERROR), ("reset", MorphFlag.SERVER_ERROR),
    ("html", MorphFlag.UNREADABLE), ("json", MorphFlag.UNREADABLE),
    ("cut", MorphFlag.UNREADABLE), ("cut-length", MorphFlag.UNREADABLE),
    ("cut-chunked", MorphFlag.UNREADABLE), ("stall", MorphFlag.TIMED_OUT),
    ("stall-body", MorphFlag.TIMED_OUT), ("blank", MorphFlag.OUTSIDE_FOOTPRINT)])
@pytest.mark.parametrize("survey, service", EACH_SERVICE)
def test_each_fault_has_its_flag(server, tmp_path, survey, service, kind, flag):
    """Every answer is broken in one service: the row is flagged so, and nothing is kept."""
    server.faults.set(rates={kind: 1.0}, stall=2.0, retry_after="0")
    with CutoutFetcher(survey, services=service, cache=tmp_path, timeout=0.5, retries=1) as fetcher:
        with pytest.raises(FetchError) as failure:
            fetcher.fetch(fetcher.request(*CENTERS[survey], 30.0))
    if service == "sdss-frames" and kind == "cut":  # a table cut within a number is a wrong table
        flag |= MorphFlag.SERVER_ERROR
    assert failure.value.flag & flag
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".jpg", ".fits", ".png")]


@pytest.mark.parametrize("survey", CENTERS)
def test_a_position_outside_costs_one_request(server, tmp_path, survey, monkeypatch):
    """The first service that answers settles it; none is asked again or left alone."""
    monkeypatch.setitem(server.sky.footprints, survey, (80, 85))
    result = fetch_cutouts(catalog(survey, 30), 30 * u.arcsec, survey=survey, cache=tmp_path,
                           progress=False)
    assert (result["morph_flag"] == MorphFlag.OUTSIDE_FOOTPRINT).all()
    assert server.stats.requests == 30


@pytest.mark.legacy
def test_other_bands_are_not_taken(server, tmp_path):
    server.faults.set(rates={"bands": 1.0})
    result = fetch_cutouts(catalog("legacy", 2), 30 * u.arcsec, survey="legacy", cache=tmp_path,
                           services="viewer-fits", progress=False)
    assert (result["morph_flag"] & MorphFlag.MISSING_BAND).all()


@pytest.mark.parametrize("survey, service", EACH_SERVICE)
def test_half_covered(server, tmp_path, survey, service):
    """A frame on the edge of the footprint: kept, with the fraction that is covered."""
    ra, dec = CENTERS[survey]
    ra += 0.5  # the server keeps frames that it has made
    server.sky.footprints[survey] = (dec, 90)
    try:
        result = fetch_cutouts(SkyCoord(ra, dec, unit="deg"), 40 * u.arcsec, survey=survey,
                               services=service, cache=tmp_path, progress=False)
    finally:
        server.sky.footprints[survey] = SURVEYS[survey].declinations
    assert result["morph_flag"][0] & MorphFlag.PARTIAL_FRAME
    assert 0.4 < result["cutout_coverage"][0] < 0.6


@pytest.mark.sdss
def test_next_way_when_the_first_is_down(server, classifier, tmp_path):
    server.faults.set(rates={"500": 1.0}, only="/dr17/SkyServerWS")
    table = catalog("sdss", 3)
    result = classifier.classify(table, r90=sizes(server, table), cache=tmp_path, retries=1,
                                 provenance=True, progress=False)
    assert set(result["cutout_service"]) == {"viewer-fits"} and not result["P_disk"].mask.any()


@pytest.mark.parametrize("survey", [pytest.param(name, marks=BACKENDS[name]) for name in CENTERS])
def test_region(server, classifier, tmp_path, survey):
    """The galaxies of the survey's catalog in a polygon, classified and marked."""
    ra, dec = CENTERS[survey]
    corners = SkyCoord([ra - 0.1, ra + 0.3, ra + 0.3, ra - 0.1],
                       [dec - 0.1, dec - 0.1, dec + 0.1, dec + 0.05], unit="deg")
    result = classifier.classify_region(PolygonSkyRegion(corners), survey=survey, cache=tmp_path,
                                        progress=False)
    assert len(result) > 10 and not result["P_disk"].mask.any()
    inside = (result["ra"] > ra - 0.11) & (result["ra"] < ra + 0.31)
    assert inside.all() and (np.abs(result["dec"] - dec) < 0.11).all()
    to_regions(result).write(tmp_path / "marks.reg", format="ds9")
    assert (tmp_path / "marks.reg").read_text().count("color=") == len(result)


@pytest.mark.sdss
def test_empty_region(server, classifier, tmp_path):
    nowhere = CircleSkyRegion(SkyCoord(180.0123, 31.7, unit="deg"), 0.1 * u.arcsec)
    result = classifier.classify_region(nowhere, survey="sdss", cache=tmp_path)
    assert len(result) == 0 and result.colnames[-4:] == COLUMNS + ["morph_flag"]


def test_options_for_positions_only(classifier):
    with pytest.raises(ValueError, match="provenance, offline: expected positions"):
        classifier.classify(["a.jpg"], offline=True, provenance=True)
    with pytest.raises(TypeError, match="agents"):
        classifier.classify(SkyCoord(1, 2, unit="deg"), width=5 * u.arcsec, agents=3)
