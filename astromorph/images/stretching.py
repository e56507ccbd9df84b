"""Fit the color mapping of a survey to some of its images."""
from dataclasses import replace

import numpy as np
from astropy import units as u

from astromorph.errors import wrong
from astromorph.flags import MorphFlag
from astromorph.images.fits_planes import read_planes
from astromorph.surveys import get_survey

__all__ = ["MIN_IMAGES", "fit_stretch"]

MIN_IMAGES = 10
"""Least number of images that show the average color of galaxies; 30 are better (int)."""
_LIGHT = 98  # the galaxy has the pixels above this percentile of the image's middle


def fit_stretch(images, survey, *, like="sdss", bands=None):
    """Fit the color mapping that makes a survey's images look like those of another survey.

    Then weights of the other survey suit the images better. The fit matches the brightness of the
    sky and its noise in the middle of the shown bands. It makes galaxies gray on average, and takes
    the softening of the other survey.

    Parameters
    ----------
    images : iterable
        About 30 images with flux, in any form that `~astromorph.read_cutout` takes. Each shows a
        galaxy in its center, with some sky around it.
    survey : `~astromorph.surveys.Survey`
        The record to complete. The fit ignores its ``scales``, ``offset``, ``softening`` and
        ``sky_noise``.
    like : str or `~astromorph.surveys.Survey`
        The other survey, which has weights.
    bands : sequence of str, optional
        Names of the planes in their order. By default the headers name them.

    Returns
    -------
    `~astromorph.surveys.Survey`
        The record with these four fields replaced.

    Raises
    ------
    CutoutError
        If an image cannot be used.
    ArgumentError
        If there are fewer than 10 images, if an image has an unknown flux unit or lacks a band, or
        if the sky was not subtracted.

    See Also
    --------
    astromorph.Survey.preview : Look at the result.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from astromorph import get_survey
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.images import fit_stretch
    >>> start = replace(get_survey("sdss"), name="mine", scales={"g": 1.0, "r": 1.0, "i": 1.0})
    >>> fitted = fit_stretch(load_sample()["file"], start)
    >>> [round(fitted.scales[band], 2) for band in "gri"]
    [0.62, 0.32, 0.21]
    """
    survey, like = get_survey(survey), get_survey(like)
    measured = np.array([_measure(image, survey, bands) for image in images])
    if len(measured) < MIN_IMAGES:
        raise wrong("images", f"at least {MIN_IMAGES} images", len(measured), "30 are better.")
    level, noise, light = np.median(measured, axis=0)
    if not (noise.min() > 0 and light.min() > 0):
        raise wrong("images", "galaxies in the middle of a noisy sky", "images without noise "
                    "or without a galaxy")
    middle = len(survey.rgb) // 2
    shown = like.sky_noise.to_value(u.nmgy) * like.scales[like.rgb[len(like.rgb) // 2]]
    scales = shown / noise[middle] * light[middle] / light
    if np.abs(scales * level).max() > 2 * shown:
        raise wrong("images", "flux with the sky subtracted", "a sky of "
                    f"{np.abs(level / noise).max():.0f} times its noise", "Subtract it first.")
    return replace(
        survey, scales={band: float(f"{scale:.3g}") for band, scale in zip(survey.rgb, scales)},
        offset=like.offset, softening=like.softening,
        sky_noise=float(f"{noise[middle]:.3g}") * u.nmgy)


def _measure(image, survey, bands):
    """Level and noise of the sky, and light of the galaxy, in each shown band: (3, bands).

    The unit is nanomaggies per native pixel of the survey.
    """
    flux = read_planes(image, survey=survey, bands=bands)
    if flux.flag & MorphFlag.UNKNOWN_UNIT:
        raise wrong("images", "flux in a known unit", "an image without a unit, or in counts",
                    "Write BUNIT or MAGZERO into the headers.")
    missing = [band for band in survey.rgb if band.lower() not in flux.planes]
    if missing:
        raise wrong("images", f"the bands {', '.join(survey.rgb)} in each",
                    f"an image without {', '.join(missing)}")
    planes = np.array([flux.planes[band.lower()] for band in survey.rgb])
    ratio = 1.0 if flux.native or flux.pixel_scale is None else (
        survey.pixel_scale.to_value(u.arcsec) / flux.pixel_scale)
    level = np.nanmedian(_border(planes), axis=1)
    # The noise of an area grows with its side, the light with the area itself.
    return (level * ratio**2, _noise(planes) * ratio,
            _light(planes - level[:, None, None]) * ratio**2)


def _border(planes):
    """Pixels outside the middle, (bands, pixels)."""
    ny, nx = (max(n // 8, 1) for n in planes.shape[1:])
    sky = np.ones(planes.shape[1:], bool)
    sky[ny:-ny, nx:-nx] = False
    return planes[:, sky]


def _noise(planes):
    """Noise, from the differences of neighbors along the rows at the bottom and the top."""
    n = max(planes.shape[1] // 8, 1)
    steps = np.abs(np.diff(np.concatenate([planes[:, :n], planes[:, -n:]], axis=1), axis=2))
    return 1.4826 / np.sqrt(2) * np.nanmedian(steps.reshape(len(planes), -1), axis=1)


def _light(planes):
    """Mean light of the galaxy, from the brightest pixels in the middle, the same in all bands.

    To choose these pixels, each band is divided by its own brightness.
    """
    ny, nx = (n // 4 for n in planes.shape[1:])
    middle = planes[:, ny:-ny, nx:-nx].reshape(len(planes), -1)
    tops = np.nanpercentile(middle, _LIGHT, axis=1, keepdims=True)
    together = np.nanmean(middle / np.maximum(tops, 1e-30), axis=0)
    bright = together >= np.nanpercentile(together, _LIGHT)
    return np.nanmean(middle[:, bright], axis=1)
