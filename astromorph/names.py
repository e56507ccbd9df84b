"""Names of galaxies, and of the files that hold their images."""
import os
import re

import numpy as np

__all__ = ["IMAGE_ENDINGS", "as_names", "file_stem", "is_image_name", "is_missing"]

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", *(
    f".{fits}{packed}" for fits in ("fits", "fit", "fts") for packed in ("", ".gz", ".fz", ".bz2")))
"""Endings of the names of image files, in lower case (tuple of str)."""

_UNSAFE = re.compile(r"[/\\\0-\x1f]")


def is_image_name(name):
    """Tell whether a file name has one of the `IMAGE_ENDINGS`, in upper or lower case.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    return name.lower().endswith(IMAGE_ENDINGS)


def is_missing(value):
    """Tell whether an entry of a column is missing: masked, None, NaN, NA or blank text.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, (str, bytes)):
        return not value.strip()
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    return bool(getattr(value, "mask", False)) if np.ndim(getattr(value, "mask", 0)) == 0 else False


def as_names(values):
    """Convert identifiers to text, None where they are missing.

    Parameters
    ----------
    values : iterable
        Text, bytes or numbers, some of them perhaps masked.

    Returns
    -------
    list of str or None
    """
    values = values.to_pylist() if hasattr(values, "to_pylist") else values  # of pyarrow
    return [None if is_missing(each) else os.fsdecode(each) if isinstance(each, bytes)
            else str(each) for each in values]


def file_stem(name):
    """Make the name of a galaxy fit for a file name.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        The name, with ``_`` in place of slashes and control characters.
    """
    return _UNSAFE.sub("_", name)
