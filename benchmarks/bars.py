"""Bars by their strength, of disks that are not edge-on: EFIGI's lengths, and MaNGA's by position.

The labels are those that ``training/attributes.py`` reads.
"""
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "training"))

from attributes import attribute_labels

STRATA = {"strong bars (length .75 and 1)": (0.75, 1), "bars (.5 and more)": (0.5, 1),
          "weak bars (.25)": (0.25, 0.25)}
"""Lengths that count as bars, each against none at all (0)."""
BARS = ("P_bar", "P_bar_strong")


def bar_samples(classifier, data, split="test"):
    """Name, labels (n,) and probabilities (n,) of each stratum, of those that DATA has."""
    table = attribute_labels(data)
    disks = ((table["split"] == split) & (table["disk"] == 1) & (table["edge_on"] == 0)
             & np.isfinite(table["bar_length"]))
    if disks.any():
        yield from strata(answers(classifier, table[disks]), np.array(table["bar_length"][disks]))
    manga = np.isfinite(table["bar_manga"]) & np.isin(table["split"], (split, "unlabeled"))
    if manga.any():
        bars, found = np.array(table["bar_manga"][manga]), answers(classifier, table[manga])
        chosen = (found["P_edge_on"] < 0.5) & ((bars == 0) | (bars >= 0.75))
        yield "MaNGA, bars (.75 and 1)", (bars > 0)[chosen].astype(float), found["P_bar"][chosen]


def answers(classifier, galaxies):
    """Column -> probabilities, NaN where there are none; with the other questions if it has any."""
    table = classify_all(classifier, galaxies)
    return {name: np.ma.filled(table[name], np.nan) for name in ("P_edge_on", *BARS)
            if name in table.colnames}


def classify_all(classifier, galaxies):
    """What `classify` gives of the images of some rows, all questions that the weights answer."""
    everything = {"questions": "all"} if getattr(classifier.model, "heads", ()) else {}
    return classifier.classify([Path(path) for path in galaxies["path"]], progress=False,
                               cutout_r90=np.array(galaxies["cutout_r90"]), **everything)


def strata(found, lengths):
    """Name, labels and probabilities of each stratum of EFIGI; strong ones by their column too."""
    for column in BARS:
        for name, (low, high) in STRATA.items():
            positive = (lengths >= low) & (lengths <= high)
            chosen = positive | (lengths == 0)
            if column == "P_bar" or name.startswith("strong") and column in found:
                suffix = "" if column == "P_bar" else f", {column}"
                yield (f"EFIGI, {name}{suffix}", positive[chosen].astype(float),
                       found[column][chosen])
