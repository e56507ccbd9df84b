"""Describe the images that bundled weights were trained on, on their cards.

``domain``: the ranges that `classify` compares images with, of the training images. ``base_rates``:
the fraction of positive labels among the galaxies that the calibration was fitted to. The weights
stay as they are::

    python training/domain.py --data DATA --weights astromorph/model/sdss-tuningfork.safetensors
"""
import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from data import SDSS_SETS, read_labels
from threadpoolctl import threadpool_limits

from astromorph.model.domain import measure_domain
from astromorph.galaxies.given import GivenImages
from astromorph.images import normalize_bands
from astromorph.model.files import read_weights, write_weights


def network_pixels(table, card):
    """Yield the network pixels of each image."""
    rows = GivenImages(table, "path", cutout_r90="cutout_r90")
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(2) as pool:
        for pixels, *_ in pool.map(lambda row: rows.load(row, card["size"], card["frame_r90"]),
                                   rows):
            yield normalize_bands(pixels)


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
    card, _ = read_weights(args.weights)
    new = {"domain": measure_domain(network_pixels(train, card)),
           "base_rates": base_rates(val, card["questions"])}
    card, arrays = read_weights(args.weights)  # again: other scripts may have written meanwhile
    write_weights(args.weights, card | new, arrays, overwrite=True)
    print(new)


if __name__ == "__main__":
    main()
