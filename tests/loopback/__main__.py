"""Run the simulated services as a process of their own: ``python -m loopback``, in tests/."""
import argparse
import signal
import threading

from loopback.faults import KINDS, Faults
from loopback.server import LoopbackServer
from loopback.sky import Sky


def main():
    """Print the URL, then serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to each answer")
    parser.add_argument("--rate", nargs=2, action="append", default=[], metavar=("KIND", "SHARE"),
                        help=f"share of a fault, of {', '.join(KINDS)}; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faults = Faults({kind: float(share) for kind, share in options.rate},
                    latency=options.latency, seed=options.seed)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    with LoopbackServer(Sky(), faults=faults, port=options.port) as server:
        print(server.url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
