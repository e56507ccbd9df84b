"""Find galaxies that look like a given one, and galaxies that look like few others."""
from numbers import Integral

import numpy as np
from astropy.table import Column, Row, Table

from astromorph.arguments import check_count
from astromorph.errors import wrong
from astromorph.learning.embedding import COLUMN

__all__ = ["odd", "similar"]

_BLOCK = 16384
"""Rows to compare at a time; they stay in the processor's cache."""
_SAMPLE, _NEAREST, _FEWEST = 2000, 0.02, 5
_ODD_BLOCK = 1024


def similar(table, like, n=10, *, classifier=None, **options):
    """Find the galaxies of a table that look most like one galaxy.

    `similar` compares all rows, without an index. A million rows take some hundredths of a second.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The result of `~astromorph.MorphologyClassifier.embed`.
    like : int, `~astropy.table.Row` or image
        The galaxy: the number of a row of the table, which the result leaves out; a row of another
        table that the same classifier embedded; or an image (see ``classifier``).
    n : int
        Number of galaxies. If fewer have features, all of them are returned.
    classifier : `~astromorph.MorphologyClassifier`, optional
        The classifier that embedded the table; needed if ``like`` is an image.
    **options
        Options of `~astromorph.MorphologyClassifier.embed` for an image, such as ``r90``.

    Returns
    -------
    `~astropy.table.Table`
        A copy of the rows found, the most similar first, with a column ``similarity``: the cosine
        of the angle between the features, 1 for equal ones.

    Raises
    ------
    TypeError, ValueError
        If the table or the galaxy has no features, they are from different classifiers, or another
        argument has the wrong type or value.

    See Also
    --------
    odd : Find the galaxies that look like few others.

    Examples
    --------
    >>> from astromorph import MorphologyClassifier, similar
    >>> from astromorph.datasets import load_sample
    >>> clf = MorphologyClassifier.from_pretrained("sdss")
    >>> tbl = clf.embed(load_sample(), images="file", r90="petroR90", progress=False)
    >>> len(similar(tbl, like=0, n=3))
    3
    >>> image = load_sample()["file"][0]
    >>> found = similar(tbl, like=image, n=1, classifier=clf, r90="measure")
    >>> found.colnames
    ['name', 'petroR90', 'file', 'features', 'morph_flag', 'similarity']
    """
    features = _features(table)
    check_count(n, "n")
    own, galaxy = _find(table, like, classifier, options)
    likeness = _products(features, galaxy)
    likeness[~np.isfinite(likeness)] = -np.inf
    if own is not None:
        likeness[own] = -np.inf
    rows = _largest(likeness, n)
    result = table[rows]
    result["similarity"] = Column(
        likeness[rows], description="Cosine of the angle between features", format=".4f",
        meta={"ucd": "stat.correlation"})
    return result


def odd(table):
    """Rank galaxies by how little they look like others: mergers, artifacts, rare kinds.

    `odd` compares each galaxy with 2,000 others drawn at random, or with all if there are fewer.
    Its oddness is 1 minus its mean similarity to the nearest 2% of them. A galaxy of a common kind
    has many alike among these; a rare one does not.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The result of `~astromorph.MorphologyClassifier.embed`.

    Returns
    -------
    `~astropy.table.Table`
        A copy, the oddest galaxy first, with a column ``oddness``. It is 0 for a galaxy with many
        equal ones. Galaxies without features have NaN and come last. The same table gives the same
        result.

    Raises
    ------
    TypeError, ValueError
        If the table has no features, or fewer than two galaxies have some.

    See Also
    --------
    similar : Find the galaxies that look most like one galaxy.

    Examples
    --------
    >>> from astromorph import MorphologyClassifier, odd
    >>> from astromorph.datasets import load_sample
    >>> clf = MorphologyClassifier.from_pretrained("sdss")
    >>> tbl = clf.embed(load_sample(), images="file", r90="petroR90", progress=False)
    >>> oddest = odd(tbl)
    >>> len(oddest), oddest.colnames[-1]
    (12, 'oddness')
    """
    features = np.asarray(np.ma.filled(_features(table), np.nan), np.float32)
    good = np.flatnonzero(np.isfinite(features).all(axis=1))
    if len(good) < 2:
        raise wrong("table", "at least two galaxies with features", len(good))
    oddness = np.full(len(table), np.nan, np.float32)
    oddness[good] = _oddness(features[good])
    rows = np.argsort(-oddness, kind="stable")  # NaN last
    result = table[rows]
    result["oddness"] = Column(
        oddness[rows], description="1 minus the mean similarity to the nearest 2%", format=".4f",
        meta={"ucd": "stat.value"})
    return result


def _oddness(features):
    """1 minus the mean similarity of each row to the nearest rows of a sample without itself."""
    n = len(features)
    drawn = np.sort(np.random.default_rng(0).permutation(n)[:_SAMPLE])
    nearest = min(max(_FEWEST, round(_NEAREST * len(drawn))), len(drawn) - 1)
    oddness = np.empty(n, np.float32)
    for start in range(0, n, _ODD_BLOCK):
        likeness = features[start:start + _ODD_BLOCK] @ features[drawn].T
        own = np.flatnonzero((drawn >= start) & (drawn < start + _ODD_BLOCK))
        likeness[drawn[own] - start, own] = -np.inf
        likeness.partition(len(drawn) - nearest, axis=1)
        oddness[start:start + _ODD_BLOCK] = 1 - likeness[:, len(drawn) - nearest:].mean(axis=1)
    return oddness


def _features(table):
    """The column of features, one vector per row."""
    if not isinstance(table, Table) or COLUMN not in table.colnames:
        raise wrong("table", "a table that `embed` returned",
                    f"{type(table).__name__} without {COLUMN!r}")
    features = table[COLUMN]
    if features.ndim != 2 or features.dtype.kind != "f":
        raise wrong("table", f"vectors of numbers in {COLUMN!r}",
                    f"type {features.dtype}, shape {features.shape}")
    return features


def _find(table, like, classifier, options):
    """The number of the row to leave out, or None; and the features of the galaxy."""
    if isinstance(like, Row) and like.table is table:
        like = like.index
    if isinstance(like, Integral) and not isinstance(like, bool):
        if not -len(table) <= like < len(table):
            raise wrong("like", f"the number of a row, in a table of {len(table)} rows", like)
        return like, _known(table, like)
    if not isinstance(like, Row):
        like = _embed(like, classifier, options)[0]
    made_by = [str(each.meta.get("MORPHEMB", "unknown")) for each in (table, like)]
    if made_by[0] != made_by[1] or "unknown" in made_by or COLUMN not in like.colnames:
        raise wrong("like", f"features like those of the table (MORPHEMB {made_by[0]})",
                    f"other features (MORPHEMB {made_by[1]})",
                    "Embed both with the same classifier and the same number of views.")
    return None, _known(like.table, like.index)


def _embed(image, classifier, options):
    """A table with the one image."""
    if classifier is None:
        raise wrong("like, classifier", "a row, or an image and a classifier",
                    f"{type(image).__name__} and no classifier")
    return classifier.embed([image], **{"progress": False} | options)


def _known(table, row):
    """The features of a row; raise an error if it has none."""
    galaxy = np.ma.filled(np.ma.asarray(table[COLUMN][row], np.float32), np.nan)
    if not np.isfinite(galaxy).all():
        raise wrong("like", "a galaxy with features", "a galaxy without",
                    "Its morph_flag says why.")
    return galaxy


def _products(features, galaxy):
    """The product of every row with one galaxy, in little memory for any type of column."""
    products = np.empty(len(features), np.float32)
    for start in range(0, len(features), _BLOCK):
        block = np.ma.filled(features[start:start + _BLOCK], np.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # features may be infinite
            products[start:start + _BLOCK] = np.asarray(block, np.float32) @ galaxy
    return products


def _largest(values, n):
    """Indices of the n largest finite values, largest first."""
    n = min(n, int(np.isfinite(values).sum()))
    rows = np.argpartition(values, len(values) - n)[len(values) - n:] if n else np.empty(0, int)
    return rows[np.argsort(-values[rows], kind="stable")]
