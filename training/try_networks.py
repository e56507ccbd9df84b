"""Try variants of the default network and of its training, briefly, and tabulate them.

    python training/try_networks.py --data DATA --work WORK --out docs

Each variant is trained alike for a few epochs (WORK/tried keeps what is done; a rerun goes on) and
judged on the validation part of the SDSS sets and on DECam galaxies (``decals``, parts train and
val) that it has never seen, in both framings together. The kept-out test parts are not touched.
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
from astropy.table import Table
from data import SDSS_SETS, labels_of, read_images, read_labels
from train_legacy import read_framings
from train_pinwheel import train

from astromorph import networks
from astromorph.model.calibration import fit_platt
from astromorph.metrics import score

SMALL_BLOCKS = ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1))
VARIANTS = {
    "as it is": {},
    "looks as they are": {"augmentation": {"appearance": 0.0, "gamma": 0.3, "zoom": (0.75, 1.25)}},
    "looks as they are, wide zoom and contrast": {"augmentation": {"appearance": 0.0}},
    "looks varied half as far": {"augmentation": {"appearance": 0.5, "gamma": 0.4}},
    "looks varied twice as far": {"augmentation": {"appearance": 2.0, "gamma": 0.9}},
    "labeled images only": {"unlabeled": False, "epochs": 3},
    "labels only": {"unlabeled": False, "trust": 1.0, "epochs": 3},
    "no votes, no grades": {"votes": False},
    "no grades of bars": {"grades": False},
    "taught by a first generation too": {"elder": "pinwheel-1"},
    "teachers' share of a label .25": {"trust": 0.75},
    "64 pixels": {"options": {"size": 64}},
    "96 pixels": {"options": {"size": 96}},
    "96 pixels, looks as they are": {
        "options": {"size": 96},
        "augmentation": {"appearance": 0.0, "gamma": 0.3, "zoom": (0.75, 1.25)}},
    "128 pixels": {"options": {"size": 128}},
    "32-64-64-128-128": {"options": {"blocks": SMALL_BLOCKS}},
    "32-64-128-256, down to 3 x 3": {"options": {
        "blocks": ((32, 1), (64, 2), (128, 2), (256, 2))}},
    "wider: 48-128-256": {"options": {
        "stem": (48, 8, 4), "blocks": ((48, 1), (128, 2), (256, 2))}},
    "deeper: 32-96-96-192-192": {"options": {"blocks": ((32, 1), (96, 2), (96, 1), (192, 2),
                                                        (192, 1))}},
    "stem of stride 2": {"options": {"stem": (32, 5, 2), "blocks": ((32, 2), (96, 2), (192, 2))}},
}


def rate(network):
    """Images a second, the best of a few batches."""
    pixels = np.random.default_rng(0).random((256, *network.input_shape[1:]), np.float32)
    networks.run(network, pixels)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        networks.run(network, pixels)
        seconds.append(time.perf_counter() - start)
    return len(pixels) / min(seconds)


def judge(network, data, work):
    """Scores of a trained network."""
    size = network.input_shape[1]
    table = read_labels(data, SDSS_SETS)
    table, images = (both[table["split"] == "val"] for both in (
        table, read_images(table, size, work / f"labeled{size}.npy")))
    raw, labels = networks.run(network, networks.crop(images, size)), labels_of(table)
    platt = [fit_platt(*pair) for pair in zip(labels.T, raw.T)]

    def calibrated(raw):
        return np.stack([fit(column) for fit, column in zip(platt, raw.T)], axis=1)

    answers = calibrated(raw)
    entropy = -np.log(np.where(labels == 1, answers, 1 - answers))
    entropy[np.isnan(labels)] = np.nan
    areas = {f"q{q + 1} {name}": score(labels[chosen, q], answers[chosen, q]).auc
             for name, q in (("gz2", 0), ("efigi", 2), ("sdss24", 2))
             for chosen in [table["set"] == name]}

    decals = read_framings(data)
    images = read_images(decals, size, work / f"decals{size}.npy")
    used = decals["split"] != "test"
    answers = calibrated(networks.run(network, networks.crop(images[used], size)))
    scores = [score(*pair) for pair in zip(labels_of(decals[used]).T, answers.T)]
    return {"entropy": np.nanmean(entropy, axis=0).mean(), **areas,
            "decals accuracy": [one.accuracy for one in scores],
            "decals areas": [one.auc for one in scores]}


def try_variant(name, variant, data, work, epochs):
    """Train and judge a variant, unless that is done."""
    file = work / "tried" / f"{name.replace(' ', '_').replace(':', '')}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        start = time.process_time()
        # "epochs" of a variant is a factor: fewer images, as many steps.
        network = train(data, work, f"tried/{file.stem}",
                        **variant | {"epochs": epochs * variant.get("epochs", 1)})
        result = {"seconds": time.process_time() - start, "gigaflops": networks.gigaflops(network),
                  "rate": rate(network)} | judge(network, data, work)
        file.write_text(json.dumps(result))
        print(name, result, flush=True)
    return json.loads(file.read_text())


def cells(name, result):
    """Text cells of a variant."""
    (*direct, bar), (*areas, bar_area) = result["decals accuracy"], result["decals areas"]
    return [name, f"{result['gigaflops']:.3f}", f"{result['rate']:.0f}",
            f"{result['seconds'] / 60:.0f}", f"{result['entropy']:.3f}",
            *(f"{result[key]:.3f}".removeprefix("0")
              for key in ("q1 gz2", "q3 efigi", "q3 sdss24")),
            *(f"{accuracy:.3f}, {area:.3f}" for accuracy, area
              in ((direct[0], areas[0]), (bar, bar_area)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one sub-folder a set")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and image arrays")
    parser.add_argument("--out", type=Path, required=True, help="for the table")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    args = parser.parse_args()
    header = ["variant", "GFLOP", "images/s", "minutes", "cross-entropy", "disk gz2",
              "bar efigi", "bar sdss24", "disk DECam", "bar DECam"]
    rows = [cells(name, try_variant(name, VARIANTS[name], args.data, args.work, args.epochs))
            for name in args.variants]
    (args.out / "tables").mkdir(exist_ok=True)
    Table(rows=rows, names=header).write(args.out / "tables" / "tried_table.rst",
                                         format="ascii.rst", overwrite=True)


if __name__ == "__main__":
    main()
