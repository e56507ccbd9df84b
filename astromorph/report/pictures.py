"""Pictures of the HTML report: figures and small galaxies as data addresses."""
import base64
import io
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from astromorph.errors import ImageError, wrong
from astromorph.galaxies.frames import MEASURE, FrameOptions
from astromorph.galaxies.placed import open_images
from astromorph.images import read_cutout

__all__ = ["ImageSource", "draw", "shrink"]

_SIDE = 200
"""Pixels of the longer side of a galaxy; enough to print at the size on the page."""


def draw(plot, *args, size=(4.0, 3.7), **options):
    """Return the drawing of a function of `astromorph.plots` as the address of a PNG."""
    from matplotlib.figure import Figure  # without pyplot, whose figures are the user's

    figure = Figure(figsize=size, layout="constrained")
    plot(*args, ax=figure.subplots(), **options)
    file = io.BytesIO()
    figure.savefig(file, dpi=144)
    return _address(file, "png")


def shrink(pixels):
    """Return a color image (y, x, 3) of 0..1 as the address of a small JPEG."""
    from PIL import Image

    picture = Image.fromarray(np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8))
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    return _address(file, "jpeg")


def _address(file, kind):
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


@dataclass(frozen=True)
class ImageSource:
    """Images of the rows, which are read one by one when the page needs them.

    Parameters
    ----------
    images : sequence or callable
        One image per row, or a function of the row's number.
    """

    images: object

    @classmethod
    def of(cls, table, images):
        """Make a source from the argument of `~astromorph.report.write_report`, or return None."""
        if images is None:
            return None
        if isinstance(images, (str, os.PathLike)):
            images = open_images(table, images, frame_r90=1,
                                 frames=FrameOptions(r90=MEASURE)).picture
        elif not isinstance(images, Callable) and len(images) != len(table):
            raise wrong("images", f"{len(table)} images, one per row of the table", len(images))
        return cls(images)

    def read(self, row):
        """Return (address, None), or (None, the reason why there is no picture)."""
        try:
            image = self.images(row) if isinstance(self.images, Callable) else self.images[row]
            if image is None or image is np.ma.masked or isinstance(image, str) and not image:
                return None, "no image"
            return shrink(read_cutout(image).pixels), None
        except ImageError as error:
            return None, error.flag.name
