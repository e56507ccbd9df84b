"""How many labels adapting needs, and whether `suggest` picks better ones than chance.

    python benchmarks/learning_curves.py --data DATA --work WORK --out docs

SDSS weights are adapted to DECam (``decals``, see transfer.py) on a few labeled galaxies, drawn at
random or suggested, and tested on galaxies that none of them saw. All labels of a galaxy count. A
training is a file in WORK, so that an interrupted run goes on where it was.
"""
import argparse
from pathlib import Path

import numpy as np
from accuracy import list_table
from transfer import PAIRS, answer, labels_of, read

from astromorph import QUESTIONS, MorphologyClassifier
from astromorph.metrics import score

PAIR = PAIRS["sdss-decals"]
WAYS = ("random", "suggested")


def run(network, way, n, seed, data):
    """Answers to the test galaxies after adapting to n galaxies."""
    classifier = MorphologyClassifier.from_pretrained("sdss", network=network)
    rest, test = (read(data, (PAIR.target,), splits) for splits in (("train", "val"), ("test",)))
    options = {"images": "path", "cutout_r90": PAIR.cutout_r90, "survey": PAIR.survey}
    if way == "random":
        rows = np.random.default_rng(seed).permutation(len(rest))[:n]
    else:
        aligned = classifier.align(rest, **options)
        rows = aligned.suggest(rest, n, seed=seed, **options)["morph_row"]
    adapted = classifier.adapt(rest[rows], **options, seed=seed, folds=0)
    return {"labels": labels_of(test), "answers": answer(adapted, test, PAIR.cutout_r90)}


def rows_of(work, network, sizes):
    """Text rows: a way and number of labels each, the mean of all seeds."""
    for n in sizes:
        for way in WAYS:
            cells = [np.load(path) for path in sorted(work.glob(f"{network}_{way}_{n}_*.npz"))]
            if not cells:
                continue
            scores = [[score(labels, p) for labels, p in zip(cell["labels"].T, cell["answers"].T)]
                      for cell in cells]
            yield [n, way, len(cells), *(
                f"{np.mean([one[q].accuracy for one in scores]):.3f}, "
                f"{np.mean([one[q].auc for one in scores]):.3f}" for q in range(len(QUESTIONS)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--out", type=Path, required=True, help="for the table")
    parser.add_argument("--network", default="tuningfork")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 200, 400],
                        help="with fewer than 100, often too few of either answer to adapt")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()

    args.work.mkdir(parents=True, exist_ok=True)
    for seed in range(args.seeds):
        for n in args.sizes:
            for way in WAYS:
                path = args.work / f"{args.network}_{way}_{n}_{seed}.npz"
                if not path.exists():
                    np.savez(path, **run(args.network, way, n, seed, args.data))
                    print(path.stem, flush=True)
    header = ["labeled galaxies", "chosen", "trainings",
              *(f"{question.key.upper()}: accuracy, ROC area" for question in QUESTIONS)]
    table = list_table(f"``{args.network}``", header, rows_of(args.work, args.network, args.sizes))
    (args.out / "learning_table.rst").write_text("\n".join(table))


if __name__ == "__main__":
    main()
