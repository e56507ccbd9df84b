"""Find labels that may be wrong: those that the answers of other galaxies' labels contradict.

Heads give the answers. A head never trained on the label that it checks. For the network's own
questions, its own answers are used, corrected by the other labels. No label is changed.
"""
import numpy as np
from astropy.table import Table

from astromorph.answers import get_kind
from astromorph.arguments import check_number
from astromorph.errors import warn
from astromorph.learning.corrections import correct_left_out
from astromorph.learning.matching import identifiers
from astromorph.learning.teaching import answer_left_out, is_taught
from astromorph.running import run

__all__ = ["KINDS", "find_suspects", "suspects"]

# An answer this many standard errors off contradicts a label that is a number.
_FAR = 2


def suspects(model, source, labels, questions, *, share=0.08, seed=0, **options):
    """Find suspect labels of the galaxies of a source.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model whose features and answers are used.
    source : `~astromorph.galaxies.GalaxySource`
        Labeled galaxies.
    labels : `~numpy.ndarray`, shape (n, questions)
    questions : sequence of `~astromorph.questions.Question`
    share, seed
        See `~astromorph.classifier.MorphologyClassifier.suspects`.
    **options
        Options of `~astromorph.running.run`.

    Returns
    -------
    `~astropy.table.Table`
        See `~astromorph.classifier.MorphologyClassifier.suspects`.
    """
    check_number(share, "share", "a number above 0, at most 1", lambda part: 0 < part <= 1)
    results = run(source, model.answer_with_features, size=model.size, frame_r90=model.frame_r90,
                  prepare=model.prepare, watch=model.watch(), **options)
    present, features = np.split(results.answers, [len(model.questions)], axis=1)
    found = find_suspects(model.card.keys, present, features, labels, questions, share=share,
                          seed=seed)
    names = _names(source.table, len(labels))
    columns = {name: [each[name] for each in found]
               for name in ("row", "question", "label", "P", "suspicion")}
    columns["name"] = [names[row] for row in columns["row"]]
    types = {"row": int, "name": str, "question": str, "label": str, "P": float, "suspicion": float}
    table = Table({name: np.array(columns[name], kind) for name, kind in types.items()},
                  meta=model.provenance | {"MORPHSHR": share})
    table["row"].description = "Row in the data"
    table["P"].description = "Probability of the label, from heads that did not train on it"
    table["suspicion"].description = "How confidently the answer contradicts the label, 0 to 1"
    table["P"].format = table["suspicion"].format = ".3f"
    return table


def _names(table, n):
    """The name of each galaxy, empty if it has none."""
    found = identifiers(table)
    usual = sorted(found, key=lambda name: name.startswith("?"))
    return [name or "" for name in found[usual[0]]] if usual else [""] * n


def find_suspects(keys, present, features, labels, questions, *, share=0.08, seed=0):
    """Find suspect labels of galaxies whose features are known.

    Parameters
    ----------
    keys : sequence of str
        Keys of the questions that the network answers.
    present : `~numpy.ndarray`, shape (n, keys)
        Its answers, NaN where there is no image.
    features : `~numpy.ndarray`, shape (n, features)
        Features of the galaxies.
    labels, questions, share, seed
        As for `suspects`.

    Returns
    -------
    list of dict
        Row, question, label, P and suspicion of each label, the most suspect first.
    """
    found = []
    usable = np.isfinite(present).all(axis=1) & np.isfinite(features).all(axis=1)
    for question, y in zip(questions, labels.T, strict=True):
        rows = np.flatnonzero(usable & np.isfinite(y))
        if not is_taught(y[rows], question):
            warn(f"suspects: {question.key} has too few labels to find suspect ones.")
            continue
        seen = np.asarray(features[rows], float)
        if question.key in keys:
            answers = correct_left_out(seen, present[rows, keys.index(question.key)], y[rows],
                                       seed=seed)
        else:
            answers = answer_left_out(question, seen[None], y[rows], seed=seed)
        p, suspicion = get_kind(question, KINDS)(y[rows], answers)
        most = np.argsort(-suspicion, kind="stable")[:int(np.ceil(share * len(rows)))]
        found += [{"row": int(rows[k]), "question": question.key, "label": _text(question, y[
            rows[k]]), "P": float(p[k]), "suspicion": float(suspicion[k])}
            for k in most if suspicion[k] > 0]
    return sorted(found, key=lambda each: -each["suspicion"])


def _text(question, label):
    """A label as people write it."""
    if question.kind == "number":
        return f"{label:g}"
    return (question.answers or (question.negative, question.positive))[int(label)]


def _of_exclusive(labels, answers):
    """Probability of each label, and how much more probable another answer is."""
    p = np.take_along_axis(answers, labels[:, None].astype(int), axis=1)[:, 0]
    return p, answers.max(axis=1) - p


def _of_yes_no(labels, answers):
    return _of_exclusive(labels, np.hstack([1 - answers, answers]))


def _of_number(labels, answers):
    """How often a right label would be as far off; suspicion from two standard errors on."""
    from scipy.special import erfc

    off = np.abs(labels - answers[:, 0]) / answers[:, 1]
    p = erfc(off / 2**0.5)
    return p, np.where(off > _FAR, 1 - p, 0)


KINDS = {"yes_no": _of_yes_no, "grades": _of_exclusive, "classes": _of_exclusive,
         "number": _of_number}
"""Kind of answer -> function that returns probabilities and suspicions of labels."""
