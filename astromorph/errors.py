"""Errors and warnings of astromorph.

::

    Exception
     ├── ImageError                   there is no usable image; its ``flag`` says why
     │    ├── CutoutError             an image exists but cannot be used
     │    └── FetchError              an image service did not deliver an image
     │         └── StatusError        it answered with an HTTP status of 400 or more
     └── ValueError
          └── ArgumentError           an argument has the wrong value
               ├── ArgumentTypeError  an argument has the wrong type (also a TypeError)
               └── DestinationError   the file exists already (also a FileExistsError)
    Warning
     └── AstropyUserWarning
          └── AstromorphWarning       a result deserves a second look

A bad row of a table raises none of these. Its ``morph_flag`` says what is wrong.
"""
import copyreg
import os
import sys
import warnings
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps

from astropy.utils.exceptions import AstropyUserWarning

# Fails where another project's files lie in this folder, its __init__.py perhaps in place of ours.
import astromorph.distribution  # noqa: F401
from astromorph.printing import printable

__all__ = ["ArgumentError", "ArgumentTypeError", "AstromorphWarning", "CutoutError",
           "DestinationError", "FetchError", "ImageError", "keeps_result", "warn", "wrong"]

_HOME = os.path.dirname(__file__) + os.sep
_late = ContextVar("late", default=None)  # messages to warn with once the work is done


class ImageError(Exception):
    """There is no usable image.

    Parameters
    ----------
    message : str
        What happened, and what to do.
    flag : `~astromorph.flags.MorphFlag`
        The bit that says why.

    Examples
    --------
    It is the base of `CutoutError` and `FetchError`:

    >>> from astromorph import read_cutout
    >>> from astromorph.errors import ImageError
    >>> try:
    ...     read_cutout("no_such_file.fits")
    ... except ImageError as error:
    ...     print(error.flag.name)
    MISSING_FILE
    """

    def __init__(self, message, flag):
        super().__init__(printable(message))
        self.flag = flag

    def __reduce__(self):
        """Pickle all attributes, whatever arguments the subclass takes."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__


class CutoutError(ImageError):
    """An image exists but cannot be used.

    Parameters
    ----------
    message : str
        What is wrong, and what to do.
    flag : `~astromorph.flags.MorphFlag`
        The bit that says why.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import CutoutError, read_cutout
    >>> try:
    ...     read_cutout(np.zeros((64, 64, 3), "uint8"))
    ... except CutoutError as error:
    ...     print(error.flag.name)
    BLANK
    """


class FetchError(ImageError):
    """An image service did not deliver an image.

    Parameters
    ----------
    message : str
        What happened, and what to do.
    flag : `~astromorph.flags.MorphFlag`
        The bit that says why.
    retry : bool
        Whether the same request may succeed in a moment.
    retry_after : float, optional
        Seconds that the service asks to wait.
    final : bool
        Whether no other service can help, because the survey has no image of the position.
    unreachable : bool
        Whether no answer came at all. There may be no network.

    Examples
    --------
    >>> from astromorph import FetchError, MorphFlag
    >>> error = FetchError("the archive is busy", MorphFlag.SERVER_ERROR, retry=True, retry_after=5)
    >>> error.flag, error.retry_after
    (<MorphFlag.SERVER_ERROR: 16384>, 5)
    """

    def __init__(self, message, flag, *, retry=False, retry_after=None, final=False,
                 unreachable=False):
        super().__init__(message, flag)
        self.retry, self.retry_after, self.final = retry, retry_after, final
        self.unreachable = unreachable


class ArgumentError(ValueError):
    """An argument has the wrong value; the message says what to pass instead.

    Parameters
    ----------
    argument : str
        Name of the argument; several names are separated by commas.
    expected, received : str
        What the function expects, and what it received.
    hint : str, optional
        A sentence that says what to do.

    Examples
    --------
    >>> from astromorph import get_survey
    >>> from astromorph.errors import ArgumentError
    >>> try:
    ...     get_survey("sloan")
    ... except ArgumentError as error:
    ...     print(error)
    survey: expected ...
    """

    def __init__(self, argument, expected, received, hint=None):
        super().__init__(argument, expected, received, hint)
        self.argument, self.expected, self.received, self.hint = argument, expected, received, hint

    def __str__(self):
        hint = f" {self.hint}" if self.hint else ""
        return printable(f"{self.argument}: expected {self.expected}. Received {self.received}."
                         f"{hint}")


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument has the wrong type.

    Parameters
    ----------
    argument, expected, received, hint
        As for `ArgumentError`.

    Examples
    --------
    >>> from astromorph.cutouts import FetchOptions
    >>> from astromorph.errors import ArgumentTypeError
    >>> try:
    ...     FetchOptions.of({"ofline": True})
    ... except ArgumentTypeError as error:
    ...     print(error)
    ofline: ...
    """


class DestinationError(FileExistsError, ArgumentError):
    """The file to write exists already.

    Parameters
    ----------
    argument, expected, received, hint
        As for `ArgumentError`.

    Examples
    --------
    >>> from tempfile import NamedTemporaryFile
    >>> from astropy.table import Table
    >>> from astromorph.errors import DestinationError
    >>> from astromorph.tables import write_table
    >>> with NamedTemporaryFile(suffix=".csv") as file:
    ...     try:
    ...         write_table(Table({"P_disk": [0.5]}), file.name)
    ...     except DestinationError as error:
    ...         print(isinstance(error, FileExistsError))
    True
    """

    # FileExistsError must come first for the layout in memory, but its methods do not fit.
    __init__, __str__ = ArgumentError.__init__, ArgumentError.__str__


class AstromorphWarning(AstropyUserWarning):
    """A result deserves a second look.

    Attributes
    ----------
    result : object
        The finished result, such as the table of ``classify``, if a warning filter turned this
        warning into an error. Otherwise None.

    Examples
    --------
    >>> import warnings
    >>> from astromorph import AstromorphWarning, MorphologyClassifier
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", AstromorphWarning)
    ...     try:
    ...         MorphologyClassifier.from_pretrained("ps1")
    ...     except AstromorphWarning as warning:
    ...         print(str(warning)[:32])
    There are no weights for Pan-STA
    """

    result = None


def wrong(argument, expected, received, hint=None, *, error=ArgumentError):
    """Create the error for a wrong argument: ``raise wrong(...)``.

    Parameters
    ----------
    argument : str
        Name of the argument; several names are separated by commas.
    expected : str
        What the function expects, without a period.
    received : object
        What it received. Text is shown as it is; use ``repr`` for the value of an argument.
    hint : str, optional
        A sentence that says what to do.
    error : type
        `ArgumentError` or one of its subclasses.

    Returns
    -------
    ArgumentError
        An error of the type ``error``.

    Examples
    --------
    >>> from astromorph.errors import wrong
    >>> raise wrong("n", "a positive integer", repr(-3))
    Traceback (most recent call last):
    ...
    astromorph.errors.ArgumentError: n: expected a positive integer. Received -3.
    """
    return error(argument, expected, str(received), hint)


def warn(message, *, late=False):
    """Issue an `AstromorphWarning` that points at the line of the user's code.

    Parameters
    ----------
    message : str
        What deserves a second look, and what to do.
    late : bool
        Wait until the function decorated by `keeps_result` has its result.
    """
    if late and _late.get() is not None:
        _late.get().append(message)
        return
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HOME):
        level, frame = level + 1, frame.f_back
    warnings.warn(printable(message), AstromorphWarning, stacklevel=level)


def keeps_result(function):
    """Decorate a function so that its late warnings wait until it has its result.

    If a warning filter turns a late warning into an error, the error holds the result in its
    attribute ``result``. So hours of work are not lost.

    Parameters
    ----------
    function : callable
        The function to decorate.

    Returns
    -------
    callable
        The decorated function.
    """
    @wraps(function)
    def kept(*args, **options):
        with _waiting() as messages:
            result = function(*args, **options)
        try:
            for message in messages:
                warn(message, late=True)  # waits again inside another decorated function
        except AstromorphWarning as warning:
            warning.result = result
            raise
        return result

    return kept


@contextmanager
def _waiting():
    """Collect late warnings in a list; if an error ends the work, issue them at once."""
    messages = []
    before = _late.set(messages)
    try:
        yield messages
    except BaseException:
        with suppress(AstromorphWarning):
            for message in messages:
                warn(message)
        raise
    finally:
        _late.reset(before)
