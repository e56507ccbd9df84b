"""A classifier learns in its own thread while a person labels.

Every 25 answers, heads learn from all labels and are scored on the sealed share. Then the galaxies
whose labels teach most come next. The journal determines all results, so a session that continues
has its whole curve again.
"""
import json
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread

import numpy as np

from astromorph.arguments import check_count
from astromorph.atomic import write_file
from astromorph.labeling.curve import score_sealed
from astromorph.labeling.galaxies import one_line
from astromorph.labeling.keys import NO_GALAXY
from astromorph.labeling.lessons import Lessons, as_point, labels_of
from astromorph.labeling.seen import SeenGalaxies
from astromorph.learning.adapting import adapt
from astromorph.learning.reports import AdaptationReport
from astromorph.learning.teaching import is_taught
from astromorph.model.files import WEIGHTS
from astromorph.questions import split_answers
from astromorph.running import run

__all__ = ["Learner"]

_CHUNK = 64  # galaxies to read before other tasks have their turn
_ENOUGH = 512  # galaxies that the first order needs
_PATIENCE = 5.0  # seconds to wait for the end of the thread
_TOO_FEW = ("There are too few labels for weights yet: a question needs at least 10 galaxies of "
            "each answer, or 30 numbers, apart from the galaxies that measure the accuracy. Your "
            "labels are kept. Continue, and press Teach or Save again later.")


class Learner:
    """Trains a classifier while a person labels.

    Parameters
    ----------
    classifier : `~astromorph.MorphologyClassifier`
        The classifier to start from.
    session : `~astromorph.labeling.session.LabelSession`
        The session with the labels.
    every : int
        Number of answers between two lessons.
    seen : `~astromorph.labeling.seen.SeenGalaxies`, optional
        Features of the galaxies, if they are known already.

    Attributes
    ----------
    on_change : callable or None
        Called without arguments, in the learner's thread, when `state` has changed.
    taught : `~astromorph.model.TrainedModel` or None
        The last result of `teach`.
    """

    def __init__(self, classifier, session, every=25, *, seen=None):
        check_count(every, "every")
        self._model, self._session, self._every = classifier.model, session, every
        self._seen = seen or SeenGalaxies(self._model, session.galaxies.source(self._model))
        self._survey = session.galaxies.options.get("survey")
        self.lessons = Lessons(session.questions, session.sealed, self._seen, every)
        self.on_change, self.taught = None, None
        self._is_aligned, self._learned, self._keeps_error = seen is not None, None, False
        self._stopped, self._busy, self._wanted, self._folder = False, False, False, None
        self._turn, self._thread = Condition(), None
        self._state = {"status": "reading", "error": "", "read": int(self._seen.read.sum()),
                       "total": len(self._seen), "labels": 0, "questions": {}, "forecast": {},
                       "details": [], "suspects": [], "taught": None}

    def start(self):
        """Start the thread."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name="astromorph-learner", daemon=True)
            self._thread.start()

    def stop(self):
        """Stop the thread. Its current task may take some more seconds."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def labels_changed(self):
        """Notify the thread of new answers."""
        with self._turn:
            self._turn.notify_all()

    def wait(self, timeout=None):
        """Wait until all tasks are done.

        Parameters
        ----------
        timeout : float, optional
            Seconds, at most.

        Returns
        -------
        bool
            Whether all tasks are done.
        """
        with self._turn:
            return self._turn.wait_for(
                lambda: not (self._thread and self._thread.is_alive())
                or not self._busy and self._task() is None, timeout)

    def state(self):
        """Give what was learned, as JSON can hold it.

        The scores change with a lesson only. So nothing shows whether the last galaxy was sealed.

        Returns
        -------
        dict
            ``status`` is reading, learning, teaching, waiting or stopped. ``error`` is the last
            error: one of `teach` stays until the next `teach`, others until the next lesson.
            ``message`` puts both into words. ``read`` of ``total`` galaxies have features.
            ``labels`` counts the answers of the last lesson. ``questions`` and ``forecast`` hold
            curve and forecast by the key of the question. For ``details`` see
            `~astromorph.labeling.lessons.Lessons.scores`, for ``suspects``
            `~astromorph.learning.suspects.find_suspects`. ``taught`` is None or the result of
            `teach`: ``labels``, ``report``, and ``questions`` with scores on the sealed share.
        """
        with self._turn:
            return self._state | {"message": _message(self._state, self._folder)}

    def teach(self):
        """Adapt the network to all labels that are not sealed, in the thread. It takes minutes."""
        with self._turn:
            self._want_teaching()
            self._turn.notify_all()

    def _want_teaching(self):
        """Plan to teach. The user has seen the last error by now."""
        self._wanted, self._keeps_error = True, False
        self._state = self._state | {"error": ""}

    def save(self, folder):
        """Write weights, their card and a report. New labels are taught first.

        Parameters
        ----------
        folder : path
            The report is written at once, weights and card after the training.

        Returns
        -------
        `~pathlib.Path`
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with self._turn:
            self._folder, taught = folder, self._state["taught"]
            self._write()
            if taught is None or taught["labels"] != len(self._answered()):
                self._want_teaching()
            self._turn.notify_all()
        if self.on_change is not None:
            self.on_change()  # the message says where the classifier is
        return folder

    def _work(self):
        with self._seen:
            while self._next():
                pass
        self._tell(status="stopped")

    def _next(self):
        """Do the next task. Return False after `stop`."""
        with self._turn:
            self._turn.wait_for(lambda: self._stopped or self._task())
            if self._stopped:
                return False
            (status, task), self._busy = self._task(), True
        self._tell(status=status)
        try:
            task()
        except Exception as error:  # people continue to label
            self._keeps_error = status == "teaching"  # the next lesson may succeed
            self._tell(error=one_line(error) or type(error).__name__)
            with suppress(OSError):
                self._write()  # the report says why there are no weights
        with self._turn:
            self._busy = False
            waits = self._task() is None
            self._turn.notify_all()
        if waits:
            self._tell(status="waiting")
        return True

    def _task(self):
        """The status and the function of the next task, or None."""
        if self._wanted:
            return "teaching", self._adapt
        if not self._is_aligned:
            return "reading", self._align
        read = self._seen.read
        if self._is_due(read.all() or read.sum() >= _ENOUGH):
            return "learning", self._learn
        return None if read.all() else ("reading", self._read)

    def _is_due(self, enough):
        """Whether a lesson is due, or the first order."""
        if self._learned is None:
            return enough
        return len(self._to_learn()) != self._learned

    def _to_learn(self):
        """The answers up to the last lesson: counts between lessons could show which are sealed."""
        answered = self._answered()
        return answered[:len(answered) // self._every * self._every]

    def _answered(self):
        """The answers that count, in their order in time."""
        return [entry for entry in self._session.done() if not entry.get("again")]

    def _tell(self, **news):
        with self._turn:
            changed = any(self._state[name] != value for name, value in news.items())
            self._state = self._state | news
        if changed and self.on_change is not None:
            self.on_change()

    def _align(self):
        self._is_aligned = True
        self._seen.align(self._survey)

    def _read(self):
        """Read galaxies with an answer first, then those that come next, then the sealed ones."""
        read = self._seen.read
        wanted = [*(entry["row"] for entry in self._answered()),
                  *(row % len(read) for row in self._session.upcoming()),
                  *sorted(self._session.sealed), *np.flatnonzero(~read).tolist()]
        rows = [row for row in dict.fromkeys(wanted) if not read[row]][:_CHUNK]
        try:
            self._seen.add(rows)
        finally:
            read[rows] = True  # no galaxy is tried twice
        self._tell(read=int(read.sum()))

    def _learn(self):
        answered = self._to_learn()
        self._learned = len(answered)
        self.lessons.learn(answered)
        self._session.set_order(self.lessons.order(self._session.seed + len(answered)))
        details = self.lessons.scores()
        self._tell(labels=len(answered), details=details,
                   error=self._state["error"] if self._keeps_error else "",
                   questions={each["key"]: each["curve"] for each in details},
                   forecast={each["key"]: each["forecast"] for each in details},
                   suspects=self.lessons.suspects())

    def _adapt(self):
        """Run the full `adapt`, and score the result on the sealed share."""
        self._wanted = False
        answered, questions = self._answered(), self._session.questions
        rows = np.array([entry["row"] for entry in answered], int)
        labels, sealed = labels_of(answered, questions), np.isin(rows, list(self._session.sealed))
        teaches = ~sealed & np.array([entry["key"] != NO_GALAXY for entry in answered], bool)
        if not any(map(is_taught, labels[teaches].T, questions)):
            raise ValueError(_TOO_FEW)
        model = self._adapted(self._seen.rows(rows[teaches]), labels[teaches])
        scores = self._scores(model, rows[sealed], labels[sealed])
        told = {"labels": len(answered), "questions": scores}
        self.taught = model.replace(more=model.card.more | {"sealed_share": told})
        self._tell(taught=told | {"report": str(AdaptationReport.of(model.card))}, error="")
        self._write()

    def _adapted(self, source, labels):
        """The network adapted to its own questions; heads for others."""
        questions, own = self._session.questions, self._model.questions
        if not any(each in own for each in questions):
            return adapt(self._model, source, labels, questions=questions, survey=self._survey,
                         progress=False)
        values = np.full((len(labels), len(own)), np.nan)
        for question, y in zip(questions, labels.T, strict=True):
            values[:, own.index(question)] = y
        return adapt(self._model, source, values, survey=self._survey, progress=False)

    def _scores(self, model, rows, labels):
        """Scores of each question on some galaxies."""
        results = run(self._seen.rows(rows), model.answer, size=model.size,
                      frame_r90=model.frame_r90, prepare=model.prepare, watch=model.watch(),
                      progress=False)
        answers = dict(zip((each.key for each in model.all_questions),
                           split_answers(model.all_questions, results.answers)))
        scores = []
        for question, y in zip(self._session.questions, labels.T, strict=True):
            p = answers[question.key]
            known = np.isfinite(y) & np.isfinite(p).all(axis=1)
            point = as_point(int(known.sum()), score_sealed(question, y[known], p[known]))
            scores.append({"key": question.key, "sealed": point.pop("labels"), **point})
        return scores

    def _write(self):
        """Write what there is into the folder that `save` was given."""
        if self._folder is None:
            return
        state = self.state()
        write_file(self._folder / "report.txt", report_text(state).encode())
        write_file(self._folder / "learning.json", json.dumps(state, indent=1).encode())
        if self.taught is not None:
            self.taught.write(self._folder / WEIGHTS, overwrite=True)
            write_file(self._folder / "card.json",
                       json.dumps(self.taught.card.to_json(), indent=1).encode())


def _message(state, folder):
    """A state in words, empty if there is nothing to say."""
    if state["error"]:
        return state["error"]
    if state["status"] == "teaching":
        return ("The network is being adapted to the labels. It takes minutes. You can continue to "
                "label.")
    if state["read"] < state["total"]:
        return (f"Reading your galaxies: {state['read']} of {state['total']}. You can label "
                "meanwhile.")
    if state["taught"]:
        found = (f"{each['key'].replace('_', ' ')} {_score(each, '.0%')}"
                 for each in state["taught"]["questions"])
        kept = "Press Save to keep it." if folder is None else f"It is in {folder.name}."
        return (f"The whole network was taught after {state['taught']['labels']} answers. On "
                f"galaxies that taught nothing: {'; '.join(found)}. {kept}")
    return ""


def _score(point, form=".3f"):
    """The first score of a point, with its interval, as text."""
    name, form = ("rms", ".3f") if "rms" in point else ("accuracy", form)
    if point[name] is None:
        return "unknown"
    return f"{name} {point[name]:{form}} ({point['low']:{form}} to {point['high']:{form}})"


def report_text(state):
    """Put a state of the learner into words.

    Parameters
    ----------
    state : dict
        See `Learner.state`.

    Returns
    -------
    str
    """
    lines = [f"Learned from {state['labels']} answers. Scores on the sealed share, which taught "
             "nothing (68% interval):"]
    for each in state["details"]:
        lines += [f"{each['key']}: {each['labels']} labels that teach, {each['sealed']} sealed",
                  *(f"    after {point['labels']} answers: {_score(point)}"
                    for point in each["curve"]), f"    {each['forecast']}"]
    if state["error"]:
        lines += ["", f"What went wrong last: {state['error']}"]
    if state["taught"]:
        lines += ["", f"The network adapted after {state['taught']['labels']} answers, on the "
                  "sealed share:",
                  *(f"{each['key']}: {_score(each)}, {each['sealed']} sealed"
                    for each in state["taught"]["questions"]), "", state["taught"]["report"]]
    return "\n".join([*lines, ""])
