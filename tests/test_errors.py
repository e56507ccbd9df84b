"""Errors tell their parts, survive the way to another process, and warnings can be filtered."""
import pickle
import warnings

import pytest

from astromorph import errors
from astromorph.errors import (ArgumentError, ArgumentTypeError, AstromorphWarning, CutoutError,
                               DestinationError, FetchError, ImageError, warn, wrong)
from astromorph.flags import MorphFlag
from astromorph.services.errors import StatusError


@pytest.mark.parametrize("error, also", [
    (ArgumentError, ValueError), (ArgumentTypeError, TypeError), (ArgumentTypeError, ValueError),
    (DestinationError, FileExistsError), (DestinationError, ValueError)])
def test_argument_errors(error, also):
    one = wrong("n", "a positive integer", repr(-3), "Count again.", error=error)
    assert isinstance(one, also) and isinstance(one, ArgumentError)
    assert str(one) == "n: expected a positive integer. Received -3. Count again."
    assert (one.argument, one.expected, one.received, one.hint) == (
        "n", "a positive integer", "-3", "Count again.")


def test_controls_of_names_do_not_reach_the_terminal(recwarn):
    name = "a\x1b[31m\x07é.fits"
    warn(f"{name} is odd")
    for error in (wrong("data", "a file", name), CutoutError(name, MorphFlag.UNREADABLE),
                  FetchError(name, MorphFlag.TIMED_OUT), recwarn[0].message):
        assert "a\\x1b[31m\\x07é.fits" in str(error)


def test_what_was_received_is_text():
    assert str(wrong("n", "one", (1, 2))) == "n: expected one. Received (1, 2)."


@pytest.mark.parametrize("error", [
    wrong("n", "one", 2), wrong("n", "one", 2, "Hint.", error=ArgumentTypeError),
    wrong("path", "a new file", "a.fits", error=DestinationError),
    CutoutError("damaged", MorphFlag.UNREADABLE),
    FetchError("busy", MorphFlag.TIMED_OUT, retry=True, retry_after=3.0, final=True),
    StatusError(503, "example.org", "7")])
def test_errors_reach_other_processes(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_image_errors_are_no_argument_errors():
    assert issubclass(CutoutError, ImageError) and issubclass(FetchError, ImageError)
    assert not issubclass(ImageError, ValueError)


def test_a_warning_names_the_line_of_the_user():
    space = {}
    code = "from astromorph.errors import warn\ndef inner():\n    warn('look')\n"
    exec(compile(code, f"{errors.__file__.removesuffix('errors.py')}inside.py", "exec"), space)
    with pytest.warns(AstromorphWarning, match="look") as caught:
        space["inner"]()
    assert caught[0].filename == __file__


def test_warnings_can_be_turned_off():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstromorphWarning)
        warn("unheard")
