"""A HATS catalog through LSDB on worker processes, against the plain `classify` on as many cores.

    python benchmarks/partitions.py --out docs
    python benchmarks/partitions.py --rows 2000

The rows name 200 distinct 424 px JPEGs of the embedded simulated galaxies, each many times. A run
is a process that keeps to one core or to two, with its Dask scheduler and workers of one thread
each; it is timed after it has classified a few galaxies, from the catalog on disk to the written
one. The plain run, `classify` of the same files with as many threads as it has cores, is what the
cores allow. One of the runs loses a worker half-way. Linux only.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from documents import list_table, write_table

RUNS = {"plain, 1 core": (1, 0), "LSDB, 1 worker, 1 core": (1, 1), "plain, 2 cores": (2, 0),
        "LSDB, 2 workers, 2 cores": (2, 2)}
OPTIONS = {"images": "file", "cutout_r90": 4.24}
COLUMNS = ["P_disk", "P_edge_on", "P_bar", "morph_flag"]


def make_catalog(folder, rows):
    """A HATS catalog of galaxies all over the sky, and a small one to begin with."""
    import lsdb
    import pandas as pd
    from throughput import make_files

    (folder / "files").mkdir()
    paths = make_files(folder / "files", 200)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "objid": np.arange(rows), "ra": rng.uniform(0, 360, rows),
        "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, rows))),
        "file": [str(paths[k % len(paths)]) for k in range(rows)]})
    for name, some in (("catalog", frame), ("few", frame[:256])):
        lsdb.from_dataframe(some, catalog_name=name, partition_rows=max(rows // 8, 1000),
                            margin_threshold=None).write_catalog(folder / name, progress_bar=False)


def run_plain(folder, cores):
    """Seconds of the plain run, which leaves its columns in a file; and its memory."""
    import lsdb
    import psutil
    from astropy.table import Table

    from astromorph import MorphologyClassifier

    classifier = MorphologyClassifier.from_pretrained("sdss")
    frame = lsdb.open_catalog(folder / "catalog").compute(progress_bar=False)
    table = Table({name: frame[name].tolist() for name in ("objid", "file")})
    classifier.classify(table[:256], threads=cores, progress=False, **OPTIONS)
    memory = Memory([psutil.Process().pid])
    with memory:
        start = time.perf_counter()
        done = classifier.classify(table, threads=cores, progress=False, **OPTIONS)
        seconds = time.perf_counter() - start
    order = np.argsort(done["objid"])
    np.save(folder / "plain.npy", [np.ma.filled(done[name].astype(float), np.nan)[order]
                                   for name in COLUMNS])
    return {"seconds": seconds, **memory.told()}


def run_lsdb(folder, workers, kill):
    """Seconds through LSDB, memory of the workers, and how the result compares."""
    import dask
    import lsdb
    from distributed import Client, LocalCluster

    from astromorph import MorphologyClassifier
    from astromorph.partitions import KEEP_MEMORY, classify_partition

    classifier = MorphologyClassifier.from_pretrained("sdss")
    catalog, out = lsdb.open_catalog(folder / "catalog"), folder / f"out-{time.time_ns()}"
    few = lsdb.open_catalog(folder / "few").compute(progress_bar=False)
    with dask.config.set(KEEP_MEMORY), LocalCluster(
            n_workers=workers, threads_per_worker=1,
            dashboard_address="127.0.0.1:0") as cluster, Client(cluster) as client:
        for warm in [client.submit(classify_partition, few, classifier, workers=[name], pure=False,
                                   **OPTIONS) for name in client.nthreads()]:
            warm.result()
        pids = list(client.run(os.getpid).values())
        memory = Memory(pids)
        if kill:
            threading.Thread(target=kill_half_way, args=(pids[0], out, catalog.npartitions),
                             daemon=True).start()
        with memory:
            start = time.perf_counter()
            classifier.classify_catalog(catalog, **OPTIONS).write_catalog(out, progress_bar=False)
            seconds = time.perf_counter() - start
    return {"seconds": seconds, "partitions": catalog.npartitions, **memory.told(),
            **compare(out, np.load(folder / "plain.npy"))}


def kill_half_way(pid, out, partitions):
    """Kill a worker when half of the partitions are written."""
    while len(list(out.rglob("*_done"))) < partitions // 2:
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


def compare(out, plain):
    """Rows, and how far flags and probabilities are from those of the plain run."""
    import lsdb

    frame = lsdb.open_catalog(out).compute(progress_bar=False).sort_values("objid")
    values = np.array([frame[name].to_numpy(float, na_value=np.nan) for name in COLUMNS])
    apart = np.abs(values - plain)[:3]
    return {"rows": len(frame), "same_flags": bool((values[3] == plain[3]).all()),
            "same_nulls": bool((np.isnan(values) == np.isnan(plain)).all()),
            "most_apart": float(np.nanmax(apart)), "same_bits": int((apart == 0).sum()),
            "answers": int(np.isfinite(apart).sum())}


class Memory:
    """Samples the resident memory (MB) of processes, ten times a second, while it is entered."""

    def __init__(self, pids):
        self._pids, self._samples, self._done = pids, {pid: [] for pid in pids}, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *exception):
        self._done.set()
        self._thread.join()

    def _sample(self):
        import psutil

        while not self._done.wait(0.1):
            for pid in self._pids:
                try:
                    self._samples[pid].append(psutil.Process(pid).memory_info().rss / 2 ** 20)
                except psutil.NoSuchProcess:  # it was killed
                    pass

    def told(self):
        """The peak of all, and the means over the second and the last quarter of the run."""
        quarters = [np.array_split(values, 4) for values in self._samples.values()]
        return {"peak": max(map(max, self._samples.values())),
                "early": max(float(np.mean(parts[1])) for parts in quarters),
                "late": max(float(np.mean(parts[3])) for parts in quarters)}


def measure(folder, name, kill=False):
    """One run in a process of its own, on cores of its own."""
    environment = os.environ | {"TF_NUM_INTRAOP_THREADS": str(RUNS[name][0])}
    command = [sys.executable, __file__, "--folder", folder, "--run", name]
    result = json.loads(subprocess.run(command + ["--kill"] * kill, check=True, env=environment,
                                       stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    print(f"{name}{', a worker killed' * kill}: {result}", flush=True)
    return result


def run(folder, name, kill):
    """The process of one run."""
    cores, workers = RUNS[name]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    if workers:  # each is told by Dask how many threads it has
        del os.environ["TF_NUM_INTRAOP_THREADS"]
    print(json.dumps(run_lsdb(folder, workers, kill) if workers else run_plain(folder, cores)))


def lines(rows, repeats):
    """The table of the documentation and what is to be said of it."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_catalog(folder, rows)
        rounds = [{name: measure(folder, name) for name in RUNS} for _ in range(repeats)]
        killed = measure(folder, list(RUNS)[-1], kill=True)
    shown = []
    for name, (cores, workers) in RUNS.items():
        seconds = np.median([one[name]["seconds"] for one in rounds])
        part = np.median([one[list(RUNS)[2 * cores - 2]]["seconds"] / one[name]["seconds"]
                          for one in rounds])
        last = rounds[-1][name]
        shown.append([name, f"{rows / seconds:.0f}", f"{part:.2f}" if workers else "",
                      *(f"{last[key]:.0f}" for key in ("peak", "early", "late"))])
    through = [one[name] for one in rounds for name in RUNS if RUNS[name][1]] + [killed]
    if not all(one["rows"] == rows and one["same_flags"] and one["same_nulls"]
               and one["most_apart"] <= 1e-6 for one in through):
        raise RuntimeError("the results are not those of the plain run")
    same = sum(one["same_bits"] for one in through) / sum(one["answers"] for one in through)
    return [*list_table(
        f"{rows:,} galaxies from JPEG files, {through[0]['partitions']} partitions",
        ["run", "galaxies per second", "relative to plain", "peak MB", "MB, second quarter",
         "MB, last quarter"], shown),
        "Memory is that of a worker, the largest one, or of the plain process. With one of the two "
        f"workers killed half-way no row was lost, at {rows / killed['seconds']:.0f} galaxies per "
        "second. All results have the rows, flags and nulls of the plain run, and its "
        + ("probabilities bit for bit.\n" if same == 1 else "probabilities within "
           f"{max(one['most_apart'] for one in through):.0e}, {same:.1%} of them bit for bit.\n")]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=1, help="rounds of all runs")
    parser.add_argument("--out", type=Path, help="for the table")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--kill", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        run(args.folder, args.run, args.kill)
        return
    text = "\n".join(lines(args.rows, args.repeats))
    print(text)
    if args.out:
        write_table(args.out, "partitions_table", text)


if __name__ == "__main__":
    main()
