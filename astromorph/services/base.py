"""What every image service takes, gives and raises."""
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
        Center, ICRS, degrees.
    width : float
        Side of the frame in arcseconds.
    pixels : int
        Pixels on a side that a picture, or a FITS file from a service that resamples, should have.
    survey : `~astromorph.surveys.Survey`
    bands : tuple of str
        Bands of FITS planes, the bluest first.
    name : str, optional
        The galaxy's identifier, which names its file in a local folder.
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
        """Arcseconds per pixel."""
        return self.width / self.pixels


@dataclass(frozen=True)
class ServiceImage:
    """An image as a service gave it, checked.

    Parameters
    ----------
    data : bytes
        One JPEG or PNG, or one FITS file with one plane per band and a celestial WCS.
    url : str
        Where it came from; of several, the first.
    bands : str
        Its bands: of a picture as red, green, blue, of FITS planes in their order.
    pixel_scale : float
        Arcseconds per pixel.
    coverage : float
        Fraction of the frame with data, 0 to 1.
    flag : `~astromorph.flags.MorphFlag`
        What is to be said about it.
    release : str
        Data release of the survey.
    """

    data: bytes
    url: str
    bands: str
    pixel_scale: float
    coverage: float = 1.0
    flag: MorphFlag = MorphFlag(0)
    release: str = ""


def is_local(service):
    """Tell whether a service does without the network.

    Parameters
    ----------
    service : object
        An image service, its name, or a callable of any kind.

    Returns
    -------
    bool
    """
    return getattr(service, "local", False)
