"""
Errors, and what to leave out
=============================

``uncertainty`` adds an error to each probability: how much it changes when astromorph rotates and
mirrors the image, or when the network drops part of its inputs. Do not trust answers with large
errors.
"""
# %%
# Make copies of the simulated galaxies in different seeing, with much noise.
import numpy as np
from scipy.ndimage import gaussian_filter

from astromorph import MorphologyClassifier, read_cutout
from astromorph.datasets import load_sample
from astromorph.plots import plot_rejection

sample = load_sample()
rows = np.arange(144) % len(sample)
is_disk = ["smooth" not in name for name in sample["name"][rows]]
rng = np.random.default_rng(3)


def observe(path):
    seeing = rng.uniform(1, 3)
    pixels = gaussian_filter(read_cutout(path).pixels, (seeing, seeing, 0)).clip(0, 1) ** 0.35
    pixels = 0.5 + 0.5 * pixels + rng.normal(0, 0.15, pixels.shape)
    return (255 * pixels.clip(0, 1)).astype("uint8")


images = [observe(path) for path in sample["file"][rows]]

# %%
# Each probability has an error in the column after it.
clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.classify(images, cutout_r90=6.1, uncertainty="views")
tbl["P_disk", "P_disk_err", "P_edge_on", "P_edge_on_err"][:5]

# %%
# Leave out the galaxies with the largest errors, and the accuracy of the others rises. The errors
# are useful if they select better than the distance of the probability from 0 and 1.
doubt = 0.5 - np.abs(tbl["P_disk"] - 0.5)
ax = plot_rejection(is_disk, tbl["P_disk"], tbl["P_disk_err"], label="by views")
ax = plot_rejection(is_disk, tbl["P_disk"], doubt, label="by probability", ax=ax)

# %%
# See also
# --------
# - :doc:`/calibrating`: what the errors mean, and how to calibrate probabilities
# - :doc:`/accuracy`: how accurate the answers are on real galaxies
# - `~astromorph.plots.plot_rejection` and `~astromorph.curves.rejection_curve`: the diagram, and
#   its numbers
