"""Cutouts of a survey's coadded images from NOIRLab's Simple Image Access service."""
import math
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.images.bands import header_band
from astromorph.services.checks import outside, read_fits
from astromorph.services.cubes import cube_image
from astromorph.services.endpoints import conf
from astromorph.services.framing import fine_pixels, own_bands, resample_to_frame

__all__ = ["sia_planes"]

_COVERED = 0.999
_MARGIN = 1.05  # images are not quite north up
_COLUMNS = {"proctype", "prodtype", "obs_bandpass", "exptime", "access_url"}


def sia_planes(request, transport):
    """Fetch the coadded tile that covers most of the frame, resample it, and combine the bands."""
    service = f"{conf.sia_url}/{request.survey.sia}"
    found = transport.call(service, lambda: _search(service, request, transport.session))
    tiles = _tiles(found, request)
    pixels, bands = fine_pixels(request), own_bands(request)

    def get(url, band):
        image, header = transport.follow(url, check=lambda answer: read_fits(answer.content))
        told = header_band(header, request.survey.bands)
        if told is not None and told.lower() != band.lower():
            raise FetchError(f"the archive sent an image in band {told} instead of {band}",
                             MorphFlag.MISSING_BAND)
        return resample_to_frame(image[0], header, request, pixels), header

    middle = bands[len(bands) // 2]
    best, tile = None, None
    for urls in tiles:
        plane, header = get(urls[middle], middle)
        covered = np.isfinite(plane).mean()
        if best is None or covered > best[0]:
            best, tile = (covered, plane, header), urls
        if covered > _COVERED:
            break
    images = {band: best[1:] if band == middle else get(tile[band], band) for band in bands}
    planes = {name: images[band][0] for name, band in zip(request.bands, bands)}
    headers = [header for _, header in images.values()]
    return cube_image(planes, headers, request, tile[bands[0]])


def _search(service, request, session):
    """Search for images that overlap the frame; return their table."""
    from pyvo.dal import SIAService  # takes a moment to import

    width = _MARGIN * request.width / 3600
    wide = width / max(math.cos(math.radians(request.dec)), 0.01)  # in right ascension
    found = SIAService(service, session=session).search(
        pos=(request.ra, request.dec), size=(wide, width), verbosity=2)
    table = found.to_table()
    if not _COLUMNS <= set(table.colnames):
        raise FetchError("the service sent a table that does not list images",
                         MorphFlag.UNREADABLE, retry=True)
    return table


def _tiles(found, request):
    """Addresses of the plain coadds by band, for each tile that touches the frame.

    Other images of a tile are left out: twins with the local sky (``_nobkg``), detection images,
    masks and weights.
    """
    plain = [row for row in found if row["proctype"] == "Stack" and row["prodtype"] == "image"
             and _is_plain(str(row["access_url"]))]
    if not plain:
        raise outside(request, "the archive has no coadded image of it")
    tiles, bands = {}, own_bands(request)
    for row in plain:
        url, band = str(row["access_url"]), str(row["obs_bandpass"]).split()[:1]
        if band and band[0] in bands:
            name = re.sub(rf"_{band[0]}(?=\.fits)", "", _name(url))
            deeper = tiles.setdefault(name, {}).get(band[0], (-np.inf,))
            tiles[name][band[0]] = max(deeper, (float(row["exptime"]), url))
    whole = [{band: url for band, (_, url) in urls.items()}
             for urls in tiles.values() if set(bands) <= set(urls)]
    if not whole:
        raise FetchError(f"the archive has no tile there with coadded images in all of {bands}",
                         MorphFlag.MISSING_BAND)
    return whole


def _name(url):
    """Name of the file at an address."""
    query = parse_qs(urlsplit(url).query.replace("+", "%2B"))
    return query.get("siaRef", [url])[0]


def _is_plain(url):
    """Whether an address leads to the image of a coadd with the sky subtracted."""
    extension = parse_qs(urlsplit(url).query).get("extn", ["1"])[0]
    return "_nobkg" not in url and extension == "1"
