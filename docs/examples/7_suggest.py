"""
Choose what to label
====================

Labels cost time. ``suggest`` selects the galaxies whose labels teach the most: uncertain ones that
differ from each other.
"""
import numpy as np
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier, plot_mosaic

images, _ = galaxies(150, [1, 2, 3], seed=4)
clf = MorphologyClassifier.from_pretrained("sdss")
todo = clf.suggest(images, n=8, cutout_r90=WIDTH)
todo

# %%
# ``morph_row`` is the row of each galaxy in your data. The most useful galaxies come first.
probabilities = np.ma.stack([todo["P_disk"], todo["P_edge_on"], todo["P_bar"]], axis=1)
titles = [f"row {row}" for row in todo["morph_row"]]
axes = plot_mosaic([images[row] for row in todo["morph_row"]], probabilities, titles=titles)
