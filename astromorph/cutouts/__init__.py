"""Fetch images of positions, from the cache or from the survey's image services."""
from astromorph.cutouts.cache import CutoutCache
from astromorph.cutouts.fetching import PROVENANCE, CutoutFetcher, fetch_cutouts
from astromorph.cutouts.options import PER_HOST, FetchOptions

__all__ = ["PER_HOST", "PROVENANCE", "CutoutCache", "CutoutFetcher", "FetchOptions",
           "fetch_cutouts"]
