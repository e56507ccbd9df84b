"""How image services are asked: politely, patiently, and from many threads at once."""
import io
import math
import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit
from weakref import WeakSet

import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter

from astromorph import __version__
from astromorph.arguments import check_count, check_number
from astromorph.errors import FetchError, wrong
from astromorph.flags import MorphFlag
from astromorph.services.errors import StatusError, check_status, translate
from astromorph.services.hosts import LONGEST_WAIT, Host

__all__ = ["StatusError", "Transport", "check_status", "translate"]

CONNECT_TIMEOUT = 10.0
"""Longest wait for a connection, in seconds."""
BODY_TIMEOUTS = 4
"""Timeouts that a whole answer may take, once it has begun."""
LARGEST_BODY = 256 * 2 ** 20
"""Bytes of the largest answer that is read; a frame of SDSS has 12 million."""
CHUNK = 2 ** 16
BACK_OFF = tenacity.wait_random_exponential(multiplier=0.5, max=20)


class Transport:
    """Asks services, with limits for each host, time limits, and repetition of what may succeed.

    It is shared by threads. A context manager that closes on leaving.

    Parameters
    ----------
    per_host : int
        Most attempts under way at a time to one host; fewer at first, and when it asks for less.
    timeout : float
        Seconds to wait for more of an answer; a connection is waited for 10 s at most, and a whole
        answer four times as long.
    retries : int
        Attempts after a first one that failed and may succeed later.

    Attributes
    ----------
    session : `requests.Session`
        For clients of services. Its answers are complete and have a status below 400: it raises
        `~astromorph.errors.FetchError` else, or an exception that `translate` knows. It
        keeps to the time limits, whatever a client asks for.
    timeout : float
    """

    def __init__(self, *, per_host=16, timeout=30.0, retries=6):
        check_count(per_host, "per_host")
        check_number(timeout, "timeout", "a positive number of seconds",
                     lambda value: 0 < value < math.inf)
        if retries:
            check_count(retries, "retries")
        self._per_host, self._retries, self.timeout = per_host, retries, timeout
        self._hosts, self._lock, self._stopped = {}, threading.Lock(), threading.Event()
        self.session = _make_session(per_host, timeout, self._stopped)

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
            That of the last attempt. Exceptions that `translate` does not know pass unchanged.
        """
        host = self._host(url)
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._retries + 1), wait=_wait,
            retry=tenacity.retry_if_exception(_may_succeed), sleep=self._sleep, reraise=True)
        return again(_attempt, host, attempt, check)

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


def _attempt(host, attempt, check):
    with host.slot() as leave:
        try:
            answer = attempt()
            leave()
            return answer if check is None else check(answer)
        except Exception as error:
            known = translate(error, host=host.name)
            if known is None or known is error:
                raise
            raise known from error


def _may_succeed(error):
    return (isinstance(error, FetchError) and error.retry
            and (error.retry_after or 0.0) <= LONGEST_WAIT)


def _wait(state):
    wait = state.outcome.exception().retry_after
    return BACK_OFF(state) if wait is None else wait


def _make_session(per_host, timeout, stopped):
    session = requests.Session()
    session.headers["User-Agent"] = f"astromorph/{__version__}"
    # Clients that misread error pages never see them.
    session.hooks["response"].append(lambda response, **_: check_status(response))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _WholeAnswers(timeout, stopped, pool_maxsize=max(per_host, 10)))
    return session


class _WholeAnswers(HTTPAdapter):
    """Reads each answer whole and within limits, whichever client asks.

    Clients have time limits of their own, or none, and wait without end for one that trickles.
    Closing it ends the requests under way, too, whatever they wait for.
    """

    def __init__(self, timeout, stopped, **options):
        self._timeout, self._stopped = timeout, stopped
        self._sockets, self._lock = WeakSet(), threading.Lock()
        super().__init__(**options)

    def init_poolmanager(self, *args, **options):
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _telling(pool, self._opened)
            for scheme, pool in self.poolmanager.pool_classes_by_scheme.items()}

    def send(self, request, stream=False, timeout=None, **options):
        limits = min(CONNECT_TIMEOUT, self._timeout), self._timeout
        response = super().send(request, stream=True, timeout=limits, **options)
        with response:
            body = _read(response.raw, BODY_TIMEOUTS * self._timeout)
        if self._stopped.is_set():  # the end that `close` made is not that of the answer
            raise FetchError("stopped before the whole answer came", MorphFlag.SERVER_ERROR)
        return self.build_response(request, _rebuilt(response.raw, body))

    def close(self):
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            _shut(each)
        super().close()

    def _opened(self, connection):
        with self._lock:
            self._sockets.add(connection)
        if self._stopped.is_set():
            _shut(connection)


def _telling(pool, opened):
    """A class of connection pools that calls ``opened`` with each socket that they open."""
    class Connection(pool.ConnectionCls):
        def connect(self):
            super().connect()
            opened(self.sock)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _shut(connection):
    """Have whoever reads from a socket, in whichever thread, see its end."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS need not say goodbye


def _read(raw, seconds):
    """The decoded body of an urllib3 response. It stalls no longer than its socket's timeout."""
    end, chunks, size = time.monotonic() + seconds, [], 0
    while chunk := raw.read1(CHUNK, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            raise FetchError(f"the answer is longer than {LARGEST_BODY} bytes",
                             MorphFlag.UNREADABLE)
        if time.monotonic() > end:
            raise TimeoutError(f"{size} bytes came in {seconds:g} s, and more are missing")
    return b"".join(chunks)


def _rebuilt(raw, body):
    """An urllib3 response with the body that was read."""
    headers = raw.headers.copy()
    for name in ("Content-Encoding", "Transfer-Encoding", "Content-Length"):
        headers.discard(name)
    return urllib3.HTTPResponse(io.BytesIO(body), headers, raw.status, reason=raw.reason,
                                preload_content=False)
