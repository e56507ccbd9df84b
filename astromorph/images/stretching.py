"""Find the color mapping of a survey from some of its images."""
from dataclasses import replace

import numpy as np
from astropy import units as u

from astromorph.errors import wrong
from astromorph.flags import MorphFlag
from astromorph.images.fits_planes import read_planes
from astromorph.surveys import get_survey

__all__ = ["MIN_IMAGES", "fit_stretch"]

MIN_IMAGES = 10
"""Fewer galaxies than this do not tell the colors of galaxies; 30 are better."""
_LIGHT = 98  # percentile of the pixels in the middle of an image above which the galaxy's are


def fit_stretch(images, survey, *, like="sdss", bands=None):
    """Find the color mapping that shows a survey's images as those of another one are shown.

    The sky is as bright, its noise in the middle one of the shown bands is as strong, and galaxies
    are gray on average, as they are there; the softening is the other survey's. So the weights for
    that survey see what they know, as far as a color mapping can do it.

    Parameters
    ----------
    images : iterable
        Flux of galaxies, each centered in its image, in any form that `~astromorph.read_cutout`
        takes: about 30, with some sky around the galaxies.
    survey : `~astromorph.surveys.Survey`
        The record; its ``scales``, ``offset``, ``softening`` and ``sky_noise`` can be any.
    like : str or `~astromorph.surveys.Survey`
        The other survey, with weights.
    bands : sequence of str, optional
        Names of the planes in their order, in place of those in the headers.

    Returns
    -------
    `~astromorph.surveys.Survey`
        The record with these four fields.

    Raises
    ------
    CutoutError
        If an image cannot be used.
    ValueError
        If there are fewer than 10 images, or their flux has no known unit, or one lacks a band.

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
        raise wrong("images", "galaxies in the middle of a noisy sky", "images without")
    middle = len(survey.rgb) // 2
    shown = like.sky_noise.to_value(u.nmgy) * like.scales[like.rgb[len(like.rgb) // 2]]
    scales = shown / noise[middle] * light[middle] / light
    if np.abs(scales * level).max() > 2 * shown:
        raise wrong("images", "flux with the sky subtracted", "some with a sky of "
                    f"{np.abs(level / noise).max():.0f} times its noise", "Subtract it first.")
    return replace(
        survey, scales={band: float(f"{scale:.3g}") for band, scale in zip(survey.rgb, scales)},
        offset=like.offset, softening=like.softening,
        sky_noise=float(f"{noise[middle]:.3g}") * u.nmgy)


def _measure(image, survey, bands):
    """Level and noise of the sky, and the galaxy's light, in each shown band: (3, bands).

    In nanomaggies per native pixel of the survey.
    """
    flux = read_planes(image, survey=survey, bands=bands)
    if flux.flag & MorphFlag.UNKNOWN_UNIT:
        raise wrong("images", "flux in a known unit", "some without, or with counts",
                    "Write BUNIT or MAGZERO into the headers.")
    missing = [band for band in survey.rgb if band.lower() not in flux.planes]
    if missing:
        raise wrong("images", f"the bands {', '.join(survey.rgb)} in each",
                    f"one without {', '.join(missing)}")
    planes = np.array([flux.planes[band.lower()] for band in survey.rgb])
    ratio = 1.0 if flux.native or flux.pixel_scale is None else (
        survey.pixel_scale.to_value(u.arcsec) / flux.pixel_scale)
    level = np.nanmedian(_border(planes), axis=1)
    # Noise of several pixels together grows with the side, light with the area.
    return (level * ratio**2, _noise(planes) * ratio,
            _light(planes - level[:, None, None]) * ratio**2)


def _border(planes):
    """Pixels outside the middle, (bands, pixels)."""
    ny, nx = (max(n // 8, 1) for n in planes.shape[1:])
    sky = np.ones(planes.shape[1:], bool)
    sky[ny:-ny, nx:-nx] = False
    return planes[:, sky]


def _noise(planes):
    """Noise from the differences of neighbors along the rows at the bottom and the top."""
    n = max(planes.shape[1] // 8, 1)
    steps = np.abs(np.diff(np.concatenate([planes[:, :n], planes[:, -n:]], axis=1), axis=2))
    return 1.4826 / np.sqrt(2) * np.nanmedian(steps.reshape(len(planes), -1), axis=1)


def _light(planes):
    """Mean light of the galaxy: of the brightest pixels in the middle, the same ones in all bands.

    Each band counts relative to its own brightest pixels, whatever its unit.
    """
    ny, nx = (n // 4 for n in planes.shape[1:])
    middle = planes[:, ny:-ny, nx:-nx].reshape(len(planes), -1)
    tops = np.nanpercentile(middle, _LIGHT, axis=1, keepdims=True)
    together = np.nanmean(middle / np.maximum(tops, 1e-30), axis=0)
    bright = together >= np.nanpercentile(together, _LIGHT)
    return np.nanmean(middle[:, bright], axis=1)
