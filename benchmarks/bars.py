"""Bars by their strength, of disks that are not edge-on: EFIGI's lengths, and MaNGA's by position.

DATA has ``efigi/attributes.csv`` (``file``, ``bar_length``: 0, .25, .5, .75, 1) and
``bars_manga.csv`` (``bar``: 0 none, .75 and 1 a bar; ``file``: the image, with its folder).
"""
import numpy as np
from astropy.table import Table

STRATA = {"strong bars (length .75 and 1)": (0.75, 1), "bars (.5 and more)": (0.5, 1),
          "weak bars (.25)": (0.25, 0.25)}
"""Lengths that count as bars, each against none at all (0)."""
BARS = ("P_bar", "P_bar_strong")


def numbers(table, column):
    """A column as floats, NaN where it is blank or not there."""
    if column not in table.colnames:
        return np.full(len(table), np.nan)
    return np.ma.filled(np.ma.asarray(table[column]).astype(float), np.nan)


def bar_samples(classifier, data, split="test"):
    """Name, labels (n,) and probabilities (n,) of each stratum; none where DATA lacks its table."""
    if (data / "efigi" / "attributes.csv").exists():
        paths, widths, lengths = efigi_disks(data, split)
        yield from strata(answers(classifier, paths, widths), lengths)
    if (data / "bars_manga.csv").exists():
        paths, widths, bars = manga_images(data, split)
        found = answers(classifier, paths, widths)
        chosen = (found["P_edge_on"] < 0.5) & ((bars == 0) | (bars >= 0.75))
        yield "MaNGA, bars (.75 and 1)", (bars > 0)[chosen].astype(float), found["P_bar"][chosen]


def answers(classifier, paths, widths):
    """Column -> probabilities, NaN where there are none."""
    table = classifier.classify(paths, cutout_r90=widths, progress=False)
    return {name: np.ma.filled(table[name], np.nan) for name in ("P_edge_on", *BARS)
            if name in table.colnames}


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


def efigi_disks(data, split):
    """Paths, widths in R90 and lengths of bars: types Sa to Sm, not too inclined (q1 1, q2 0)."""
    labels = Table.read(data / "efigi" / "labels.csv", format="csv")
    more = Table.read(data / "efigi" / "attributes.csv", format="csv")
    lengths = dict(zip(more["file"], numbers(more, "bar_length")))
    lengths = np.array([lengths.get(file, np.nan) for file in labels["file"]])
    chosen = ((labels["split"] == split) & (numbers(labels, "q1") == 1)
              & (numbers(labels, "q2") == 0) & np.isfinite(lengths))
    return ([data / "efigi" / file for file in labels["file"][chosen]],
            numbers(labels, "cutout_r90")[chosen], lengths[chosen])


def manga_images(data, split):
    """Paths, widths in R90 and bars of images that show MaNGA's galaxies; none that trained."""
    table = Table.read(data / "bars_manga.csv", format="csv")
    bars = {str(file): bar for file, bar in zip(table["file"], table["bar"])
            if file is not np.ma.masked and bar >= 0}
    rows = [(data / folder / file, width, bars[f"{folder}/{file}"])
            for folder in sorted({name.split("/")[0] for name in bars})
            for file, width in _untaught(data / folder, split) if f"{folder}/{file}" in bars]
    paths, widths, values = zip(*rows) if rows else ((), (), ())
    return list(paths), np.array(widths), np.array(values)


def _untaught(folder, split):
    """Files and widths of a split, or of all images that have no labels."""
    unlabeled = folder / "images.csv"
    table = Table.read(unlabeled if unlabeled.exists() else folder / "labels.csv", format="csv")
    if not unlabeled.exists():
        table = table[table["split"] == split]
    return zip(table["file"], numbers(table, "cutout_r90"))
