"""Describe everything but the frame that decides an image: survey, service and address."""
import json

from astromorph.running.fingerprints import describe_callable
from astromorph.services.endpoints import endpoints

__all__ = ["image_source"]


def image_source(service, survey):
    """Describe everything but the frame that decides the images of a service.

    Parameters
    ----------
    service : callable
        A service in `~astromorph.services.IMAGE_SERVICES`, or your own. The attribute ``source``, a
        text, may describe your own service; otherwise its code and state do.
    survey : `~astromorph.surveys.Survey`
        The survey.

    Returns
    -------
    str or None
        A text that is the same in every process; None for a callable that cannot be identified.
    """
    fetch = getattr(service, "fetch", service)
    if str(getattr(fetch, "__module__", "")).startswith("astromorph.services."):
        told = [service.name, endpoints(service.name)]
    else:
        told = getattr(fetch, "source", None) or describe_callable(fetch)
    record = {name: value for name, value in survey.to_json().items() if value}
    return told and json.dumps([told, record], sort_keys=True)
