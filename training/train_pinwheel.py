"""Train the default network on SDSS galaxies: gz2, efigi and sdss24, all three questions at once.

    python training/train_pinwheel.py --data DATA --work WORK
    python training/train_pinwheel.py --data DATA --work WORK --second

Targets are robust labels and, where there are none, Galaxy Zoo's vote fractions, each mixed with
what ``tuningfork`` and the bundled ``ds18`` say; on unlabeled images what those say alone. The
second stage goes on from there: the first one's answers, averaged over eight views, are then among
the teachers', and EFIGI's lengths of bars among the votes. The looks of the images (sharpness,
noise, sky, color, contrast, scale) vary at random, so that the network carries over to surveys that
it never saw.

Interrupted, it resumes from WORK. Then ``release.py`` makes the weights file.
"""
import argparse
from pathlib import Path

import keras
import numpy as np
from astropy.table import Table
from data import (KEYS, SDSS_SETS, all_answers, cosine, distillation_targets, labels_of,
                  read_images, read_labels, validation)
from safetensors.numpy import load_file
from tuningfork import TUNINGFORK, WEIGHTS

from astromorph import networks
from astromorph.model import files as weights

TEACHERS = {TUNINGFORK.name: 8, "ds18": 1}  # views to average
VOTES = ("p_features", "p_edge_on", "p_bar")


def teacher_probabilities(work, table, more, elder=None):
    """Mean answers to all training images, unlabeled ones last.

    Of the teachers, and of an earlier pinwheel whose weights are ``work / elder``.
    """
    answers = []
    files = weights.bundled() | {("sdss", TUNINGFORK.name): WEIGHTS}
    for name, views in TEACHERS.items():
        teacher = networks.build(name, KEYS)
        networks.import_weights(teacher, load_file(files["sdss", name]))
        answers.append(all_answers(teacher, work / f"answers-{name}.npy", table, more, views))
    if elder:
        teacher = networks.build("pinwheel", KEYS)
        teacher.load_weights(work / f"{elder}.weights.h5")
        answers.append(all_answers(teacher, work / f"answers-{elder}.npy", table, more))
    return np.mean(answers, axis=0)


def graded_labels(table, data, grades=True):
    """(n, 3) answers short of a robust label, NaN where there are none.

    Vote fractions of Galaxy Zoo 2; for bars also EFIGI's lengths, where a quarter of the longest
    is in doubt and half of it is a bar.
    """
    graded = np.full((len(table), 3), np.nan)
    zoo, efigi = (Table.read(data / name / "labels.csv", format="csv") for name in ("gz2", "efigi"))
    graded[table["set"] == "gz2"] = np.stack(
        [np.ma.filled(zoo[name].astype(float), np.nan) for name in VOTES], axis=1)
    if grades:
        length = np.asarray(efigi["efigi_bar_length"], float)
        graded[table["set"] == "efigi", 2] = np.where(length > 0, np.minimum(2 * length, 1), np.nan)
    return graded


def training_data(data, work, size, *, unlabeled=True, votes=True, grades=True, trust=0.5,
                  elder=None):
    """Images, targets and weights; and a validation function."""
    table = read_labels(data, SDSS_SETS)
    images = read_images(table, size, work / f"labeled{size}.npy")
    labels, split, sets = labels_of(table), table["split"], np.array(table["set"])
    train, val = split == "train", split == "val"
    validate = validation(images[val], labels[val], sets[val], size)
    more = read_labels(data, ["unlabeled"], "images.csv")
    answers = teacher_probabilities(work, table, more, elder)
    said = graded_labels(table, data, grades) if votes else np.full(labels.shape, np.nan)
    targets, tree = distillation_targets(
        np.concatenate([labels[train], labels_of(more)]), answers,
        np.concatenate([said[train], labels_of(more)]), trust)
    images = images[train]
    if unlabeled:
        images = np.concatenate([images, read_images(more, size, work / f"unlabeled{size}.npy")])
    return images, targets[:len(images)], tree[:len(images)], validate


def train(data, work, name, *, epochs, seed=1, rate=2e-3, start=None, options=None,
          augmentation=None, **targets):
    """A pinwheel, trained, from the weights ``work / start``; the log is in ``work / name``."""
    keras.utils.set_random_seed(seed)
    network = networks.build("pinwheel", KEYS, **(options or {}))
    if start:
        network.load_weights(work / f"{start}.weights.h5")
    size = network.input_shape[1]
    images, *targets, validate = training_data(data, work, size, **targets)
    look = {"zoom": (0.65, 1.4), "gamma": 0.6, "appearance": 1.0} | (augmentation or {})
    networks.fit(network, images, *targets, folder=work / name, validate=validate,
                 augmentation=networks.Augmentation(size, seed=seed, **look), epochs=epochs,
                 seed=seed, best=False,
                 optimizer=keras.optimizers.AdamW(cosine(rate, epochs * (len(images) // 64)),
                                                  weight_decay=0.02))
    network.save_weights(work / f"{name}.weights.h5")
    return network


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one sub-folder a set")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and image arrays")
    parser.add_argument("--epochs", type=int, help="30, and 24 with --second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--second", action="store_true", help="the second stage")
    args = parser.parse_args()
    name = first = f"pinwheel-{args.seed}"
    epochs, options = 30, {"grades": False}
    if args.second:
        name, epochs = f"{first}-second", 24
        options = {"start": first, "elder": first, "rate": 1e-3}
    train(args.data, args.work, name, epochs=args.epochs or epochs, seed=args.seed, **options)


if __name__ == "__main__":
    main()
