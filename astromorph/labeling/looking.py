"""The messages between the gallery's page and Python, and `look` for a notebook.

Messages are those of `astromorph.labeling.conversation` in form. From the page::

    ready {}                                 asks for "look"
    view {n, sort, descending, flag, ranges: [[column, low | null, high | null]], like: row | null}
                                             asks for "view", which has the same n
    want {id, row, size, stretch}            asks for a "picture", which comes when it is there
    drop {ids}                               pictures that are no longer needed
    info {row}                               asks for "galaxy"
    select {view, from, to, on, clear}       the places from..to of a view, after all others were
                                             left out where "clear" is true; "selected"
    answer {id, row, key | value, shown, ms} a correction; "written" once it is on the disk
    undo {id, of?}                           "undone"
    save {}                                  "saved"

From Python::

    look {session, title, total, columns: [{name, about, low, high, answer}], flags: [{name, about,
          count}], keys: [{key, title}], number, done: [{row, key, value}], can: {answer, similar,
          save}, why}, and one byte a row: 1 has a flag, 2 is unclassified, 4 is selected
    view {n, count, message}, and rows (uint32) and then what they are sorted by (float32)
    picture {id, row, size, stretch, mime, name, meta}, and its bytes
    galaxy {row, name, answers, flags, others}
    selected {count}
    written {id, row, key, value}
    undone {id, row, key | null, value | null}
    saved {paths}
    error {message, refused, id?}
"""
from concurrent.futures import ThreadPoolExecutor
from threading import RLock

import numpy as np

from astromorph.errors import wrong
from astromorph.flags import MorphFlag, flag_meanings
from astromorph.labeling.galaxies import STRETCHES, one_line
from astromorph.labeling.gallery import FLAG_CHOICES, Gallery
from astromorph.labeling.keys import answer_keys
from astromorph.labeling.messages import (Talker, answer_message, as_asked, is_finite, one,
                                          text_of)
from astromorph.labeling.selected import LookOutput, corrections_journal
from astromorph.learning.embedding import COLUMN

__all__ = ["SIZES", "LookConversation", "look"]

SIZES = {"small": 160, "large": 480}
"""Pixels of a picture on a side."""
_THREADS = 8
_MOST_RANGES = 20
_open = {}  # galleries of a notebook, by their journals


class LookConversation(Talker):
    """Answers the messages of a gallery's page. Threads can share it.

    Parameters
    ----------
    gallery : `~astromorph.labeling.gallery.Gallery`
    title : str
    output, labels, output_format
        See `~astromorph.labeling.selected.LookOutput`.
    """

    page = "look.html"

    def __init__(self, gallery, *, title="Galaxies", output=None, labels=None,
                 output_format=None):
        super().__init__()
        self.gallery, self._title, self._labels = gallery, title, labels
        self.save = LookOutput(gallery, output, labels, output_format)
        self._turn, self._tasks = RLock(), {}
        self._pool = ThreadPoolExecutor(_THREADS)
        self._looking = ThreadPoolExecutor(1)
        self._rows, self._n, self._latest = np.arange(len(gallery)), None, None

    def close(self):
        """Stop the background work, write selection and corrections, and close the journal."""
        for pool in (self._pool, self._looking):
            pool.shutdown(cancel_futures=True)
        try:
            if self.save.is_due:
                self.save()
        finally:
            self.gallery.close()

    def receive(self, message):
        """Answer a message at once. Pictures follow when they are ready.

        Parameters
        ----------
        message : dict

        Returns
        -------
        list of (dict, bytes or None)
            No message raises an error here: the reply "error" says what is wrong.
        """
        return answer_message({
            "ready": self._ready, "view": self._view, "want": self._want, "drop": self._drop,
            "info": self._info, "select": self._select, "answer": self._answer,
            "undo": self._undo, "save": self._saved}, message)

    def _ready(self, message):
        gallery = self.gallery
        failed = gallery.flags & MorphFlag.UNCLASSIFIED.value != 0
        state = (gallery.flags != 0) + 2 * failed + 4 * gallery.chosen
        return one(
            "look", state.astype(np.uint8).tobytes(), session=self._session(),
            title=one_line(self._title), total=len(gallery), columns=self._columns(),
            flags=self._flags(), **as_asked(gallery.questions, answer_keys(
                gallery.questions) if gallery.questions else ()),
            done=[_told(each) for each in (gallery.session.done() if gallery.has_answers else ())],
            can={"answer": not gallery.why_no_answers, "save": bool(self.save),
                 "similar": COLUMN in gallery.table.colnames or gallery.classifier is not None},
            why=one_line(gallery.why_no_answers or ""))

    def _session(self):
        return f"{self.gallery.galaxies.digest} {one_line(self._labels)}"

    def _columns(self):
        gallery = self.gallery
        return [{"name": name, "answer": name in gallery.answer_names,
                 "about": one_line(gallery.table[name].info.description or ""), **_span(values)}
                for name, values in gallery.numbers.items()]

    def _flags(self):
        flags, meanings = self.gallery.flags, flag_meanings()
        counts = {"none": int((flags == 0).sum()), "any": int((flags != 0).sum()),
                  "unclassified": int((flags & MorphFlag.UNCLASSIFIED.value != 0).sum())}
        counts |= {bit.name: int((flags & bit.value != 0).sum()) for bit in MorphFlag}
        return [{"name": name, "about": meanings.get(name, ""), "count": counts[name]}
                for name in (*FLAG_CHOICES, *meanings) if counts[name] or name in FLAG_CHOICES]

    def _view(self, message):
        n, like, sort = message["n"], message.get("like"), _column(message.get("sort"))
        if type(n) is not int:
            raise wrong("n", "the number of the view", f"{n!r:.40}")
        ranges = [_range(each) for each in list(message.get("ranges", ()))[:_MOST_RANGES]]
        rows = self.gallery.rows(sort, bool(message.get("descending")),
                                 _column(message.get("flag")), ranges)
        self._latest = n
        if like is None:
            return self._shown(n, rows, rows if sort is None else self.gallery.numbers[sort][rows])
        self._looking.submit(self._find_similar, n, self._row(like), rows)
        return []

    def _find_similar(self, n, row, rows):
        """Runs in the background, because a network may look at the galaxies first."""
        def find(message):
            if n != self._latest:  # the page asked for another view since
                return []
            found, likeness = self.gallery.similar(row, rows)
            known = len(found) - (row not in rows)
            note = f"Compared with {known:,} of {len(rows):,}." if known < len(rows) else ""
            return self._shown(n, found, likeness, note) if n == self._latest else []

        message = {"type": "view", "id": f"view {n}"}
        try:
            self._tell(answer_message({"view": find}, message))
        except Exception as error:  # else nobody would learn of it
            self._tell(one("error", id=message["id"], refused=True,
                           message=one_line(error) or type(error).__name__))

    def _shown(self, n, rows, values, note=""):
        with self._turn:
            self._rows, self._n = rows, n
        data = rows.astype("<u4").tobytes() + np.asarray(values).astype("<f4").tobytes()
        return one("view", data, n=n, count=len(rows), message=note)

    def _row(self, row):
        if type(row) is not int or not 0 <= row < len(self.gallery):
            raise wrong("row", "the number of a row", f"{row!r:.40}")
        return row

    def _want(self, message):
        id, row = text_of(message, "id"), self._row(message["row"])
        size, stretch = message.get("size", "small"), message.get("stretch", STRETCHES[0])
        if size not in SIZES or stretch not in STRETCHES:
            raise wrong("size, stretch", f"one of {', '.join(SIZES)}; {', '.join(STRETCHES)}",
                        f"{size!r:.20}, {stretch!r:.20}")
        with self._turn:
            self._tasks[id] = self._pool.submit(self._picture, id, row, size, stretch)
        return []

    def _picture(self, id, row, size, stretch):
        with self._turn:
            self._tasks.pop(id, None)
        picture, meta = self.gallery.galaxies.picture(row, stretch, SIZES[size])
        self._tell(one("picture", picture, id=id, row=row, size=size, stretch=stretch,
                       mime="image/jpeg", name=self.gallery.galaxies.names[row], meta=meta))

    def _drop(self, message):
        with self._turn:
            for id in list(message["ids"])[:1000]:
                task = self._tasks.pop(id, None) if isinstance(id, str) else None
                if task is not None:
                    task.cancel()
        return []

    def _info(self, message):
        row = self._row(message["row"])
        return one("galaxy", row=row, name=self.gallery.galaxies.names[row],
                   **self.gallery.describe(row))

    def _select(self, message):
        chosen = self.gallery.chosen
        first, last = message["from"], message["to"]
        with self._turn:
            if message["view"] != self._n:
                raise wrong("view", f"the view that is shown, {self._n}",
                            f"{message['view']!r:.40}")
            if not all(type(each) is int and each >= 0 for each in (first, last)):
                raise wrong("from, to", "places in the view", f"{first!r:.40}, {last!r:.40}")
            if message.get("clear"):
                chosen[:] = False
            chosen[self._rows[first:last + 1]] = bool(message["on"])
        return one("selected", count=int(chosen.sum()))

    def _answer(self, message):
        id, shown, ms = text_of(message, "id"), message.get("shown"), message.get("ms")
        stretch = shown.get("stretch") if isinstance(shown, dict) else None
        entry = self.gallery.session.answer(
            self._row(message["row"]), message.get("key"), message.get("value"), id=id,
            shown={"stretch": stretch} if stretch in STRETCHES else {},
            ms=ms if is_finite(ms) else None)
        return one("written", id=id, **_told(entry))

    def _undo(self, message):
        id, session = text_of(message, "id"), self.gallery.session
        entry = session.undo(message.get("of"), id=id)
        now = session.standing_answer(entry["row"])
        return one("undone", id=id, **(_told(now) if now else {
            "row": entry["row"], "key": None, "value": None}))

    def _saved(self, message):
        if not self.save:
            raise wrong("output", "a file to save to", "none")
        return one("saved", paths=self.save())


def _told(entry):
    return {"row": entry["row"], "key": entry["key"], "value": entry.get("value")}


def _span(values):
    known = values[np.isfinite(values)]
    return {"low": float(known.min()), "high": float(known.max())} if len(known) else {
        "low": None, "high": None}


def _column(name):
    if name is not None and not isinstance(name, str):
        raise wrong("column", "a name", f"{name!r:.40}")
    return name


def _range(given):
    """(column, low, high) as a page may send them."""
    name, *limits = given
    if len(limits) != 2 or not all(each is None or type(each) in (int, float) for each in limits):
        raise wrong("ranges", "a column and two numbers each", f"{given!r:.60}")
    return (_column(name), *limits)


def look(table, classifier=None, *, labels=None, labeler=None, questions=None, title=None,
         **options):
    """Look at a classified table in a notebook.

    Sort it, filter it, select from it, correct answers. Needs the extra ``[notebook]``.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table that `~astromorph.MorphologyClassifier.classify` returned. Images come from the
        column ``images``, from a column ``file``, or from the positions.
    classifier : `~astromorph.MorphologyClassifier`, optional
        Gives the survey and the questions. It finds similar galaxies in a table without
        ``features``.
    labels : path, optional
        Table of corrections to write. Its journal is the file next to it with ``.journal`` after
        the name. An existing journal continues. By default nothing can be corrected.
    labeler : str, optional
        Name of the person who corrects. By default the name of the account.
    questions : sequence of `~astromorph.Question`, optional
        What is corrected: disk, edge-on and bar, or one other. By default, those that the table
        answers.
    title : str, optional
        Title of the gallery.
    **options
        Options of `~astromorph.MorphologyClassifier.classify` that select images, such as
        ``images``, ``cutout_r90``, ``r90``, ``survey``.

    Returns
    -------
    widget
        Show it at the end of a cell. ``selection`` is the table of the selected galaxies.
        ``labels`` is the table of the corrections for `~astromorph.MorphologyClassifier.adapt`.

    Raises
    ------
    ImportError
        If anywidget is not installed.
    OSError
        If the journal is in use by another process, or there is a table without its journal.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.labeling import look
    >>> sample = load_sample()
    >>> sample["P_disk"] = 0.5  # such as classify adds
    >>> gallery = look(sample, images="file", title="My sample")
    >>> gallery.selection.colnames  # of the galaxies that you select
    ['name', 'petroR90', 'file', 'P_disk']
    """
    from astromorph.labeling.widget import GalleryWidget

    journal = corrections_journal(labels)
    if journal in _open:  # the cell runs again
        _open.pop(journal).close()
    gallery = Gallery(table, classifier, questions=questions, labeler=labeler, journal=journal,
                      **options)
    conversation = LookConversation(gallery, labels=labels,
                                    title=title or f"{len(gallery):,} galaxies")
    if journal is not None:
        _open[journal] = conversation
    return GalleryWidget(conversation)
