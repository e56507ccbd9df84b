"""Measure how bright the training images of bundled weights are, and write it into their card.

    python training/brightness.py --data DATA --work WORK astromorph/model/sdss-*.safetensors

`MorphologyClassifier.align` carries images of other surveys there. The weights stay as they are.
"""
import argparse
from pathlib import Path

from data import read_images, read_labels

from astromorph import networks
from astromorph.model.alignment import measure_brightness
from astromorph.model.files import read_weights, write_weights


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one sub-folder a set")
    parser.add_argument("--work", type=Path, required=True, help="image arrays")
    parser.add_argument("files", type=Path, nargs="+", help="weights files, changed in place")
    args = parser.parse_args()

    for file in args.files:
        card, _ = read_weights(file)
        table = read_labels(args.data, card["training"]["sets"])
        images = read_images(table, card["size"], args.work / f"labeled{card['size']}.npy")
        frames = (networks.crop(image[None], card["size"])[0]
                  for image in images[table["split"] == "train"])
        quantiles, n_images = measure_brightness(frames)
        card, arrays = read_weights(file)  # again: other scripts may have written meanwhile
        card["brightness"] = {"quantiles": quantiles.tolist(), "n_images": n_images}
        write_weights(file, card, arrays, overwrite=True)
        print(f"{file}: brightness of {n_images} images")


if __name__ == "__main__":
    main()
