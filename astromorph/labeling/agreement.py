"""How well two people agree on the same galaxies, or one person who labels them twice."""
import numpy as np
from astropy.table import Table

from astromorph.errors import wrong
from astromorph.labeling.entries import questions_of
from astromorph.labeling.keys import answer_keys
from astromorph.labeling.session import standing

__all__ = ["Agreement", "compare_journals", "kappa", "own_agreement"]

_DRAWS = 2000


class Agreement:
    """How well two sets of answers agree.

    Parameters
    ----------
    questions : sequence of `~astromorph.questions.Question`
    pairs : list of tuple of dict
        Two entries about the same galaxy each.

    Attributes
    ----------
    scores : `~astropy.table.Table`
        One row per question, for the galaxies with two labels. The last row, ``key``, compares the
        keys. The columns are ``n``, ``agree`` (fraction), ``kappa`` (see `kappa`), ``kappa_low``
        and ``kappa_high`` (68%).
    disagreements : `~astropy.table.Table`
        Row and name of each galaxy with two different answers, and these answers.
    """

    def __init__(self, questions, pairs):
        titles = {each.key: each.title for each in answer_keys(questions)}
        rows = [_score(question.key, [[each["answers"].get(question.key) for each in pair]
                                      for pair in pairs], question.kind) for question in questions]
        if len(questions) == 1 and questions[0].kind == "number":
            pairs = [pair for pair in pairs if pair[0]["answers"] != pair[1]["answers"]
                     or pair[0]["key"] != pair[1]["key"]]
        else:
            rows.append(_score("key", [[each["key"] for each in pair] for pair in pairs]))
            pairs = [pair for pair in pairs if pair[0]["key"] != pair[1]["key"]]
        self.scores = Table(rows)
        self.disagreements = Table(
            [[pair[0]["row"] for pair in pairs], [pair[0]["name"] for pair in pairs],
             *[[_said(pair[side], titles) for pair in pairs] for side in (0, 1)]],
            names=("row", "name", "first", "second"), dtype=(int, str, str, str))


def compare_journals(first, second):
    """Compare the answers of two labelers of the same galaxies.

    Parameters
    ----------
    first, second : list of dict
        Entries of journals, see `~astromorph.labeling.journal.read_journal`.

    Returns
    -------
    Agreement

    Raises
    ------
    ValueError
        If they are about other galaxies or questions.
    """
    for name in ("kind", "galaxies", "questions"):
        if not first or not second or first[0].get(name) != second[0].get(name):
            raise wrong("journals", "two of the same galaxies and questions",
                        f"two whose {name} differ" if first and second else "an empty one")
    mine, theirs = (_answers(entries, again=False) for entries in (first, second))
    return Agreement(questions_of(first), _pairs(mine, theirs))


def own_agreement(entries):
    """Compare the two answers to galaxies that came twice.

    Parameters
    ----------
    entries : list of dict
        Of a journal.

    Returns
    -------
    Agreement
    """
    return Agreement(questions_of(entries), _pairs(_answers(entries, again=False),
                                                 _answers(entries, again=True)))


def kappa(counts, weights=None):
    """Compute Cohen's kappa [1]_, the agreement beyond that of chance.

    Parameters
    ----------
    counts : array-like, shape (..., k, k)
        Number of galaxies by the answers of the first (rows) and the second (columns).
    weights : array-like, shape (k, k), optional
        How bad each disagreement is. By default all are equal.

    Returns
    -------
    `~numpy.ndarray`, shape (...)
        1 for full agreement, 0 for that of chance. NaN without answers, or if both always gave the
        same answer.

    References
    ----------
    .. [1] Cohen 1960, Educational and Psychological Measurement 20, 37.

    Examples
    --------
    >>> from astromorph.labeling.agreement import kappa
    >>> round(float(kappa([[20, 5], [10, 15]])), 2)
    0.4
    """
    counts = np.asarray(counts, float)
    weights = 1 - np.eye(counts.shape[-1]) if weights is None else np.asarray(weights, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = counts / counts.sum(axis=(-2, -1), keepdims=True)
        chance = shares.sum(axis=-1)[..., :, None] * shares.sum(axis=-2)[..., None, :]
        return 1 - (weights * shares).sum(axis=(-2, -1)) / (weights * chance).sum(axis=(-2, -1))


def _score(name, pairs, kind="classes"):
    """One row of the scores. Disagreements between grades count by their squared distance."""
    pairs = [pair for pair in pairs if None not in pair]
    agree = float(np.mean([one == other for one, other in pairs])) if pairs else np.nan
    row = {"question": name, "n": len(pairs), "agree": agree}
    if kind == "number" or not pairs:
        return row | dict.fromkeys(("kappa", "kappa_low", "kappa_high"), np.nan)
    known, places = np.unique(np.array(pairs), return_inverse=True)
    counts = np.zeros((len(known), len(known)))
    np.add.at(counts, tuple(places.reshape(-1, 2).T), 1)
    distances = np.subtract.outer(known, known) ** 2 if kind == "grades" else None
    drawn = np.random.default_rng(0).multinomial(len(pairs), counts.ravel() / len(pairs), _DRAWS)
    drawn = kappa(drawn.reshape(-1, *counts.shape), distances)
    low, high = np.nanpercentile(drawn, [16, 84]) if np.isfinite(drawn).any() else (np.nan,) * 2
    return row | {"kappa": float(kappa(counts, distances)), "kappa_low": float(low),
                  "kappa_high": float(high)}


def _answers(entries, *, again):
    """Row -> the entry that counts."""
    return {entry["row"]: entry for entry in standing(entries)
            if entry["kind"] == "answer" and entry.get("again", False) == again}


def _pairs(first, second):
    return [(first[row], second[row]) for row in sorted(first.keys() & second.keys())]


def _said(entry, titles):
    return titles[entry["key"]] if entry["key"] else f"{entry['value']:g}"
