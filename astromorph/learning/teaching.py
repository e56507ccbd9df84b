"""Teach a new question by a head: a last layer on the features; the network stays as it is.

astromorph reads every image once. The network computes its features and, if that is cheap, those
of its rotations and reflections. Then a regularized regression for the kind of answer is fitted
to the features. Galaxies left out of the fit choose the regularization, and give the calibration
and the scores.
"""
from datetime import date
from itertools import islice

import numpy as np

from astromorph import networks
from astromorph.arguments import check_number
from astromorph.errors import wrong
from astromorph.learning.labels import MIN_PER_ANSWER, keep_read
from astromorph.model.head_kinds import head_kind
from astromorph.model.heads import Head
from astromorph.questions import check_questions
from astromorph.running import read_frames
from astromorph.running.streaming import one_blas_thread
from astromorph.scores import score_answers
from astromorph.surveys import get_survey

__all__ = ["FOLDS", "STRENGTHS", "answer_left_out", "as_bytes", "check_new", "check_taught",
           "count_labels", "deal", "fit_head", "is_taught", "read_taught", "see_views", "teach"]

FOLDS = 5
STRENGTHS = (1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse penalties to try, the strongest regularization first."""

# Most operations for the views of one image, in billions.
_AFFORDABLE = 1.0
_VIEWS = 8


def teach(model, source, labels, questions, *, survey=None, seed=0, threads=None, progress=None):
    """Teach questions to heads.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model whose features the heads use.
    source : `~astromorph.galaxies.GalaxySource`
        Labeled galaxies.
    labels : `~numpy.ndarray`, shape (n, questions)
        See `~astromorph.learning.labels.read_labels`.
    questions : sequence of `~astromorph.questions.Question`
        The questions. A new head replaces an old one of the same question.
    survey, seed, threads, progress
        See `~astromorph.classifier.MorphologyClassifier.adapt`.

    Returns
    -------
    `~astromorph.model.TrainedModel`
        The model with these heads after the others.

    Raises
    ------
    ValueError
        If an argument has the wrong type or value, or a question has too few labels.
    """
    check_number(seed, "seed", "an integer, 0 or more", lambda n: n >= 0 and n % 1 == 0)
    kept = without_twins(model.heads, questions)
    frames, labels = read_taught(model, source, labels, questions, [
        head.question for head in kept], threads=threads, progress=progress)
    pixels = np.stack(model.prepare(frames))
    seen = see_views(model, pixels)
    heads = [fit_head(question, seen[:, np.isfinite(y)], y[np.isfinite(y)], seed=seed)
             for question, y in zip(questions, labels.T, strict=True)]
    return model.replace(survey=get_survey(survey or model.survey),
                         heads=parents_first([*kept, *heads]))


def read_taught(model, source, labels, questions, kept=(), **options):
    """Read the galaxies to train questions with.

    Parameters
    ----------
    model, source, labels, questions
        As for `teach`.
    kept : sequence of `~astromorph.questions.Question`
        Questions of heads that stay.
    **options
        Options of `~astromorph.running.read_frames`.

    Returns
    -------
    frames : list of `~numpy.ndarray`
        Frames of the galaxies whose images can be used.
    labels : `~numpy.ndarray`, shape (frames, questions)
        Labels of these galaxies.

    Raises
    ------
    ValueError
        If a question has too few labels, the network answers it itself, or the questions cannot be
        answered together.
    """
    check_new(model, questions, kept)
    check_taught(labels, questions)  # raises an error before any image is read
    frames, labels = keep_read(
        read_frames(source, size=model.size, frame_r90=model.frame_r90, **options), labels)
    check_taught(labels, questions)
    return frames, labels


def without_twins(heads, questions):
    """Leave out heads that new questions replace: those with the same key or the same columns."""
    keys = {question.key for question in questions}
    columns = {column for question in questions for column in question.columns}
    return [head for head in heads
            if head.key not in keys and columns.isdisjoint(head.question.columns)]


def parents_first(asked):
    """Sort questions, or heads, so that each comes after its parent (tuple)."""
    known, found = {each.key: each for each in asked}, {}

    def add(each):
        parent = getattr(each, "question", each).parent
        if parent in known and parent not in found:
            add(known.pop(parent))
        found[each.key] = each

    while known:
        add(known.pop(next(iter(known))))
    return tuple(found.values())


def check_new(model, questions, kept=()):
    """Raise an error if the network answers a question itself, or its parent is unknown."""
    if own := [each.key for each in questions if each.key in model.card.keys]:
        raise wrong("questions", 'new ones for train="head"', f"{', '.join(own)}, which the "
                    "network answers itself",
                    "Leave out questions= to teach those, or choose other keys.")
    keys = [each.key for each in questions]
    if len(set(keys)) < len(keys):
        raise wrong("questions", "each key once", keys)
    together = [*model.questions, *parents_first([*kept, *questions])]
    check_questions(together)
    keys = [None, *(each.key for each in together)]
    if lost := [each for each in together[len(model.questions):] if each.parent not in keys]:
        raise wrong(f"parent of {lost[0].key!r}", f"one of {', '.join(keys[1:])}, or None",
                    repr(lost[0].parent))


def check_taught(labels, questions):
    """Raise an error unless every question has enough labels.

    Parameters
    ----------
    labels : `~numpy.ndarray`, shape (n, questions)
    questions : sequence of `~astromorph.questions.Question`

    Raises
    ------
    ValueError
        If a question has too few.
    """
    for question, y in zip(questions, labels.T, strict=True):
        if not is_taught(y, question):
            expected = (f"{3 * MIN_PER_ANSWER} galaxies of different {question.key}"
                        if question.kind == "number" else
                        f"{MIN_PER_ANSWER} galaxies of each answer to {question.key}")
            counts = count_labels(y, question)
            raise wrong("labels", f"at least {expected}, with images that can be used",
                        ", ".join(f"{n} {name}" for name, n in counts.items()),
                        "Label more galaxies, or leave the question out." if any(counts.values())
                        else f"Name their column {question.key}, or give its name in aliases=.")


def is_taught(labels, question):
    """Tell whether there are enough labels to teach a question: 10 of each answer, or 30 numbers.

    Parameters
    ----------
    labels : `~numpy.ndarray`, shape (n,)
    question : `~astromorph.questions.Question`

    Returns
    -------
    bool
    """
    if question.kind == "number":
        known = labels[np.isfinite(labels)]
        return len(known) >= 3 * MIN_PER_ANSWER and np.ptp(known) > 0
    return min(count_labels(labels, question).values()) >= MIN_PER_ANSWER


def count_labels(labels, question):
    """Count the labels of each answer.

    Parameters
    ----------
    labels : `~numpy.ndarray`, shape (n,)
    question : `~astromorph.questions.Question`

    Returns
    -------
    dict of str to int
        Name of the answer -> number of labels. A question about a number has one count.
    """
    if question.kind == "number":
        return {"numbers": int(np.isfinite(labels).sum())}
    names = question.answers or (question.negative, question.positive)
    return {name: int((labels == place).sum()) for place, name in enumerate(names)}


def see_views(model, pixels):
    """Compute the features of galaxies and, as far as that is cheap, of their other views.

    The views are rotations and reflections of the image.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
    pixels : `~numpy.ndarray`, shape (n, size, size, 3)
        Frames that the model's ``prepare`` returned.

    Returns
    -------
    `~numpy.ndarray`, shape (views, n, features)
        The first view is the galaxies as they are.
    """
    n = int(np.clip(_AFFORDABLE / networks.gigaflops(model.network), 1, _VIEWS))
    return np.stack([model.answer_with_features(view)[:, len(model.questions):].astype(np.float32)
                     for view in islice(networks.views(pixels), n)])


def as_bytes(pixels):
    """Return 8-bit pixels, which the training takes."""
    return np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)


def fit_head(question, seen, labels, *, seed=0, tested=None):
    """Fit a head: choose its regularization, calibrate it and score it.

    Parameters
    ----------
    question : `~astromorph.questions.Question`
    seen : `~numpy.ndarray`, shape (views, n, features)
        Features of labeled galaxies; the first view is the galaxies as they are.
    labels : `~numpy.ndarray`, shape (n,)
    seed : int
        Seed of the split into parts.
    tested : `~numpy.ndarray` of bool, shape (n,), optional
        The galaxies that choose, calibrate and score; by default all.

    Returns
    -------
    `~astromorph.model.heads.Head`
        The head. Its ``training`` says how it was fitted, and has the scores.
    """
    with one_blas_thread():  # the products are too small for several threads
        return _fit_head(question, seen, labels, seed,
                         np.ones(len(labels), bool) if tested is None else tested)


def _fit_head(question, seen, labels, seed, tested):
    folds = np.full(len(labels), -1)
    folds[tested] = deal(labels[tested], FOLDS, int(seed))
    kind = head_kind(question)
    best, outputs = _choose_strength(question, seen, labels, folds)
    right = labels[tested]
    answers = _calibrated_left_out(question, right, outputs, folds[tested])
    slope, intercept = kind.calibrate(question, right, outputs)
    scores = score_answers(right[:, None], answers, [question])
    training = {"made": date.today().isoformat(), "galaxies": len(labels),
                "views": len(seen), "strength": best, "seed": seed,
                "tested_by": f"{FOLDS}-fold cross-validation", "scores": as_rows(scores)}
    if question.kind == "yes_no":
        training["base_rate"] = float(right.mean())
    return Head(question, *_fit(question, seen, labels, best), tuple(slope), tuple(intercept),
                training=training)


def answer_left_out(question, seen, labels, *, seed=0):
    """Answer for labeled galaxies, each by a head that was fitted and calibrated to others.

    Parameters
    ----------
    question, seen, labels, seed
        As for `fit_head`.

    Returns
    -------
    `~numpy.ndarray`, shape (n, columns)
    """
    with one_blas_thread():
        folds = deal(labels, FOLDS, seed)
        _, outputs = _choose_strength(question, seen, labels, folds)
        return _calibrated_left_out(question, labels, outputs, folds)


def _calibrated_left_out(question, labels, outputs, folds):
    """Answers to the galaxies of each part, calibrated on the other parts."""
    kind, answers = head_kind(question), np.empty((len(labels), len(question.columns)))
    for fold in range(FOLDS):
        out = folds == fold
        slope, intercept = kind.calibrate(question, labels[~out], outputs[~out])
        answers[out] = kind.answer(question, outputs[out] * slope + intercept)
    return answers


def _choose_strength(question, seen, labels, folds):
    """The strength with the lowest loss on galaxies left out, and the outputs for them."""
    lowest, best = np.inf, None
    for strength in STRENGTHS:
        outputs = _left_out(question, seen, labels, folds, strength)
        loss = head_kind(question).loss(question, labels[folds >= 0], outputs)
        if loss >= lowest:  # the loss falls, then rises: this is behind the minimum
            break
        lowest, best = loss, (strength, outputs)
    return best


def deal(labels, k, seed):
    """Deal galaxies to k parts at random, so that each part has about as many of every answer."""
    order = np.lexsort((np.random.default_rng(seed).random(len(labels)), labels))
    return np.argsort(order) % k


def as_rows(scores):
    """Return a table of scores as a list of dictionaries for JSON, without masked scores."""
    return [{name: row[name].item() if hasattr(row[name], "item") else row[name]
             for name in scores.colnames if row[name] is not np.ma.masked} for row in scores]


def _left_out(question, seen, labels, folds, strength):
    """Outputs for each galaxy, from a fit to the other parts."""
    outputs = np.empty((len(labels), head_kind(question).outputs(question)))
    for fold in range(FOLDS):
        out = folds == fold
        kernel, bias = _fit(question, seen[:, ~out], labels[~out], strength)
        outputs[out] = seen[0, out].astype(float) @ kernel + bias
    return outputs[folds >= 0]


def _fit(question, seen, labels, strength):
    """Kernel and bias for the features; the fit itself scales them to equal variance."""
    features = seen.reshape(-1, seen.shape[-1]).astype(float)
    center, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    weights = np.full(len(features), 1 / len(seen))
    kernel, bias = head_kind(question).fit(
        question, (features - center) / scale, np.tile(labels, len(seen)), weights, strength)
    kernel = kernel / scale[:, None]
    return kernel, bias - center @ kernel
