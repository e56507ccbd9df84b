"""Names of galaxies, and of the files that hold their images."""
import os
import re

import numpy as np

__all__ = ["IMAGE_ENDINGS", "as_names", "file_stem", "is_image_name", "is_missing"]

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", *(
    f".{fits}{packed}" for fits in ("fits", "fit", "fts") for packed in ("", ".gz", ".fz", ".bz2")))
"""How the names of image files end, in lower case (tuple of str)."""

_UNSAFE = re.compile(r"[/\\\0-\x1f]")


def is_image_name(name):
    """Tell whether a file's name ends as those of images do.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    return name.lower().endswith(IMAGE_ENDINGS)


def is_missing(value):
    """Tell whether an entry of a column stands for nothing: masked, None, NaN, NA or blank.

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
    """Give identifiers as text, None where they are missing.

    Parameters
    ----------
    values : iterable
        Text, bytes or numbers, of which any may be masked.

    Returns
    -------
    list of str or None
    """
    values = values.to_pylist() if hasattr(values, "to_pylist") else values  # of pyarrow
    return [None if is_missing(each) else os.fsdecode(each) if isinstance(each, bytes)
            else str(each) for each in values]


def file_stem(name):
    """Give the name of a galaxy as part of a file's name: without slashes and control characters.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        With ``_`` in place of these.
    """
    return _UNSAFE.sub("_", name)
