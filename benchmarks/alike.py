"""Whether `similar` finds galaxies of the same class, and `odd` what does not belong; how fast.

    python benchmarks/alike.py DATA --out docs

Of each galaxy of Galaxy10 DECaLS kept for tests, the ten most similar of all of them are looked at.
Among test galaxies of Galaxy Zoo 1 that are no mergers, 1% mergers and images with simulated faults
are planted, half and half, 20 times. A query runs over a million random vectors.
"""
import argparse
import os
import platform
import time
import tracemalloc
from pathlib import Path

import numpy as np
from documents import list_table, write_table
from astropy.table import Table
from PIL import Image
from sklearn.metrics import roc_auc_score

from astromorph import MorphologyClassifier, odd, similar
from astromorph.learning.embedding import SIZE

ROWS, DRAWS = 10**6, 20


def read_set(root, name):
    """The labels of a set, files with their folder."""
    table = Table.read(root / name / "labels.csv", format="csv")
    table["file"] = [str(root / name / file) for file in table["file"]]
    return table


def precision_at_10(classifier, galaxies, views):
    """Part of the ten most similar that are of the same class, on average over test galaxies."""
    table = classifier.embed(galaxies, images="file", cutout_r90="cutout_r90", views=views)
    return np.mean([np.mean(similar(table, row)["galaxy10_class"] == table["galaxy10_class"][row])
                    for row in np.flatnonzero(table["split"] == "test")])


def trail(image, rng):
    """A satellite's trail."""
    n, angle = len(image), rng.uniform(0, np.pi)
    y, x = np.mgrid[:n, :n] - n / 2
    distance = x * np.sin(angle) + y * np.cos(angle) - rng.uniform(-0.15, 0.15) * n
    return image + 255 * np.exp(-0.5 * (distance / (n * rng.uniform(0.006, 0.02))) ** 2)[..., None]


def star(image, rng):
    """A saturated star with spikes."""
    n = len(image)
    x, y = (np.mgrid[:n, :n][::-1].T - n / 2 - rng.uniform(-0.2, 0.2, 2) * n).T
    core = 900 * np.exp(-0.5 * (np.hypot(x, y) / n / rng.uniform(0.04, 0.09)) ** 2)
    spikes = 300 * np.exp(-np.minimum(abs(x), abs(y)) / (0.006 * n) - np.hypot(x, y) / (n / 4))
    return image + (core + spikes)[..., None]


def gap(image, rng):
    """A gap between chips."""
    n, image = len(image), image.copy()
    start = int(n * rng.uniform(0.2, 0.6))
    image[:, start:start + int(n * rng.uniform(0.08, 0.35))] = 0
    return np.rot90(image, rng.integers(4))


def shift(image, rng):
    """One band out of register."""
    image, band = image.copy(), rng.integers(3)
    step = int(len(image) * rng.uniform(0.05, 0.12))
    image[..., band] = np.roll(image[..., band], step, axis=rng.integers(2))
    return image


def lines(image, rng):
    """Lines of noise, as of a damaged file."""
    image, lost = image.copy(), rng.random(len(image)) < 0.25
    image[lost] = 255 * rng.random((lost.sum(), 1, 3))
    return image


FAULTS = (trail, star, gap, shift, lines)


def spoiled(galaxies, fault, rng):
    """Images with a fault."""
    for file in galaxies["file"]:
        image = fault(np.asarray(Image.open(file).convert("RGB"), float), rng)
        yield np.clip(image, 0, 255).astype(np.uint8)


def seen(classifier, images, options):
    """Features of the images that have some: a few faults are refused, which needs no ranking."""
    features = np.asarray(classifier.embed(images, **options)["features"])
    return features[np.isfinite(features).all(axis=1)]


def odd_areas(classifier, galaxies, views):
    """Area under the ROC curve of the oddness, by what is planted."""
    rng = np.random.default_rng(1)
    merger = np.ma.filled(galaxies["merger"], 0) == 1
    new = merger & (galaxies["split"] != "train")
    good = galaxies[(galaxies["split"] == "test") & ~merger]
    options = {"cutout_r90": 5.9, "views": views}
    crowd = seen(classifier, list(good["file"]), options)
    planted = {"merger": seen(classifier, list(galaxies["file"][new]), options)}
    for fault in FAULTS:
        images = list(spoiled(good[:100], fault, rng))
        planted[fault.__name__] = seen(classifier, images, options)
    n = max(len(crowd) // 100, 2)
    faults = np.concatenate([planted[fault.__name__] for fault in FAULTS])
    mixed = area(crowd, [(planted["merger"], n // 2), (faults, n - n // 2)], rng)
    return {"mergers and faults": mixed} | {name: area(crowd, [(rows, n)], rng)
                                            for name, rows in planted.items()}


def area(crowd, kinds, rng):
    """Area for some of each kind among the others, on average."""
    areas = []
    for _ in range(DRAWS):
        features = np.concatenate([crowd, *(rng.permutation(rows)[:n] for rows, n in kinds)])
        planted = np.arange(len(features)) >= len(crowd)
        found = odd(Table({"features": features, "planted": planted}))
        areas.append(roc_auc_score(found["planted"], found["oddness"]))
    return np.mean(areas)


def machine():
    """The processor, and how many of it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(": ")[1] for line in lines if line.startswith("model name")),
                platform.machine())
    return f"{os.cpu_count()} cores of {name}"


def query():
    """Median milliseconds of a query, and MB of the features and of what the query adds."""
    features = np.random.default_rng(0).normal(size=(ROWS, SIZE)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    table, times = Table({"features": features}, copy=False), []
    for row in range(15):
        start = time.perf_counter()
        similar(table, row)
        times.append(time.perf_counter() - start)
    tracemalloc.start()
    similar(table, 0)
    added = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return 1e3 * np.median(times), features.nbytes / 1e6, added / 1e6


def main():
    """Read the arguments, measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, help="folder of the table")
    args = parser.parse_args()
    decals, gz1 = read_set(args.data, "decals"), read_set(args.data, "gz1")
    decals = decals[decals["catalog"] == "galaxy10_decals"]
    rows = []
    for name in ("legacy", "sdss"):
        classifier = MorphologyClassifier.from_pretrained(name)
        for views in (8, 1):
            rows.append([f"precision at 10, {name} weights, {views} view{'s' * (views > 1)}",
                         f"{precision_at_10(classifier, decals, views):.3f}"])
    for name, value in odd_areas(MorphologyClassifier.from_pretrained("sdss"), gz1, 8).items():
        rows.append([f"area of ``odd``, 1% planted: {name}", f"{value:.3f}"])
    time_taken, stored, added = query()
    rows.append([f"query over a million rows ({machine()})", f"{time_taken:.0f} ms"])
    rows.append(["memory: features, and what a query adds", f"{stored:.0f} + {added:.0f} MB"])
    text = "\n".join(list_table("What looks alike, on test galaxies", ["", ""], rows))
    print(text)
    if args.out:
        write_table(args.out, "alike_table", text)


if __name__ == "__main__":
    main()
