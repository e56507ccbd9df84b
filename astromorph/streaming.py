"""Rows stream through threads that work ahead; their outcomes are shown and counted."""
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

from astropy import log
from tqdm.auto import tqdm

from astromorph.flags import MorphFlag, decode_flags

__all__ = ["Outcomes", "in_groups", "read_ahead", "thread_pool"]


@contextmanager
def thread_pool(threads):
    """A `~concurrent.futures.ThreadPoolExecutor` that drops what has not begun when it is left."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def in_groups(items, n):
    """Yield lists of n items, the last one of those that are left."""
    items = iter(items)
    while group := list(islice(items, n)):
        yield group


def read_ahead(pool, function, items, ahead):
    """Yield ``function(item)`` of each item in order, at most ``ahead`` of them begun unseen."""
    items = iter(items)
    pending = deque(pool.submit(function, item) for item in islice(items, ahead))
    while pending:
        result = pending.popleft().result()
        pending.extend(pool.submit(function, item) for item in islice(items, 1))
        yield result


class Outcomes:
    """Counts rows by outcome, on a progress bar and in one warning at the end.

    Parameters
    ----------
    total : int
        Rows to come.
    progress : bool or None
        Show the bar; None when on a terminal.
    unit : str
        What a row is, as "galaxies".
    """

    def __init__(self, total, progress, unit):
        self.unit = unit
        self.counts = Counter()
        self._first = {}
        self._bar = tqdm(total=total, unit=f" {unit}", disable=None if progress is None
                         else not progress)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def counting(self, rows):
        """Yield rows of which the second item is the flag and the last one the error, or None."""
        for row in rows:
            self._add(row[1], row[-1])
            yield row

    def _add(self, flag, error):
        name = "good"
        if flag & MorphFlag.UNCLASSIFIED:
            name = " | ".join(decode_flags(flag))
            self._first.setdefault(name, f"row {self.counts.total()}: {error}")
        self.counts[name] += 1
        if name != "good":
            self._bar.set_postfix(self._bad(), refresh=False)
        self._bar.update()

    def _bad(self):
        """Counts of all outcomes but the good one."""
        return Counter({name: n for name, n in self.counts.items() if name != "good"})

    def warn(self, what):
        """Log one warning that counts the rows without a result, with the first of each kind."""
        bad = self._bad()
        if bad:
            listed = ", ".join(f"{n} {name}" for name, n in bad.most_common())
            log.warning(f"{bad.total()} of {self.counts.total()} {self.unit} could not be {what} "
                        f"({listed}); for example {'; '.join(self._first.values())}")
