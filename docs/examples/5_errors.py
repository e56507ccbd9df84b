"""
Errors, and what to leave out
=============================

``uncertainty`` adds an error to each probability: how much it changes when astromorph rotates and
mirrors the image, or when the network drops part of its inputs. Do not trust answers with large
errors.
"""
import numpy as np
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier
from astromorph.plots import plot_rejection

images, labels = galaxies(200, [1, 2, 3], seed=3)
clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.classify(images, cutout_r90=WIDTH, uncertainty="views")
tbl["P_disk", "P_disk_err", "P_edge_on", "P_edge_on_err"][:5]

# %%
# Leave out the galaxies with the largest errors, and the accuracy of the others rises. The errors
# are useful if they select better than the distance of the probability from 0 and 1.
doubt = 0.5 - np.abs(tbl["P_disk"] - 0.5)
ax = plot_rejection(labels[:, 0], tbl["P_disk"], tbl["P_disk_err"], label="by views")
ax = plot_rejection(labels[:, 0], tbl["P_disk"], doubt, label="by probability", ax=ax)
