"""Read each answer of a service completely and within limits, whichever client asks."""
import io
import socket
import threading
import zlib
from contextlib import suppress
from http.client import HTTPResponse
from weakref import WeakSet
from xml.parsers import expat

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (ConnectTimeoutError, DecodeError, NameResolutionError,
                                NewConnectionError)

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.services.limits import Exchange, unpack

__all__ = ["WholeAnswers"]

CONNECT_TIMEOUT = 10.0
"""Longest wait for a connection in seconds (float)."""
CHUNK = 2 ** 16
CHARSETS = ("utf-8", "utf8", "iso-8859-1", "latin-1", "us-ascii", "ascii", "windows-1252")
_PLAIN = urllib3.connection.HTTPConnection, urllib3.connection.HTTPSConnection
_IMAGES = (b"\xff\xd8", b"\x89PNG", b"SIMPLE", b"BZh")


class WholeAnswers(HTTPAdapter):
    """Reads each answer completely and within the limits of its `Exchange`.

    The clients of services have other time limits or none, and wait forever for a slow answer.
    Closing the adapter also ends open requests.

    Parameters
    ----------
    timeout : float
        See `Exchange`.
    stopped : `threading.Event`
        Set to refuse further answers.
    **options
        See `requests.adapters.HTTPAdapter`.
    """

    def __init__(self, timeout, stopped, **options):
        self._timeout, self._stopped = timeout, stopped
        self._sockets, self._lock = WeakSet(), threading.Lock()
        super().__init__(**options)

    def init_poolmanager(self, *args, **options):
        """Make connections report their sockets and read within limits."""
        super().init_poolmanager(*args, **options)
        self._limit(self.poolmanager)

    def proxy_manager_for(self, proxy, **options):
        """Do the same for connections through a proxy."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            self._limit(manager)
        return manager

    def _limit(self, manager):
        manager.pool_classes_by_scheme = {
            scheme: _limited(pool, self._opened)
            for scheme, pool in manager.pool_classes_by_scheme.items()}

    def send(self, request, stream=False, timeout=None, **options):
        """Send a request and read its answer; see `requests.adapters.HTTPAdapter`."""
        with Exchange(self._timeout) as exchange:
            limits = min(CONNECT_TIMEOUT, exchange.left()), exchange.left()
            answer = super().send(request, stream=True, timeout=limits, **options)
            with answer:
                body = _unpacked(_read(answer.raw, exchange), answer.headers)
        if self._stopped.is_set():  # `close` may have cut off the answer
            raise FetchError("stopped before the whole answer came", MorphFlag.SERVER_ERROR)
        _refuse_streams(body)
        response = self.build_response(request, _rebuilt(answer.raw, body))
        if str(response.encoding).lower() not in CHARSETS:
            response.encoding = "utf-8"  # other encodings may raise, and guessing is slow
        return response

    def close(self):
        """Close all connections, also those in use."""
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            _shut(each)
        super().close()

    def _opened(self, connection):
        with self._lock:
            self._sockets.add(connection)
        if self._stopped.is_set():
            raise FetchError("stopped before an answer came", MorphFlag.SERVER_ERROR)


def _limited(pool, opened):
    """A class of connection pools that calls ``opened`` with each socket and reads in limits."""
    class Connection(pool.ConnectionCls):
        response_class = _Answer

        def _new_conn(self):
            if pool.ConnectionCls not in _PLAIN:  # proxies connect in other ways
                return super()._new_conn()
            try:
                return _connected(self._dns_host, self.port, self.socket_options, opened)
            except socket.gaierror as error:
                raise NameResolutionError(self.host, self, error) from error
            except TimeoutError as error:
                raise ConnectTimeoutError(self, f"{self.host} takes no connection") from error
            except OSError as error:
                raise NewConnectionError(self, f"no connection: {error}") from error

        def connect(self):
            super().connect()
            opened(self.sock)  # the socket of TLS

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _connected(host, port, options, opened):
    """Connect a socket; ``opened`` gets it first, so that another thread can end the wait."""
    failure = OSError(f"{host} has no address")
    for *kind, _, place in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        connection = socket.socket(*kind)
        try:
            opened(connection)
            for option in options or ():
                connection.setsockopt(*option)
            connection.settimeout(min(CONNECT_TIMEOUT, Exchange.current().left()))
            connection.connect(place)
            return connection
        except Exception as error:
            connection.close()
            if not isinstance(error, OSError):
                raise
            failure = error
    raise failure


class _Answer(HTTPResponse):
    """An answer whose lines, headers and chunks are read within limits."""

    def __init__(self, sock, *args, **options):
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Incoming(sock, self.fp.detach(), Exchange.current()))


class _Incoming(io.RawIOBase):
    """A stream from a socket that keeps the limits of an exchange."""

    def __init__(self, connection, raw, exchange):
        self._connection, self._raw, self._exchange = connection, raw, exchange

    def readable(self):
        return True

    def readinto(self, buffer):
        self._connection.settimeout(self._exchange.left())
        size = self._raw.readinto(buffer)
        self._exchange.came(size or 0)
        return size

    def close(self):
        self._raw.close()
        super().close()


def _shut(connection):
    """End a socket, so that a thread that reads from it stops waiting."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # without the closing of TLS


def _read(raw, exchange):
    """The body of a urllib3 response, still packed."""
    body = bytearray()
    while chunk := raw.read1(CHUNK, decode_content=False):
        body += chunk
        if "Content-Encoding" not in raw.headers:  # the size of a packed body proves nothing
            exchange.body = len(body)
    return bytes(body)


def _unpacked(body, headers):
    """Unpack a body as its headers say."""
    packing = headers.get("Content-Encoding", "").strip().lower()
    if packing in ("", "identity") or not body:
        return body
    if packing not in ("gzip", "x-gzip"):
        raise DecodeError(f"packed as {packing[:40]!r}, which was not requested")
    return unpack(body, lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))


def _refuse_streams(body):
    """Raise if a table has its rows at another address, because its reader would go there."""
    def begin(name, attributes):
        if name.rpartition(":")[2] == "STREAM" and any(
                each.rpartition(":")[2] == "href" for each in attributes):
            raise FetchError("the service sent a table with its rows elsewhere (STREAM href)",
                             MorphFlag.UNREADABLE)

    if not body.startswith(_IMAGES):
        parser = expat.ParserCreate()
        parser.StartElementHandler = begin
        with suppress(expat.ExpatError):  # not XML, or damaged: reading it raises later
            parser.Parse(body, True)


def _rebuilt(raw, body):
    """Make a urllib3 response with the body that was read."""
    headers = raw.headers.copy()
    for name in ("Content-Encoding", "Transfer-Encoding", "Content-Length"):
        headers.discard(name)
    return urllib3.HTTPResponse(io.BytesIO(body), headers, raw.status, reason=raw.reason,
                                preload_content=False)
