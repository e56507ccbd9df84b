"""Changes of look: what another telescope, night, survey or file would have made of an image.

Each function takes color pixels (y, x, 3) from 0 to 1 in the SDSS stretch, how far to go, the
pixels of one R90, and a generator of random numbers, and gives pixels of the same kind. `CHANGES`
names them, with the sizes that the table shows.
"""
import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from astromorph.images import resample

STRETCH = 20**0.5
"""Square root of the softening Q of SDSS and DECam pictures."""
FAINTER = np.array([0.2, 0.3, 0.5])
"""Brightness of one unit of flux in i, r and g, as SDSS pictures show them."""


def flux_of(pixels):
    """Undo the stretch: brightness of each band, proportional to flux; white stays clipped."""
    mean = np.maximum(pixels.mean(axis=-1, keepdims=True), 1e-6)
    return pixels * np.sinh(STRETCH * mean) / (STRETCH * mean * STRETCH)


def picture_of(flux, stretch=STRETCH):
    """Stretch brightness, as `astromorph.images.color_composite` does."""
    mean = np.maximum(flux.clip(0).mean(axis=-1, keepdims=True), 1e-6)
    return (flux * np.arcsinh(stretch**2 * mean) / (stretch * mean)).clip(0, 1)


def gray(plane):
    """One plane as a color image."""
    return np.repeat(plane[..., None], 3, axis=2)


def as_it_is(pixels, size, r90, rng):
    """No change."""
    return pixels


def blur(pixels, sigma, r90, rng):
    """A wider point-spread function, by a Gaussian of so many R90."""
    return blur_pixels(pixels, sigma * r90, r90, rng)


def blur_pixels(pixels, sigma, r90, rng):
    """A wider point-spread function, by a Gaussian of so many pixels of the image."""
    return picture_of(gaussian_filter(flux_of(pixels), (sigma, sigma, 0)))


def noise(pixels, level, r90, rng):
    """A shallower image: noise of the dark sky as it is shown, for pixels of a 20th of R90."""
    sigma = level / STRETCH * r90 / 20
    return picture_of(flux_of(pixels) + rng.normal(0, sigma, pixels.shape))


def coarse(pixels, n, r90, rng):
    """Larger pixels: so many to R90."""
    side = max(round(min(pixels.shape[:2]) / r90 * n), 8)
    return resample(pixels, side)


def sky(pixels, level, r90, rng):
    """A brighter (or, negative, oversubtracted) sky."""
    return (pixels + level).clip(0, 1)


def exposure(pixels, factor, r90, rng):
    """Longer exposed: the middle saturates to white, faint light comes out."""
    return picture_of(factor * flux_of(pixels))


def burnt(pixels, share, r90, rng):
    """A saturated middle: white where it has more than a share of its largest flux."""
    y, x = np.indices(pixels.shape[:2]) - np.reshape(pixels.shape[:2], (2, 1, 1)) / 2
    flux = flux_of(pixels).max(axis=-1) * (np.hypot(x, y) < 0.3 * r90)
    return np.where((flux >= share * flux.max())[..., None], 1, pixels)


def softness(pixels, factor, r90, rng):
    """Another softening of the arcsinh, the brightest pixels left as bright as they were."""
    flux = flux_of(pixels)
    changed = picture_of(flux, STRETCH * factor**0.5)
    return (changed * pixels.max() / max(changed.max(), 1e-6)).clip(0, 1)


def linear(pixels, percentile, r90, rng):
    """Brightness proportional to flux, white from a percentile of the pixels on."""
    flux = flux_of(pixels)
    return (flux / max(np.percentile(flux, percentile), 1e-6)).clip(0, 1)


def gamma(pixels, power, r90, rng):
    """Another contrast."""
    return pixels**power


def saturation(pixels, share, r90, rng):
    """Paler or stronger colors; none at 0."""
    mean = pixels.mean(axis=-1, keepdims=True)
    return (mean + share * (pixels - mean)).clip(0, 1)


def one_band(pixels, band, r90, rng):
    """One of the bands of the image in place of all three."""
    return gray(pixels[..., "irg".index(band)])


def vis(pixels, size, r90, rng):
    """A broad band as Euclid's: the flux of all but the bluest band together (r + i, r + z)."""
    flux = (flux_of(pixels) / FAINTER)[..., :2].sum(axis=-1)
    return picture_of(gray(flux / (1 / FAINTER[:2]).sum()))


def density(pixels, slope, grain, rng):
    """Blackening of a plate that is sensitive to blue: a characteristic curve, and grain."""
    exposed = (flux_of(pixels)[..., 2] / 0.05 + 0.05)**slope
    plate = 0.05 + 0.95 * exposed / (1 + exposed)
    grains = gaussian_filter(rng.normal(0, 1, plate.shape), 0.7) * 2.4
    return (plate + grain * np.sqrt(plate) * grains).clip(0, 1)


def plate(pixels, grain, r90, rng):
    """A photographic plate, digitized as a positive: bright galaxies."""
    return gray(density(pixels, 1.2, grain, rng))


def negative(pixels, grain, r90, rng):
    """A photographic plate as it is: dark galaxies on a light sky."""
    return 1 - plate(pixels, grain, r90, rng)


def jpeg(pixels, quality, r90, rng):
    """Packed as a JPEG of this quality."""
    file = io.BytesIO()
    Image.fromarray(as_bytes(pixels)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32) / 255


def zoom(pixels, factor, r90, rng):
    """A frame that is too narrow or too wide by this factor; the sky is mirrored beyond."""
    return window(pixels, min(pixels.shape[:2]) * factor)


def shift(pixels, distance, r90, rng):
    """The galaxy off the center, by so many R90 in a direction at random."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.round(distance * r90 * np.array([np.sin(angle), np.cos(angle)])).astype(int)
    pad = max(abs(y), abs(x))
    wide = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    return wide[pad + y:, pad + x:][:pixels.shape[0], :pixels.shape[1]]


def window(pixels, width):
    """The middle of an image, so many pixels wide, mirrored where that ends."""
    side = min(pixels.shape[:2])
    pad = max(int(np.ceil((width - side) / 2)) + 1, 0)
    wide = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    return resample(wide, round(width), width=width)


def as_bytes(pixels):
    """8-bit pixels, as pictures have them."""
    return np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)


CHANGES = {
    "as it is": (as_it_is, ("",)),
    "blur, sigma in R90": (blur, (0.04, 0.08, 0.16)),
    "blur, sigma in pixels": (blur_pixels, (1, 2, 4)),
    "noise": (noise, (0.03, 0.06, 0.12)),
    "pixels to R90": (coarse, (12, 8, 5)),
    "sky": (sky, (-0.03, 0.05, 0.1, 0.2)),
    "exposure": (exposure, (0.25, 0.5, 2, 4, 8)),
    "white middle, from a share of its peak": (burnt, (0.7, 0.4, 0.2)),
    "arcsinh, softening times": (softness, (0.1, 0.3, 3, 10)),
    "linear, white from percentile": (linear, (99.9, 99.5, 98)),
    "gamma": (gamma, (0.5, 0.7, 1.4, 2)),
    "saturation of color": (saturation, (2, 0.5, 0.25, 0)),
    "one band": (one_band, ("i", "r", "g")),
    "synthetic VIS": (vis, ("",)),
    "plate, grain": (plate, (0, 0.05, 0.1)),
    "negative plate, grain": (negative, (0.05,)),
    "JPEG quality": (jpeg, (80, 50, 25, 10)),
    "frame": (zoom, (0.7, 0.85, 1.2, 1.4)),
    "off the center, R90": (shift, (0.1, 0.25, 0.5)),
}
"""Name -> function and sizes. "i" stands for the band shown as red: z of DECam."""
