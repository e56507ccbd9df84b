"""Compute the width of each galaxy's frame."""
from dataclasses import dataclass

import numpy as np
from astropy import units as u

from astromorph.arguments import as_floats
from astromorph.errors import warn, wrong
from astromorph.tables.positions import angle_unit, arcseconds, find_sizes, named_column

__all__ = ["MEASURE", "MEASURE_WIDTHS", "FrameOptions", "column"]

MEASURE = "measure"
"""Value of the argument ``r90`` that means: measure R90 on each image."""
MEASURE_WIDTHS = (80.0, 320.0)
"""Widths in arcseconds of images to measure R90 on; the second if a galaxy overflows the first."""


@dataclass(frozen=True)
class FrameOptions:
    """The known sizes of galaxies and images.

    Parameters
    ----------
    cutout_r90 : float, array-like or str, optional
        Width of the cutouts in R90 of their galaxies: one number for all, one per row, or the name
        of a column.
    r90 : `~astropy.units.Quantity` or str, optional
        Petrosian R90: one angle for all, one per row, the name of a column, or ``"measure"``.
    width : `~astropy.units.Quantity` or str, optional
        Width of the cutouts: one angle for all, one per row, or the name of a column.
    pixel_scale : `~astropy.units.Quantity` or str, optional
        Angle of a pixel in images without a celestial WCS: one for all, one per row, or the name of
        a column.

    Raises
    ------
    ArgumentError
        If both ``cutout_r90`` and ``r90="measure"`` are given.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import Table
    >>> from astromorph.galaxies import FrameOptions
    >>> table = Table({"petroR90_r": [6.0, 7.0] * u.arcsec})
    >>> widths, r90 = FrameOptions().of_positions(table, 2, frame_r90=4.24)
    >>> widths
    array([25.44, 29.68])
    >>> FrameOptions(pixel_scale=0.4 * u.arcsec).of_images(table, 2)
    ([None, None], [6.0, 7.0], [0.4, 0.4])
    """

    cutout_r90: object = None
    r90: object = None
    width: object = None
    pixel_scale: object = None

    def __post_init__(self):
        if isinstance(self.cutout_r90, str) and self.cutout_r90 == MEASURE:
            raise wrong("cutout_r90", "the width of the cutouts in R90", repr(MEASURE),
                        'r90="measure" measures R90.')
        if self.measured and self.cutout_r90 is not None:
            raise wrong("cutout_r90, r90", "a width in R90, or R90 to be measured", "both")

    @property
    def measured(self):
        """Whether to measure R90 on the images (bool)."""
        return isinstance(self.r90, str) and self.r90 == MEASURE

    def of_images(self, data, n):
        """Compute the sizes of images that the user has.

        Without options, R90 comes from a column of the table with a known name.

        Parameters
        ----------
        data : `~astropy.table.Table` or list
            The galaxies.
        n : int
            Number of galaxies.

        Returns
        -------
        cutout_r90 : list
            Width of the image in R90 per row, or None.
        r90 : list
            R90 in arcseconds per row, ``"measure"`` or None.
        pixel_scale : list
            Arcseconds per pixel per row, or None.

        Raises
        ------
        ArgumentError
            If an option has a wrong value, or both ``cutout_r90`` and ``r90`` are given.
        """
        if self.cutout_r90 is not None and self.r90 is not None:
            raise wrong("cutout_r90, r90", "the width of the cutouts in R90, or R90 itself for "
                        "cutouts with a WCS", "both")
        r90 = self.r90
        if self.cutout_r90 is None and not self.measured:
            r90 = _found(data) if r90 is None else find_sizes(data, r90=r90)
        return (_spread(column(data, self.cutout_r90, "cutout_r90"), n), _spread(r90, n),
                _spread(_pixel_scales(data, self.pixel_scale), n))

    def of_positions(self, data, n, frame_r90):
        """Compute the widths of the images to fetch.

        Parameters
        ----------
        data : `~astropy.table.Table` or `~astropy.coordinates.SkyCoord`
            The galaxies.
        n : int
            Number of galaxies.
        frame_r90 : float
            Width of the network's frame in R90.

        Returns
        -------
        widths : `~numpy.ndarray`, shape (n,)
            Widths in arcseconds.
        r90 : sequence of length n
            R90 in arcseconds, or None to measure it.

        Raises
        ------
        ArgumentError
            If an option has a wrong value, or the sizes of the galaxies are unknown.
        """
        if self.measured:
            wide = MEASURE_WIDTHS[0] * u.arcsec if self.width is None else self.width
            return arcseconds(data, wide, "width"), [None] * n
        sizes = find_sizes(data, r90=self.r90)
        if self.width is not None:
            widths = arcseconds(data, self.width, "width")
            usual = widths / frame_r90
            return widths, usual if sizes is None else np.where(sizes > 0, sizes, usual)
        if sizes is None:
            raise wrong(
                "r90", "a column with the sizes of the galaxies, such as petroR90_r, or r90= (its "
                "name, or an angle), or width= (the width of the frames, an angle), or "
                'r90="measure" (measure R90 on each image)', "none of them")
        wide = column(data, self.cutout_r90, "cutout_r90")
        return sizes * (frame_r90 if wide is None else _numbers(wide, n)), sizes


def column(data, value, argument):
    """The column that a value names, or the value itself if it is not text."""
    return named_column(data, value, argument) if isinstance(value, str) else value


def _found(data):
    """R90 from a column of the table with a known name; None without a usable column."""
    try:
        return find_sizes(data)
    except ValueError as error:
        warn(f"The table's R90 cannot be used, so it is measured on the images: {error}")
        return None


def _pixel_scales(data, value):
    """Arcseconds per pixel; None if the user gave no pixel scale."""
    value = column(data, value, "pixel_scale")
    unit = angle_unit(getattr(value, "unit", None))
    if unit is not None and unit.is_equivalent(u.arcsec / u.pix):
        value = as_floats(getattr(value, "value", value), "pixel_scale") * (unit * u.pix)
    return None if value is None else arcseconds(data, value, "pixel_scale")


def _numbers(value, n):
    """Check widths in R90, one for all or one per row."""
    unit = getattr(value, "unit", None)
    if unit is not None and unit != u.dimensionless_unscaled:
        raise wrong("cutout_r90", "a number of R90", f"the unit {unit}",
                    "Pass an angle as r90= or, with positions, as width=.")
    values = as_floats(getattr(value, "value", value), "cutout_r90")
    if values.ndim and values.shape != (n,):
        raise wrong("cutout_r90", f"one number or {n}, one per galaxy", f"shape {values.shape}")
    if not values.ndim and not 0 < values < np.inf:
        raise wrong("cutout_r90", "a positive number of R90", repr(value))
    return values


def _spread(value, n):
    """Repeat a value so that there is one per row."""
    if value is None or isinstance(value, str):
        return [value] * n
    return np.broadcast_to(_numbers(value, n), (n,)).tolist()
