"""How the answers hold when images look otherwise: area of each question under each change.

    python benchmarks/robustness.py --data DATA [--network NAME | --weights FILE] [--out docs]
                                    [--split val] [--changes blur noise] [--most 200]

DATA is the folder that ``accuracy.py`` describes. The images of each set are cut to 6.4 R90 around
the galaxy, changed (see ``looks.py``), stored with 8 bits, and classified through the public API
with the width that they have. Of ``decals`` the disks and the edge-on ones are those of Galaxy10
alone, for in the other catalogs all are disks. With ``--out`` writes
``tables/robustness_NETWORK_table.rst``. The noise of an area is about .01, and twice that for
DECam; that of its change is smaller, as the galaxies are the same.
"""
import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from accuracy import probabilities, read_set, short
from documents import list_table, write_table
from looks import CHANGES, as_bytes, window

from astromorph import QUESTIONS, MorphFlag, MorphologyClassifier, read_cutout
from astromorph.metrics import score

WIDTH = 6.4
"""R90 of the images that are changed, where they are as wide: a frame and a half."""
COLUMNS = {"disk": ("gz2", "decals"), "edge_on": ("gz2", "decals"),
           "bar": ("efigi", "sdss24", "decals")}
"""Question -> sets with enough answers."""
HEADER = ["change", "size", "disk, gz2", "disk, Galaxy10", "edge_on, gz2", "edge_on, Galaxy10",
          "bar, efigi", "bar, sdss24", "bar, DECam", "``UNUSUAL``", "none"]


def read_images(root, name, splits, most):
    """8-bit images of a set, their pixels to R90, widths in R90 and labels (n, questions)."""
    paths, widths, labels, source = (np.concatenate(part) for part in zip(
        *(read_set(root, name, split) for split in splits)))
    labels = np.where((source[:, 0] == "galaxy10 decals")[:, None] | (name != "decals")
                      | [question.key == "bar" for question in QUESTIONS], labels, np.nan)
    chosen = np.random.default_rng(0).permutation(len(paths))[:most]
    with ThreadPoolExecutor(2) as pool:
        images, widths = zip(*pool.map(cut, paths[chosen], np.asarray(widths, float)[chosen]))
    return list(images), np.array(widths), labels[chosen]


def cut(path, width):
    """The middle of an image, `WIDTH` R90 wide or as wide as it is, and that width."""
    pixels = read_cutout(path).pixels
    side = min(pixels.shape[:2])
    if width <= WIDTH:
        return as_bytes(pixels), width
    return as_bytes(window(pixels, side * WIDTH / width)), WIDTH


def changed(image, width, change, size, seed):
    """One 8-bit image under a change."""
    pixels, r90 = image.astype(np.float32) / 255, min(image.shape[:2]) / width
    return as_bytes(change(pixels, size, r90, np.random.default_rng(seed)))


def answers(classifier, images, widths, change, size):
    """Probabilities (n, questions) and flags under a change; every image has its own noise."""
    with ThreadPoolExecutor(2) as pool:
        pictures = list(pool.map(changed, images, widths, [change] * len(images),
                                 [size] * len(images), range(len(images))))
    table = classifier.classify(pictures, cutout_r90=widths, progress=False)
    return probabilities(table), np.asarray(table["morph_flag"])


def table_rows(classifier, sets, changes):
    """Text rows: each change and size, its areas, and shares flagged and left without answer."""
    for name in changes:
        change, sizes = CHANGES[name]
        for size in sizes:
            found = {key: answers(classifier, images, widths, change, size)
                     for key, (images, widths, _) in sets.items()}
            flags = np.concatenate([flags for _, flags in found.values()])
            yield [name, str(size), *areas(found, sets),
                   *(f"{np.mean(flags & flag != 0):.0%}"
                     for flag in (MorphFlag.UNUSUAL, MorphFlag.UNCLASSIFIED))]


def areas(found, sets):
    """Area of each question in each of its sets, as text."""
    for q, question in enumerate(QUESTIONS):
        for name in COLUMNS[question.key]:
            labels = sets[name][2] if name in sets else np.empty((0, len(QUESTIONS)))
            raw = found[name][0] if name in sets else labels
            area = score(labels[:, q], raw[:, q]).auc
            yield short(area, "AUC") if np.isfinite(area) else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", nargs="+", default=["test"])
    parser.add_argument("--survey", default="sdss", help="whose bundled weights to measure")
    parser.add_argument("--network", help="of the bundled weights, by default the default one")
    parser.add_argument("--weights", type=Path, help="a weights file in place of bundled ones")
    parser.add_argument("--changes", nargs="+", default=[""], metavar="WORD",
                        help="only those with one of these words in their names")
    parser.add_argument("--most", type=int, help="galaxies of a set, chosen at random")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the table")
    args = parser.parse_args()

    classifier = (MorphologyClassifier.read(args.weights) if args.weights else
                  MorphologyClassifier.from_pretrained(args.survey, network=args.network))
    sets = {name: read_images(args.data, name, args.split, args.most)
            for name in ("gz2", "efigi", "sdss24", "decals")}
    changes = [name for name in CHANGES if any(word in name for word in args.changes)]
    rows = []
    for row in table_rows(classifier, sets, changes):
        print(" | ".join(row), flush=True)
        rows.append(row)
    if args.out:
        network = classifier.card["network"]
        lines = list_table(f"``{network}``, weights for {classifier.survey.title}", HEADER, rows)
        write_table(args.out, f"robustness_{network}_table", lines,
                    None if args.weights else [(args.survey, network)])


if __name__ == "__main__":
    main()
