"""The result of loading one galaxy."""
from typing import NamedTuple

import numpy as np

from astromorph.errors import ImageError
from astromorph.flags import MorphFlag
from astromorph.galaxies.frames import MEASURE_WIDTHS

__all__ = ["Loaded", "measured_twice"]


class Loaded(NamedTuple):
    """The result of loading one row.

    Parameters
    ----------
    pixels : `~numpy.ndarray` or None
        The frame; None if it could not be loaded.
    flag : `~astromorph.flags.MorphFlag`
        What went wrong, or was assumed.
    provenance : tuple or None
        Values of the source's ``provenance_columns``.
    error : `~astromorph.errors.ImageError` or None
        Why there is no frame.
    pixel_scale : float or None
        Arcseconds per pixel of the frame; None if unknown.

    Examples
    --------
    >>> from astromorph import CutoutError, MorphFlag
    >>> from astromorph.galaxies import Loaded
    >>> Loaded.failed(CutoutError("all pixels are equal", MorphFlag.BLANK)).flag
    <MorphFlag.BLANK: 8>
    """

    pixels: np.ndarray | None
    flag: MorphFlag
    provenance: tuple | None = None
    error: ImageError | None = None
    pixel_scale: float | None = None

    @classmethod
    def failed(cls, error):
        """Make the result of a row without an image.

        Parameters
        ----------
        error : `~astromorph.errors.ImageError`
            Why there is no image.

        Returns
        -------
        Loaded
        """
        return cls(None, error.flag, None, error)


def measured_twice(load, width):
    """Load a row and measure R90, again on a wider image if the galaxy overflows the first.

    Parameters
    ----------
    load : callable
        Takes the width of an image in arcseconds and returns `Loaded`.
    width : float
        Width of the first image in arcseconds.

    Returns
    -------
    Loaded
        The result from the wider of `~astromorph.galaxies.frames.MEASURE_WIDTHS` if only that one
        gives R90; otherwise the first result.
    """
    loaded = load(width)
    if loaded.flag & MorphFlag.NO_SIZE and width < MEASURE_WIDTHS[1]:
        wider = load(MEASURE_WIDTHS[1])
        loaded = loaded if wider.flag & MorphFlag.NO_SIZE else wider
    return loaded
