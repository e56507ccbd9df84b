"""Turn flux in nanomaggies into a color image, as the surveys show it."""
import numpy as np

from astromorph.surveys import get_survey

__all__ = ["color_composite", "native_area", "shown_bands"]

_WAVELENGTHS = dict(zip("ugrizy", (355, 470, 620, 750, 890, 1000)))  # nm
_AT_ONCE = 2**22  # pixels
_HALF = 3  # a hole is filled from this many pixels on each side
# For each of the channels R, G, B: the other channels, the nearest in wavelength first.
_NEIGHBORS = ((1, 2), (0, 2), (1, 0))


def color_composite(planes, survey, *, pixel_scale=None):
    """Map flux to a color image as the Legacy Surveys viewer does.

    Each band becomes c = scale * flux + m, with the survey's scale for the band and its offset m.
    Let I be the mean of max(0, c) over the bands. The image is c arcsinh(Q I) / (sqrt(Q) I),
    clipped to 0..1, with the survey's softening Q (Lupton et al. 2004, PASP 116, 133).

    Parameters
    ----------
    planes : dict
        Band name to flux, (y, x), in nanomaggies per pixel; NaN where there is no data.
    survey : str or `~astromorph.surveys.Survey`
        The survey whose color mapping to use.
    pixel_scale : float, optional
        Arcseconds per pixel. Flux is rescaled to the area of the survey's native pixel, so that a
        surface brightness looks the same at any pixel scale. By default pixels are native.

    Returns
    -------
    `~numpy.ndarray`, shape (y, x, 3), float32
        R, G, B from 0 to 1, in the order of rows of the planes.

    See Also
    --------
    astromorph.read_cutout : Read an image and make the color image in one step.

    Notes
    -----
    If a survey shows one band, the image is gray; if it shows two, G is their mean. Where a band is
    missing or has no data, the band nearest in wavelength stands in. Small holes in all bands are
    filled with the mean of the pixels around them, and large holes with sky.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.images import color_composite
    >>> planes = {band: np.full((20, 20), 0.1, np.float32) for band in "gri"}
    >>> color_composite(planes, "sdss").shape
    (20, 20, 3)
    """
    survey, planes = get_survey(survey), {band.lower(): each for band, each in planes.items()}
    area = native_area(survey, pixel_scale)
    shape = next(iter(planes.values())).shape
    image = np.empty((*shape, 3), np.float32)
    step = max(_AT_ONCE // max(shape[1], 1), 1)
    for start in range(0, shape[0], step):  # some rows, with those that fill the holes near them
        low = max(start - _HALF, 0)
        part = {name: plane[low:start + step + _HALF] for name, plane in planes.items()}
        image[start:start + step] = _shown(part, survey, area)[start - low:start - low + step]
    return image


def native_area(survey, pixel_scale):
    """The area of a survey's native pixel, in pixels of a scale; 1 if the scale is None."""
    native = survey.pixel_scale.to_value("arcsec")
    return 1.0 if pixel_scale is None else (native / pixel_scale) ** 2


def _shown(planes, survey, area):
    shape = next(iter(planes.values())).shape
    channels = np.full((len(survey.rgb), *shape), np.nan, np.float32)
    scales = {band.lower(): scale for band, scale in survey.scales.items()}
    alone = survey.rgb[(len(survey.rgb) - 1) // 2] if len(planes) == 1 else None
    for channel, band, shown in zip(channels, survey.rgb, shown_bands(planes, survey)):
        if shown is not None:
            scale = scales.get(shown, scales[(alone or band).lower()])
            channel[:] = planes[shown] * np.float32(scale * area) + np.float32(survey.offset)
    channels = _three(_filled(channels, survey.offset))
    mean = np.clip(channels, 0, None).mean(axis=0)
    mean[mean == 0] = 1e-6
    stretch = np.arcsinh(survey.softening * mean) / (np.sqrt(survey.softening) * mean)
    return np.moveaxis(channels * stretch, 0, -1).clip(0, 1)


def shown_bands(planes, survey):
    """Choose the band that is shown for each band of the survey's ``rgb``; None where missing.

    A band that the survey does not show stands in for a missing one if it is the nearest in
    wavelength, such as i for z.
    """
    shown, rgb, order = [], [band.lower() for band in survey.rgb], _order(survey)
    for band in rgb:
        nearest = min(planes, key=lambda name: abs(order[name] - order[band]))
        shown.append(nearest if nearest == band or nearest not in rgb else None)
    return shown


def _order(survey):
    """Wavelengths of the bands ugrizY; for a survey with other bands, their order."""
    bands = [band.lower() for band in survey.bands]
    if set(bands) <= set(_WAVELENGTHS):
        return _WAVELENGTHS
    return dict.fromkeys(_WAVELENGTHS, np.inf) | {band: n for n, band in enumerate(bands)}


def _three(channels):
    """Make the channels red, green and blue from one to three channels."""
    if len(channels) == 2:
        return np.stack([channels[0], channels.mean(axis=0), channels[1]])
    return np.repeat(channels, 3, axis=0) if len(channels) == 1 else channels


def _filled(channels, sky):
    """Replace NaN by the channel nearest in wavelength, by the pixels around, or by sky."""
    if not np.isnan(channels).any():
        return channels
    known = channels.copy()
    for channel, others in zip(channels, _NEIGHBORS):
        for other in others:
            if other < len(known):
                np.copyto(channel, known[other], where=np.isnan(channel))
    hole = np.isnan(channels[0])  # by now the same in every channel
    if hole.any():
        count = _box_sum(1.0 - hole)
        for channel in channels:
            total = _box_sum(np.where(hole, 0, channel))
            mean = np.divide(total, count, out=np.full(total.shape, sky), where=count > 0.5)
            np.copyto(channel, mean, where=hole, casting="same_kind")
    return channels


def _box_sum(image, half=_HALF):
    """Sum over a square of 2 half + 1 pixels."""
    for axis in (0, 1):
        pad = [(half + 1, half) if one == axis else (0, 0) for one in (0, 1)]
        total = np.pad(image, pad).cumsum(axis=axis, dtype=float)
        n = total.shape[axis] - 2 * half - 1
        image = (np.take(total, range(2 * half + 1, 2 * half + 1 + n), axis)
                 - np.take(total, range(n), axis))
    return image
