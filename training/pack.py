"""Pack all images to learn from, and all that is known of them, into one file.

    python training/pack.py --data DATA --out FILE

``DATA`` is the folder of the other scripts, with ``gz1``, ``decals`` and ``decals_examples`` too.
Images show the network's frame with the margin of ``data.py``. Those of ``gz1``, and ``decals`` a
second time, are framed by the R90 measured in them, where that can be trusted. ``test`` parts stay
out.
"""
import argparse
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack
from attributes import attribute_labels
from data import FRAME_R90, read_frame
from PIL import Image

from astromorph.images.sizes import trusted_r90

SIZE = 128
"""Pixels of the largest network's frame."""
MEASURED = ("gz1", "decals-measured")
QUALITY = {"unlabeled": 80, "gz1": 80}
NUMBERS = {"TType": 4.0}
"""Numbers, and what they are divided by."""
WEIGHTS = {"disk": 1.0, "edge_on": 1.0, "bar": 1.5, "bar_weak": 0.7, "bar_strong": 0.7,
           "TType": 0.3}
OTHERS = 0.25
"""Weight of everything else."""
VOTES = {  # answer -> fraction of whom were asked
    "t04_spiral_a08_spiral": "t02_edgeon_a05_no",
    "t05_bulge_prominence_a10_no_bulge": "t02_edgeon_a05_no",
    "t05_bulge_prominence_a13_dominant": "t02_edgeon_a05_no",
    "t06_odd_a14_yes": None,
    "t07_rounded_a16_completely_round": "t01_smooth_or_features_a01_smooth",
    "t07_rounded_a18_cigar_shaped": "t01_smooth_or_features_a01_smooth",
    "t08_odd_feature_a19_ring": "t06_odd_a14_yes",
    "t08_odd_feature_a21_disturbed": "t06_odd_a14_yes",
    "t08_odd_feature_a22_irregular": "t06_odd_a14_yes",
    "t08_odd_feature_a24_merger": "t06_odd_a14_yes",
    "t08_odd_feature_a38_dust_lane": "t06_odd_a14_yes",
    "t09_bulge_shape_a25_rounded": "t02_edgeon_a04_yes",
    "t10_arms_winding_a28_tight": "t04_spiral_a08_spiral",
    "t11_arms_number_a32_2": "t04_spiral_a08_spiral",
}
EFIGI = ("bulge_to_total", "arm_strength", "arm_curvature", "bar_length", "inner_ring",
         "outer_ring", "pseudo_ring", "perturbation", "visible_dust", "dust_dispersion",
         "flocculence", "hot_spots", "inclination", "contamination", "multiplicity")
ATTRIBUTES = {"S0": "S0", "TType": "TType", "bar": "bar_soft"} | {
    key: f"{key}_soft" for key in ("bulge", "cigar", "merg", "ring", "bar_strong")}
GALAXY10 = range(2, 10)


def read_images(data):
    """One row an image, DECam's twice, with all labels; without the ``test`` parts."""
    table = attribute_labels(data)
    again = table[table["set"] == "decals"]
    again["set"] = "decals-measured"
    table = vstack([table, again])
    table["file"] = [Path(path).name for path in table["path"]]
    return table[table["split"] != "test"]


def width_of(row):
    """Width of an image in R90: nominal, or measured where that is wanted and can be trusted."""
    if row["set"] in MEASURED:
        pixels = np.asarray(Image.open(row["path"]).convert("RGB")) / np.float32(255)
        r90 = trusted_r90(pixels, FRAME_R90)
        if np.isfinite(r90):
            return pixels.shape[0] / r90
    return row["cutout_r90"]


def packed(row):
    """One image, compressed."""
    file = BytesIO()
    pixels = read_frame(row["path"], width_of(row), SIZE)
    Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY.get(row["set"], 86), method=5)
    return np.frombuffer(file.getvalue(), np.uint8)


def known(table, data):
    """Name -> (targets, weights) of all that is known, NaN where nothing is."""
    n, data = len(table), Path(data)
    targets = {name: np.array(table[name], float) for name in ("disk", "edge_on", "bar")}
    weights = {name: np.ones(n) for name in targets}

    def add(name, chosen, values, weight=1.0):
        targets.setdefault(name, np.full(n, np.nan))
        weights.setdefault(name, np.zeros(n))
        chosen = chosen & np.isfinite(values) & np.isnan(targets[name])
        targets[name][chosen] = values[chosen]
        weights[name][chosen] = weight if np.ndim(weight) == 0 else weight[chosen]

    def column(file, column, sets):
        """A column of a table beside the images, for the images of some sets."""
        rows = Table.read(data / file, format="csv")
        value = dict(zip(map(str, rows["file"]), np.ma.filled(rows[column].astype(float), np.nan)))
        inside = np.isin(table["set"], sets)
        return inside, np.array([value.get(str(f), np.nan) if yes else np.nan
                                 for f, yes in zip(table["file"], inside)])

    for name, label in ATTRIBUTES.items():
        add(name, np.ones(n, bool), np.asarray(table[label]), 0.5 if name == "bar" else 1.0)
    for name in EFIGI:
        add(f"efigi_{name}", *column("efigi/attributes.csv", name, ["efigi"]))
    inside, length = column("efigi/attributes.csv", "bar_length", ["efigi"])
    face_on = inside & (targets["efigi_inclination"] <= 0.5)
    add("bar_weak", face_on & np.isfinite(length), (length >= 0.25).astype(float))
    for key, name in {"p_features": "disk", "p_edge_on": "edge_on"}.items():
        inside, votes = column("gz2/labels.csv", key, ["gz2"])
        add(name, inside, votes, 0.5)
    for name, asked in VOTES.items():
        inside, votes = column("gz2/votes_hart16.csv", f"{name}_weighted_fraction", ["gz2"])
        share = (column("gz2/votes_hart16.csv", f"{asked}_weighted_fraction", ["gz2"])[1]
                 if asked else np.ones(n))
        add(f"gz2_{name}", inside & (share > 0.3), votes)
    inside, kind = column("decals/labels.csv", "galaxy10_class", ["decals", "decals-measured"])
    for number in GALAXY10:
        add(f"galaxy10_{number}", inside & np.isfinite(kind), (kind == number).astype(float))
    return targets, weights


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--again", action="store_true",
                        help="keep the images that FILE has, and renew what is known of them")
    args = parser.parse_args()
    table = read_images(args.data)
    targets, weights = known(table, args.data)
    names = [name for name in targets if name not in NUMBERS]
    order = [*names, *NUMBERS]
    scale = np.array([NUMBERS.get(name, 1.0) for name in order])
    base = np.array([WEIGHTS.get(name, OTHERS) for name in order])
    y = np.stack([targets[name] for name in order], axis=1) / scale
    w = np.stack([weights[name] for name in order], axis=1) * base
    for name, each in zip(order, y.T):
        print(f"{name}: {np.isfinite(each).sum()} known, mean {np.nanmean(each):.3f}")
    if args.again:
        images, lengths = (np.load(args.out)[name] for name in ("images", "lengths"))
    else:
        with ThreadPoolExecutor(2) as pool:
            parts = list(pool.map(packed, table))
        images, lengths = np.concatenate(parts), [len(part) for part in parts]
    np.savez_compressed(args.out, images=images, lengths=lengths,
             names=np.array(names), numbers=np.array(list(NUMBERS)), targets=y.astype(np.float16),
             weights=w.astype(np.float16), base=base.astype(np.float32),
             set=np.array(table["set"], str), split=np.array(table["split"], str))
    print(len(lengths), "images,", len(images) / 1e6, "MB")


if __name__ == "__main__":
    main()
