"""Check arguments, and convert them to what the code works with."""
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from astropy import units as u

from astromorph.errors import ArgumentTypeError, wrong

__all__ = ["as_float", "as_floats", "as_labels", "as_path", "as_probabilities", "as_seconds",
           "check_choice", "check_count", "check_names", "check_number", "check_suffix",
           "check_whole"]


def as_float(text):
    """Convert the cell of a table to a number.

    Parameters
    ----------
    text : object
        Text, bytes or a number.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If the cell holds no number. ``"1_000"`` is a number in Python's code, but not here.
    """
    if isinstance(text, (str, bytes)) and ("_" if isinstance(text, str) else b"_") in text:
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def as_floats(values, argument):
    """Convert numbers to a float array, NaN where masked.

    Parameters
    ----------
    values : array-like
        Numbers.
    argument : str
        Name of the argument, for the error.

    Returns
    -------
    `~numpy.ndarray` of float
        Same shape as ``values``.

    Raises
    ------
    ArgumentTypeError
        If the values cannot be converted to numbers.
    """
    try:
        return np.asarray(np.ma.masked_array(values, dtype=float).filled(np.nan))
    except (TypeError, ValueError, OverflowError) as error:
        raise wrong(argument, "an array of numbers", f"{values!r:.200}",
                    error=ArgumentTypeError) from error


def as_probabilities(values, argument="probabilities"):
    """Convert probabilities to a float array, NaN where masked.

    Parameters
    ----------
    values : array-like
        Probabilities in 0..1, NaN or masked where there is none.
    argument : str
        Name of the argument, for the error.

    Returns
    -------
    `~numpy.ndarray` of float
        Same shape as ``values``.

    Raises
    ------
    ArgumentError
        If a value lies outside 0..1, or cannot be converted to a number.
    """
    values = as_floats(values, argument)
    outside = values[(values < 0) | (values > 1)]
    if outside.size:
        raise wrong(argument, "numbers in 0..1 (NaN or masked where there is none)",
                    f"{outside.size} outside, first {outside[0]:g}",
                    "Convert logits, or votes in percent, first.")
    return values


def as_labels(values, argument="labels"):
    """Convert labels to a float array, NaN where masked.

    Parameters
    ----------
    values : array-like
        Labels: 1, 0, or NaN where unknown.
    argument : str
        Name of the argument, for the error.

    Returns
    -------
    `~numpy.ndarray` of float
        Same shape as ``values``.

    Raises
    ------
    ArgumentError
        If a value is anything else.
    """
    values = as_floats(values, argument)
    others = values[~(np.isnan(values) | (values == 0) | (values == 1))]
    if others.size:
        raise wrong(argument, "1, 0, or NaN where unknown",
                    f"{others.size} others, first {others[0]:g}",
                    "Turn vote fractions into labels first (make_labels).")
    return values


def as_path(value, argument):
    """Convert an argument to the path of a folder, with the user's home in place of ``~``.

    Parameters
    ----------
    value : object
        The argument.
    argument : str
        Its name.

    Returns
    -------
    `~pathlib.Path`

    Raises
    ------
    ArgumentError
        If it is not a path, or there is no such home.
    """
    try:
        path = Path(value).expanduser()
    except TypeError:
        raise wrong(argument, "the path of a folder", repr(value),
                    error=ArgumentTypeError) from None
    except RuntimeError:
        raise wrong(argument, "a path", repr(value),
                    "There is no such home folder: write the whole path.") from None
    if "\0" in str(path):
        raise wrong(argument, "a path", repr(value))
    return path


def as_seconds(value, argument, unit=None):
    """Convert an argument to a time in seconds.

    Parameters
    ----------
    value : object
        The argument.
    argument : str
        Its name.
    unit : `~astropy.units.Unit`, optional
        Unit of a number. By default a number is refused.

    Returns
    -------
    float

    Raises
    ------
    ArgumentError
        If it is not one time of 0 or more.
    """
    try:
        seconds = u.Quantity(value, unit).to_value(u.s)
    except (u.UnitConversionError, TypeError, ValueError):
        seconds = np.nan
    if np.ndim(seconds) or not seconds >= 0:
        raise wrong(argument, "one time, 0 or more, such as 30 * u.day", repr(value))
    return float(seconds)


def check_count(value, argument):
    """Raise unless an argument is a positive integer.

    Parameters
    ----------
    value : object
        The argument.
    argument : str
        Its name.

    Raises
    ------
    ArgumentError
        If it is anything else.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise wrong(argument, "a positive integer", repr(value))


def check_suffix(path, suffix):
    """Raise unless a file has the name of its format.

    Parameters
    ----------
    path : path
        The file.
    suffix : str
        What its name must end in, such as ``.onnx``.

    Raises
    ------
    ArgumentError
        If it ends in anything else.
    """
    if Path(path).suffix != suffix:
        raise wrong("path", f"a name that ends in {suffix}, as the format is called",
                    repr(str(path)))


def check_whole(value, argument, low, high):
    """Raise unless an argument is a whole number in a range.

    Parameters
    ----------
    value : object
        The argument.
    argument : str
        Its name.
    low, high : int
        The smallest and the largest number that is accepted.

    Raises
    ------
    ArgumentError
        If it is anything else.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(argument, f"a whole number from {low} to {high}", repr(value))


def check_number(value, argument, expected, accept):
    """Raise unless an argument is one real number that a condition accepts.

    Parameters
    ----------
    value : object
        The argument.
    argument : str
        Its name.
    expected : str
        The condition in words, as "a number in 0..1".
    accept : callable
        Takes the number and returns whether it is accepted.

    Raises
    ------
    ArgumentError
        If it is not a real number, or not accepted.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not accept(value):
        raise wrong(argument, expected, repr(value))


def check_choice(value, argument, choices):
    """Raise unless an argument is one of the choices.

    Parameters
    ----------
    value : object
        The argument.
    argument : str
        Its name.
    choices : iterable
        The allowed values.

    Raises
    ------
    ArgumentError
        If it is none of the choices.
    """
    choices = list(choices)
    if not any(value is choice or value == choice for choice in choices):
        raise wrong(argument, f"one of {', '.join(map(repr, choices))}", repr(value))


def check_names(given, known):
    """Raise unless all options are known.

    Parameters
    ----------
    given : iterable of str
        Names of the options that the user gave.
    known : iterable of str
        Names of the options that exist.

    Raises
    ------
    ArgumentTypeError
        If an option does not exist. The message suggests the most similar name.
    """
    known = list(known)
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise wrong(name, "a known option", "an unknown one", near and
                        f"Did you mean {near[0]}=?" or f"There are {', '.join(known)}.",
                        error=ArgumentTypeError)
