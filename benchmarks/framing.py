"""What the frame of images costs: with the width given, measured, as given, and by default.

    python benchmarks/framing.py --data DATA [--split val] [--out docs] [--network NAME]

DATA has one sub-folder a set, each with images and a ``labels.csv`` (columns ``file``, ``q1``,
``q2``, ``q3``, ``split``, ``cutout_r90``, and ``catalog`` for parts of a set). Everything goes
through the public API. For each set and question it prints the number of galaxies, the area under
the ROC curve with each frame, and the share of rows that the default measured and framed as given.
"Measured" is `measure_r90` for every image for which it gives a number, trusted or not. With
``--out`` writes ``tables/framing_table.rst``.
"""
import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from accuracy import probabilities, read_set, short
from documents import list_table, write_table

from astromorph import QUESTIONS, MorphFlag, MorphologyClassifier, measure_r90, read_cutout
from astromorph.metrics import score

WEIGHTS = {"gz2": "sdss", "efigi": "sdss", "sdss24": "sdss", "gz1": "sdss", "decals": "legacy",
           "decals_examples": "legacy"}
"""Whose bundled weights classify each set."""
ENOUGH = 10
"""Galaxies of either answer that a question needs."""
HEADER = ["galaxies", "question", "positive", "width given", "measured", "as given", "default",
          "default less best", "size measured", "no size"]


def measured_width(path):
    """Width of an image in R90 as measured, NaN where it cannot be."""
    pixels = read_cutout(path).pixels
    return min(pixels.shape[:2]) / measure_r90(pixels)


def answers(classifier, paths, given):
    """Probabilities (n, questions) by frame, and the flags of the default."""
    with ThreadPoolExecutor() as pool:
        measured = np.array(list(pool.map(measured_width, paths)))
    widths = {"given": given, "measured": np.where(np.isfinite(measured), measured,
                                                   classifier.frame_r90),
              "as given": classifier.frame_r90}
    tables = {name: classifier.classify(paths, cutout_r90=width)
              for name, width in widths.items()}
    tables["default"] = classifier.classify(paths)
    flags = np.asarray(tables["default"]["morph_flag"])
    return {name: probabilities(table) for name, table in tables.items()}, flags


def rows(name, labels, raw, flags):
    """Text rows of one set or part of it."""
    shares = [f"{np.mean(flags & flag != 0):.0%}" for flag in (MorphFlag.MEASURED_SIZE,
                                                              MorphFlag.NO_SIZE)]
    for q, question in enumerate(QUESTIONS):
        known = np.isfinite(labels[:, q])
        positive = int(labels[known, q].sum())
        if ENOUGH <= positive <= known.sum() - ENOUGH:
            areas = [score(labels[known, q], each[known, q]).auc for each in raw.values()]
            given, measured, _, default = areas
            yield [name, question.key, f"{positive}/{known.sum()}",
                   *(short(area, "AUC") for area in areas),
                   f"{default - max(given, measured):+.3f}", *shares]


def parts(name, catalog):
    """Names and rows of the set and, where there are several, of its catalogs."""
    yield name, np.ones(len(catalog), bool)
    several = np.unique(catalog)
    for part in several if len(several) > 1 else ():
        yield f"{name}, {part}", catalog == part


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", nargs="+", default=["test"])
    parser.add_argument("--sets", nargs="+", default=list(WEIGHTS))
    parser.add_argument("--network", help="of the bundled weights, by default the default one")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of framing_table.rst")
    args = parser.parse_args()

    found = []
    for name in args.sets:
        classifier = MorphologyClassifier.from_pretrained(WEIGHTS[name], network=args.network)
        paths, widths, labels, source = (
            np.concatenate(part) for part in zip(*(read_set(args.data, name, split)
                                                   for split in args.split)))
        if not len(paths):
            continue
        raw, flags = answers(classifier, list(paths), np.array(widths, float))
        for part, chosen in parts(name, source[:, 0]):
            for row in rows(part, labels[chosen], {key: each[chosen] for key, each in raw.items()},
                            flags[chosen]):
                print(" | ".join(row), flush=True)
                found.append(row)
    if args.out:
        lines = list_table("Area under the ROC curve, by the frame of the images", HEADER, found)
        write_table(args.out, "framing_table", lines)


if __name__ == "__main__":
    main()
