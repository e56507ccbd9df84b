"""
A simulated second survey
=========================

The embedded galaxies as another camera might show them; several examples and tests use it.
"""
import numpy as np
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from astromorph import read_cutout
from astromorph.datasets import load_sample
from astromorph.images import resample

WIDTH = 1.5 * 4.24
_SIZE = 144


def galaxies(n, templates, *, seed):
    """(images, labels) of n turned and resized copies of some templates, numbers 1 to 3, of each
    kind of galaxy; frames are `WIDTH` R90 wide.
    """
    rng = np.random.default_rng(seed)
    paths = [path for path in load_sample()["file"] if int(path[-6]) in templates]
    images = np.stack([_see(paths[k % len(paths)], rng) for k in range(n)])
    kinds = np.array([fits.getheader(paths[k % len(paths)])["MORPH"] for k in range(n)])
    disk, spiral = kinds != "smooth", np.isin(kinds, ["spiral", "barred"])
    labels = np.stack([disk, np.where(disk, kinds == "edge-on", np.nan),
                       np.where(spiral, kinds == "barred", np.nan)], axis=1).astype(float)
    return images, labels


def _see(path, rng):
    cutout = read_cutout(path, survey="sdss")
    r90 = fits.getheader(path)["PETROR90"] / cutout.pixel_scale
    width = r90 * WIDTH * rng.uniform(0.9, 1.1)
    pixels = resample(cutout.pixels, _SIZE, width=width)
    pixels = np.rot90(pixels, rng.integers(4))[:, ::rng.choice([-1, 1])]
    # Wider seeing, a brighter stretch of the faint parts and sky, other colors, much more noise.
    pixels = gaussian_filter(pixels, (2, 2, 0)).clip(0, 1) ** np.array([0.3, 0.35, 0.4])
    pixels = 0.5 + 0.5 * pixels + rng.normal(0, 0.15, pixels.shape)
    return np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)
