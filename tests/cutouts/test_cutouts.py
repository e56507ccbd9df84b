"""`CutoutFetcher` and `fetch_cutouts` with services made up here: no service, no network."""
import hashlib
import io
import threading
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from PIL import Image

from astromorph.cutouts.cache import CutoutCache
from astromorph.cutouts.fetching import PROVENANCE, CutoutFetcher, fetch_cutouts
from astromorph.errors import AstromorphWarning
from astromorph.flags import MorphFlag
from astromorph.services import FetchError, ServiceImage, conf
from astromorph.services.transport import Transport
from astromorph.surveys import SURVEYS

PLACES = SkyCoord([10, 20, 30] * u.deg, [1, 2, 3] * u.deg)


def jpeg(seed=0):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8)).save(
        buffer, "JPEG")
    return buffer.getvalue()


class FakeService:
    """Gives a picture, or raises; counts what it was asked."""

    def __init__(self, name, error=None, flag=MorphFlag(0)):
        self.name = self.source = name
        self.error, self.flag = error, flag
        self.asked = Counter()

    def __call__(self, request, transport):
        self.asked[request.ra] += 1
        if self.error is not None:
            raise self.error
        return ServiceImage(jpeg(int(request.ra)), f"http://{self.name}/{request.ra}", "irg",
                            request.pixel_scale, flag=self.flag)


def down(name="down", flag=MorphFlag.SERVER_ERROR, **options):
    return FakeService(name, FetchError(f"{name} is out of order", flag, **options))


@pytest.fixture
def fetch(tmp_path):
    def run(*services, coords=PLACES, width=30 * u.arcsec, cache=tmp_path / "cache", **options):
        return fetch_cutouts(coords, width, services=list(services), cache=cache, progress=False,
                             **options)
    return run


def test_table_of_files(fetch):
    service = FakeService("one")
    table = fetch(service)
    assert table.colnames == ["ra", "dec", "file", "morph_flag", *PROVENANCE]
    np.testing.assert_allclose(table["ra"], PLACES.ra.deg)
    assert table["morph_flag"].tolist() == [0, 0, 0]
    for row in table:
        data = Path(row["file"]).read_bytes()
        assert data == jpeg(int(row["ra"]))
        assert row["cutout_sha256"] == hashlib.sha256(data).hexdigest()
        assert row["cutout_url"] == f"http://one/{row['ra']}" and row["cutout_service"] == "one"
    np.testing.assert_allclose(table["cutout_scale"], 30 / 212)


def test_cached_images_are_not_asked_again(fetch):
    service = FakeService("one")
    first, second = fetch(service), fetch(service)
    assert set(service.asked.values()) == {1}
    assert all((first[name] == second[name]).all() for name in first.colnames)
    fetch(service, width=31 * u.arcsec)
    assert set(service.asked.values()) == {2}


def test_one_image_for_equal_positions(fetch):
    """Threads that ask for the same image at the same time wait for the first."""
    service = FakeService("one")
    table = fetch(service, coords=SkyCoord(np.full(40, 10) * u.deg, np.full(40, 1) * u.deg))
    assert service.asked == {10: 1} and len(set(table["file"])) == 1


def test_services_are_tried_in_their_order(fetch):
    bad, good, unused = down(), FakeService("good"), FakeService("unused")
    table = fetch(bad, good, unused)
    assert table["cutout_service"].tolist() == ["good"] * 3 and not unused.asked
    fetch(bad, good)
    assert set(bad.asked.values()) == {1}  # what the second service gave is in the cache


def test_flags_of_all_services_that_failed(fetch):
    with pytest.warns(AstromorphWarning) as said:
        table = fetch(down("a"), down("b", MorphFlag.TIMED_OUT))
    flag = MorphFlag.SERVER_ERROR | MorphFlag.TIMED_OUT
    assert table["morph_flag"].tolist() == [flag] * 3 and set(table["file"]) == {""}
    assert np.isnan(table["cutout_coverage"]).all() and set(table["cutout_service"]) == {""}
    message, = [str(each.message) for each in said]
    assert "3 of 3 images could not be fetched (3 SERVER_ERROR | TIMED_OUT)" in message
    assert "row 0: a: a is out of order; b: b is out of order" in message


def test_a_warning_bit_alone_does_not_pass_for_an_image(fetch):
    table = fetch(down(flag=MorphFlag.MISSING_BAND))
    assert (table["morph_flag"] == MorphFlag.MISSING_BAND | MorphFlag.SERVER_ERROR).all()


def test_outside_the_footprint_no_other_service_is_tried(fetch):
    other = FakeService("other")
    table = fetch(down(flag=MorphFlag.OUTSIDE_FOOTPRINT, final=True), other)
    assert (table["morph_flag"] == MorphFlag.OUTSIDE_FOOTPRINT).all() and not other.asked


@pytest.mark.parametrize("ra, dec, width, flag", [
    (np.nan, 0, 30, MorphFlag.BAD_COORDINATE), (10, np.nan, 30, MorphFlag.BAD_COORDINATE),
    (10, 0, np.nan, MorphFlag.BAD_SIZE), (10, 0, 0, MorphFlag.BAD_SIZE),
    (10, 0, -3, MorphFlag.BAD_SIZE), (10, 0, 1e5, MorphFlag.BAD_SIZE),
    (10, -50, 30, MorphFlag.OUTSIDE_FOOTPRINT)])
def test_nothing_is_asked_for_a_bad_row(fetch, ra, dec, width, flag):
    service = FakeService("one")
    table = fetch(service, coords=Table({"ra": [ra, 20.0], "dec": [dec, 1.0]}),
                  width=[width, 30] * u.arcsec)
    assert table["morph_flag"].tolist() == [flag, 0] and set(service.asked) == {20}


def test_offline(fetch):
    service = FakeService("one")
    fetch(service, coords=PLACES[:1])
    table = fetch(service, offline=True)
    assert table["morph_flag"].tolist() == [0] + [MorphFlag.NOT_CACHED] * 2
    assert set(service.asked) == {10}


def test_old_images_are_used_when_the_service_fails(fetch):
    service = FakeService("one")
    fetch(service)
    assert (fetch(service, max_age=1 * u.day)["morph_flag"] == 0).all()
    assert set(service.asked.values()) == {1}
    service.error = FetchError("out of order", MorphFlag.SERVER_ERROR)
    table = fetch(service, max_age=0 * u.s)
    assert (table["morph_flag"] == MorphFlag.STALE).all() and "" not in table["file"]
    assert set(service.asked.values()) == {2}
    assert (fetch(service, max_age=0 * u.s, offline=True)["morph_flag"] == 0).all()
    service.error = None
    assert (fetch(service, max_age=0 * u.s)["morph_flag"] == 0).all()


def test_warning_bits_of_an_image_are_kept(fetch):
    service = FakeService("one", flag=MorphFlag.PARTIAL_FRAME)
    for _ in range(2):
        assert (fetch(service)["morph_flag"] == MorphFlag.PARTIAL_FRAME).all()


@pytest.mark.parametrize("change", [
    {"flag": "x"}, {"flag": 1e300}, {"flag": -1}, {"flag": 1 << 40}, {"coverage": 7.0},
    {"coverage": None}, {"pixel_scale": 0}, {"pixel_scale": "1"}, {"url": 5}, {"service": None},
    {"bands": ["r"]}, {"release": {}}, None])
def test_entries_that_cannot_be_are_fetched_again(fetch, tmp_path, monkeypatch, change):
    service = FakeService("one")
    put = CutoutCache.put
    monkeypatch.setattr(CutoutCache, "put", lambda cache, key, data, meta, **options: put(
        cache, key, data, {} if change is None else meta | change, **options))
    fetch(service)
    monkeypatch.undo()
    table = fetch(service)
    assert set(service.asked.values()) == {2} and (table["morph_flag"] == 0).all()
    fetch(service)
    assert set(service.asked.values()) == {2}


def test_what_cannot_be_told_apart_is_not_cached(fetch, tmp_path):
    tables = [fetch(lambda request, transport, seed=seed: ServiceImage(
        jpeg(seed), "here:", "irg", request.pixel_scale), folder=tmp_path / str(seed))
        for seed in range(2)]
    assert (tables[0]["cutout_sha256"] != tables[1]["cutout_sha256"]).all()


def test_other_records_and_addresses_are_fetched_anew(fetch, monkeypatch):
    asked = []
    monkeypatch.setattr(Transport, "get", lambda transport, url, params, check, **options: (
        asked.append((url, params["layer"])),
        ServiceImage(jpeg(len(asked)), url, "zrg", params["pixscale"]))[1])
    for survey in (SURVEYS["legacy"], replace(SURVEYS["legacy"], layer="other")):
        for address in ("https://one.example", "https://two.example"):
            with conf.set_temp("viewer_url", address):
                for _ in range(2):
                    fetch("viewer", survey=survey)
    assert len(asked) == len(PLACES) * 4 == len(PLACES) * len(set(asked))


def test_local_services_need_no_cache_and_work_offline(fetch, tmp_path):
    service = FakeService("mine")
    service.local = True
    table = fetch(service, offline=True, folder=tmp_path / "out", ids=["a", "b/c", b"d"])
    assert [name.rsplit("/", 1)[-1] for name in table["file"]] == ["a.jpg", "b_c.jpg", "d.jpg"]
    assert not list((tmp_path / "cache").rglob("*.jpg"))
    fetch(service, folder=tmp_path / "out")
    assert set(service.asked.values()) == {2}


@pytest.mark.parametrize("ids", [["x/1", "x_1", "a"], ["a", "b", "A"], ["1", None, "b"]])
def test_no_image_replaces_that_of_another_row(ids, fetch, tmp_path):
    with pytest.raises(ValueError, match="ids: expected a file name of its own for each row"):
        fetch(FakeService("one"), folder=tmp_path / "out", ids=ids)


def test_names_that_cannot_be_those_of_files(fetch, tmp_path):
    ids = np.ma.array(["..", "b" * 300, "--"], mask=[False, False, True])
    table = fetch(FakeService("one"), folder=tmp_path / "out", ids=ids)
    assert table["morph_flag"].tolist() == [0, MorphFlag.MISSING_FILE, 0]
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["...jpg", "2.jpg"]


def test_missing_names_find_no_local_file(fetch):
    def service(request, transport):
        names.append(request.name)
        return FakeService("one")(request, transport)
    service.local, names = True, []
    fetch(service, ids=np.ma.array(["a", "--", ""], mask=[False, True, False]), cache=True)
    assert sorted(names, key=str) == [None, None, "a"]


def test_without_a_cache(fetch, tmp_path):
    table = fetch(FakeService("one"), cache=False, folder=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0.jpg", "1.jpg", "2.jpg"]
    assert (table["morph_flag"] == 0).all()
    with pytest.raises(ValueError, match="folder: expected a folder"):
        fetch(FakeService("one"), cache=False)


def test_a_cache_that_cannot_be_written(fetch, tmp_path):
    (tmp_path / "file").touch()
    options = {"cache": tmp_path / "file" / "cache", "folder": tmp_path / "out"}
    with pytest.warns(AstromorphWarning, match="Images are not kept"):
        assert (fetch(FakeService("one"), **options)["morph_flag"] == 0).all()


def test_warnings_as_errors_come_after_the_work(fetch, tmp_path):
    (tmp_path / "file").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstromorphWarning)
        with pytest.raises(AstromorphWarning, match="Images are not kept"):
            fetch(FakeService("one"), cache=tmp_path / "file" / "cache", folder=tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == len(PLACES)


def test_a_bug_in_a_service_is_not_taken_for_a_failure(fetch):
    with pytest.raises(ZeroDivisionError):
        fetch(FakeService("one", ZeroDivisionError()))


def test_interrupted_run_leaves_a_usable_cache(fetch):
    """Ctrl-C (as a service would see it) ends the run; what was got is there."""
    service = FakeService("one")
    first_two = threading.Semaphore(0)

    def interrupted(request, transport):
        if request.ra == 30:
            first_two.acquire()
            first_two.acquire()
            raise KeyboardInterrupt
        image = service(request, transport)
        first_two.release()
        return image
    interrupted.name = interrupted.source = "one"
    with pytest.raises(KeyboardInterrupt):
        fetch(interrupted)
    fetch(service)
    assert service.asked == {10: 1, 20: 1, 30: 1}


@pytest.mark.parametrize("options, message", [
    ({"width": 30}, "width: expected an angle"),
    ({"width": [1, 2] * u.arcsec}, r"width: expected one angle or 3.*\(2,\)"),
    ({"width": 3 * u.kpc}, "width: expected an angle.*kpc"),
    ({"ids": ["a"]}, "ids: expected 3 identifiers"),
    ({"ids": "objid"}, "ids: expected 3 identifiers"),
    ({"survey": "2mass"}, "survey: expected one of"),
    ({"bands": "gy"}, "bands: expected some of Sloan .* Survey, ugriz. Received others, y"),
    ({"pixels": 0}, "pixels: expected a positive integer"),
    ({"max_age": 3}, "max_age: expected one time"),
    ({"max_age": np.nan * u.day}, "max_age: expected one time"),
    ({"folder": "~no-such-user-here"}, "folder: expected a path.*home"),
    ({"cache": "~no-such-user-here"}, "cache: expected a path.*home"),
    ({"services": []}, "services: expected at least one"),
    ({"services": "astrology"}, "skyserver.*astrology"),
    ({"services": "sia"}, "sia"),
])
def test_wrong_arguments(options, message, tmp_path):
    arguments = {"width": 30 * u.arcsec, "services": [FakeService("one")],
                 "cache": tmp_path} | options
    with pytest.raises(ValueError, match=message):
        fetch_cutouts(PLACES, **arguments)


def test_fetcher_gives_bytes(tmp_path):
    with CutoutFetcher("SDSS", services=FakeService("one"), cache=tmp_path) as fetcher:
        assert fetcher.survey is SURVEYS["sdss"] and fetcher.bands == ("g", "r", "i")
        request = fetcher.request(10, 1, 30)
        assert fetcher.fetch(request).image.data == jpeg(10)
        assert fetcher.fetch(request).path.is_file()
