"""The frame of a request on the sky, and the resampling of images to it."""
import numpy as np
from astropy.wcs import WCS
from scipy.ndimage import map_coordinates

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag

__all__ = ["MAX_SIDE", "celestial", "fine_pixels", "frame_wcs", "largest_answer", "native_pixels",
           "own_bands", "resample_to_frame"]

MAX_SIDE = 3000
"""Largest side of an image in pixels; the Legacy Surveys viewer silently cuts off more (int)."""


def frame_wcs(request, pixels):
    """Make the WCS of a request's frame: north up, east left, its position in the middle.

    Parameters
    ----------
    request : `~astromorph.services.base.CutoutRequest`
        The request.
    pixels : int
        Side of the frame in pixels.

    Returns
    -------
    `~astropy.wcs.WCS`
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [request.ra, request.dec]
    wcs.wcs.crpix = [(pixels + 1) / 2] * 2
    scale = request.width / pixels / 3600
    wcs.wcs.cdelt = [-scale, scale]
    wcs.pixel_shape = (pixels, pixels)
    return wcs


def celestial(header):
    """Make the WCS of a header's first two axes, without repairs, which would warn.

    Raises `~astromorph.errors.FetchError` if they are not right ascension and declination.
    """
    flat = header.copy()
    flat["NAXIS"] = 2
    flat.remove("NAXIS3", ignore_missing=True)
    try:
        wcs = WCS(flat, fix=False)
        wcs.wcs.set()
        modern = wcs.wcs.radesys.strip().upper() in ("", "ICRS", "FK5") and not (
            abs(wcs.wcs.equinox - 2000) > 0)  # NaN if it is missing
        if (wcs.wcs.lng, wcs.wcs.lat, wcs.wcs.lngtyp.strip()) == (0, 1, "RA") and modern:
            return wcs if wcs.naxis == 2 else wcs.celestial
    except Exception as error:  # a broken WCS can fail in many ways
        raise FetchError(f"the image has no usable celestial WCS: {error!s:.100}",
                         MorphFlag.UNREADABLE) from error
    raise FetchError("the image has no usable celestial WCS", MorphFlag.UNREADABLE)


def native_pixels(request, scale=None):
    """Side of a frame in pixels of a scale in arcseconds, by default the survey's own."""
    scale = scale or request.survey.pixel_scale.to_value("arcsec")
    return int(np.clip(round(request.width / scale), 16, MAX_SIDE))


def fine_pixels(request):
    """Side of a frame in pixels that are fine enough to keep the detail of native pixels."""
    return max(native_pixels(request), min(request.pixels, MAX_SIDE))


def largest_answer(request):
    """Limit in bytes for the answers to a request; a whole frame of SDSS has 13 million.

    On top of that it allows 16 bytes per pixel and band: 8 for the pixel, the others for headers.
    """
    side = max(fine_pixels(request), 64)
    return 2 ** 24 + 16 * len(request.bands) * side**2


def own_bands(request):
    """Bands of a request in the survey's spelling: Y, not y."""
    own = {band.lower(): band for band in request.survey.bands}
    return [own.get(band.lower(), band) for band in request.bands]


def resample_to_frame(plane, header, request, pixels):
    """Interpolate an image onto the frame of a request, with cubic splines.

    Values are not rescaled by the area of pixels, so they still refer to native pixels.

    Parameters
    ----------
    plane : `~numpy.ndarray`, shape (y, x)
        Flux; NaN or exactly 0 where there is no data.
    header : `~astropy.io.fits.Header`
        A header with a celestial WCS.
    request : `~astromorph.services.base.CutoutRequest`
        The request.
    pixels : int
        Side of the frame in pixels.

    Returns
    -------
    `~numpy.ndarray`, shape (pixels, pixels), float32
        Flux; NaN where the image has no data.
    """
    y, x = np.indices((pixels, pixels)).reshape(2, -1)
    sky = frame_wcs(request, pixels).wcs_pix2world(x, y, 0)
    x, y = celestial(header).wcs_world2pix(*sky, 0)
    x, y, plane = _around(x, y, plane)
    known = np.isfinite(plane) & (plane != 0)  # a spline would spread NaN over the whole image
    flux = map_coordinates(np.where(known, plane, 0), (y, x), np.float32, mode="nearest")
    seen = map_coordinates(known.astype(np.float32), (y, x), order=1, mode="nearest") > 0.999
    ny, nx = plane.shape
    seen &= (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    return np.where(seen, flux, np.float32(np.nan)).reshape(pixels, pixels)


def _around(x, y, plane, margin=12):
    """Cut out the part of an image around positions, because splines of all of it are slow."""
    parts = []
    for at, n in ((x, plane.shape[1]), (y, plane.shape[0])):
        at = np.clip(np.nan_to_num(at, nan=-margin), -margin, n - 1 + margin)
        start = min(max(int(at.min()) - margin, 0), n - 1)
        parts.append((at - start, slice(start, max(int(at.max()) + margin, start + 1))))
    (x, columns), (y, rows) = parts
    return x, y, plane[rows, columns]
