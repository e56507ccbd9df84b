"""Make the simulated galaxies that ``astromorph demo`` classifies.

Twelve galaxies as SDSS would see them: three each of smooth, face-on spiral, edge-on and barred.
Each is a FITS file with a float32 cube (band, y, x) in nanomaggies per pixel; no real image is
used. The same seed gives the same files::

    python training/make_demo_sample.py --out astromorph/datasets/sample
"""
import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from scipy.special import k1

SEED = 2019
BANDS = "gri"
PIXEL_SCALE = 0.396127  # arcsec
OVERSAMPLING = 3  # the model is drawn and blurred on pixels this much finer
PSF_FWHM = {"g": 1.44, "r": 1.32, "i": 1.26}  # arcsec, medians of SDSS
MOFFAT_BETA = 3.0
SKY = {"g": 22.0, "r": 20.9, "i": 20.2}  # mag / arcsec2, typical of SDSS
ELECTRONS = {"g": 990.0, "r": 950.0, "i": 740.0}  # per nanomaggy: SDSS gain over its flux unit
EXTINCTION = {"g": 1.4, "r": 1.0, "i": 0.75}  # optical depth relative to r, Milky Service dust

# Colors (g - r, r - i) of stellar populations
OLD = (0.86, 0.42)  # ellipticals, bulges, bars
DISK = (0.62, 0.31)
YOUNG = (0.42, 0.18)


@dataclass(frozen=True)
class Component:
    """Light of one stellar population: its shape, share of the r flux and color."""

    shape: np.ndarray
    share: float
    color: tuple[float, float]

    def flux(self, band):
        """Nanomaggies for a galaxy whose components' shares are its nanomaggies in r."""
        g_r, r_i = self.color
        magnitudes = {"g": g_r, "r": 0.0, "i": -r_i}[band]
        return self.share * 10 ** (-0.4 * magnitudes) * self.shape / self.shape.sum()


@dataclass(frozen=True)
class Galaxy:
    """One entry of the sample: name, function that draws it, total r magnitude, its parameters."""

    name: str
    draw: callable
    magnitude: float
    parameters: dict


# ---- geometry: arcsec from the center on the fine grid, x to the right, y up

def fine_grid(size):
    """Coordinates (x, y) in arcsec of the fine pixels of a ``size`` x ``size`` frame."""
    n = size * OVERSAMPLING
    axis = (np.arange(n) + 0.5 - n / 2) * PIXEL_SCALE / OVERSAMPLING
    return np.meshgrid(axis, axis)


def rotate(grid, angle):
    """Coordinates along and across an axis ``angle`` degrees counterclockwise from x."""
    x, y = grid
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return x * c + y * s, y * c - x * s


def in_disk(grid, axis_ratio, angle):
    """Deprojected polar coordinates (radius in arcsec, azimuth) of an inclined thin disk."""
    along, across = rotate(grid, angle)
    return np.hypot(along, across / axis_ratio), np.arctan2(across / axis_ratio, along)


# ---- surface brightness, of any normalization

def sersic(radius, half_light, index):
    """Sersic (1963) profile, with the b_n of Capaccioli (1989)."""
    b = 1.9992 * index - 0.3271
    return np.exp(-b * ((radius / half_light) ** (1 / index) - 1))


def elliptical(grid, half_light, index, axis_ratio, angle):
    """Sersic profile on ellipses, with a circularized half-light radius."""
    radius, _ = in_disk(grid, axis_ratio, angle)
    return sersic(radius * np.sqrt(axis_ratio), half_light, index)


def arms(radius, azimuth, *, number, pitch, start, phase, contrast, wobble=0.0):
    """Logarithmic spiral arms: 1 on the ridges, exp(-2 contrast) between, none inside ``start``."""
    log_radius = np.log(radius / start)
    winding = log_radius / np.tan(np.radians(pitch)) + wobble * np.sin(2.5 * log_radius + phase)
    ridge = np.exp(contrast * (np.cos(number * (azimuth - np.radians(phase) - winding)) - 1))
    return ridge / (1 + np.exp(-(radius - start) / (0.08 * start)))


def clumps(radius, azimuth, pitch, strength, rng):
    """Lognormal clumpiness sheared along the arms, mean about 1: a sum of spiral waves."""
    waves = rng.integers(3, 15, size=16)
    slopes = rng.normal(1 / np.tan(np.radians(pitch)), 1.5, size=16)
    phases = rng.uniform(0, 2 * np.pi, size=16)
    total = sum(np.cos(m * (azimuth - k * np.log(radius)) + p)
                for m, k, p in zip(waves, slopes, phases))
    return np.exp(strength * total / np.sqrt(8) - strength**2 / 2)


def knots(where, number, rng):
    """Star-forming knots: blobs of lognormal brightness, drawn with probability ``where``."""
    chosen = rng.choice(where.size, size=number, p=where.ravel() / where.sum())
    image = np.zeros(where.size)
    np.add.at(image, chosen, rng.lognormal(0, 0.7, size=number))
    return gaussian_filter(image.reshape(where.shape), 0.3 * OVERSAMPLING / PIXEL_SCALE)


# ---- the four kinds of galaxy: each gives its components and the optical depth of its dust in r

def smooth(grid, rng, *, half_light, axis_ratio, angle):
    """An elliptical: de Vaucouleurs profile of old stars."""
    return [Component(elliptical(grid, half_light, 4, axis_ratio, angle), 1.0, OLD)], 0.0


def spiral(grid, rng, *, scale, axis_ratio, angle, bulge, number, pitch, phase,
           arm_share=0.44, contrast=1.8, knot_share=0.07):
    """A bulge and an exponential disk with blue, clumpy arms and knots; no bar."""
    radius, azimuth = in_disk(grid, axis_ratio, angle)
    disk = np.exp(-radius / scale)
    ridge = arms(radius, azimuth, number=number, pitch=pitch, start=1.1 * scale, phase=phase,
                 contrast=contrast, wobble=0.25)
    young = np.exp(-radius / (1.2 * scale)) * ridge * clumps(radius, azimuth, pitch, 0.35, rng)
    old = 1 - bulge - arm_share - knot_share
    return [Component(sersic(np.hypot(*grid), 0.45 * scale, 2), bulge, OLD),
            Component(disk, old, DISK),
            Component(young, arm_share, YOUNG),
            Component(knots(young * radius, 45, rng), knot_share, YOUNG)], 0.0


def edge_on(grid, rng, *, scale, height, angle, bulge, dust=0.0, color=(0.75, 0.38)):
    """A sech2 disk from its side (van der Kruit & Searle 1981), a bulge, a dust lane."""
    along, across = rotate(grid, angle)
    reduced = np.abs(along) / scale
    disk = reduced * k1(reduced) / np.cosh(across / height) ** 2
    disk /= 1 + np.exp((reduced - 3.8) / 0.4)  # disks end near four scale lengths
    lane = dust * np.exp(-reduced / 2.5 - ((across / height - 0.3) / 0.45) ** 2)  # near side below
    return [Component(elliptical(grid, 0.4 * scale, 2, 0.65, angle), bulge, OLD),
            Component(disk, 1 - bulge, color)], lane


def barred(grid, rng, *, scale, axis_ratio, angle, bulge, bar, length, bar_angle, pitch,
           arm_share=0.28, ring=0.0, knot_share=0.03, contrast=1.6):
    """A bulge, a strong bar and a disk whose two arms (and ring) start at the bar's ends."""
    radius, azimuth = in_disk(grid, axis_ratio, angle)
    along = radius * np.cos(azimuth - np.radians(bar_angle))
    across = radius * np.sin(azimuth - np.radians(bar_angle))
    boxy = (np.abs(along / length) ** 3 + np.abs(across / (0.24 * length)) ** 3) ** (1 / 3)
    ferrers = np.clip(1 - boxy**2, 0, None) ** 1.2
    ridge = arms(radius, azimuth, number=2, pitch=pitch, start=0.92 * length, phase=bar_angle,
                 contrast=contrast)
    young = np.exp(-radius / (1.1 * scale)) * ridge * clumps(radius, azimuth, pitch, 0.3, rng)
    circle = np.exp(-0.5 * ((radius - 1.03 * length) / (0.12 * length)) ** 2)
    old = 1 - bulge - bar - arm_share - ring - knot_share
    return [Component(sersic(np.hypot(*grid), 0.22 * length, 1.5), bulge, OLD),
            Component(ferrers, bar, OLD),
            Component(np.exp(-radius / scale), old, DISK),
            Component(young, arm_share, YOUNG),
            Component(circle, ring, DISK),
            Component(knots(young * radius, 35, rng), knot_share, YOUNG)], 0.0


def neighbors(grid, rng):
    """Up to three faint stars and small galaxies at random places away from the target."""
    x, y = grid
    edge = x.max()
    for k in range(rng.integers(4)):
        distance, angle = rng.uniform(0.65, 1.1) * edge, rng.uniform(0, 2 * np.pi)
        x0, y0 = np.clip([distance * np.cos(angle), distance * np.sin(angle)], 2 - edge, edge - 2)
        half_light = rng.uniform(0.5, 1.0) if k == 1 else 0.05  # arcsec: a galaxy, stars
        nanomaggies = 10 ** (0.4 * (22.5 - rng.uniform(18.3, 20.8)))
        color = rng.uniform(0.4, 1.3)
        yield Component(sersic(np.hypot(x - x0, y - y0), half_light, 1), nanomaggies,
                        (color, color / 2))


# ---- from light to what the survey records

def psf(band):
    """Moffat point spread function on the fine grid, normalized."""
    step = PIXEL_SCALE / OVERSAMPLING
    axis = np.arange(-60, 61) * step
    alpha = PSF_FWHM[band] / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    profile = (1 + (axis[:, None] ** 2 + axis**2) / alpha**2) ** -MOFFAT_BETA
    return profile / profile.sum()


def starlight(components, band, depth=0.0):
    """Flux on the fine pixels, behind dust of optical depth ``depth`` in r."""
    return sum(c.flux(band) for c in components) * np.exp(-EXTINCTION[band] * depth)


def observe(light, band):
    """Noiseless image: blur, then survey pixels."""
    blurred = fftconvolve(light, psf(band), mode="same")
    n = len(light) // OVERSAMPLING
    return blurred.reshape(n, OVERSAMPLING, n, OVERSAMPLING).sum(axis=(1, 3))


def add_noise(image, band, rng):
    """Photon noise of sky and source (Gaussian: hundreds of electrons), sky subtracted."""
    sky = 10 ** (0.4 * (22.5 - SKY[band])) * PIXEL_SCALE**2
    variance = (sky + np.clip(image, 0, None)) / ELECTRONS[band]
    return image + np.sqrt(variance) * rng.standard_normal(image.shape)


def petrosian_r90(image):
    """Radius in arcsec that holds 90% of the Petrosian flux, as SDSS: eta = 0.2, aperture 2 r_P."""
    y, x = np.indices(image.shape) + 0.5 - len(image) / 2
    radius = np.hypot(x, y).ravel()
    order = np.argsort(radius, kind="stable")
    grid = np.arange(2.0, len(image) / 2, 0.25)
    growth = partial(np.interp, xp=radius[order], fp=np.cumsum(image.ravel()[order]))
    annulus = (growth(1.25 * grid) - growth(0.8 * grid)) / (1.25**2 - 0.8**2)
    petrosian = grid[np.argmax(annulus < 0.2 * growth(grid))]
    enclosed = growth(grid) / growth(2 * petrosian)
    return float(np.interp(0.9, enclosed, grid)) * PIXEL_SCALE


def header(galaxy, size, r90, position, seed):
    """Header of one file: what it is, where (invented), in what units."""
    cards = fits.Header()
    ra, dec = position
    center = (size + 1) / 2
    for key, value, comment in (
        ("OBJECT", f"simulated {galaxy.name}", "not a real galaxy"),
        ("SIMULATD", True, "simulated image"),
        ("MORPH", galaxy.draw.__name__.replace("_", "-"), "morphology that was simulated"),
        ("BUNIT", "nanomaggy", "per pixel"),
        ("BANDS", BANDS, "in the order of the third axis"),
        ("RA", ra, "[deg] invented position"),
        ("DEC", dec, "[deg] invented position"),
        ("PETROR90", round(r90, 3), "[arcsec] of the noiseless r image"),
        ("MAG_R", galaxy.magnitude, "[mag] total r magnitude simulated"),
        ("SEED", seed, "seed of the sample"),
        ("CTYPE1", "RA---TAN", ""), ("CTYPE2", "DEC--TAN", ""),
        ("CUNIT1", "deg", ""), ("CUNIT2", "deg", ""),
        ("CRPIX1", center, ""), ("CRPIX2", center, ""),
        ("CRVAL1", ra, ""), ("CRVAL2", dec, ""),
        ("CDELT1", -PIXEL_SCALE / 3600, "east to the left"),
        ("CDELT2", PIXEL_SCALE / 3600, "north up"),
        ("RADESYS", "ICRS", ""),
    ):
        cards[key] = (value, comment)
    cards["HISTORY"] = "Simulated by training/make_demo_sample.py of astromorph; no real data."
    return cards


FRAME = {smooth: 104, spiral: 142, edge_on: 122, barred: 142}  # pixels on a side
GALAXIES = (
    Galaxy("smooth 1", smooth, 15.4, dict(half_light=2.4, axis_ratio=0.92, angle=20)),
    Galaxy("smooth 2", smooth, 15.7, dict(half_light=2.3, axis_ratio=0.72, angle=125)),
    Galaxy("smooth 3", smooth, 16.0, dict(half_light=2.3, axis_ratio=0.55, angle=65)),
    Galaxy("spiral 1", spiral, 15.4, dict(scale=2.0, axis_ratio=0.92, angle=30, bulge=0.14,
                                          number=2, pitch=20, phase=40)),
    Galaxy("spiral 2", spiral, 15.7, dict(scale=2.0, axis_ratio=0.76, angle=115, bulge=0.16,
                                          number=3, pitch=-17, phase=10)),
    Galaxy("spiral 3", spiral, 15.8, dict(scale=2.0, axis_ratio=0.88, angle=70, bulge=0.12,
                                          number=4, pitch=24, phase=75)),
    Galaxy("edge-on 1", edge_on, 15.9, dict(scale=2.9, height=0.75, angle=35, bulge=0.2)),
    Galaxy("edge-on 2", edge_on, 16.0, dict(scale=3.0, height=1.0, angle=152, bulge=0.24,
                                            dust=2.2)),
    Galaxy("edge-on 3", edge_on, 16.0, dict(scale=3.0, height=0.6, angle=80, bulge=0.05,
                                            color=(0.50, 0.25))),
    Galaxy("barred spiral 1", barred, 15.5, dict(scale=2.2, axis_ratio=0.90, angle=10, bulge=0.09,
                                                 bar=0.20, length=4.5, bar_angle=35, pitch=15)),
    Galaxy("barred spiral 2", barred, 15.7, dict(scale=2.3, axis_ratio=0.85, angle=80, bulge=0.08,
                                                 bar=0.18, length=4.6, bar_angle=60, pitch=-12,
                                                 ring=0.12, arm_share=0.2)),
    Galaxy("barred spiral 3", barred, 15.6, dict(scale=2.1, axis_ratio=0.94, angle=140, bulge=0.07,
                                                 bar=0.18, length=4.6, bar_angle=-25, pitch=20)),
)


def simulate(galaxy, *, seed=SEED):
    """Simulate one galaxy of the sample.

    Parameters
    ----------
    galaxy : Galaxy
        An entry of ``GALAXIES``.
    seed : int
        Seed of the sample; each galaxy has its own stream.

    Returns
    -------
    `~astropy.io.fits.PrimaryHDU`
        Cube (band, y, x) in nanomaggies per pixel, with header.
    """
    rng = np.random.default_rng([seed, GALAXIES.index(galaxy)])
    size = FRAME[galaxy.draw]
    grid = fine_grid(size)
    components, depth = galaxy.draw(grid, rng, **galaxy.parameters)
    scale = 10 ** (0.4 * (22.5 - galaxy.magnitude)) / starlight(components, "r", depth).sum()
    target = {b: scale * starlight(components, b, depth) for b in BANDS}
    around = list(neighbors(grid, rng))
    planes = [add_noise(observe(target[b] + starlight(around, b), b), b, rng) for b in BANDS]
    r90 = petrosian_r90(observe(target["r"], "r"))
    position = (round(rng.uniform(130, 230), 4), round(rng.uniform(0, 60), 4))
    return fits.PrimaryHDU(np.float32(planes), header(galaxy, size, r90, position, seed))


def file_name(galaxy):
    """Name of a galaxy's file, e.g. ``simulated_edge-on_2.fits``."""
    return f"simulated_{galaxy.name.replace(' ', '_')}.fits"


def main():
    """Write the sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for galaxy in GALAXIES:
        hdu = simulate(galaxy, seed=options.seed)
        hdu.writeto(options.out / file_name(galaxy), overwrite=True)
        print(f"{file_name(galaxy)}: R90 {hdu.header['PETROR90']:.2f} arcsec, "
              f"frame {FRAME[galaxy.draw] * PIXEL_SCALE / hdu.header['PETROR90']:.2f} R90")


if __name__ == "__main__":
    main()
