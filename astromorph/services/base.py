"""The requests and images of all image services."""
from dataclasses import dataclass

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.surveys import Survey

__all__ = ["CutoutRequest", "FetchError", "ServiceImage", "is_local"]


@dataclass(frozen=True)
class CutoutRequest:
    """One square frame on the sky, north up and east to the left.

    Parameters
    ----------
    ra, dec : float
        Center of the frame (ICRS, degrees).
    width : float
        Side of the frame in arcseconds.
    pixels : int
        Side in pixels of a picture, or of a FITS file from a service that resamples.
    survey : `~astromorph.surveys.Survey`
        The survey.
    bands : tuple of str
        Bands of FITS planes, the bluest first.
    name : str, optional
        Identifier of the galaxy, which names its file in a local folder.

    See Also
    --------
    astromorph.services.ImageService : Takes requests and returns images.

    Examples
    --------
    >>> from astromorph import get_survey
    >>> from astromorph.services import CutoutRequest
    >>> request = CutoutRequest(180.0, 30.0, width=25.0, pixels=212, survey=get_survey("sdss"),
    ...                         bands=("g", "r", "i"))
    >>> request.survey.name, round(request.width / request.pixels, 3)  # arcsec per pixel
    ('sdss', 0.118)
    """

    ra: float
    dec: float
    width: float
    pixels: int
    survey: Survey
    bands: tuple
    name: str | None = None

    @property
    def pixel_scale(self):
        """Arcseconds per pixel (float)."""
        return self.width / self.pixels


@dataclass(frozen=True)
class ServiceImage:
    """An image that a service delivered and astromorph checked.

    Parameters
    ----------
    data : bytes
        A JPEG or PNG, or a FITS file with one plane per band and a celestial WCS.
    url : str
        Its address; the first address if it was made from several files.
    bands : str
        Its bands: red, green and blue of a picture, or FITS planes in their order.
    pixel_scale : float
        Arcseconds per pixel.
    coverage : float
        Fraction of the frame with data, 0 to 1.
    flag : `~astromorph.flags.MorphFlag`
        What was assumed, or is missing.
    release : str
        Data release of the survey.

    Examples
    --------
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.services import ServiceImage
    >>> path = load_sample()["file"][0]
    >>> with open(path, "rb") as file:
    ...     image = ServiceImage(file.read(), "archive://1", "gri", pixel_scale=0.396)
    >>> image.coverage, image.flag
    (1.0, <MorphFlag: 0>)
    """

    data: bytes
    url: str
    bands: str
    pixel_scale: float
    coverage: float = 1.0
    flag: MorphFlag = MorphFlag(0)
    release: str = ""


def is_local(service):
    """Tell whether a service needs no network.

    Parameters
    ----------
    service : object
        An image service, its name, or a callable of any kind.

    Returns
    -------
    bool
    """
    return getattr(service, "local", False)
