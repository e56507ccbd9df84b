"""
Classify cutouts
================

Pass a list of files, and get a table: three probabilities and a flag for each galaxy.
"""
# %%
# The package contains twelve simulated galaxies as FITS files with the bands g, r and i. Your files
# may also be JPEG or PNG pictures.
import numpy as np

from astromorph import MorphologyClassifier, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

cutouts = list(load_sample()["file"])

# %%
# The network needs the size of the galaxy: its R90, the radius that holds 90% of the Petrosian
# flux. Here astromorph measures each galaxy on its image.
clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.classify(cutouts, r90="measure")
tbl["P_disk", "P_edge_on", "P_bar", "morph_flag"]

# %%
# Draw the galaxies with their probabilities. ``P_edge_on`` makes sense only for disks, and
# ``P_bar`` only for disks that are not edge-on.
pictures = [read_cutout(path).pixels for path in cutouts]
probabilities = np.ma.stack([tbl["P_disk"], tbl["P_edge_on"], tbl["P_bar"]], axis=1)
axes = plot_mosaic(pictures, probabilities)

# %%
# See also
# --------
# - :doc:`/getting_started`: the first steps, one by one
# - :doc:`/cutouts`: other forms of images, and their widths
# - :doc:`/data_model`: the columns and flags of the result
# - `~astromorph.classifier.MorphologyClassifier.classify` and
#   `~astromorph.plots.plot_mosaic`: all arguments
