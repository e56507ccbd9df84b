"""Checks of arguments: what they give is what the code goes on with."""
from difflib import get_close_matches
from numbers import Integral, Real

import numpy as np

from astromorph.errors import ArgumentTypeError, wrong

__all__ = ["as_float", "as_floats", "as_labels", "as_probabilities", "check_choice", "check_count",
           "check_names", "check_number"]


def as_float(text):
    """Give the number that a cell holds.

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
        If it holds none; "1_000" is one in Python's code only.
    """
    if isinstance(text, (str, bytes)) and ("_" if isinstance(text, str) else b"_") in text:
        raise ValueError(f"{text!r} is no number")
    return float(text)


def as_floats(values, argument):
    """Give numbers as a float array, NaN where masked.

    Parameters
    ----------
    values : array-like
        Numbers.
    argument : str
        What to call them in an error.

    Returns
    -------
    `~numpy.ndarray`

    Raises
    ------
    ArgumentTypeError
        If they are no numbers.
    """
    try:
        return np.asarray(np.ma.masked_array(values, dtype=float).filled(np.nan))
    except (TypeError, ValueError, OverflowError) as error:
        raise wrong(argument, "an array of numbers", f"{values!r:.200}",
                    error=ArgumentTypeError) from error


def as_probabilities(values, argument="probabilities"):
    """Give probabilities as a float array, NaN where masked; all must lie in 0..1.

    Parameters
    ----------
    values : array-like
        Probabilities.
    argument : str
        What to call them in an error.

    Returns
    -------
    `~numpy.ndarray`

    Raises
    ------
    ArgumentError
        If they are no numbers, or outside 0..1.
    """
    values = as_floats(values, argument)
    outside = values[(values < 0) | (values > 1)]
    if outside.size:
        raise wrong(argument, "numbers in 0..1 (NaN or masked where there is none)",
                    f"{outside.size} outside, first {outside[0]:g}",
                    "Convert logits, or votes in percent, first.")
    return values


def as_labels(values, argument="labels"):
    """Give labels as a float array, NaN where masked; all must be 1, 0 or NaN.

    Parameters
    ----------
    values : array-like
        Labels.
    argument : str
        What to call them in an error.

    Returns
    -------
    `~numpy.ndarray`

    Raises
    ------
    ArgumentError
        If they are no numbers, or others.
    """
    values = as_floats(values, argument)
    others = values[~(np.isnan(values) | (values == 0) | (values == 1))]
    if others.size:
        raise wrong(argument, "1, 0, or NaN where unknown",
                    f"{others.size} others, first {others[0]:g}",
                    "Turn vote fractions into labels first (make_labels).")
    return values


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
        If it is not.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise wrong(argument, "a positive integer", repr(value))


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
        Takes the number, returns whether it is accepted.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not accept(value):
        raise wrong(argument, expected, repr(value))


def check_choice(value, argument, choices):
    """Raise unless an argument is one of some choices.

    Parameters
    ----------
    value : object
        The argument.
    argument : str
        Its name.
    choices : iterable
        What it may be.

    Raises
    ------
    ArgumentError
        If it is none of them.
    """
    choices = list(choices)
    if not any(value is choice or value == choice for choice in choices):
        raise wrong(argument, f"one of {', '.join(map(repr, choices))}", repr(value))


def check_names(given, known):
    """Raise unless all options are known ones.

    Parameters
    ----------
    given : iterable of str
        Names of the options.
    known : iterable of str
        Those that there are.

    Raises
    ------
    ArgumentTypeError
        If there is another one; the message names the nearest that there is.
    """
    known = list(known)
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise wrong(name, "a known option", "an unknown one", near and
                        f"Did you mean {near[0]}=?" or f"There are {', '.join(known)}.",
                        error=ArgumentTypeError)
