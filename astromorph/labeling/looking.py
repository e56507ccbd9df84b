"""What the gallery's page and Python say to each other; how a notebook shows it.

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
from pathlib import Path
from threading import RLock

import numpy as np

from astromorph.errors import wrong
from astromorph.flags import MorphFlag, flag_meanings
from astromorph.labeling.galaxies import STRETCHES, one_line
from astromorph.labeling.gallery import FLAG_CHOICES, Gallery
from astromorph.labeling.keys import answer_keys
from astromorph.labeling.messages import Talker, answer_message, is_finite, one, text_of
from astromorph.labeling.opening import journal_of
from astromorph.learning.embedding import COLUMN
from astromorph.tables import table_format, write_table

__all__ = ["SIZES", "LookConversation", "corrections_journal", "look"]

SIZES = {"small": 160, "large": 480}
"""Pixels of a picture on a side."""
_THREADS = 8
_MOST_RANGES = 20
_open = {}  # what a notebook shows, by its journal


class LookConversation(Talker):
    """Answers the messages of a gallery's page; threads may share it.

    Parameters
    ----------
    gallery : `~astromorph.labeling.gallery.Gallery`
    title : str
    output : path, optional
        Table of the selected galaxies.
    labels : path, optional
        Table of the corrections.
    """

    page = "look.html"

    def __init__(self, gallery, *, title="Galaxies", output=None, labels=None):
        super().__init__()
        self.gallery, self._title = gallery, title
        self._output, self._labels, self._saved = output, labels, False
        self._turn, self._tasks = RLock(), {}
        self._pool = ThreadPoolExecutor(_THREADS)
        self._looking = ThreadPoolExecutor(1)
        self._rows, self._n = np.arange(len(gallery)), None

    def close(self):
        """End the work in the background, and write what was selected and corrected."""
        for pool in (self._pool, self._looking):
            pool.shutdown(cancel_futures=True)
        if self._saved or self.gallery.chosen.any() or self.gallery.has_answers:
            self.save()
        self.gallery.close()

    def save(self):
        """Write the selected galaxies and the corrections.

        Returns
        -------
        list of str
            What was written.
        """
        paths, gallery = [], self.gallery
        if self._output is not None:
            write_table(_fit(gallery.selection, self._output), self._output, overwrite=True)
            paths.append(self._output)
        if self._labels is not None and gallery.has_answers:
            write_table(_fit(gallery.session.labels(), self._labels), self._labels, overwrite=True)
            paths.append(self._labels)
        self._saved = True
        return [one_line(path) for path in paths]

    def receive(self, message):
        """Answer a message at once; pictures are pushed when they are there.

        Parameters
        ----------
        message : dict

        Returns
        -------
        list of (dict, bytes or None)
            Never raises for what a page may send: an "error" says what is wrong.
        """
        return answer_message({
            "ready": self._ready, "view": self._view, "want": self._want, "drop": self._drop,
            "info": self._info, "select": self._select, "answer": self._answer,
            "undo": self._undo, "save": self._save}, message)

    def _ready(self, message):
        gallery = self.gallery
        failed = gallery.flags & MorphFlag.UNCLASSIFIED.value != 0
        state = (gallery.flags != 0) + 2 * failed + 4 * gallery.chosen
        number = [each for each in gallery.questions if each.kind == "number"]
        return one(
            "look", state.astype(np.uint8).tobytes(), session=self._session(),
            title=one_line(self._title), total=len(gallery), columns=self._columns(),
            flags=self._flags(), number=number and {"title": one_line(number[0].positive),
                                                    "unit": number[0].unit} or None,
            keys=[{"key": each.key, "title": one_line(each.title)}
                  for each in (answer_keys(gallery.questions) if gallery.questions else ())],
            done=[_told(each) for each in (gallery.session.done() if gallery.has_answers else ())],
            can={"answer": not gallery.why_no_answers, "save": bool(self._output or self._labels),
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
        ranges = [_range(each) for each in list(message.get("ranges", ()))[:_MOST_RANGES]]
        rows = self.gallery.rows(sort, bool(message.get("descending")),
                                 _column(message.get("flag")), ranges)
        if like is None:
            return self._shown(n, rows, rows if sort is None else self.gallery.numbers[sort][rows])
        self._looking.submit(self._find_similar, n, self._row(like), rows)
        return []

    def _find_similar(self, n, row, rows):
        """In the background, as a network may have to look at the galaxies first."""
        def find(message):
            found, likeness = self.gallery.similar(row, rows)
            known = len(found) - (row not in rows)
            note = f"Compared with {known:,} of {len(rows):,}." if known < len(rows) else ""
            return self._shown(n, found, likeness, note)

        self._tell(answer_message({"view": find}, {"type": "view", "id": f"view {n}"}))

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

    def _save(self, message):
        if self._output is None and self._labels is None:
            raise wrong("output", "a file to save to", "none")
        return one("saved", paths=self.save())


def _fit(table, path):
    """Without columns that CSV cannot hold, if it is to be CSV."""
    if table_format(path) != "csv":
        return table
    return table[[name for name in table.colnames if getattr(table[name], "ndim", 1) == 1]]


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
        What `~astromorph.MorphologyClassifier.classify` returned. Its images are those of the
        column ``images``, of a column ``file``, or of its positions.
    classifier : `~astromorph.MorphologyClassifier`, optional
        Tells the survey; finds galaxies that look alike in a table without ``features``.
    labels : path, optional
        Table of corrections to write. Its journal is beside it, with ``.journal`` after its name,
        and is gone on with where it exists. By default nothing can be corrected.
    labeler : str, optional
        Who corrects; by default the name of the account.
    questions : sequence of `~astromorph.Question`, optional
        What is corrected: disk, edge-on and bar, or one other; by default those of the table.
    title : str, optional
        What stands above it.
    **options
        Of `~astromorph.MorphologyClassifier.classify` that say which images, such as ``images``,
        ``cutout_r90``, ``r90``, ``survey``.

    Returns
    -------
    `~astromorph.labeling.widget.GalleryWidget`
        Shows itself at the end of a cell. Its ``selection`` is a table of the selected galaxies,
        its ``labels`` one of the corrections, which `~astromorph.MorphologyClassifier.adapt` takes.

    Raises
    ------
    ImportError
        If anywidget is not installed.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> gallery = clf.look(tbl, images="file", labels="labels.csv")  # doctest: +SKIP
    >>> gallery.selection  # doctest: +SKIP
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


def corrections_journal(labels):
    """Name the journal of a table of corrections.

    Parameters
    ----------
    labels : path or None

    Returns
    -------
    `~pathlib.Path` or None

    Raises
    ------
    FileExistsError
        If there is a table, but no journal from which it can be made anew.
    """
    if labels is None:
        return None
    journal = journal_of(labels).absolute()
    if Path(labels).exists() and not journal.exists():
        raise FileExistsError(f"{labels} exists and has no journal, {journal}; choose another name")
    return journal
