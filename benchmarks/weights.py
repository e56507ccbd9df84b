"""Write the tables of docs/which_weights.rst: what the cards say, and thresholds for a purpose.

    python benchmarks/weights.py docs [--data DATA]

Without DATA only the tables of the cards. A threshold is the lowest of .05, .10 and so on to .95
that reaches a purity, or the highest that reaches a completeness, on the galaxies for validation;
the table has what it gives on those for tests. DATA is the folder that ``accuracy.py`` describes.
"""
import argparse
from pathlib import Path

import numpy as np
from accuracy import SETS, probabilities, read_set, short, with_interval
from documents import list_table, write_table

from astromorph import QUESTIONS, MorphologyClassifier
from astromorph.metrics import score, score_table
from astromorph.model import TrainedModel
from astromorph.model.files import bundled

SURVEYS = ("sdss", "legacy")
NETWORKS = ("pinwheel", "whirlpool", "ds18")
TOGETHER = {"sdss": "all", "legacy": "decals"}
"""How the scores of all test galaxies of a survey begin on a card."""
GOALS = [(kind, least) for kind in ("purity", "completeness") for least in (0.9, 0.95)]
GRID = np.arange(5, 100, 5) / 100


def cards():
    """(survey, network), file and card of the bundled weights."""
    files = bundled()
    for key in ((survey, network) for survey in SURVEYS for network in NETWORKS):
        yield key, files[key], TrainedModel.read(files[key]).card


def file_rows():
    """Text rows: each file, its checksum, and the labels that it was taught."""
    for (survey, network), path, card in cards():
        labels = card.training["labels"]
        yield [f"``{survey}``", f"``{network}``", f"{card.size}",
               f"{path.stat().st_size / 1e6:.1f}", f"``{card.sha256[:16]}``",
               *(f"{labels[key].get('train', labels[key].get('n')):,}" for key in card.keys)]


def score_rows():
    """Text rows: scores at a threshold of .5 of all test galaxies, as the cards have them."""
    for (survey, network), _, card in cards():
        first = next(row["set"] for row in card.test if row["set"].startswith(TOGETHER[survey]))
        for row in card.test:
            if row["set"] == first:
                yield [f"``{survey}``", f"``{network}``", f"``{row['question']}``",
                       f"{row['n_positive']:,}/{row['n']:,}",
                       *(short(row[name], name) for name in ("TPR", "precision", "accuracy", "AUC",
                                                             "ECE"))]


def read_answers(classifier, data, split):
    """Labels and probabilities of the galaxies of all sets."""
    parts = []
    for name in SETS:
        paths, widths, labels, _ = read_set(data, name, split)
        table = classifier.classify(paths, cutout_r90=widths, progress=False)
        parts.append((labels, probabilities(table)))
    return [np.concatenate(part) for part in zip(*parts)]


def choose(labels, raw, kind, least):
    """The threshold that reaches a purity or a completeness; None if there is none."""
    scores = [score(labels, raw, threshold=threshold) for threshold in GRID]
    if kind == "purity":
        return next((t for t, one in zip(GRID, scores) if one.precision >= least), None)
    return next((t for t, one in zip(GRID[::-1], scores[::-1]) if one.tpr >= least), None)


def threshold_rows(validation, test):
    """Text rows: question, goal, threshold, and what it gives on the test galaxies."""
    for q, question in enumerate(QUESTIONS):
        for kind, least in GOALS:
            threshold = choose(validation[0][:, q], validation[1][:, q], kind, least)
            if threshold is None:
                continue
            (row,) = score_table(test[0][:, [q]], test[1][:, [q]], [question],
                                 threshold=float(threshold))
            yield [f"``{question.key}``", f"{kind} {short(least, '')}", short(threshold, ""),
                   with_interval(row, "precision"), with_interval(row, "TPR")]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the documentation")
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    for name, lines in card_tables().items():
        write_table(args.out, name, lines)
    if args.data:
        for network in NETWORKS:
            classifier = MorphologyClassifier.from_pretrained("sdss", network=network)
            rows = threshold_rows(*(read_answers(classifier, args.data, split)
                                    for split in ("val", "test")))
            lines = list_table(f"SDSS weights of ``{network}``", [
                "question", "wanted", "threshold", "purity", "completeness"], rows)
            write_table(args.out, f"thresholds_{network}_table", lines, [("sdss", network)])


def card_tables():
    """Name -> lines, of the tables that the cards fill."""
    return {
        "weights_files_table": list_table("Bundled weights files", [
            "survey", "network", "pixels", "MB", "SHA-256 begins",
            *(f"labels, ``{question.key}``" for question in QUESTIONS)], file_rows()),
        "weights_scores_table": list_table("Threshold 0.5, galaxies for tests", [
            "survey", "network", "question", "positive", "completeness", "purity", "accuracy",
            "ROC area", "ECE"], score_rows())}


if __name__ == "__main__":
    main()
