"""Images from hips2fits, a service of the CDS that draws any frame of a HiPS."""
from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.images.bands import band_text
from astromorph.services.base import ServiceImage
from astromorph.services.checks import check_fits, check_picture
from astromorph.services.cubes import cube_image
from astromorph.services.endpoints import Conf, conf
from astromorph.services.framing import MAX_SIDE, frame_wcs, own_bands

__all__ = ["color_hips", "hips_picture", "hips_planes"]


def color_hips(survey):
    """Identifier of a survey's color HiPS; None if it has none."""
    return survey.hips.get("color")


def hips_picture(request, transport):
    """Fetch a PNG of the survey's color HiPS; without data it is transparent, a JPEG white."""
    pixels = min(request.pixels, MAX_SIDE)

    def check(response):
        coverage, flag = check_picture(response.content, request, pixels=pixels)
        bands = band_text(request.survey.hips_rgb or request.survey.rgb)
        return ServiceImage(response.content, response.url, bands,
                            request.width / pixels, coverage, flag)

    return _of_either(request, lambda url: transport.get(
        url, params=_params(color_hips(request.survey), "png", request, pixels), check=check))


def hips_planes(request, transport):
    """Fetch a FITS file of each band's HiPS and combine them; flux is per native pixel."""
    pixels, hips = min(request.pixels, MAX_SIDE), request.survey.hips
    if missing := [band for band in own_bands(request) if band not in hips]:
        raise FetchError(f"the survey's record names no HiPS for {band_text(missing)}",
                         MorphFlag.MISSING_BAND)

    def check(response):
        planes, header = check_fits(response.content, request, bands=None, pixels=pixels)
        if request.survey.hips_zero_point is not None:
            header.setdefault("MAGZERO", request.survey.hips_zero_point)
        return planes[0], header, response.url

    def combine(url):
        planes, headers, urls = zip(*(
            transport.get(url, check=check, params=_params(
                hips[band], "fits", request, pixels))
            for band in own_bands(request)))
        return cube_image(dict(zip(request.bands, planes)), headers, request, urls[0])

    return _of_either(request, combine)


def _of_either(request, get):
    """Fetch from the first server, or from its mirror if the first fails or shows nothing.

    If both show nothing, other services are still tried, because a HiPS may lack a part of the
    survey. The result is final only if hips2fits is the survey's first service.
    """
    try:
        return get(conf.hips2fits_url)
    except FetchError as error:
        if not (error.final or error.retry):
            raise
        first = error
    mirror = _mirror()
    if mirror is None:
        first.final = False
        raise first
    try:
        return get(mirror)
    except FetchError as other:
        if first.final and other.final:
            other.final = request.survey.services[0].startswith("hips2fits")
            raise
        raise FetchError(f"{first}; the mirror: {other}", first.flag | other.flag) from other


def _mirror():
    """Address of the mirror; None if the user changed only the address of the first server."""
    moved = conf.hips2fits_url != Conf.hips2fits_url.defaultvalue
    usual = conf.hips2fits_mirror_url == Conf.hips2fits_mirror_url.defaultvalue
    return None if moved and usual else conf.hips2fits_mirror_url


def _params(hips, form, request, pixels):
    """The parameters that astroquery would send.

    astroquery's own requests misread errors, and do not work in threads. The frame is given as a
    WCS, because the service is half a pixel off for a center and a width.
    """
    from astroquery.hips2fits import hips2fits  # takes a moment to import

    return hips2fits.query_with_wcs(hips, frame_wcs(request, pixels), format=form,
                                    get_query_payload=True)
