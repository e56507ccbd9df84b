"""Sources of galaxies: images that the user has, positions, catalogs, regions of the sky."""
from astromorph.galaxies.frames import FrameOptions
from astromorph.galaxies.loaded import Loaded
from astromorph.galaxies.source import GalaxySource, open_source

__all__ = ["FrameOptions", "GalaxySource", "Loaded", "open_source"]
