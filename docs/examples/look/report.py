"""
A report of a table
===================

``write_report`` summarizes a table on one page. The page shows the flags of the rows, the
distribution of the probabilities, the most and the least certain galaxies, and the provenance.
"""
import html
from pathlib import Path
from tempfile import TemporaryDirectory

from astromorph import MorphologyClassifier, write_report
from astromorph.datasets import load_sample
from astromorph.plots import plot_histogram

clf = MorphologyClassifier.from_pretrained("sdss")
tbl = clf.classify([*load_sample()["file"], "lost.fits"], r90="measure")

with TemporaryDirectory() as folder:
    write_report(tbl, Path(folder) / "report.html", classifier=clf, images="file")
    page = (Path(folder) / "report.html").read_text()


# %%
# The page is one file that needs no other. From a shell, ``astromorph classify --report
# report.html`` writes it next to the table.
class Shown:
    def _repr_html_(self):
        return (f'<iframe srcdoc="{html.escape(page)}" title="The report" '
                'style="width: 100%; height: 50rem; border: 1px solid #999"></iframe>')


Shown()

# %%
# You can also draw its diagrams alone.
ax = plot_histogram(tbl["P_disk"])

# %%
# See also
# --------
# - :doc:`/getting_started`: what the flags of a row mean
# - :doc:`/look`: a gallery in which you sort, filter and correct
# - `~astromorph.report.write_report` and `~astromorph.plots.plot_histogram`: all arguments
