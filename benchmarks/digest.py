"""Print digests of the answers of all bundled weights: equal digests mean the same bits.

    python benchmarks/digest.py [--data DATA]

Run it before and after a change that should not move an answer, on the same machine with the same
versions of TensorFlow and NumPy. The galaxies are the simulated ones of `load_sample` and, of DATA,
50 of each set (``gz2``, ``efigi``, ``sdss24``, ``decals``), which ``labels.csv`` names.
"""
import argparse
import hashlib
from pathlib import Path

import numpy as np
from astropy.table import Table

from astromorph import MorphologyClassifier
from astromorph.datasets import load_sample
from astromorph.model.files import bundled

SETS = ("gz2", "efigi", "sdss24", "decals")


def digest(table):
    """Sum up probabilities, standard deviations and flags of a classified table."""
    columns = [name for name in table.colnames if name.startswith("P_")]
    total = hashlib.sha256()
    for name in columns:
        total.update(np.ma.filled(table[name].astype("f4"), np.nan).tobytes())
    total.update(np.asarray(table["morph_flag"], "i4").tobytes())
    return total.hexdigest()[:16]


def real_files(data):
    """Names of 50 image files of each set."""
    for name in SETS:
        files = sorted(Table.read(data / name / "labels.csv", format="csv")["file"])
        yield from (str(data / name / file) for file in files[:50])


def runs(data):
    """What to classify: name -> data and options."""
    found = {"sample": (load_sample(), {"images": "file", "r90": "petroR90"})}
    if data is not None:
        files = list(real_files(data))
        found |= {"width given": (files, {"cutout_r90": 8.48, "joint": True}),
                  "measured": (files, {"r90": "measure"}),
                  "views": (files[::4], {"cutout_r90": 8.48, "uncertainty": "views"}),
                  "dropout": (files[::4], {"cutout_r90": 8.48, "uncertainty": "dropout"})}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    for survey, network in bundled():
        clf = MorphologyClassifier.from_pretrained(survey, network=network)
        for name, (galaxies, options) in runs(args.data).items():
            table = clf.classify(galaxies, progress=False, **options)
            print(f"{survey:8} {network:10} {name:12} {digest(table)}", flush=True)


if __name__ == "__main__":
    main()
