"""SkyServer's ImgCutout: color pictures of SDSS."""
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from loopback.messages import BadRequest, Response, encode, shown, text
from loopback.sky import Grid

__all__ = ["img_cutout"]

_OUTSIDE = "Requested (ra, dec) is outside the SDSS footprint"


def img_cutout(request, sky, faults):
    """``getjpeg?ra&dec&scale&width&height&opt``: north up, i, r, g as red, green, blue."""
    ra, dec = request.number("ra"), request.number("dec")
    width, height = (int(request.number(name, 120)) for name in ("width", "height"))
    if not (64 <= width <= 2048 and 64 <= height <= 2048):
        raise BadRequest(f"width and height must be between 64 and 2048, not {width}, {height}")
    if not sky.covers("sdss", dec):
        if faults.black_tile:
            return Response(_black_tile(width, height))
        return text(_OUTSIDE, 404)
    grid = Grid.centered(ra, dec, scale=request.number("scale", 0.396127), width=width,
                         height=height)
    return Response(_jpeg(sky.view("sdss", grid, "gri", cut=request.cut)))


@lru_cache(maxsize=1024)
def _jpeg(view):
    return encode(with_black(view, "sdss"))


def with_black(view, survey):
    """Color picture that is black where there is no data."""
    empty = np.isnan(view.planes()).all(axis=0)[..., None]
    return np.where(empty, np.uint8(0), shown(view, survey))


@lru_cache(maxsize=16)
def _black_tile(width, height):
    tile = Image.new("RGB", (width, height))
    ImageDraw.Draw(tile).text((width // 8, height // 2), _OUTSIDE, fill=(255, 255, 255))
    return encode(np.asarray(tile)[::-1])
