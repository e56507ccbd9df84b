"""Train the default network on SDSS galaxies: gz2, efigi and sdss24, all three questions at once.

    python training/train_tuningfork.py --data DATA --work WORK

Interrupted, it resumes from WORK. Then ``release.py`` makes the weights file.
"""
import argparse
from pathlib import Path

import keras
import numpy as np
from data import SDSS_SETS, cosine, labels_of, read_images, read_labels, validation

from astromorph import networks

SIZE = 96


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with one sub-folder a set")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and image arrays")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--smoothing", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    keras.config.set_dtype_policy("mixed_bfloat16")

    table = read_labels(args.data, SDSS_SETS)
    images = read_images(table, SIZE, args.work / f"labeled{SIZE}.npy")
    labels, split, sets = labels_of(table), table["split"], np.array(table["set"])
    train, val = split == "train", split == "val"

    known = np.isfinite(labels[train])
    targets = np.where(known, labels[train], 0) * (1 - args.smoothing) + args.smoothing / 2
    network = networks.build("tuningfork")
    steps = args.epochs * (train.sum() // 64)
    networks.fit(
        network, images[train], targets, known.astype(float),
        folder=args.work / f"tuningfork-{args.seed}",
        validate=validation(images[val], labels[val], sets[val], SIZE),
        augmentation=networks.Augmentation(SIZE, seed=args.seed), epochs=args.epochs,
        optimizer=keras.optimizers.AdamW(cosine(args.rate, steps), weight_decay=0.02),
        seed=args.seed, best=False)
    network.save_weights(args.work / f"tuningfork-{args.seed}.weights.h5")


if __name__ == "__main__":
    main()
