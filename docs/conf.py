"""Sphinx configuration, on top of the one that Astropy's packages share.

Without a network, build with ``-D disable_intersphinx=1``.
"""
from sphinx_astropy.conf.v2 import *  # noqa: F403

import astromorph

project = "astromorph"
author = "astromorph developers"
copyright = "2026, astromorph developers"
version = release = astromorph.__version__

html_title = f"astromorph {release}"
html_static_path = ["_static"]
rst_epilog += ".. _Astropy-affiliated: https://www.astropy.org/affiliated/"  # noqa: F405

intersphinx_mapping = {name: target for name, target in intersphinx_mapping.items()  # noqa: F405
                       if name in ("python", "numpy", "matplotlib", "astropy")}
