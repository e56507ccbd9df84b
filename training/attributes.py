"""Read what catalogs say of the shapes of galaxies, beside disk, edge-on and bar.

    python training/attributes.py --data DATA

prints how many galaxies have which label. DATA is the folder that ``data.py`` describes, with
``efigi/attributes.csv`` (Baillard et al. 2011), ``gz2/votes_hart16.csv`` (Hart et al. 2016), a
column ``merger`` in ``gz1/labels.csv``, ``galaxy10_class`` in ``decals/labels.csv``, and
``bars_manga.csv``. A set or a file that is not there is left out.

Labels are 1, 0 or NaN: NaN stands for "not asked", "not known" and "in between".

=============  ====================================  ==========================================
column         1                                     0
=============  ====================================  ==========================================
``S0``         EFIGI's type -3, -2, -1               its type -6, -5, -4 (ellipticals)
``bulge``      B/T of EFIGI >= .5 (T from -3 to 10)  B/T 0 (a quarter: in between)
\\              GZ2: obvious or dominant >= .6        GZ2: the same <= .2, none >= .2
``cigar``      GZ2 of smooth galaxies: >= .5         GZ2: <= .2
\\              Galaxy10: cigar-shaped                Galaxy10: round, in between
``merg``       GZ2: odd >= .5, of these >= .5        GZ2: both together <= .05
\\              GZ1: a merger                         GZ1: none
``ring``       EFIGI: any ring >= .5                 EFIGI: no ring at all
``bar_strong`` EFIGI's Bar_Length >= .75             Bar_Length <= .25
=============  ====================================  ==========================================

The examples of DECaLS say bulge, roundness and merger themselves. ``TType`` is EFIGI's Hubble type,
-6 to 10 (dwarf ellipticals, 11, continue no sequence and have none). ``bar_length`` is EFIGI's, of
galaxies with disks, T from -3 to 10, that are not too inclined (<= .5); ``bar_grade`` is 0 none,
1 weak (.25), 2 a bar (.5), 3 strong (.75 and 1); ``bar_manga`` is MaNGA's visual bar. Columns that
end in ``_soft`` hold the label and, where there is none, what lies between: a fraction of votes, or
twice EFIGI's value.
"""
import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

SETS = ("gz2", "efigi", "sdss24", "gz1", "decals", "decals_examples", "unlabeled")
YES_NO = ("S0", "bulge", "cigar", "merg", "ring", "bar_strong")
SOFT = tuple(f"{key}_soft" for key in YES_NO[1:]) + ("bar_soft",)
NUMBERS = ("TType", "bar_length", "bar_grade", "bar_manga", "galaxy10")
BASIC = {"disk": "q1", "edge_on": "q2", "bar": "q3"}
# Fewer volunteers than these say nothing of a question that they reached.
VOLUNTEERS = 8


def attribute_labels(data, sets=SETS):
    """Return one row an image, in the order of ``data.read_labels(data, sets)``.

    Parameters
    ----------
    data : path
        The folder with one sub-folder a set.
    sets : sequence of str
        Names of sub-folders.

    Returns
    -------
    `~astropy.table.Table`
        ``path``, ``set``, ``catalog``, ``split``, ``cutout_r90``; the labels ``disk``, ``edge_on``
        and ``bar``; and the columns that this module describes, NaN where nothing is known.
    """
    data = Path(data)
    tables = [one_set(data, name) for name in sets if (data / name).is_dir()]
    return add_manga(vstack(tables), data)


def one_set(data, name):
    """The rows of one sub-folder."""
    unlabeled = name == "unlabeled"
    source = Table.read(data / name / ("images.csv" if unlabeled else "labels.csv"), format="csv")
    table = Table({"path": [str(data / name / file) for file in source["file"]]})
    table["set"] = name
    table["catalog"] = texts(source, "catalog")
    table["split"] = "unlabeled" if unlabeled else texts(source, "split")
    table["cutout_r90"] = numbers(source, "cutout_r90")
    labels = {key: numbers(source, column) for key, column in BASIC.items()}
    labels |= {key: np.full(len(table), np.nan) for key in (*NUMBERS, *YES_NO, *SOFT)}
    labels |= READERS.get(name, lambda *args: {})(source, data)
    for key, values in labels.items():
        table[key] = values
    return table


def numbers(table, column):
    """A column as floats, NaN where it is blank or not there."""
    if column not in table.colnames:
        return np.full(len(table), np.nan)
    return np.ma.filled(np.ma.asarray(table[column]).astype(float), np.nan)


def texts(table, column):
    """A column as texts, empty where it is blank or not there."""
    if column not in table.colnames:
        return np.full(len(table), "")
    return np.array(["" if value is np.ma.masked else str(value) for value in table[column]])


def said(yes, no):
    """1, 0 or NaN, from two arrays of bool."""
    return np.where(yes, 1.0, np.where(no, 0.0, np.nan))


def with_soft(key, label, between):
    """A label, and the same with what lies between where it is NaN."""
    return {key: label, f"{key}_soft": np.where(np.isnan(label), between, label)}


def companion(source, file):
    """The rows of another table that belong to ``source``, by file; blank where it has none."""
    if not file.exists():
        return Table()
    other = Table.read(file, format="csv")
    rows = {name: row for row, name in enumerate(other["file"])}
    found = np.array([rows.get(name, -1) for name in source["file"]])
    return Table({name: np.where(found < 0, np.nan, numbers(other, name)[found])
                  for name in other.colnames if other[name].dtype.kind in "fi"})


def efigi(source, data):
    """Types and attributes of EFIGI; of each five-level scale, a quarter lies between."""
    table = companion(source, data / "efigi" / "attributes.csv")
    if not table.colnames:
        return {}
    kind, has_disk = table["t"], (table["t"] >= -3) & (table["t"] <= 10)
    bulge = np.where(has_disk, table["bulge_to_total"], np.nan)
    rings = np.stack([table[f"{where}_ring"] for where in ("inner", "outer", "pseudo")])
    ring = np.where((rings >= 0.5).any(axis=0), np.fmax.reduce(rings), rings.max(axis=0))
    length = np.where(has_disk & (table["inclination"] <= 0.5), table["bar_length"], np.nan)
    return {
        "TType": np.where(kind <= 10, kind, np.nan),
        "S0": said((kind >= -3) & (kind <= -1), kind <= -4),
        **with_soft("bulge", said(bulge >= 0.5, bulge == 0), 2 * bulge),
        **with_soft("ring", said(ring >= 0.5, ring == 0), 2 * ring),
        **with_soft("bar_strong", said(length >= 0.75, length <= 0.25), length),
        "bar_length": length, "bar_soft": np.minimum(2 * length, 1),
        "bar_grade": np.minimum(4 * length, 3)}


def gz2(source, data):
    """Weighted fractions of volunteers; of Galaxy Zoo 2's, only Hart et al. give all answers."""
    bar = np.where(numbers(source, "q2") == 1, np.nan, numbers(source, "p_bar"))
    table = companion(source, data / "gz2" / "votes_hart16.csv")
    if not table.colnames:
        return {"bar_soft": bar}

    def votes(question, *answers):
        return sum(table[f"{question}_{answer}_weighted_fraction"] for answer in answers)

    smooth, features = (votes("t01_smooth_or_features", answer)
                        for answer in ("a01_smooth", "a02_features_or_disk"))
    face_on = features * votes("t02_edgeon", "a05_no")
    bulge, no_bulge = (asked(table, face_on, votes("t05_bulge_prominence", *answers)) for answers
                       in (("a12_obvious", "a13_dominant"), ("a10_no_bulge",)))
    cigar = asked(table, smooth, votes("t07_rounded", "a18_cigar_shaped"))
    cigar[smooth < 0.5] = np.nan
    odd, merg, ring = votes("t06_odd", "a14_yes"), *(
        votes("t08_odd_feature", answer) for answer in ("a24_merger", "a19_ring"))
    merges = said((odd >= 0.5) & (merg >= 0.5), odd * merg <= 0.05)
    return {
        **with_soft("bulge", said(bulge >= 0.6, (bulge <= 0.2) & (no_bulge >= 0.2)), bulge),
        **with_soft("cigar", said(cigar >= 0.5, cigar <= 0.2), cigar),
        **with_soft("merg", merges, odd * merg),
        "ring_soft": np.where(odd * ring >= 0.4, 1.0, np.nan), "bar_soft": bar}


def asked(table, reached, fraction):
    """A fraction, NaN where too few volunteers reached its question."""
    enough = table["total_classifications"] * reached >= VOLUNTEERS
    return np.where(enough, fraction, np.nan)


def gz1(source, data):
    """One class per galaxy."""
    return with_soft("merg", numbers(source, "merger"), np.nan)


def decals(source, data):
    """Galaxy10: 2 round, 3 in between, 4 cigar-shaped; the others are no smooth galaxies."""
    kind = numbers(source, "galaxy10_class")
    return {"galaxy10": kind, **with_soft("cigar", said(kind == 4, np.isin(kind, (2, 3))), np.nan)}


def decals_examples(source, data):
    """What the examples of each answer are examples of."""
    labels = {}
    for key, column, yes, no in (("bulge", "bulge", ("obvious", "dominant"), ("none",)),
                                 ("cigar", "roundness", ("cigar",), ("round", "in_between")),
                                 ("merg", "merger", ("merging", "both"), ("neither",))):
        values = texts(source, column)
        labels |= with_soft(key, said(np.isin(values, yes), np.isin(values, no)), np.nan)
    return labels


READERS = {"efigi": efigi, "gz2": gz2, "gz1": gz1, "decals": decals,
           "decals_examples": decals_examples}


def add_manga(table, data):
    """Add MaNGA's visual bars, 0 to 1, to the images that show its galaxies."""
    if (data / "bars_manga.csv").exists():
        manga = Table.read(data / "bars_manga.csv", format="csv")
        bars = {str(data / file): bar for file, bar in
                zip(texts(manga, "file"), numbers(manga, "bar")) if file and bar >= 0}
        table["bar_manga"] = [bars.get(path, np.nan) for path in table["path"]]
    return table


def counts(table, key):
    """How many rows of each set and split have which label of a yes/no question."""
    for name in dict.fromkeys(table["set"]):
        parts = {split: table[key][(table["set"] == name) & (table["split"] == split)]
                 for split in ("train", "val", "test", "unlabeled")}
        yield name, {split: ((values == 1).sum(), (values == 0).sum())
                     for split, values in parts.items() if np.isfinite(values).any()}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one sub-folder a set")
    table = attribute_labels(parser.parse_args().data)
    for key in (*BASIC, *YES_NO):
        for name, splits in counts(table, key):
            if splits:
                print(key, name, *(f"{split} {yes}/{no}" for split, (yes, no) in splits.items()),
                      sep="\t")
    for key in ("TType", "bar_grade", "bar_manga", "galaxy10"):
        values, n = np.unique(table[key][np.isfinite(table[key])], return_counts=True)
        print(key, *(f"{value:g}: {count}" for value, count in zip(values, n)), sep="\t")


if __name__ == "__main__":
    main()
