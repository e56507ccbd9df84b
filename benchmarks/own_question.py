"""Questions of one's own from 300 labels: classes of Galaxy10 DECaLS, rings and types of EFIGI.

    python benchmarks/own_question.py --data DATA --out docs

Each of the eight classes is asked for against all others, in one call of `adapt`. There are few
galaxies (519), so they are cross-validated: 300 of four fifths teach, the last fifth is tested, and
the areas are of all of them. The network of the SDSS weights has seen none of these; that of the
DECam weights was adapted, for other questions, to three quarters of them. EFIGI's ``test`` part is
tested after 300 labels of the other two parts, and after all; the networks were trained on these
images, not on these labels.
"""
import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
from accuracy import short
from documents import list_table, write_table
from astropy.table import Table, join

from astromorph import MorphologyClassifier, Question, score
from astromorph.scores import score_answers

CLASSES = {2: "round smooth", 3: "in-between smooth", 4: "cigar smooth", 5: "barred spiral",
           6: "tight spiral", 7: "loose spiral", 8: "edge-on without bulge",
           9: "edge-on with bulge"}
N, FOLDS = 300, 5
TYPE = Question("t", column="TType", kind="number", limits=(-6, 11), ucd="src.morph.type")
RING = Question("ring", positive="inner ring")


def read(data, name, columns):
    """A set's table with the paths of its images."""
    table = Table.read(data / name / "labels.csv")[["file", "split", "cutout_r90", *columns]]
    table["path"] = [str(data / name / file) for file in table["file"]]
    return table


def galaxy10(classifier, data):
    """(class, positives, area, calibration error) of each class; seconds of a call of adapt."""
    table = read(data, "decals", ["catalog", "galaxy10_class"])
    table = table[table["catalog"] == "galaxy10_decals"]
    kinds = np.array(table["galaxy10_class"], int)
    questions = [Question(f"class_{kind}", positive=name) for kind, name in CLASSES.items()]
    labels = np.stack([kinds == kind for kind in CLASSES], axis=1).astype(float)
    order = np.lexsort((np.random.default_rng(0).random(len(kinds)), kinds))
    fold_of, answers = np.argsort(order) % FOLDS, np.empty(labels.shape)
    options = {"images": "path", "cutout_r90": 8.48, "progress": False}
    for fold in range(FOLDS):
        rest = np.random.default_rng(fold).permutation(np.flatnonzero(fold_of != fold))[:N]
        start = perf_counter()
        taught = classifier.adapt(table[rest], labels[rest], questions=questions, **options)
        seconds = perf_counter() - start
        done = taught.classify(table[fold_of == fold], **options)
        answers[fold_of == fold] = np.stack([done[each.column] for each in questions], axis=1)
    scores = [score(*pair) for pair in zip(labels.T, answers.T)]
    return [(name, each.n_positive, each.auc, each.ece)
            for name, each in zip(CLASSES.values(), scores)], seconds


def efigi(classifier, data, n):
    """Scores of rings and of types, after n labels (None for all)."""
    table = join(read(data, "efigi", []), Table.read(data / "efigi/attributes.csv"), "file")
    rings = np.ma.filled(np.ma.masked_array(table["inner_ring"], dtype=float), np.nan)
    table["ring"] = np.select([rings >= 0.5, rings == 0], [1.0, 0.0], np.nan)
    rest = np.random.default_rng(0).permutation(np.flatnonzero(table["split"] != "test"))[:n]
    options = {"images": "path", "cutout_r90": "cutout_r90", "progress": False}
    questions, test = [RING, TYPE], table[table["split"] == "test"]
    start = perf_counter()
    taught = classifier.adapt(table[np.sort(rest)]["path", "cutout_r90", "ring", "t"],
                              questions=questions, **options)
    seconds = perf_counter() - start
    done = taught.classify(test, questions=questions, **options)
    labels = np.stack([test["ring"], test["t"]], axis=1)
    answers = np.stack([done[name] for name in ("P_ring", "TType", "e_TType")], axis=1)
    return score_answers(labels, answers, questions), len(rest), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network")
    args = parser.parse_args()
    rows, lines, seconds = {}, [], None
    for survey in ("sdss", "legacy"):
        classifier = MorphologyClassifier.from_pretrained(survey, network=args.network)
        found, seconds = galaxy10(classifier, args.data)
        found.append(("mean", "", *np.mean([each[2:] for each in found], axis=0)))
        for name, n, area, error in found:
            rows.setdefault((name, n), []).extend([short(area, "AUC"), short(error, "ECE")])
        print(survey, found, f"{seconds:.1f} s")
    lines += list_table(
        f"Galaxy10 DECaLS, one class against all others, from {N} labels (5-fold cross-validation)",
        ["class", "galaxies", "SDSS weights: ROC area", "ECE", "DECam weights: ROC area", "ECE"],
        [[*key, *cells] for key, cells in rows.items()])
    lines += [f"All eight were taught in one call, of {seconds:.0f} seconds.", ""]
    classifier, cells = MorphologyClassifier.from_pretrained("sdss", network=args.network), []
    for n in (N, None):
        scores, n, seconds = efigi(classifier, args.data, n)
        print(scores, f"{seconds:.1f} s")
        ring, kind = scores
        cells.append([n, short(ring["AUC"], "AUC"), short(ring["ECE"], "ECE"),
                      f"{kind['sigma']:.2f}", f"{kind['rms']:.2f}", f"{kind['bias']:.2f}",
                      short(kind["within_error"], "")])
    lines += list_table("EFIGI, tested on 503 galaxies, SDSS weights",
                        ["labels", "inner ring: ROC area", "ECE", "type: robust sigma", "rms",
                         "bias", "within the error"], cells)
    write_table(args.out, "own_question_table", lines)


if __name__ == "__main__":
    main()
