"""Color pictures of SDSS from SkyServer's ImgCutout."""
from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.services.base import ServiceImage
from astromorph.services.checks import check_picture, outside
from astromorph.services.endpoints import conf

__all__ = ["skyserver_picture"]

_SCALES = 0.015, 60  # arcsec per pixel


def skyserver_picture(request, transport):
    """Fetch a JPEG of 64 to 2048 pixels a side from SkyServer; i, r, g as red, green, blue."""
    finest = int(request.width / _SCALES[0])
    pixels = max(min(request.pixels, finest, 2048), 64)
    if not _SCALES[0] <= request.width / pixels <= _SCALES[1]:
        raise FetchError(f"SkyServer draws no frame of {request.width:.4g} arcsec: it has "
                         f"{_SCALES[0]:g} to {_SCALES[1]:g} arcsec per pixel, and 64 pixels or "
                         "more", MorphFlag.BAD_SIZE)
    url = f"{conf.skyserver_url}/{request.survey.release.lower()}/SkyServerWS/ImgCutout/getjpeg"
    params = {"ra": request.ra, "dec": request.dec, "scale": request.width / pixels,
              "width": pixels, "height": pixels}

    def check(response):
        coverage, flag = check_picture(response.content, request, pixels=pixels, words=True)
        return ServiceImage(response.content, response.url, "".join(request.survey.rgb),
                            request.width / pixels, coverage, flag)

    def on_error(response):
        # The reason is in the status line; the body is a picture of the same words.
        if response.status_code == 404 and "outside" in str(response.reason).lower():
            raise outside(request, "outside the footprint, says SkyServer")

    return transport.get(url, params=params, check=check, on_error=on_error)
