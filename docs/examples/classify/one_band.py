"""
One band
========

The same weights classify images of one band. They see a gray picture, and ``morph_flag`` says so.
"""
# %%
# Take the r band of each simulated galaxy, as a FITS file with one plane. The header names the
# band and has the world coordinates (the WCS), and with them the size of the pixels.
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits

from astromorph import MorphologyClassifier, decode_flags, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

sample = load_sample()
folder = TemporaryDirectory()
sample["r"] = [str(Path(folder.name) / Path(path).name) for path in sample["file"]]
for path, one_band in sample["file", "r"].iterrows():
    cube, header = fits.getdata(path, header=True)
    header["BANDS"] = "r"
    fits.writeto(one_band, cube[1], header)

# %%
# Classify both tables.
clf = MorphologyClassifier.from_pretrained("sdss")
color = clf.classify(sample, images="file", r90="petroR90")
gray = clf.classify(sample, images="r", r90="petroR90")
decode_flags(gray["morph_flag"])[0]

# %%
# Compare the answers. The upper row has colors and the lower row has not.
rows = [0, 3, 6, 9]
pictures = [read_cutout(path).pixels
            for path in [*sample["file"][rows], *sample["r"][rows]]]
probabilities = np.ma.concatenate([
    np.ma.stack([tbl["P_disk"], tbl["P_edge_on"], tbl["P_bar"]], axis=1)[rows]
    for tbl in (color, gray)])
axes = plot_mosaic(pictures, probabilities)

# %%
# Remove the files of this example.
folder.cleanup()

# %%
# See also
# --------
# - :doc:`/cutouts`: which images count as one band
# - :doc:`/robustness`: how much accuracy you lose without colors
# - `~astromorph.images.read_cutout`: all forms of images
