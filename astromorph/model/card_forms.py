"""What the card of a weights file may hold, from the whole card down to each value."""
import base64
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import get_args, get_origin

import numpy as np
from astropy import units as u

from astromorph.model.calibration import PlattScaling
from astromorph.model.domain import STATISTICS
from astromorph.model.forms import (
    ANYTHING, COUNT, DICTIONARY, FLAG, FRACTION, LIST, NUMBER, TEXT, Columns, Leaf, Listed, Maybe,
    Named, Record)
from astromorph.questions import Question
from astromorph.surveys import Survey

__all__ = ["CARD", "HEAD_TRAINING", "MORE", "QUESTION"]


def _is_finite(value):
    return NUMBER.accepts(value) and bool(np.isfinite(value))


def _is_quantity(value):
    try:
        number, unit = value
        return _is_finite(number) and isinstance(unit, str) and u.Unit(unit) is not None
    except (TypeError, ValueError):
        return False


def _are_quantiles(value):
    try:
        rows = np.array(value, float)
    except (TypeError, ValueError, OverflowError):
        return False
    return rows.ndim == 2 and len(rows) == 3 and rows.size > 0 and bool((np.diff(rows) >= 0).all())


def _is_packed(value):
    try:
        return len(base64.b64decode(value, validate=True)) % 4 == 0
    except (TypeError, ValueError):
        return False


_FINITE = Leaf("a finite number", _is_finite)
_POSITIVE = Leaf("a positive number", lambda value: _is_finite(value) and value > 0)
_RATE = Leaf("a number in 0..1", lambda value: _is_finite(value) and 0 <= value <= 1)
_PIXELS = Leaf("pixels from 1 to 4096", lambda value: COUNT.accepts(value) and 1 <= value <= 4096)
_RANGE = Leaf("four finite numbers", lambda value: LIST.accepts(value) and len(value) == 4
              and all(map(_is_finite, value)))
_QUANTILES = Leaf("a row of increasing numbers for each of three bands", _are_quantiles)
_QUANTITY = Leaf("a number and a unit", _is_quantity)
_PACKED = Leaf("numbers of 32 bits in base64", _is_packed)
_TYPES = {str: TEXT, int: COUNT, float: NUMBER, bool: FLAG, tuple: LIST, dict: DICTIONARY,
          u.Quantity: _QUANTITY}


def _form(kind):
    """The form in JSON of a value of some type."""
    if is_dataclass(kind):
        parts = {each.name: each for each in fields(kind)}
        needed = {name for name, each in parts.items()
                  if each.default is MISSING and each.default_factory is MISSING}
        forms = {name: _form(each.type) for name, each in parts.items()}
        return Record({name: forms.pop(name) for name in sorted(needed)}, forms, None)
    if get_origin(kind) is tuple:
        return Listed(_form(get_args(kind)[0]))
    if isinstance(kind, UnionType):
        first, *others = get_args(kind)
        return Maybe(_form(first)) if len(others) == 1 else ANYTHING
    return _TYPES[kind]


# Scores, as `astromorph.scores` and `astromorph.metrics` name them.
_SCORES = ("TPR", "precision", "accuracy", "AUC")
_SCORE = Record(
    {"question": TEXT, "n": COUNT},
    {"set": TEXT, "n_positive": COUNT, "ECE": FRACTION,
     **{f"{name}{end}": FRACTION for name in _SCORES for end in ("", "_low", "_high")}},
    others=NUMBER)
_COMPARED = Columns({
    "question": Listed(TEXT), "n": Listed(COUNT), "n_positive": Listed(COUNT),
    "trained": Listed(FLAG), "threshold": Listed(FRACTION),
    **{f"{name}_{end}": Listed(FRACTION) for name in _SCORES
       for end in ("before", "after", "after_low", "after_high")}},
    {"ECE_after": Listed(FRACTION)})
_REPORT = Record(
    {"table": Maybe(Record({"columns": _COMPARED, "meta": Record(
        {"tested_by": TEXT}, {"started_from": TEXT})}))},
    {"learning_curve": Maybe(Record({"columns": Columns({}), "meta": DICTIONARY}))}, None)
_LABELS = Named(Record({}, {"n": COUNT, "train": COUNT, "positive": COUNT}))

QUESTION = _form(Question)
"""A question that is not published."""
HEAD_TRAINING = Record({}, {"scores": Listed(_SCORE), "tested_by": TEXT})
"""How a head was made."""
_HEAD = Record({"question": QUESTION, "sha256": TEXT},
               {"slope": Listed(NUMBER), "intercept": Listed(NUMBER), "default": FLAG,
                "training": HEAD_TRAINING}, None)
_ALIGNMENT = Record({"measured": _QUANTILES, "wanted": _QUANTILES, "size": _PIXELS},
                    {"blur": NUMBER, "n_images": COUNT, "survey": Maybe(TEXT)}, None)

MORE = Record({}, {
    "license": TEXT, "citations": Listed(TEXT), "made": TEXT, "version": TEXT, "tested_by": TEXT,
    "embedding": Record({"center": _PACKED, "kernel": _PACKED})})
"""The entries of a card that are no parameters of `~astromorph.model.card.Card`."""

CARD = Record({
    "network": TEXT, "survey": TEXT, "questions": LIST, "size": _PIXELS, "frame_r90": _POSITIVE,
    "calibration": Named(_form(PlattScaling)), "sha256": TEXT}, {
    "survey_record": _form(Survey), "heads": Listed(_HEAD), "alignment": _ALIGNMENT,
    "domain": Record(dict.fromkeys(STATISTICS, _RANGE), others=None),
    "brightness": Record({"quantiles": _QUANTILES, "n_images": COUNT}),
    "base_rates": Named(_RATE), "bfloat16_change": _FINITE, "weights_of": TEXT,
    "adapted": Record({"report": _REPORT}, {
        "from": TEXT, "train": TEXT, "galaxies": COUNT, "labels": _LABELS}),
    "calibrated": Record({"method": TEXT, "report": Columns(
        {"question": Listed(TEXT), "calibrated": Listed(FLAG)})},
                         {"heads": Listed(TEXT)}),
    "training": Record({}, {"sets": Listed(TEXT), "recipe": TEXT, "labels": _LABELS}),
    "test": Listed(_SCORE)} | MORE.known)
"""The record of a weights file, see `astromorph.model.card.Card.to_json`."""
