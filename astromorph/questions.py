"""The questions a classifier answers, one record each, and the columns of their votes."""
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
    """How a Galaxy Zoo catalog spells its columns: task, campaign, answer, then a suffix.

    Parameters
    ----------
    name : str
        Short name.
    family : str
        Names the `Votes` of each question that this dialect uses.
    description : str
        Whose catalogs speak it.
    fractions : tuple of tuple of str
        Suffixes of vote fractions, the best kind first; within a kind, its spellings.
    debiased : str
        Suffix of fractions that were corrected for redshift bias.
    count : str
        Suffix of the number of votes for an answer.
    totals : tuple of str
        What follows the task in the name of its number of votes; spellings.
    campaign : str
        What follows the task in all names.
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
            Whose task it is.
        answers : iterable of str
            Some of its answers.
        suffix : str
            What follows them: of fractions or of counts.

        Returns
        -------
        list of str
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
        The question's name in columns.
    positive, negative : tuple of str
        Answers that count as the positive and as the negative one.
    other : tuple of str
        Further answers that volunteers could give.
    """

    family: str
    task: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    other: tuple[str, ...] = ()


ENDS = ("_err", "_joint")
"""What follows the column of an answer in those of its spread, and of its joint probability."""

_PLAIN = "a name of at most 60 letters (A-Z, a-z), digits and underscores"
# Columns that tables of results have beside the answers.
_TAKEN = ("morph_flag", "morph_row", "features", "similarity", "oddness")


def _is_plain(name):
    """Whether columns of every format of files can be called so, with ``_joint`` after it."""
    return isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) <= 60


@dataclass(frozen=True)
class Question:
    """One question about a galaxy's shape.

    Parameters
    ----------
    key : str
        Short name, also the label column of a labeled table.
    column : str, optional
        Name of the probability column; by default ``P_`` and the key. Those of the published
        questions are the columns of the SDSS catalog (Dominguez Sanchez et al. 2018, MNRAS 476,
        3661). Columns of grades and classes have the answer after it; that of a number begins
        with ``V_`` by default.
    positive, negative : str, optional
        The two answers, for people; by default the key, and "not" before it. Of other kinds,
        ``positive`` is what is asked for.
    parent : str, optional
        Key of the question whose answer makes this one meaningful.
    description : str, optional
        One line for table columns.
    votes : tuple of Votes
        Its answers in each family of dialects; of one family, the preferred ones first.
    asked_if : int
        The answer to the parent, 1 or 0, that makes this question meaningful.
    ucd : str
        IVOA unified content descriptor of the column; by default that of its kind.
    aliases : tuple of str
        Other names of its label column.
    kind : str
        How it is answered: ``"yes_no"``; ordered ``"grades"``; exclusive ``"classes"``; or a
        ``"number"``.
    answers : tuple of str
        The names of grades, the lowest first, or of classes.
    limits : tuple of float, optional
        Least and greatest number that there can be.
    unit : str or `~astropy.units.Unit`
        Of a number; kept as text.

    Raises
    ------
    ValueError
        If the key or a column is no plain name, a parameter is not as described or does not go
        with the kind, or answers would be in the column of the labels.

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
            raise wrong("column", _PLAIN, repr(strange[0]), "Files hold no others.")
        labels = {name.lower() for name in (*self.label_columns, *_TAKEN)}
        if taken := [name for name in self.columns if name.lower() in labels]:
            raise wrong("column", f"a column that is none of the labels' ({self.key}) and none of "
                        f"those of all results ({', '.join(_TAKEN)})", taken[0],
                        "Answers would take the place of those.")

    def _tidy(self):
        """Turn what JSON, TOML and astropy bring into what the fields hold."""
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
        """Set a text that was not given."""
        if not isinstance(getattr(self, name), str):
            raise wrong(name, "text", repr(getattr(self, name)))
        object.__setattr__(self, name, getattr(self, name) or value)

    @property
    def answer_columns(self):
        """How tables show its answer (tuple of `~astromorph.answers.AnswerColumn`)."""
        return get_kind(self).columns(self)

    @property
    def columns(self):
        """Names of the columns of its answer (tuple of str)."""
        return tuple(column.name for column in self.answer_columns)

    @property
    def label_columns(self):
        """Names of the label column: the key and its aliases (tuple of str)."""
        return self.key, *self.aliases

    @classmethod
    def from_json(cls, record):
        """Build from the record that `dataclasses.asdict` gives, as JSON brings it back.

        Parameters
        ----------
        record : dict
            Of the parameters of this class.

        Returns
        -------
        Question
        """
        votes = tuple(Votes(**{name: tuple(value) if isinstance(value, list) else value
                               for name, value in each.items()})
                      for each in record.get("votes", ()))
        return cls(**record | {"votes": votes})

    def votes_in(self, dialect):
        """Find the votes that a dialect may use, the preferred ones first.

        Parameters
        ----------
        dialect : Dialect
            How the catalog spells its columns.

        Returns
        -------
        list of Votes
        """
        return [votes for votes in self.votes if votes.family == dialect.family]

    def vote_columns(self, dialect):
        """Name all columns of a dialect that hold votes for one of the two answers.

        Parameters
        ----------
        dialect : Dialect
            How the catalog spells its columns.

        Returns
        -------
        list of str
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


def as_questions(given):
    """Give questions as a tuple.

    Parameters
    ----------
    given : Question or iterable of Question
        One or more.

    Returns
    -------
    tuple of Question

    Raises
    ------
    ValueError
        If they are none, or something else.
    """
    questions = (given,) if isinstance(given, Question) or not isinstance(
        given, Iterable) else tuple(given)
    if not questions or not all(isinstance(each, Question) for each in questions):
        raise wrong("questions", "one Question or more", f"{given!r:.200}")
    return questions


def check_questions(questions):
    """Raise unless questions can be answered together.

    Parameters
    ----------
    questions : sequence of Question
        Parents before their children.

    Raises
    ------
    ValueError
        If there are none, two share a key or a column, that of labels or ``_err`` and ``_joint``
        after it included, a child comes before its parent, or the parent is no yes/no question.
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
    """Take the columns of answers apart.

    Parameters
    ----------
    questions : sequence of Question
    answers : `~numpy.ndarray`, shape (..., columns)
        The columns of one question after those of the other.

    Returns
    -------
    list of `~numpy.ndarray`, shape (..., columns of the question)
    """
    ends = list(accumulate(len(question.columns) for question in questions))
    return np.split(answers, ends, axis=-1)[:-1]


def probability_asked(questions, probabilities):
    """Tell how likely each question is to be asked of each galaxy, given the answers before it.

    Parameters
    ----------
    questions : sequence of Question
        Parents before their children; a parent that is not among them counts as answered.
    probabilities : iterable of array-like of any shape, one per question
        Of the positive answers; those to questions that are not yes/no ones do not matter.

    Returns
    -------
    list of array-like
        One per question; 1 for the first.
    """
    keys = [question.key for question in questions]
    reached, answers = {}, dict(zip(keys, probabilities, strict=True))
    for question in questions:
        positive = answers.get(question.parent, question.asked_if)
        reached[question.key] = reached.get(question.parent, 1.0) * (
            positive if question.asked_if else 1 - positive)
    return list(reached.values())
