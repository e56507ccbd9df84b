"""The size of the galaxy in an image."""
import numpy as np
import sep

__all__ = ["PICTURE_STRETCH", "measure_r90"]

PICTURE_STRETCH = 7.5
"""Softening of SDSS JPEGs: 8 in Lupton et al. (2004); this value leaves no bias in R90."""
_WORKING_SIDE = 128


def measure_r90(pixels, *, stretch: float = PICTURE_STRETCH) -> float:
    """Measure R90 of the galaxy at the center of a color image.

    The radius that holds 90 % of the flux within two Petrosian radii, in circular apertures, as
    SDSS defines petroR90 (Blanton et al. 2001, AJ 121, 2358): the Petrosian radius is where the
    local surface brightness has fallen to a fifth of the mean inside. The stretch of the picture
    is undone approximately; neighbors are masked and stand for the mean of their annulus.

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (y, x, 3)
        Color image, from 0 to 1.
    stretch : float, optional
        The picture shows arcsinh(flux) / stretch; by default that of SDSS color JPEGs. An image by
        `~astromorph.images.composite.color_composite` has the square root of the survey's
        softening.

    Returns
    -------
    float
        R90 in pixels; NaN when no source is at the center or its edge is not in the image.

    See Also
    --------
    read_cutout : Read an image.

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
    gray = np.asarray(pixels, np.float64).mean(axis=-1)
    step = max(min(gray.shape) // _WORKING_SIDE, 1)
    flux = _block_mean(np.sinh(stretch * gray) / stretch, step)
    corners = _corners(flux)
    flux -= np.median(corners)
    noise = 1.4826 * np.median(np.abs(corners - np.median(corners)))
    try:
        sources, labels = sep.extract(flux, max(1.5 * noise, 3e-3), minarea=9, deblend_cont=0.02,
                                      segmentation_map=True)
    except Exception:  # sep raises its own errors, e.g. when a crowded field overflows its buffers
        return np.nan
    center = _central(sources, labels.shape)
    if center is None:
        return np.nan
    use = (labels == 0) | (labels == center + 1)
    return step * _petrosian_r90(flux, use, sources["x"][center], sources["y"][center])


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
