"""How good the further columns are: T-type, and the yes/no questions beside the usual three.

    python benchmarks/catalog_columns.py --data DATA [--network NAME | --weights FILE] [--out docs]
                                         [--split val]

DATA is the folder that ``training/attributes.py`` describes; its labels are the truth here. The
images are classified through the public API with all questions that the weights answer, each
column of the catalog that they have is scored. With ``--out`` writes
``tables/catalog_NETWORK_table.rst``. A column may be released if it ``passes`` on the set with
the most labels: a robust scatter of T-types of 1.3 and a bias of .1, an area of .93 for S0, and
of .95, with a calibration error of .04, for the others.
"""
import argparse
from pathlib import Path

import numpy as np
from accuracy import least_ece, short, with_interval
from documents import list_table, write_table
from bars import attribute_labels, classify_all

from astromorph import MorphologyClassifier, Question
from astromorph.metrics import score_table

COLUMNS = ("S0", "bulge", "cigar", "merg", "ring", "bar_strong")
LEAST_AREA = {"S0": 0.93}
AREA, ECE, SCATTER, BIAS = 0.95, 0.04, 1.3, 0.1
ENOUGH = 5
"""Galaxies of either answer that a sample needs."""
HEADER = ["column", "galaxies", "positive", "ROC area", "ECE", "if perfect", "passes"]
NUMBER_HEADER = ["column", "galaxies", "number", "robust scatter", "bias", "rms",
                 "within one standard deviation", "passes"]


def samples(galaxies, key):
    """Names and chosen rows: the sets, largest first; disks alone; strong bars against none."""
    label = np.array(galaxies[key])
    sets = [galaxies["set"] == name for name in dict.fromkeys(galaxies["set"])]
    sets.sort(key=lambda chosen: -np.isfinite(label[chosen]).sum())
    for chosen in sets:
        name = galaxies["set"][chosen][0]
        yield name, chosen
        disks = chosen & (galaxies["disk"] == 1) & (galaxies["edge_on"] == 0)
        if key == "ring" and disks.any():
            yield f"{name}, disks that are not edge-on", disks
        if key == "bar_strong" and disks.any():
            none = disks & ((label == 1) | (galaxies["bar_length"] == 0))
            yield f"{name}, disks that are not edge-on, against none", none


def yes_no_rows(galaxies, found):
    """Text rows of each yes/no column that there is."""
    for key in COLUMNS:
        for name, chosen in samples(galaxies, key) if f"P_{key}" in found else ():
            known = chosen & np.isfinite(galaxies[key]) & np.isfinite(found[f"P_{key}"])
            label, raw = (np.array(column)[known] for column in (galaxies[key], found[f"P_{key}"]))
            if ENOUGH <= label.sum() <= label.size - ENOUGH:
                yield yes_no_row(key, name, label, raw)


def yes_no_row(key, name, label, raw):
    """Area, calibration and verdict of one sample."""
    (row,) = score_table(label[:, None], raw[:, None], [Question(key)])
    passes = row["AUC"] >= LEAST_AREA.get(key, AREA) and (key in LEAST_AREA or row["ECE"] <= ECE)
    return [f"``P_{key}``", name, f"{row['n_positive']}/{row['n']}", with_interval(row, "AUC"),
            short(row["ECE"], "ECE"), short(least_ece(raw), "ECE"), "yes" if passes else "no"]


def number_rows(galaxies, found):
    """Text rows of T-types: all, and by stage."""
    stages = {"efigi": (-6, 10), "efigi, -6 to -1": (-6, -1), "efigi, 0 to 4": (0, 4),
              "efigi, 5 to 10": (5, 10)}
    label = np.array(galaxies["TType"])
    for name, (low, high) in stages.items() if "TType" in found else ():
        known = (label >= low) & (label <= high) & np.isfinite(found["TType"])
        if known.any():
            yield number_row(name, (found["TType"] - label)[known],
                             found.get("e_TType", np.full(label.shape, np.nan))[known])


def number_row(name, error, deviation):
    """Scatter (1.4826 times the median absolute deviation), bias (median) and verdict."""
    bias = np.median(error)
    scatter = 1.4826 * np.median(np.abs(error - bias))
    passes = scatter <= SCATTER and abs(bias) <= BIAS
    within = np.mean(np.abs(error) <= deviation) if np.isfinite(deviation).all() else np.nan
    return ["``TType``", name, str(error.size), f"{scatter:.2f}", f"{bias:+.2f}",
            f"{np.sqrt(np.mean(error**2)):.2f}", f"{within:.0%}" if within >= 0 else "",
            "yes" if passes else "no"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", nargs="+", default=["test"])
    parser.add_argument("--survey", default="sdss", help="whose bundled weights to measure")
    parser.add_argument("--network", help="of the bundled weights, by default the default one")
    parser.add_argument("--weights", type=Path, help="a weights file in place of bundled ones")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the table")
    args = parser.parse_args()

    classifier = (MorphologyClassifier.read(args.weights) if args.weights else
                  MorphologyClassifier.from_pretrained(args.survey, network=args.network))
    galaxies = attribute_labels(args.data)
    galaxies = galaxies[np.isin(galaxies["split"], args.split)]
    table = classify_all(classifier, galaxies)
    found = {name: np.ma.filled(np.ma.asarray(table[name], float), np.nan)
             for name in table.colnames if name.startswith("P_") or name in ("TType", "e_TType")}
    rows = [list(number_rows(galaxies, found)), list(yes_no_rows(galaxies, found))]
    print(*map(" | ".join, sum(rows, [])), sep="\n")
    if args.out:
        network = classifier.card["network"]
        lines = sum((list_table(f"``{network}``", header, some) for header, some in
                     zip((NUMBER_HEADER, HEADER), rows) if some), [])
        write_table(args.out, f"catalog_{network}_table", lines)


if __name__ == "__main__":
    main()
