"""Give the images of another survey the brightness of the training images, pixel by pixel.

This needs no labels. Deeper images show more of a galaxy's faint parts; the pixels of many galaxies
together tell how much more. One monotone curve per band maps the quantiles of their brightness to
those of the training images. Then a small blur makes sharper images as smooth as the training
images.
"""
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter

from astromorph.arguments import check_number
from astromorph.errors import wrong
from astromorph.images import normalize_bands

__all__ = ["BLUR", "LEVELS", "MIN_IMAGES", "Alignment", "measure_brightness"]

LEVELS = np.unique(np.concatenate([np.linspace(0, 0.98, 99), 1 - np.geomspace(0.02, 1e-5, 40),
                                   [1]]))
"""Quantiles that describe brightness, dense at the bright end, as a galaxy's core is few pixels."""
BLUR = 0.5 / 96
"""Standard deviation of the blur, as a fraction of the frame.

It makes DECam images as smooth as SDSS images. A stronger blur is a little better if every galaxy
fills its frame, and much worse for galaxies that fill little of it.
"""
_STEPS = 4096
MIN_IMAGES = 30
"""With fewer galaxies, single ones determine the quantiles."""
_DIGITS = 5


def measure_brightness(frames):
    """Measure the brightness of the pixels of many frames.

    Parameters
    ----------
    frames : iterable of `~numpy.ndarray`, shape (y, x, 3)
        The frames. Each band is divided by its maximum. A generator will do: frames are not kept.

    Returns
    -------
    quantiles : `~numpy.ndarray`, shape (3, levels)
        Quantiles of each band's pixels in all frames together, at
        `~astromorph.model.alignment.LEVELS`.
    n_images : int
        Number of frames.

    Raises
    ------
    ValueError
        If there are fewer than 30 frames.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.model.alignment import LEVELS, measure_brightness
    >>> frames = np.random.default_rng(1).random((30, 80, 80, 3))
    >>> quantiles, n_images = measure_brightness(frames)
    >>> quantiles.shape == (3, len(LEVELS)), n_images
    (True, 30)
    """
    counts, n_images = np.zeros((3, _STEPS + 1)), 0
    for frame in frames:
        n_images += 1
        steps = _steps(normalize_bands(frame))
        counts += [np.bincount(steps[..., band].ravel(), minlength=_STEPS + 1)
                   for band in range(3)]
    if n_images < MIN_IMAGES:
        raise wrong("data", f"at least {MIN_IMAGES} usable images to measure their brightness",
                    n_images, "Add more images; they need no labels.")
    below = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    # After clipping, the outermost levels are the darkest and the brightest pixel.
    levels = np.clip(LEVELS, 1e-12, 1 - 1e-12)
    quantiles = [np.searchsorted(band, levels) / _STEPS for band in below]
    return np.round(quantiles, _DIGITS), n_images


def _steps(pixels):
    """Brightness from 0 to 1 in whole steps."""
    return (pixels * _STEPS + 0.5).astype(int)


@dataclass(frozen=True, eq=False)
class Alignment:
    """Curves of brightness and a blur, applied to frames before the network sees them.

    Parameters
    ----------
    measured, wanted : array-like, shape (3, levels)
        Quantiles of these images, and of the training images; see `measure_brightness`.
    size : int
        Pixels of the network's frame on a side. Frames with a margin may be larger.
    blur : float
        Standard deviation of a Gaussian, as a fraction of the frame.
    n_images : int
        Number of images that were measured.
    survey : str, optional
        Survey of the images.

    Raises
    ------
    ValueError
        If the quantiles have the wrong shape or do not increase, or the blur is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.model.alignment import LEVELS, Alignment
    >>> curves = np.tile(LEVELS, (3, 1))
    >>> brighter = Alignment(curves, curves ** 0.5, size=80, blur=0)
    >>> gray = np.full((80, 80, 3), 0.25, "float32")
    >>> gray[40, 40] = 1
    >>> brighter(gray)[0, 0].round(2)
    array([0.5, 0.5, 0.5], dtype=float32)
    >>> Alignment.from_dict(brighter.to_dict()) == brighter
    True
    """

    measured: np.ndarray
    wanted: np.ndarray
    size: int
    blur: float = BLUR
    n_images: int = 0
    survey: str | None = None

    def __post_init__(self):
        for name in ("measured", "wanted"):
            values = np.asarray(getattr(self, name), float)
            if values.ndim != 2 or len(values) != 3 or not (np.diff(values) >= 0).all():
                raise wrong(name, "a row of increasing quantiles for each of three bands",
                            f"shape {values.shape}")
            object.__setattr__(self, name, values)
        if self.measured.shape != self.wanted.shape:
            raise wrong("measured, wanted", "the same shape",
                        f"{self.measured.shape} and {self.wanted.shape}")
        check_number(self.blur, "blur", "a fraction of the frame, 0 for none",
                     lambda blur: 0 <= blur < 1)

    def __eq__(self, other):
        return isinstance(other, Alignment) and self.to_dict() == other.to_dict()

    @classmethod
    def from_dict(cls, card):
        """Make an alignment from the result of `to_dict`.

        Parameters
        ----------
        card : dict
            The parameters of this class.

        Returns
        -------
        Alignment
        """
        return cls(**card)

    def to_dict(self):
        """Return the parameters as plain numbers and lists, for JSON.

        Returns
        -------
        dict
        """
        return asdict(self) | {"measured": self.measured.tolist(), "wanted": self.wanted.tolist()}

    def __call__(self, pixels):
        """Align one frame.

        Parameters
        ----------
        pixels : `~numpy.ndarray`, shape (y, x, 3)
            The frame, possibly with a margin around it.

        Returns
        -------
        `~numpy.ndarray`, float32
            Same shape, from 0 to 1.
        """
        margin = (len(pixels) - self.size) // 2
        inner = slice(margin, margin + self.size)
        peak = np.maximum(pixels[inner, inner].max(axis=(0, 1)), 1e-6)
        steps = _steps(np.minimum(pixels / peak, 1))
        aligned = np.stack([curve[steps[..., band]] for band, curve in enumerate(self._curves)],
                           axis=-1)
        sigma = self.blur * self.size
        return gaussian_filter(aligned, (sigma, sigma, 0))

    @cached_property
    def _curves(self):
        """Aligned brightness at equal steps from 0 to 1; a look-up is faster than interpolation."""
        # If quantiles coincide, for example those of saturated pixels, the lowest one counts.
        order = 1e-7 * np.arange(self.measured.shape[1])
        return [np.interp(np.linspace(0, 1, _STEPS + 1), measured + order,
                          wanted).astype(np.float32)
                for measured, wanted in zip(self.measured, self.wanted)]
