"""Limits of what a service may send: how long a request and its answer take, and how much comes."""
import time
import zlib
from contextlib import contextmanager
from contextvars import ContextVar

from urllib3.exceptions import DecodeError

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag

__all__ = ["Exchange", "answers_up_to", "check_size", "unpack"]

STEADY = 2 ** 15
"""Bytes per second: while more come, an answer may take longer than the timeout."""
LONGEST = 4
"""Timeouts that an exchange takes at most, however much comes."""
LARGEST_BODY = 256 * 2 ** 20
"""Bytes of the largest answer that is read, packed and unpacked, where no less is expected."""
STREAMS = 64
"""Most packed streams in an answer."""
_largest = ContextVar("largest", default=None)
_under_way = ContextVar("under_way", default=None)


@contextmanager
def answers_up_to(size):
    """Take no answers of more bytes, packed or unpacked, as long as the context lasts.

    Parameters
    ----------
    size : int
        Bytes.
    """
    token = _largest.set(size)
    try:
        yield
    finally:
        _largest.reset(token)


def check_size(size):
    """Refuse what is larger than the answers that are taken, before it is unpacked.

    Parameters
    ----------
    size : int
        Bytes that it says it has.

    Raises
    ------
    FetchError
        If that is too much.
    """
    limit = _largest.get() or LARGEST_BODY
    if size > limit:
        raise FetchError(f"the answer is longer than {limit} bytes", MorphFlag.UNREADABLE)


def unpack(body, decompressor):
    """Unpack an answer as far as it may be.

    Parameters
    ----------
    body : bytes
        One or a few packed streams.
    decompressor : callable
        Makes an object of `zlib` or `bz2` for each.

    Returns
    -------
    bytes

    Raises
    ------
    FetchError
        If there is too much.
    urllib3.exceptions.DecodeError
        If it is damaged, or has no end.
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
    """Limits of one request, with all redirects, from the connection to the end of the answer.

    A context manager; one inside another in the same thread is the same exchange.

    Parameters
    ----------
    timeout : float
        Seconds that it may take. It may take longer, up to `LONGEST` timeouts, as long as more than
        `STEADY` bytes of an unpacked body come per second.
    clock : callable
        Gives seconds.
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
        """Give the one that is under way in this thread, or None."""
        return _under_way.get()

    def left(self):
        """Tell how many seconds are left to wait for more.

        Returns
        -------
        float

        Raises
        ------
        TimeoutError
            If there are none.
        """
        limit = min(self._timeout + self.body / STEADY, LONGEST * self._timeout)
        left = self._begun + limit - self._clock()
        if left <= 0:
            raise TimeoutError(f"{self.size} bytes came in {limit:.3g} s, and more are missing")
        return min(left, self._timeout)

    def came(self, size):
        """Count bytes that came, of any kind.

        Parameters
        ----------
        size : int
        """
        self.size += size
        check_size(self.size)
