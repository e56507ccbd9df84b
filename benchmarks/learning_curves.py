"""How many labels adapting needs, by network, and whether `suggest` picks better ones than chance.

    python benchmarks/learning_curves.py --data DATA --work WORK --out docs

SDSS weights are adapted to DECam (``decals``, see transfer.py) on a few labeled galaxies, drawn at
random or suggested, and tested on galaxies that none of them saw. By cross-validation all galaxies
are tested, a third at a time: nothing is chosen here. All labels of a galaxy count. A question with
fewer than ten labels of either answer keeps the answers of the SDSS weights; with so few galaxies
that this is all of them, the images are aligned, if there are enough for that. A training is a file
in WORK, so that an interrupted run goes on where it was.
"""
import argparse
from itertools import product
from pathlib import Path

import numpy as np
from accuracy import short
from documents import list_table, write_picture, write_table
from transfer import PAIRS, answer, labels_of, read

from astromorph import QUESTIONS, MorphologyClassifier
from astromorph.learning.adapting import stratified_folds
from astromorph.learning.labels import find_trained
from astromorph.metrics import score
from astromorph.model.alignment import MIN_IMAGES
from astromorph.model.files import DEFAULT

PAIR = PAIRS["sdss-decals"]
WAYS = ("random", "suggested")
SPLITS = ("train", "val", "test")
FOLDS = 3


def run(network, way, n, seed, fold, data):
    """Answers to the galaxies of a fold after adapting to n of the others, 0 for all of them."""
    classifier = MorphologyClassifier.from_pretrained("sdss", network=network)
    table = read(data, (PAIR.target,), SPLITS)
    tested = stratified_folds(labels_of(table), FOLDS, 0) == fold
    rest, test = table[~tested], table[tested]
    options = {"images": "path", "survey": PAIR.survey, **PAIR.framing}
    if way == "random" or not n:
        rows = np.random.default_rng(seed).permutation(len(rest))[:n or None]
    else:
        aligned = classifier.align(rest, **options)
        rows = aligned.suggest(rest, n, seed=seed, **options)["morph_row"]
    labeled = rest[rows]
    try:
        trained = find_trained(labels_of(labeled), QUESTIONS)
    except ValueError:  # none of them
        trained = [False] * len(QUESTIONS)
    if any(trained):
        classifier = classifier.adapt(labeled, **options, seed=seed, folds=0)
    elif len(labeled) >= MIN_IMAGES:
        classifier = classifier.align(labeled, **options)
    return {"labels": labels_of(test), "answers": answer(classifier, test, PAIR.framing),
            "trained": trained}


def curves(work, networks, ways, sizes):
    """(network, way, n, draws, accuracies, areas, how often trained), means of all draws."""
    for network, way, n in product(networks, ways, sizes):
        draws = [cells for seed in range(99) if len(cells := [
            np.load(path) for path in sorted(work.glob(f"{network}_{way}_{n}_{seed}_*.npz"))
        ]) == FOLDS]
        if draws:
            scores = [[score(labels, p) for labels, p in zip(
                *(np.concatenate([cell[name] for cell in cells]).T
                  for name in ("labels", "answers")))] for cells in draws]
            yield (network, way, n, len(draws),
                   *(np.array([[getattr(one, name) for one in row] for row in scores]).mean(axis=0)
                     for name in ("accuracy", "auc")),
                   np.mean([cell["trained"] for cells in draws for cell in cells], axis=0))


def text_rows(found):
    """The same as text."""
    for network, way, n, draws, accuracies, areas, trained in found:
        yield [f"``{network}``", way, n or "all", draws, *(
            f"{short(accuracy, '')}, {short(area, 'AUC')}" + (" (kept)" if not often else "")
            for accuracy, area, often in zip(accuracies, areas, trained))]


def draw(found, total):
    """Areas against the number of labeled galaxies, a line a network and way."""
    import matplotlib.pyplot as plt

    found = list(found)
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
    for q, (question, ax) in enumerate(zip(QUESTIONS, axes)):
        for network, way in dict.fromkeys(row[:2] for row in found):
            line = [(row[2] or total, row[5][q]) for row in found if row[:2] == (network, way)]
            ax.plot(*zip(*line), marker="o", label=network + (f", {way}" * (way != "random")))
        sizes = sorted({row[2] or total for row in found})
        ax.set(title=question.positive, xscale="log",
               xlabel="labeled galaxies", ylabel="ROC area" if ax is axes[0] else None)
        ax.set_xticks(sizes, sizes)
        ax.minorticks_off()
    lowest = min(area for row in found for area in row[5])
    axes[0].set_ylim(min(0.9, lowest - 0.01), 1)
    axes[0].legend()
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--out", type=Path, required=True, help="for the table")
    parser.add_argument("--networks", nargs="+", default=[DEFAULT, "ds18"])
    parser.add_argument("--ways", nargs="+", default=["random"], choices=WAYS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[25, 50, 100, 200, 0],
                        help="numbers of galaxies, 0 for all")
    parser.add_argument("--seeds", type=int, default=3, help="random draws")
    args = parser.parse_args()

    args.work.mkdir(parents=True, exist_ok=True)
    for seed, n, network, way, fold in product(range(args.seeds), args.sizes, args.networks,
                                               args.ways, range(FOLDS)):
        path = args.work / f"{network}_{way}_{n}_{seed}_{fold}.npz"
        if not path.exists():
            np.savez(path, **run(network, way, n, seed, fold, args.data))
            print(path.stem, flush=True)
    found = list(curves(args.work, args.networks, args.ways, args.sizes))
    header = ["network", "chosen", "labeled galaxies", "draws",
              *(f"{question.key}: accuracy, ROC area" for question in QUESTIONS)]
    n = len(read(args.data, (PAIR.target,), SPLITS))
    total = n - n // FOLDS
    table = list_table(f"Adapted to some of {total} DECam galaxies, tested on the other "
                       f"{n // FOLDS}, in {FOLDS} folds", header, text_rows(found))
    weights = [("sdss", name) for name in args.networks]
    write_table(args.out, "learning_table", table, weights)
    write_picture(args.out, "learning_curves.png", draw(found, total), weights)


if __name__ == "__main__":
    main()
