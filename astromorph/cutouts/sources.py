"""What decides an image, beside its frame: the survey's record, the service and its address."""
import json

from astromorph.running.fingerprints import describe_callable
from astromorph.services.endpoints import endpoints

__all__ = ["image_source"]


def image_source(service, survey):
    """Say all that decides the images of a service, but for their frames.

    Parameters
    ----------
    service : callable
        Of `~astromorph.services.IMAGE_SERVICES`, or another one. That is known by its attribute
        ``source``, a text, if it has one, else by what it is and holds.
    survey : `~astromorph.surveys.Survey`

    Returns
    -------
    str or None
        The same in every process; None for a callable that cannot be told from others.
    """
    fetch = getattr(service, "fetch", service)
    if str(getattr(fetch, "__module__", "")).startswith("astromorph.services."):
        told = [service.name, endpoints(service.name)]
    else:
        told = getattr(fetch, "source", None) or describe_callable(fetch)
    record = {name: value for name, value in survey.to_json().items() if value}
    return told and json.dumps([told, record], sort_keys=True)
