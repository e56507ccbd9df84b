"""Images -> network pixels: files, HDUs, NDData and arrays become color pictures, then frames."""
from astromorph.images.composite import color_composite
from astromorph.images.reading import (Cutout, CutoutError, decode_picture, load_frame,
                                       measure_r90, normalize_bands, read_cutout, resample)

__all__ = ["Cutout", "CutoutError", "color_composite", "decode_picture", "load_frame",
           "measure_r90", "normalize_bands", "read_cutout", "resample"]
