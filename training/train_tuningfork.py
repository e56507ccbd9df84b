"""Train tuningfork on SDSS galaxies: gz2, efigi and sdss24, all three questions at once.

    python training/train_tuningfork.py --data DATA --work WORK
    python training/train_ds18.py --data DATA --work WORK
    python training/train_tuningfork.py --data DATA --work WORK --distill

First from the labels alone. Then, with ``--distill``, on from there with the unlabeled images too:
the mean of this first network's probabilities and of those of the ``ds18`` networks that it taught
are targets beside the labels.

Interrupted, it resumes from WORK. Then ``release.py`` makes the weights file.
"""
import argparse
from pathlib import Path

import keras
import numpy as np
from data import (FAST, KEYS, SDSS_SETS, all_answers, cosine, distillation_targets, labels_of,
                  read_images, read_labels, tuningfork_answers, validation)
from tuningfork import TUNINGFORK

from astromorph import networks

SIZE = TUNINGFORK.size


def ds18_answers(work, seed, table, more):
    """What the ds18 networks, as they shared their convolutions, say of all training images."""
    teacher = networks.build("ds18", KEYS, dtype=FAST, shared=True)
    teacher.load_weights(work / f"ds18-shared-{seed}" / "best.weights.h5")
    return all_answers(teacher, work / f"ds18-answers-{seed}.npy", table, more, views=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one sub-folder a set")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and image arrays")
    parser.add_argument("--distill", action="store_true", help="the second stage")
    parser.add_argument("--epochs", type=int, help="24 on labels, 12 with --distill")
    parser.add_argument("--smoothing", type=float, default=0.05, help="of labels alone")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)

    table = read_labels(args.data, SDSS_SETS)
    images = read_images(table, SIZE, args.work / f"labeled{SIZE}.npy")
    labels, split, sets = labels_of(table), table["split"], np.array(table["set"])
    train, val = split == "train", split == "val"
    validate = validation(images[val], labels[val], sets[val], SIZE)

    network = networks.build(TUNINGFORK.name, KEYS, dtype=FAST)
    images, name, epochs, rate = images[train], f"tuningfork-{args.seed}", args.epochs or 24, 2e-3
    known = np.isfinite(labels[train])
    targets = np.where(known, labels[train], 0) * (1 - args.smoothing) + args.smoothing / 2
    weights = known.astype(float)
    if args.distill:
        network.load_weights(args.work / f"{name}.weights.h5")
        name, epochs, rate = f"tuningfork-distilled-{args.seed}", args.epochs or 12, 1e-3
        more = read_labels(args.data, ["unlabeled"], "images.csv")
        images = np.concatenate([
            images, read_images(more, SIZE, args.work / f"unlabeled{SIZE}.npy")])
        answers = (tuningfork_answers(args.work, args.seed, table, more)
                   + ds18_answers(args.work, args.seed, table, more)) / 2
        targets, weights = distillation_targets(
            np.concatenate([labels[train], labels_of(more)]), answers)
    networks.fit(
        network, images, targets, weights, folder=args.work / name, validate=validate,
        augmentation=networks.Augmentation(SIZE, seed=args.seed), epochs=epochs,
        optimizer=keras.optimizers.AdamW(cosine(rate, epochs * (len(images) // 64)),
                                         weight_decay=0.02),
        seed=args.seed, best=False)
    network.save_weights(args.work / f"{name}.weights.h5")


if __name__ == "__main__":
    main()
