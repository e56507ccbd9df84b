"""How image services are asked: politely, patiently, and from many threads at once."""
import math
import threading
from http.cookiejar import DefaultCookiePolicy
from importlib import metadata
from urllib.parse import urlsplit

import requests
import tenacity

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
    """Asks services, with limits for each host, time limits, and repetition of what may succeed.

    It is shared by threads. A context manager that closes on leaving.

    Parameters
    ----------
    per_host : int
        Most attempts under way at a time to one host; fewer at first, and when it asks for less.
    timeout : float
        Seconds for a request with its redirects and the whole answer; up to four times as many
        while more than 32 kilobytes come per second. A connection is waited for 10 s at most.
    retries : int
        Attempts after a first one that failed and may succeed later.

    Attributes
    ----------
    session : `requests.Session`
        For clients of services. Its answers are complete and have a status below 400: it raises
        `~astromorph.errors.FetchError` else, or an exception that `translate` knows. It
        keeps to the limits, whatever a client asks for: of time, of size, and to the host that
        `call` names and those that `~astromorph.services.endpoints.check_address` knows.
    timeout : float
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
        """End the attempts under way and start no more: who waits for one gets a `FetchError`."""
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
        params : dict, optional
            Parameters of the query.
        check : callable, optional
            Takes the complete response, of a status below 400, and returns what is to be returned,
            or raises `~astromorph.errors.FetchError`, which may ask for another attempt.
            The host may be asked for something else meanwhile.
        on_error : callable, optional
            Takes a response of status 400 or more, to raise a more telling
            `~astromorph.errors.FetchError` than `check_status` does.

        Returns
        -------
        object
            The result of ``check``, else the `requests.Response`.

        Raises
        ------
        `~astromorph.errors.FetchError`
            That of the last attempt.
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
        """Get a resource whose address a service gave, if its host is known.

        Parameters
        ----------
        url : str
            Perhaps empty, relative, or meant to reach where nobody should.
        **options
            As for `get`.

        Returns
        -------
        object
            As for `get`.

        Raises
        ------
        `~astromorph.errors.FetchError`
            Also if `~astromorph.services.endpoints.check_address` refuses the address.
        """
        check_address(url)
        return self.get(url, **options)

    def call(self, url, attempt, check=None):
        """Ask a service by a callable, as often as it takes.

        Parameters
        ----------
        url : str
            Says which host is asked.
        attempt : callable
            Without arguments; asks that host, once, without `call` or `get`.
        check : callable, optional
            As for `get`, of what ``attempt`` returned.

        Returns
        -------
        object
            What ``check``, else ``attempt`` returned.

        Raises
        ------
        `~astromorph.errors.FetchError`
            That of the last attempt. Whatever is raised becomes one.
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
    """Asks known hosts only, each request and its redirects as one `Exchange`."""

    def __init__(self, per_host, timeout, stopped):
        super().__init__()
        self._timeout, self._stopped = timeout, stopped
        self.headers.update({"User-Agent": user_agent(), "Accept-Encoding": "gzip"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        # Clients that misread error pages never see them.
        self.hooks["response"].append(lambda response, **_: check_status(response))
        for scheme in ("http://", "https://"):
            self.mount(scheme, WholeAnswers(timeout, stopped, pool_maxsize=max(per_host, 10)))

    def send(self, request, **options):
        """Send a request, also one that a redirect asks for."""
        check_address(request.url)
        pace(request.url, self._stopped)
        with Exchange(self._timeout):
            return super().send(request, **options)


def user_agent():
    """Say who asks: name, version, and where to turn to.

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
