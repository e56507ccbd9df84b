"""Addresses of the image services (`conf`), allowed hosts, and pauses between requests."""
import re
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar

from astropy.config import ConfigItem, ConfigNamespace
from urllib3.util import parse_url

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag

__all__ = ["Conf", "anywhere", "check_address", "conf", "endpoints", "is_loopback", "naming",
           "pace"]

KNOWN = ("sdss.org", "legacysurvey.org", "datalab.noirlab.edu", "alasky.cds.unistra.fr",
         "alaskybis.cds.unistra.fr", "storage.googleapis.com")  # the last has Rubin's cutouts
"""Hosts and domains that services may redirect to, by https or http (tuple of str)."""
PACES = {r"https?://skyserver\.sdss\.org/.*/(tools|SearchTools)/": 1.0}
"""Pattern of addresses to the seconds between requests, which SkyServer demands for queries."""
_PORTS = {"http": 80, "https": 443}
_named = ContextVar("named", default=None)
_anywhere = ContextVar("anywhere", default=False)
_lock, _next = threading.Lock(), {}


class Conf(ConfigNamespace):
    """Addresses of the image services; a change takes effect with the next request.

    The addresses of SDSS frames are in ``astroquery.sdss.conf``.

    Examples
    --------
    >>> from astromorph.services import conf
    >>> with conf.set_temp("viewer_url", "https://mirror.example.org/viewer"):
    ...     print(conf.viewer_url)
    https://mirror.example.org/viewer
    """

    skyserver_url = ConfigItem("https://skyserver.sdss.org", "SkyServer of SDSS.")
    viewer_url = ConfigItem("https://www.legacysurvey.org/viewer", "Legacy Surveys viewer.")
    hips2fits_url = ConfigItem("https://alasky.cds.unistra.fr/hips-image-services/hips2fits",
                               "hips2fits service of the CDS.")
    hips2fits_mirror_url = ConfigItem(
        "https://alaskybis.cds.unistra.fr/hips-image-services/hips2fits",
        "Second server of hips2fits, used if the first fails or shows nothing.")
    moc_url = ConfigItem("https://alasky.cds.unistra.fr/MocServer/query",
                         "Coverage maps of surveys at the CDS.")
    rubin_url = ConfigItem("https://data.lsst.cloud/api", "The Rubin Science Platform.")
    sia_url = ConfigItem("https://datalab.noirlab.edu/sia",
                         "Simple Image Access of NOIRLab's Data Lab.")
    tap_url = ConfigItem("https://datalab.noirlab.edu/tap", "Table Access of NOIRLab's Data Lab.")


conf = Conf()


def endpoints(service):
    """List the addresses that a service uses.

    Parameters
    ----------
    service : str
        Name of the service.

    Returns
    -------
    list of str
    """
    if service.startswith("sdss"):
        from astroquery.sdss import conf as sdss  # takes a second to import

        return [sdss.skyserver_baseurl, sdss.sas_baseurl]
    return _configured(service.partition("-")[0])


def _configured(beginning=""):
    """The addresses in `conf`, of all services or of one."""
    return [getattr(conf, item) for item in conf if item.startswith(beginning)]


@contextmanager
def naming(url):
    """Allow the host of an address for this thread while the context lasts.

    Parameters
    ----------
    url : str
        The address.
    """
    token = _named.set(url)
    try:
        yield
    finally:
        _named.reset(token)


@contextmanager
def anywhere():
    """Allow every host by https within this context: for downloads with a checksum."""
    token = _anywhere.set(True)
    try:
        yield
    finally:
        _anywhere.reset(token)


def is_loopback(host):
    """Tell whether a host is this machine.

    Parameters
    ----------
    host : str

    Returns
    -------
    bool
    """
    return host.lower().strip("[]") in ("localhost", "127.0.0.1", "::1")


def check_address(url):
    """Raise unless the host of an address is allowed.

    Allowed are the host given to `naming`, the hosts of `conf`, and `KNOWN`. Inside `anywhere`,
    every host is allowed by https.

    Parameters
    ----------
    url : str
        The address, perhaps from a service, which may send anywhere.

    Raises
    ------
    FetchError
        If it is not an address, or its host is not allowed.
    """
    origin = _origin(url)
    if origin is None:
        raise FetchError(f"the service sent {url!r:.100} as an address", MorphFlag.UNREADABLE)
    scheme, host, port = origin
    known = any(host == name or host.endswith(f".{name}") for name in KNOWN)
    named = {_origin(each) for each in (_named.get(), *_configured())} - {None}
    secure = scheme == "https" and port == 443 and any(host == each[1] for each in named)
    if not (known and port == _PORTS[scheme] or secure or origin in named
            or _anywhere.get() and _is_safe(scheme, host)):
        raise FetchError(f"the service sends to {scheme}://{host}:{port}, an unknown host",
                         MorphFlag.UNREADABLE)


def _is_safe(scheme, host):
    """Whether an address uses https, or leads from one server of this machine to another."""
    named = _origin(_named.get())
    return scheme == "https" or named is not None and all(map(is_loopback, (host, named[1])))


def _origin(url):
    """Scheme, host and port of an address as urllib3 reads it; None if it is invalid."""
    try:
        parts = parse_url(url or "")
    except Exception:  # an invalid address can fail in many ways
        return None
    if parts.scheme not in _PORTS or not parts.host:
        return None
    return parts.scheme, parts.host.lower(), parts.port or _PORTS[parts.scheme]


def pace(url, stopped):
    """Wait before a request, if the service demands a pause between requests.

    Parameters
    ----------
    url : str
        Address of the request.
    stopped : `threading.Event`
        Set to stop all requests.

    Raises
    ------
    FetchError
        If ``stopped`` is set during the wait.
    """
    for pattern, seconds in PACES.items():
        if re.match(pattern, url, re.IGNORECASE):
            with _lock:
                now = time.monotonic()
                turn = max(now, _next.get(pattern, now))
                _next[pattern] = turn + seconds
            if stopped.wait(turn - now):
                raise FetchError("stopped before an answer came", MorphFlag.SERVER_ERROR)
