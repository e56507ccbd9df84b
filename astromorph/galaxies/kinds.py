"""The forms in which a user may give galaxies: a table, positions, images, files, a folder."""
import glob
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io.fits import BinTableHDU, FITS_rec, HDUList, TableHDU
from astropy.table import Table

from astromorph.errors import ArgumentTypeError, wrong
from astromorph.images.pictures import picture_pixels
from astromorph.names import is_image_name, is_missing
from astromorph.tables import table_format
from astromorph.tables.data_frames import as_table
from astromorph.tables.fits_tables import holds_table

__all__ = ["as_galaxies", "as_image", "is_image", "is_table_file"]

_EXPECTED = ("a table, positions (SkyCoord), images or their file names, or the name of a folder "
             "of images")
_BYTES = (bytes, bytearray, memoryview)


def as_galaxies(data):
    """Convert galaxies in any form to a table, positions, or a list of images.

    Parameters
    ----------
    data : object
        A table (also of pandas or pyarrow), a SkyCoord, or an iterable of images or file names.
        Or an image in any form that `~astromorph.read_cutout` takes, the name of a folder of
        images, or a pattern of file names such as ``"cutouts/*.jpg"``.

    Returns
    -------
    `~astropy.table.Table`, `~astropy.coordinates.SkyCoord` or list
        The list has file names and images, and None where there is no image.

    Raises
    ------
    TypeError, ValueError
        If the data is anything else, or a folder or pattern without images.
    """
    if isinstance(data, SkyCoord):
        return data
    if (table := as_table(data)) is not None:
        return table
    if isinstance(data, (str, os.PathLike)):
        return _named(data)
    data = _numpy(data)
    if isinstance(data, np.ndarray) and data.dtype.kind in "buifcmM":
        return _stack(data)
    _check_columns(data)
    if is_image(data):
        return [as_image(data)]
    if not isinstance(data, Iterable):
        raise _no_galaxies(data)
    return [_checked(each) for each in (
        data.to_pylist() if hasattr(data, "to_pylist") else data)]


def as_image(value):
    """Convert one image, or an entry of a column, to a form that `~astromorph.read_cutout` takes.

    Parameters
    ----------
    value : object
        The image or entry.

    Returns
    -------
    object
        The image; an array if it was a picture of Pillow, None if it is missing.
    """
    value = _numpy(value.as_py() if hasattr(value, "as_py") else value)  # a scalar of pyarrow
    if value is np.ma.masked or not isinstance(value, (np.ndarray, *_BYTES)) and is_missing(value):
        return None
    if _is_pillow(value):
        try:
            return picture_pixels(value)
        except Exception:  # the picture is damaged, and reading it later flags its row
            return value
    return value


def _numpy(value):
    """Convert the array of another package, such as dask or xarray, to one of NumPy."""
    known = isinstance(value, (np.ndarray, np.generic)) or is_image(value)
    foreign = not known and {"__array__", "dtype", "ndim"} <= set(dir(value))
    return np.asarray(value) if foreign and value.ndim > 1 else value


def _check_columns(data):
    """Raise for tables in forms that are not read."""
    if isinstance(data, (FITS_rec, BinTableHDU, TableHDU)):
        raise _no_galaxies(data, hint="Read the file with astropy.table.Table.read.")
    if isinstance(data, Mapping) and any(
            isinstance(each, (list, tuple)) and not isinstance(each, HDUList)
            or getattr(each, "ndim", 2) == 1 for each in data.values()):
        raise _no_galaxies(data, hint="Pass a dict of columns as Table(data).")


def _checked(value):
    """Convert an element of a list to an image, or raise if it cannot be one."""
    value = as_image(value)
    if value is None or isinstance(value, (str, os.PathLike)) or is_image(value):
        return value
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "buif":
        return value
    raise _no_galaxies(value, "a list of ")


def is_image(value):
    """Tell whether a value is one image in memory, in a form other than an array of numbers.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    if isinstance(value, (SkyCoord, Table)):
        return False
    return (isinstance(value, (*_BYTES, HDUList, Mapping)) or _is_pillow(value)
            or "data" in dir(value) and not {"wcs", "header"}.isdisjoint(dir(value)))


def _is_pillow(value):
    return hasattr(value, "convert") and hasattr(value, "mode") and hasattr(value, "getbands")


def _no_galaxies(data, of="", hint=None):
    hint = "Pass all positions as one SkyCoord." if isinstance(data, SkyCoord) else hint
    return wrong("data", _EXPECTED, f"{of}{type(data).__name__}", hint, error=ArgumentTypeError)


def _stack(array):
    if array.ndim == 4:
        return list(array)
    if array.size == 0 and array.ndim == 1:
        return []
    if array.ndim < 2:
        raise wrong("data", _EXPECTED, "numbers", error=ArgumentTypeError)
    raise wrong("data", "an array of images with 4 dimensions (n, y, x, 3)",
                f"shape {array.shape}", "Pass [image] for a single image.")


def _named(name):
    """The images that a name means: those of a folder or a pattern, or one file."""
    path = Path(os.path.expanduser(name))
    if path.is_dir():
        found = sorted(str(file) for file in path.iterdir()
                       if is_image_name(file.name) and not file.name.startswith("."))
        if not found:
            raise wrong("data", "a folder with images (JPEG, PNG, FITS)", repr(str(name)),
                        "Read a catalog with astromorph.tables.read_table.")
        return found
    if glob.has_magic(str(name)) and not os.path.lexists(path):
        found = sorted(glob.glob(str(path), recursive=True))
        found = [file for file in found if not os.path.isdir(file)]
        if not found:
            raise wrong("data", "a pattern that matches at least one file", repr(str(name)))
        return found
    if is_table_file(path):
        raise wrong("data", _EXPECTED, f"the name of a table, {str(name)!r}",
                    "Read it first: Table.read, or astromorph.tables.read_table.")
    return [name]


def is_table_file(path):
    """Tell whether a file is a table rather than an image, by its name or its contents.

    Parameters
    ----------
    path : path

    Returns
    -------
    bool
    """
    try:
        return table_format(path) != "fits" or holds_table(path)
    except ValueError:
        return False
