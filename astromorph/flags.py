"""Per-row quality bits, and how to read them."""
import ast
import enum
import inspect
from functools import cache
from itertools import pairwise

import numpy as np

__all__ = ["MorphFlag", "decode_flags", "flag_meanings"]


class MorphFlag(enum.IntFlag):
    """What went wrong, or was assumed, on the way from an image to its probabilities.

    0 means that nothing did. `UNCLASSIFIED` holds the bits that leave a row without probabilities;
    the others are warnings.
    """

    MISSING_FILE = 1
    """There is no such file."""
    UNREADABLE = 2
    """The file is empty, truncated, damaged or not an image."""
    BAD_SHAPE = 4
    """The array cannot be a galaxy's image: dimensions, number of bands, or too small."""
    BLANK = 8
    """The image holds no signal: every pixel equal, or none valid."""
    BAD_PIXELS = 16
    """Some pixels were masked, NaN or without data, and were filled."""
    MISSING_BAND = 32
    """A band was missing and its nearest neighbor in wavelength stands in."""
    PARTIAL_FRAME = 64
    """The image does not cover the whole frame that the network expects."""
    NO_SIZE = 128
    """R90 was to be measured on the image and could not be; the image was framed as given."""
    NO_WCS = 256
    """R90 came in arcseconds but the image has no celestial WCS; it was framed as given."""
    UNKNOWN_UNIT = 512
    """The flux unit is unknown; brightness was scaled by the image's own noise."""
    SATURATED = 1024
    """Part of the frame is saturated: white, or without data in the middle of the galaxy."""
    MEASURED_SIZE = 2048
    """R90 was measured on the image, as no catalog gave it."""
    STALE = 4096
    """The image is an old copy from the cache, as the service did not answer."""
    OUTSIDE_FOOTPRINT = 8192
    """The survey has not observed this position."""
    SERVER_ERROR = 16384
    """The image service answered with an error, or refused, at every attempt."""
    TIMED_OUT = 32768
    """The image service did not answer in time, at every attempt."""
    BAD_COORDINATE = 65536
    """The position is missing, not a number, or not on the sphere."""
    BAD_SIZE = 131072
    """The size of the galaxy, or of its frame, is missing, not positive, or too large."""
    NOT_CACHED = 262144
    """Working offline, and the cache does not hold this image."""
    UNUSUAL = 524288
    """The image looks unlike those that the weights were trained on."""

    UNCLASSIFIED = (MISSING_FILE | UNREADABLE | BAD_SHAPE | BLANK | OUTSIDE_FOOTPRINT | SERVER_ERROR
                    | TIMED_OUT | BAD_COORDINATE | BAD_SIZE | NOT_CACHED)
    """The bits that leave a row without probabilities."""


def decode_flags(values):
    """Name the bits of one flag or of an array of them.

    Parameters
    ----------
    values : int or array-like of int
        Values of a ``morph_flag`` column.

    Returns
    -------
    list of str, or a list of those
        Names of the bits that are set, the lowest first; one list for each value of an array.

    Examples
    --------
    >>> from astromorph.flags import decode_flags
    >>> decode_flags(18)
    ['UNREADABLE', 'BAD_PIXELS']
    >>> decode_flags([0, 64])
    [[], ['PARTIAL_FRAME']]
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iu" and values.size:
        raise TypeError(f"values must be integers, as in a morph_flag column, not {values.dtype}")
    if values.ndim == 0:
        return [flag.name for flag in MorphFlag if flag & int(values)]
    return [decode_flags(value) for value in values]


@cache
def flag_meanings():
    """Say what each flag means.

    Returns
    -------
    dict of str to str
        Name of the bit -> one sentence, the lowest bit first.

    Examples
    --------
    >>> from astromorph.flags import flag_meanings
    >>> flag_meanings()["STALE"]
    'The image is an old copy from the cache, as the service did not answer.'
    """
    # Python drops the strings below the names; the source, which documents them too, has them.
    body = ast.parse(inspect.getsource(MorphFlag)).body[0].body
    texts = {name.targets[0].id: " ".join(text.value.value.split())
             for name, text in pairwise(body)
             if isinstance(name, ast.Assign) and isinstance(text, ast.Expr)}
    return {flag.name: texts[flag.name] for flag in MorphFlag}
