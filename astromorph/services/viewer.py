"""Color pictures and flux from the layers of the Legacy Surveys viewer."""
import numpy as np

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.images.composite import color_composite
from astromorph.services.base import ServiceImage
from astromorph.services.checks import check_fits, check_picture, check_planes, outside
from astromorph.services.cubes import with_zero_point
from astromorph.services.endpoints import conf
from astromorph.services.framing import MAX_SIDE, own_bands

__all__ = ["viewer_picture", "viewer_planes"]

_GRAYS = {"sdss": (22, 22, 22), "ps1": (22, 22, 22)}  # layers with another blank than their records


def viewer_picture(request, transport):
    """Fetch a JPEG from the viewer's jpeg-cutout."""
    blank = _GRAYS.get(request.survey.layer) or _without_flux(request.survey)

    def check(data, pixels):
        try:
            return check_picture(data, request, pixels=pixels, blank=blank)
        except FetchError as error:
            if error.flag & MorphFlag.BLANK:  # one color means that the layer has no image
                raise outside(request, "the picture is empty") from error
            raise

    return _cutout("jpeg-cutout", request, transport, check, "".join(request.survey.rgb))


def viewer_planes(request, transport):
    """Fetch a FITS file from the viewer's fits-cutout; flux is per native pixel at any scale.

    If a layer has no image, the viewer answers with the same page as for any failure. Then the
    picture of the frame shows whether there is an image.
    """
    for _ in range(2):
        try:
            return _planes(request, transport, on_error=_unclear)
        except _Unclear:
            pass
    viewer_picture(request, transport)  # raises if there is no image
    return _planes(request, transport)


class _Unclear(FetchError):
    """The viewer failed, or has no image of the position."""


def _unclear(response):
    if response.status_code == 500:
        raise _Unclear("the viewer failed", MorphFlag.SERVER_ERROR)


def _planes(request, transport, on_error=None):
    bands = "".join(own_bands(request))

    def check(data, pixels):
        planes, _ = check_fits(data, request, bands=bands, pixels=pixels)
        return check_planes(planes, request)

    survey = request.survey
    layer = survey.layer if set(bands) <= set(survey.rgb) else survey.flux_layer or survey.layer
    return _cutout("fits-cutout", request, transport, check, bands,
                   {"layer": layer, "bands": bands}, on_error, survey.layer_zero_point)


def _cutout(service, request, transport, check, bands, chosen=None, on_error=None,
            zero_point=None):
    pixels = min(request.pixels, MAX_SIDE)
    params = {"ra": request.ra, "dec": request.dec, "layer": request.survey.layer,
              "pixscale": request.width / pixels, "size": pixels} | (chosen or {})

    def checked(response):
        coverage, flag = check(response.content, pixels)
        data = response.content if zero_point is None else with_zero_point(
            response.content, zero_point)
        return ServiceImage(data, response.url, bands, request.width / pixels, coverage, flag)

    return transport.get(f"{conf.viewer_url}/{service}", params=params, check=checked,
                         on_error=on_error)


def _without_flux(survey):
    """Color in which the viewer shows pixels without flux or data."""
    dark = color_composite({band: np.zeros((1, 1), np.float32) for band in survey.rgb}, survey)
    return tuple(int(value) for value in np.rint(255 * dark[0, 0]))
