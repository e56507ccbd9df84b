"""Limits of time and size for the answers of a service."""
import time
import zlib
from contextlib import contextmanager
from contextvars import ContextVar

from urllib3.exceptions import DecodeError

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag

__all__ = ["Exchange", "answers_up_to", "check_size", "unpack"]

STEADY = 2 ** 15
"""Bytes per second from which an answer may take longer than the timeout (int)."""
LONGEST = 4
"""Longest time of an exchange, in timeouts (int)."""
LARGEST_BODY = 256 * 2 ** 20
"""Default limit for the size of an answer in bytes, packed and unpacked (int)."""
STREAMS = 64
"""Largest number of packed streams in an answer (int)."""
_largest = ContextVar("largest", default=None)
_under_way = ContextVar("under_way", default=None)


@contextmanager
def answers_up_to(size):
    """Limit the size of answers, packed and unpacked, while the context lasts.

    Parameters
    ----------
    size : int
        Limit in bytes.
    """
    token = _largest.set(size)
    try:
        yield
    finally:
        _largest.reset(token)


def check_size(size):
    """Raise if an answer is too large, before it is unpacked.

    Parameters
    ----------
    size : int
        Size in bytes that the answer states.

    Raises
    ------
    FetchError
        If it is above the limit.
    """
    limit = _largest.get() or LARGEST_BODY
    if size > limit:
        raise FetchError(f"the answer is longer than {limit} bytes", MorphFlag.UNREADABLE)


def unpack(body, decompressor):
    """Unpack an answer, up to the limit of size.

    Parameters
    ----------
    body : bytes
        One or a few packed streams.
    decompressor : callable
        Makes a decompressor of `zlib` or `bz2` for each stream.

    Returns
    -------
    bytes
        The unpacked answer.

    Raises
    ------
    FetchError
        If the answer is above the limit.
    urllib3.exceptions.DecodeError
        If the answer is damaged, or has no end.
    """
    data, limit = b"", _largest.get() or LARGEST_BODY
    for _ in range(STREAMS):
        part = decompressor()
        try:
            data += part.decompress(body, limit + 1 - len(data))
        except (zlib.error, OSError) as error:
            raise DecodeError(str(error)) from error
        check_size(len(data))
        if not part.eof:
            break
        body = part.unused_data
        if not body:
            return data
    raise DecodeError("the packed answer has no end")


class Exchange:
    """The limits of one request with all redirects, from the connection to the end of the answer.

    It is a context manager. Nested contexts in the same thread are one exchange.

    Parameters
    ----------
    timeout : float
        Longest time in seconds. While more than `STEADY` bytes of an unpacked body arrive per
        second, the exchange may take up to `LONGEST` timeouts.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, timeout, clock=time.monotonic):
        self._timeout, self._clock, self._begun = timeout, clock, clock()
        self.size = self.body = 0

    def __enter__(self):
        self._token = None if _under_way.get() else _under_way.set(self)
        return _under_way.get()

    def __exit__(self, *exception):
        if self._token is not None:
            _under_way.reset(self._token)

    @staticmethod
    def current():
        """Return the open exchange of this thread, or None."""
        return _under_way.get()

    def left(self):
        """Compute the time that is left to wait for more bytes.

        Returns
        -------
        float
            Time in seconds.

        Raises
        ------
        TimeoutError
            If no time is left.
        """
        limit = min(self._timeout + self.body / STEADY, LONGEST * self._timeout)
        left = self._begun + limit - self._clock()
        if left <= 0:
            raise TimeoutError(f"{self.size} bytes came in {limit:.3g} s, but more are missing")
        return min(left, self._timeout)

    def came(self, size):
        """Count bytes that arrived, of any kind.

        Parameters
        ----------
        size : int
            Number of bytes.
        """
        self.size += size
        check_size(self.size)
