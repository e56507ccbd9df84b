"""What a checkpointed run keeps when it is killed again and again, and what is done twice.

    python benchmarks/resume.py --out docs

Processes that classify 20,000 JPEGs of the embedded simulated galaxies (200 distinct ones; every
500th file is missing) are killed by SIGKILL 20 times, each when it has read a random number of
rows, 1 to 2,600. Another one then ends the run. Its table is compared, bit for bit, with that of a
process that was left alone. The processes log each row that they read and each that the network
answers.
"""
import argparse
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from documents import list_table, write_table
from throughput import make_files

from astromorph.galaxies.given import GivenImages
from astromorph.running.checkpoint import PART_ROWS

DISTINCT, MISSING, LATEST = 200, 500, 2600


def make_names(folder, n):
    """n names of files that are all different, so that each tells its row."""
    files = make_files(folder, min(n, DISTINCT))
    names = [folder / f"row{k:06d}.jpg" for k in range(n)]
    for k, name in enumerate(names):
        if k % MISSING:
            name.hardlink_to(files[k % len(files)])
    return names


def classify(names, log, result, checkpoint=None):
    """What the processes do; all that they read and answer goes to a log."""
    from astromorph import MorphologyClassifier, networks

    def logged(function, line):
        def wrapper(*args, **options):
            os.write(file, f"{line(*args)}\n".encode())
            return function(*args, **options)
        return wrapper

    classifier = MorphologyClassifier.from_pretrained("sdss")
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    GivenImages.load = logged(GivenImages.load,
                              lambda self, row, *args: f"read {Path(row[0]).name}")
    networks.run = logged(networks.run, lambda model, pixels, **options: f"answer {len(pixels)}")
    table = classifier.classify(names, cutout_r90=classifier.frame_r90, progress=False,
                                checkpoint=checkpoint)
    result.write_bytes(pickle.dumps(table))


def start(folder, n, log, result, *checkpoint):
    return subprocess.Popen([sys.executable, __file__, "--rows", str(n), "--child", folder,
                             folder / log, folder / result, *checkpoint])


def finished(folder, n, log, result, *checkpoint):
    """The table of a process that nothing disturbs."""
    with start(folder, n, log, result, *checkpoint) as process:
        pass
    if process.returncode:
        raise RuntimeError(f"a process failed: {process.returncode}")
    return pickle.loads((folder / result).read_bytes())


def killed(folder, n, number, after):
    """Rows that a process read, answered and kept, which is killed after it read so many."""
    log, run = folder / f"{number}.log", folder / "run"
    before = kept(run, n)
    log.touch()
    with start(folder, n, log.name, "run.pickle", run) as process:
        while process.poll() is None and log.read_bytes().count(b"read") < after:
            time.sleep(0.005)
        process.kill()
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the run ended before kill {number}: ask for more rows or fewer kills")
    return *done(log), kept(run, n) - before


def kept(run, n):
    """Rows in the parts of a checkpoint."""
    starts = [int(path.stem.removeprefix("part-")) for path in run.glob("part-*.parquet")]
    return sum(min(PART_ROWS, n - first) for first in starts)


def done(log):
    """Rows that a process read, by name, and number of those that it answered."""
    words = [line.split() for line in log.read_text().splitlines()]
    return (Counter(name for what, name in words if what == "read"),
            sum(int(count) for what, count in words if what == "answer"))


def identical(one, other):
    """Whether two tables agree in every bit but the date."""
    meta = [{key: value for key, value in table.meta.items() if key != "MORPHDAT"}
            for table in (one, other)]
    return meta[0] == meta[1] and one.colnames == other.colnames and all(
        one[name].dtype == other[name].dtype
        and np.ma.getdata(one[name]).tobytes() == np.ma.getdata(other[name]).tobytes()
        and np.array_equal(np.ma.getmaskarray(one[name]), np.ma.getmaskarray(other[name]))
        for name in one.colnames)


def compare(folder, n, kills, seed):
    """Rows of the table to show; an error if anything is not as promised."""
    folder = folder.resolve()
    make_names(folder, n)
    moments = np.random.default_rng(seed).integers(1, LATEST, kills, endpoint=True)
    rounds = [killed(folder, n, number, after) for number, after in enumerate(moments)]
    table = finished(folder, n, "last.log", "run.pickle", folder / "run")
    rest, _ = done(folder / "last.log")
    same = identical(table, finished(folder, n, "alone.log", "alone.pickle"))
    reads = sum((read for read, _, _ in rounds), rest)
    again = [read.total() - new for read, _, new in rounds]
    answered = [answers - new for _, answers, new in rounds]
    prefetch = GivenImages.prefetch + GivenImages.chunk
    assert same and len(reads) == n and kept(folder / "run", n) == n
    assert max(answered) <= PART_ROWS and max(again) <= PART_ROWS + prefetch
    return [["rows, and kills", f"{n:,}, {kills}"],
            ["rows kept when the last kill came", f"{n - rest.total():,}"],
            ["same table as of a run that was left alone", "yes, in every bit"],
            [f"rows answered in vain, for each kill (a part is {PART_ROWS:,})",
             f"{np.mean(answered):.0f} on average, {max(answered):,} at most"],
            [f"rows read in vain, for each kill (up to {prefetch} are read ahead)",
             f"{np.mean(again):.0f} on average, {max(again):,} at most"],
            ["rows read more than once", f"{sum(count > 1 for count in reads.values()):,}"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--out", type=Path, help="for the table")
    parser.add_argument("--child", type=Path, nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        folder, *paths = args.child
        classify([folder / f"row{k:06d}.jpg" for k in range(args.rows)], *paths)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(Path(folder), args.rows, args.kills, args.seed)
    table = "\n".join(list_table("A run that was killed, and went on", ["", ""], rows))
    print(table)
    if args.out:
        write_table(args.out, "resume_table", table)


if __name__ == "__main__":
    main()
