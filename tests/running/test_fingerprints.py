"""Checksums of rows: equal for equal ones, different for all that matters."""
import functools
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, Cutout2D, NDData
from astropy.wcs import WCS

from astromorph.running.fingerprints import describe_callable, fingerprint, fingerprint_images

PIXELS = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("one, other", [
    (["a.jpg", "b.jpg"], [Path("a.jpg"), np.str_("b.jpg")]),
    (b"bytes", bytearray(b"bytes")), (b"bytes", memoryview(b"bytes")),
    ({"g": "g.fits"}, [("g", Path("g.fits"))]), (PIXELS, PIXELS.T.copy().T),
    (PIXELS, NDData(PIXELS.copy())),
    ([np.nan, np.float64(1.5), np.int64(2)], [float("nan"), 1.5, 2]),
    (fits.HDUList([fits.PrimaryHDU(PIXELS)]), fits.HDUList([fits.PrimaryHDU(PIXELS.copy())])),
    (np.array([None, "a"], object), [None, "a"])])
def test_same(one, other):
    assert fingerprint(one) == fingerprint(other)
    assert len(fingerprint(one)) == 16


DIFFERENT = [
    ["ab", "c"], ["a", "bc"], ["abc"], [["a"], "bc"], [], None, [None], "abc", b"abc", [b"abc"],
    [1.0], [1], [np.nan], "nan", [np.ma.masked], {"g": "abc"}, {"r": "abc"}, PIXELS, PIXELS.T,
    PIXELS.astype(np.float32), PIXELS + 1e-12, PIXELS.reshape(4, 3),
    np.ma.array(PIXELS, mask=PIXELS > 5), np.ma.array(PIXELS, mask=PIXELS > 6),
    fits.HDUList([fits.PrimaryHDU(PIXELS + 1)]), "measure"]


def test_different():
    assert len({fingerprint(value) for value in DIFFERENT}) == len(DIFFERENT)


def test_same_in_another_process():
    code = ("from astromorph.running.fingerprints import fingerprint\n"
            "print(fingerprint([{'g': 'a'}, 1.5, None]))")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == fingerprint([{"g": "a"}, 1.5, None])


# Images: all that decides how they are read

def placed(scale):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [-scale, scale]
    return wcs


MASK = PIXELS > 5
IMAGES = [
    PIXELS, PIXELS << u.uJy, PIXELS << u.nmgy, NDData(PIXELS, unit="Jy"), NDData(PIXELS, mask=MASK),
    NDData(PIXELS, mask=~MASK), NDData(PIXELS, wcs=placed(0.1)), NDData(PIXELS, wcs=placed(0.2)),
    NDData(PIXELS, meta={"BUNIT": "Jy"}), CCDData(PIXELS, unit="adu"),
    Cutout2D(PIXELS, (1, 1), 2), Cutout2D(PIXELS, (1, 1), 2, wcs=placed(0.1)),
    fits.PrimaryHDU(PIXELS), fits.PrimaryHDU(PIXELS, placed(0.1).to_header()),
    fits.PrimaryHDU(PIXELS, placed(0.2).to_header()),
    fits.HDUList([fits.PrimaryHDU(PIXELS, fits.Header({"BUNIT": "Jy"}))]),
    {"r": NDData(PIXELS, unit="nmgy")}, {"r": NDData(PIXELS, unit="mJy")}]


def test_images_in_memory():
    assert len({fingerprint_images(image) for image in IMAGES}) == len(IMAGES)
    for image in IMAGES:
        assert fingerprint_images([image]) == fingerprint_images([image])


def test_images_in_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    missing = fingerprint_images(["a.jpg"])
    Path("a.jpg").write_bytes(b"one")
    os.utime("a.jpg", (1, 1))
    first = fingerprint_images(["a.jpg"])
    assert first == fingerprint_images([tmp_path / "a.jpg"]) == fingerprint_images(["./a.jpg"])
    os.utime("a.jpg", (2, 2))
    later = fingerprint_images(["a.jpg"])
    Path("a.jpg").write_bytes(b"three")
    os.utime("a.jpg", (2, 2))
    (tmp_path / "b").mkdir()
    monkeypatch.chdir("b")
    elsewhere = fingerprint_images(["a.jpg"])
    larger = fingerprint_images(["../a.jpg"])
    assert len({missing, first, later, larger, elsewhere}) == 5
    assert fingerprint(["a.jpg"]) == fingerprint([Path("a.jpg")])


# Callables

class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, request, transport):
        return request * self.factor

    def half(self, request):
        return request * self.factor / 2


def plain(request, transport, *, size=3):
    return request + size


def test_callables_are_told_apart():
    told = [plain, functools.partial(plain, size=4), functools.partial(plain, size=5),
            functools.partial(math.pow, 2), Scaled(1), Scaled(2), Scaled(1).half, Scaled(2).half,
            Scaled, math.pow]
    described = [describe_callable(function) for function in told]
    assert None not in described and len(set(described)) == len(told)
    assert describe_callable(Scaled(2)) == describe_callable(Scaled(2))


def test_the_code_counts():
    codes = ["return request + 1", "return request + 2", "return request in {'a', 'b'}",
             "return [each for each in request]"]
    described = set()
    for code in codes:
        for _ in range(2):
            space = {"__name__": "mine"}
            exec(f"def f(request):\n    {code}", space)
            described.add(describe_callable(space["f"]))
    assert None not in described and len(described) == len(codes)


def test_callables_that_cannot_be_told_apart():
    def inner(request, transport):
        return inner

    for function in (inner, lambda request: 1, functools.partial(inner, 1), Scaled(inner),
                     functools.partial(plain, size=inner), Scaled(threading.Lock()).half):
        assert describe_callable(function) is None


def test_callables_are_the_same_in_another_process():
    code = ("import functools, operator\n"
            "from astromorph.running.fingerprints import describe_callable\n"
            "from astromorph.images import load_frame\n"
            "print(describe_callable(functools.partial(load_frame, size=3)))")
    told = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env=os.environ | {"PYTHONHASHSEED": seed}).stdout for seed in "12"}
    assert len(told) == 1 and "None" not in told.pop()
