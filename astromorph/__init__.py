"""Galaxy morphology for survey catalogs.

Python imports each name below when you first use it. ``import astromorph`` alone loads no
deep-learning library.
"""
from importlib import import_module

import astromorph.distribution  # noqa: F401, it fails where another project shares this folder

try:
    from astromorph._version import version as __version__
except ImportError:  # a checkout that was never built
    __version__ = "0.1.0.dev0"

# Public name -> the module it lives in.
_HOMES = {
    "MorphologyClassifier": "classifier",
    "Question": "questions",
    "QUESTIONS": "questions",
    "Survey": "surveys",
    "SURVEYS": "surveys",
    "get_survey": "surveys",
    "MorphFlag": "flags",
    "decode_flags": "flags",
    "fetch_cutouts": "cutouts",
    "query_galaxies": "galaxies.catalogs",
    "to_regions": "galaxies.regions",
    "make_labels": "learning.labels",
    "CutoutError": "errors",
    "FetchError": "errors",
    "AstromorphWarning": "errors",
    "read_cutout": "images",
    "measure_r90": "images",
    "similar": "learning.neighbors",
    "odd": "learning.neighbors",
    "score": "metrics",
    "score_table": "metrics",
    "plot_mosaic": "plots",
    "write_report": "report",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # from now on Python finds it without this function
    return value


def __dir__():
    return sorted({*globals(), *__all__})
