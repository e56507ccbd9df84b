"""
Positions, and images that you have
===================================

Classify a catalog with positions and sizes. astromorph takes the images from the survey's services
or, as here, from a folder.
"""
# %%
# The catalog has names, positions and R90. The columns may have any usual names.
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable

from astromorph import MorphologyClassifier, plot_mosaic, read_cutout
from astromorph.datasets import load_sample
from astromorph.services import LocalFolder

sample = load_sample()
headers = [fits.getheader(path) for path in sample["file"]]
catalog = QTable({
    "objid": [Path(path).stem for path in sample["file"]],
    "ra": [header["RA"] for header in headers] * u.deg,
    "dec": [header["DEC"] for header in headers] * u.deg,
    "petroR90": sample["petroR90"],
})
catalog[:3]

# %%
# The folder has a file for each ``objid``. A missing file affects only its own row. Without
# ``services``, astromorph would download the images from SDSS.
folder = Path(sample["file"][0]).parent
catalog["objid"][11] = "not_observed"
clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.classify(catalog, ids="objid", services=LocalFolder(folder), provenance=True)
tbl["objid", "P_disk", "P_edge_on", "P_bar", "morph_flag", "cutout_service"]

# %%
# Show the most likely bars among the disks that are not edge-on.
face_on = tbl[(tbl["P_disk"] > 0.5) & (tbl["P_edge_on"] < 0.5)]
face_on.sort("P_bar", reverse=True)
bars = face_on[:4]
pictures = [read_cutout(folder / f"{name}.fits").pixels for name in bars["objid"]]
probabilities = np.ma.stack([bars["P_disk"], bars["P_edge_on"], bars["P_bar"]], axis=1)
axes = plot_mosaic(pictures, probabilities, titles=bars["objid"])

# %%
# See also
# --------
# - :doc:`/images_by_position`: the services of the surveys, and the cache
# - :doc:`/resuming`: runs that you can stop and resume
# - `~astromorph.services.LocalFolder`: how files get their names
