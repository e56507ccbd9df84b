"""Requests and answers of the simulated services, and how images become bodies."""
import io
import json
from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits
from PIL import Image

from astromorph.images.composite import color_composite

__all__ = ["BLOCK", "BadRequest", "Request", "Response", "encode", "fits_file", "json_error",
           "picture_bands", "plane_bytes", "shown", "text"]

BLOCK = 2880


@dataclass(frozen=True)
class Request:
    """What a client asked.

    Parameters
    ----------
    path : str
    raw_query : str
        As it came, percent signs included.
    query : dict
        First value of each parameter of the query or form, by its name in lower case.
    upload : str
        Text of an uploaded file.
    base : str
        URL of the server.
    fault : str or None
    authorization : str
        The header of that name.
    """

    path: str
    raw_query: str
    query: dict
    upload: str
    base: str
    fault: str | None = None
    authorization: str = ""

    def number(self, name, default=None):
        """Read a parameter as a number; BadRequest if it is missing or none."""
        value = self.query.get(name, default)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise BadRequest(f"parameter {name} must be a number, not {value}") from None

    @property
    def cut(self):
        """What the image leaves out."""
        return self.fault if self.fault in ("blank", "half") else None


class BadRequest(Exception):
    """The request makes no sense: status 400."""


@dataclass(frozen=True)
class Response:
    """What is sent back; ``chunked`` is without Content-Length; ``reason`` is the status line's."""

    body: bytes
    content_type: str = "image/jpeg"
    status: int = 200
    headers: dict = field(default_factory=dict)
    chunked: bool = False
    reason: str | None = None


def text(message, status=200, content_type="text/plain"):
    """Answer with text."""
    return Response(message.encode(), content_type, status)


def json_error(title, description, status):
    """Answer as hips2fits does when it cannot."""
    body = json.dumps({"title": title, "description": description})
    return text(body, status, "application/json")


def shown(view, survey):
    """Color picture of a view as the survey shows it, (y, x, 3) uint8, row 0 in the south.

    Pixels without data are shown as if they had no flux.
    """
    planes = dict(zip(view.bands, np.nan_to_num(view.planes())))
    return np.uint8(np.rint(255 * color_composite(planes, survey)))


def picture_bands(survey):
    """Bands of a survey's color pictures, the bluest first."""
    return tuple(band for band in survey.bands if band in survey.rgb)


def encode(pixels, kind="jpg"):
    """Write a picture as jpg or png, RGB or RGBA, from an array whose row 0 is in the south."""
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels[::-1]))
    picture.save(file, {"jpg": "jpeg"}.get(kind, kind), quality=92)
    return file.getvalue()


def plane_bytes(planes):
    """Write pixels as FITS has them."""
    data = planes.astype(planes.dtype.newbyteorder(">")).tobytes()
    return data + bytes(-len(data) % BLOCK)


def fits_file(cards, data, *, shape, bitpix=-32):
    """Put a header in front of the bytes of a primary HDU's data."""
    axes = [(f"NAXIS{n}", size) for n, size in enumerate(reversed(shape), 1)]
    header = fits.Header([("SIMPLE", True), ("BITPIX", bitpix), ("NAXIS", len(shape)), *axes,
                          ("EXTEND", True), *cards])
    return header.tostring().encode() + data
