"""Galaxies whose images the user has."""
import os

import numpy as np
from astropy.table import Table

from astromorph.errors import CutoutError, wrong
from astromorph.flags import MorphFlag
from astromorph.galaxies.frames import FrameOptions
from astromorph.galaxies.kinds import as_galaxies, as_image
from astromorph.galaxies.loaded import Loaded
from astromorph.images.fits_planes import band_names
from astromorph.images.frames import read_frame
from astromorph.running.fingerprints import fingerprint, fingerprint_images
from astromorph.tables.positions import named_column

__all__ = ["GivenImages", "describe_survey", "images_of"]


class GivenImages:
    """Galaxies whose images the user has; a `~astromorph.galaxies.GalaxySource`.

    Parameters
    ----------
    data : object
        A table, or images in any form of `~astromorph.galaxies.kinds.as_galaxies`.
    images : str or list, optional
        For a table, the name of its column of images, or one image per row.
    frames : FrameOptions
        The known sizes.
    survey : `~astromorph.surveys.Survey`, optional
        Survey whose color mapping to use for flux.
    bands : str, optional
        Bands of FITS planes in their order.
    usual : `~astromorph.surveys.Survey`, optional
        See `~astromorph.images.fits_planes.read_planes`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.
    """

    prefetch, chunk, retryable = 256, 16, MorphFlag.READ_ERROR
    provenance_columns = {}

    def __init__(self, data, images=None, *, frames=FrameOptions(), survey=None, bands=None,
                 usual=None):
        if bands is not None:
            band_names(bands, survey or usual)
        data = as_galaxies(data)
        self.table, self._images = _table_and_images(data, images)
        n = len(self._images)
        self._sizes = frames.of_images(data if isinstance(data, Table) else self._images, n)
        # The user did not ask for a column that astromorph found, so its failure is not flagged.
        self._unsaid = MorphFlag.NO_WCS if frames.r90 is None else MorphFlag(0)
        self._options = {"survey": survey, "bands": bands, "usual": usual}
        self.threads = os.cpu_count()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def __len__(self):
        return len(self._images)

    def __iter__(self):
        return zip(self._images, *self._sizes, strict=True)

    def picture(self, row):
        """The image of one row, to show to people."""
        return self._images[row]

    def identity(self):
        """Describe the rows by name; equal for the same files with the same frames."""
        return self._identity(self._images)

    def _identity(self, images):
        cutout_r90, r90, pixel_scale = map(_sizes_fingerprint, self._sizes)
        return {"data": "images", "rows": len(self), "images": fingerprint_images(images),
                "cutout_r90": cutout_r90, "r90": r90, "pixel_scale": pixel_scale,
                "bands": self._options["bands"], "survey": describe_survey(self._options["survey"])}

    def load(self, item, size, frame_r90, margin=0):
        """Load one row; see `~astromorph.galaxies.GalaxySource`."""
        image, cutout_r90, r90, pixel_scale = item
        try:
            pixels, flag, scale = read_frame(
                image, size, frame_r90=frame_r90, cutout_r90=cutout_r90, r90=r90, measure=True,
                pixel_scale=pixel_scale, margin=margin, **self._options)
        except CutoutError as error:
            return Loaded.failed(error)
        return Loaded(pixels, flag & ~self._unsaid, pixel_scale=scale)


def _table_and_images(data, images):
    """The table to fill (a copy) and its images."""
    if isinstance(data, Table):
        return data.copy(), images_of(data, images) if isinstance(images, str) else images
    if images is not None:
        raise wrong("images", "no column without a table", f"data of type {type(data).__name__}")
    names = [_printable(image) for image in data if isinstance(image, (str, os.PathLike))]
    return Table({"file": names} if names and len(names) == len(data) else None), data


def _printable(name):
    """Convert a file name, of any bytes, to text that can be written to tables."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def images_of(table, name):
    """The images in a column of a table, which usually holds file names."""
    files = named_column(table, name, "images")
    if not len(files):  # such a column has any type
        return []
    if getattr(files, "ndim", 1) == 1 and getattr(files, "dtype", np.dtype("V")).kind not in "SUOV":
        raise wrong("images", "a column of file names or images",
                    f"{name!r} of type {files.dtype}")
    if getattr(files, "dtype", np.dtype("V")).kind == "S":  # file names in FITS tables are bytes
        files = np.char.decode(np.ma.filled(files, b""), "utf-8", "surrogateescape")
    return [as_image(each) for each in files]


def describe_survey(survey):
    """Describe a survey's record in one line, with a fingerprint; None if there is no survey."""
    return survey and f"{survey.name} {survey.release} {fingerprint(repr(survey))}"


def _sizes_fingerprint(values):
    """Fingerprint of the sizes of all rows: numbers, or one word or None for all."""
    first = values[0] if values else None
    return fingerprint(np.array(values) if isinstance(first, float) else first)
