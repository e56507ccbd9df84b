"""The messages between the page and Python, for every way of transport.

Messages are dictionaries that JSON can hold, with a ``type``. From the page::

    ready {}                                 asks for "state"
    answer {id, row, key | value, shown, ms} "written" once it is on the disk; the same id is
                                             written once, however often it is sent
    undo {id, of}                            "undone"; "of" is the id of an answer or of an undo, by
                                             default the last answer
    want {rows, stretch}                     a "picture" for each row
    go {row}                                 "queue" with this row in front
    teach {}                                 "learning", and again when it is done
    save {}                                  "saved"
    suspects {}                              "suspects"
    compare {}                               "compared"

From Python, of which "learning" also comes unasked::

    state {session, title, labeler, questions: [{key, title, kind}], keys: [{key, title}],
           number: {title, unit, limits} | null, hint, total, queue: [{row, name}],
           done: [{id, row, name, key, value}], progress: {answered, total, keys: {key: count}},
           learning | null, can: {teach, save, suspects, compare}}
    picture {row, stretch, mime, meta: {width, height, scale?, north?, problem?}}, and its bytes
    written {id, n, row, queue, progress}
    undone {id, of, row, name, key | null, value | null, queue, progress}
                                             "key" and "value" are those that stand now
    queue {queue, progress}
    learning {...}                           the learner's state
    saved {path, folder | null}
    suspects {rows: [{row, name, ...}]}
    compared {own: [score], others: [{labeler, agreement: [score], disagreements: [
              {row, name, first, second}]}]}, a score being {question, n, agree, kappa, kappa_low,
              kappa_high}, null where there is none
    error {message, refused, id?}            with the id of an answer that was not written; the page
                                             sends it again unless it was refused

A row is a number that the page gives back as it is. Nothing tells which galaxies are sealed.
An "error" without an id is about something else than an answer, which then is written.
"""
import math
from concurrent.futures import ThreadPoolExecutor
from threading import RLock

import numpy as np

from astromorph.errors import wrong
from astromorph.labeling.galaxies import STRETCHES, one_line
from astromorph.labeling.messages import Talker, answer_message, as_asked, is_finite, one, text_of
from astromorph.questions import QUESTIONS

__all__ = ["AHEAD", "Conversation"]

AHEAD = 20
"""Galaxies that the page is told of ahead."""
_THREADS = 8
_SAVED_EACH = 10  # entries of the journal


class Conversation(Talker):
    """Answers the messages of a page. Threads can share it.

    Parameters
    ----------
    session : `~astromorph.labeling.session.LabelSession`
    learner : object, optional
        Has ``start()``, ``stop()``, ``labels_changed()``, ``state()``, ``teach()`` and
        ``save(folder)``; an attribute ``on_change`` is set to a function that tells the page.
    title : str
    save : callable, optional
        Writes the table of labels, and returns its path.
    folder : path, optional
        Where the learner's results go.
    compare : callable, optional
        Returns what "compared" holds.
    """

    page = "page.html"

    def __init__(self, session, learner=None, *, title="Label galaxies", save=None, folder=None,
                 compare=None):
        super().__init__()
        self.session, self.learner = session, learner
        self._title, self._save, self.folder, self._compare = title, save, folder, compare
        self._turn, self._closed = RLock(), False
        self._pool = ThreadPoolExecutor(_THREADS)
        if learner is not None:
            learner.on_change = self.push_learning
            learner.start()

    def push_learning(self):
        """Send the state of the learner to all pages."""
        self._tell(self._learned())

    def close(self):
        """Stop the background work, write the table, and close the journal."""
        if self._closed:
            return
        self._closed = True
        if self.learner is not None:
            self.learner.stop()
        self._pool.shutdown(cancel_futures=True)
        try:
            if self._save is not None:
                self._save()
        finally:
            self.session.close()
            self.session.galaxies.close()

    def receive(self, message):
        """Answer a message. Pictures can take seconds, all other answers are quick.

        Parameters
        ----------
        message : dict

        Returns
        -------
        list of (dict, bytes or None)
            No message raises an error here: the reply "error" says what is wrong.
        """
        return answer_message({
            "ready": self._ready, "answer": self._answer, "undo": self._undo, "want": self._want,
            "go": self._go, "teach": self._teach, "save": self._saved,
            "suspects": self._suspects, "compare": self._compared}, message)

    def _ready(self, message):
        session, start = self.session, self.session.journal.entries[0]
        return one("state", session=f"{start['galaxies']} {start['time']}",
                   title=one_line(self._title), labeler=one_line(session.labeler),
                   questions=[{"key": each.key, "title": one_line(each.positive),
                               "kind": each.kind} for each in session.questions],
                   **as_asked(session.questions, session.keys.values()),
                   hint=_hint(session.questions), total=len(session),
                   done=[{"id": entry["id"], **self._told(entry)} for entry in session.done()],
                   learning=self.learner and as_json(self.learner.state()),
                   can={"teach": self.learner is not None, "save": self._save is not None,
                        "suspects": self.learner is not None,
                        "compare": self._compare is not None}, **self._next())

    def _next(self):
        return {"queue": [self._named(row) for row in self.session.upcoming(AHEAD)],
                "progress": self.session.progress()}

    def _named(self, row):
        return {"row": row, "name": self.session.galaxies.names[row % len(self.session)]}

    def _told(self, entry):
        """The row and its answer, without the rest of the entry."""
        row = entry["row"] + (len(self.session) if entry.get("again") else 0)
        return {**self._named(row), "key": entry["key"], "value": entry.get("value")}

    def _answer(self, message):
        id = text_of(message, "id")
        shown, ms = message.get("shown"), message.get("ms")
        shown = shown if isinstance(shown, dict) else {}
        shown = {name: shown.get(name) for name in ("stretch", "zoom", "invert")
                 if isinstance(shown.get(name), (str, bool)) or is_finite(shown.get(name))}
        with self._turn:
            entry = self.session.answer(
                message["row"], message.get("key"), message.get("value"), id=id,
                shown={name: value[:20] if isinstance(value, str) else value
                       for name, value in shown.items()},
                ms=ms if is_finite(ms) else None)
            reply = one("written", id=id, n=entry["n"], row=message["row"], **self._next())
        return reply + self._changed()

    def _undo(self, message):
        id = text_of(message, "id")
        with self._turn:
            entry = self.session.undo(message.get("of"), id=id)
            row = entry["row"] + (len(self.session) if entry["again"] else 0)
            now = self.session.standing_answer(row)
            told = self._told(now) if now else {**self._named(row), "key": None, "value": None}
            reply = one("undone", id=id, of=entry["of"], **told, **self._next())
        return reply + self._changed()

    def _changed(self):
        """Notify the learner of an answer, and write the table after every few answers.

        The answer is on the disk already, so an error here is a separate message.
        """
        try:
            if self.learner is not None:
                self.learner.labels_changed()
            if self._save is not None and len(self.session.journal.entries) % _SAVED_EACH == 0:
                self._save()
        except Exception as error:
            return one("error", message=f"All answers are in {one_line(self.session.journal.path)}"
                                        f", but {one_line(error) or type(error).__name__}")
        return []

    def _want(self, message):
        stretch = message.get("stretch", STRETCHES[0])
        rows = list(message["rows"])[:2 * AHEAD]
        for row in rows:
            if not isinstance(row, int) or not 0 <= row < 2 * len(self.session):
                raise wrong("rows", "numbers of rows", f"{row!r:.40}")
        return list(self._pool.map(lambda row: self._picture(row, stretch), rows))

    def _picture(self, row, stretch):
        picture, meta = self.session.galaxies.picture(row % len(self.session), stretch)
        return {"type": "picture", "row": row, "stretch": stretch, "mime": "image/jpeg",
                "meta": meta}, picture

    def _go(self, message):
        self.session.go(message["row"])
        return one("queue", **self._next())

    def _learner(self):
        if self.learner is None:
            raise wrong("learner", "a classifier that learns", "none")
        return self.learner

    def _teach(self, message):
        self._learner().teach()
        return self._learned()

    def _learned(self):
        return one("learning", **as_json(self.learner.state()))

    def _saved(self, message):
        if self._save is None:
            raise wrong("output", "a file to save to", "none")
        path, folder = self._save(), None
        if self.learner is not None and self.folder is not None:
            self.learner.save(self.folder)
            folder = one_line(self.folder)
        return one("saved", path=one_line(path), folder=folder)

    def _suspects(self, message):
        rows = as_json(self._learner().state().get("suspects", []))
        return one("suspects", rows=[self._named(each["row"]) | each for each in rows])

    def _compared(self, message):
        if self._compare is None:
            raise wrong("compare", "the journal of another labeler", "none")
        return one("compared", **as_json(self._compare()))


def _hint(questions):
    """What a page asks, if the answers alone do not say it."""
    if len(questions) > 1:
        return ""
    names = {each.key: each.positive for each in QUESTIONS}
    question, parent = questions[0], questions[0].parent
    if parent is None:
        only = ""
    elif question.asked_if:
        only = f'. For "{names.get(parent, parent)}" only: press ? for others.'
    else:
        only = f'. Not for "{names.get(parent, parent)}": press ? for these.'
    return one_line(question.key.replace("_", " ") + only)


def as_json(value):
    """Turn a value into plain JSON: NaN becomes null, NumPy types become Python types."""
    if isinstance(value, dict):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [as_json(each) for each in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
