"""Cutouts of deep coadds from the Rubin Science Platform, for users with a token.

A query by SIA (version 2) gives a table of images. The DataLink of a band's image gives the service
of cutouts, which follows SODA. The code follows these IVOA standards. Details of the platform come
from reports of others.
"""
import io
import math
import os
import warnings
from urllib.parse import urlsplit

import numpy as np
from astropy.io import votable

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.services.checks import outside, read_fits
from astromorph.services.cubes import cube_image
from astromorph.services.endpoints import conf
from astromorph.services.errors import StatusError
from astromorph.services.framing import fine_pixels, own_bands, resample_to_frame

__all__ = ["TOKEN", "rubin_planes"]

TOKEN = "RUBIN_TOKEN"
"""Environment variable with the user's token, which is sent to the platform and never stored."""
_WAVELENGTHS = dict(zip("ugrizy", (368e-9, 479e-9, 622e-9, 754e-9, 869e-9, 971e-9)))  # m
_COLUMNS = {"access_url", "em_min", "em_max", "s_ra", "s_dec"}
_SODA = "ivo://ivoa.net/std/soda#sync"


def rubin_planes(request, transport):
    """Fetch FITS cutouts of the coadds with the nearest centers, and combine the bands."""
    circle = f"CIRCLE {request.ra:.8f} {request.dec:.8f} {0.75 * request.width / 3600:.8f}"
    found = _ask(transport, f"{conf.rubin_url}/sia/{request.survey.rsp}/query", {
        "POS": circle, "DPSUBTYPE": "lsst.deep_coadd"}, _images)
    if not len(found):
        raise outside(request, "the Science Platform has no deep coadd of it")
    pixels, planes, headers, urls = fine_pixels(request), {}, [], []
    for name, band in zip(request.bands, own_bands(request)):
        url, identifier = _ask(transport, _nearest(found, band, request), {}, _cutout_service)
        image, header = _ask(transport, url, {
            "ID": identifier, "POS": circle, "CUTOUTMODE": "image"}, read_fits)
        planes[name] = resample_to_frame(image[0], header, request, pixels)
        headers.append(header)
        urls.append(f"{url}?ID={identifier}")  # the redirected address may hold a signature
    return cube_image(planes, headers, request, urls[0])


def _ask(transport, url, params, read):
    """Send a request with the user's token, but only to the platform, and read the answer."""
    token, home = os.environ.get(TOKEN, "").strip(), urlsplit(conf.rubin_url)
    if not token:
        raise FetchError(f"the Rubin Science Platform needs a token: set {TOKEN} to a token with "
                         "the scopes read:tap and read:image", MorphFlag.SERVER_ERROR)
    if urlsplit(url)[:2] != home[:2]:
        raise FetchError(f"the Science Platform sends to another host, {urlsplit(url).netloc}",
                         MorphFlag.UNREADABLE)
    try:
        return transport.call(url, lambda: transport.session.get(
            url, params=params, headers={"Authorization": f"Bearer {token}"}),
            lambda response: read(response.content))
    except StatusError as error:
        refused = f"; is {TOKEN} valid?" if error.status in (401, 403) else ""
        failure = FetchError(f"{error}{refused}", error.flag, retry_after=error.retry_after)
    except FetchError as error:
        failure = error
    # The original exception holds the request with the token, so it is dropped.
    failure.__cause__ = failure.__context__ = None
    raise failure


def _images(data):
    """Read the table of images that SIA sends."""
    table = _parsed(data).get_first_table().to_table(use_names_over_ids=True)
    if not _COLUMNS <= set(table.colnames):
        raise _odd("a table that does not list images")
    return table


def _nearest(found, band, request):
    """Address of the DataLink of a band's coadd; of overlapping patches, the nearest one."""
    wavelength = _WAVELENGTHS.get(band.lower(), np.nan)
    rows = [row for row in found if row["em_min"] < wavelength < row["em_max"]]
    if not rows:
        raise FetchError(f"the Science Platform has no deep coadd in band {band} there",
                         MorphFlag.MISSING_BAND)
    stretch = math.cos(math.radians(request.dec))

    def distance(row):
        ra = (row["s_ra"] - request.ra + 180) % 360 - 180
        return np.hypot(ra * stretch, row["s_dec"] - request.dec)

    return str(min(rows, key=distance)["access_url"])


def _cutout_service(data):
    """Address of the service of cutouts in a DataLink, and the identifier of the image."""
    for resource in _parsed(data).resources:
        params = {param.name: str(param.value) for param in resource.params}
        inputs = {param.name: str(param.value) for group in resource.groups
                  for param in group.entries}
        if params.get("standardID", "").lower().startswith(_SODA) and inputs.get("ID"):
            return params["accessURL"], inputs["ID"]
    raise _odd("no service of cutouts")


def _parsed(data):
    """Parse a VOTable; refuse one that points to rows at another address."""
    if b"<STREAM" in data and b"href" in data:
        raise _odd("a table with its rows elsewhere")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return votable.parse(io.BytesIO(data), verify="ignore")
    except Exception as error:  # the parser raises errors of many kinds
        raise _odd(f"no VOTable: {error!s:.100}") from error


def _odd(what):
    return FetchError(f"the Science Platform sent {what}", MorphFlag.UNREADABLE, retry=True)
