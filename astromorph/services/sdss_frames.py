"""SDSS frames: whole corrected fields from its Science Archive Server."""
import bz2
import math
import threading
from collections import OrderedDict
from concurrent.futures import Future
from weakref import WeakKeyDictionary

import numpy as np
from astropy import units as u
from astropy.table import Table, unique

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.services.checks import outside, read_fits
from astromorph.services.cubes import cube_image
from astromorph.services.framing import celestial, fine_pixels, native_pixels, resample_to_frame
from astromorph.services.limits import unpack

__all__ = ["Frames", "download_frame", "sdss_frames"]

_NEAR = 1 * u.arcmin  # wherever SDSS has observed, there is an object within this radius
_FIELD = ("run", "rerun", "camcol", "field")
_FOLDERS = (12, "boss"), (17, "eboss"), (math.inf, "prior-surveys/sdss4-dr17-eboss")  # to release
_KEPT = 9  # frames of 12 MB: three bands of three fields
_LOCK = threading.Lock()
_FRAMES = WeakKeyDictionary()  # transport -> its frames


def sdss_frames(request, transport):
    """Fetch the frames that hold the position best, resample them to north up, and combine them."""
    with _LOCK:
        frames = _FRAMES.setdefault(transport, Frames())
    field = _best_field(_find_fields(request, transport), request, frames, transport)
    pixels = fine_pixels(request)
    planes, headers, urls = {}, [], []
    for band in request.bands:
        plane, header, url = frames.get(field, band, request, transport)
        planes[band] = resample_to_frame(plane, header, request, pixels)
        headers.append(header)
        urls.append(url)
    return cube_image(planes, headers, request, urls[0])


def _release(request):
    return int(request.survey.release.upper().removeprefix("DR"))


def _find_fields(request, transport):
    """Fields that show an object at the position, as tuples of `_FIELD`."""
    from astroquery.sdss import SDSSClass, conf

    # The form of astroquery, without its extra requests for the columns of SkyServer's tables.
    form = {"uquery": "SELECT " + ", ".join(f"p.{name}" for name in _FIELD) + " FROM "
                      "#upload u JOIN #x x ON x.up_id = u.up_id JOIN PhotoObjAll AS p "
                      "ON p.objID = x.objID ORDER BY x.up_id",
            "format": "csv", "searchtool": "CrossID", "radius": _NEAR.to_value(u.arcmin),
            "firstcol": 1, "photoScope": "nearPrim", "photoUpType": "ra-dec",
            "searchType": "photo"}
    files = {"upload": ("astroquery", f"name ra dec \nobj_0 {request.ra} {request.dec}")}
    url = conf.skyserver_baseurl + SDSSClass.XID_URL_SUFFIX_NEW.format(dr=_release(request))

    def attempt():
        text = transport.session.post(url, data=form, files=files).text
        try:
            return unique(Table.read(text, format="ascii.csv", comment="#")[_FIELD])
        except Exception as error:  # an error page or a message, which astroquery reads as a table
            raise FetchError(f"SkyServer sent no table of fields: {' '.join(text.split())[:80]!r}",
                             MorphFlag.UNREADABLE, retry=True) from error

    fields = transport.call(conf.skyserver_baseurl, attempt)
    if not len(fields):
        raise outside(request, "SDSS has no object near")
    return [tuple(row) for row in fields]


def _best_field(fields, request, frames, transport):
    """The field with the position farthest from the edges of its frame."""
    enough = native_pixels(request) / np.sqrt(2)
    margins = {}
    for field in fields:
        plane, header, _ = frames.get(field, request.bands[0], request, transport)
        x, y = celestial(header).wcs_world2pix(request.ra, request.dec, 0)
        ny, nx = plane.shape
        margins[field] = min(x, y, nx - 1 - x, ny - 1 - y)
        if margins[field] >= enough:
            break
    best = max(margins, key=margins.get)
    if not margins[best] >= 0:
        raise outside(request, "it is not on the frames of the objects nearby")
    return best


class Frames:
    """The latest frames, which neighbors share; threads download each frame only once."""

    def __init__(self):
        self._lock, self._futures = threading.Lock(), OrderedDict()

    def get(self, field, band, request, transport):
        """Return the frame of a field in a band; wait if another thread downloads it."""
        key = field, band, _release(request)
        with self._lock:
            first = key not in self._futures
            future = self._futures.setdefault(key, Future())
            self._futures.move_to_end(key)
            if len(self._futures) > _KEPT:
                self._futures.popitem(last=False)
        if first:
            try:
                future.set_result(download_frame(*key, transport))
            except BaseException as error:
                with self._lock:
                    self._futures.pop(key, None)
                future.set_exception(error)
        return future.result()


def download_frame(field, band, release, transport):
    """Download a frame; return its flux, header and address."""
    from astroquery.sdss import SDSSClass, conf

    folder = next(name for last, name in _FOLDERS if release <= last)
    url = SDSSClass.IMAGING_URL_SUFFIX.format(
        base=conf.sas_baseurl, dr=release, instrument=folder, band=band,
        **dict(zip(_FIELD, field)))
    planes, header = transport.get(url, check=lambda response: read_fits(
        unpack(response.content, bz2.BZ2Decompressor)))
    return planes[0], header, url
