"""Adapt a classifier to another survey with a few hundred labeled galaxies.

Cross-validation on DECam galaxies chose the recipes. They align the images to those of the source
weights, freeze batch normalization, and use a short cosine schedule. A galaxy without a label has
the source's own answer as a soft target (learning without forgetting, Li & Hoiem 2016). This keeps
the few labels of ``bar`` from spoiling what the source weights know of bars. Three other ideas did
not help: mixing in source images, averaging the weights with the source's, and balancing the
classes. The calibration takes care of the base rates.
"""
from dataclasses import asdict
from datetime import date
from functools import cached_property, partial

import numpy as np
from astropy.table import vstack

from astromorph import networks
from astromorph.arguments import check_choice, check_count, check_number
from astromorph.errors import warn, wrong
from astromorph.learning.aligning import align_frames
from astromorph.learning.joint import teach_layers
from astromorph.learning.labels import MIN_PER_ANSWER, find_trained, keep_read
from astromorph.learning.reports import AdaptationReport
from astromorph.learning.teaching import as_bytes, deal, teach
from astromorph.metrics import score_table
from astromorph.model.alignment import BLUR, MIN_IMAGES, measure_brightness
from astromorph.model.calibration import PlattScaling, fit_platt
from astromorph.model.domain import measure_domain
from astromorph.progress import progress_bar
from astromorph.questions import probability_asked
from astromorph.running import read_frames
from astromorph.surveys import get_survey

__all__ = ["Trainer", "adapt", "adapt_network", "as_bytes", "check_plan", "stratified_folds"]

_SMOOTHING = 0.05

# With fewer of either answer in the validation part, scores come from cross-validation.
_FEW = 10
_FOLDS = 3
# Cross-entropy of an epoch over that of the best one, up to which it counts as good: the noise of
# a validation part of a hundred galaxies.
_TOLERANCE = 1.05


def check_plan(network, train, epochs, validation_fraction, folds, seed, learning_curve):
    """Raise an error if an argument of `adapt` is wrong."""
    check_choice(train, "train", networks.get_architecture(network).recipes)
    check_number(validation_fraction, "validation_fraction",
                 "a number from 0 (no validation part) to 0.5", lambda part: 0 <= part <= 0.5)
    if folds is not None:
        check_number(folds, "folds", "2 or more, or 0 to score on the validation part alone",
                     lambda n: n == int(n) and (n == 0 or n >= 2))
    check_number(seed, "seed", "an integer, 0 or more", lambda n: n >= 0 and n % 1 == 0)
    if validation_fraction == 0 and (folds == 0 or learning_curve):
        raise wrong("validation_fraction", "more, or folds= without learning_curve=",
                    "0, which leaves no galaxies to score on")
    for value, name in [(epochs, "epochs"), *((n, "learning_curve") for n in learning_curve)]:
        if value is not None:
            check_count(value, name)


def stratified_folds(labels, k, seed):
    """Deal galaxies to k parts at random, so that each part has about as many of every label."""
    return deal(np.nan_to_num(labels, nan=2) @ 3.0 ** np.arange(labels.shape[1]), k, seed)


def adapt(model, source, labels, *, questions=None, survey=None, train=None, seed=0, threads=None,
          progress=None, **options):
    """Train a copy of a model: its network, or heads on it.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model to start from.
    source : `~astromorph.galaxies.GalaxySource`
        Labeled galaxies.
    labels : `~numpy.ndarray`, shape (n, questions)
        See `~astromorph.learning.labels.read_labels`.
    questions : sequence of `~astromorph.questions.Question`, optional
        Questions of the labels, if they are not those of the network.
    survey, train, seed, threads, progress
        See `~astromorph.classifier.MorphologyClassifier.adapt`.
    **options
        Options of `adapt_network`.

    Returns
    -------
    `~astromorph.model.TrainedModel`

    Raises
    ------
    ValueError
        If an argument has the wrong type or value, or no question has enough labels.
    """
    recipes = networks.get_architecture(model.card.network).recipes
    check_choice(train, "train", (None, *recipes, "head"))
    own = tuple(questions) == model.questions if questions else True
    shared = {"survey": survey, "seed": seed, "threads": threads, "progress": progress}
    if train == "head" and questions is None:
        raise wrong("questions", 'those to teach, for train="head"', "none")
    if train == "head" or (train is None and not own):
        return teach(model, source, labels, questions, **shared)
    if lost := [head.key for head in model.heads if head.default]:
        warn(f"adapt: {', '.join(lost)} were taught on what the network saw before, and are left "
             "out. Teach them anew on the new classifier.")
    if not own and train == "all":
        return teach_layers(model, source, labels, questions, epochs=options.get("epochs"),
                            **shared)
    if not own:
        raise wrong("train", '"head" or "all" for questions that the network does not answer',
                    repr(train))
    return adapt_network(model, source, labels, train=train or "all", **shared, **options)


def adapt_network(model, source, labels, *, survey=None, train="all", epochs=None,
                  validation_fraction=0.2, folds=None, seed=0, aligned=True, learning_curve=(),
                  threads=None, progress=None):
    """Train a copy of a model's network.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model to start from.
    source : `~astromorph.galaxies.GalaxySource`
        Labeled galaxies.
    labels : `~numpy.ndarray`, shape (n, questions)
        See `~astromorph.learning.labels.read_labels`.
    aligned : bool
        Whether to align the images first.
    survey, train, epochs, validation_fraction, folds, seed, learning_curve, threads, progress
        See `~astromorph.classifier.MorphologyClassifier.adapt`.

    Returns
    -------
    `~astromorph.model.TrainedModel`

    Raises
    ------
    ValueError
        If an argument has the wrong type or value, or no question has enough labels.
    """
    check_plan(model.card.network, train, epochs, validation_fraction, folds, seed, learning_curve)
    find_trained(labels, model.questions)  # before anything is read
    survey, margin = get_survey(survey or model.survey), round(model.size / 6)
    model = model.asking(model.questions)
    frames, labels = keep_read(
        read_frames(source, size=model.size, frame_r90=model.frame_r90, margin=margin,
                    threads=threads, progress=progress), labels)
    find_trained(labels, model.questions)
    inner = [frame[margin:margin + model.size, margin:margin + model.size] for frame in frames]
    before = model.answer(np.stack(model.prepare(inner)))
    start = align_frames(model, inner, survey, BLUR) if aligned else model
    images = np.stack([as_bytes(start.align(frame)) for frame in frames])
    trainer = Trainer(start, images, labels, train, epochs, seed, progress)
    return trainer.adapt(before, survey, validation_fraction, folds, learning_curve,
                         started_from=f"{model.card.network} for {model.survey.title}, weights "
                         f"{model.card.sha256[:16]}")


class Trainer:
    """Labeled images, and networks trained on some of them and tested on others.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model to start from.
    images : `~numpy.ndarray`, shape (n, y, x, 3), uint8
        Frames with a margin, aligned if the model aligns.
    labels, train, epochs, seed, progress
        As for `adapt`.
    """

    def __init__(self, model, images, labels, train, epochs, seed, progress):
        self.model, self.images, self.labels, self.seed = model, images, labels, seed
        self.mode, self.recipe = train, networks.get_architecture(model.card.network).recipes[train]
        self.epochs, self.progress = epochs, progress
        self.interrupted = False
        self.trained = find_trained(labels, model.questions)
        known, kept = np.isfinite(labels) & self.trained, ~self.trained
        self.targets = np.where(known, labels, 0.5) * (1 - _SMOOTHING) + _SMOOTHING / 2
        # The trunk is shared: questions that are not trained are taught to answer as they did.
        self.judged = (known | kept).astype(np.float32)
        self.weights = self.judged
        if kept.any() or self.recipe.retain:
            answers = networks.run(model.network, self._pixels(slice(None)))
            self.targets = np.where(known, self.targets, answers)
            likely = np.ones_like(answers)
            likely.T[:] = np.broadcast_arrays(
                *probability_asked(model.questions, answers.T), answers[:, 0])[:-1]
            self.weights = np.maximum(self.judged, self.recipe.retain * likely)
        if kept.any():
            keys = ", ".join(key for key, trained in zip(model.card.keys, self.trained, strict=True)
                             if not trained)
            warn(f"adapt: {keys} have fewer than {MIN_PER_ANSWER} galaxies of either answer and "
                 "keep the old answers and calibration; label more to teach them.")

    def adapt(self, before, survey, validation_fraction=0.2, folds=None, learning_curve=(),
              started_from=""):
        """Train on most galaxies, test on others, calibrate, and report.

        Parameters
        ----------
        before : `~numpy.ndarray`, shape (n, questions)
            Probabilities to compare with.
        survey : `~astromorph.surveys.Survey`
            Survey of the images.
        validation_fraction, folds, learning_curve
            As for `adapt`.
        started_from : str
            Name of the weights that the training starts from.

        Returns
        -------
        `~astromorph.model.TrainedModel`
        """
        validation = self.choose(np.arange(len(self.labels)), validation_fraction)
        rest = np.setdiff1d(np.arange(len(self.labels)), validation)
        if learning_curve and max(learning_curve) > len(rest):
            raise wrong("learning_curve", f"at most the {len(rest)} galaxies to train on",
                        max(learning_curve))
        if folds is None:
            folds = _FOLDS if self.are_few(validation) else 0
        network = self.train(rest, validation, "adapting")
        arrays = networks.export_weights(network)
        raw = self.answers(network, validation)
        tested_by = "the validation part, which also chose the epoch"
        if folds:
            tested = self.cross_validate(folds, validation_fraction)
            if np.isfinite(tested).any():
                raw, tested_by = tested, f"{folds}-fold cross-validation"
        curve = sum((self.learn_from(n, rest, validation) for n in learning_curve), [])
        if self.interrupted:
            warn("adapt was interrupted: the best weights so far are kept, and scored as far as "
                 "possible.", late=True)
        calibrations, after = self.calibrate(raw)
        report = AdaptationReport.compare(self.labels, before, after, self.model.questions,
                                          self.trained, tested_by, vstack(curve) if curve else None,
                                          started_from)
        if (changes := report.changes()) and not report.better:
            warn(f"adapt: no question got better than with the weights it started from "
                 f"({started_from}). Area under the ROC curve before and after: "
                 f"{'; '.join(changes)}. Label more galaxies, or calibrate those weights.",
                 late=True)
        return self.model.replace(arrays=arrays, survey=survey, weights_of=None,
                                  **self.card(calibrations, report, folds))

    @cached_property
    def tuning(self):
        """The object that trains all networks, one after the other."""
        recipe = self.recipe
        return networks.FineTuning(
            self.model.card.network,
            None if recipe.scratch else networks.export_weights(self.model.network), self.images,
            self.targets, self.weights, dense=recipe.dense, frozen_norms=recipe.frozen_norms,
            views=recipe.views, rate=recipe.rate, batch_size=recipe.batch_size, seed=self.seed,
            options=recipe.options)

    def _pixels(self, rows):
        return networks.crop(self.images[rows], self.model.size)

    def parts(self, rows, k, purpose):
        """Deal the rows to k parts with about the same labels; one part number per row."""
        return stratified_folds(self.labels[rows], k, (self.seed, purpose))

    def choose(self, rows, fraction):
        """Choose a validation part of the rows."""
        return rows[self.parts(rows, round(1 / fraction), 0) == 0] if fraction else rows[:0]

    def are_few(self, validation):
        """Whether the validation part is too small to measure how good a network is."""
        labels = self.labels[validation][:, self.trained]
        return min((labels == answer).sum(axis=0).min() for answer in (0, 1)) < _FEW

    def train(self, rows, validation, name):
        """Train a network; keep the last epoch that is about as good as the best one.

        It is the same object each time: use it before the next training.
        """
        epochs, tuning = self.epochs or self.recipe.epochs_for(len(rows)), self.tuning
        best, arrays, waited = np.inf, None, 0
        bar = progress_bar(tuning.train(rows, validation, epochs), progress=self.progress,
                           total=epochs, desc=name, unit=" epochs", leave=None)
        tuning.on_batch = partial(bar.update, 0)  # a line is due within a long epoch, too
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
        """A network that is only tested, not kept; None after an interruption."""
        try:
            network = None if self.interrupted else self.train(rows, validation, name)
        except KeyboardInterrupt:
            self.interrupted = True
        return None if self.interrupted else network

    def _entropy(self, answers, rows):
        """Mean cross-entropy of each question, summed over questions."""
        weights, targets = self.judged[rows], self.targets[rows]
        answers = np.clip(answers, 1e-4, 1 - 1e-4)
        entropy = -targets * np.log(answers) - (1 - targets) * np.log(1 - answers)
        return ((weights * entropy).sum(axis=0) / np.maximum(weights.sum(axis=0), 1)).sum()

    def answers(self, network, rows):
        """Raw answers to some of the galaxies, NaN for the others."""
        raw = np.full(self.labels.shape, np.nan)
        raw[rows] = networks.run(network, self._pixels(rows))
        return raw

    def cross_validate(self, folds, validation_fraction):
        """Raw answers to every galaxy, from a network that did not train on it."""
        raw, everything = np.full(self.labels.shape, np.nan), np.arange(len(self.labels))
        fold_of = self.parts(everything, folds, 1)
        for fold in range(folds):
            test, rest = everything[fold_of == fold], everything[fold_of != fold]
            validation = self.choose(rest, validation_fraction)
            network = self._train_aside(np.setdiff1d(rest, validation), validation,
                                        f"fold {fold + 1} of {folds}")
            if network is not None:
                raw[test] = self.answers(network, test)[test]
        return raw

    def learn_from(self, n, rest, validation):
        """Scores of a network trained on n galaxies; none after an interruption."""
        rows = np.random.default_rng((self.seed, 2)).permutation(rest)[:n]
        network = self._train_aside(rows, rest[:0], f"{n} galaxies")
        if network is None:
            return []
        raw = self.answers(network, validation)
        scores = score_table(self.labels, raw, self.model.questions)[self.trained]
        scores.add_column(n, index=0, name="n_train")
        return [scores]

    def calibrate(self, raw):
        """Platt scalings, and probabilities from scalings that were fitted to other galaxies."""
        tested = np.flatnonzero(np.isfinite(raw).any(axis=1))
        groups = np.full(len(raw), -1)
        groups[tested] = self.parts(tested, 5, 3)
        calibrations, after = [], np.full(raw.shape, np.nan)
        for i, trained in enumerate(self.trained):
            if not trained:
                calibrations.append(self.model.card.calibration[self.model.card.keys[i]])
                after[:, i] = calibrations[i](raw[:, i])
                continue
            calibrations.append(_platt(self.labels[:, i], raw[:, i]))
            for group in range(5):
                own, others = groups == group, groups != group
                after[own, i] = _platt(self.labels[others, i], raw[others, i])(raw[own, i])
        return calibrations, after

    def card(self, calibrations, report, folds):
        """Parts of the card that are new (dict)."""
        keys = self.model.card.keys
        rates = {key: float(np.nanmean(y)) for key, y, trained
                 in zip(keys, self.labels.T, self.trained, strict=True) if trained}
        recipe = asdict(self.recipe) | {"epochs": self.epochs or self.recipe.epochs_for(
            len(self.labels))}
        # The source's images were no part of a training from scratch.
        new = {"brightness": self._brightness()} if self.recipe.scratch else {}
        more = {name: value for name, value in self.model.card.more.items() if name != "tested_by"}
        return new | {
            "calibration": dict(zip(keys, calibrations, strict=True)),
            "base_rates": self.model.card.base_rates | rates, "domain": self._domain(),
            "test": [], "calibrated": None, "bfloat16_change": None,  # of other weights
            "more": more | {"made": date.today().isoformat()},
            "adapted": {
                "from": self.model.card.sha256, "train": self.mode, "recipe": recipe,
                "seed": self.seed, "folds": folds, "interrupted": self.interrupted,
                "galaxies": int(np.isfinite(self.labels).any(axis=1).sum()),
                "labels": {key: {"n": int(np.isfinite(y).sum()), "positive": int((y == 1).sum()),
                                 "trained": bool(trained)}
                           for key, y, trained in zip(keys, self.labels.T, self.trained,
                                                      strict=True)},
                "report": report.to_dict()}}

    def _brightness(self):
        """Brightness of the images, for `align`; None if there are too few images."""
        if len(self.images) < MIN_IMAGES:
            return None
        quantiles, n_images = measure_brightness(self._pixels(slice(None)))
        return {"quantiles": quantiles.tolist(), "n_images": n_images}

    def _domain(self):
        """Ranges of the images' statistics, joined with the source's: few images cover little."""
        new = measure_domain(self._pixels(slice(None)))
        old = {} if self.recipe.scratch else self.model.card.domain or {}
        for name in new.keys() & old.keys():
            both = np.array([new[name], old[name]])
            new[name] = [*both[:, :2].min(axis=0).tolist(), *both[:, 2:].max(axis=0).tolist()]
        return new


def _platt(labels, raw):
    """Platt scaling; none if there are too few galaxies, or the fit fails."""
    try:
        return fit_platt(labels, raw)
    except ValueError:
        return PlattScaling.identity()
