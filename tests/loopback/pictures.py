"""SkyServer's ImgCutout: color pictures of SDSS."""
import textwrap
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from loopback.messages import BadRequest, Response, encode, shown
from loopback.sky import Grid

__all__ = ["img_cutout"]

_OUTSIDE = "Requested (ra, dec) is outside the SDSS footprint."
_SCALES = 0.015, 60


def img_cutout(request, sky, faults):
    """``getjpeg?ra&dec&scale&width&height&opt``: north up, i, r, g as red, green, blue."""
    ra, dec = request.number("ra"), request.number("dec")
    width, height = (int(request.number(name, 120)) for name in ("width", "height"))
    if not (64 <= width <= 2048 and 64 <= height <= 2048):
        raise BadRequest(f"width and height must be between 64 and 2048, not {width}, {height}")
    scale = request.number("scale", 0.396127)
    if not _SCALES[0] <= scale <= _SCALES[1]:
        return _words("scale must be between 0.015 and 60", 500, "INTERNAL SERVER ERROR",
                      (256, 256))
    if not sky.covers("sdss", dec):
        status = 200 if faults.black_tile else 404
        return _words(_OUTSIDE, status, "OK" if status == 200 else "NOT FOUND", (width, height))
    grid = Grid.centered(ra, dec, scale=scale, width=width, height=height)
    return Response(_jpeg(sky.view("sdss", grid, "gri", cut=request.cut)))


@lru_cache(maxsize=1024)
def _jpeg(view):
    return encode(with_black(view, "sdss"))


def with_black(view, survey):
    """Color picture that is black where there is no data."""
    empty = np.isnan(view.planes()).all(axis=0)[..., None]
    return np.where(empty, np.uint8(0), shown(view, survey))


def _words(message, status, title, size):
    """A black JPEG with words, which stand in the reason phrase as well."""
    reason = title if status == 200 else f"{title}. {message}"
    return Response(_black_tile(*size, message), status=status, reason=reason)


@lru_cache(maxsize=16)
def _black_tile(width, height, message):
    """The words have one size, whatever that of the tile."""
    tile = Image.new("RGB", (width, height))
    lines = "\n".join(textwrap.wrap(message, max(width // 7, 6)))
    ImageDraw.Draw(tile).text((2, 2), lines, fill=(255, 255, 255))
    return encode(np.asarray(tile)[::-1])
