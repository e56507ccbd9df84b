"""The Legacy Surveys viewer: color pictures and flux of its layers."""
import numpy as np

from astromorph.images.composite import color_composite
from astromorph.services.base import ServiceImage
from astromorph.services.checks import check_fits, check_picture, check_planes, outside
from astromorph.services.endpoints import conf
from astromorph.services.framing import MAX_SIDE, own_bands

__all__ = ["viewer_picture", "viewer_planes"]


def viewer_picture(request, transport):
    """JPEG by the viewer's jpeg-cutout."""
    blank = _without_flux(request.survey)

    def check(data, pixels):
        return check_picture(data, request, pixels=pixels, blank=blank)

    return _cutout("jpeg-cutout", request, transport, check, "".join(request.survey.rgb))


def viewer_planes(request, transport):
    """FITS by the viewer's fits-cutout, as it comes: flux as of a native pixel at any scale."""
    bands = "".join(own_bands(request))

    def check(data, pixels):
        planes, _ = check_fits(data, request, bands=bands, pixels=pixels)
        return check_planes(planes, request)

    return _cutout("fits-cutout", request, transport, check, bands,
                   {"bands": bands})


def _cutout(service, request, transport, check, bands, chosen=None):
    pixels = min(request.pixels, MAX_SIDE)
    params = {"ra": request.ra, "dec": request.dec, "layer": request.survey.layer,
              "pixscale": request.width / pixels, "size": pixels} | (chosen or {})

    def checked(response):
        coverage, flag = check(response.content, pixels)
        return ServiceImage(response.content, response.url, bands, request.width / pixels,
                            coverage, flag)

    def on_error(response):
        if "no overlap" in response.text.lower():
            raise outside(request, "no overlap, says the viewer")

    return transport.get(f"{conf.viewer_url}/{service}", params=params, check=checked,
                         on_error=on_error)


def _without_flux(survey):
    """Color that the viewer shows where there is no flux, and no data."""
    dark = color_composite({band: np.zeros((1, 1), np.float32) for band in survey.rgb}, survey)
    return tuple(int(value) for value in np.rint(255 * dark[0, 0]))
