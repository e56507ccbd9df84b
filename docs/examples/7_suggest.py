"""
Choose what to label
====================

Labels cost time. ``suggest`` gives the galaxies whose labels would teach most: uncertain ones that
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
# ``morph_row`` says which rows of the data these are, those to label first in front.
probabilities = np.ma.stack([todo["P_disk"], todo["P_edge_on"], todo["P_bar"]], axis=1)
titles = [f"row {row}" for row in todo["morph_row"]]
axes = plot_mosaic([images[row] for row in todo["morph_row"]], probabilities, titles=titles)
