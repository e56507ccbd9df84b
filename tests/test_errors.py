"""Errors tell their parts, survive the way to another process, and warnings can be filtered."""
import pickle
import warnings

import pytest

from astromorph import errors
from astromorph.errors import (ArgumentError, ArgumentTypeError, AstromorphWarning, CutoutError,
                               DestinationError, FetchError, ImageError, keeps_result, warn,
                               wrong)
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


@keeps_result
def work(*, fails=False):
    """Ten things, and two late warnings."""
    warn("early")
    warn("first", late=True)
    warn("second", late=True)
    if fails:
        raise OSError("full")
    return list(range(10))


@keeps_result
def more_work():
    return sum(work())


def test_late_warnings_wait_for_the_result(recwarn):
    assert more_work() == 45 and work.__doc__.startswith("Ten things")
    assert [str(each.message) for each in recwarn] == ["early", "first", "second"]
    assert {each.filename for each in recwarn[1:]} == {__file__}
    warn("late, with nothing to wait for", late=True)
    assert len(recwarn) == 4


@pytest.mark.filterwarnings("error:first")
def test_where_warnings_are_errors_the_result_is_kept():
    with pytest.raises(AstromorphWarning, match="first") as raised:
        more_work()
    assert raised.value.result == 45
    assert AstromorphWarning("x").result is None


def test_late_warnings_of_work_that_fails_are_said(recwarn):
    with pytest.raises(OSError, match="full"):
        work(fails=True)
    assert [str(each.message) for each in recwarn] == ["early", "first", "second"]


def test_warnings_can_be_turned_off():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstromorphWarning)
        warn("unheard")
