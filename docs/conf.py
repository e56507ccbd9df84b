"""Sphinx configuration, on top of the one that Astropy's packages share.

Without a network, build with ``-D disable_intersphinx=1``.
"""

import sys
from pathlib import Path

from sphinx_astropy.conf.v2 import *  # noqa: F403
from sphinx.pycode import ModuleAnalyzer
from sphinx_gallery import gen_rst

import astromorph

sys.path.insert(0, str(Path(__file__).parent))
from notebooks import mend  # noqa: E402

extensions += ["sphinx_gallery.gen_gallery"]  # noqa: F405
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    # Tests run the others: one needs a notebook, and LSDB takes long to load.
    "filename_pattern": r"/(?!label_notebook|whole_catalog)\w+\.py$",
    "within_subsection_order": "FileNameSortKey",
    "write_computation_times": False,
    "abort_on_example_error": True,
}

# The gallery writes notebooks whose links are still those of reStructuredText.
save_notebook = gen_rst.save_notebook
gen_rst.save_notebook = lambda notebook, path: save_notebook(mend(notebook), path)

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

# Constants say what they are; their values may fill a page.
autodoc_default_options = {"no-value": True}

# A link that leads nowhere is a warning. Those to other packages need the network.
nitpicky = True
nitpick_ignore_regex = [("py:.*", rf"{package}(\..*)?") for package in (
    "astropy", "collections", "dataclasses", "enum", "functools", "http", "ipyaladin", "keras",
    "lsdb", "matplotlib", "mocpy", "numpy", "pandas", "pathlib", "regions", "requests", "sklearn",
    "types")]


def find_home(app, env, node, text):
    """Lead ``astromorph.NAME`` to the module in which NAME lives."""
    name = node.get("reftarget", "").removeprefix("astromorph.")
    home = astromorph._HOMES.get(name.partition(".")[0])
    return home and env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, "obj", f"astromorph.{home}.{name}", node, text)


def find_text(app, what, name, value, options, lines):
    """Give a constant that a package offers the text of its own module; drop Python's own texts."""
    lines[:] = [line for line in lines if not line.startswith(
        ("Alias for field number", "Create new instance of"))]
    package, _, constant = name.rpartition(".")
    for module in [each for each in sys.modules if each.startswith(f"{package}.")]:
        texts = ModuleAnalyzer.for_module(module).find_attr_docs()
        if what == "data" and ("", constant) in texts:
            lines[:] = texts["", constant]  # in place of those of its type


def setup(app):
    """Resolve the short names of what ``astromorph`` offers."""
    app.connect("missing-reference", find_home)
    app.connect("autodoc-process-docstring", find_text)
