"""Put the axes of `embed` on the card of a weights file: principal components of its galaxies.

    python training/fit_embedding.py DATA astromorph/model/sdss-pinwheel.safetensors gz1 efigi

DATA is the folder that ``data.py`` describes. The training galaxies of the sets are seen through
the weights, without their labels; the file is written anew, its weights and identity as they were.
"""
import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from astromorph import MorphologyClassifier


def training_galaxies(root, names):
    """File and width of every training image of some sets."""
    tables = []
    for name in names:
        table = Table.read(root / name / "labels.csv", format="csv")
        table = table[table["split"] == "train"]
        tables.append(Table({"path": [str(root / name / file) for file in table["file"]],
                             "cutout_r90": table["cutout_r90"].astype(float)}))
    return vstack(tables)


def main():
    """Read the arguments, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--most", type=int, help="galaxies to take, drawn at random")
    args = parser.parse_args()
    galaxies = training_galaxies(args.data, args.sets)
    if args.most:
        galaxies = galaxies[np.random.default_rng(0).permutation(len(galaxies))[:args.most]]
    classifier = MorphologyClassifier.read(args.weights).fit_embedding(
        galaxies, images="path", cutout_r90="cutout_r90")
    classifier.write(args.weights, overwrite=True, model_card=False)


if __name__ == "__main__":
    main()
