"""Calibrate the probabilities of a model for galaxies like these."""
from functools import partial

import numpy as np
from astropy.table import Table

from astromorph.arguments import check_choice
from astromorph.errors import warn, wrong
from astromorph.learning.labels import find_trained
from astromorph.learning.teaching import is_taught
from astromorph.model.calibration import METHODS, base_rates, recalibrate, shift_priors
from astromorph.running import run
from astromorph.surveys import get_survey

__all__ = ["calibrate"]


def calibrate(model, source, labels, *, method="platt", survey=None, **options):
    """Calibrate a model.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model to start from.
    source : `~astromorph.galaxies.GalaxySource`
        The galaxies.
    labels : `~numpy.ndarray`, shape (n, questions), or None
        Labels of the questions that the model answers by default. None for ``"prior"``.
    method, survey
        See `~astromorph.classifier.MorphologyClassifier.calibrate`.
    **options
        Options of `~astromorph.running.run`.

    Returns
    -------
    `~astromorph.model.TrainedModel`

    Raises
    ------
    ValueError
        If an argument has the wrong type or value, or no question can be calibrated.
    """
    check_choice(method, "method", (*METHODS, "prior"))
    width, asked = len(model.questions), model.asking().heads
    if method == "prior":
        fit, taught = partial(shift_priors, base_rates=_base_rates(model, labels)), []
    else:
        taught = [head.key for head, y in zip(asked, labels[:, width:].T, strict=True)
                  if is_taught(y, head.question)]
        fit = partial(_recalibrate, labels=labels[:, :width], method=method, others=taught)
    seen = run(source, model.in_precision().raw_with_features if taught
               else model.in_precision().raw, size=model.size, frame_r90=model.frame_r90,
               prepare=model.prepare, watch=model.watch(), **options).answers.astype(float)
    scalings, report = fit(model.questions, list(map(model.card.calibration.get, model.card.keys)),
                           probabilities=seen[:, :width])
    own = dict(zip((head.key for head in asked), () if labels is None else labels[:, width:].T))
    _say_too_few(own, taught)
    heads = tuple(head.calibrated(own[head.key], seen[:, width:], method)
                  if head.key in taught else head for head in model.heads)
    _say_no_better(report)
    return model.replace(
        survey=get_survey(survey or model.survey), heads=heads,
        calibration=dict(zip(model.card.keys, scalings, strict=True)),
        base_rates=model.card.base_rates | base_rates(report),
        calibrated={"method": method, "heads": taught, "report": {
            name: np.asarray(report[name]).tolist() for name in report.colnames}})


def _recalibrate(questions, scalings, labels, probabilities, method, others):
    """Calibrate the network's questions. If only other questions have labels, it keeps its own."""
    if others and not np.isfinite(labels).any():
        rows = [{"question": question.key, "n": 0, "n_positive": 0, "calibrated": False,
                 "base_rate": 0.0, "ECE_before": np.nan, "ECE_after": np.nan}
                for question in questions]
        return scalings, Table(rows)
    find_trained(labels, questions)
    return recalibrate(questions, scalings, labels, probabilities, method)


def _say_too_few(own, taught):
    """Warn of the user's own questions that have labels, but too few."""
    if few := [key for key, y in own.items() if key not in taught and np.isfinite(y).any()]:
        warn(f"Not calibrated, because of too few labels: {', '.join(few)}. A question needs 10 "
             "galaxies of each answer, or 30 numbers.", late=True)


def _say_no_better(report):
    """Warn of the questions whose calibration error did not fall."""
    same = [f"{row['question']} {row['ECE_before']:.3f} and {row['ECE_after']:.3f}"
            for row in report if row["calibrated"] and "ECE_after" in report.colnames
            and row["ECE_after"] >= row["ECE_before"]]
    if same:
        warn("calibrate: the calibration error did not fall on galaxies left out of the fit. "
             f"Before and after: {'; '.join(same)}. Label more galaxies, or keep the old "
             "calibration.", late=True)


def _base_rates(model, labels):
    """Base rates that the present calibration is fitted to."""
    if labels is not None:
        raise wrong("labels", 'none with method="prior"', "labels",
                    f"{' and '.join(map(repr, METHODS))} take labels.")
    if missing := [key for key in model.card.keys if key not in model.card.base_rates]:
        raise wrong("method", " or ".join(map(repr, METHODS)) + ", which take labels", "'prior'",
                    f"These weights do not say which base rates of {missing} they were "
                    "calibrated for.")
    return model.card.base_rates
