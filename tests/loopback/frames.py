"""SDSS frames in the Science Archive Server: whole fields, rotated, compressed."""
import bz2
import io
import math
import re
from functools import cache, lru_cache

import numpy as np
from astropy.io import fits

from loopback.light import PIXEL
from loopback.messages import BLOCK, Response, fits_file, plane_bytes, text
from loopback.sky import Grid

__all__ = ["frame", "frames_of"]

_NAME = re.compile(r"/sas/dr(?P<release>\d+)/(?P<instrument>.+)/photoObj/frames/301/\d+/\d/"
                   r"frame-(?P<band>[ugriz])-(?P<run>\d{6,})-(?P<camcol>\d)-(?P<field>\d{4,})"
                   r"\.fits\.bz2")
# camcol: where the galaxy lies in the frame, as a fraction of its width and height, and its angle
_PLACES = {1: (0.02, 0.5, 70.0), 2: (0.55, 0.45, 82.0), 3: (1.2, 0.3, 95.0)}


def frames_of(galaxy):
    """Run, rerun, camcol and field of the frames near a galaxy: at the edge, within, outside.

    They tell the position, so that frames need no memory: run is the right ascension and field the
    declination + 90 in thousandths of a degree.
    """
    run, field = round(galaxy.ra * 1000) % 360_000, round((galaxy.dec + 90) * 1000)
    return [(run, 301, camcol, field) for camcol in _PLACES]


def frame(request, sky, faults):
    """``.../{run}/{camcol}/frame-{band}-{run}-{camcol}-{field}.fits.bz2``."""
    match = _NAME.fullmatch(request.path)
    if match is None or match["instrument"] != _instrument(int(match["release"])):
        return text("Not Found", 404)
    band, (run, camcol, field) = match["band"], map(int, match.group("run", "camcol", "field"))
    ra, dec = run / 1000, field / 1000 - 90
    if camcol not in _PLACES or not sky.covers("sdss", dec):
        return text("Not Found", 404)
    grid = _grid(ra, dec, camcol, *sky.frame_shape)
    cards = [("BUNIT", "nanomaggy"), ("FILTER", band), ("RUN", run), ("RERUN", "301"),
             ("CAMCOL", camcol), ("FRAME", field), *grid.cards()]
    view = sky.view("sdss", grid, band, cut=request.cut)
    header = fits_file(cards, b"", shape=(grid.height, grid.width))
    # bzip2 streams can follow each other: the header differs, the pixels are reused
    body = bz2.compress(header, 1) + _compressed(view) + _others()
    return Response(body, "application/x-bzip2")


def _instrument(release):
    return ("boss" if release <= 12 else "eboss" if release <= 17
            else "prior-surveys/sdss4-dr17-eboss")


def _grid(ra, dec, camcol, height, width):
    x, y, angle = _PLACES[camcol]
    sin, cos = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    cd = (-PIXEL * cos, PIXEL * sin, PIXEL * sin, PIXEL * cos)
    return Grid(ra, dec, x * (width - 1), y * (height - 1), cd, width, height)


@lru_cache(maxsize=64)
def _compressed(view):
    return bz2.compress(plane_bytes(np.nan_to_num(view.planes()[0])), 1)


@cache
def _others():
    """HDU 1, the calibration, and HDU 2, the sky."""
    calibration = fits.ImageHDU(np.full(2048, 0.005, np.float32))
    sky = fits.BinTableHDU.from_columns([
        fits.Column("ALLSKY", "6E", dim="(3, 2)", array=np.full((1, 2, 3), 140, np.float32)),
        fits.Column("XINTERP", "2E", array=[[0, 1]]), fits.Column("YINTERP", "2E", array=[[0, 1]])])
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), calibration, sky]).writeto(file)
    return bz2.compress(file.getvalue()[BLOCK:], 1)
