"""What astromorph raises and warns of.

::

    Exception
     ├── ImageError                   an image is not to be had; its ``flag`` says why
     │    ├── CutoutError             an image that is there cannot be used
     │    └── FetchError              an image service does not give an image
     │         └── StatusError        it answered with an HTTP status of 400 or more
     └── ValueError
          └── ArgumentError           an argument is not what it should be
               ├── ArgumentTypeError  its type is wrong (a TypeError, too)
               └── DestinationError   there is a file already (a FileExistsError, too)
    Warning
     └── AstropyUserWarning
          └── AstromorphWarning       a result deserves a second look

A bad row of a table raises none of these: its flag says what is wrong.
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
_late = ContextVar("late", default=None)  # what will be said once the work is done


class ImageError(Exception):
    """An image is not to be had.

    Parameters
    ----------
    message : str
        What happened, and what to do.
    flag : `~astromorph.flags.MorphFlag`
        The bit that says why.
    """

    def __init__(self, message, flag):
        super().__init__(printable(message))
        self.flag = flag

    def __reduce__(self):
        """Reach other processes whole, whatever the arguments of the subclass."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__


class CutoutError(ImageError):
    """An image that is there cannot be used.

    Parameters
    ----------
    message : str
        What is wrong, and what to do.
    flag : `~astromorph.flags.MorphFlag`
        The bit that says why.
    """


class FetchError(ImageError):
    """An image service does not give an image.

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
        Whether no other service can do better: the position is outside the survey's footprint.
    unreachable : bool
        Whether nobody answered: there may be no network.
    """

    def __init__(self, message, flag, *, retry=False, retry_after=None, final=False,
                 unreachable=False):
        super().__init__(message, flag)
        self.retry, self.retry_after, self.final = retry, retry_after, final
        self.unreachable = unreachable


class ArgumentError(ValueError):
    """An argument is not what it should be; `wrong` makes one.

    Parameters
    ----------
    argument : str
        Its name; several are separated by commas.
    expected, received : str
        What it should be, and what it is.
    hint : str, optional
        What to do, a sentence.
    """

    def __init__(self, argument, expected, received, hint=None):
        super().__init__(argument, expected, received, hint)
        self.argument, self.expected, self.received, self.hint = argument, expected, received, hint

    def __str__(self):
        hint = f" {self.hint}" if self.hint else ""
        return printable(f"{self.argument}: expected {self.expected}. Received {self.received}."
                         f"{hint}")


class ArgumentTypeError(ArgumentError, TypeError):
    """The type of an argument is wrong.

    Parameters
    ----------
    argument, expected, received, hint
        As for `ArgumentError`.
    """


class DestinationError(FileExistsError, ArgumentError):
    """There is a file already where one should be written.

    Parameters
    ----------
    argument, expected, received, hint
        As for `ArgumentError`.
    """

    # Not those of an error of the operating system, which is first to be of the same layout.
    __init__, __str__ = ArgumentError.__init__, ArgumentError.__str__


class AstromorphWarning(AstropyUserWarning):
    """A result deserves a second look.

    Attributes
    ----------
    result : object
        Where warnings are errors, what the work gave that had ended when this one was raised, such
        as the table of ``classify``; else None.
    """

    result = None


def wrong(argument, expected, received, hint=None, *, error=ArgumentError):
    """Make the error that says what is wrong with an argument: ``raise wrong(...)``.

    Parameters
    ----------
    argument : str
        Its name; several are separated by commas.
    expected : str
        What it should be, without a period.
    received : object
        What it is. Text is shown as it is; use ``repr`` for the value of an argument.
    hint : str, optional
        What to do, a sentence.
    error : type
        `ArgumentError` or one of its subclasses.

    Returns
    -------
    ArgumentError

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
    """Warn the user, at the line of the user's code that called astromorph.

    Parameters
    ----------
    message : str
        What deserves a second look, and what to do.
    late : bool
        Whether it comes so late that the work should be ended first, see `keeps_result`.
    """
    if late and _late.get() is not None:
        _late.get().append(message)
        return
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HOME):
        level, frame = level + 1, frame.f_back
    warnings.warn(printable(message), AstromorphWarning, stacklevel=level)


def keeps_result(function):
    """Decorate a function: its late warnings wait until it has its result.

    Where warnings are errors, the one that is raised has it as ``result``, so that hours of work
    are not lost.

    Parameters
    ----------
    function : callable

    Returns
    -------
    callable
    """
    @wraps(function)
    def kept(*args, **options):
        with _waiting() as messages:
            result = function(*args, **options)
        try:
            for message in messages:
                warn(message, late=True)  # in another such function it waits for that one
        except AstromorphWarning as warning:
            warning.result = result
            raise
        return result

    return kept


@contextmanager
def _waiting():
    """A list of the late warnings, which are said at once where an error ends the work."""
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
