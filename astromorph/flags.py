"""The bits of ``morph_flag``, which say what went wrong or was assumed in a row."""
import enum

import numpy as np

from astromorph.errors import ArgumentTypeError, wrong

__all__ = ["MorphFlag", "decode_flags", "flag_meanings"]

_FAILED, _WARNING = True, False  # whether a row with this bit has no probabilities
# Bit, name, kind and meaning. Published tables hold these numbers, so they never change.
_BITS = (
    (0, "MISSING_FILE", _FAILED, "There is no such file."),
    (1, "UNREADABLE", _FAILED, "The file is empty, truncated, damaged or not an image."),
    (2, "BAD_SHAPE", _FAILED,
     "The array cannot be a galaxy's image: its dimensions, number of bands or size are wrong."),
    (3, "BLANK", _FAILED, "The image holds no signal: all pixels are equal, or none is valid."),
    (4, "BAD_PIXELS", _WARNING, "Some pixels were masked, NaN or without data, and were filled."),
    (5, "MISSING_BAND", _WARNING,
     "A band was missing and its nearest neighbor in wavelength stands in."),
    (6, "PARTIAL_FRAME", _WARNING,
     "The image does not cover the whole frame that the network expects."),
    (7, "NO_SIZE", _WARNING,
     "No usable size was given, and R90 could not be measured reliably (the galaxy fills the "
     "image, or is not at its center); the whole image is the frame."),
    (8, "NO_WCS", _WARNING,
     "R90 or a position was given but could not be used: the image has no celestial WCS (and, "
     "for R90, no pixel scale)."),
    (9, "UNKNOWN_UNIT", _WARNING,
     "The flux unit is unknown, or the sky was not subtracted; the image's own noise or border set "
     "the brightness."),
    (10, "SATURATED", _WARNING,
     "Part of the frame is saturated: white, or without data in the middle of the galaxy."),
    (11, "MEASURED_SIZE", _WARNING,
     "R90 was measured on the image, because no usable size was given."),
    (12, "STALE", _WARNING,
     "The image is an old copy from the cache, because the service did not answer."),
    (13, "OUTSIDE_FOOTPRINT", _FAILED, "The survey, or the image, does not show this position."),
    (14, "SERVER_ERROR", _FAILED,
     "At every attempt the image service refused or answered with an error."),
    (15, "TIMED_OUT", _FAILED, "At every attempt the image service did not answer in time."),
    (16, "BAD_COORDINATE", _FAILED,
     "The position is missing, not a number, or not on the sphere."),
    (17, "BAD_SIZE", _FAILED,
     "The size of the galaxy, or of its frame, is missing, not positive, or too large."),
    (18, "NOT_CACHED", _FAILED, "astromorph worked offline, and the cache lacks this image."),
    (19, "UNUSUAL", _WARNING, "The image differs from those that the weights were trained on."),
    (20, "READ_ERROR", _FAILED,
     "The system could not read the file now; another attempt may succeed."),
    (21, "OTHER_COLORS", _WARNING,
     "The picture has a different color mapping than other pictures of its survey."),
    (22, "ONE_BAND", _WARNING, "The image has one band: it is gray, the same in all three colors."),
    (23, "NEGATIVE", _FAILED,
     "The image is a negative, a dark galaxy on a light sky; invert it: white minus image."),
)

MorphFlag = enum.IntFlag("MorphFlag", [
    *((name, 1 << bit) for bit, name, *_ in _BITS),
    ("UNCLASSIFIED", sum(1 << bit for bit, _, failed, _ in _BITS if failed)),
], module=__name__)
MorphFlag.__doc__ = "\n".join([
    "What went wrong, or was assumed, between an image and its probabilities.", "",
    "0 is a clean row. A row with a bit of ``UNCLASSIFIED`` has no probabilities; the other bits",
    "are warnings.", "",
    *(f"- ``{name}`` ({1 << bit}, {'unclassified' if failed else 'warning'}): {meaning}"
      for bit, name, failed, meaning in _BITS), "",
    "Examples", "--------",
    ">>> from astromorph import MorphFlag",
    ">>> MorphFlag(2080) & MorphFlag.UNCLASSIFIED",
    "<MorphFlag: 0>",
    ">>> MorphFlag.BLANK in MorphFlag.UNCLASSIFIED",
    "True"])


def decode_flags(values) -> list:
    """Name the bits that are set in one flag, or in each flag of an array.

    Parameters
    ----------
    values : int or array-like of int
        Values of a ``morph_flag`` column.

    Returns
    -------
    list of str, or list of list of str
        Names of the bits that are set, the lowest bit first; one list per value of an array.

    Raises
    ------
    ArgumentTypeError
        If the values are not integers.

    See Also
    --------
    MorphFlag : The bits and what they mean.

    Examples
    --------
    >>> from astromorph import decode_flags
    >>> decode_flags(18)
    ['UNREADABLE', 'BAD_PIXELS']
    >>> decode_flags([0, 64])
    [[], ['PARTIAL_FRAME']]
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iu" and values.size:
        raise wrong("values", "integers, as in a morph_flag column", values.dtype,
                    error=ArgumentTypeError)
    if values.ndim == 0:
        return [flag.name for flag in MorphFlag if flag & int(values)]
    return [decode_flags(value) for value in values]


def flag_meanings() -> dict:
    """Explain each flag.

    Returns
    -------
    dict of str to str
        Name of the bit to one sentence, the lowest bit first.

    See Also
    --------
    decode_flags : Name the bits of a column.

    Examples
    --------
    >>> from astromorph.flags import flag_meanings
    >>> flag_meanings()["STALE"]
    'The image is an old copy from the cache, because the service did not answer.'
    """
    return {name: meaning for _, name, _, meaning in _BITS}
