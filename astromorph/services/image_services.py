"""The ways to an image, by name."""
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from astromorph.services.base import is_local
from astromorph.services.hips import color_hips, hips_picture, hips_planes
from astromorph.services.sdss_frames import sdss_frames
from astromorph.services.sia import sia_planes
from astromorph.services.skyserver import skyserver_picture
from astromorph.services.viewer import viewer_picture, viewer_planes
from astromorph.surveys import get_survey

__all__ = ["WAYS", "Way", "check_way", "get_way"]


@dataclass(frozen=True)
class Way:
    """A way to images, called as ``way(request, transport)``; returns a `ServiceImage`.

    Parameters
    ----------
    name : str
        Its name in `~astromorph.surveys.Survey.ways`, in tables and in the cache.
    fetch : callable
        Takes a `CutoutRequest` and a `~astromorph.services.transport.Transport`, returns a
        `ServiceImage` or raises `FetchError`.
    needs : callable, optional
        Takes a survey's record; true if it holds what the way needs.
    local : bool
        Whether it does without the network: it is then not cached, and works offline.
    requests : float
        Requests for one galaxy, as ``benchmarks/images_by_position.py`` counts them.
    kilobytes : float, optional
        What is received for one galaxy, by the same measurement.
    """

    name: str
    fetch: Callable
    needs: Callable | None = None
    local: bool = False
    requests: float = 1
    kilobytes: float | None = None

    def __call__(self, request, transport):
        return self.fetch(request, transport)


WAYS = {way.name: way for way in (
    Way("skyserver", skyserver_picture, attrgetter("release"), kilobytes=11),
    Way("viewer", viewer_picture, attrgetter("layer"), kilobytes=14),
    Way("viewer-fits", viewer_planes, attrgetter("layer"), kilobytes=532),
    Way("hips2fits", hips_picture, color_hips, kilobytes=14),
    Way("hips2fits-fits", hips_planes, attrgetter("hips"), requests=3, kilobytes=540),
    Way("sdss-frames", sdss_frames, attrgetter("release"), requests=5.97, kilobytes=3825),
    Way("sia", sia_planes, attrgetter("sia"), requests=4, kilobytes=238),
)}


def get_way(way):
    """Look up a way.

    Parameters
    ----------
    way : str or callable
        A name in `WAYS`, a local source such as `LocalFolder`, or a callable of your own.

    Returns
    -------
    callable
        Has the attribute ``name``.

    Raises
    ------
    ValueError
        If there is no such way.
    """
    if callable(way):
        name = getattr(way, "__name__", type(way).__name__)
        return way if hasattr(way, "name") else Way(name, way, local=is_local(way))
    try:
        return WAYS[way.strip().lower()]
    except (KeyError, AttributeError):
        raise ValueError(f"ways: expected {', '.join(map(repr, WAYS))}, a local source or a "
                         f"callable. Received {way!r}.") from None


def check_way(way, survey):
    """Check that a survey can be had in a way.

    Parameters
    ----------
    way : str or callable
        See `get_way`.
    survey : str or `~astromorph.surveys.Survey`

    Raises
    ------
    ValueError
        If it cannot.
    """
    way, survey = get_way(way), get_survey(survey)
    if WAYS.get(way.name) is not way:
        return
    if way.name not in survey.ways:
        raise ValueError(f"ways: images of {survey.title} (survey={survey.name!r}) come by "
                         f"{', '.join(map(repr, survey.ways))}. Received {way.name!r}.")
    if not way.needs(survey):
        raise ValueError(f"ways: the record of survey {survey.name!r} lacks what {way.name!r} "
                         "needs, such as its layer or its HiPS; see astromorph.surveys.Survey.")
