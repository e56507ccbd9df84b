"""
Classify cutouts
================

A list of files in, a table out: three probabilities and a flag for each galaxy.
"""
# %%
# The package brings a dozen simulated galaxies as FITS files with the bands g, r and i. Yours may
# be JPEG or PNG pictures as well.
import numpy as np

from astromorph import MorphologyClassifier, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

cutouts = list(load_sample()["file"])

# %%
# A network needs to know how large the galaxy is: its R90, the radius that holds 90% of the
# Petrosian flux. Here each galaxy is measured on its image.
clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.classify(cutouts, r90="measure")
tbl["P_disk", "P_edge_on", "P_bar", "morph_flag"]

# %%
# The galaxies with their probabilities. ``P_edge_on`` means something only for disks, ``P_bar``
# only for disks that are not edge-on.
pictures = [read_cutout(path).pixels for path in cutouts]
probabilities = np.ma.stack([tbl["P_disk"], tbl["P_edge_on"], tbl["P_bar"]], axis=1)
axes = plot_mosaic(pictures, probabilities)
