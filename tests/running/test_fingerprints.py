"""Checksums of rows: equal for equal ones, different for all that matters."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, NDData

from astromorph.running.fingerprints import fingerprint

PIXELS = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("one, other", [
    (["a.jpg", "b.jpg"], [Path("a.jpg"), np.str_("b.jpg")]),
    (b"bytes", bytearray(b"bytes")), (b"bytes", memoryview(b"bytes")),
    ({"g": "g.fits"}, [("g", Path("g.fits"))]), (PIXELS, PIXELS.T.copy().T),
    (NDData(PIXELS), CCDData(PIXELS, unit="adu")), (PIXELS, NDData(PIXELS.copy())),
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
    code = ("from astromorph.running.fingerprints import fingerprint as f; "
            "print(f([{'g': 'a'}, 1.5, None]))")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == fingerprint([{"g": "a"}, 1.5, None])
