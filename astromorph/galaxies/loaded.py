"""What comes of loading one galaxy."""
from typing import NamedTuple

import numpy as np

from astromorph.errors import ImageError
from astromorph.flags import MorphFlag

__all__ = ["Loaded"]


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
    """

    pixels: np.ndarray | None
    flag: MorphFlag
    provenance: tuple | None = None
    error: ImageError | None = None

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
