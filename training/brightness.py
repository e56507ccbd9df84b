"""Measure how bright the training images of bundled weights are, and write it into their card.

    python training/brightness.py --data DATA --work WORK astromorph/model/sdss-*.safetensors

`MorphologyClassifier.align` carries images of other surveys there. The weights stay as they are.
"""
import argparse
from pathlib import Path

from data import read_images, read_labels

from astromorph import networks
from astromorph.model import TrainedModel
from astromorph.model.alignment import measure_brightness


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one sub-folder a set")
    parser.add_argument("--work", type=Path, required=True, help="image arrays")
    parser.add_argument("files", type=Path, nargs="+", help="weights files, changed in place")
    args = parser.parse_args()

    for file in args.files:
        model = TrainedModel.read(file)
        table = read_labels(args.data, model.card.training["sets"])
        images = read_images(table, model.size, args.work / f"labeled{model.size}.npy")
        frames = (networks.crop(image[None], model.size)[0]
                  for image in images[table["split"] == "train"])
        quantiles, n_images = measure_brightness(frames)
        model = TrainedModel.read(file)  # again: other scripts may have written meanwhile
        model.replace(brightness={"quantiles": quantiles.tolist(), "n_images": n_images}).write(
            file, overwrite=True)
        print(f"{file}: brightness of {n_images} images")


if __name__ == "__main__":
    main()
