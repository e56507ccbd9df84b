"""The simulated sky: which galaxy is where, and its light on the pixels of any frame."""
import math
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from astromorph.surveys import SURVEYS
from loopback.light import Light, asymmetric, sample

__all__ = ["Galaxy", "Grid", "Sky", "View"]

# DECam's color mapping is brighter: so dimmed, galaxies and noise look as in SDSS.
_BRIGHTNESS = {"sdss": 1.0, "legacy": 0.12, "des": 0.12} | {
    name: 0.4 / survey.scales[survey.rgb[len(survey.rgb) // 2]]
    for name, survey in SURVEYS.items() if name not in ("sdss", "legacy", "des")}
_REACH = 10.0  # arcsec around a registered galaxy where it is the one that is seen
_CELL = 50  # thousandths of a degree; each such cell of the sky has one galaxy of the catalogs


@dataclass(frozen=True)
class Galaxy:
    """A galaxy at a position (ICRS, degrees)."""

    ra: float
    dec: float
    light: Light

    @property
    def r90(self):
        """Petrosian R90 in arcseconds."""
        return self.light.r90

    @property
    def kind(self):
        """Its morphology."""
        return self.light.kind


@dataclass(frozen=True)
class Grid:
    """Pixels on the tangent plane at (ra, dec): a TAN WCS without astropy's costs.

    Parameters
    ----------
    ra, dec : float
        Where the plane touches the sphere, degrees: CRVAL.
    x, y : float
        The pixel there, counted from 0: CRPIX - 1.
    cd : tuple of float
        Arcseconds east and north for one pixel: CD1_1, CD1_2, CD2_1, CD2_2.
    width, height : int
        Number of pixels.
    """

    ra: float
    dec: float
    x: float
    y: float
    cd: tuple
    width: int
    height: int

    @classmethod
    def centered(cls, ra, dec, *, scale, width, height):
        """North up, east left, (ra, dec) at the middle; ``scale`` in arcseconds per pixel."""
        return cls(ra, dec, (width - 1) / 2, (height - 1) / 2, (-scale, 0.0, 0.0, scale), width,
                   height)

    def cards(self):
        """Header of the WCS, as (keyword, value)."""
        cd = [value / 3600 for value in self.cd]
        return [("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CUNIT1", "deg"),
                ("CUNIT2", "deg"), ("CRVAL1", self.ra), ("CRVAL2", self.dec),
                ("CRPIX1", self.x + 1), ("CRPIX2", self.y + 1), ("RADESYS", "ICRS"),
                ("CD1_1", cd[0]), ("CD1_2", cd[1]), ("CD2_1", cd[2]), ("CD2_2", cd[3])]


@dataclass(frozen=True)
class View:
    """All that the pixels of a frame depend on: equal views have equal pixels.

    Parameters
    ----------
    light : Light
    brightness : float
        Of the survey, relative to SDSS.
    bands : str or tuple of str
    offset : tuple of float
        Of the galaxy from the grid's (ra, dec), arcseconds to the east and north.
    limits : tuple of float
        Lowest and highest offset to the north with data, arcseconds.
    pixels : tuple
        x, y, cd, width and height of the `Grid`.
    """

    light: Light
    brightness: float
    bands: str
    offset: tuple
    limits: tuple
    pixels: tuple

    @lru_cache(maxsize=24)
    def planes(self):
        """Flux in nanomaggies per native pixel, (band, y, x) float32; NaN where there is none."""
        x0, y0, (a, b, c, d), width, height = self.pixels
        x, y = np.arange(width) - x0, np.arange(height)[:, None] - y0
        east, north = a * x + b * y, c * x + d * y
        flux = self.light.flux(self.bands, east - self.offset[0], north - self.offset[1])
        flux *= self.brightness
        flux[:, (north < self.limits[0]) | (north > self.limits[1])] = np.nan
        flux.flags.writeable = False
        return flux

    @lru_cache(maxsize=4096)
    def coverage(self):
        """Fraction of the pixels with data."""
        return 1.0 if self.limits == _EVERYWHERE else float(np.isfinite(self.planes()[0]).mean())


_EVERYWHERE = (-math.inf, math.inf)
_CUT = {"blank": (math.inf, -math.inf), "half": (-math.inf, 0.0)}


class Sky:
    """Galaxies on the sphere: at every position that is asked there is one.

    A registered galaxy is seen within 10 arcseconds of it. Anywhere else there is one of the sample
    at the asked position, rounded to 1e-3 degree, which also chooses it. Catalogs list the
    registered ones and a field of about 400 in a square degree on that raster.

    Parameters
    ----------
    galaxies : list of (ra, dec, light), optional
        See `add`.
    footprints : dict, optional
        Survey name to its lowest and highest declination, in degrees; the others have those of
        `astromorph.surveys.SURVEYS`. The attribute can be changed at any time.
    field : bool, optional
        False leaves only registered galaxies in the catalogs.
    frame_shape : tuple of int, optional
        Height and width of SDSS frames; real ones have (1489, 2048).
    """

    def __init__(self, galaxies=None, *, footprints=None, field=True, frame_shape=(400, 512)):
        self.footprints = {name: s.declinations for name, s in SURVEYS.items()} | (footprints or {})
        self.field, self.frame_shape = field, frame_shape
        self._registered = []
        for galaxy in galaxies or ():
            self.add(*galaxy)

    def add(self, ra, dec, light="asymmetric"):
        """Register a galaxy.

        Parameters
        ----------
        ra, dec : float
            Degrees.
        light : int, "asymmetric" or Light
            Which it is; a number is that in the sample, 0 to 11.

        Returns
        -------
        Galaxy
        """
        if isinstance(light, int):
            light = sample()[light]
        galaxy = Galaxy(ra, dec, asymmetric() if light == "asymmetric" else light)
        self._registered = [*self._registered, galaxy]
        return galaxy

    def galaxy_at(self, ra, dec):
        """Tell which galaxy is seen at a position: its ra, dec, r90, kind and light."""
        near = [(_distance(galaxy, ra, dec), galaxy) for galaxy in self._registered
                if abs(galaxy.dec - dec) * 3600 < _REACH]
        separation, galaxy = min(near, key=lambda one: one[0], default=(math.inf, None))
        return galaxy if separation < _REACH else _hashed(round(ra * 1000), round(dec * 1000))

    def covers(self, survey, dec):
        """Whether a survey has data at a declination."""
        low, high = self.footprints[survey]
        return low <= dec <= high

    def view(self, survey, grid, bands, *, cut=None):
        """Point a survey at the sky, to see the galaxy that is at the grid's position.

        Parameters
        ----------
        survey : str
        grid : Grid
        bands : str
        cut : {"half", "blank"}, optional
            Leave out the northern half, or everything.
        """
        galaxy = self.galaxy_at(grid.ra, grid.dec)
        east, north = _tangent(galaxy.ra, galaxy.dec, grid.ra, grid.dec)
        reach = 1.5 * max(map(abs, grid.cd)) * (grid.width + grid.height)
        low, high = ((dec - grid.dec) * 3600 for dec in self.footprints[survey])
        limits = (round(low, 3) if low > -reach else -math.inf,
                  round(high, 3) if high < reach else math.inf)
        return View(galaxy.light, _BRIGHTNESS[survey], bands, (round(east, 3), round(north, 3)),
                    _CUT.get(cut, limits), (grid.x, grid.y, grid.cd, grid.width, grid.height))

    def render(self, survey, ra, dec, width_arcsec, pixels, bands):
        """Draw a square frame, north up and east left.

        Returns
        -------
        dict
            Band to flux in nanomaggies per native pixel of the survey, (pixels, pixels) float32,
            row 0 in the south and column 0 in the east, NaN outside the footprint.
        """
        grid = Grid.centered(ra, dec, scale=width_arcsec / pixels, width=pixels, height=pixels)
        return dict(zip(bands, self.view(survey, grid, "".join(bands)).planes()))

    def catalog(self, survey, ra, dec, radius):
        """List the galaxies that a survey has within a circle; all angles in degrees."""
        high = min(abs(dec) + radius, 89.999)
        half = min(radius / math.cos(math.radians(high)), 180.0)
        return [galaxy for galaxy in self.box(survey, ra - half, ra + half, dec - radius,
                                              dec + radius)
                if _distance(galaxy, ra, dec) <= radius * 3600]

    def box(self, survey, ra_low, ra_high, dec_low, dec_high):
        """List the galaxies that a survey has between limits, in degrees; ra_low may be < 0."""
        low, high = self.footprints[survey]
        dec_low, dec_high = max(dec_low, low, -90.0), min(dec_high, high, 90.0)
        field = _field(ra_low, ra_high, dec_low, dec_high) if self.field else ()
        seen = [galaxy for galaxy in field if self.galaxy_at(galaxy.ra, galaxy.dec) == galaxy]
        return [galaxy for galaxy in (*seen, *self._registered)
                if dec_low <= galaxy.dec <= dec_high
                and (galaxy.ra - ra_low) % 360 <= ra_high - ra_low]


def _field(ra_low, ra_high, dec_low, dec_high):
    cells = range(math.floor(ra_low * 1000 / _CELL), math.floor(ra_high * 1000 / _CELL) + 1)
    rows = range(math.floor(dec_low * 1000 / _CELL), math.floor(dec_high * 1000 / _CELL) + 1)
    return dict.fromkeys(_in_cell(cell % (360_000 // _CELL), row) for row in rows
                         for cell in cells)


def _in_cell(cell, row):
    place = _hash(cell, row, "cell")
    return _hashed(cell * _CELL + place % _CELL, row * _CELL + place // _CELL % _CELL)


@lru_cache(maxsize=65536)
def _hashed(ra, dec):
    """Galaxy at a position of the raster, in thousandths of a degree."""
    ra %= 360_000
    return Galaxy(ra / 1000, dec / 1000, sample()[_hash(ra, dec, "kind") % len(sample())])


def _hash(*values):
    return zlib.crc32(repr(values).encode())


def _tangent(ra, dec, ra0, dec0):
    """Gnomonic offset of (ra, dec) from (ra0, dec0), arcseconds to the east and north."""
    dra, dec, dec0 = (math.radians(angle) for angle in (ra - ra0, dec, dec0))
    away = math.sin(dec0) * math.sin(dec) + math.cos(dec0) * math.cos(dec) * math.cos(dra)
    east = math.cos(dec) * math.sin(dra)
    north = math.cos(dec0) * math.sin(dec) - math.sin(dec0) * math.cos(dec) * math.cos(dra)
    return math.degrees(east / away) * 3600, math.degrees(north / away) * 3600


def _distance(galaxy, ra, dec):
    """Angle between a galaxy and a position, arcseconds (haversine)."""
    dec1, dec2 = math.radians(galaxy.dec), math.radians(dec)
    half = (math.sin((dec1 - dec2) / 2) ** 2
            + math.cos(dec1) * math.cos(dec2) * math.sin(math.radians(galaxy.ra - ra) / 2) ** 2)
    return math.degrees(2 * math.asin(min(math.sqrt(half), 1.0))) * 3600
