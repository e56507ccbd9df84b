"""Images per second, end to end from JPEG files, against the naive way; and peak memory.

    python benchmarks/throughput.py --images 512
    python benchmarks/throughput.py --memory 1000 10000

The files are 424 px JPEGs of the embedded simulated galaxies. Both ways are timed in turn in one
run, so that their ratio holds whatever the machine's load. The naive way reads each file with
Pillow, shrinks it with SciPy and calls Keras' ``predict`` once a question.
"""
import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image


def make_files(folder, n):
    """n distinct 424 px JPEGs: the sample's galaxies, turned, 4.24 R90 wide."""
    from astromorph.images import read_cutout, resample

    sources = sorted(map(str, files("astromorph").joinpath("sample").glob("*.fits")))
    frames = [resample(read_cutout(path, survey="sdss").pixels, 424) for path in sources]
    paths = []
    for k in range(n):
        frame = np.rot90(frames[k % len(frames)], k // len(frames))
        paths.append(folder / f"{k:06d}.jpg")
        Image.fromarray(np.rint(255 * frame).astype(np.uint8)).save(paths[-1], quality=90)
    return paths


def naive(models, paths):
    """What one would write first: Pillow, scipy.ndimage.zoom, predict, a network at a time."""
    from scipy.ndimage import zoom

    images = [zoom(np.asarray(Image.open(path), float), (69 / 424, 69 / 424, 1), order=1)
              for path in paths]
    images = np.array([image / image.max(axis=(0, 1)) for image in images], np.float32)
    return [model.predict(images, verbose=0) for model in models]


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(n, repeats):
    """Rates of the naive way and of `classify` with either network, in turn."""
    from astromorph import MorphologyClassifier, networks

    ds18 = MorphologyClassifier.from_pretrained("sdss", network="ds18")
    default = MorphologyClassifier.from_pretrained("sdss")
    models = [networks.ds18((key,)) for key in ("q1", "q2", "q3")]
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder), n)
        ways = {"naive ds18": lambda: naive(models, paths),
                "classify, ds18": lambda: ds18.classify(paths, progress=False),
                "classify, tuningfork": lambda: default.classify(paths, progress=False)}
        for run in ways.values():
            run()
        seconds = {name: [] for name in ways}
        for _ in range(repeats):
            for name, run in ways.items():
                seconds[name].append(timed(run))
    base = seconds["naive ds18"]
    for name, times in seconds.items():
        ratio = statistics.median(b / t for b, t in zip(base, times))
        print(f"{name:22s} {n / statistics.median(times):7.1f} images/s   {ratio:5.2f} x naive")


def peak_memory(n, network):
    """Classify n files in this process and print its peak resident memory."""
    from astromorph import MorphologyClassifier

    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder), 200)
        MorphologyClassifier.from_pretrained("sdss", network=network).classify(
            [paths[k % 200] for k in range(n)], progress=False)
    print(f"{network}, {n} files: "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB peak", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512, help="files to time")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="+", help="measure memory at these numbers")
    parser.add_argument("--network", default="tuningfork", help="of the memory measurement")
    args = parser.parse_args()
    if not args.memory:
        compare(args.images, args.repeats)
    elif len(args.memory) == 1:
        peak_memory(args.memory[0], args.network)
    else:  # one process each: a peak never falls again
        for n in args.memory:
            subprocess.run([sys.executable, __file__, "--memory", str(n),
                            "--network", args.network], check=True)


if __name__ == "__main__":
    main()
