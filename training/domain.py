"""Describe the images that bundled weights were trained on, on their cards.

``domain``: the ranges that `classify` compares images with, of the training images. ``base_rates``:
the fraction of positive labels among the galaxies that the calibration was fitted to. The weights
stay as they are::

    python training/domain.py --data DATA --weights astromorph/model/sdss-pinwheel.safetensors
"""
import argparse
from pathlib import Path

import numpy as np
from data import SDSS_SETS, read_labels

from astromorph.galaxies import open_source
from astromorph.images import normalize_bands
from astromorph.model import TrainedModel
from astromorph.model.domain import measure_domain
from astromorph.running import read_frames


def network_pixels(model, table):
    """Yield the network pixels of each image."""
    source = open_source(model, table, images="path", cutout_r90="cutout_r90")
    for frame in read_frames(source, size=model.size, frame_r90=model.frame_r90):
        yield normalize_bands(frame)


def base_rates(table, keys):
    """Question -> fraction of positive labels."""
    return {key: round(float(np.nanmean(table[key])), 4) for key in keys}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    args = parser.parse_args()

    table = read_labels(args.data, SDSS_SETS)
    train, val = (table[table["split"] == split] for split in ("train", "val"))
    model = TrainedModel.read(args.weights)
    new = {"domain": measure_domain(network_pixels(model, train)),
           "base_rates": base_rates(val, model.card.keys)}
    model = TrainedModel.read(args.weights)  # again: other scripts may have written meanwhile
    model.replace(**new).write(args.weights, overwrite=True)
    print(new)


if __name__ == "__main__":
    main()
