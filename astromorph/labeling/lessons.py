"""Lessons: heads that learn from the answers, their scores, and what to label next.

For its own questions, the network starts with its present answers, see
`~astromorph.learning.corrections.fit_correction`. Other questions need enough labels first.
"""
import numpy as np

from astromorph.labeling.curve import forecast, score_sealed
from astromorph.learning.corrections import Correction, fit_correction
from astromorph.learning.labels import MIN_PER_ANSWER
from astromorph.learning.suggesting import suggest_rows, total_entropy
from astromorph.learning.suspects import find_suspects
from astromorph.learning.teaching import count_labels, fit_head, is_taught

__all__ = ["Lessons", "as_point", "labels_of"]

_AHEAD = 100  # galaxies that are put in order


class Lessons:
    """Heads for some questions, after each lesson.

    Parameters
    ----------
    questions : sequence of `~astromorph.questions.Question`
    sealed : set of int
        Rows that never train.
    seen : `~astromorph.labeling.seen.SeenGalaxies`
    every : int
        Number of answers between two lessons.
    """

    def __init__(self, questions, sealed, seen, every):
        self.questions, self.sealed, self.seen, self.every = questions, sealed, seen, every
        self.taught = {0: {}}  # number of answers -> key of a question -> what answers it
        self._taught_by = {}  # number of answers -> rows and labels
        self._take([])

    def learn(self, answered):
        """Do all lessons that are missing, such as those before a restart.

        Parameters
        ----------
        answered : list of dict
            Entries of a journal, in their order in time.
        """
        self._take(answered)
        self.taught = {n: each for n, each in self.taught.items() if self._stands(n)}
        for n in range(self.every, len(answered) + 1, self.every):
            if n not in self.taught:
                self.taught[n] = self._fit(n)
                self._taught_by[n] = self.rows[:n], self.labels[:n]

    def _stands(self, n):
        """Whether the answers that taught a lesson still count and are still the first ones."""
        rows, labels = self._taught_by.get(n, (self.rows[:0], self.labels[:0]))
        return n <= len(self.rows) and np.array_equal(rows, self.rows[:n]) and np.array_equal(
            labels, self.labels[:n], equal_nan=True)

    def _take(self, answered):
        self.rows = np.array([entry["row"] for entry in answered], int)
        self.is_sealed = np.isin(self.rows, list(self.sealed))
        self.labels = labels_of(answered, self.questions)
        self._usable = self.seen.usable()
        self.labels[~self._usable[self.rows]] = np.nan

    @property
    def last(self):
        """The latest head of each question, by its key (dict)."""
        return self.taught[max(self.taught)]

    def _fit(self, n):
        everything = self.seen.of(np.flatnonzero(self._usable))[1]
        found, first = {}, np.arange(len(self.rows)) < n
        for question, y in zip(self.questions, self.labels.T, strict=True):
            known = first & ~self.is_sealed & np.isfinite(y)
            if is_taught(y[known], question):
                present, features = self.seen.of(self.rows[known])
                own = self.seen.place(question)
                found[question.key] = (
                    fit_head(question, features[None], y[known]) if own is None else
                    fit_correction(features, present[:, own], y[known], everything=everything))
        return found

    def answer(self, question, taught, rows):
        """Answer a question with the heads of one lesson.

        Parameters
        ----------
        question : `~astromorph.questions.Question`
        taught : dict
            Of ``taught``.
        rows : sequence of int
            Galaxies with features.

        Returns
        -------
        `~numpy.ndarray`, shape (rows, columns)

        Raises
        ------
        KeyError
            If the lesson has no head for the question.
        """
        present, features = self.seen.of(rows)
        own = self.seen.place(question)
        if own is None:
            return taught[question.key].answer(features)
        return taught.get(question.key, Correction()).answer(features, present[:, own])

    def _is_answered(self, question, taught):
        return question.key in taught or self.seen.place(question) is not None

    def order(self, seed):
        """Choose the galaxies whose labels would teach most, by the rule of `suggest`.

        Parameters
        ----------
        seed : int

        Returns
        -------
        list of int
            Rows, the most useful first.
        """
        left = self._usable.copy()
        left[[*self.rows, *self.sealed]] = False
        rows = np.flatnonzero(left)
        known = [each for each in self.questions if self._is_answered(each, self.last)]
        if not (len(rows) and known):
            return []
        answers = np.hstack([self.answer(each, self.last, rows) for each in known])
        features = self.seen.of(rows)[1].astype(float)
        chosen = suggest_rows(features, total_entropy(known, answers), _AHEAD, seed=seed)
        return rows[chosen].tolist()

    def scores(self):
        """Give counts, scores and forecast of each question.

        Returns
        -------
        list of dict
            ``key``, ``title`` and ``kind`` of the question. ``labels`` counts the labels for
            training, and ``taught`` says whether they were enough. ``sealed`` counts the galaxies
            that test it.
            ``curve`` is a list, see `as_point`. ``forecast`` is a sentence.
        """
        return [self._score(*each) for each in zip(self.questions, self.labels.T, strict=True)]

    def _score(self, question, y):
        test, known = self.is_sealed & np.isfinite(y), np.isfinite(y)
        answers = {n: self.answer(question, taught, self.rows[test])
                   for n, taught in self.taught.items() if self._is_answered(question, taught)}
        curve = [as_point(n, score_sealed(question, y[test], each)) for n, each in answers.items()]
        answers.pop(0, None)
        told = forecast(question, list(answers), y[test], list(answers.values())).sentence
        is_known = question.key in self.last
        return {"key": question.key, "title": question.positive, "kind": question.kind,
                "labels": int((known & ~self.is_sealed).sum()), "taught": is_known,
                "sealed": int(test.sum()), "curve": curve,
                "forecast": told if is_known else self._needs(question, y[known & ~self.is_sealed])}

    def _needs(self, question, y):
        """What is missing before a question can be learned, as a sentence."""
        if not len(self.rows):
            return f"It first learns after {self.every} answers."
        if question.kind == "number":
            return f"It learns from {3 * MIN_PER_ANSWER} galaxies. So far: {len(y)}."
        so_far = ", ".join(f"{name.replace('_', ' ')} {n}"
                           for name, n in count_labels(y, question).items())
        return f"It learns from {MIN_PER_ANSWER} galaxies of each answer. So far: {so_far}."

    def suspects(self):
        """Give the labels that other labels contradict, the most suspect first (list of dict).

        Sealed galaxies are among them. Otherwise their absence would show which they are.
        """
        usable = np.flatnonzero(self._usable[self.rows])
        labels = self.labels[usable]
        asked = [k for k, question in enumerate(self.questions)
                 if is_taught(labels[:, k], question)]
        if not asked:
            return []
        found = find_suspects([each.key for each in self.seen.model.questions],
                              *self.seen.of(self.rows[usable]), labels[:, asked],
                              [self.questions[k] for k in asked])
        return [each | {"row": int(self.rows[usable[each["row"]]])} for each in found]


def labels_of(answered, questions):
    """Read the labels of entries of a journal.

    Parameters
    ----------
    answered : list of dict
    questions : sequence of `~astromorph.questions.Question`

    Returns
    -------
    `~numpy.ndarray`, shape (n, questions)
        NaN where there is no label.
    """
    values = [[entry["answers"].get(question.key, np.nan) for question in questions]
              for entry in answered]
    return np.array(values, float).reshape(len(answered), len(questions))


def as_point(n, scores):
    """Make a point of a curve.

    Parameters
    ----------
    n : int
        Number of answers.
    scores : dict
        See `~astromorph.labeling.curve.score_sealed`.

    Returns
    -------
    dict
        ``labels``, and each score by its name. ``low`` and ``high`` are the limits of the first
        score; those of the others begin with their names.
    """
    point, first = {"labels": n}, next(iter(scores))
    for name, (value, low, high) in scores.items():
        start = "" if name == first else f"{name}_"
        point |= {name: value, f"{start}low": low, f"{start}high": high}
    return point
