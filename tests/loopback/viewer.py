"""The Legacy Surveys viewer's cutouts, with what they do unasked."""
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from loopback.messages import Response, encode, fits_file, plane_bytes, text
from loopback.sky import Grid

__all__ = ["fits_cutout", "jpeg_cutout"]

_MAX_SIZE = 3000
_NORTH, _POLE = 32.375, (192.85948, 27.12825)  # degrees; the galactic pole
_SERVER_ERROR = "<!doctype html>\n<html><body><h1>Server Error (500)</h1></body></html>"


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer: ``shown`` draws planes; with ``whole_sky`` its list of bricks has all the sky.

    With ``north`` it is DR9 in the north, where i is zero, and ``north`` draws the planes.
    """

    survey: str
    bands: str
    shown: Callable
    title: str
    version: str
    whole_sky: bool = True
    zero_point: float = 22.5
    north: Callable | None = None


def _mapped(planes, scales, rgb, m, q=20.0):
    """The viewer's color mapping: (y, x, 3) from 0 to 1."""
    light = {band: np.clip(planes[band] * scale + m, 0, None) for band, scale in scales.items()
             if band in planes}
    mean = np.maximum(sum(light.values()) / len(light), 1e-6)
    stretch = np.arcsinh(q * mean) / (np.sqrt(q) * mean)
    parts = {band: (plane * stretch).clip(0, 1) for band, plane in light.items()}
    channels = [sum(weight * parts[band] for band, weight in mix.items() if band in parts)
                for mix in rgb]
    return np.stack(channels, axis=-1)


def _mapping(scales, rgb, m):
    mixes = [{band: 1.0} if isinstance(band, str) else band for band in rgb]
    return partial(_mapped, scales=scales, rgb=mixes, m=m)


_GRZ = _mapping({"g": 6.0, "r": 3.4, "z": 2.2}, "zrg", 0.03)
_GRIZ = _mapping({"g": 9.0, "r": 5.1, "i": 4.5, "z": 3.3},
                 [{"z": 0.75, "i": 0.25}, {"r": 0.5, "i": 0.5}, {"g": 0.75, "r": 0.25}], 0.03)
_HSC = _mapping({"g": 30.0, "r": 17.0, "z": 11.0}, "zrg", 0.03)
_GRI = _mapping({"g": 2.5, "r": 1.5, "i": 1.0}, "irg", 0.02)
_GRI_DECAM = _mapping({"g": 9.0, "r": 5.1, "i": 4.5}, "irg", 0.02)
_GRZ_AND_NO_I = _mapping({"g": 6.0, "r": 3.4, "i": 3.0, "z": 2.2}, "zrg", 0.03)
LAYERS = {
    "ls-dr10": _Layer("legacy", "griz", _GRIZ, "LegacySurvey", "DR10", north=_GRZ_AND_NO_I),
    "ls-dr10-gri": _Layer("legacy", "gri", _GRI_DECAM, "LegacySurvey", "DR10", north=_GRI_DECAM),
    "ls-dr10-grz": _Layer("legacy", "grz", _GRZ, "LegacySurvey", "DR10"),
    "ls-dr9": _Layer("legacy", "grz", _GRZ, "LegacySurvey", "DR9"),
    "des-dr1": _Layer("des", "grz", _GRZ, "DES", "DR1", whole_sky=False),
    **{f"ls-dr11{part}": _Layer("legacy-dr11", "grz", _GRZ, "LegacySurvey", "DR11")
       for part in ("", "-south", "-north")},
    "ls-dr11-south-griz": _Layer("legacy-dr11", "griz", _GRIZ, "LegacySurvey", "DR11"),
    "ls-dr11-south-gri": _Layer("legacy-dr11", "gri", _GRI_DECAM, "LegacySurvey", "DR11"),
    "decaps2": _Layer("decaps2", "grizY", _GRIZ, "DECaPS", "DR2", whole_sky=False),
    "ps1": _Layer("ps1", "gri", _GRI, "PS1", "DR1", whole_sky=False),
    "hsc-dr3": _Layer("hsc", "grz", _HSC, "HSC", "DR3", whole_sky=False, zero_point=27.0),
    "sdss": _Layer("sdss", "gri", _GRI, "SDSS", "DR13", whole_sky=False),
}


def jpeg_cutout(request, sky, faults):
    """``jpeg-cutout?ra&dec&layer&pixscale&size|width&height``; row 0 is in the north."""
    return _cutout(request, sky, _picture)


def fits_cutout(request, sky, faults):
    """``fits-cutout?...&bands``: (band, y, x), 2-D for one band; row 0 is in the south."""
    return _cutout(request, sky, _flux)


def _cutout(request, sky, answer):
    if not {"ra", "dec"} <= set(request.query):
        return text("Need ra,dec keywords", 400)
    layer = LAYERS.get(request.query.get("layer", "ls-dr10"))
    if layer is None:
        return text("no such layer")
    size = request.number("size", 256)
    width, height = (min(int(request.number(name, size)), _MAX_SIZE)
                     for name in ("width", "height"))
    grid = Grid.centered(request.number("ra"), request.number("dec"), width=width, height=height,
                         scale=request.number("pixscale", 0.262))
    return answer(request, sky, layer, grid)


def _is_north(grid):
    """Whether ls-dr10 is DR9: north of a declination and of the plane of the Milky Way."""
    ra, dec, pole_ra, pole_dec = map(math.radians, (grid.ra, grid.dec, *_POLE))
    sin_b = (math.sin(dec) * math.sin(pole_dec)
             + math.cos(dec) * math.cos(pole_dec) * math.cos(ra - pole_ra))
    return grid.dec > _NORTH and sin_b > 0


def _bands(request, layer):
    """The asked bands; all of the layer if it lacks one of them."""
    asked = request.query.get("bands", layer.bands)
    return asked if set(asked) <= set(layer.bands) and asked else layer.bands


def _empty(layer, grid):
    """Bands that hold zeros at a place."""
    return "i" if layer.north and _is_north(grid) else ""


def _picture(request, sky, layer, grid):
    """JPEG, also where there is no data: there it has the gray of no flux."""
    view = sky.view(layer.survey, grid, _bands(request, layer), cut=request.cut)
    return Response(_jpeg(view, layer, _empty(layer, grid)))


@lru_cache(maxsize=1024)
def _jpeg(view, layer, empty):
    planes = dict(zip(view.bands, np.nan_to_num(view.planes())))
    planes |= {band: np.zeros_like(planes[band]) for band in empty if band in planes}
    return encode(np.uint8(np.rint(255 * (layer.north if empty else layer.shown)(planes))))


def _flux(request, sky, layer, grid):
    bands = _bands(request, layer)
    if request.fault == "bands":
        bands = bands[::-1] if len(bands) > 1 else "z" if bands != "z" else "g"
    view = sky.view(layer.survey, grid, bands, cut=request.cut)
    if not layer.whole_sky and not view.coverage() and not request.cut:
        return text(_SERVER_ERROR, 500, "text/html")
    shape = (grid.height, grid.width) if len(bands) == 1 else (len(bands), grid.height, grid.width)
    cards = [("SURVEY", layer.title), ("VERSION", layer.version), ("IMAGETYP", "image"),
             ("BANDS", bands), *((f"BAND{n}", band) for n, band in enumerate(bands)),
             *grid.cards()]
    data = _data(view, _empty(layer, grid), 10 ** ((layer.zero_point - 22.5) / 2.5))
    return Response(fits_file(cards, data, shape=shape), "image/fits",
                    headers={"Content-Disposition": "attachment; filename=cutout.fits"})


@lru_cache(maxsize=128)
def _data(view, empty, factor):
    """Pixels with zeros where there is no data."""
    planes = np.nan_to_num(view.planes()) * np.float32(factor)
    for plane, band in zip(planes, view.bands):
        if band in empty:
            plane[:] = 0
    return plane_bytes(planes)
