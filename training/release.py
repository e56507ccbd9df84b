"""Make a weights file of a trained network: calibrate on ``val``, score on ``test``, write card.

The paper's recipe is not calibrated.

    python training/release.py --data DATA --work WORK --network pinwheel \\
        --out astromorph/model/sdss-pinwheel.safetensors
"""
import argparse
from datetime import date
from pathlib import Path

import numpy as np
from data import FRAME_R90, KEYS, SDSS_SETS, labels_of, read_labels

import astromorph
from astromorph import get_survey, networks
from astromorph.galaxies import open_source
from astromorph.model import TrainedModel
from astromorph.model.calibration import PlattScaling, fit_platt
from astromorph.questions import QUESTIONS
from astromorph.running import classify, probabilities

CITATIONS = [
    "Dominguez Sanchez et al. 2019, MNRAS 484, 93",
    "Dominguez Sanchez et al. 2018, MNRAS 476, 3661",
    "Abazajian et al. 2009, ApJS 182, 543 (SDSS DR7)", "Willett et al. 2013, MNRAS 435, 2835",
    "Hart et al. 2016, MNRAS 461, 3663", "Baillard et al. 2011, A&A 532, A74",
    "Nair & Abraham 2010, ApJS 186, 427"]
RECIPES = {
    "pinwheel": "all questions at once; targets are robust labels, else Galaxy Zoo vote fractions "
                "and (second stage) EFIGI's lengths of bars, each mixed half and half with the "
                "mean probabilities of tuningfork and the bundled ds18, on unlabeled SDSS images "
                "these alone; AdamW, cosine, 30 epochs; then 24 more at half the rate, with its "
                "own probabilities over eight views in that mean; turns, flips, zoom 0.65-1.4, "
                "contrast, and random sharpness, noise, sky and saturation",
    "tuningfork": "all questions at once from robust labels (masked loss, label smoothing 0.05), "
                  "24 epochs; then 12 more with unlabeled SDSS images, the mean of its own and "
                  "ds18's probabilities as targets beside the labels; AdamW, cosine; rotations, "
                  "flips, zoom 0.75-1.25, contrast",
    "ds18": "tuningfork's probabilities on labeled and unlabeled SDSS images as targets beside the "
            "robust labels; first one convolutional part for all questions, then each network "
            "alone; dropout rates 0.4 of the paper's while training; best validation",
    "ds18-paper": "the paper's: robust labels, Adam 1e-3, batch 30, rotation 45 degrees, shifts "
                  "5%, flips, zoom 0.75-1.3, balanced classes for Q2 and Q3, best validation",
}


def trained_arrays(network, recipe, work, seed):
    """The weights that the training scripts left in the work folder."""
    names = {"tuningfork": f"tuningfork-distilled-{seed}", "pinwheel": f"pinwheel-{seed}-second"}
    if network in names:
        model = networks.build(network, KEYS)
        model.load_weights(work / f"{names[network]}.weights.h5")
        return networks.export_weights(model)
    arrays = {}
    for number, key in enumerate(KEYS, 1):
        model = networks.build("ds18", [key])
        model.load_weights(work / f"ds18-{recipe}-{key}-{seed}" / "best.weights.h5")
        arrays |= {path.replace("_q1/", f"_q{number}/"): array
                   for path, array in networks.export_weights(model).items()}
    return arrays


def answer(model, table, **options):
    """(n, questions) probabilities, as `classify` gives them."""
    source = open_source(model, table, images="path", cutout_r90="cutout_r90")
    return probabilities(classify(model, source, **options), model.questions)


def rounding(exact, rounded):
    """How much half precision changes a probability, at most; too much ends the script."""
    change = float(np.abs(exact - rounded).max())
    if change > 2e-3:
        raise SystemExit(f"float16 changes a probability by {change:.1e}; store float32")
    return change


def calibrated(model, table):
    """The model with a calibration fitted to a table that training never saw."""
    raw, labels = answer(model, table), labels_of(table)
    return model.replace(calibration={key: fit_platt(labels[:, i], raw[:, i])
                                      for i, key in enumerate(KEYS)})


def score_rows(name, labels, answers):
    """TPR, precision, accuracy, area and calibration error of each question, for the card."""
    table = astromorph.score_table(labels, answers, QUESTIONS, intervals=False)
    return [{"set": name} | {key: round(value, 4) if isinstance(value, float) else value
                             for key, value in zip(row.colnames, (x.item() for x in row.values()))}
            for row in table]


def scores(model, table):
    """Scores on each set and on all of them."""
    raw, labels = answer(model, table), labels_of(table)
    rows = []
    for name in (*SDSS_SETS, "all"):
        chosen = np.array(table["set"] == name) | (name == "all")
        rows += score_rows(name, labels[chosen], raw[chosen])
    return [row for row in rows if row["n_positive"] and row["n_positive"] < row["n"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--network", choices=sorted(networks.ARCHITECTURES), required=True)
    parser.add_argument("--recipe", choices=["distilled", "paper"], default="distilled",
                        help="of ds18, as given to train_ds18.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    name = args.network + ("-paper" if args.recipe == "paper" else "")
    table = read_labels(args.data, SDSS_SETS)
    arrays = trained_arrays(args.network, args.recipe, args.work, args.seed)
    exact = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    arrays = {name: np.asarray(array, np.float16) for name, array in arrays.items()}
    train, val, test = (table[table["split"] == split] for split in ("train", "val", "test"))
    parts = {
        "network": args.network, "survey": get_survey("sdss"), "questions": QUESTIONS,
        "size": networks.get_architecture(args.network).size, "frame_r90": FRAME_R90,
        "calibration": {key: PlattScaling.identity() for key in KEYS}}
    model = TrainedModel.make(arrays, **parts)
    change = rounding(answer(TrainedModel.make(exact, **parts), val), answer(model, val))
    if args.recipe != "paper":  # which takes the network's output as it is
        model = calibrated(model, val)
    low, full = (answer(model, val, precision=precision) for precision in ("bfloat16", "float32"))
    model = model.replace(
        bfloat16_change=round(float(np.abs(low - full).max()), 5),
        training={
            "sets": list(SDSS_SETS), "recipe": RECIPES[name], "seed": args.seed,
            "labels": {key: {"train": int(np.isfinite(train[key]).sum()),
                             "positive": int((train[key] == 1).sum())} for key in KEYS},
            "calibrated_on": None if args.recipe == "paper" else f"val, {len(val)} images",
            "float16_rounding": change},
        test=scores(model, test),
        more={"stretch": "sdss", "license": "BSD-3-Clause", "citations": CITATIONS,
              "made": date.today().isoformat(), "version": astromorph.__version__})
    model.write(args.out, overwrite=True)
    for row in model.card.test:
        print(row)


if __name__ == "__main__":
    main()
