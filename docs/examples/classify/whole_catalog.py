"""
A whole catalog with LSDB
=========================

LSDB divides a large catalog into parts of the sky, and Dask distributes the parts over processes.
This example has a small catalog. Install LSDB first: ``pip install "astromorph-galaxies[lsdb]"``.
"""
# %%
# Make a catalog in the HATS format, with positions, sizes and the paths of the images.
from pathlib import Path
from tempfile import TemporaryDirectory

import lsdb
from astropy.io import fits

from astromorph import MorphologyClassifier
from astromorph.datasets import load_sample

sample = load_sample()
headers = [fits.getheader(path) for path in sample["file"]]
sample["ra"] = [header["RA"] for header in headers]
sample["dec"] = [header["DEC"] for header in headers]
folder = TemporaryDirectory()
path = Path(folder.name)
frame = sample.to_pandas()
lsdb.from_dataframe(frame, catalog_name="galaxies").write_catalog(path / "galaxies")

# %%
# ``classify_catalog`` computes nothing yet. HATS columns have no units, so give those of the sizes.
catalog = lsdb.open_catalog(path / "galaxies")
clf = MorphologyClassifier.from_pretrained("sdss")
result = clf.classify_catalog(catalog, images="file", r90="petroR90",
                              units={"petroR90": "arcsec"})
result.columns

# %%
# Write the result. This computes it, part by part. If the process stops, run it again: LSDB keeps
# the finished parts.
result.write_catalog(path / "shapes", resume=True)

# %%
# Select the likely bars. LSDB reads only the columns that you name.
shapes = lsdb.open_catalog(path / "shapes", columns=["name", "P_disk", "P_edge_on", "P_bar"])
shapes.query("P_disk > 0.5 and P_edge_on < 0.5 and P_bar > 0.5").compute()

# %%
# Remove the files of this example.
folder.cleanup()

# %%
# See also
# --------
# - :doc:`/whole_survey`: workers, memory, and where the images may be
# - `~astromorph.classifier.MorphologyClassifier.classify_catalog`: all arguments
# - `~astromorph.partitions.write_extension`: publish the new columns alone
