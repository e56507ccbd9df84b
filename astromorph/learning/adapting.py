"""Teach a classifier another survey from a few hundred labeled galaxies.

The recipes were chosen by cross-validation on DECam galaxies: images aligned to those of the
source, batch normalization frozen, a short cosine schedule, and for galaxies without a label the
source's own answers as soft targets (learning without forgetting, Li & Hoiem 2016), which keep the
few labels of Q3 from spoiling what the source knows of bars. Source images mixed in, weights
averaged with the source's and balanced classes did not help; the calibration takes care of the
base rates.
"""
from dataclasses import asdict
from datetime import date

import numpy as np
from astropy import log
from astropy.table import vstack
from tqdm.auto import tqdm

from astromorph import networks
from astromorph.model.alignment import MIN_IMAGES, measure_brightness
from astromorph.model.calibration import PlattScaling, fit_platt
from astromorph.model.domain import measure_domain
from astromorph.metrics import check_count, score_table
from astromorph.questions import probability_asked
from astromorph.learning.reports import AdaptationReport
from astromorph.model.files import digest

__all__ = ["Trainer", "adapt", "as_bytes", "check_plan", "stratified_folds",
           "find_trained"]

_SMOOTHING = 0.05
# A question with fewer galaxies of either answer is not taught.
_MIN_PER_ANSWER = 10
# With fewer of either answer in the validation part, scores come from cross-validation.
_FEW = 10
_FOLDS = 3
# Cross-entropy of an epoch over that of the best one, up to which it counts as good: the noise of
# a validation part of a hundred galaxies.
_TOLERANCE = 1.05


def check_plan(network, train, epochs, validation_fraction, folds, seed, learning_curve):
    """Say which argument of `adapt` is wrong."""
    trains = list(networks.get_architecture(network).recipes)
    if train not in trains:
        raise ValueError(f"train: expected one of {trains}. Received {train!r}.")
    if not (np.isscalar(validation_fraction) and 0 <= validation_fraction <= 0.5):
        raise ValueError("validation_fraction: expected a number from 0 (no validation part) to "
                         f"0.5. Received {validation_fraction!r}.")
    if not (folds is None or isinstance(folds, int) and (folds == 0 or folds >= 2)):
        raise ValueError("folds: expected 2 or more, or 0 to score on the validation part alone. "
                         f"Received {folds!r}.")
    if not (isinstance(seed, int) and seed >= 0):
        raise ValueError(f"seed: expected an integer, 0 or more. Received {seed!r}.")
    if validation_fraction == 0 and (folds == 0 or learning_curve):
        raise ValueError("validation_fraction: 0 leaves no galaxies to score on. Expected more, "
                         "or folds= without learning_curve=.")
    for value, name in [(epochs, "epochs"), *((n, "learning_curve") for n in learning_curve)]:
        if value is not None:
            check_count(value, name)


def find_trained(labels, questions):
    """Which questions have enough labels of either answer."""
    counts = np.stack([(labels == answer).sum(axis=0) for answer in (1, 0)])
    trained = counts.min(axis=0) >= _MIN_PER_ANSWER
    if not trained.any():
        found = ", ".join(f"{question.key} {positive} positive and {negative} negative"
                          for question, positive, negative in zip(questions, *counts))
        raise ValueError(f"labels: expected at least {_MIN_PER_ANSWER} galaxies of either answer "
                         f"to a question, with images that can be used. Received {found}.")
    return trained


def stratified_folds(labels, k, seed):
    """Deal galaxies to k parts at random, each with as many of every kind of labels."""
    kind = np.nan_to_num(labels, nan=2) @ 3.0 ** np.arange(labels.shape[1])
    order = np.lexsort((np.random.default_rng(seed).random(len(labels)), kind))
    return np.argsort(order) % k


def as_bytes(pixels):
    """8-bit pixels, as training takes them."""
    return np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)


def adapt(source, images, labels, before, *, train, epochs, validation_fraction, folds, seed,
          learning_curve, progress):
    """Teach a copy of a classifier's network; the options are those of
    `~astromorph.classifier.MorphologyClassifier.adapt`.

    Parameters
    ----------
    source : `~astromorph.classifier.MorphologyClassifier`
        To start from.
    images : `~numpy.ndarray`, shape (n, y, x, 3), uint8
        Frames with a margin, aligned as the source would.
    labels : `~numpy.ndarray`, shape (n, questions)
        See `~astromorph.learning.labels.read_labels`.
    before : `~numpy.ndarray`, shape (n, questions)
        Probabilities to compare with.

    Returns
    -------
    card : dict
    arrays : dict of str to `~numpy.ndarray`
    """
    trainer = Trainer(source, images, labels, train, epochs, seed, progress)
    validation = trainer.choose(np.arange(len(labels)), validation_fraction)
    rest = np.setdiff1d(np.arange(len(labels)), validation)
    if learning_curve and max(learning_curve) > len(rest):
        raise ValueError(f"learning_curve: there are {len(rest)} galaxies to train on. "
                         f"Received {max(learning_curve)}.")
    if folds is None:
        folds = _FOLDS if trainer.are_few(validation) else 0
    network = trainer.train(rest, validation, "adapting")
    arrays = networks.export_weights(network)
    raw = trainer.answers(network, validation)
    tested_by = "the validation part, which also chose the epoch"
    if folds:
        tested = trainer.cross_validate(folds, validation_fraction)
        if np.isfinite(tested).any():
            raw, tested_by = tested, f"{folds}-fold cross-validation"
    curve = sum((trainer.learn_from(n, rest, validation) for n in learning_curve), [])
    if trainer.interrupted:
        log.warning("adapt was interrupted: the best weights so far are kept, and scored as far "
                    "as possible.")
    calibrations, after = trainer.calibrate(raw)
    report = AdaptationReport.compare(labels, before, after, source.questions, trainer.trained,
                                      tested_by, vstack(curve) if curve else None)
    return trainer.card(arrays, calibrations, report, folds), arrays


class Trainer:
    """Labeled images, and networks trained on some of them and tested on others.

    Parameters
    ----------
    source, images, labels, train, epochs, seed, progress
        As for `adapt`.
    """

    def __init__(self, source, images, labels, train, epochs, seed, progress):
        self.source, self.images, self.labels, self.seed = source, images, labels, seed
        self.mode = train
        self.recipe = networks.get_architecture(source.card["network"]).recipes[train]
        self.epochs, self.progress = epochs, progress
        self.interrupted = False
        self.trained = find_trained(labels, source.questions)
        known, kept = np.isfinite(labels) & self.trained, ~self.trained
        self._targets = np.where(known, labels, 0.5) * (1 - _SMOOTHING) + _SMOOTHING / 2
        # The trunk is shared: questions that are not taught are taught to answer as they did.
        self._judged = (known | kept).astype(np.float32)
        self._weights = self._judged
        if kept.any() or self.recipe.retain:
            answers = networks.run(source._model, self._pixels(slice(None)))
            self._targets = np.where(known, self._targets, answers)
            likely = np.stack(np.broadcast_arrays(*probability_asked(source.questions, answers.T)), axis=1)
            self._weights = np.maximum(self._judged, self.recipe.retain * likely)
        if kept.any():
            log.warning("adapt: " + ", ".join(
                question.key for question, trained in zip(source.questions, self.trained)
                if not trained) + f" have fewer than {_MIN_PER_ANSWER} galaxies of either answer "
                "and keep the old answers and calibration; label more to teach them.")

    def _pixels(self, rows):
        return networks.crop(self.images[rows], self.source.card["size"])

    def _parts(self, rows, k, purpose):
        return stratified_folds(self.labels[rows], k, (self.seed, purpose))

    def choose(self, rows, fraction):
        """A validation part of the rows."""
        return rows[self._parts(rows, round(1 / fraction), 0) == 0] if fraction else rows[:0]

    def are_few(self, validation):
        """Whether the validation part is too small to tell how good a network is."""
        labels = self.labels[validation][:, self.trained]
        return min((labels == answer).sum(axis=0).min() for answer in (0, 1)) < _FEW

    def train(self, rows, validation, name):
        """A network of the last epoch that the validation part finds as good as the best."""
        recipe = self.recipe
        epochs = self.epochs or recipe.epochs_for(len(rows))
        tuning = networks.FineTuning(
            self.source.card["network"],
            None if recipe.scratch else networks.export_weights(self.source._model),
            self.images[rows], self._targets[rows], self._weights[rows], self.images[validation],
            dense=recipe.dense, frozen_norms=recipe.frozen_norms, views=recipe.views,
            rate=recipe.rate, epochs=epochs, batch_size=recipe.batch_size, seed=self.seed,
            options=recipe.options)
        best, arrays, waited = np.inf, None, 0
        bar = tqdm(tuning, total=epochs, desc=name, unit=" epochs", leave=None,
                   disable=None if self.progress is None else not self.progress)
        try:
            for answers in bar:
                score = self._entropy(answers, validation) if len(validation) else 1.0
                # Later epochs, of a lower rate, are less biased: only a clear loss rejects one.
                waited = waited + 1 if score > _TOLERANCE * best else 0
                best = min(best, score)
                if not waited:
                    arrays = networks.export_weights(tuning.network)
                if waited > max(5, epochs // 2):
                    break
        except KeyboardInterrupt:
            if arrays is None:
                raise
            self.interrupted = True
        networks.import_weights(tuning.network, arrays)
        return tuning.network

    def _train_aside(self, rows, validation, name):
        """A network that only tells how good the one to keep is; None once interrupted."""
        try:
            network = None if self.interrupted else self.train(rows, validation, name)
        except KeyboardInterrupt:
            self.interrupted = True
        return None if self.interrupted else network

    def _entropy(self, answers, rows):
        """Mean cross-entropy of each question, summed over questions."""
        weights, targets = self._judged[rows], self._targets[rows]
        answers = np.clip(answers, 1e-4, 1 - 1e-4)
        entropy = -targets * np.log(answers) - (1 - targets) * np.log(1 - answers)
        return ((weights * entropy).sum(axis=0) / np.maximum(weights.sum(axis=0), 1)).sum()

    def answers(self, network, rows):
        """Raw answers to some of the galaxies, NaN for the others."""
        raw = np.full(self.labels.shape, np.nan)
        raw[rows] = networks.run(network, self._pixels(rows))
        return raw

    def cross_validate(self, folds, validation_fraction):
        """Raw answers to every galaxy by a network that has not seen it."""
        raw, everything = np.full(self.labels.shape, np.nan), np.arange(len(self.labels))
        fold_of = self._parts(everything, folds, 1)
        for fold in range(folds):
            test, rest = everything[fold_of == fold], everything[fold_of != fold]
            validation = self.choose(rest, validation_fraction)
            network = self._train_aside(np.setdiff1d(rest, validation), validation,
                                        f"fold {fold + 1} of {folds}")
            if network is not None:
                raw[test] = self.answers(network, test)[test]
        return raw

    def learn_from(self, n, rest, validation):
        """Scores of a network trained on n galaxies; none once interrupted."""
        rows = np.random.default_rng((self.seed, 2)).permutation(rest)[:n]
        network = self._train_aside(rows, rest[:0], f"{n} galaxies")
        if network is None:
            return []
        raw = self.answers(network, validation)
        scores = score_table(self.labels, raw, self.source.questions)[self.trained]
        scores.add_column(n, index=0, name="n_train")
        return [scores]

    def calibrate(self, raw):
        """Platt scalings, and probabilities that those fitted to other galaxies give."""
        tested = np.flatnonzero(np.isfinite(raw).any(axis=1))
        groups = np.full(len(raw), -1)
        groups[tested] = self._parts(tested, 5, 3)
        calibrations, after = [], np.full(raw.shape, np.nan)
        for i, trained in enumerate(self.trained):
            if not trained:
                calibrations.append(self.source._calibration[i])
                after[:, i] = calibrations[i](raw[:, i])
                continue
            calibrations.append(_platt(self.labels[:, i], raw[:, i]))
            for group in range(5):
                own, others = groups == group, groups != group
                after[own, i] = _platt(self.labels[others, i], raw[others, i])(raw[own, i])
        return calibrations, after

    def card(self, arrays, calibrations, report, folds):
        """The source's card, with all that is new."""
        card, keys = self.source.card, [question.key for question in self.source.questions]
        old = card["sha256"]
        for stale in ("test", "calibrated", "bfloat16_change"):  # of other weights
            card.pop(stale, None)
        rates = {key: float(np.nanmean(y)) for key, y, trained
                 in zip(keys, self.labels.T, self.trained) if trained}
        recipe = asdict(self.recipe) | {"epochs": self.epochs or self.recipe.epochs_for(
            len(self.labels))}
        if self.recipe.scratch:  # of which the source's images were no part
            card.pop("brightness", None)
            card |= self._brightness()
        return card | {
            "calibration": dict(zip(keys, (scaling.to_dict() for scaling in calibrations))),
            "base_rates": card.get("base_rates", {}) | rates, "domain": self._domain(),
            "sha256": digest(arrays), "made": date.today().isoformat(),
            "adapted": {
                "from": old, "train": self.mode, "recipe": recipe, "seed": self.seed,
                "folds": folds, "galaxies": len(self.labels), "interrupted": self.interrupted,
                "labels": {key: {"n": int(np.isfinite(y).sum()), "positive": int((y == 1).sum()),
                                 "trained": bool(trained)}
                           for key, y, trained in zip(keys, self.labels.T, self.trained)},
                "report": report.to_dict()},
        }

    def _brightness(self):
        """How bright the images are, for `align`; nothing where they are too few to tell."""
        if len(self.images) < MIN_IMAGES:
            return {}
        quantiles, n_images = measure_brightness(self._pixels(slice(None)))
        return {"brightness": {"quantiles": quantiles.tolist(), "n_images": n_images}}

    def _domain(self):
        """Ranges of the images' statistics: few images do not fill theirs, the source's help."""
        new = measure_domain(self._pixels(slice(None)))
        old = {} if self.recipe.scratch else self.source.card.get("domain", {})
        for name in new.keys() & old.keys():
            both = np.array([new[name], old[name]])
            new[name] = [*both[:, :2].min(axis=0).tolist(), *both[:, 2:].max(axis=0).tolist()]
        return new


def _platt(labels, raw):
    """Platt scaling, none where the galaxies are too few or do not tell."""
    try:
        return fit_platt(labels, raw)
    except ValueError:
        return PlattScaling.identity()
