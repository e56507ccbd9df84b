"""Positions -> image files: from the cache, else from the survey's image services."""
from astromorph.cutouts.cache import CutoutCache
from astromorph.cutouts.fetching import PROVENANCE, CutoutFetcher, fetch_cutouts

__all__ = ["PROVENANCE", "CutoutCache", "CutoutFetcher", "fetch_cutouts"]
