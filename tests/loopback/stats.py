"""Exact counts of what the simulated services were asked."""
import threading
from collections import Counter

__all__ = ["Stats"]


class Stats:
    """Counts that many threads can add to.

    Attributes
    ----------
    paths, targets, faults : `~collections.Counter`
        Requests by endpoint, by "endpoint target" (the asked position), faults by kind.
    simultaneous, most_simultaneous, connections, bytes : int
        The last of the bodies that were sent.
    errors : list of str
        Mistakes of the simulation itself; should be empty.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self.simultaneous = 0
        self.reset()

    def reset(self):
        """Start again from zero."""
        with self._lock:
            self.paths, self.targets, self.faults = Counter(), Counter(), Counter()
            self.most_simultaneous = self.connections = self.bytes = 0
            self.errors = []

    def begin(self, path, what):
        """Count a request; returns how often its target was asked before."""
        with self._lock:
            self.simultaneous += 1
            self.most_simultaneous = max(self.most_simultaneous, self.simultaneous)
            self.paths[path] += 1
            self.targets[f"{path} {what}"] += 1
            return self.targets[f"{path} {what}"] - 1

    def end(self):
        """Tell that the answer is ready; before it is sent, as then the client may ask anew."""
        with self._lock:
            self.simultaneous -= 1

    def connect(self):
        """Count a connection."""
        with self._lock:
            self.connections += 1

    def sent(self, size):
        """Count the bytes of a body."""
        with self._lock:
            self.bytes += size

    def fault(self, kind):
        """Count a fault."""
        with self._lock:
            self.faults[kind] += 1

    def fail(self, message):
        """Note a mistake of the simulation."""
        with self._lock:
            self.errors.append(message)

    @property
    def requests(self):
        """Number of all requests."""
        return sum(self.paths.values())

    def as_dict(self):
        """Everything, for JSON."""
        with self._lock:
            return {"requests": sum(self.paths.values()), "paths": dict(self.paths),
                    "targets": dict(self.targets), "faults": dict(self.faults),
                    "most_simultaneous": self.most_simultaneous,
                    "connections": self.connections, "bytes": self.bytes,
                    "errors": self.errors}
