import pickle

import numpy as np
import pytest

from astromorph.flags import MorphFlag, decode_flags, flag_meanings


def test_bits_are_the_published_ones():
    """Tables on disk carry these numbers: they never change."""
    assert {flag.name: flag.value for flag in MorphFlag} == {
        "MISSING_FILE": 1, "UNREADABLE": 2, "BAD_SHAPE": 4, "BLANK": 8, "BAD_PIXELS": 16,
        "MISSING_BAND": 32, "PARTIAL_FRAME": 64, "NO_SIZE": 128, "NO_WCS": 256,
        "UNKNOWN_UNIT": 512, "SATURATED": 1024, "MEASURED_SIZE": 2048, "STALE": 4096,
        "OUTSIDE_FOOTPRINT": 8192, "SERVER_ERROR": 16384, "TIMED_OUT": 32768,
        "BAD_COORDINATE": 65536, "BAD_SIZE": 131072, "NOT_CACHED": 262144,
        "UNUSUAL": 524288, "READ_ERROR": 1048576,
        "OTHER_COLORS": 2097152, "ONE_BAND": 4194304, "NEGATIVE": 8388608}
    assert decode_flags(MorphFlag.UNCLASSIFIED) == [
        "MISSING_FILE", "UNREADABLE", "BAD_SHAPE", "BLANK", "OUTSIDE_FOOTPRINT", "SERVER_ERROR",
        "TIMED_OUT", "BAD_COORDINATE", "BAD_SIZE", "NOT_CACHED", "READ_ERROR", "NEGATIVE"]


@pytest.mark.parametrize("value, names", [
    (0, []), (np.int32(8), ["BLANK"]), (MorphFlag.NO_WCS | MorphFlag.BAD_PIXELS,
                                        ["BAD_PIXELS", "NO_WCS"])])
def test_decode_one(value, names):
    assert decode_flags(value) == names


def test_decode_array():
    assert decode_flags(np.array([1, 0, 96])) == [
        ["MISSING_FILE"], [], ["MISSING_BAND", "PARTIAL_FRAME"]]
    assert decode_flags([]) == []


def test_decode_rejects_floats():
    with pytest.raises(TypeError, match="values: expected integers.*Received float64"):
        decode_flags([1.0])


def test_every_flag_has_a_meaning():
    meanings = flag_meanings()
    assert list(meanings) == [flag.name for flag in MorphFlag]
    assert all(text.endswith(".") and "\n" not in text for text in meanings.values())
    assert meanings["MISSING_FILE"] == "There is no such file."
    assert all(f"``{name}``" in MorphFlag.__doc__ and meaning in MorphFlag.__doc__
               for name, meaning in meanings.items())


def test_flags_reach_other_processes():
    flag = MorphFlag.BLANK | MorphFlag.STALE
    assert pickle.loads(pickle.dumps(flag)) is flag
