"""What is known of a host that is asked: how much it takes at a time, and whether it answers."""
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag
from astromorph.services.errors import WaitsForItself

__all__ = ["Host"]

FIRST_WINDOW = 4
"""Attempts under way at a time to a host that is not known yet."""
FAILURES = 10
"""Failed attempts in a row after which a host is left alone for a while."""
REST, LONGEST_REST = 30.0, 300.0
"""Seconds that a host is left alone at first, doubled with each further failure, and at most."""
LONGEST_WAIT = 60.0
"""Longest wait in seconds that is granted to a host that asks for one (Retry-After)."""
PUSHBACK = (429, 503)
"""HTTP statuses that ask for fewer requests."""


@dataclass(frozen=True)
class _Ticket:
    """One attempt under way."""

    round: int
    probe: bool


class Host:
    """Limits the attempts under way to a host, and leaves it alone while it does not answer.

    The window of attempts starts at `FIRST_WINDOW`, grows by one after as many answers as it is
    wide, and is halved when the host asks for less (HTTP status 429 or 503), at most once for the
    attempts that were under way together. A wait that the host asks for holds for all threads.

    Parameters
    ----------
    name : str
        How to call it in messages.
    per_host : int
        The widest window.
    stopped : `threading.Event`
        Set when no attempt should start any more.
    clock : callable
        Gives seconds.
    """

    def __init__(self, name, *, per_host, stopped, clock=time.monotonic):
        self.name = name
        self.window = min(FIRST_WINDOW, per_host)
        self._per_host, self._stopped, self._clock = per_host, stopped, clock
        self._changed = threading.Condition()
        self._threads = set()  # those with an attempt under way
        self._answers = self._failures = self._round = 0
        self._quiet_until = self._rest_until = self._rest = 0.0
        self._probing = False
        self._last_failure = ""

    @contextmanager
    def slot(self):
        """Wait for a turn; what happens inside is one attempt.

        Gives a function to call when the host has answered: another attempt may start while the
        answer is looked at.

        Raises
        ------
        FetchError
            If the host is being left alone, or `stopped` is set.
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
        """Let those who wait for a turn see that `stopped` is set."""
        with self._changed:
            self._changed.notify_all()

    def _answer_came(self):
        with self._changed:
            self._make_room()

    def _make_room(self):
        self._threads.discard(threading.get_ident())
        # Not more than can go on: many threads that wake for nothing slow down the others.
        self._changed.notify(max(self.window - len(self._threads), 0))

    def _enter(self):
        thread = threading.get_ident()
        with self._changed:
            if thread in self._threads:
                raise WaitsForItself(f"an attempt asks {self.name} by another call, which could "
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
            raise FetchError(f"{self.name} is left alone for {max(rest, 0.0):.0f} s more (failed "
                             f"attempts in a row: {self._failures}; the last: "
                             f"{self._last_failure})", MorphFlag.SERVER_ERROR)

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
        self._last_failure = str(error)
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
