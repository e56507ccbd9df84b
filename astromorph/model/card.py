"""The card of a weights file: what the weights are, and how they were made."""
import hashlib
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType

from astromorph.errors import ArgumentError, wrong
from astromorph.model.alignment import Alignment
from astromorph.model.calibration import PlattScaling
from astromorph.model.card_forms import CARD, MORE, QUESTION
from astromorph.model.forms import PLAIN
from astromorph.model.heads import Head
from astromorph.questions import QUESTIONS, Question, check_questions
from astromorph.surveys import BUNDLED, Survey

__all__ = ["FORMAT", "Card"]

FORMAT = 2
_PUBLISHED = {question.key: question for question in QUESTIONS}


@dataclass(frozen=True, kw_only=True)
class Card:
    """Description of weights: what they are, and how they were made; it checks its parts.

    Parameters
    ----------
    network : str
        Name of an `~astromorph.networks.architectures.Architecture`.
    survey : `~astromorph.surveys.Survey`
        Survey whose images the weights are for.
    questions : tuple of `~astromorph.questions.Question`
        Questions that the network answers, in the order of its outputs; parents before their
        children.
    size : int
        Pixels of the network's frame on a side.
    frame_r90 : float
        Width of the frame in Petrosian R90 of the galaxy.
    calibration : dict of str to `~astromorph.model.calibration.PlattScaling`
        Scaling of each question's answers, by the question's key.
    sha256 : str
        Checksum of the weights and of the keys of their questions.
    alignment : `~astromorph.model.alignment.Alignment`, optional
        Change of the images before the network sees them.
    domain : dict of str to list, optional
        Result of `~astromorph.model.domain.measure_domain`.
    brightness : dict, optional
        ``quantiles`` and ``n_images`` of the training images;
        `~astromorph.MorphologyClassifier.align` needs them.
    base_rates : dict of str to float
        Base rate that the calibration of a question was fitted to, by the question's key.
    bfloat16_change : float, optional
        Largest change of a probability of the validation galaxies when computed in bfloat16.
    weights_of : str, optional
        Survey that the weights were made for, if it is another one than ``survey``.
    adapted, calibrated, training : dict, optional
        How the weights were adapted, calibrated and trained.
    test : list of dict
        Scores on galaxies left out of the training.
    heads : tuple of `~astromorph.model.heads.Head`
        Heads: each answers one more question by a linear map of the features.
    more : dict
        Everything else: license, citations, dates.

    Raises
    ------
    ValueError
        If a part has the wrong type or value, or parts contradict each other.

    Examples
    --------
    >>> from astromorph.model import Card, TrainedModel
    >>> card = TrainedModel.bundled("sdss").card.replace(heads=())
    >>> card.network, card.survey.name, card.keys
    ('pinwheel', 'sdss', ('disk', 'edge_on', 'bar'))
    >>> Card.from_json(card.to_json()).identity == card.identity
    True
    >>> card.replace(weights_of="legacy").weights_of
    'legacy'
    """

    network: str
    survey: Survey
    questions: tuple
    size: int
    frame_r90: float
    calibration: MappingProxyType
    sha256: str
    alignment: Alignment | None = None
    domain: dict | None = None
    brightness: dict | None = None
    base_rates: dict = field(default_factory=dict)
    bfloat16_change: float | None = None
    weights_of: str | None = None
    adapted: dict | None = None
    calibrated: dict | None = None
    training: dict | None = None
    test: list = field(default_factory=list)
    heads: tuple = ()
    more: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in _IN_JSON:
            form, value = (CARD.needed | CARD.known)[name], getattr(self, name)
            if value is not None or name in CARD.needed:
                PLAIN.check(value, f"card[{name!r}]")
                form.check(value, f"card[{name!r}]")
        PLAIN.check(self.more, "card")
        MORE.check(self.more, "card")
        _check(isinstance(self.survey, Survey), "survey", "a Survey", self.survey)
        with _making("card"):
            check_questions(self.questions)
        _check(all(isinstance(head, Head) for head in self.heads)
               and all(question.kind == "yes_no" for question in self.questions), "heads",
               "a Head for every question of another kind than yes/no", self.heads)
        for name in ("questions", "heads"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        with _making("card"):
            check_questions(self.all_questions)
        _check(len({len(head.kernel) for head in self.heads}) <= 1, "heads",
               "heads of one network", self.heads)
        _check(isinstance(self.calibration, (dict, MappingProxyType)) and all(
            isinstance(scaling, PlattScaling) for scaling in self.calibration.values()),
            "calibration", "scalings by key", self.calibration)
        _check(set(self.calibration) == set(self.keys), "calibration",
               f"one scaling for each of {list(self.keys)}", list(self.calibration))
        _check(self.alignment is None or isinstance(self.alignment, Alignment)
               and self.alignment.size == self.size, "alignment",
               f"an Alignment of frames of {self.size} pixels", self.alignment)

    @property
    def keys(self):
        """Keys of the network's questions (tuple of str)."""
        return tuple(question.key for question in self.questions)

    @property
    def all_questions(self):
        """The questions of the network, then those of the heads (tuple)."""
        return self.questions + tuple(head.question for head in self.heads)

    @property
    def decisive(self):
        """Everything that answers and flags depend on, by name and in short form (dict)."""
        known = self.to_json()
        whole = {"network": self.network, "weights": self.sha256[:16],
                 "weights_survey": self.survey.name, "size": self.size,
                 "frame_r90": self.frame_r90}
        summed = ("questions", "survey_record", "calibration", "alignment", "domain",
                  "bfloat16_change")
        whole |= {name: _digest(known.get(name)) for name in summed}
        return whole | {f"head_{head.key}": _digest(head.to_json() | {"training": None})
                        for head in self.heads}

    @property
    def identity(self):
        """Checksum of everything that answers and flags depend on, 16 hexadecimal digits (str)."""
        return _digest(self.decisive)

    def replace(self, **parts):
        """Return a card with other parts.

        Parameters
        ----------
        **parts
            The parts to replace, by name.

        Returns
        -------
        Card
        """
        return replace(self, **parts)

    @classmethod
    def from_json(cls, record, arrays=MappingProxyType({})):
        """Make a card from the result of `to_json`.

        Parameters
        ----------
        record : dict
            The record in a weights file.
        arrays : dict of str to `~numpy.ndarray`
            The weights of heads.

        Returns
        -------
        Card

        Raises
        ------
        ValueError
            If it is not a card, or a part has the wrong type or value.
        """
        PLAIN.check(record, "card")
        CARD.check(record, "card")
        known = {part.name for part in fields(cls)} - {"more"}
        parts = {name: value for name, value in record.items() if name in known}
        more = {name: value for name, value in record.items()
                if name not in known | {"format", "survey_record"}}
        return cls(**parts | {
            "survey": _survey(record), "questions": tuple(_questions(record)),
            "calibration": dict(_scalings(record)), "alignment": _alignment(record),
            "heads": tuple(_heads(record, arrays)), "more": more})

    def to_json(self):
        """Return the card in the types of JSON.

        Returns
        -------
        dict
            Surveys and questions that come with astromorph are names; others are whole records.
        """
        record = {part.name: getattr(self, part.name) for part in fields(self)
                  if part.name != "more"}
        record |= {
            "survey": self.survey.name,
            "questions": [question.key if question == _PUBLISHED.get(question.key)
                          else asdict(question) for question in self.questions],
            "calibration": {key: self.calibration[key].to_dict() for key in self.keys},
            "alignment": self.alignment and self.alignment.to_dict(),
            "heads": [head.to_json() for head in self.heads]}
        if BUNDLED.get(self.survey.name) != self.survey:
            record["survey_record"] = self.survey.to_json()
        kept = {name: value for name, value in record.items()
                if value is not None and (value or name not in ("base_rates", "test", "heads"))}
        return json.loads(json.dumps(kept | self.more))


# The parts that are the same in a file; others become objects.
_IN_JSON = ("network", "size", "frame_r90", "sha256", "domain", "brightness", "base_rates",
            "bfloat16_change", "weights_of", "adapted", "calibrated", "training", "test")


def _check(good, part, expected, value):
    if not good:
        raise wrong(f"card[{part!r}]", expected, f"{value!r:.200}")


@contextmanager
def _making(place):
    """Have the errors of an object that is made of a record name the place of the record."""
    try:
        yield
    except ArgumentError as error:
        raise wrong(f"{place}, {error.argument}", error.expected, error.received,
                    error.hint) from error


def _questions(record):
    """The published question of each key, another question of each record."""
    for i, each in enumerate(record["questions"]):
        place = f"card['questions'][{i}]"
        if isinstance(each, dict):
            QUESTION.check(each, place)
            with _making(place):
                yield Question.from_json(each)
        elif isinstance(each, str) and each in _PUBLISHED:
            yield _PUBLISHED[each]
        else:
            raise wrong(place, f"{list(_PUBLISHED)}, or records of others", f"{each!r:.200}")


def _scalings(record):
    for key, scaling in record["calibration"].items():
        with _making(f"card['calibration'][{key!r:.80}]"):
            yield key, PlattScaling.from_dict(scaling)


def _heads(record, arrays):
    for i, head in enumerate(record.get("heads", ())):
        with _making(f"card['heads'][{i}]"):
            yield Head.from_json(head, arrays)


def _alignment(record):
    if "alignment" not in record:
        return None
    with _making("card['alignment']"):
        return Alignment.from_dict(record["alignment"])


def _survey(record):
    if "survey_record" in record:
        with _making("card['survey_record']"):
            return Survey.from_json(record["survey_record"])
    if record["survey"] not in BUNDLED:
        raise wrong("card['survey']", f"one of {list(BUNDLED)}, or the record of another",
                    f"{record['survey']!r:.200}")
    return BUNDLED[record["survey"]]


def _digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
