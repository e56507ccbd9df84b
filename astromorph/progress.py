"""Show the progress of a long step: a bar on a terminal or in a notebook, else log lines."""
import math
import sys
import time
from contextlib import suppress

from tqdm.std import tqdm

__all__ = ["PAUSE", "LogLines", "in_notebook", "progress_bar"]

PAUSE = 30.0
"""Least time in seconds between two log lines; later a twentieth of the time so far (float)."""
_LINE = "{desc}{n_fmt} of {total_fmt}{unit}, {elapsed} gone, {remaining} to go{postfix}"


def progress_bar(items=None, *, progress=None, **options):
    """Create a progress bar, or log lines where there is no terminal.

    Parameters
    ----------
    items : iterable, optional
        Iterate over the result to count these items. Without items, call ``update``.
    progress : bool, optional
        True shows a bar, False shows nothing. By default a terminal and a notebook show a bar, and
        other places get log lines on stderr, see `LogLines`.
    **options
        Options of tqdm: ``total``, ``desc``, ``unit`` and more.

    Returns
    -------
    object
        A bar with the methods of tqdm's bars.
    """
    if progress is False:
        return tqdm(items, disable=True, **options)
    if in_notebook():
        return _notebook_bar()(items, **options)
    if progress or sys.stderr.isatty():
        return tqdm(items, **options)
    return LogLines(items, **options)


class LogLines:
    """Print a line on stderr now and then, in place of a progress bar.

    Short steps in a row count as one, so that they do not print a line each.

    Parameters
    ----------
    items : iterable, optional
        Items to count.
    total, desc, unit, initial
        See `tqdm.tqdm`.
    **ignored
        Other options of tqdm, without effect.
    """

    _alive = _said = -math.inf  # times of the last sign of life and the last line, of all objects

    def __init__(self, items=None, *, total=None, desc=None, unit="", initial=0, **ignored):
        self._items, self._line = items, {
            "total": total, "prefix": f"{desc}: " if desc else "", "unit": unit,
            "initial": initial, "bar_format": _LINE}
        self.n = initial
        self._began = now = time.monotonic()
        if now - LogLines._alive > PAUSE:
            LogLines._said = now
        LogLines._alive = now

    def __iter__(self):
        for item in self._items:
            yield item
            self.update()

    def update(self, n=1):
        """Count ``n`` items, and print a line if the last one is long ago."""
        self.n += n
        LogLines._alive = now = time.monotonic()
        if now - LogLines._said >= max(PAUSE, (now - self._began) / 20):
            LogLines._said = now
            with suppress(OSError):
                print(tqdm.format_meter(self.n, elapsed=now - self._began, **self._line),
                      file=sys.stderr, flush=True)

    def set_postfix(self, counts, refresh=True):
        """Add these counts to the lines from now on."""
        self._line["postfix"] = ", ".join(f"{name}={n}" for name, n in counts.items())

    def close(self):
        """Do nothing; bars of tqdm have this method."""


def in_notebook():
    """Tell whether a Jupyter kernel runs this code (bool)."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", ())


def _notebook_bar():
    """The bar for notebooks, or the plain one if ipywidgets is not installed."""
    from tqdm import notebook

    return tqdm if notebook.IProgress is None else notebook.tqdm
