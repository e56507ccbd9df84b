"""Read images: files, HDUs, NDData and arrays become color pictures, and these become frames."""
from astromorph.errors import CutoutError
from astromorph.images.composite import color_composite
from astromorph.images.frames import load_frame, normalize_bands, resample
from astromorph.images.pictures import decode_picture
from astromorph.images.reading import Cutout, open_cutout, read_cutout
from astromorph.images.sizes import measure_r90
from astromorph.images.stretching import fit_stretch

__all__ = ["Cutout", "CutoutError", "color_composite", "decode_picture", "fit_stretch",
           "load_frame", "measure_r90", "normalize_bands", "open_cutout", "read_cutout", "resample"]
