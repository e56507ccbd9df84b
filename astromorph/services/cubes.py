"""Combine the planes of a frame to one FITS file, which keeps the surface brightness."""
import io

import numpy as np
from astropy.io import fits

from astromorph.images.bands import band_text
from astromorph.images.flux_units import to_nanomaggies
from astromorph.services.base import ServiceImage
from astromorph.services.checks import check_planes
from astromorph.services.framing import frame_wcs

__all__ = ["cube_bytes", "cube_image", "with_zero_point"]


def cube_image(planes, headers, request, url):
    """Combine the bands of a request.

    Parameters
    ----------
    planes : dict
        Band to flux per native pixel, (y, x), on the frame of the request; NaN where there is no
        data.
    headers : list of mapping
        For each plane, a header that may hold BUNIT or a zero point.
    request : `~astromorph.services.base.CutoutRequest`
        The request.
    url : str
        Address of the first plane.

    Returns
    -------
    `~astromorph.services.base.ServiceImage`
        A FITS file, in nanomaggies if the unit is known.
    """
    coverage, flag = check_planes(np.stack(list(planes.values())), request)
    survey, pixels = request.survey, next(iter(planes.values())).shape[0]
    flux, known = to_nanomaggies(planes, [(None, header) for header in headers], survey,
                                 survey.pixel_scale.to_value("arcsec"))
    header = frame_wcs(request, pixels).to_header()
    header["SURVEY"] = survey.title  # with BANDS and BAND0 it means: flux per native pixel
    header["BUNIT"] = "nanomaggy" if known else "unknown"  # no unit would mean nanomaggies
    return ServiceImage(cube_bytes(flux if known else planes, header), url, band_text(planes),
                        request.width / pixels, coverage, flag)


def cube_bytes(planes, header):
    """Write planes and the names of their bands to the bytes of a FITS file."""
    header["BANDS"] = band_text(planes)
    for number, band in enumerate(planes):
        header[f"BAND{number}"] = band
    file = io.BytesIO()
    fits.PrimaryHDU(np.stack(list(planes.values())).astype(np.float32), header).writeto(file)
    return file.getvalue()


def with_zero_point(data, zero_point):
    """Add the AB magnitude of flux 1 to the first header of a FITS file."""
    with fits.open(io.BytesIO(data)) as hdus:
        hdus[0].header["MAGZERO"] = zero_point
        file = io.BytesIO()
        hdus.writeto(file)
    return file.getvalue()
