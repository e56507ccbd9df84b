"""Adapt the bundled SDSS weights to DECam, on all labeled DECam galaxies.

    python training/train_legacy.py --data DATA --work WORK --network pinwheel \\
        --out astromorph/model/legacy-pinwheel.safetensors

The recipe is that of ``MorphologyClassifier.adapt``. Every galaxy is taught in two framings, the
nominal one of ``labels.csv`` and with R90 measured in the image, so that either serves later.
Calibration and the scores on the card come from a cross-validation in which a galaxy is never
trained on in any framing. The weights of several trainings, from different seeds, are averaged.
"""
import argparse
from pathlib import Path

import numpy as np
from astropy.table import vstack
from data import FRAME_R90, labels_of, read_images, read_labels
from PIL import Image
from release import CITATIONS, rounding, score_rows

import astromorph
from astromorph import QUESTIONS, MorphologyClassifier, get_survey, networks
from astromorph.images.sizes import measure_r90
from astromorph.learning.adapting import Trainer, as_bytes, stratified_folds
from astromorph.learning.reports import AdaptationReport
from astromorph.model.files import bundled

FOLDS = 3
FRAMINGS = ("measured", "nominal")


def measured_width(path):
    """Width of an image in the R90 measured in it; where that fails it is the frame."""
    pixels = np.asarray(Image.open(path).convert("RGB")) / 255
    r90 = measure_r90(pixels)
    return pixels.shape[0] / r90 if np.isfinite(r90) else FRAME_R90


def read_framings(data):
    """The table of galaxies once for each framing, one after the other."""
    nominal = read_labels(data, ["decals"])
    measured = nominal.copy()
    measured["cutout_r90"] = [measured_width(path) for path in nominal["path"]]
    return vstack([measured, nominal])


def train(trainers, rows):
    """The network of the mean weights of one training a seed, until the next training."""
    arrays = []
    for trainer in trainers:
        network = trainer.train(rows, rows[:0], f"seed {trainer.seed}")
        arrays.append(networks.export_weights(network))
    networks.import_weights(network, {name: np.mean([one[name] for one in arrays], axis=0)
                                      for name in arrays[0]})
    return network


def cross_validate(trainers, labels):
    """Raw answers to every galaxy in every framing, by networks that have not seen it."""
    n = len(labels) // len(FRAMINGS)
    fold_of = np.tile(stratified_folds(labels[:n], FOLDS, 0), len(FRAMINGS))
    raw = np.full(labels.shape, np.nan)
    for fold in range(FOLDS):
        network = train(trainers, np.flatnonzero(fold_of != fold))
        rows = np.flatnonzero(fold_of == fold)
        raw[rows] = trainers[0].answers(network, rows)[rows]
    return raw


def scores(table, labels, answers):
    """Scores of each framing, on all catalogs and on each apart."""
    rows = []
    framing = np.repeat(FRAMINGS, len(table) // len(FRAMINGS))
    for name in FRAMINGS:
        for catalog in ("", *np.unique(table["catalog"])):
            chosen = (framing == name) & ((catalog == "") | (table["catalog"] == catalog))
            rows += score_rows(f"decals, {catalog or 'all'}, {name}", labels[chosen],
                               answers[chosen])
    return [row for row in rows if 5 <= row["n_positive"] <= row["n"] - 5]


def half_precision(network, images):
    """Weights as float16, and how much that changes a probability."""
    exact = networks.run(network, images)
    arrays = {name: np.float16(array) for name, array in networks.export_weights(network).items()}
    networks.import_weights(network, arrays)
    return arrays, rounding(exact, networks.run(network, images))


def make_card(sdss, trainer, table, frames, raw, change, seeds):
    """Parts of the card; calibration and scores are from raw answers that no training saw."""
    labels, tested_by = labels_of(table), f"{FOLDS}-fold cross-validation"
    calibrations, after = trainer.calibrate(raw)
    n = len(labels) // len(FRAMINGS)
    # Twice the same galaxies would make the intervals too narrow.
    before = sdss.calibrate(sdss.raw(networks.crop(frames[:n], sdss.size)))
    report = AdaptationReport.compare(labels[:n], before, after[:n], QUESTIONS, trainer.trained,
                                      f"{tested_by}, R90 measured in each image")
    counts = {q.key: {"n": int(np.isfinite(y).sum()), "positive": int((y == 1).sum()),
                      "trained": True} for q, y in zip(QUESTIONS, labels[:n].T)}
    card = trainer.card(calibrations, report, FOLDS) | {
        "survey": get_survey("legacy"),
        "training": {
            "sets": ["decals"], "framings": list(FRAMINGS), "seeds": seeds, "labels": counts,
            "recipe": "the SDSS weights, taught by adapt's recipe, see adapted; the mean of the "
                      "weights of all seeds",
            "calibrated_on": tested_by, "float16_rounding": change,
        },
        "test": scores(table, labels, after)}
    card["more"] |= {
        "tested_by": tested_by,
        "citations": [*CITATIONS, "Dey et al. 2019, AJ 157, 168 (Legacy Surveys)",
                      "Walmsley et al. 2022, MNRAS 509, 3966 (Galaxy Zoo DECaLS)",
                      "Leung & Bovy 2019, MNRAS 483, 3255 (Galaxy10 DECaLS)"],
        "version": astromorph.__version__}
    card["adapted"] |= {"galaxies": n, "labels": counts}
    return card


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="image arrays")
    parser.add_argument("--network", required=True,
                        choices=[network for survey, network in bundled() if survey == "sdss"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, help="by default as many as adapt's recipe has")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    args = parser.parse_args()

    sdss = MorphologyClassifier.from_pretrained("sdss", network=args.network)
    table = read_framings(args.data)
    labels, size = labels_of(table), sdss.model.size
    source = sdss.align(table, images="path", cutout_r90="cutout_r90", survey="legacy").model
    frames = read_images(table, size, args.work / f"decals{size}.npy")
    images = np.stack([as_bytes(source.align(np.float32(frame) / 255)) for frame in frames])

    trainers = [Trainer(source, images, labels, "all", args.epochs, seed, None)
                for seed in args.seeds]
    raw = cross_validate(trainers, labels)
    network = train(trainers, np.arange(len(labels)))
    arrays, change = half_precision(network, networks.crop(images, size))
    card = make_card(sdss.model, trainers[-1], table, frames, raw, change, args.seeds)
    source.replace(arrays=arrays, **card).write(args.out, overwrite=True)
    for row in card["test"]:
        print(row)


if __name__ == "__main__":
    main()
