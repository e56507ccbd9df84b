"""Pictures of galaxies, by address: TOPCAT shows the one of the row that is clicked."""
import os
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table

from astromorph.arguments import check_whole
from astromorph.errors import wrong
from astromorph.galaxies.given import images_of
from astromorph.services.endpoints import conf
from astromorph.services.framing import MAX_SIDE
from astromorph.surveys import SURVEYS, get_survey
from astromorph.tables.positions import arcseconds, find_positions, find_sizes

__all__ = ["add_thumbnails"]

_R90 = 8.48  # twice the frame of the bundled weights
_PIXELS = 256
_LARGEST = 10 * u.deg


def add_thumbnails(table, *, images=None, survey=None, width=None, pixels=_PIXELS,
                   column="thumbnail"):
    """Add a column with the address of a picture of each galaxy.

    TOPCAT takes it for its activation action "Display Image". The pictures are your own files, or
    those of the survey at each position, which the hips2fits service of the CDS makes when one is
    looked at. Nothing is downloaded here.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With positions, or with a column of image files.
    images : str, optional
        The column of image files. They get absolute addresses, so that the table can be opened
        from any folder of this machine.
    survey : str or `~astromorph.surveys.Survey`, optional
        For positions, whose images are shown; by default the survey that the weights are for.
    width : `~astropy.units.Quantity` or str, optional
        For positions, the width of the pictures as an angle, one or one per row, or the name of a
        column; by default 8.48 Petrosian R90 of the table. A width is at most 10 degrees.
    pixels : int
        For positions, the pixels of a picture on a side, at most 3000.
    column : str
        What the new column is called.

    Returns
    -------
    `~astropy.table.Table`
        A copy with the column, masked where there is no picture.

    Raises
    ------
    TypeError, ValueError
        If there are neither positions nor images, no widths, or no color images of the survey.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import Table
    >>> from astromorph.interop import add_thumbnails
    >>> table = Table({"ra": [10.0], "dec": [20.0]})
    >>> table = add_thumbnails(table, survey="sdss", width=40 * u.arcsec)
    >>> table["thumbnail"].meta["ucd"]
    'meta.ref.url'
    """
    if not isinstance(table, Table):
        raise wrong("table", "an astropy table", type(table).__name__)
    if not isinstance(column, str) or not column.strip():
        raise wrong("column", "the name of a new column", repr(column))
    if column in table.colnames:
        raise wrong("column", "the name of a new column", f"{column!r}, which the table has")
    addresses = (_of_files(table, images) if images is not None
                 else _of_survey(table, survey, width, pixels))
    result, missing = table.copy(), np.array([each is None for each in addresses], bool)
    kind, mask = (MaskedColumn, {"mask": missing}) if missing.any() else (Column, {})
    result[column] = kind(np.array([each or "" for each in addresses], str), **mask,
                          description="Address of a picture of the galaxy",
                          meta={"ucd": "meta.ref.url"})
    return result


def _of_files(table, images):
    names = images_of(table, images)
    if other := [each for each in names if not isinstance(each, (str, os.PathLike, type(None)))]:
        raise wrong("images", "a column of file names", f"{images!r} with {other[0]!r:.200}")
    return [None if name is None else name if "://" in str(name)
            else Path(os.path.abspath(name)).as_uri() for name in names]


def _of_survey(table, survey, width, pixels):
    check_whole(pixels, "pixels", 1, MAX_SIDE)
    record = _record(table, survey)
    hips = record.hips.get("color")
    if hips is None:
        raise wrong("survey", "one with color images (hips) in its record", record.name)
    ra, dec = find_positions(table)
    widths = (find_sizes(table) if width is None
              else arcseconds(table, width, "width", _LARGEST))
    if widths is None:
        raise wrong("width", "an angle, as 40 * u.arcsec, or the name of a column, as the table "
                    "has no column of R90", f"none, and the columns {table.colnames}")
    widths = np.where(widths > 0, widths, np.nan) * (_R90 if width is None else 1)
    return [_address(hips, *frame, pixels) if np.isfinite(frame).all() else None
            for frame in zip(ra, dec, widths)]


def _record(table, survey):
    """The survey whose images are shown: the one that is asked for, or that of the weights."""
    owner = table.meta.get("MORPHSRV")
    if survey is None and str(owner) not in SURVEYS:
        raise wrong("survey", f"one of {', '.join(map(repr, SURVEYS))}, or a Survey, as the table "
                    "does not say whose weights classified it (MORPHSRV in its meta)",
                    "none" if owner is None else f"none, and {owner!r:.60} in the meta",
                    "Pass survey=.")
    return get_survey(str(owner) if survey is None else survey)


def _address(hips, ra, dec, width, pixels):
    return f"{conf.hips2fits_url}?" + urlencode({
        "hips": hips, "ra": f"{ra:.6f}", "dec": f"{dec:.6f}", "fov": f"{width / 3600:.6f}",
        "width": pixels, "height": pixels, "projection": "TAN", "format": "jpg"})
