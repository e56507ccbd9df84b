"""
Label and look in a notebook
============================

In a notebook, a view shows one galaxy after the other, and one key labels it. Meanwhile a
classifier learns from your labels. Download this example as a notebook at the end of the page, and
open it in JupyterLab. Install the views first: ``pip install "astromorph-galaxies[notebook]"``.
"""
# %%
# Classify the simulated galaxies. Yours are a table, a list of files or a folder.
from pathlib import Path
from tempfile import TemporaryDirectory

from astromorph import MorphologyClassifier
from astromorph.datasets import load_sample

# sphinx_gallery_thumbnail_path = "_static/label_page.jpg"
folder = TemporaryDirectory()  # use a folder of yours
clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.classify(load_sample(), images="file", r90="petroR90")

# %%
# Click on the view, then press S (smooth), E (edge-on), B (barred disk) or D (disk without a bar).
# H shows all keys. astromorph writes each label to a journal at once. To go on another day, run the
# cell again.
view = clf.label(load_sample(), Path(folder.name) / "labels.csv", images="file", r90="petroR90")
view

# %%
# The labels so far, as ``adapt`` takes them:
view.conversation.session.labels()

# %%
# Look at the classified table as a gallery. Sort it, filter it, select galaxies, and correct
# answers with the same keys.
gallery = clf.look(tbl, images="file", labels=Path(folder.name) / "corrections.csv")
gallery

# %%
# The selected galaxies, and the corrections:
gallery.selection

# %%
gallery.labels

# %%
# Close both, which writes the tables. Then remove the files of this example.
view.conversation.close()
gallery.conversation.close()
folder.cleanup()

# %%
# See also
# --------
# - :doc:`/label_page`: all keys, and the same view as a page in the browser
# - :doc:`/look`: sort, filter, and find similar galaxies
# - `~astromorph.classifier.MorphologyClassifier.label` and
#   `~astromorph.classifier.MorphologyClassifier.look`: all arguments
