"""Tell whether an image is like those that the weights were trained on."""
from functools import lru_cache
from threading import Lock

import numpy as np

from astromorph.errors import warn
from astromorph.flags import MorphFlag

__all__ = ["STATISTICS", "DomainWatch", "image_statistics", "measure_domain"]

STATISTICS = ("sky", "sky_noise", "sky_structure", "contrast", "center", "concentration",
              "roughness", "band_agreement", "red_excess", "blue_excess")
"""Names of the quantities that `image_statistics` measures."""

# Percentage of the training images that lie outside of a range, on each side.
_RARE = 0.1
# Ranges are widened on each side by this fraction of their width.
_WIDEN = 0.05
# A tenth of the training images lie beyond these percentiles.
_TAILS = (5, 95)
# Of the training images, 0.05 are in each tail of a statistic. Of those of one kind (all spirals,
# all edge-on) up to 0.31 are, and of DECam images 0.38 to 0.64.
_TAIL_SHARE = 0.35
_UNUSUAL_SHARE = 0.2
_ENOUGH = 30
# Every other row of pixels gives the same information in half the time.
_STEP = 2


@lru_cache(maxsize=8)
def _zones(size):
    """Indices of pixels: the sky around the galaxy, steps in it, the middle, and the core."""
    y, x = (np.indices((size, size)) - (size - 1) / 2)[:, ::_STEP]
    radius = np.hypot(x, y) / size
    sky = radius > 0.5
    return [np.flatnonzero(zone) for zone in (sky, sky[:, 1:] & sky[:, :-1], radius < 0.2,
                                              radius < 0.06)]


def image_statistics(pixels):
    """Measure the quantities that reveal an unusual image, in the order of `STATISTICS`.

    The sky in the corners gives its level, its noise from pixel to pixel, and its structure (the
    90th less the 50th percentile). The contrast is the 95th less the 5th percentile of the image.
    Then come the level of the core and the middle's share of it. Roughness is the mean difference
    of neighbors in standard deviations. The agreement of bands is the lower correlation of the
    middle band with the others. The excesses are the means of the first and the last band above it.

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (..., size, size, 3)
        Network pixels of one or more images, each band divided by its own maximum.

    Returns
    -------
    `~numpy.ndarray`, shape (..., len(STATISTICS))

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.model.domain import STATISTICS, image_statistics
    >>> pixels = np.random.default_rng(1).random((5, 80, 80, 3), "float32")
    >>> image_statistics(pixels).shape == (5, len(STATISTICS))
    True
    """
    size = pixels.shape[-2]
    in_sky, steps_in_sky, in_middle, in_core = _zones(size)
    # One band after the other in memory is many times faster than the bands of each pixel.
    bands = pixels[..., ::_STEP, :, :].reshape(*pixels.shape[:-3], -1, 3)
    bands = np.ascontiguousarray(np.moveaxis(bands, -1, 0))
    gray = (bands[0] + bands[1] + bands[2]) / 3
    rows = gray.reshape(*gray.shape[:-1], -1, size)
    steps = np.abs(rows[..., 1:] - rows[..., :-1]).reshape(*gray.shape[:-1], -1)
    sky, bright_sky = _percentiles(gray[..., in_sky], 50, 90)
    low, high = _percentiles(gray[..., ::_STEP], 5, 95)  # sorting all pixels would be slow
    sky_noise, = _percentiles(steps[..., steps_in_sky], 50)
    middle, core = (gray[..., zone].mean(axis=-1) for zone in (in_middle, in_core))
    means = bands.mean(axis=-1)
    # Products of whole bands are many times faster than the product of such a flat matrix.
    covariance = np.array([[np.einsum("...k,...k", a, b) for b in bands] for a in bands])
    covariance = covariance / gray.shape[-1] - means[:, None] * means
    deviations = np.sqrt(np.einsum("bb...->b...", covariance).clip(0)) + 1e-3
    agreement = covariance[1, ::2] / (deviations[1] * deviations[::2])
    spread = np.sqrt(covariance.sum(axis=(0, 1)).clip(0)) / 3
    return np.stack([
        sky, sky_noise, bright_sky - sky, high - low, core,
        (middle - sky) / np.maximum(core - sky, 0.05), steps.mean(axis=-1) / (spread + 1e-3),
        agreement.min(axis=0), *(means[::2] - means[1])], axis=-1)


def _percentiles(values, *percents):
    """The same as `numpy.percentile`, but several times faster: sorting float32 is vectorized."""
    ordered = np.sort(values, axis=-1)
    found = []
    for percent in percents:
        below, part = divmod(percent / 100 * (ordered.shape[-1] - 1), 1)
        low, high = (ordered[..., min(int(below) + k, ordered.shape[-1] - 1)] for k in (0, 1))
        found.append(low + part * (high - low))
    return found


def measure_domain(images):
    """Describe training images: return the ``domain`` of a card.

    Parameters
    ----------
    images : iterable of `~numpy.ndarray`, shape (size, size, 3)
        Network pixels.

    Returns
    -------
    dict of str to list of float
        Four numbers for each of the `STATISTICS`: the lowest usual value, the 5th and the 95th
        percentile, and the highest usual value. Usual values are from the 0.1 to the 99.9
        percentile, widened by 5% on each side.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.model.domain import STATISTICS, measure_domain
    >>> domain = measure_domain(np.random.default_rng(1).random((100, 80, 80, 3), "float32"))
    >>> tuple(domain) == STATISTICS, len(domain["sky"])
    (True, 4)
    """
    values = np.array([image_statistics(image) for image in images])
    low, *tails, high = np.percentile(values, [_RARE, *_TAILS, 100 - _RARE], axis=0)
    margin = _WIDEN * (high - low)
    limits = np.stack([low - margin, *tails, high + margin], axis=1)
    return {name: [float(f"{limit:.4g}") for limit in row]
            for name, row in zip(STATISTICS, limits)}


class DomainWatch:
    """Flag images that differ from the training images, and warn if a whole set does.

    Single images of another survey are rarely out of range. Many of them together fill the tails of
    the range.

    Parameters
    ----------
    domain : dict or None
        Result of `measure_domain`; None watches nothing.
    whole : bool
        Also watch the tails. Set it to False for aligned images, because the blur makes them
        smoother than the training images.
    """

    def __init__(self, domain, *, whole=True):
        self._whole = whole
        self._limits = None if domain is None else np.array(
            [domain[name] for name in STATISTICS]).T
        self._n = self._unusual = 0
        self._tails = np.zeros((2, len(STATISTICS)), int)
        self._lock = Lock()  # images come from several threads

    def look(self, pixels):
        """Return the flags of images (n, size, size, 3): `MorphFlag.UNUSUAL` or none."""
        if self._limits is None or not len(pixels):
            return [MorphFlag(0)] * len(pixels)
        low, low_tail, high_tail, high = self._limits
        values = image_statistics(np.asarray(pixels))
        unusual = ((values < low) | (values > high)).any(axis=-1)
        with self._lock:
            self._n += len(values)
            self._unusual += int(unusual.sum())
            self._tails += np.stack([values < low_tail, values > high_tail]).sum(axis=1)
        return [MorphFlag.UNUSUAL if odd else MorphFlag(0) for odd in unusual]

    def complaint(self):
        """Say how the set as a whole differs from the training images; empty if it does not."""
        if self._unusual > _UNUSUAL_SHARE * self._n:
            return f"{self._unusual} of {self._n} images differ from"
        few = not self._whole or self._n < _ENOUGH
        if few or self._tails.max() <= _TAIL_SHARE * self._n:
            return ""
        side, statistic = np.unravel_index(self._tails.argmax(), self._tails.shape)
        return (f"taken together, the {self._n} images (of which {self._tails.max() / self._n:.0%} "
                f"have a {STATISTICS[statistic]} {('below', 'above')[side]} that of 95% of the "
                "training images) differ from")

    def warn(self):
        """Warn once if the images differ from the training images."""
        if text := self.complaint():
            warn(f"{text} those that the weights were trained on. Their probabilities may be "
                 "wrong. If they are from another survey, take its weights (from_pretrained, or "
                 "--survey). Then check the frame: say how wide the images are in R90 of their "
                 "galaxies (cutout_r90=), or how large the galaxies are (r90=). If the frame is "
                 "right, align the images (align), or adapt the weights with a few hundred labels "
                 "(adapt).", late=True)
