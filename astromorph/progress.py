"""How far a long step is: a bar on a terminal or in a notebook, else lines for a log."""
import math
import sys
import time
from contextlib import suppress

from tqdm.std import tqdm

__all__ = ["PAUSE", "LogLines", "in_notebook", "progress_bar"]

PAUSE = 30.0
"""Seconds between two lines in a log; a twentieth of what has passed, once that is more."""
_LINE = "{desc}{n_fmt} of {total_fmt}{unit}, {elapsed} gone, {remaining} to go{postfix}"


def progress_bar(items=None, *, progress=None, **options):
    """Show how far a step is.

    Parameters
    ----------
    items : iterable, optional
        What is counted when it is iterated over; else by ``update``.
    progress : bool, optional
        Whether to show a bar. By default on a terminal and in a notebook, there by the widget if
        ``ipywidgets`` is installed; elsewhere lines go to stderr, see `LogLines`.
    **options
        Of tqdm: ``total``, ``desc``, ``unit`` and more.

    Returns
    -------
    object
        With the methods of tqdm's bars.
    """
    if progress is False:
        return tqdm(items, disable=True, **options)
    if in_notebook():
        return _notebook_bar()(items, **options)
    if progress or sys.stderr.isatty():
        return tqdm(items, **options)
    return LogLines(items, **options)


class LogLines:
    """Stands in for a progress bar where there is none: a line on stderr now and then.

    Short steps that follow one another share the silence that a line ends.

    Parameters
    ----------
    items : iterable, optional
    total, desc, unit, initial
        As for a bar of tqdm.
    **ignored
        Its other options.
    """

    _alive = _said = -math.inf  # of any of them: seconds of the clock

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
        """Count, if only 0, and say so if the last line is long ago."""
        self.n += n
        LogLines._alive = now = time.monotonic()
        if now - LogLines._said >= max(PAUSE, (now - self._began) / 20):
            LogLines._said = now
            with suppress(OSError):
                print(tqdm.format_meter(self.n, elapsed=now - self._began, **self._line),
                      file=sys.stderr, flush=True)

    def set_postfix(self, counts, refresh=True):
        """Say these too from now on."""
        self._line["postfix"] = ", ".join(f"{name}={n}" for name, n in counts.items())

    def close(self):
        """Say no more."""


def in_notebook():
    """Tell whether a kernel of Jupyter runs this (bool)."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", ())


def _notebook_bar():
    """The bar of notebooks; the plain one where it would not do."""
    from tqdm import notebook

    return tqdm if notebook.IProgress is None else notebook.tqdm
