"""Questions that a classifier answers, and the columns that hold their votes."""
from dataclasses import dataclass, replace
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from types import NoneType

import numpy as np
from astropy.units import UnitBase

from astromorph.answers import get_kind
from astromorph.errors import wrong

__all__ = ["DIALECTS", "ENDS", "QUESTIONS", "Dialect", "Question", "Votes", "as_questions",
           "check_questions", "probability_asked", "split_answers"]


@dataclass(frozen=True)
class Dialect:
    """How a Galaxy Zoo catalog names its columns: task, campaign, answer, then a suffix.

    Parameters
    ----------
    name : str
        Short name.
    family : str
        Family of dialects. It selects the `Votes` of a question.
    description : str
        Which catalogs use it.
    fractions : tuple of tuple of str
        Suffixes of vote fractions, the best kind first. Each kind lists its spellings.
    debiased : str
        Suffix of fractions corrected for redshift bias.
    count : str
        Suffix of the number of votes for an answer.
    totals : tuple of str
        Spellings of what follows the task in the column of its total number of votes.
    campaign : str
        What follows the task in all names.

    See Also
    --------
    astromorph.make_labels : Make labels from votes.

    Examples
    --------
    >>> from astromorph.questions import DIALECTS, QUESTIONS
    >>> gz2 = DIALECTS[0]
    >>> votes, = QUESTIONS[2].votes_in(gz2)
    >>> gz2.columns(votes, votes.positive, gz2.debiased)
    ['t03_bar_a06_bar_debiased']
    """

    name: str
    family: str
    description: str
    fractions: tuple[tuple[str, ...], ...]
    debiased: str
    count: str
    totals: tuple[str, ...]
    campaign: str = ""

    def columns(self, votes, answers, suffix):
        """Name the columns of some answers.

        Parameters
        ----------
        votes : Votes
            The task and its answers.
        answers : iterable of str
            Some of these answers.
        suffix : str
            Suffix of fractions or of counts.

        Returns
        -------
        list of str
            One name per answer.
        """
        return [votes.task + self.campaign + answer + suffix for answer in answers]


@dataclass(frozen=True)
class Votes:
    """The answers to a question in one family of dialects.

    Parameters
    ----------
    family : str
        See `Dialect`.
    task : str
        Name of the question in columns.
    positive, negative : tuple of str
        Answers that count as positive and as negative.
    other : tuple of str
        Other answers that volunteers could give.

    Examples
    --------
    >>> from astromorph.questions import Question, Votes
    >>> ring = Question("ring", votes=(Votes("gz2", "t08_odd_feature", ("_a19_ring",),
    ...                                      ("_a21_disturbed", "_a24_merger")),))
    >>> ring.votes[0].task
    't08_odd_feature'
    """

    family: str
    task: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    other: tuple[str, ...] = ()


ENDS = ("_err", "_joint")
"""Suffixes of the columns with the spread and the joint probability of an answer (tuple of str)."""

_PLAIN = "a name of at most 60 letters (A-Z, a-z), digits and underscores"
# Columns of results beside the answers.
_TAKEN = ("morph_flag", "morph_row", "features", "similarity", "oddness")


def _is_plain(name):
    """Whether every file format allows this name for a column, also with ``_joint`` after it."""
    return isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) <= 60


@dataclass(frozen=True)
class Question:
    """One question about a galaxy's shape.

    Parameters
    ----------
    key : str
        Short name. A labeled table has its labels in a column of this name.
    column : str, optional
        Name of the answer's column; by default ``P_`` and the key, or ``V_`` and the key for a
        number. Columns of grades and classes append the answer. The published questions use the
        names of the SDSS catalog (Dominguez Sanchez et al. 2018, MNRAS 476, 3661).
    positive, negative : str, optional
        The two answers in words; by default the key, and the key after "not". For other kinds,
        ``positive`` says what the question asks for.
    parent : str, optional
        Key of the question that must be answered first.
    description : str, optional
        One line that describes the column.
    votes : tuple of Votes
        Its answers in each family of dialects, the preferred ones of a family first.
    asked_if : int
        The answer to the parent, 1 or 0, for which this question applies.
    ucd : str
        Unified content descriptor (IVOA) of the column; by default that of its kind.
    aliases : tuple of str
        Other names of its label column.
    kind : str
        Kind of answer: ``"yes_no"``, ordered ``"grades"``, exclusive ``"classes"`` or a
        ``"number"``.
    answers : tuple of str
        Names of the grades, the lowest first, or of the classes.
    limits : tuple of float, optional
        Smallest and largest possible number.
    unit : str or `~astropy.units.Unit`
        Unit of a number; stored as text.

    Raises
    ------
    ArgumentError
        If a parameter has a wrong value or does not go with the kind. Also if a column of answers
        would have the name of the label column or of another column of results.

    See Also
    --------
    astromorph.question_files.read_questions : Read questions from a TOML file.

    Examples
    --------
    >>> from astromorph import Question
    >>> ring = Question("ring", positive="ringed", parent="disk")
    >>> ring.columns, ring.negative
    (('P_ring',), 'not ringed')
    >>> Question("ring", kind="grades", answers=("none", "weak", "strong")).columns
    ('P_ring_none', 'P_ring_weak', 'P_ring_strong')
    >>> Question("t", column="TType", kind="number", limits=(-6, 11), ucd="src.morph.type").columns
    ('TType', 'e_TType')
    """

    key: str
    column: str = ""
    positive: str = ""
    negative: str = ""
    parent: str | None = None
    description: str = ""
    votes: tuple[Votes, ...] = ()
    asked_if: int = 1
    ucd: str = ""
    aliases: tuple[str, ...] = ()
    kind: str = "yes_no"
    answers: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None
    unit: str = ""

    def __post_init__(self):
        if not _is_plain(self.key):
            raise wrong("key", _PLAIN, repr(self.key))
        if self.asked_if not in (0, 1):
            raise wrong("asked_if", "the answer 1 or 0", repr(self.asked_if))
        if not isinstance(self.parent, (str, NoneType)):
            raise wrong("parent", "the key of a question, or None", repr(self.parent))
        kind = get_kind(self)
        self._tidy()
        kind.check(self)
        self._fill("positive", self.key.replace("_", " "))
        self._fill("negative", f"not {self.positive}")
        for name in ("column", "description"):
            self._fill(name, getattr(kind, name)(self))
        self._fill("ucd", kind.ucd)
        if strange := [name for name in self.columns if not _is_plain(name)]:
            raise wrong("column", _PLAIN, repr(strange[0]), "Not all file formats allow others.")
        labels = {name.lower() for name in (*self.label_columns, *_TAKEN)}
        if taken := [name for name in self.columns if name.lower() in labels]:
            raise wrong("column", f"another name than the label column ({self.key}) and the other "
                        f"columns of results ({', '.join(_TAKEN)})", taken[0],
                        "The answers would overwrite that column.")

    def _tidy(self):
        """Convert values from JSON, TOML and astropy to the types of the fields."""
        for name in ("answers", "aliases"):
            names = getattr(self, name)
            if not (isinstance(names, (list, tuple))
                    and all(isinstance(each, str) for each in names)):
                raise wrong(name, "a tuple of names", repr(names))
            object.__setattr__(self, name, tuple(names))
        if isinstance(self.limits, (list, tuple)):
            object.__setattr__(self, "limits", tuple(
                each.item() if isinstance(each, np.generic) else each for each in self.limits))
        if isinstance(self.unit, UnitBase):
            object.__setattr__(self, "unit", str(self.unit))
        self._fill("unit", "")

    def _fill(self, name, value):
        """Set a text field that the user left empty."""
        if not isinstance(getattr(self, name), str):
            raise wrong(name, "text", repr(getattr(self, name)))
        object.__setattr__(self, name, getattr(self, name) or value)

    @property
    def answer_columns(self):
        """Columns of its answer (tuple), each with its ``name``, ``description`` and ``ucd``."""
        return get_kind(self).columns(self)

    @property
    def columns(self):
        """Names of the columns of its answer (tuple of str)."""
        return tuple(column.name for column in self.answer_columns)

    @property
    def label_columns(self):
        """Names that the label column may have: the key and its aliases (tuple of str)."""
        return self.key, *self.aliases

    @classmethod
    def from_json(cls, record):
        """Build a question from the record of `dataclasses.asdict`, perhaps read from JSON.

        Parameters
        ----------
        record : dict
            Name of a parameter of this class to its value.

        Returns
        -------
        Question

        Raises
        ------
        ArgumentError
            If a parameter has a wrong value.

        Examples
        --------
        >>> from dataclasses import asdict
        >>> from astromorph import Question
        >>> Question.from_json(asdict(Question("ring"))) == Question("ring")
        True
        """
        votes = tuple(Votes(**{name: tuple(value) if isinstance(value, list) else value
                               for name, value in each.items()})
                      for each in record.get("votes", ()))
        return cls(**record | {"votes": votes})

    def votes_in(self, dialect):
        """Find the votes for this question in a dialect, the preferred ones first.

        Parameters
        ----------
        dialect : Dialect
            How the catalog names its columns.

        Returns
        -------
        list of Votes

        Examples
        --------
        >>> from astromorph.questions import DIALECTS, QUESTIONS
        >>> QUESTIONS[2].votes_in(DIALECTS[0])[0].positive
        ('_a06_bar',)
        """
        return [votes for votes in self.votes if votes.family == dialect.family]

    def vote_columns(self, dialect):
        """Name all columns of a dialect with votes for the positive or the negative answer.

        Parameters
        ----------
        dialect : Dialect
            How the catalog names its columns.

        Returns
        -------
        list of str

        Examples
        --------
        >>> from astromorph.questions import DIALECTS, QUESTIONS
        >>> QUESTIONS[2].vote_columns(DIALECTS[0])[:2]
        ['t03_bar_a06_bar_weighted_fraction', 't03_bar_a07_no_bar_weighted_fraction']
        """
        suffixes = (*sum(dialect.fractions, ()), dialect.debiased, dialect.count)
        names = (name for votes in self.votes_in(dialect) for suffix in suffixes
                 for name in dialect.columns(votes, votes.positive + votes.negative, suffix))
        return list(dict.fromkeys(names))


_DECALS = Dialect("decals", "decals", "Galaxy Zoo DECaLS volunteers, Galaxy Zoo DESI",
                  (("_fraction",),), "_debiased", "", ("_total-votes", "_total"))

DIALECTS = (
    Dialect("gz2", "gz2", "Galaxy Zoo 2: Willett et al. 2013, Hart et al. 2016",
            (("_weighted_fraction", "_weight_fraction"), ("_fraction", "_count_fraction")),
            "_debiased", "_count", ("_total_count", "_count")),
    Dialect("gz-des", "gz-des", "Galaxy Zoo DECaLS as matched to DES by Dominguez Sanchez et al. "
            "2019", (("_weighted_frac",), ("_frac",)), "_debiased", "_count",
            ("_count",)),
    _DECALS,
    *(replace(_DECALS, name=f"decals{campaign}", campaign=campaign,
              description=f"Galaxy Zoo votes with {campaign} in their names")
      for campaign in ("-dr12", "-dr5", "-dr8", "-gz2")),
)
"""How the known Galaxy Zoo catalogs name their columns (`tuple` of `Dialect`)."""

QUESTIONS = (
    Question("disk", "P_disk", "disk or features", "smooth", None,
             "Probability of a disk or features, against smooth",
             votes=(Votes("gz2", "t01_smooth_or_features", ("_a02_features_or_disk",),
                          ("_a01_smooth",), ("_a03_star_or_artifact",)),
                    Votes("gz-des", "t00_smooth_or_features", ("_a1_features",), ("_a0_smooth",),
                          ("_a2_artifact",)),
                    Votes("decals", "smooth-or-featured", ("_featured-or-disk",), ("_smooth",),
                          ("_artifact",))), aliases=("q1",)),
    Question("edge_on", "P_edge_on", "edge-on", "not edge-on", "disk",
             "Probability of being edge-on, given a disk or features",
             votes=(Votes("gz2", "t02_edgeon", ("_a04_yes",), ("_a05_no",)),
                    Votes("gz-des", "t01_disk_edge_on", ("_a0_yes",), ("_a1_no",)),
                    Votes("decals", "disk-edge-on", ("_yes",), ("_no",))), aliases=("q2",)),
    Question("bar", "P_bar", "barred", "not barred", "edge_on",
             "Probability of a bar, given a disk or features that is not edge-on",
             asked_if=0,
             votes=(Votes("gz2", "t03_bar", ("_a06_bar",), ("_a07_no_bar",)),
                    Votes("gz-des", "t02_bar", ("_a0_bar",), ("_a1_no_bar",)),
                    Votes("decals", "bar", ("_strong", "_weak"), ("_no",)),
                    Votes("decals", "bar", ("_yes",), ("_no",))), aliases=("q3",)),
)
"""The published questions ``disk``, ``edge_on`` and ``bar`` (`tuple` of `Question`)."""


def as_questions(given):
    """Convert one question or several to a tuple.

    Parameters
    ----------
    given : Question or iterable of Question
        One question or more.

    Returns
    -------
    tuple of Question

    Raises
    ------
    ArgumentError
        If there is no question, or something that is not a question.
    """
    questions = (given,) if isinstance(given, Question) or not isinstance(
        given, Iterable) else tuple(given)
    if not questions or not all(isinstance(each, Question) for each in questions):
        raise wrong("questions", "one Question or more", f"{given!r:.200}")
    return questions


def check_questions(questions):
    """Raise unless one classifier can answer these questions.

    Parameters
    ----------
    questions : sequence of Question
        Parents before their children.

    Raises
    ------
    ArgumentError
        If there is no question. If two questions share a key or a column, also one of labels or one
        that ends with ``_err`` or ``_joint``. If a child comes before its parent, or if the parent
        is not a yes/no question.
    """
    questions = as_questions(questions)
    keys = [question.key for question in questions]
    columns = [column + end for each in questions for column in each.columns
               for end in ("", *ENDS)]
    labels = [name for each in questions for name in each.label_columns]
    for name, values in {"key": keys, "column": columns + labels}.items():
        counts = Counter(value.lower() for value in values)
        if twice := [value for value in values if counts[value.lower()] > 1]:
            raise wrong("questions", f"each {name} once", twice)
    for place, question in enumerate(questions):
        if question.parent in keys[place:]:
            raise wrong("questions", f"{question.parent!r}, the parent, before {question.key!r}",
                        keys)
        if any(each.key == question.parent and each.kind != "yes_no" for each in questions):
            raise wrong("questions", f"a yes/no question as the parent of {question.key!r}",
                        repr(question.parent))


def split_answers(questions, answers):
    """Split an array of answers by question.

    Parameters
    ----------
    questions : sequence of Question
        The questions.
    answers : `~numpy.ndarray`, shape (..., columns)
        The columns of all questions, in their order.

    Returns
    -------
    list of `~numpy.ndarray`, shape (..., columns of the question)
        One array per question.
    """
    ends = list(accumulate(len(question.columns) for question in questions))
    return np.split(answers, ends, axis=-1)[:-1]


def probability_asked(questions, probabilities):
    """Compute the probability that each question applies, given the answers to its parents.

    Parameters
    ----------
    questions : sequence of Question
        Parents before their children. A parent that is missing counts as answered.
    probabilities : iterable of array-like of any shape, one per question
        Probabilities of the positive answers. Only those of yes/no questions matter.

    Returns
    -------
    list of array-like
        One per question; 1 for a question without a parent.
    """
    keys = [question.key for question in questions]
    reached, answers = {}, dict(zip(keys, probabilities, strict=True))
    for question in questions:
        positive = answers.get(question.parent, question.asked_if)
        reached[question.key] = reached.get(question.parent, 1.0) * (
            positive if question.asked_if else 1 - positive)
    return list(reached.values())
