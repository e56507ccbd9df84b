"""Train the paper's network on SDSS galaxies, one network per question.

    python training/train_ds18.py --data DATA --work WORK --recipe paper
    python training/train_ds18.py --data DATA --work WORK --recipe distilled

``paper``: Adam, batch 30, 50 epochs, the paper's augmentation, robust labels only, balanced classes
for edge-on and bar, best validation; each network alone, from scratch.

``distilled``: the tuningfork network (train_tuningfork.py, same WORK) is the teacher. Its
probabilities on labeled and unlabeled images are targets beside the labels. First the three
questions share one convolutional part, then each network goes on alone from there.

Interrupted, either resumes from WORK.
"""
import argparse
from pathlib import Path

import keras
import numpy as np
from data import (FAST, KEYS, SDSS_SETS, cosine, distillation_targets, labels_of, read_images,
                  read_labels, tuningfork_answers, validation)

from astromorph import networks

SIZE = networks.get_architecture("ds18").size


def ds18(keys, **options):
    """The networks of some questions, untrained."""
    return networks.build("ds18", keys, dtype=FAST, **options)


def balanced(labels):
    """Weights of one question's labels that give both classes the same total."""
    positive = np.nanmean(labels)
    return np.where(labels == 1, 0.5 / positive, 0.5 / (1 - positive))


def train_paper(images, labels, val_images, val_labels, val_sets, work, seed, epochs, questions):
    """The paper's procedure, question by question."""
    for q in questions:
        known, val_known = np.isfinite(labels[:, q]), np.isfinite(val_labels[:, q])
        target = labels[known][:, [q]]
        networks.fit(
            ds18([KEYS[q]]), images[known], target,
            balanced(target) if q else np.ones_like(target),
            folder=work / f"ds18-paper-{KEYS[q]}-{seed}",
            validate=validation(val_images[val_known], val_labels[val_known][:, [q]],
                                val_sets[val_known], SIZE),
            augmentation=networks.Augmentation(SIZE, rotation=45, zoom=(0.75, 1.3), shift=0.05,
                                               gamma=0, seed=seed),
            epochs=epochs, optimizer=keras.optimizers.Adam(1e-3), batch_size=30, seed=seed)


def train_distilled(images, targets, weights, validate, work, seed, epochs):
    """All questions on one convolutional part, then each question's network alone.

    ``epochs`` are those of the two stages; ``validate`` maps the columns of the questions to a
    validation function.
    """
    augmentation = networks.Augmentation(SIZE, seed=seed)
    steps = len(images) // 64
    shared = ds18(KEYS, initializer="he_uniform", dropout=0.4, shared=True)
    networks.fit(shared, images, targets, weights, folder=work / f"ds18-shared-{seed}",
                 validate=validate(slice(None)), augmentation=augmentation, epochs=epochs[0],
                 optimizer=keras.optimizers.AdamW(cosine(1e-3, epochs[0] * steps), clipnorm=1.0),
                 seed=seed, best=False)
    start = networks.export_weights(shared)
    for q, key in enumerate(KEYS):
        alone = ds18([key], dropout=0.4)
        networks.import_weights(alone, {
            path: start[path.replace("ds18_q1/", "ds18_trunk/").replace("_q1/", f"_q{q + 1}/")]
            for path in networks.export_weights(alone)})
        used = weights[:, q] > 0.1
        networks.fit(alone, images[used], targets[used][:, [q]], weights[used][:, [q]],
                     folder=work / f"ds18-distilled-{key}-{seed}", validate=validate([q]),
                     augmentation=networks.Augmentation(SIZE, seed=seed + 1), epochs=epochs[1],
                     optimizer=keras.optimizers.AdamW(
                         cosine(3e-4, epochs[1] * (used.sum() // 64)), clipnorm=1.0),
                     seed=seed + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with one sub-folder a set")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and image arrays")
    parser.add_argument("--recipe", choices=["paper", "distilled"], default="distilled")
    parser.add_argument("--questions", nargs="+", choices=KEYS, default=KEYS,
                        help="of the paper recipe")
    parser.add_argument("--epochs", type=int, nargs="+", default=None,
                        help="paper: one number (50); distilled: one for each stage (14 2)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)

    table = read_labels(args.data, SDSS_SETS)
    images = read_images(table, SIZE, args.work / f"labeled{SIZE}.npy")
    labels, sets = labels_of(table), np.array(table["set"])
    train, val = table["split"] == "train", table["split"] == "val"
    if args.recipe == "paper":
        train_paper(images[train], labels[train], images[val], labels[val], sets[val], args.work,
                    args.seed, (args.epochs or [50])[0],
                    [KEYS.index(key) for key in args.questions])
        return

    def validate(q):
        known = np.isfinite(labels[:, q]).reshape(len(labels), -1).any(axis=1) & val
        return validation(images[known], labels[known][:, q], sets[known], SIZE)

    more = read_labels(args.data, ["unlabeled"], "images.csv")
    everything = np.concatenate([
        images[train], read_images(more, SIZE, args.work / f"unlabeled{SIZE}.npy")])
    targets, weights = distillation_targets(
        np.concatenate([labels[train], labels_of(more)]),
        tuningfork_answers(args.work, args.seed, table, more))
    train_distilled(everything, targets, weights, validate, args.work, args.seed,
                    args.epochs or (14, 2))


if __name__ == "__main__":
    main()
