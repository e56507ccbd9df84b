"""Image files kept between runs: whole, checked, limited, and shared by threads and processes."""
import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u

from astromorph.cutouts.cache import SHARDS, CutoutCache, cache_key
from astromorph.errors import ArgumentError, AstromorphWarning
from astromorph.services.base import CutoutRequest
from astromorph.surveys import SURVEYS

KEY = "ab" + 62 * "0"
META = {"survey": "sdss", "url": "https://example.org/?a=1&b=é", "coverage": 1.0}
REQUEST = CutoutRequest(180.0, -1.5, 30.0, 212, SURVEYS["sdss"], ("g", "r", "i"))


def key_of(number, shard="ab"):
    return f"{shard}{number:062x}"


@pytest.fixture
def cache(tmp_path):
    return CutoutCache(tmp_path / "cache")


def files_of(cache):
    return {path for path in cache.folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def put_earlier(seconds, cache, *arguments):
    """Put an entry that looks as if it had been stored and used earlier."""
    then = time.time() - seconds
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: then)
        entry = cache.put(*arguments)
    for path in entry.path.parent.glob(f"{arguments[0]}.*"):
        os.utime(path, (then, then))


# One entry

def test_what_is_stored_comes_back(cache):
    assert cache.get(KEY) is None
    stored = cache.put(KEY, b"picture", META)
    read = cache.get(KEY)
    assert (read.data, read.meta, read.path) == (b"picture", META, stored.path)
    assert read.path.read_bytes() == b"picture"
    assert (read.path.suffix, read.path.parent) == (".jpg", cache.folder / "ab")
    assert stored.meta == META
    assert read.age >= stored.age == 0


def test_numpy_numbers_are_stored(cache):
    meta = {"coverage": np.float32(0.5), "flag": np.int64(3)}
    assert cache.put(KEY, b"", meta).meta == cache.get(KEY).meta == {"coverage": 0.5, "flag": 3}


def test_age_is_that_of_storing_not_of_using(cache):
    put_earlier(1000, cache, KEY, b"picture", META)
    cache.get(KEY)
    assert cache.get(KEY).age >= 1000


def test_an_image_from_the_future_is_old(cache):
    put_earlier(-1e7, cache, KEY, b"picture", META)  # the clock was wrong then, or is now
    assert cache.get(KEY).age == pytest.approx(1e7, rel=0.01)


def test_replacing(cache):
    old = cache.put(KEY, b"old", META)
    new = cache.put(KEY, b"new", META | {"coverage": 0.5}, suffix=".fits")
    assert old.path.read_bytes() == b"old"  # who has it may go on reading
    assert cache.get(KEY).data == b"new"
    assert cache.get(KEY).path == new.path
    assert new.path.suffix == ".fits"


def test_unfinished_write_leaves_nothing(cache, monkeypatch):
    cache.put(KEY, b"old", META)
    before = files_of(cache)
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        cache.put(KEY, b"new", META)
    assert files_of(cache) == before
    assert cache.get(KEY).data == b"old"


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def shorten(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def rubbish(path):
    path.write_bytes(b"[1, 2]")


@pytest.mark.parametrize("damage", [flip, shorten, empty, rubbish, Path.unlink])
def test_damaged_images_are_removed(cache, damage):
    damage(cache.put(KEY, b"picture", META).path)
    assert cache.get(KEY) is None
    assert files_of(cache) == set()
    assert cache.put(KEY, b"picture", META) is not None
    assert cache.get(KEY).data == b"picture"


def pipe(path):
    path.unlink()
    os.mkfifo(path)  # who opens it waits for ever


def link(path):
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize("damage", [pipe, link])
def test_what_is_no_file_is_not_opened(cache, damage):
    path = cache.put(KEY, b"picture", META).path
    damage(path)
    assert cache.get(KEY) is None
    damage(cache.put(KEY, b"picture", META).path.parent / f"{KEY}.json")
    assert KEY not in cache and cache.info()["entries"] == 0
    assert cache.get(KEY) is None
    assert cache.put(KEY, b"picture", META) is not None
    assert cache.get(KEY).data == b"picture"


def changed(**entries):
    def damage(path):
        record = json.loads(path.read_bytes())
        record.pop("check")
        record = {name: value for name, value in (record | entries).items() if value != "none"}
        check = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        path.write_text(json.dumps(record | {"check": check}))
    return damage


@pytest.mark.parametrize("damage", [
    *(changed(**{name: value}) for name in ("sha256", "suffix", "stored", "meta", "key")
      for value in ("none", None, -5, "/../../x", [1])), changed(stored=1e300),
    changed(stored=float("nan")), changed(key=key_of(5)), changed(meta={"survey": []}),
    lambda path: path.write_text("[" * 60000), lambda path: path.write_bytes(bytes(10 ** 7))])
def test_records_of_others_are_removed(cache, damage):
    sidecar = cache.put(KEY, b"picture", META).path.parent / f"{KEY}.json"
    damage(sidecar)
    cache.info()
    cache.clear(survey="des")
    assert cache.get(KEY) is None
    assert not sidecar.exists()


@pytest.mark.parametrize("damage", [shorten, empty, rubbish, Path.unlink,
                                    lambda path: path.write_bytes(b"\xff\xfe"),
                                    lambda path: path.write_text(json.dumps(
                                        {"sha256": "0", "suffix": "/../x", "stored": 1.0,
                                         "meta": {}}))])
def test_damaged_sidecars_are_removed(cache, damage):
    sidecar = cache.put(KEY, b"picture", META).path.parent / f"{KEY}.json"
    damage(sidecar)
    assert cache.get(KEY) is None
    assert not sidecar.exists()
    cache.put(KEY, b"picture", META)
    assert cache.get(KEY).data == b"picture"


def test_every_flipped_bit_of_a_sidecar_is_harmless(cache):
    entry = cache.put(KEY, b"picture", META)
    sidecar = entry.path.parent / f"{KEY}.json"
    text = sidecar.read_bytes()
    for position in range(len(text)):
        sidecar.write_bytes(text[:position] + bytes([text[position] ^ 1]) + text[position + 1:])
        found = cache.get(KEY)
        assert found is None or (found.data, found.meta) == (b"picture", META)
        cache.put(KEY, b"picture", META)


def test_folder_by_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ASTROMORPH_CACHE", str(tmp_path / "elsewhere"))
    assert CutoutCache().folder == tmp_path / "elsewhere"
    assert CutoutCache(tmp_path).folder == tmp_path
    monkeypatch.delenv("ASTROMORPH_CACHE")
    (tmp_path / "astromorph").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert CutoutCache().folder.parts[-2:] == ("astromorph", "cutouts")
    assert CutoutCache().folder.is_relative_to(tmp_path)
    assert CutoutCache("~/here").folder == Path.home() / "here"
    assert not CutoutCache("~/here").folder.exists()


@pytest.mark.parametrize("size", [0, -1, float("nan")])
def test_wrong_size(tmp_path, size):
    with pytest.raises(ValueError, match="max_size: expected a positive number of bytes"):
        CutoutCache(tmp_path, max_size=size)


# Where nothing can be written

def no_space(*args):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("broken", ["write_bytes", "mkdir"])
def test_full_disk_warns_once(cache, monkeypatch, broken):
    monkeypatch.setattr(Path, broken, lambda *args, **kwargs: no_space())
    for number in range(3):
        assert cache.put(key_of(number), b"picture", META) is None
    with cache.claim(KEY):
        pass
    with pytest.warns(AstromorphWarning, match="not kept.*No space left on device") as caught:
        cache.warn_of_failures()
        cache.warn_of_failures()
    assert len(caught) == 1
    monkeypatch.undo()
    assert files_of(cache) == set()
    assert cache.put(KEY, b"picture", META) is not None


def test_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = CutoutCache(tmp_path / "file" / "cache")
    assert cache.put(KEY, b"picture", META) is None
    assert cache.get(KEY) is None
    assert cache.info()["entries"] == cache.clear()["entries"] == 0
    with cache.claim(KEY):
        pass
    with pytest.warns(AstromorphWarning, match="set another cache"):
        cache.warn_of_failures()


def test_home_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    for name in ("ASTROMORPH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    cache = CutoutCache()
    assert cache.get(KEY) is None and cache.put(KEY, b"picture", META) is None
    assert cache.info()["entries"] == cache.clear()["entries"] == 0
    with pytest.warns(AstromorphWarning, match="not kept.*set another cache"):
        cache.warn_of_failures()


def test_unreadable_is_not_damaged(cache, monkeypatch):
    cache.put(KEY, b"picture", META)

    def read_bytes(path):
        if path.suffix == ".jpg":
            raise OSError(errno.EMFILE, "Too many open files")
        return read(path)

    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert cache.get(KEY) is None
    monkeypatch.undo()
    assert cache.get(KEY).data == b"picture"


# Size

def test_least_recently_used_go_first(tmp_path):
    cache = CutoutCache(tmp_path, max_size=SHARDS * 45000)
    for number in range(4):
        put_earlier(1000 - number, cache, key_of(number), bytes(10000), META)
    cache.get(key_of(0))
    cache.put(key_of(4), bytes(10000), META)
    left = [number for number in range(5) if cache.get(key_of(number))]
    assert left == [0, 3, 4]


def test_size_stays_below_the_limit(tmp_path):
    cache = CutoutCache(tmp_path, max_size=SHARDS * 20000)
    others = CutoutCache(tmp_path, max_size=SHARDS * 20000)
    for number in range(100):
        (cache if number % 2 else others).put(key_of(number), bytes(1000), META)
        cache.put(key_of(number, "cd"), b"", META)
    sizes = sum(path.stat().st_size for path in (tmp_path / "ab").iterdir())
    # Each cache knows what it has written itself since it last looked.
    assert 10000 < sizes < 2 * 20000
    cache.put(key_of(0), bytes(19000), META)
    assert sum(path.stat().st_size for path in (tmp_path / "ab").iterdir()) <= 20000
    assert len(list((tmp_path / "cd").glob("*.json"))) > 50  # another shard has its own share


def test_new_file_is_kept_even_if_too_large(tmp_path):
    cache = CutoutCache(tmp_path, max_size=SHARDS * 100)
    for number in range(3):
        cache.put(key_of(number), bytes(1000), META)
        assert [n for n in range(3) if cache.get(key_of(n))] == [number]


def test_leftovers_of_dead_writers_are_removed(cache):
    shard = cache.put(KEY, b"picture", META).path.parent
    old, young, other = (shard / name for name in (".aaaaaaaa.part-1.jpg", ".bbbbbbbb.part-1.jpg",
                                                   "notes.part-1"))
    for path in (old, young, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (1, 1))
    CutoutCache(cache.folder).put(key_of(1), b"picture", META)
    assert not old.exists()
    assert young.exists()
    assert other.exists()


# Looking and clearing

def test_info_and_clear(cache):
    assert cache.info() == {"folder": cache.folder, "entries": 0, "bytes": 0, "oldest": None,
                            "newest": None, "max_size": cache.max_size, "by_survey": {}}
    put_earlier(7200, cache, key_of(1, "01"), b"picture", META)
    cache.put(key_of(2, "02"), b"picture", META)
    cache.put(key_of(3, "02"), b"picture", META | {"survey": "des"})
    mine = cache.folder / "01" / "notes.txt"
    mine.write_text("mine")
    info = cache.info()
    assert (info["entries"], info["by_survey"]) == (3, {"sdss": 2, "des": 1})
    assert info["bytes"] == sum(path.stat().st_size for path in files_of(cache) - {mine})
    assert 7200 <= (info["newest"] - info["oldest"]).total_seconds() < 7300

    assert cache.clear(older_than=3 * u.hour)["entries"] == 0
    assert cache.clear(older_than=1 * u.hour, survey="des")["entries"] == 0
    assert cache.clear(older_than=3600)["entries"] == 1
    assert cache.clear(survey="des")["entries"] == 1
    assert cache.get(key_of(2, "02")).data == b"picture"
    removed = cache.clear()
    assert removed["entries"] == 1
    assert removed["bytes"] > len(b"picture")
    assert files_of(cache) == {mine}


@pytest.mark.parametrize("age", [-1, np.nan, [1, 2], "old", 3 * u.m])
def test_clear_refuses_what_is_no_age(cache, age):
    cache.put(KEY, b"picture", META)
    with pytest.raises(ArgumentError, match="older_than: expected one time"):
        cache.clear(older_than=age)
    assert cache.info()["entries"] == 1


def test_clear_takes_what_is_damaged_only_with_all(cache):
    entry = cache.put(KEY, b"picture", META)
    (entry.path.parent / f"{KEY}.json").write_bytes(b"{")
    assert cache.clear(survey="sdss") == {"entries": 0, "bytes": 0}
    assert cache.clear() == {"entries": 0, "bytes": len(b"picture") + 1}
    assert files_of(cache) == set()


# Threads and processes

def python(code, *arguments):
    """Run code in another process, which can import what this one can."""
    code = ("import sys, threading\nfrom astromorph.cutouts.cache import CutoutCache\n"
            "cache = CutoutCache(sys.argv[1])\n" + code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


@pytest.fixture
def processes():
    """Start processes, which end with the test."""
    running = []

    def start(*arguments):
        running.append(python(*arguments))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


WRITER = """
import itertools
for number in itertools.count():
    key = f"{number % 4:02x}{number // 4:062x}"
    cache.put(key, (key * 2000).encode(), {"survey": "sdss"})
    if number == 20:
        print("started", flush=True)
"""


@pytest.mark.parametrize("attempt", range(3))
def test_killed_writer_leaves_whole_entries(cache, processes, attempt):
    writer = processes(WRITER, cache.folder)
    assert writer.stdout.readline() == "started\n"
    threading.Event().wait(0.01 * attempt)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    files = [path for path in files_of(cache) if not path.name.startswith(".")]
    sidecars = [path for path in files if path.suffix == ".json"]
    assert len(sidecars) > 20
    assert len(files) <= 2 * len(sidecars) + 1  # the killed one has an image without a sidecar
    for path in files:
        if path in sidecars:
            assert json.loads(path.read_bytes())["meta"] == {"survey": "sdss"}
        else:
            assert path.read_bytes() == (path.name[:64] * 2000).encode()
    for path in sidecars:
        assert cache.get(path.stem).data == (path.stem * 2000).encode()


SAME_KEY = """
import hashlib
me = sys.argv[2].encode()
for turn in range(150):
    key = f"ab{turn % 3:062x}"
    cache.put(key, me * 5000, {"by": sys.argv[2]})
    entry = cache.get(key)
    assert entry is not None and entry.data == entry.meta["by"].encode() * 5000, key
print("done")
"""


def test_processes_write_the_same_keys(cache, processes):
    writers = [processes(SAME_KEY, cache.folder, name) for name in "xyz"]
    assert [writer.communicate()[0] for writer in writers] == 3 * ["done\n"]
    assert cache.info()["entries"] == 3


def test_reading_while_others_remove(cache):
    stop = threading.Event()

    def remove():
        while not stop.is_set():
            CutoutCache(cache.folder).clear()

    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(remove)
        for _ in range(300):
            cache.put(KEY, b"picture", META)
            entry = cache.get(KEY)
            assert entry is None or entry.data == b"picture"
        stop.set()
        removing.result()


def test_claims_exclude_threads(cache):
    inside, most, done = [], [], []

    def work(number):
        with cache.claim(KEY):
            inside.append(number)
            most.append(len(inside))
            threading.Event().wait(0.001)
            inside.remove(number)
            done.append(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert set(most) == {1}
    assert sorted(done) == list(range(24))


def test_claims_of_one_thread_do_not_wait_for_each_other(cache):
    with cache.claim(KEY), cache.claim(KEY), cache.claim(key_of(7)), cache.claim(key_of(7, "cd")):
        pass
    with cache.claim(KEY):
        pass


def test_who_gives_up_waits_no_longer(cache):
    with cache.claim(KEY), ThreadPoolExecutor(1) as pool:
        def other():
            with CutoutCache(cache.folder).claim(KEY, lambda: True):
                return True

        assert pool.submit(other).result(10)


def test_a_claim_ends_with_an_error(cache):
    with pytest.raises(ZeroDivisionError), cache.claim(KEY):
        1 / 0
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: cache.claim(KEY).__enter__()).result(10) is None


CLAIMER = """
with cache.claim(sys.argv[2]):
    print("claimed", flush=True)
    sys.stdin.readline()
    cache.put(sys.argv[2], b"mine", {})
"""


def test_claims_exclude_processes(cache, processes):
    claimer = processes(CLAIMER, cache.folder, KEY)
    assert claimer.stdout.readline() == "claimed\n"
    with cache.claim(key_of(0, "cd")):
        pass  # others are free

    def wait():
        with cache.claim(KEY):
            return cache.get(KEY)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        threading.Event().wait(0.05)
        assert not waiting.done()
        claimer.stdin.write("\n")
        claimer.stdin.flush()
        assert waiting.result(30).data == b"mine"


def test_a_claim_dies_with_its_process(cache, processes):
    claimer = processes(CLAIMER, cache.folder, KEY)
    assert claimer.stdout.readline() == "claimed\n"
    claimer.send_signal(signal.SIGKILL)
    claimer.wait()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: cache.claim(KEY).__enter__()).result(30) is None
    assert cache.get(KEY) is None


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_systems_without_locks(cache, monkeypatch, code):
    def flock(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with cache.claim(KEY), cache.claim(KEY):
        cache.put(KEY, b"picture", META)
    assert cache.get(KEY).data == b"picture"


def test_locks_are_not_files_of_entries(cache):
    with cache.claim(KEY):
        cache.put(KEY, b"picture", META)
        assert cache.info()["entries"] == cache.clear()["entries"] == 1


# Keys

def test_key_is_stable():
    # Another value means that every cache in the world is lost: raise the major version.
    text = ('["source", "180.00000000", "-1.50000000", "30.000000", 212, ["g", "r", "i"]]')
    assert cache_key(REQUEST, "source") == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("change", [
    {"ra": 180.00000002}, {"dec": -1.50000002}, {"dec": 1.5}, {"width": 30.000002},
    {"pixels": 213}, {"bands": ("g", "r", "z")}, {"bands": ("gr", "i")}])
def test_key_tells_requests_apart(change):
    assert cache_key(replace(REQUEST, **change), "a") != cache_key(REQUEST, "a")


def test_key_tells_sources_apart():
    assert cache_key(REQUEST, "a") != cache_key(REQUEST, "b")


@pytest.mark.parametrize("one, other", [
    ({"ra": 0.0}, {"ra": 360.0}), ({"ra": 0.0}, {"ra": -1e-12}), ({"ra": 0.0}, {"ra": -0.0}),
    ({"ra": -90.0}, {"ra": 270.0}), ({"ra": 359.9999999999}, {"ra": 0.0}),
    ({"dec": 0.0}, {"dec": -0.0}), ({"dec": 0.0}, {"dec": -1e-12}),
    ({"dec": 0.1 + 0.2}, {"dec": 0.3}), ({"width": 30}, {"width": 30.0}),
    ({"ra": np.float64(12.5)}, {"ra": 12.5}), ({"pixels": np.int64(69)}, {"pixels": 69}),
    ({"name": "NGC 1"}, {"name": None})])
def test_key_is_that_of_the_position(one, other):
    assert cache_key(replace(REQUEST, **one), "a") == cache_key(replace(REQUEST, **other), "a")
