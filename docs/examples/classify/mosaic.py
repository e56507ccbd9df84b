"""
Galaxies in a mosaic
====================

Pass one large image and a catalog of its galaxies. Here there is no catalog yet, so SEP finds the
galaxies first.
"""
# %%
# Make a mosaic of the simulated galaxies: three bands, noise, and world coordinates (a WCS). Yours
# is a file. Pass its name.
import numpy as np
import sep
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from astromorph import MorphologyClassifier, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

flux = np.random.default_rng(0).normal(0, 0.01, (3, 450, 600)).astype("f4")
for k, path in enumerate(load_sample()["file"]):
    galaxy, header = fits.getdata(path, header=True)
    y, x = 150 * (k // 4), 150 * (k % 4)
    flux[:, y:y + galaxy.shape[1], x:x + galaxy.shape[2]] += galaxy

mosaic = fits.HDUList([fits.PrimaryHDU(flux, header)])

# %%
# SEP, which comes with astromorph, detects the galaxies in the r band. Objects with fewer than 300
# pixels are stars here: leave them out. The WCS turns pixels into positions.
found = sep.extract(flux[1], 5, err=0.02, minarea=300)
wcs = WCS(header, naxis=2)
ra, dec = wcs.pixel_to_world_values(found["x"], found["y"])
catalog = Table({"ra": ra, "dec": dec}, units={"ra": "deg", "dec": "deg"})
len(catalog)

# %%
# astromorph cuts out each galaxy and measures its size.
clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.classify(catalog, images=mosaic)
tbl

# %%
# Draw the galaxies with their probabilities.
centers = zip(found["x"].astype(int), found["y"].astype(int))
pictures = [read_cutout({band: plane[max(y - 45, 0):y + 45, max(x - 45, 0):x + 45]
                         for band, plane in zip("gri", flux)}).pixels for x, y in centers]
probabilities = np.ma.stack([tbl["P_disk"], tbl["P_edge_on"], tbl["P_bar"]], axis=1)
axes = plot_mosaic(pictures, probabilities)

# %%
# See also
# --------
# - :ref:`mosaic`: files, columns of files, and galaxies at the edge
# - :doc:`/data_model`: the flags of galaxies at the edge or outside
# - `~astromorph.classifier.MorphologyClassifier.classify` and
#   `~astromorph.images.measure_r90`: all arguments
