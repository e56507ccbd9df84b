"""Images that the user holds -> network pixels, row by row."""
import os
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io.fits import HDUList
from astropy.table import Table

from astromorph.running.fingerprints import fingerprint
from astromorph.flags import MorphFlag
from astromorph.images import load_frame
from astromorph.metrics import as_floats
from astromorph.tables.positions import find_sizes, named_column

__all__ = ["ImageRows", "column", "describe_survey", "named_images"]


class ImageRows:
    """The rows of a table or list of images; the parameters are those of
    `~astromorph.classifier.MorphologyClassifier.classify`.

    Attributes
    ----------
    table : `~astropy.table.Table`
        The table to fill, a copy.
    threads, ahead : int
        Threads that load rows by default, and rows to load ahead.
    together : int
        Rows that a thread loads at a time.
    transient : `~astromorph.flags.MorphFlag`
        The bits that another attempt may clear.
    """

    prefetch, chunk, retryable = 256, 16, MorphFlag(0)

    def __init__(self, data, images=None, *, cutout_r90=None, r90=None, survey=None, bands=None):
        self.table, self._sources = _table_and_sources(data, images)
        if cutout_r90 is not None and r90 is not None:
            raise ValueError("cutout_r90, r90: both were given. Expected the width of the cutouts "
                             "in R90, or R90 itself for cutouts with a WCS.")
        if r90 is not None:
            r90 = find_sizes(data if isinstance(data, Table) else self._sources, r90=r90)
        self._sizes = (_spread(column(data, cutout_r90, "cutout_r90"), len(self)),
                       _spread(r90, len(self)))
        self._options = {"survey": survey, "bands": bands}
        self.threads = os.cpu_count()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def __len__(self):
        return len(self._sources)

    def __iter__(self):
        return zip(self._sources, *self._sizes)

    def identity(self):
        """What the rows are, by name (dict): equal for the same files in the same frames."""
        cutout_r90, r90 = map(_sizes_fingerprint, self._sizes)
        return {"data": "images", "rows": len(self), "images": fingerprint(self._sources),
                "cutout_r90": cutout_r90, "r90": r90, "bands": self._options["bands"],
                "survey": describe_survey(self._options["survey"])}

    def load(self, row, size, frame_r90, margin=0):
        """(pixels, flag, provenance) of a row; raises CutoutError."""
        source, cutout_r90, r90 = row
        return *load_frame(source, size, frame_r90=frame_r90, cutout_r90=cutout_r90,
                           r90_arcsec=r90, margin=margin, **self._options), None


def _sources(data):
    """A list of images from whatever holds them."""
    if isinstance(data, SkyCoord):
        raise ValueError("data: expected images. Received positions, which `classify` takes.")
    if isinstance(data, np.ndarray) and data.ndim == 3:
        raise ValueError(f"data: expected images, an array of them has 4 dimensions (n, y, x, 3). "
                         f"Received shape {data.shape}; pass [image] for a single one.")
    single = isinstance(data, (str, Path, bytes, HDUList, dict)) or not hasattr(data, "__len__")
    return [data] if single or hasattr(data, "wcs") else list(data)


def _table_and_sources(data, images):
    """The table to fill (a copy) and its images."""
    if not isinstance(data, Table):
        if images is not None:
            raise ValueError("images: names a column of a table. "
                             f"Received data of type {type(data).__name__}.")
        sources = _sources(data)
        names = [str(source) for source in sources if isinstance(source, (str, Path))]
        return Table({"file": names} if names and len(names) == len(sources) else None), sources
    return data.copy(), list(named_images(data, images))


def named_images(table, name):
    """The column of a table that holds images, usually names of files."""
    files = named_column(table, name, "images")
    if files.dtype.kind == "S":  # names as FITS tables have them, not the bytes of images
        files = np.char.decode(np.ma.filled(files, b""), "utf-8")
    return files


def column(data, value, argument):
    """A column where a value names one, else the value."""
    return (named_column(data, value, argument)
            if isinstance(value, str) and value != "measure" else value)


def describe_survey(survey):
    """Name, release and all else of a survey's record in a line; None if there is none."""
    return survey and f"{survey.name} {survey.release} {fingerprint(repr(survey))}"


def _sizes_fingerprint(values):
    """That of what `_spread` made: numbers, or the same word or None for all."""
    first = values[0] if values else None
    return fingerprint(np.array(values) if isinstance(first, float) else first)


def _spread(value, n):
    """One width a row."""
    if value is None or isinstance(value, str):
        return [value] * n
    values = as_floats(value, "cutout_r90")
    if values.ndim and values.shape != (n,):
        raise ValueError(f"cutout_r90: expected one number or {n}, one a galaxy. "
                         f"Received shape {values.shape}.")
    return np.broadcast_to(values, (n,)).tolist()
