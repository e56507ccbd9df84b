"""Sphinx configuration, on top of the one that Astropy's packages share.

Without a network, build with ``-D disable_intersphinx=1``.
"""

import sys
from pathlib import Path

from sphinx_astropy.conf.v2 import *  # noqa: F403

import astromorph

sys.path.insert(0, str(Path(__file__).parent))
from notebooks import mend_all  # noqa: E402

extensions += ["sphinx_gallery.gen_gallery"]  # noqa: F405
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"(?<!_notebook)\.py$",  # runs what does not need a notebook
    "within_subsection_order": "FileNameSortKey",
    "write_computation_times": False,
    "download_all_examples": False,
    "abort_on_example_error": True,
}

# Read by the gallery, and by other pages.
exclude_patterns += ["examples", "tables"]  # noqa: F405

project = "astromorph"
author = "astromorph developers"
copyright = "2026, astromorph developers"
version = release = astromorph.__version__

# Publishers answer robots with errors.
linkcheck_ignore = [r"https://doi\.org/"]
linkcheck_retries = 2

html_title = "astromorph " + release.split("+")[0]
html_static_path = ["_static"]
templates_path = ["_templates"]
html_sidebars = {"index": ["all_pages.html"]}
html_css_files = ["tables.css"]
html_theme_options |= {"secondary_sidebar_items": ["page-toc"], "show_toc_level": 2}  # noqa: F405
rst_epilog += ".. _Astropy-affiliated: https://www.astropy.org/affiliated/"  # noqa: F405

intersphinx_mapping = {name: target for name, target in intersphinx_mapping.items()  # noqa: F405
                       if name in ("python", "numpy", "matplotlib", "astropy")}


def setup(app):
    """Mend the notebooks, once the gallery has written them."""
    app.connect("builder-inited", mend_all, priority=900)
