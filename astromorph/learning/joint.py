"""Train all layers of a network on new questions, then fit heads to its features.

During the training, each question has outputs between 0 and 1, each with a cross-entropy. A yes/no
question has one output. Classes have one per class. Grades have one per grade but the lowest: "at
least this grade". A number has one: its place in the range of the labels. For its own questions,
the network learns to repeat its old answers. Then the heads are fitted to all galaxies. A part of
the galaxies trains no layer; it calibrates and scores the heads.
"""
from datetime import date

import numpy as np

from astromorph import networks
from astromorph.answers import get_kind
from astromorph.learning.teaching import as_bytes, deal, fit_head, read_taught, see_views
from astromorph.progress import progress_bar
from astromorph.surveys import get_survey

__all__ = ["TARGETS", "teach_layers"]

_PARTS = 3  # one of them trains no layer


def _of_number(question, labels):
    low, high = question.limits or (np.nanmin(labels), np.nanmax(labels))
    return (labels[:, None] - low) / (high - low)


TARGETS = {
    "yes_no": lambda question, labels: labels[:, None],
    "grades": lambda question, labels: labels[:, None] >= np.arange(1, len(question.answers)),
    "classes": lambda question, labels: labels[:, None] == np.arange(len(question.answers)),
    "number": _of_number}
"""Kind of answer -> function that returns the targets of the training, between 0 and 1."""


def teach_layers(model, source, labels, questions, *, survey=None, seed=0, epochs=None,
                 threads=None, progress=None):
    """Train all layers of a network, and fit heads to its features.

    Parameters
    ----------
    model, source, labels, questions, survey, seed, threads, progress
        As for `~astromorph.learning.teaching.teach`.
    epochs : int, optional
        Passes over the galaxies; by default those of the network's recipe.

    Returns
    -------
    `~astromorph.model.TrainedModel`
        A model with these heads only. Earlier heads are dropped, because they know the features of
        the old network only.

    Raises
    ------
    ValueError
        If an argument has the wrong type or value, a question has too few labels, or the network
        has no last layer that all questions share.
    """
    networks.last_arrays(model.network)  # raises an error before any image is read
    frames, labels = read_taught(model, source, labels, questions, margin=round(model.size / 6),
                                 threads=threads, progress=progress)
    images = np.stack([as_bytes(model.align(frame)) for frame in frames])
    kept = deal(np.nan_to_num(labels[:, 0], nan=-1), _PARTS, seed) == 0
    arrays = _train(model, images[~kept], labels[~kept], questions, seed, epochs, progress)
    taught = model.replace(
        arrays=arrays, survey=get_survey(survey or model.survey), weights_of=None, test=[],
        bfloat16_change=None, more=model.card.more | {"made": date.today().isoformat()},
        adapted={"from": model.card.sha256, "train": "all", "seed": seed,
                 "galaxies": len(labels), "questions": [each.key for each in questions],
                 "report": {"table": None, "learning_curve": None}})
    seen = see_views(taught, networks.crop(images, model.size))
    heads = [fit_head(question, seen[:, known], y[known], seed=seed, tested=kept[known])
             for question, y in zip(questions, labels.T, strict=True)
             for known in [np.isfinite(y)]]
    return taught.replace(heads=tuple(heads))


def _train(model, images, labels, questions, seed, epochs, progress):
    """Weights of the network after the training, without the outputs of the new questions."""
    recipe = networks.get_architecture(model.card.network).recipes["all"]
    old = networks.run(model.network, networks.crop(images, model.size))
    parts = [(get_kind(question, TARGETS)(question, y), np.isfinite(y)[:, None])
             for question, y in zip(questions, labels.T, strict=True)]
    targets = np.hstack([old, *(np.nan_to_num(target) for target, _ in parts)])
    weights = np.hstack([np.full(old.shape, recipe.retain or 1.0),
                         *(np.broadcast_to(known / target.shape[1], target.shape)
                           for target, known in parts)])
    names, arrays = networks.last_arrays(model.network), dict(model.arrays)
    for name in names:
        shape = *arrays[name].shape[:-1], targets.shape[1] - old.shape[1]
        arrays[name] = np.concatenate([arrays[name], np.zeros(shape, np.float32)], axis=-1)
    epochs = epochs or recipe.epochs_for(len(images))
    tuning = networks.FineTuning(
        model.card.network, arrays, images, targets, weights, dense=False,
        frozen_norms=recipe.frozen_norms, views=recipe.views, rate=recipe.rate,
        batch_size=recipe.batch_size, seed=seed, options=recipe.options)
    everything = np.arange(len(images))
    for _ in progress_bar(tuning.train(everything, everything[:0], epochs), progress=progress,
                          total=epochs, desc="teaching", unit=" epochs", leave=None):
        pass
    taught = networks.export_weights(tuning.network)
    return taught | {name: taught[name][..., :old.shape[1]] for name in names}
