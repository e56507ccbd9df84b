"""What goes wrong in the simulated services."""
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields

__all__ = ["KINDS", "Faults"]

KINDS = {
    "429": "too many requests, with Retry-After",
    "500": "status 500 with a line of text",
    "502": "status 502 with a page of HTML",
    "503": "status 503 with a page of HTML, and Retry-After",
    "html": "status 200 with a page of HTML",
    "json": "status 200 with an error as JSON",
    "stall": "no answer for `stall` seconds, then the connection closes",
    "stall-body": "half an answer, then nothing for `stall` seconds, then the connection closes",
    "reset": "the connection is reset",
    "cut-length": "half the body, less than its Content-Length says",
    "cut-chunked": "half the body in chunks, without the last one",
    "cut": "half the body, without any sign that there was more",
    "type": "the right body with Content-Type text/plain",
    "blank": "an image without data anywhere",
    "half": "an image whose northern half has no data",
    "bands": "the viewer's FITS with other bands than asked",
}


@dataclass(eq=False)
class Faults:
    """Chooses for each request what goes wrong; all attributes can be changed at any time.

    Parameters
    ----------
    rates : dict, optional
        Kind of fault (see `KINDS`) to its share of the requests, 0 to 1.
    plan : dict or callable, optional
        Goes before the rates: path prefix to the list of kinds for its 1st, 2nd, ... request (None
        for no fault), or ``plan(path, n)`` returning a kind or None; n counts from 0 and by path.
    only : str, optional
        Prefix of the paths that the rates apply to.
    latency : float, optional
        Seconds that every answer takes longer.
    retry_after : str or None, optional
        Header that 429 and 503 carry: seconds, or a date.
    stall : float, optional
        Seconds.
    black_tile : bool, optional
        SkyServer answers outside the footprint with a black tile in place of status 404.
    max_rows : int, optional
        TAP gives no more rows than that and says that there were more.
    seed : int, optional
        The choice depends on it, the request and how often that has been sent, so a repeated
        request draws anew, and the order in which requests come makes no difference.
    """

    rates: dict | None = None
    plan: dict | Callable | None = None
    only: str = "/"
    latency: float = 0.0
    retry_after: str | None = "1"
    stall: float = 60.0
    black_tile: bool = False
    max_rows: int = 10**6
    seed: int = 0

    def __post_init__(self):
        self._lock, self._planned = threading.Lock(), {}
        self.set(rates=self.rates)

    def set(self, **settings):
        """Change some of the parameters; a new plan counts from 0."""
        names = [one.name for one in fields(self)]
        unknown = [*(set(settings) - set(names)), *(set(settings.get("rates") or ()) - set(KINDS))]
        if unknown:
            raise ValueError(f"there is no {unknown[0]!r}: set {', '.join(names)}; kinds of faults "
                             f"are {', '.join(KINDS)}")
        if "plan" in settings:
            self._planned = {}
        self.__dict__.update(settings)

    def clear(self):
        """Let everything go right."""
        self.__init__()

    def draw(self, path, target, attempt):
        """Choose a kind of fault, or None, for the ``attempt``-th request of a target."""
        if callable(self.plan):
            return self.plan(path, self._count(path))
        for prefix, kinds in (self.plan or {}).items():
            if path.startswith(prefix):
                n = self._count(prefix)
                return kinds[n] if n < len(kinds) else None
        if not path.startswith(self.only):
            return None
        draw = random.Random(f"{self.seed} {path} {target} {attempt}").random()
        for kind, rate in (self.rates or {}).items():
            draw -= rate
            if draw < 0:
                return kind
        return None

    def _count(self, key):
        with self._lock:
            n = self._planned.get(key, 0)
            self._planned[key] = n + 1
        return n
