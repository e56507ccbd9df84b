"""The Legacy Surveys viewer's cutouts, with what they do unasked."""
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from loopback.messages import Response, encode, fits_file, plane_bytes, text
from loopback.sky import Grid

__all__ = ["fits_cutout", "jpeg_cutout"]

_MAX_SIZE = 3000
_NORTH = 32.375  # ls-dr10 is DR9 to the north of it, without i
_SERVER_ERROR = "<!doctype html>\n<html><body><h1>Server Error (500)</h1></body></html>"


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer: ``shown`` draws planes; with ``whole_sky`` its list of bricks has all the sky."""

    survey: str
    bands: str
    shown: Callable
    title: str
    version: str
    whole_sky: bool = True
    zero_point: float = 22.5


def _mapped(planes, scales, rgb, m, q=20.0):
    """The viewer's color mapping: (y, x, 3) from 0 to 1."""
    light = {band: np.clip(planes[band] * scale + m, 0, None) for band, scale in scales.items()}
    mean = np.maximum(sum(light.values()) / len(light), 1e-6)
    stretch = np.arcsinh(q * mean) / (np.sqrt(q) * mean)
    parts = {band: (plane * stretch).clip(0, 1) for band, plane in light.items()}
    channels = [sum(weight * parts[band] for band, weight in mix.items()) for mix in rgb]
    return np.stack(channels, axis=-1)


def _mapping(scales, rgb, m):
    mixes = [{band: 1.0} if isinstance(band, str) else band for band in rgb]
    return partial(_mapped, scales=scales, rgb=mixes, m=m)


_GRZ = _mapping({"g": 6.0, "r": 3.4, "z": 2.2}, "zrg", 0.03)
_GRIZ = _mapping({"g": 9.0, "r": 5.1, "i": 4.5, "z": 3.3},
                 [{"z": 0.75, "i": 0.25}, {"r": 0.5, "i": 0.5}, {"g": 0.75, "r": 0.25}], 0.03)
_HSC = _mapping({"g": 30.0, "r": 17.0, "z": 11.0}, "zrg", 0.03)
_GRI = _mapping({"g": 2.5, "r": 1.5, "i": 1.0}, "irg", 0.02)
LAYERS = {
    "ls-dr10": _Layer("legacy", "griz", _GRIZ, "LegacySurvey", "DR10"),
    "ls-dr10-grz": _Layer("legacy", "grz", _GRZ, "LegacySurvey", "DR10"),
    "ls-dr9": _Layer("legacy", "grz", _GRZ, "LegacySurvey", "DR9"),
    "des-dr1": _Layer("des", "grz", _GRZ, "DES", "DR1", whole_sky=False),
    "ls-dr11": _Layer("legacy-dr11", "grz", _GRZ, "LegacySurvey", "DR11"),
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


def _picture(request, sky, layer, grid):
    """JPEG, also where there is no data: there it has the gray of no flux."""
    return Response(_jpeg(sky.view(layer.survey, grid, layer.bands, cut=request.cut), layer))


@lru_cache(maxsize=1024)
def _jpeg(view, layer):
    planes = dict(zip(view.bands, np.nan_to_num(view.planes())))
    return encode(np.uint8(np.rint(255 * layer.shown(planes))))


def _flux(request, sky, layer, grid):
    asked = request.query.get("bands", layer.bands)
    bands = asked if set(asked) <= set(layer.bands) and asked else layer.bands
    if request.fault == "bands":
        bands = bands[::-1] if len(bands) > 1 else "z" if bands != "z" else "g"
    view = sky.view(layer.survey, grid, bands, cut=request.cut)
    if not layer.whole_sky and not view.coverage() and not request.cut:
        return text(_SERVER_ERROR, 500, "text/html")
    empty = "i" if layer.version == "DR10" and grid.dec > _NORTH else ""
    shape = (grid.height, grid.width) if len(bands) == 1 else (len(bands), grid.height, grid.width)
    cards = [("SURVEY", layer.title), ("VERSION", layer.version), ("IMAGETYP", "image"),
             ("BANDS", bands), *((f"BAND{n}", band) for n, band in enumerate(bands)),
             *grid.cards()]
    data = _data(view, empty, 10 ** ((layer.zero_point - 22.5) / 2.5))
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
