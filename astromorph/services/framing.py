"""The frame of a request on the sky, and how images are brought onto it."""
import numpy as np
from astropy.wcs import WCS
from scipy.ndimage import map_coordinates

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag

__all__ = ["MAX_SIDE", "celestial", "fine_pixels", "frame_wcs", "largest_answer", "native_pixels",
           "own_bands", "resample_to_frame"]

MAX_SIDE = 3000
"""Most pixels on a side; the Legacy Surveys viewer cuts off more without a word."""


def frame_wcs(request, pixels):
    """WCS of a request's frame: north up, east left, its position in the middle.

    Parameters
    ----------
    request : `~astromorph.services.base.CutoutRequest`
    pixels : int
        On a side.

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
    """WCS of a header's first two axes, without repairs, which would warn.

    Raises `~astromorph.errors.FetchError` if they are not right ascension and declination.
    """
    flat = header.copy()
    flat["NAXIS"] = 2
    flat.remove("NAXIS3", ignore_missing=True)
    try:
        wcs = WCS(flat, fix=False)
        wcs.wcs.set()
        modern = wcs.wcs.radesys.strip().upper() in ("", "ICRS", "FK5") and not (
            abs(wcs.wcs.equinox - 2000) > 0)  # NaN if it is not told
        if (wcs.wcs.lng, wcs.wcs.lat, wcs.wcs.lngtyp.strip()) == (0, 1, "RA") and modern:
            return wcs if wcs.naxis == 2 else wcs.celestial
    except Exception as error:  # the many ways to write a WCS wrong
        raise FetchError(f"the image does not tell its place on the sky: {error!s:.100}",
                         MorphFlag.UNREADABLE) from error
    raise FetchError("the image does not tell its place on the sky", MorphFlag.UNREADABLE)


def native_pixels(request, scale=None):
    """Pixels on a side of a frame with a scale in arcseconds, by default the survey's own."""
    scale = scale or request.survey.pixel_scale.to_value("arcsec")
    return int(np.clip(round(request.width / scale), 16, MAX_SIDE))


def fine_pixels(request):
    """Pixels on a side of a frame that loses no detail of native pixels between its own."""
    return max(native_pixels(request), min(request.pixels, MAX_SIDE))


def largest_answer(request):
    """Bytes that no answer about a request needs: a whole frame of SDSS has 13 million.

    Otherwise 8 bytes for each pixel of each band, and as many again for headers and lists.
    """
    side = max(fine_pixels(request), 64)
    return 2 ** 24 + 16 * len(request.bands) * side**2


def own_bands(request):
    """Bands of a request, spelled as the survey does: Y, not y."""
    own = {band.lower(): band for band in request.survey.bands}
    return [own.get(band.lower(), band) for band in request.bands]


def resample_to_frame(plane, header, request, pixels):
    """Interpolate an image onto a request's frame by cubic splines.

    Values are kept, so those of native pixels remain those of native pixels.

    Parameters
    ----------
    plane : `~numpy.ndarray`, shape (y, x)
        NaN or exactly 0 where there is no data.
    header : `~astropy.io.fits.Header`
        With a celestial WCS.
    request : `~astromorph.services.base.CutoutRequest`
    pixels : int
        Of the frame on a side.

    Returns
    -------
    `~numpy.ndarray`, shape (pixels, pixels), float32
        NaN where the image has no data.
    """
    y, x = np.indices((pixels, pixels)).reshape(2, -1)
    sky = frame_wcs(request, pixels).wcs_pix2world(x, y, 0)
    x, y = celestial(header).wcs_world2pix(*sky, 0)
    x, y, plane = _around(x, y, plane)
    known = np.isfinite(plane) & (plane != 0)  # a spline would spread NaN over everything
    flux = map_coordinates(np.where(known, plane, 0), (y, x), np.float32, mode="nearest")
    seen = map_coordinates(known.astype(np.float32), (y, x), order=1, mode="nearest") > 0.999
    ny, nx = plane.shape
    seen &= (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    return np.where(seen, flux, np.float32(np.nan)).reshape(pixels, pixels)


def _around(x, y, plane, margin=12):
    """The part of an image that holds positions, and these in it: splines take time."""
    parts = []
    for at, n in ((x, plane.shape[1]), (y, plane.shape[0])):
        at = np.clip(np.nan_to_num(at, nan=-margin), -margin, n - 1 + margin)
        start = min(max(int(at.min()) - margin, 0), n - 1)
        parts.append((at - start, slice(start, max(int(at.max()) + margin, start + 1))))
    (x, columns), (y, rows) = parts
    return x, y, plane[rows, columns]
