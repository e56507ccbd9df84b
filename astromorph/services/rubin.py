"""The Rubin Science Platform: cutouts of deep coadds, for those with a token.

A table of images by SIA (version 2), for each band its DataLink, and the cutout by SODA. What is
known of the platform is only reported; the rest is as the standards of the IVOA have it.
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
"""Environment variable with the user's token, which is sent to the platform and kept nowhere."""
_WAVELENGTHS = dict(zip("ugrizy", (368e-9, 479e-9, 622e-9, 754e-9, 869e-9, 971e-9)))  # m
_COLUMNS = {"access_url", "em_min", "em_max", "s_ra", "s_dec"}
_SODA = "ivo://ivoa.net/std/soda#sync"


def rubin_planes(request, transport):
    """FITS of the coadd whose middle is the nearest, in each band, resampled and combined."""
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
        urls.append(f"{url}?ID={identifier}")  # that of the redirection may be signed
    return cube_image(planes, headers, request, urls[0])


def _ask(transport, url, params, read):
    """What an address of the platform gives to the user's token, read; nobody else gets it."""
    token, home = os.environ.get(TOKEN, "").strip(), urlsplit(conf.rubin_url)
    if not token:
        raise FetchError(f"the Rubin Science Platform wants a token: set {TOKEN} to one with the "
                         "scopes read:tap and read:image", MorphFlag.SERVER_ERROR)
    if urlsplit(url)[:2] != home[:2]:
        raise FetchError(f"the Science Platform sends to another host, {urlsplit(url).netloc}",
                         MorphFlag.UNREADABLE)
    try:
        return transport.call(url, lambda: transport.session.get(
            url, params=params, headers={"Authorization": f"Bearer {token}"}),
            lambda response: read(response.content))
    except StatusError as error:  # without the answer, whose request has the token
        refused = f"; is {TOKEN} valid?" if error.status in (401, 403) else ""
        raise FetchError(f"{error}{refused}", error.flag, retry_after=error.retry_after) from None


def _images(data):
    """Table of images, as SIA sends it."""
    table = _parsed(data).get_first_table().to_table(use_names_over_ids=True)
    if not _COLUMNS <= set(table.colnames):
        raise _odd("another table than one of images")
    return table


def _nearest(found, band, request):
    """Address of the DataLink of a band's coadd: patches overlap, and one holds the frame best."""
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
    """Address of the cutouts that a DataLink offers, and what the image is called there."""
    for resource in _parsed(data).resources:
        params = {param.name: str(param.value) for param in resource.params}
        inputs = {param.name: str(param.value) for group in resource.groups
                  for param in group.entries}
        if params.get("standardID", "").lower().startswith(_SODA) and inputs.get("ID"):
            return params["accessURL"], inputs["ID"]
    raise _odd("no service of cutouts")


def _parsed(data):
    """A VOTable; nothing that it points to is opened."""
    if b"<STREAM" in data and b"href" in data:
        raise _odd("a table that is elsewhere")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return votable.parse(io.BytesIO(data), verify="ignore")
    except Exception as error:  # the parser has errors of many kinds for what is no VOTable
        raise _odd(f"no VOTable: {error!s:.100}") from error


def _odd(what):
    return FetchError(f"the Science Platform sent {what}", MorphFlag.UNREADABLE, retry=True)
