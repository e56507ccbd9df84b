"""How accurate the bundled weights are on labeled galaxies that no training saw.

    python benchmarks/accuracy.py --data DATA --out docs [--weights NAME=FILE ...]
                                  [--pictures DIR]

DATA has one sub-folder a set, each with images and a ``labels.csv`` (columns ``file``, ``q1``,
``q2``, ``q3``, ``split``, ``cutout_r90``). Everything goes through the public API. Writes
``tables/accuracy_NAME_table.rst``, ``..._failures.rst`` and ``..._bars.rst`` (bars by their
strength, see ``bars.py``) of each network, and the figures
``_static/roc.png``, ``_static/reliability.png`` and ``_static/failures.png``. With ``--pictures``
also mosaics of the galaxies with wrong answers, into a folder of your own: images of surveys are
theirs.
"""
import argparse
from pathlib import Path

import numpy as np
from astropy.table import MaskedColumn, Table
from bars import bar_samples
from documents import list_table, note_weights, write_picture, write_table
from failures import HEADER, draw_failures, failure_rows, write_pictures

from astromorph import QUESTIONS, MorphologyClassifier
from astromorph.metrics import score, score_table, valid_pairs
from astromorph.model.files import DEFAULT, bundled
from astromorph.plots import plot_reliability, plot_roc

SETS = ("gz2", "efigi", "sdss24")
# The columns of DATA with the labels of disk, edge_on and bar.
LABELS = ("q1", "q2", "q3")
SCORES = ("TPR", "precision", "accuracy", "AUC")
BAR_HEADER = ["galaxies", "positive", "ROC area", "accuracy", "ECE", "if perfect"]


def read_set(root, name, split):
    """Paths, widths in R90, labels (n, 3), and (catalog, kind of label), of one split."""
    table = Table.read(root / name / "labels.csv", format="csv")
    table = table[table["split"] == split]
    labels = np.stack([MaskedColumn(table[name], dtype=float).filled(np.nan)
                       if name in table.colnames else np.full(len(table), np.nan)
                       for name in LABELS], axis=1)
    source = np.stack([[str(name).replace("_", " ") for name in table[key]]
                       if key in table.colnames else [""] * len(table)
                       for key in ("catalog", "label_source")], axis=1)
    return [root / name / file for file in table["file"]], table["cutout_r90"], labels, source


def samples(answers):
    """Name, labels, probabilities: each set, its catalogs and kinds of labels, all together."""
    for name, (labels, raw, (catalog, kind)) in answers.items():
        for one in np.unique(kind[kind != ""]):
            chosen = kind == one
            for part in np.unique(catalog[chosen]):
                both = chosen & (catalog == part)
                if both.sum() < chosen.sum():
                    yield f"{name}, {part} {one}", labels[both], raw[both]
            yield f"{name}, {one}", labels[chosen], raw[chosen]
        yield name, labels, raw
    yield ("gz2 + efigi + sdss24", *(np.concatenate([answers[name][i] for name in SETS])
                                     for i in range(2)))


def with_interval(row, score):
    """A score and its 68% interval, as text."""
    if not np.isfinite(row[score]):
        return "undefined"
    value, low, high = (short(row[score + end], score) for end in ("", "_low", "_high"))
    return f"{value} ({low}\N{NON-BREAKING HYPHEN}{high})"


def short(value, score):
    """A score as text without its leading zero."""
    return f"{value:.{3 if score in ('AUC', 'ECE') else 2}f}".removeprefix("0")


def least_ece(raw, draws=200):
    """The mean ECE of probabilities if they were perfect, for so few galaxies."""
    rng = np.random.default_rng(0)
    return np.mean([score(rng.random(raw.size) < raw, raw).ece for _ in range(draws)])


def probabilities(table):
    """(n, questions) of a table that `classify` made."""
    return np.stack([np.ma.filled(table[q.column], np.nan) for q in QUESTIONS], axis=1)


def table_rows(answers):
    """Text rows of one network's table, of samples with at least five galaxies of either answer."""
    for name, labels, raw in samples(answers):
        for row, *pair in zip(score_table(labels, raw, QUESTIONS), labels.T, raw.T):
            if 5 <= row["n_positive"] <= row["n"] - 5:
                yield [name, row["question"], f"{row['n_positive']}/{row['n']}",
                       *(with_interval(row, name) for name in SCORES), short(row["ECE"], "ECE"),
                       short(least_ece(valid_pairs(*pair)[1]), "ECE")]


def bar_rows(strata):
    """Text rows of bars by strength: accuracy at .5, area, and calibration beside the best."""
    question = QUESTIONS[-1]
    for name, labels, raw in strata:
        (row,) = score_table(labels[:, None], raw[:, None], [question])
        yield [name, f"{row['n_positive']}/{row['n']}",
               *(with_interval(row, name) for name in ("AUC", "accuracy")),
               short(row["ECE"], "ECE"), short(least_ece(valid_pairs(labels, raw)[1]), "ECE")]


def write_tables(results, out, bars=None, survey="sdss"):
    """RST list tables of each network's scores, failures and bars, in files of their own."""
    header = ["galaxies", "question", "positive", "TPR", "precision", "accuracy", "ROC area", "ECE",
              "if perfect"]
    for network, answers in results.items():
        name = "-".join(network.replace(",", "").split())
        for kind, *table in (("table", header, table_rows(answers)),
                             ("failures", HEADER, failure_rows(answers)),
                             ("bars", BAR_HEADER, bar_rows((bars or {}).get(network, ())))):
            lines = list_table(f"``{network}``", *table)
            write_table(out, f"accuracy_{name}_{kind}", lines,
                        [(survey, network)] if (survey, network) in bundled() else None)


def draw(results, out, survey):
    """ROC curves, the default network's reliability, on all sets together, and its failures."""
    import matplotlib.pyplot as plt

    together = {network: list(samples(answers))[-1] for network, answers in results.items()}
    figures = [plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained") for _ in range(2)]
    for q, question in enumerate(QUESTIONS):
        roc, reliability = (axes[q] for _, axes in figures)
        for network, (_, labels, raw) in together.items():
            plot_roc(labels[:, q], raw[:, q], label=network, ax=roc)
        roc.set_title(question.positive)
        _, labels, raw = together[DEFAULT]
        plot_reliability(labels[:, q], raw[:, q], label=question.positive, ax=reliability)
    default = [(survey, DEFAULT)]
    write_picture(out, "roc.png", figures[0][0],
                  {(survey, name) for name in results} & bundled().keys())
    write_picture(out, "reliability.png", figures[1][0], default)
    draw_failures(results[DEFAULT], out / "_static" / "failures.png")
    note_weights(out, "failures.png", default)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--survey", default="sdss", help="whose bundled weights to measure")
    parser.add_argument("--weights", nargs="*", default=[], metavar="NAME=FILE",
                        help="more weights files for the table, beside the bundled ones")
    parser.add_argument("--pictures", type=Path, metavar="DIR",
                        help="folder for mosaics of the galaxies with wrong answers")
    args = parser.parse_args()

    weights = {network: path for (survey, network), path in sorted(bundled().items(), reverse=True)
               if survey == args.survey} | dict(item.split("=", 1) for item in args.weights)
    results, bars = {}, {}
    for network, path in weights.items():
        classifier = MorphologyClassifier.read(path)
        answers, paths = {}, {}
        for name in SETS:
            paths[name], widths, labels, source = read_set(args.data, name, args.split)
            table = classifier.classify(paths[name], cutout_r90=widths)
            answers[name] = labels, probabilities(table), source.T
        results[network] = answers
        bars[network] = list(bar_samples(classifier, args.data, args.split))
        if args.pictures:
            write_pictures(network, answers, paths, args.pictures)
        print(network, *map(" | ".join, table_rows(answers)),
              *map(" | ".join, bar_rows(bars[network])), sep="\n")
    write_tables(results, args.out, bars, args.survey)
    draw(results, args.out, args.survey)


if __name__ == "__main__":
    main()
