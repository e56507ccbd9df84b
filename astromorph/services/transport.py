"""Send requests to services from many threads, within limits, and repeat them after failures."""
import math
import threading
from http.cookiejar import DefaultCookiePolicy
from importlib import metadata
from urllib.parse import urlsplit

import requests
import tenacity
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url

from astromorph import __version__
from astromorph.arguments import check_count, check_number
from astromorph.distribution import NAME
from astromorph.errors import FetchError, wrong
from astromorph.services.endpoints import check_address, naming, pace
from astromorph.services.errors import StatusError, check_status, judging, translate
from astromorph.services.exchanges import WholeAnswers
from astromorph.services.hosts import LONGEST_WAIT, Host
from astromorph.services.limits import Exchange

__all__ = ["StatusError", "Transport", "check_status", "translate"]

BACK_OFF = tenacity.wait_random_exponential(multiplier=0.5, max=20)


class Transport:
    """Sends requests to services, with limits per host and of time, and repeats failed attempts.

    Threads may share it. As a context manager it closes on leaving.

    Parameters
    ----------
    per_host : int
        Limit of simultaneous attempts to one host. It starts lower, and falls when the host asks
        for it.
    timeout : float
        Longest time in seconds for a request with its redirects and the whole answer. An answer of
        more than 32 kilobytes per second may take four times as long. Connecting may take 10 s.
    retries : int
        Largest number of attempts after the first one, if an error may be temporary.

    Attributes
    ----------
    session : `requests.Session`
        A session for the clients of services. Its answers are complete and have a status below 400;
        otherwise it raises `~astromorph.errors.FetchError` or an exception that `call` turns into
        one. It keeps all limits, and only asks hosts that `call` names and those of the services.
    timeout : float
        Longest time in seconds, as above.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a positive number.

    Examples
    --------
    A service of your own gets a transport and asks with it. Without a network, `call` shows how a
    failed attempt is repeated:

    >>> from astromorph.services.transport import Transport
    >>> failures = [ConnectionError("no answer")]
    >>> def attempt():
    ...     if failures:
    ...         raise failures.pop()
    ...     return "an image"
    >>> with Transport(retries=2) as transport:
    ...     transport.call("https://archive.example/image", attempt)
    'an image'
    >>> transport.is_closed()
    True

    With one, `get` asks an address of the service, and `follow` one that the service sent:

    >>> transport = Transport()
    >>> response = transport.get("https://archive.example/list")  # doctest: +SKIP
    >>> image = transport.follow(response.json()["url"]).content  # doctest: +SKIP
    >>> transport.close()
    """

    def __init__(self, *, per_host=6, timeout=30.0, retries=6):
        check_count(per_host, "per_host")
        check_number(timeout, "timeout", "a positive number of seconds",
                     lambda value: 0 < value < math.inf)
        if retries:
            check_count(retries, "retries")
        self._per_host, self._retries, self.timeout = per_host, retries, timeout
        self._hosts, self._lock, self._stopped = {}, threading.Lock(), threading.Event()
        self.session = _Session(per_host, timeout, self._stopped)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """End all attempts and start no more; waiting threads get a `FetchError`."""
        self._stopped.set()
        with self._lock:
            hosts = list(self._hosts.values())
        for host in hosts:
            host.wake()
        self.session.close()

    def is_closed(self):
        """Tell whether `close` was called.

        Returns
        -------
        bool
        """
        return self._stopped.is_set()

    def get(self, url, *, params=None, check=None, on_error=None):
        """Get one resource.

        Parameters
        ----------
        url : str
            Its address.
        params : dict, optional
            Parameters of the query.
        check : callable, optional
            Takes the complete response, with a status below 400, and returns the result. It may
            raise `~astromorph.errors.FetchError`, which may ask for another attempt. Meanwhile
            other threads may ask the host.
        on_error : callable, optional
            Takes a response of status 400 or more. It may raise a
            `~astromorph.errors.FetchError` with a better message than the usual one.

        Returns
        -------
        object
            The result of ``check``; without it the `requests.Response`.

        Raises
        ------
        `~astromorph.errors.FetchError`
            The error of the last attempt.
        """
        def attempt():
            try:
                response = self.session.get(url, params=params)
            except StatusError as error:
                if on_error is not None:
                    on_error(error.response)
                raise
            return response
        return self.call(url, attempt, check)

    def follow(self, url, **options):
        """Get a resource at an address that a service sent, if its host is allowed.

        Parameters
        ----------
        url : str
            The address. It is not trusted.
        **options
            See `get`.

        Returns
        -------
        object
            See `get`.

        Raises
        ------
        `~astromorph.errors.FetchError`
            The error of the last attempt, or a refusal of the host.
        """
        check_address(url)
        return self.get(url, **options)

    def call(self, url, attempt, check=None):
        """Call a function that asks a service, and repeat it after failures.

        Parameters
        ----------
        url : str
            Address whose host the function asks.
        attempt : callable
            A function without arguments that asks the host once. It must not use `call` or `get`.
        check : callable, optional
            Takes the result of ``attempt``; see `get`.

        Returns
        -------
        object
            The result of ``check``; without it that of ``attempt``.

        Raises
        ------
        `~astromorph.errors.FetchError`
            The error of the last attempt. Other exceptions become one.
        """
        host = self._host(url)
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._retries + 1), wait=_wait,
            retry=tenacity.retry_if_exception(_may_succeed), sleep=self._sleep, reraise=True)
        return again(_attempt, host, url, attempt, check)

    def _sleep(self, seconds):
        self._stopped.wait(seconds)

    def _host(self, url):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise wrong("url", "the address of a service, as 'https://host/path'", repr(url))
        key = parts.scheme, parts.hostname, parts.port
        with self._lock:
            if key not in self._hosts:
                self._hosts[key] = Host(parts.netloc, per_host=self._per_host,
                                        stopped=self._stopped)
            return self._hosts[key]


def _attempt(host, url, attempt, check):
    with host.slot() as leave, judging(host.name):
        with naming(url):
            answer = attempt()
        leave()
        return answer if check is None else check(answer)


def _may_succeed(error):
    return (isinstance(error, FetchError) and error.retry
            and (error.retry_after or 0.0) <= LONGEST_WAIT)


def _wait(state):
    wait = state.outcome.exception().retry_after
    return BACK_OFF(state) if wait is None else wait


class _Session(requests.Session):
    """A session that asks allowed hosts only; a request with its redirects is one `Exchange`."""

    def __init__(self, per_host, timeout, stopped):
        super().__init__()
        self._timeout, self._stopped = timeout, stopped
        self.headers.update({"User-Agent": user_agent(), "Accept-Encoding": "gzip"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.auth = _login_of_address
        # Some clients misread error pages, so these raise before the client sees them.
        self.hooks["response"].append(lambda response, **_: check_status(response))
        for scheme in ("http://", "https://"):
            self.mount(scheme, WholeAnswers(timeout, stopped, pool_maxsize=max(per_host, 10)))

    def send(self, request, **options):
        """Send a request or follow a redirect."""
        check_address(request.url)
        pace(request.url, self._stopped)
        with Exchange(self._timeout):
            return super().send(request, **options)

    def rebuild_auth(self, prepared_request, response):
        """Drop the token if a redirect leads to another host."""
        if self.should_strip_auth(response.request.url, prepared_request.url):
            prepared_request.headers.pop("Authorization", None)


def _login_of_address(request):
    """Log in as the address says, if it does.

    By default, requests would send logins of ~/.netrc, which replace the tokens of services.
    """
    login = get_auth_from_url(request.url)
    return HTTPBasicAuth(*login)(request) if any(login) else request


def user_agent():
    """Make the header User-Agent: name, version and contact.

    Returns
    -------
    str
    """
    try:
        pages = metadata.metadata(NAME).get_all("Project-URL") or ()
    except metadata.PackageNotFoundError:
        pages = ()
    contact = next((f" (+{page.rpartition(', ')[2]})" for page in pages), "")
    return f"astromorph/{__version__}{contact}"
