"""NOIRLab's Simple Image Access (version 1) and the cutouts that it points to."""
import math
import re
from functools import lru_cache

import numpy as np
from astropy.table import Table

from astromorph.surveys import SURVEYS
from loopback.messages import BadRequest, Response, fits_file, plane_bytes, text
from loopback.sky import Grid
from loopback.votable import votable

__all__ = ["cutout", "image_list"]

_BANDPASS = {"g": "g DECam SDSS c0001 4720.0 1520.0", "r": "r DECam SDSS c0002 6415.0 1480.0",
             "i": "i DECam SDSS c0003 7835.0 1470.0", "z": "z DECam SDSS c0004 9260.0 1520.0",
             "Y": "Y DECam c0005 10095.0 1130.0"}
# A galaxy lies on one tile, and the edge of the next touches its frame: tile -> exposure time.
_TILES = {"p02": 1800.0, "p01": 900.0}
_PRODUCTS = {1: "image", 2: "mask", 3: "weight"}  # by extension
_UCDS = {"access_url": "VOX:Image_AccessReference", "access_format": "VOX:Image_Format",
         "title": "VOX:Image_Title", "ra": "POS_EQ_RA_MAIN", "dec": "POS_EQ_DEC_MAIN",
         "naxes": "VOX:Image_Naxes", "obs_bandpass": "VOX:BandPass_ID"}
_SCALE, _ANGLE = 0.263, math.radians(1.0)


def image_list(request, sky, faults):
    """``/sia/des_dr2?POS=ra,dec&SIZE=w,h``: the images of all bands, with decoys."""
    ra, dec = _pair(request, "pos")
    _pair(request, "size")
    rows = [_row(request, ra, dec, tile, name, band, extension)
            for tile in _TILES for extension in _PRODUCTS
            for name, band in [*((f"{band}{twin}", band) for band in _BANDPASS
                                 for twin in ("", "_nobkg")), ("det", "det")]]
    if not sky.covers(_survey(request.path.rpartition("/")[2]), dec):
        rows = []
    names = ("title", "access_url", "access_format", "ra", "dec", "naxes", "obs_bandpass",
             "proctype", "prodtype", "exptime")
    table = Table(rows=rows or None, names=names,
                  dtype=(str, str, str, float, float, int, str, str, str, float))
    return Response(votable(table, ucds=_UCDS), "application/x-votable+xml")


def _row(request, ra, dec, tile, name, band, extension):
    file = f"DES{ra:.4f}{dec:+.4f}_r4907+{tile}_{name}.fits.fz"
    collection = request.path.rpartition("/")[2]
    url = (f"{request.base}/svc/cutout?col={collection}&siaRef={file}&extn={extension}"
           f"&POS={request.query['pos']}&SIZE={request.query['size']}")
    return (file, url, "image/fits", ra, dec, 2, _BANDPASS.get(band, band), "Stack",
            _PRODUCTS[extension], _TILES[tile])


def _survey(collection):
    return next((name for name, survey in SURVEYS.items() if survey.sia == collection), "des")


def cutout(request, sky, faults):
    """Serve the FITS file of an ``access_url``; one whose ``+`` was encoded gives status 500."""
    match = re.search(r"siaRef=DES[\d.]+[-+][\d.]+_r4907\+(\w+?)_(\w+)\.fits.*extn=(\d)",
                      request.raw_query)
    if match is None or match[1] not in _TILES:
        return text("Internal Server Error", 500, "text/html")
    tile, name, extension = match.groups()
    ra, dec = _pair(request, "pos")
    width, height = _pair(request, "size")
    # the cutout is of whole pixels of a tile: not quite centered, not quite north up
    nx = max(round(width * math.cos(math.radians(dec)) * 3600 / _SCALE), 8)
    ny = max(round(height * 3600 / _SCALE), 8)
    sin, cos = _SCALE * math.sin(_ANGLE), _SCALE * math.cos(_ANGLE)
    seen = ny if tile == "p01" else max(ny // 8, 4)  # of the next tile, a strip in the south
    grid = Grid(ra, dec, nx / 2 - 0.2, ny / 2 - 0.7, (-cos, sin, sin, cos), nx, seen)
    band = name[:1] if name.removesuffix("_nobkg") in _BANDPASS else "r"
    view = sky.view(_survey(request.query.get("col")), grid, band, cut=request.cut)
    cards = [("FILTER", _BANDPASS[band]), ("BAND", band), ("MAGZERO", 30.0),
             ("EXPTIME", _TILES[tile]), *grid.cards()]
    data = _data(view, name == band and extension == "1")
    return Response(fits_file(cards, data, shape=(seen, nx)), "image/fits", chunked=True)


@lru_cache(maxsize=256)
def _data(view, plain):
    """Counts of the zero point 30; twins, masks, weights and detection images hold another sky."""
    plane = view.planes()[0] * np.float32(10 ** (7.5 / 2.5))
    return plane_bytes(plane if plain else np.full_like(plane, 50))


def _pair(request, name):
    """Read ``first,second``; a single number stands for both."""
    try:
        first, *second = map(float, request.query[name].split(","))
        second, = second or [first]
    except (KeyError, ValueError):
        raise BadRequest(f"{name.upper()} must be two numbers") from None
    return first, second
