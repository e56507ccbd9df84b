"""Galaxies whose images the user holds."""
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
    """Galaxies whose images the user holds: a `~astromorph.galaxies.GalaxySource`.

    Parameters
    ----------
    data : object
        A table, or images as `~astromorph.galaxies.kinds.as_galaxies` takes them.
    images : str or list, optional
        For a table, its column of images, or the image of each row.
    frames : FrameOptions
        What is known of sizes.
    survey : `~astromorph.surveys.Survey`, optional
        Whose color mapping FITS fluxes go through.
    bands : str, optional
        Bands of FITS planes in their order.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.
    """

    prefetch, chunk, retryable = 256, 16, MorphFlag.READ_ERROR
    provenance_columns = {}

    def __init__(self, data, images=None, *, frames=FrameOptions(), survey=None, bands=None):
        if bands is not None:
            band_names(bands, survey)
        data = as_galaxies(data)
        self.table, self._images = _table_and_images(data, images)
        n = len(self._images)
        self._sizes = frames.of_images(data if isinstance(data, Table) else self._images, n)
        # Nobody asked for a column that was found: where it cannot be used, nothing went wrong.
        self._unsaid = MorphFlag.NO_WCS if frames.r90 is None else MorphFlag(0)
        self._options = {"survey": survey, "bands": bands}
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
        """The image of one row, to look at."""
        return self._images[row]

    def identity(self):
        """Tell what the rows are, by name: equal for the same files in the same frames."""
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
    """A file's name as text that can be written, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def images_of(table, name):
    """The images of a table's column, which usually holds names of files."""
    files = named_column(table, name, "images")
    if getattr(files, "ndim", 1) == 1 and getattr(files, "dtype", np.dtype("V")).kind not in "SUOV":
        raise wrong("images", "a column of file names or images",
                    f"{name!r} of type {files.dtype}")
    if getattr(files, "dtype", np.dtype("V")).kind == "S":  # names as FITS tables have them
        files = np.char.decode(np.ma.filled(files, b""), "utf-8", "surrogateescape")
    return [as_image(each) for each in files]


def describe_survey(survey):
    """Name, release and all else of a survey's record in a line; None if there is none."""
    return survey and f"{survey.name} {survey.release} {fingerprint(repr(survey))}"


def _sizes_fingerprint(values):
    """Fingerprint of one size per row: numbers, or the same word or None for all."""
    first = values[0] if values else None
    return fingerprint(np.array(values) if isinstance(first, float) else first)
