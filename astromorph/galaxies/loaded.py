"""What comes of loading one galaxy."""
from typing import NamedTuple

import numpy as np

from astromorph.errors import ImageError
from astromorph.flags import MorphFlag
from astromorph.galaxies.frames import MEASURE_WIDTHS

__all__ = ["Loaded", "measured_twice"]


class Loaded(NamedTuple):
    """What comes of loading one row.

    Parameters
    ----------
    pixels : `~numpy.ndarray` or None
        The frame, None where there is none.
    flag : `~astromorph.flags.MorphFlag`
        What went wrong, or was assumed.
    provenance : tuple or None
        Values of the source's ``provenance_columns``.
    error : `~astromorph.errors.ImageError` or None
        Why there is no frame.
    pixel_scale : float or None
        Arcseconds per pixel of the frame, where it is known.
    """

    pixels: np.ndarray | None
    flag: MorphFlag
    provenance: tuple | None = None
    error: ImageError | None = None
    pixel_scale: float | None = None

    @classmethod
    def failed(cls, error):
        """What comes of a row without an image.

        Parameters
        ----------
        error : `~astromorph.errors.ImageError`
            Why there is none.

        Returns
        -------
        Loaded
        """
        return cls(None, error.flag, None, error)


def measured_twice(load, width):
    """Load a row whose R90 is to be measured: a large galaxy needs a wide image.

    Parameters
    ----------
    load : callable
        Takes the width of an image in arcseconds, returns `Loaded`.
    width : float
        That of the first attempt.

    Returns
    -------
    Loaded
        Of the second attempt, in the wider of `~astromorph.galaxies.frames.MEASURE_WIDTHS`, where
        the first leaves the size open and the second does not.
    """
    loaded = load(width)
    if loaded.flag & MorphFlag.NO_SIZE and width < MEASURE_WIDTHS[1]:
        wider = load(MEASURE_WIDTHS[1])
        loaded = loaded if wider.flag & MorphFlag.NO_SIZE else wider
    return loaded
