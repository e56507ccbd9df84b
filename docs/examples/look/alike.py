"""
What looks alike, and what looks odd
====================================

Find the galaxies that look most like one of yours, and those that look like no others.
"""
# %%
# Take the simulated galaxies, in two rotations each, and one image that does not belong: a
# satellite crossed it.
import numpy as np

from astromorph import MorphologyClassifier, odd, plot_mosaic, read_cutout, similar
from astromorph.datasets import load_sample

pictures = [np.rot90(read_cutout(path).pixels, turns)
            for turns in (0, 1) for path in load_sample()["file"]]
crossed = pictures[8].copy()
rows = np.arange(len(crossed))
for offset in range(-3, 4):
    crossed[rows, rows // 2 + 20 + offset] = 1

images = [(255 * np.clip(picture, 0, 1)).astype("uint8") for picture in [*pictures, crossed]]

# %%
# ``embed`` describes what the network sees of each galaxy in 16 numbers.
clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.embed(images, cutout_r90=6.1)
probabilities = clf.predict(images, cutout_r90=6.1)
tbl["features"].shape

# %%
# Rank the galaxies by their similarity to the first one, a barred spiral. The cutouts have no names
# here, so keep the row of each.
tbl["row"] = np.arange(len(tbl))
alike = similar(tbl, like=0, n=3)
rows = [0, *alike["row"]]
titles = ["this one", *(f"similarity {value:.2f}" for value in alike["similarity"])]
axes = plot_mosaic([images[row] for row in rows], probabilities[rows], titles=titles)

# %%
# Rank them by how little they look like the others.
strange = odd(tbl)[:4]
rows = list(strange["row"])
titles = [f"oddness {value:.3f}" for value in strange["oddness"]]
axes = plot_mosaic([images[row] for row in rows], probabilities[rows], titles=titles)

# %%
# See also
# --------
# - :doc:`/alike`: what the features are, and how good the neighbors are
# - `~astromorph.learning.neighbors.similar`, `~astromorph.learning.neighbors.odd` and
#   `~astromorph.classifier.MorphologyClassifier.embed`: all arguments
