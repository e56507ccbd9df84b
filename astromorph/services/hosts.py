"""Limit the simultaneous requests to a host, and pause while it does not answer."""
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.services.errors import WaitsForItself

__all__ = ["Host"]

FIRST_WINDOW = 4
"""Number of simultaneous attempts to a new host (int)."""
FAILURES = 10
"""Number of failed attempts in a row before a pause (int)."""
REST, LONGEST_REST = 30.0, 300.0
"""First and longest pause in seconds (float); it doubles with each further failure."""
LONGEST_WAIT = 60.0
"""Longest wait in seconds that a host may ask for with Retry-After (float)."""
PUSHBACK = (429, 503)
"""HTTP statuses that ask for fewer requests (tuple of int)."""


@dataclass(frozen=True)
class _Ticket:
    """One open attempt."""

    round: int
    probe: bool


class Host:
    """Limits the simultaneous attempts to a host, and pauses while the host does not answer.

    The window is the allowed number of simultaneous attempts. It starts at `FIRST_WINDOW` and grows
    by one after as many answers. If the host asks for fewer requests (HTTP status 429 or 503), the
    window is halved, but only once for attempts that were open together. If the host asks to wait,
    all threads wait.

    Parameters
    ----------
    name : str
        Name of the host in messages.
    per_host : int
        Largest window.
    stopped : `threading.Event`
        Set to start no more attempts.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, name, *, per_host, stopped, clock=time.monotonic):
        self.name = name
        self.window = min(FIRST_WINDOW, per_host)
        self._per_host, self._stopped, self._clock = per_host, stopped, clock
        self._changed = threading.Condition()
        self._threads = set()  # threads with an open attempt
        self._answers = self._failures = self._round = 0
        self._quiet_until = self._rest_until = self._rest = 0.0
        self._probing = False
        self._last_failure = None

    @contextmanager
    def slot(self):
        """Wait for a turn; the context is one attempt.

        It yields a function to call when the host has answered. Then another attempt may start
        while this one checks its answer.

        Raises
        ------
        FetchError
            If the host has a pause, or ``stopped`` is set.
        """
        ticket, error = self._enter(), None
        try:
            yield self._answer_came
        except FetchError as caught:
            error = caught
            raise
        finally:
            with self._changed:
                self._leave(ticket, error)
                self._make_room()

    def wake(self):
        """Wake the threads that wait for a turn, so that they see that ``stopped`` is set."""
        with self._changed:
            self._changed.notify_all()

    def _answer_came(self):
        with self._changed:
            self._make_room()

    def _make_room(self):
        self._threads.discard(threading.get_ident())
        # Wake only as many threads as can continue. Others would wake for nothing and cost time.
        self._changed.notify(max(self.window - len(self._threads), 0))

    def _enter(self):
        thread = threading.get_ident()
        with self._changed:
            if thread in self._threads:
                raise WaitsForItself(f"an attempt asks {self.name} in another call, which could "
                                     "wait for itself")
            while True:
                self._check()
                quiet = self._quiet_until - self._clock()
                if quiet <= 0 and len(self._threads) < self.window:
                    break
                self._changed.wait(quiet if quiet > 0 else None)
            self._threads.add(thread)
            self._probing = self._rest > 0
            return _Ticket(self._round, self._probing)

    def _check(self):
        """Raise unless an attempt may be made."""
        if self._stopped.is_set():
            raise FetchError("stopped before an answer came", MorphFlag.SERVER_ERROR)
        rest = self._rest_until - self._clock()
        if self._rest and (rest > 0 or self._probing):
            raise FetchError(f"{self._last_failure}; requests to {self.name} pause for "
                             f"{max(rest, 0.0):.0f} s more (failed attempts in a row: "
                             f"{self._failures})", MorphFlag.SERVER_ERROR,
                             unreachable=self._last_failure.unreachable)

    def _leave(self, ticket, error):
        if ticket.probe:
            self._probing = False
        if error is None or not error.retry:
            self._answered()
        else:
            self._failed(ticket, error)

    def _answered(self):
        self._failures = self._rest = 0
        self._answers += 1
        if self._answers >= self.window:
            self.window, self._answers = min(self.window + 1, self._per_host), 0

    def _failed(self, ticket, error):
        self._failures += 1
        self._last_failure = error
        wait = error.retry_after or 0.0
        if getattr(error, "status", None) in PUSHBACK:
            self._slow_down(ticket, wait)
        enough = self._failures >= FAILURES or wait > LONGEST_WAIT
        if ticket.probe or (enough and not self._rest):
            self._rest = min(max(2 * self._rest or REST, wait), LONGEST_REST)
            self._rest_until = self._clock() + self._rest
            self._changed.notify_all()

    def _slow_down(self, ticket, wait):
        self._quiet_until = max(self._quiet_until, self._clock() + min(wait, LONGEST_WAIT))
        if ticket.round == self._round:
            self.window, self._answers = max(1, self.window // 2), 0
            self._round += 1
