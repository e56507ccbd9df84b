"""The image services by name."""
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter

from astromorph.errors import wrong
from astromorph.flags import MorphFlag
from astromorph.services.base import is_local
from astromorph.services.hips import color_hips, hips_picture, hips_planes
from astromorph.services.rubin import rubin_planes
from astromorph.services.sdss_frames import sdss_frames
from astromorph.services.sia import sia_planes
from astromorph.services.skyserver import skyserver_picture
from astromorph.services.viewer import viewer_picture, viewer_planes
from astromorph.surveys import get_survey

__all__ = ["IMAGE_SERVICES", "ImageService", "check_image_service", "get_image_service"]


@dataclass(frozen=True)
class ImageService:
    """An image service. Call it as ``service(request, transport)`` to get a `ServiceImage`.

    Parameters
    ----------
    name : str
        Name in `~astromorph.surveys.Survey.services`, in tables and in the cache.
    fetch : callable
        Takes a `CutoutRequest` and a `~astromorph.services.transport.Transport`, and returns a
        `ServiceImage` or raises `FetchError`.
    needs : callable, optional
        Takes a survey's record and returns whether it holds what the service needs.
    local : bool
        Whether it needs no network. Its images are not cached, and it works offline.
    requests : float
        Number of requests per galaxy, measured by ``benchmarks/images_by_position.py``.
    kilobytes : float, optional
        Kilobytes received per galaxy, measured by the same script.

    See Also
    --------
    get_image_service : Look up a service by name.

    Examples
    --------
    >>> from astromorph import get_survey
    >>> from astromorph.services import CutoutRequest, ImageService, ServiceImage
    >>> request = CutoutRequest(180.0, 30.0, width=25.0, pixels=212, survey=get_survey("sdss"),
    ...                         bands=("g", "r", "i"))
    >>> def archive(request, transport):
    ...     # Here, transport.get would ask your archive.
    ...     return ServiceImage(b"an image", "archive://1", "gri", request.width / request.pixels)
    >>> service = ImageService("my-archive", archive)
    >>> service(request, transport=None).release  # from the record of the survey
    'DR17'
    """

    name: str
    fetch: Callable
    needs: Callable | None = None
    local: bool = False
    requests: float = 1
    kilobytes: float | None = None

    def __call__(self, request, transport):
        """Fetch an image, and add its release and the flag for a different color mapping."""
        image, survey = self.fetch(request, transport), request.survey
        others = MorphFlag.OTHER_COLORS if self.name in survey.other_colors else MorphFlag(0)
        return replace(image, flag=image.flag | others,
                       release=survey.releases.get(self.name, survey.release))


IMAGE_SERVICES = {service.name: service for service in (
    ImageService("skyserver", skyserver_picture, attrgetter("release"), kilobytes=11),
    ImageService("viewer", viewer_picture, attrgetter("layer"), kilobytes=14),
    ImageService("viewer-fits", viewer_planes, attrgetter("layer"), kilobytes=532),
    ImageService("hips2fits", hips_picture, color_hips, kilobytes=14),
    ImageService("hips2fits-fits", hips_planes, attrgetter("hips"), requests=3, kilobytes=540),
    ImageService("sdss-frames", sdss_frames, attrgetter("release"), requests=5.97, kilobytes=3825),
    ImageService("sia", sia_planes, attrgetter("sia"), requests=4, kilobytes=238),
    ImageService("rubin", rubin_planes, attrgetter("rsp"), requests=10),
)}
"""Name of a service to its `ImageService` (`dict`). You may add services of your own."""


def get_image_service(service):
    """Look up a service.

    Parameters
    ----------
    service : str or callable
        A name in `IMAGE_SERVICES`, a local source such as `LocalFolder`, or your own callable.

    Returns
    -------
    callable
        The service, with the attribute ``name``.

    Raises
    ------
    ArgumentError
        If there is no such service.

    Examples
    --------
    >>> from astromorph.services import get_image_service
    >>> get_image_service("viewer").name
    'viewer'
    """
    if callable(service):
        name = getattr(service, "__name__", type(service).__name__)
        return (service if hasattr(service, "name")
                else ImageService(name, service, local=is_local(service)))
    try:
        return IMAGE_SERVICES[service.strip().lower()]
    except (KeyError, AttributeError):
        raise wrong("services", f"{', '.join(map(repr, IMAGE_SERVICES))}, a local source or a "
                    "callable", repr(service)) from None


def check_image_service(service, survey):
    """Raise if a service has no images of a survey.

    Parameters
    ----------
    service : str or callable
        See `get_image_service`.
    survey : str or `~astromorph.surveys.Survey`
        The survey.

    Raises
    ------
    ArgumentError
        If the service is unknown, or the survey's record does not name it or lacks what it needs.

    Examples
    --------
    >>> from astromorph.services import check_image_service
    >>> check_image_service("hips2fits", "sdss")
    >>> check_image_service("skyserver", "des")
    Traceback (most recent call last):
    ...
    astromorph.errors.ArgumentError: ...
    """
    service, survey = get_image_service(service), get_survey(survey)
    if IMAGE_SERVICES.get(service.name) is not service:
        return
    if service.name not in survey.services:
        raise wrong("services", f"a service of {survey.title} (survey={survey.name!r}), "
                    f"{', '.join(map(repr, survey.services))}", repr(service.name))
    if not service.needs(survey):
        raise wrong("services", f"a service whose layer, HiPS or collection is in the record of "
                    f"survey {survey.name!r}", repr(service.name),
                    "Complete the record; see astromorph.Survey.")
