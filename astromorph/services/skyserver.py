"""SkyServer's ImgCutout: color pictures of SDSS."""
from astromorph.services.base import ServiceImage
from astromorph.services.checks import check_picture, outside
from astromorph.services.endpoints import conf

__all__ = ["skyserver_picture"]


def skyserver_picture(request, transport):
    """JPEG by SkyServer's ImgCutout, of 64 to 2048 pixels; i, r, g as red, green, blue."""
    pixels = min(max(request.pixels, 64), 2048)
    url = f"{conf.skyserver_url}/{request.survey.release.lower()}/SkyServerWS/ImgCutout/getjpeg"
    params = {"ra": request.ra, "dec": request.dec, "scale": request.width / pixels,
              "width": pixels, "height": pixels}

    def check(response):
        coverage, flag = check_picture(response.content, request, pixels=pixels)
        return ServiceImage(response.content, response.url, "".join(request.survey.rgb),
                            request.width / pixels, coverage, flag)

    def on_error(response):
        if response.status_code == 404 and "Requested (ra" in response.text:
            raise outside(request, "outside the footprint, says SkyServer")

    return transport.get(url, params=params, check=check, on_error=on_error)
