"""The Legacy Surveys viewer's cutouts, with what they do unasked."""
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from astromorph.surveys import SURVEYS, Survey
from loopback.messages import (Response, encode, fits_file, picture_bands, plane_bytes, shown,
                               text)
from loopback.sky import Grid

__all__ = ["fits_cutout", "jpeg_cutout"]

_MAX_SIZE = 3000
_NORTH = 32.375  # ls-dr10 is DR9 to the north of it, without i


@dataclass(frozen=True, eq=False)
class _Layer:
    survey: str
    bands: str
    picture: Survey
    title: str
    version: str


_SDSS = replace(SURVEYS["sdss"], scales={"g": 2.5, "r": 1.5, "i": 1.0, "z": 0.4}, offset=0.02)
LAYERS = {
    "ls-dr10": _Layer("legacy", "griz", SURVEYS["legacy"], "LegacySurvey", "DR10"),
    "ls-dr9": _Layer("legacy", "grz", SURVEYS["legacy"], "LegacySurvey", "DR9"),
    "des-dr1": _Layer("des", "grz", SURVEYS["des"], "DES", "DR1"),
    "sdss": _Layer("sdss", "gri", _SDSS, "SDSS", "DR13"),
}


def jpeg_cutout(request, sky, faults):
    """``jpeg-cutout?ra&dec&layer&pixscale&size|width&height``; row 0 is in the north."""
    return _cutout(request, sky, _picture)


def fits_cutout(request, sky, faults):
    """``fits-cutout?...&bands``: (band, y, x), 2-D for one band; row 0 is in the south."""
    return _cutout(request, sky, _flux)


def _cutout(request, sky, answer):
    if not {"ra", "dec"} <= set(request.query):
        return text("need ra and dec", 400)
    layer = LAYERS.get(request.query.get("layer", "ls-dr10"))
    if layer is None:
        return text("no such layer")
    size = request.number("size", 256)
    width, height = (min(int(request.number(name, size)), _MAX_SIZE)
                     for name in ("width", "height"))
    grid = Grid.centered(request.number("ra"), request.number("dec"), width=width, height=height,
                         scale=request.number("pixscale", 0.262))
    return answer(request, sky, layer, grid)


def _picture(request, sky, layer, grid):
    view = sky.view(layer.survey, grid, picture_bands(layer.picture), cut=request.cut)
    return Response(_jpeg(view, layer))


@lru_cache(maxsize=1024)
def _jpeg(view, layer):
    return encode(shown(view, layer.picture))


def _flux(request, sky, layer, grid):
    asked = request.query.get("bands", layer.bands)
    bands = asked if set(asked) <= set(layer.bands) and asked else layer.bands
    if request.fault == "bands":
        bands = bands[::-1] if len(bands) > 1 else "z" if bands != "z" else "g"
    view = sky.view(layer.survey, grid, bands, cut=request.cut)
    if not view.coverage() and not request.cut:
        return text("No such object / no overlap", 500, "text/html")
    empty = "i" if layer.version == "DR10" and grid.dec > _NORTH else ""
    shape = (grid.height, grid.width) if len(bands) == 1 else (len(bands), grid.height, grid.width)
    cards = [("SURVEY", layer.title), ("VERSION", layer.version), ("IMAGETYP", "image"),
             ("BANDS", bands), *((f"BAND{n}", band) for n, band in enumerate(bands)),
             *grid.cards()]
    return Response(fits_file(cards, _data(view, empty), shape=shape), "image/fits",
                    headers={"Content-Disposition": "attachment; filename=cutout.fits"})


@lru_cache(maxsize=128)
def _data(view, empty):
    """Pixels with zeros where there is no data."""
    planes = np.nan_to_num(view.planes())
    for plane, band in zip(planes, view.bands):
        if band in empty:
            plane[:] = 0
    return plane_bytes(planes)
