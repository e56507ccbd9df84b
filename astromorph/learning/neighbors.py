"""Galaxies that look like one, and galaxies that look like few others."""
from numbers import Integral

import numpy as np
from astropy.table import Column, Row, Table

from astromorph.arguments import check_count
from astromorph.errors import wrong
from astromorph.learning.embedding import COLUMN

__all__ = ["odd", "similar"]

_BLOCK = 16384
"""Rows that are compared at a time, which stay in the processor's cache."""
_SAMPLE, _NEAREST, _FEWEST = 2000, 0.02, 5
_ODD_BLOCK = 1024


def similar(table, like, n=10, *, classifier=None, **options):
    """Find the galaxies of a table that look most like one galaxy.

    All rows are compared, without an index: a million take some hundredths of a second.

    Parameters
    ----------
    table : `~astropy.table.Table`
        What `~astromorph.MorphologyClassifier.embed` returned.
    like : int, `~astropy.table.Row` or image
        The number of a row of the table, which is then left out; a row of another table that was
        embedded by the same classifier; or an image, see ``classifier``.
    n : int
        Number of galaxies; all that have features, where there are fewer.
    classifier : `~astromorph.MorphologyClassifier`, optional
        What embedded the table: for an image.
    **options
        Of `~astromorph.MorphologyClassifier.embed`, for an image, such as ``r90``.

    Returns
    -------
    `~astropy.table.Table`
        A copy of these rows, the most similar in front, with a column ``similarity``: the cosine of
        the angle between features, 1 for equal ones.

    Raises
    ------
    TypeError, ValueError
        If the table has no features, or those of another classifier than ``like`` has; if ``like``
        has none, or another argument is not as described.

    Examples
    --------
    >>> from astromorph import similar
    >>> tbl = clf.embed(galaxies, images="file", cutout_r90=8.48)  # doctest: +SKIP
    >>> similar(tbl, like=17, n=5)  # doctest: +SKIP
    >>> similar(tbl, like="mine.fits", classifier=clf, r90="measure")  # doctest: +SKIP
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

    A galaxy is compared with 2,000 others drawn at random, or with all where there are fewer. Its
    oddness is 1 minus its mean similarity to the nearest 2% of them: of its like there are then
    many, unless it is rare.

    Parameters
    ----------
    table : `~astropy.table.Table`
        What `~astromorph.MorphologyClassifier.embed` returned.

    Returns
    -------
    `~astropy.table.Table`
        A copy, the oddest in front, those without features at the end, with a column ``oddness``:
        0 where equal ones abound, NaN where there are no features. The same table gives the same.

    Raises
    ------
    TypeError, ValueError
        If the table has no features, or fewer than two galaxies that do.

    Examples
    --------
    >>> from astromorph import odd
    >>> odd(clf.embed(galaxies, images="file", cutout_r90=8.48))[:20]  # doctest: +SKIP
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
    """1 minus the mean similarity of each row to the nearest of a sample without itself."""
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
    """The column of features, one vector a row."""
    if not isinstance(table, Table) or COLUMN not in table.colnames:
        raise wrong("table", "a table that `embed` returned",
                    f"{type(table).__name__} without {COLUMN!r}")
    features = table[COLUMN]
    if features.ndim != 2 or features.dtype.kind != "f":
        raise wrong("table", f"vectors of numbers in {COLUMN!r}",
                    f"type {features.dtype}, shape {features.shape}")
    return features


def _find(table, like, classifier, options):
    """Number of the row to leave out, or None, and the features of the galaxy."""
    if isinstance(like, Row) and like.table is table:
        like = like.index
    if isinstance(like, Integral) and not isinstance(like, bool):
        if not -len(table) <= like < len(table):
            raise wrong("like", f"a row of the table, which has {len(table)}", like)
        return like, _known(table, like)
    if not isinstance(like, Row):
        like = _embed(like, classifier, options)[0]
    made_by = [str(each.meta.get("MORPHEMB", "unknown")) for each in (table, like)]
    if made_by[0] != made_by[1] or "unknown" in made_by or COLUMN not in like.colnames:
        raise wrong("like", f"features as the table has them (MORPHEMB {made_by[0]})",
                    f"others ({made_by[1]})",
                    "Embed both by the same classifier, with the same number of views.")
    return None, _known(like.table, like.index)


def _embed(image, classifier, options):
    """A table of the one image."""
    if classifier is None:
        raise wrong("like, classifier", "a row, or an image and a classifier",
                    f"{type(image).__name__} and no classifier")
    return classifier.embed([image], **{"progress": False} | options)


def _known(table, row):
    """The features of a row, which must have some."""
    galaxy = np.ma.filled(np.ma.asarray(table[COLUMN][row], np.float32), np.nan)
    if not np.isfinite(galaxy).all():
        raise wrong("like", "a galaxy with features", "one without",
                    "Its morph_flag says why.")
    return galaxy


def _products(features, galaxy):
    """The product of every row with one galaxy, in little memory whatever the column's type."""
    products = np.empty(len(features), np.float32)
    for start in range(0, len(features), _BLOCK):
        block = np.ma.filled(features[start:start + _BLOCK], np.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # of infinite ones
            products[start:start + _BLOCK] = np.asarray(block, np.float32) @ galaxy
    return products


def _largest(values, n):
    """Where the n largest finite values are, in their order."""
    n = min(n, int(np.isfinite(values).sum()))
    rows = np.argpartition(values, len(values) - n)[len(values) - n:] if n else np.empty(0, int)
    return rows[np.argsort(-values[rows], kind="stable")]
