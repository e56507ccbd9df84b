"""How wide the frame of each galaxy is."""
from dataclasses import dataclass

import numpy as np
from astropy import units as u

from astromorph.arguments import as_floats
from astromorph.errors import warn, wrong
from astromorph.tables.positions import angle_unit, arcseconds, find_sizes, named_column

__all__ = ["MEASURE", "MEASURE_WIDTHS", "FrameOptions", "column"]

MEASURE = "measure"
"""Given as ``r90``: measure R90 on each image."""
MEASURE_WIDTHS = (80.0, 320.0)
"""Arcseconds: frames to measure R90 in, the second where the galaxy overflows the first."""


@dataclass(frozen=True)
class FrameOptions:
    """What is known of the sizes of galaxies and images.

    Parameters
    ----------
    cutout_r90 : float, array-like or str, optional
        Width of the cutouts in Petrosian R90 of their galaxies: a number, one per row, or the name
        of a column.
    r90 : `~astropy.units.Quantity` or str, optional
        Petrosian R90 as an angle, one or one per row; the name of a column; or ``"measure"``.
    width : `~astropy.units.Quantity` or str, optional
        Width of the cutouts as an angle, one or one per row, or the name of a column.
    pixel_scale : `~astropy.units.Quantity` or str, optional
        Angle of a pixel of images without a celestial WCS, one or one per row, or the name of a
        column.

    Raises
    ------
    ValueError
        If ``cutout_r90`` and ``r90="measure"`` are both given.
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
        """Whether R90 is measured on the images (bool)."""
        return isinstance(self.r90, str) and self.r90 == MEASURE

    def of_images(self, data, n):
        """Work out the sizes of images that are given.

        Without an option that says more, R90 comes from the column of a table with a usual name.

        Parameters
        ----------
        data : `~astropy.table.Table` or list
            The galaxies.
        n : int
            How many.

        Returns
        -------
        cutout_r90, r90, pixel_scale : list
            Per row, the width of the image in R90, or None; R90 in arcseconds, ``"measure"`` or
            None; and arcseconds per pixel, or None.

        Raises
        ------
        ValueError
            If an option is not as described, or both are given.
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
        """Work out the widths of the images to fetch.

        Parameters
        ----------
        data : `~astropy.table.Table` or `~astropy.coordinates.SkyCoord`
            The galaxies.
        n : int
            How many.
        frame_r90 : float
            Width of the network's frame in R90.

        Returns
        -------
        widths : `~numpy.ndarray`, shape (n,)
            Arcseconds.
        r90 : sequence of length n
            Arcseconds, or None to measure it.

        Raises
        ------
        ValueError
            If an option is not as described, or nothing tells the sizes.
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
    """A column where a value names one, else the value."""
    return named_column(data, value, argument) if isinstance(value, str) else value


def _found(data):
    """R90 of a table's column with a usual name, None without one that can be used."""
    try:
        return find_sizes(data)
    except ValueError as error:
        warn(f"R90 is not taken from the table but measured on the images: {error}")
        return None


def _pixel_scales(data, value):
    """Arcseconds per pixel, None where not given."""
    value = column(data, value, "pixel_scale")
    unit = angle_unit(getattr(value, "unit", None))
    if unit is not None and unit.is_equivalent(u.arcsec / u.pix):
        value = as_floats(getattr(value, "value", value), "pixel_scale") * (unit * u.pix)
    return None if value is None else arcseconds(data, value, "pixel_scale")


def _numbers(value, n):
    """One width in R90, or one per row."""
    unit = getattr(value, "unit", None)
    if unit is not None and unit != u.dimensionless_unscaled:
        raise wrong("cutout_r90", "a number of R90", f"the unit {unit}",
                    "Sizes as angles are r90= and, with positions, width=.")
    values = as_floats(getattr(value, "value", value), "cutout_r90")
    if values.ndim and values.shape != (n,):
        raise wrong("cutout_r90", f"one number or {n}, one per galaxy", f"shape {values.shape}")
    if not values.ndim and not 0 < values < np.inf:
        raise wrong("cutout_r90", "a positive number of R90", repr(value))
    return values


def _spread(value, n):
    """One width per row, of an image."""
    if value is None or isinstance(value, str):
        return [value] * n
    return np.broadcast_to(_numbers(value, n), (n,)).tolist()
