"""Measure the size of the galaxy in an image."""
from typing import NamedTuple

import numpy as np
import sep

__all__ = ["MOST_AT_EDGE", "MOST_BEYOND", "PICTURE_STRETCH", "GalaxySize", "measure_r90",
           "measure_size", "trusted_r90"]

PICTURE_STRETCH = 7.5
"""Stretch of SDSS JPEGs (float): 8 in Lupton et al. (2004), but this value gives unbiased R90."""
MOST_BEYOND = 0.25
"""Largest fraction of the galaxy's light beyond a trusted R90; by definition it is 0.1 (float)."""
MOST_AT_EDGE = 0.05
"""Largest fraction of the image's edge that a galaxy with a trusted R90 covers (float)."""
_WORKING_SIDE = 128


class GalaxySize(NamedTuple):
    """The size of a galaxy on its image, and two numbers that say how reliable it is.

    Parameters
    ----------
    r90 : float
        R90 in pixels.
    beyond : float
        Fraction of the light of the galaxy's pixels that lies beyond R90.
    at_edge : float
        Fraction of the pixels at the image's edge that belong to the galaxy.
    """

    r90: float
    beyond: float
    at_edge: float


def measure_r90(pixels, *, stretch: float = PICTURE_STRETCH) -> float:
    """Measure R90 of the galaxy at the center of a color image.

    R90 is the radius that holds 90% of the flux within two Petrosian radii, in circular apertures.
    The Petrosian radius is where the local surface brightness falls to a fifth of the mean inside.
    SDSS defines petroR90 in the same way (Blanton et al. 2001, AJ 121, 2358).

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (y, x, 3)
        Color image, from 0 to 1.
    stretch : float, optional
        Stretch of the picture, which shows arcsinh(stretch * flux) / stretch. By default that of
        SDSS color JPEGs. For an image of `color_composite` it is the square root of the survey's
        softening.

    Returns
    -------
    float
        R90 in pixels; NaN if there is no source at the center, or the image does not show all of
        it.

    See Also
    --------
    read_cutout : Read an image.

    Notes
    -----
    The stretch is undone approximately. Neighbors are masked, and the mean of the other pixels at
    the same radius replaces them.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import measure_r90
    >>> y, x = np.indices((100, 100)) - 49.5
    >>> flux = 0.05 * np.exp(-np.hypot(x, y) / 5)
    >>> picture = np.repeat(np.arcsinh(7.5 * flux)[..., None] / 7.5, 3, axis=2)
    >>> print(f"{measure_r90(picture):.0f} pixels")
    19 pixels
    """
    return measure_size(pixels, stretch=stretch).r90


def trusted_r90(pixels, frame_r90, *, stretch=PICTURE_STRETCH):
    """Measure R90, and return NaN if it is unreliable.

    If a galaxy fills the image, there is no sky to subtract, and R90 describes only its bright
    middle. So the frame must fit into the image, and the galaxy may cover at most `MOST_AT_EDGE` of
    the image's edge. At most `MOST_BEYOND` of its light may lie beyond R90.

    Parameters
    ----------
    pixels, stretch
        See `measure_r90`.
    frame_r90 : float
        Width of the frame in R90.

    Returns
    -------
    float
        R90 in pixels; NaN if it is unreliable.
    """
    size = measure_size(pixels, stretch=stretch)
    trusted = (size.r90 * frame_r90 <= min(pixels.shape[:2]) and size.at_edge <= MOST_AT_EDGE
               and size.beyond <= MOST_BEYOND)
    return size.r90 if trusted else np.nan


def measure_size(pixels, *, stretch=PICTURE_STRETCH):
    """Measure R90 of the galaxy at the center, and how reliable it is.

    Parameters
    ----------
    pixels, stretch
        See `measure_r90`.

    Returns
    -------
    GalaxySize
        All NaN if there is no source at the center.
    """
    gray = _gray(np.asarray(pixels))
    step = max(min(gray.shape) // _WORKING_SIDE, 1)
    flux = _block_mean(np.sinh(stretch * gray) / stretch, step)
    corners = _corners(flux)
    flux -= np.median(corners)
    noise = 1.4826 * np.median(np.abs(corners - np.median(corners)))
    try:
        sources, labels = sep.extract(flux, max(1.5 * noise, 3e-3), minarea=9, deblend_cont=0.02,
                                      segmentation_map=True)
    except Exception:  # sep has its own errors, such as when a crowded field overflows its buffers
        return GalaxySize(np.nan, np.nan, np.nan)
    center = _central(sources, labels.shape)
    if center is None:
        return GalaxySize(np.nan, np.nan, np.nan)
    galaxy, x, y = labels == center + 1, sources["x"][center], sources["y"][center]
    r90 = _petrosian_r90(flux, (labels == 0) | galaxy, x, y)
    edge = np.concatenate([galaxy[0], galaxy[-1], galaxy[:, 0], galaxy[:, -1]])
    return GalaxySize(step * r90, _share_beyond(r90, flux, galaxy, x, y), edge.mean())


def _gray(pixels):
    """The mean of the bands; NumPy is several times faster band by band."""
    total = pixels[..., 0].astype(np.float64)
    for band in range(1, pixels.shape[-1]):
        total += pixels[..., band]
    return total / pixels.shape[-1]


def _block_mean(image, step):
    ny, nx = (n // step for n in image.shape)
    return image[:ny * step, :nx * step].reshape(ny, step, nx, step).mean(axis=(1, 3))


def _corners(image):
    ny, nx = (max(n // 8, 1) for n in image.shape)
    return np.concatenate([image[y, x].ravel() for y in (slice(ny), slice(-ny, None))
                           for x in (slice(nx), slice(-nx, None))])


def _central(sources, shape):
    """Index of the brightest source near the center, or None."""
    y, x = ((n - 1) / 2 for n in shape)
    near = np.flatnonzero(np.hypot(sources["x"] - x, sources["y"] - y) < 0.1 * min(shape))
    return near[np.argmax(sources["flux"][near])] if near.size else None


def _share_beyond(radius, flux, galaxy, x, y):
    rows, columns = np.nonzero(galaxy)
    light = flux[galaxy]
    return light[np.hypot(columns - x, rows - y) > radius].sum() / light.sum()


def _petrosian_r90(flux, use, x, y):
    ny, nx = flux.shape
    edge = int(min(x, y, nx - 1 - x, ny - 1 - y))
    rings = np.hypot(np.arange(nx) - x, (np.arange(ny) - y)[:, None]).astype(int)
    counts, sums = (np.bincount(rings[use], weights, minlength=edge)[:edge]
                    for weights in (None, flux[use]))
    radii = np.arange(edge + 1.0)
    total = np.append(0, np.cumsum(sums / np.maximum(counts, 1) * np.pi * np.diff(radii**2)))
    within = 1.25 * radii < edge
    r = radii[within][2:]
    inner, mean, outer = (np.interp(factor * r, radii, total) / (np.pi * (factor * r) ** 2)
                          for factor in (0.8, 1, 1.25))
    local = (1.25**2 * outer - 0.8**2 * inner) / (1.25**2 - 0.8**2)
    faint = np.flatnonzero(local < 0.2 * mean)
    if not faint.size:
        return np.nan
    whole = np.interp(2 * r[faint[0]], radii, total)
    return float(np.interp(0.9 * whole, np.maximum.accumulate(total), radii))
