"""Which galaxies: images that the user holds, positions, catalogs, regions of the sky."""
