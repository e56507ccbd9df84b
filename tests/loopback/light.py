"""What galaxies look like: the package's simulated sample and an asymmetric test galaxy."""
from functools import cache

import numpy as np
from astropy.io import fits
from scipy.ndimage import map_coordinates, spline_filter

from astromorph.datasets import load_sample

__all__ = ["PIXEL", "Light", "asymmetric", "sample"]

PIXEL = 0.396127  # arcsec, of the sample
_MADE_FROM = {"u": ("g", 0.3), "z": ("i", 1.2), "Y": ("i", 1.25),
              "VIS": ("r", 1.0), "J": ("i", 1.4), "H": ("i", 1.6)}
_NOISE = {"g": 0.0159, "r": 0.0269, "i": 0.0425}  # nanomaggies, that of the sample
_CANVAS, _TILE = 256, 128  # pixels


class Light:
    """Flux around one galaxy's center, in nanomaggies per SDSS pixel, with noise everywhere.

    Parameters
    ----------
    planes : dict
        g, r, i, each (y, x) with an even number of rows and columns, up to 256; row 0 in the
        south, column 0 in the east, the galaxy at the center.
    r90 : float
        Petrosian R90 in arcseconds.
    mag : float
        r magnitude.
    kind : str
        Its morphology.
    """

    def __init__(self, planes, *, r90, mag, kind):
        self.r90, self.mag, self.kind = r90, mag, kind
        self._canvas = {band: spline_filter(canvas) for band, canvas in _all_bands(
            {band: _on_sky(planes[band], band) for band in "gri"}).items()}

    def flux(self, bands, east, north):
        """Interpolate by cubic splines at offsets in arcseconds; the shape is (band, *offsets)."""
        x, y = -east / PIXEL, north / PIXEL
        inside = np.maximum(abs(x), abs(y)) < _CANVAS / 2 - 1
        everywhere = inside.all()
        flux = np.empty((len(bands), *x.shape), np.float32)
        for plane, band in zip(flux, bands):
            if not everywhere:
                map_coordinates(_sky()[band], (y - 0.5, x - 0.5), plane, mode="grid-wrap")
            at = _CANVAS / 2 - 0.5 + np.array((y[inside], x[inside]))
            plane[inside] = map_coordinates(self._canvas[band], at, prefilter=False)
        return flux


@cache
def sample():
    """Read the simulated galaxies of the package."""
    return tuple(_read(path) for path in load_sample()["file"])


@cache
def asymmetric():
    """Make a disk with a blue knot to the north-east and a red knot to the south.

    Every flip, rotation and exchange of bands shows.
    """
    y, x = (np.indices((160, 160)) - 79.5) * PIXEL
    x = -x  # to the east
    disk = np.exp(-np.hypot(x / 3.5, y / 2.5))

    def knot(east, north):
        return np.exp(-((x - east) ** 2 + (y - north) ** 2) / (2 * 1.2**2))

    blue, red = knot(7.0, 7.0), knot(0.0, -9.0)
    noise = np.random.default_rng(7).normal(size=(3, *x.shape))
    planes = {"g": 0.8 * disk + 1.2 * blue, "r": 1.6 * disk + 0.5 * blue + 0.4 * red,
              "i": 2.2 * disk + 0.2 * blue + 1.6 * red}
    order = np.hypot(x, y).ravel().argsort()
    growth = planes["r"].ravel()[order].cumsum()
    r90 = np.hypot(x, y).ravel()[order][np.searchsorted(growth, 0.9 * growth[-1])]
    mag = 22.5 - 2.5 * np.log10(growth[-1])
    noisy = {band: plane + _NOISE[band] * one for (band, plane), one in zip(planes.items(), noise)}
    return Light(noisy, r90=float(r90), mag=float(mag), kind="asymmetric")


def _read(path):
    with fits.open(path) as hdus:
        header, data = hdus[0].header, np.float32(hdus[0].data)
    planes = dict(zip(header["BANDS"], data))
    return Light(planes, r90=header["PETROR90"], mag=header["MAG_R"], kind=header["MORPH"])


def _on_sky(plane, band):
    """Put a stamp into the middle of the noise, which repeats with the tile."""
    canvas = np.tile(_sky()[band], (_CANVAS // _TILE,) * 2)
    start_y, start_x = ((_CANVAS - n) // 2 for n in plane.shape)
    canvas[start_y:start_y + plane.shape[0], start_x:start_x + plane.shape[1]] = plane
    return canvas


@cache
def _sky():
    """Noise of the sky in each band: one tile."""
    noise = np.random.default_rng(3).normal(size=(3, _TILE, _TILE)).astype(np.float32)
    return _all_bands({band: _NOISE[band] * plane for band, plane in zip("gri", noise)})


def _all_bands(planes):
    return planes | {band: factor * planes[other] for band, (other, factor) in _MADE_FROM.items()}
