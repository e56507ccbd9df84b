"""
Choose what to label
====================

Labels cost time. ``suggest`` selects the galaxies whose labels teach the most: uncertain ones that
differ from each other.
"""
# %%
# Make noisy, rotated copies of the simulated galaxies, without labels.
import numpy as np

from astromorph import MorphologyClassifier, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

rng = np.random.default_rng(4)


def observe(path):
    pixels = np.rot90(read_cutout(path).pixels, rng.integers(4))
    return (255 * (pixels + rng.normal(0, 0.2, pixels.shape)).clip(0, 1)).astype("uint8")


images = [observe(path) for path in list(load_sample()["file"]) * 8]

# %%
# ``morph_row`` is the row of each galaxy in your data. The most useful galaxies come first.
clf = MorphologyClassifier.from_pretrained("sdss")
todo = clf.suggest(images, n=8, cutout_r90=6.1)
todo

# %%
# Draw them. Label these, and some galaxies that you draw at random to test the result.
probabilities = np.ma.stack([todo["P_disk"], todo["P_edge_on"], todo["P_bar"]], axis=1)
titles = [f"row {row}" for row in todo["morph_row"]]
axes = plot_mosaic([images[row] for row in todo["morph_row"]], probabilities, titles=titles)

# %%
# See also
# --------
# - :doc:`/labeling`: how to write labels down, and labels that may be wrong
# - :doc:`/label_page`: a page that shows the most useful galaxies first
# - `~astromorph.classifier.MorphologyClassifier.suggest`: all arguments
