"""A simulated sky and the survey image services that show it, on 127.0.0.1.

Start with `LoopbackServer`, from Python or as ``python -m loopback`` in ``tests/``.
"""
from loopback.faults import Faults
from loopback.server import LoopbackServer
from loopback.sky import Sky

__all__ = ["Faults", "LoopbackServer", "Sky"]
