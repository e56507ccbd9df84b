"""Stream rows through threads that work ahead, and count their outcomes."""
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count, islice
from threading import Lock

import numpy as np
from threadpoolctl import threadpool_limits

from astromorph.errors import warn
from astromorph.flags import MorphFlag, decode_flags
from astromorph.progress import progress_bar

__all__ = ["Outcomes", "in_groups", "one_blas_thread", "read_ahead", "thread_pool"]

_lock = Lock()
_limits = []  # the active limit, and None for each other run that needs it


@contextmanager
def thread_pool(threads):
    """Make a thread pool that cancels waiting jobs when the context ends."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread until the last run that asks for it has ended.

    Many threads resample images by matrix products. With several BLAS threads each, they would slow
    each other down.
    """
    with _lock:
        _limits.append(None if _limits else threadpool_limits(1, "blas"))
    try:
        yield
    finally:
        with _lock:
            if len(_limits) > 1:
                _limits.pop()
            else:
                _limits.pop().restore_original_limits()


def in_groups(items, n):
    """Yield lists of n items; the last list may be shorter."""
    items = iter(items)
    while group := list(islice(items, n)):
        yield group


def read_ahead(pool, function, items, prefetch):
    """Yield ``function(item)`` of each item in order, with up to ``prefetch`` items ahead."""
    items = iter(items)
    pending = deque(pool.submit(function, item) for item in islice(items, prefetch))
    while pending:
        result = pending.popleft().result()
        pending.extend(pool.submit(function, item) for item in islice(items, 1))
        yield result


class Outcomes:
    """Counts rows by outcome, on a progress bar and in one warning at the end.

    Parameters
    ----------
    total : int
        Number of rows.
    progress : bool or None
        Whether to show the bar, see `~astromorph.progress.progress_bar`.
    unit : str
        What the rows are, such as "galaxies".
    done : array-like of int
        Flags of the rows that an earlier run finished.
    """

    def __init__(self, total, progress, unit, done=()):
        self.unit = unit
        self.counts = Counter()
        for flag, n in zip(*np.unique(np.array(done, int), return_counts=True)):
            self.counts[_outcome(flag)] += int(n)
        self._first = {}
        self._bar = progress_bar(total=total, unit=f" {unit}", initial=len(done),
                                 progress=progress)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def counting(self, rows, numbers=None):
        """Count rows, which have a ``flag`` and an ``error`` or None, and yield them.

        ``numbers`` are the numbers of the rows, by default from 0.
        """
        for number, row in zip(count() if numbers is None else numbers, rows):
            self._add(number, row.flag, row.error)
            yield row

    def _add(self, number, flag, error):
        name = _outcome(flag)
        self.counts[name] += 1
        if name != "good":
            self._first.setdefault(name, f"row {number}: {error}")
            self._bar.set_postfix(self._bad(), refresh=False)
        self._bar.update()

    def _bad(self):
        """Counts of all outcomes except the good one."""
        return Counter({name: n for name, n in self.counts.items() if name != "good"})

    def warn(self, what):
        """Warn of the rows without a result: their number, and the first of each kind."""
        bad = self._bad()
        if bad:
            listed = ", ".join(f"{n} {name}" for name, n in bad.most_common())
            example = f"; for example {'; '.join(self._first.values())}" if self._first else ""
            warn(f"{bad.total()} of {self.counts.total()} {self.unit} could not be {what} "
                 f"({listed}){example}", late=True)


def _outcome(flag):
    """The outcome that a row counts as."""
    return " | ".join(decode_flags(flag)) if flag & MorphFlag.UNCLASSIFIED else "good"
