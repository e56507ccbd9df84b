"""Damaged and hostile images and tables by the ten thousand: what comes of each, and what must not.

    python benchmarks/fuzz.py --seed 1 --keep OFFENDING
    python benchmarks/fuzz.py --only images --first 1234 --images 1 --seed 1
    python benchmarks/fuzz.py --data DATA

Input n is made from the seed and n alone, so that a run goes on with ``--first``, and one input is
had again. A process of its own reads them: one that does not end in time, dies, or takes too much
memory is a violation, as are

- an exception other than the documented ones;
- a frame with pixels that are no numbers from 0 to 1;
- a frame other than before the damage, of an image of which a strict decoder complains (``djpeg
  -strict`` where it is installed, checksums of PNG, lengths of FITS, Astropy's own errors);
- a cell of a table that costs more than its row; an identifier that loses a digit.

Exit 1 if there is any. ``--data`` adds real images, of the folder's JPEG and FITS files.
"""
import argparse
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

KINDS = ("images", "tables", "runs")
SECONDS, MEGABYTES = 60, 1000  # one input may take, in memory besides what the process has
STARTING = 120
INPUTS = {"tables": 7 / 25}  # of 25 tables and cells: two inputs of seven are ten cells each


def inputs(kind, seed, data):
    """The module's stream of inputs: ``make(n)`` gives one, ``judge(it)`` its outcome."""
    import fuzz_images
    import fuzz_runs
    import fuzz_tables

    return {"images": fuzz_images.Images, "tables": fuzz_tables.Tables,
            "runs": fuzz_runs.Runs}[kind](seed, data)


def work(pipe, kind, seed, data, numbers):
    """Judge inputs and send, of each, its number, format, outcome and violation; then None."""
    stream = inputs(kind, seed, data)
    pipe.send("ready")
    for n in numbers:
        start = peak_memory(reset=True)
        each = stream.make(n)
        outcome, count, violation = stream.judge(each)
        grown = peak_memory() - start
        if violation is None and grown > MEGABYTES + stream.megabytes:
            violation = f"{grown} MB of memory"
        pipe.send((n, each.format, outcome, count, violation, grown))
    pipe.send(None)


def peak_memory(reset=False):
    """Megabytes; where Linux lets it, since the last reset."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def judged(kind, seed, data, numbers, processes):
    """The judgments of inputs, by several processes at a time."""
    if processes == 1:
        yield from judged_by_one(kind, seed, data, numbers)
        return
    with ThreadPoolExecutor(processes) as pool:
        answers = SimpleQueue()

        def go_on(part):
            for each in judged_by_one(kind, seed, data, part):
                answers.put(each)

        done = [pool.submit(go_on, numbers[n::processes]) for n in range(processes)]
        while not (all(each.done() for each in done) and answers.empty()):
            with suppress(Empty):
                yield answers.get(timeout=1)
        [each.result() for each in done]


def judged_by_one(kind, seed, data, numbers):
    """The judgments of inputs, in a process that is replaced when it hangs or dies."""
    context = multiprocessing.get_context("spawn")
    numbers = list(numbers)
    while numbers:
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, kind, seed, data, numbers))
        process.start()
        theirs.close()
        limit = STARTING
        while (answer := receive(ours, limit)) == "ready" or isinstance(answer, tuple):
            limit = SECONDS
            if answer != "ready":
                numbers = numbers[1:]
                yield answer
        if answer is not None and "died" not in answer:
            process.kill()
        process.join()
        if answer is None:
            return
        yield numbers[0], "any", "lost", 1, f"{answer} ({process.exitcode})", 0
        numbers = numbers[1:]


def receive(pipe, seconds):
    """The next message, or text that says why there is none."""
    try:
        return pipe.recv() if pipe.poll(seconds) else f"no end within {seconds} s"
    except (EOFError, OSError):
        return "the process died"


def run(kind, count, args):
    """Judge the inputs of a kind; the number of violations."""
    start, counts, violations, most = time.perf_counter(), Counter(), 0, 0
    numbers = range(args.first, args.first + round(count * INPUTS.get(kind, 1)))
    answers = judged(kind, args.seed, args.data, numbers, args.processes)
    for n, form, outcome, amount, violation, grown in answers:
        counts[form, outcome] += amount
        most = max(most, grown)
        if violation is not None:
            violations += 1
            print(f"VIOLATION {kind} {n} {form}: {violation}", flush=True)
            if args.keep:
                inputs(kind, args.seed, args.data).make(n).write(args.keep / f"{kind}_{n}")
    report(kind, counts)
    print(f"{kind}: {sum(counts.values())} inputs in {time.perf_counter() - start:.0f} s, at most "
          f"{most} MB each, {violations} violations\n", flush=True)
    return violations


def report(kind, counts):
    outcomes = sorted({outcome for _, outcome in counts})
    for form in sorted({form for form, _ in counts}):
        parts = [f"{outcome} {counts[form, outcome]}" for outcome in outcomes
                 if counts[form, outcome]]
        print(f"{kind:7s} {form:22s} {sum(counts[form, one] for one in outcomes):6d}: "
              f"{', '.join(parts)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--tables", type=int, default=100_000, help="tables and cells")
    parser.add_argument("--runs", type=int, default=30, help="tables of images to classify whole")
    parser.add_argument("--only", choices=KINDS, help="inputs of this kind alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--data", type=Path, help="folder with real images")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the inputs of violations")
    args = parser.parse_args()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    violations = sum(run(kind, getattr(args, kind), args) for kind in KINDS
                     if args.only in (None, kind))
    sys.exit(violations > 0)


if __name__ == "__main__":
    main()
