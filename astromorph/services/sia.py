"""NOIRLab's Simple Image Access: cutouts of the coadded images of a survey."""
import math

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.services.checks import outside, read_fits
from astromorph.services.cubes import cube_image
from astromorph.services.endpoints import conf
from astromorph.services.framing import fine_pixels, own_bands, resample_to_frame

__all__ = ["sia_planes"]

_MARGIN = 1.05  # images are not quite north up
_COLUMNS = {"proctype", "prodtype", "obs_bandpass", "exptime", "access_url"}


def sia_planes(request, transport):
    """FITS of the deepest coadded image of each band, resampled to the frame and combined."""
    service = f"{conf.sia_url}/{request.survey.sia}"
    found = transport.call(service, lambda: _search(service, request, transport.session))
    urls = [_deepest(found, band, request) for band in own_bands(request)]
    pixels = fine_pixels(request)
    images = [transport.get(url, check=lambda response: read_fits(response.content))
              for url in urls]
    planes = {band: resample_to_frame(image[0], header, request, pixels)
              for band, (image, header) in zip(request.bands, images)}
    return cube_image(planes, [header for _, header in images], request, urls[0])


def _search(service, request, session):
    """Table of the images that overlap the frame."""
    from pyvo.dal import SIAService  # takes a moment to import

    width = _MARGIN * request.width / 3600
    wide = width / max(math.cos(math.radians(request.dec)), 0.01)  # in right ascension
    found = SIAService(service, session=session).search(
        pos=(request.ra, request.dec), size=(wide, width), verbosity=2)
    table = found.to_table()
    if not _COLUMNS <= set(table.colnames):
        raise FetchError("the service sent another table than one of images",
                         MorphFlag.UNREADABLE, retry=True)
    return table


def _deepest(found, band, request):
    """Address of a band's best image; it must be asked for as it is."""
    images = [row for row in found if row["proctype"] == "Stack" and row["prodtype"] == "image"]
    if not images:
        raise outside(request, "the archive has no coadded image of it")
    images = [row for row in images if str(row["obs_bandpass"]).startswith(band)]
    if not images:
        raise FetchError(f"the archive has no coadded image in band {band} there",
                         MorphFlag.MISSING_BAND)
    return str(max(images, key=lambda row: row["exptime"])["access_url"])
