"""The CDS's hips2fits: any frame of the HiPS of a survey."""
from astromorph.services.base import ServiceImage
from astromorph.services.checks import check_fits, check_picture
from astromorph.services.cubes import cube_image
from astromorph.services.endpoints import conf
from astromorph.services.framing import MAX_SIDE, frame_wcs, own_bands

__all__ = ["color_hips", "hips_picture", "hips_planes"]


def color_hips(survey):
    """Identifier of a survey's color HiPS, or None."""
    return survey.hips.get("color")


def hips_picture(request, transport):
    """JPEG of the survey's color HiPS."""
    pixels = min(request.pixels, MAX_SIDE)

    def check(response):
        coverage, flag = check_picture(response.content, request, pixels=pixels)
        return ServiceImage(response.content, response.url, "".join(request.survey.rgb),
                            request.width / pixels, coverage, flag)

    return _get(color_hips(request.survey), "jpg", request, transport, pixels, check)


def hips_planes(request, transport):
    """FITS of the HiPS of each band, combined: flux as of a native pixel at any scale."""
    pixels = min(request.pixels, MAX_SIDE)

    def check(response):
        planes, header = check_fits(response.content, request, bands=None, pixels=pixels)
        if request.survey.hips_zero_point is not None:
            header.setdefault("MAGZERO", request.survey.hips_zero_point)
        return planes[0], header, response.url

    planes, headers, urls = zip(*(
        _get(request.survey.hips[band], "fits", request, transport, pixels, check)
        for band in own_bands(request)))
    return cube_image(dict(zip(request.bands, planes)), headers, request, urls[0])


def _get(hips, form, request, transport, pixels, check):
    """Ask what astroquery would ask: its own asking misreads errors, and is not made for threads.

    By a WCS: asked by center and width, the service is half a pixel off.
    """
    from astroquery.hips2fits import hips2fits  # takes a moment to import

    params = hips2fits.query_with_wcs(hips, frame_wcs(request, pixels), format=form,
                                      get_query_payload=True)
    return transport.get(conf.hips2fits_url, params=params, check=check)
