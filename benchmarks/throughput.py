"""Images per second, end to end from JPEG files, against the naive way; start-up; and peak memory.

    python benchmarks/throughput.py --images 1024 --out docs
    python benchmarks/throughput.py --memory 1000 10000 100000

The files are 424 px JPEGs of the embedded simulated galaxies. All ways are timed in turn in one
run, so that their ratios hold whatever the machine's load. The naive way reads each file with
Pillow, shrinks it with SciPy and calls Keras' ``predict`` once a question. The floor is what the
machine needs at least: decoding the files on all cores, and the default network's arithmetic at the
rate of a large matrix product.
"""
import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from documents import list_table, write_table
from PIL import Image

START = """
import time
begun = time.perf_counter()
from astromorph import MorphologyClassifier
imported = time.perf_counter()
classifier = MorphologyClassifier.from_pretrained("sdss")
loaded = time.perf_counter()
classifier.classify([{path!r}], cutout_r90=classifier.frame_r90, progress=False)
print(imported - begun, loaded - imported, time.perf_counter() - loaded)
"""


def make_files(folder, n):
    """n distinct 424 px JPEGs: the sample's galaxies, turned, 4.24 R90 wide."""
    from astromorph.datasets import load_sample
    from astromorph.images import read_cutout, resample

    sources = load_sample()["file"]
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


def decode_all(paths, enough):
    """Decode all files on all cores, as small as a network needs them."""
    from astromorph.images import decode_picture

    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda path: decode_picture(path.read_bytes(), enough).shape, paths))


def multiply(matrix):
    """A product of large matrices in TensorFlow."""
    import tensorflow as tf

    return tf.matmul(matrix, matrix).numpy()


def compare(n, repeats, real, out):
    """Rates of the naive way and of `classify`, in turn, and of the networks alone."""
    from astromorph import MorphologyClassifier, networks
    from astromorph.model.files import DEFAULT

    ours = {name: MorphologyClassifier.from_pretrained("sdss", network=name)
            for name in ("ds18", DEFAULT, "whirlpool")}
    models = [networks.ds18((key,)) for key in ("disk", "edge_on", "bar")]
    rng = np.random.default_rng(0)
    pixels = {name: rng.random((n, *[classifier.card["size"]] * 2, 3), np.float32)
              for name, classifier in ours.items()}
    matrix = rng.random((3000, 3000), np.float32)
    naively, predict = "naive ``ds18``", "``ds18`` alone, ``predict`` three times"
    with tempfile.TemporaryDirectory() as folder:
        paths = sorted(real.glob("*.jpg"))[:n] if real else make_files(Path(folder), n)
        size = statistics.mean(path.stat().st_size for path in paths) / 1000
        ways = {naively: lambda: naive(models, paths)}
        ways |= {f"``classify``, ``{name}``": partial(as_they_are, classifier, paths)
                 for name, classifier in ours.items()}
        ways[predict] = lambda: [model.predict(pixels["ds18"], verbose=0) for model in models]
        ways |= {f"``{name}`` alone": partial(ours[name].model.raw, pixels[name])
                 for name in list(ours)[1:]}
        bounds = {"decoding": lambda: decode_all(paths, 2 * pixels[DEFAULT].shape[1]),
                  "product": lambda: multiply(matrix)}
        seconds = time_in_turn(ways | bounds, repeats)
    rows = [[name, f"{n / statistics.median(seconds[name]):.0f}",
             f"{ratio(seconds, predict if 'alone' in name else naively, name):.1f}"]
            for name in ways]
    operations = n * networks.gigaflops(ours[DEFAULT].model.network) / (2 * len(matrix) ** 3 / 1e9)
    floors = [decoding + operations * product for decoding, product
              in zip(seconds["decoding"], seconds["product"])]
    fraction = statistics.median(floor / time for floor, time
                                 in zip(floors, seconds[f"``classify``, ``{DEFAULT}``"]))
    rows.append([f"floor: decoding and ``{DEFAULT}``'s arithmetic",
                 f"{n / statistics.median(floors):.0f}", ""])
    of = f"{real.name}, " if real else "simulated galaxies, "
    table = list_table(f"End to end from files ({of}{size:.0f} kB each), and networks alone",
                       ["way", "images per second", "relative to the naive way"], rows)
    start = start_up(repeats)
    table.append(f"``classify`` with ``{DEFAULT}`` reaches {fraction:.0%} of the floor. A new "
                 f"process needs {start[0]:.1f} s to import, {start[1]:.1f} s to load the weights "
                 f"and {start[2]:.1f} s for its first galaxy.\n")
    print("\n".join(table))
    if out:
        write_table(out, f"speed_{'real' if real else 'simulated'}_table", table)


def time_in_turn(ways, repeats):
    """Seconds of each way in each round, after one round to warm up."""
    for run in ways.values():
        run()
    seconds = {name: [] for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            seconds[name].append(timed(run))
    return seconds


def ratio(seconds, base, name):
    """How many times faster a way is than another: the median of the rounds."""
    return statistics.median(b / t for b, t in zip(seconds[base], seconds[name]))


def start_up(repeats):
    """Median seconds to import, to load and to classify the first galaxy, in new processes."""
    from astromorph.datasets import load_sample

    path = str(load_sample()["file"][0])
    times = [subprocess.run([sys.executable, "-c", START.format(path=path)], check=True,
                            capture_output=True, text=True).stdout.split()
             for _ in range(repeats)]
    return np.median(np.array(times, float), axis=0)


def as_they_are(classifier, paths):
    """Classify files whose frame is that of the network."""
    return classifier.classify(paths, cutout_r90=classifier.frame_r90, progress=False)


def peak_memory(n, network):
    """Classify n files in this process and print its peak resident memory."""
    from astromorph import MorphologyClassifier

    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder), 200)
        as_they_are(MorphologyClassifier.from_pretrained("sdss", network=network),
                    [paths[k % 200] for k in range(n)])
    print(f"{network or 'default'}, {n} files: "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB peak", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512, help="files to time")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--real", type=Path, help="a folder of 424 px JPEGs to time instead")
    parser.add_argument("--memory", type=int, nargs="+", help="measure memory at these numbers")
    parser.add_argument("--network", help="of the memory measurement, by default the default one")
    parser.add_argument("--out", type=Path, help="for the table")
    args = parser.parse_args()
    if not args.memory:
        compare(args.images, args.repeats, args.real, args.out)
    elif len(args.memory) == 1:
        peak_memory(args.memory[0], args.network)
    else:  # one process each: a peak never falls again
        named = ["--network", args.network] if args.network else []
        for n in args.memory:
            subprocess.run([sys.executable, __file__, "--memory", str(n), *named], check=True)


if __name__ == "__main__":
    main()
