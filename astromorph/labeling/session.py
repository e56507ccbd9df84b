"""One person's labels of a list of galaxies: all of it follows from the journal."""
import getpass
from collections import Counter
from dataclasses import asdict
from threading import RLock

import numpy as np
from astropy.table import Column

from astromorph.arguments import check_number
from astromorph.errors import wrong
from astromorph.labeling.journal import Journal
from astromorph.labeling.keys import CANNOT_TELL, NO_GALAXY, answer_keys, as_number
from astromorph.learning.labels import without_answers

__all__ = ["LabelSession", "standing"]

_REPEATED_AFTER = 20  # answers; nobody remembers a galaxy so long


class LabelSession:
    """One person's labels of a list of galaxies.

    Parameters
    ----------
    galaxies : `~astromorph.labeling.galaxies.LabelGalaxies`
        Or anything with ``names``, ``digest`` and ``table``.
    questions : sequence of `~astromorph.questions.Question`
        See `~astromorph.labeling.keys.answer_keys`.
    journal : path or `~astromorph.labeling.journal.Journal`
        Empty, or one of the same galaxies, questions and labeler, which is gone on with.
    labeler : str, optional
        Who labels; by default whoever the journal names, else the name of the account.
    seed : int
        Same seed, same sealed share; that of the journal counts.
    sealed : float
        Part of the galaxies that no training sees: they test what it brings. They are mixed at
        random into what comes.
    repeats : float
        Part of the galaxies that come a second time, to measure how far the labeler agrees with
        himself.

    Raises
    ------
    ValueError
        If an argument is not as described, or the journal is of other galaxies, questions or
        another labeler.
    """

    def __init__(self, galaxies, questions, journal, *, labeler=None, seed=0, sealed=0.2,
                 repeats=0.03):
        for name, value in {"sealed": sealed, "repeats": repeats}.items():
            check_number(value, name, "a fraction in 0..0.5", lambda part: 0 <= part <= 0.5)
        self.galaxies, self.questions = galaxies, tuple(questions)
        self.keys = {each.key: each for each in answer_keys(self.questions)}
        self.journal = journal if isinstance(journal, Journal) else Journal(journal)
        self._turn = RLock()
        entries = self.journal.entries
        told = {"galaxies": galaxies.digest, "rows": len(galaxies.names),
                "questions": [_plain(asdict(each)) for each in self.questions]}
        if not entries:
            rows = np.random.default_rng(seed).permutation(len(galaxies.names))
            self.journal.append(
                {"kind": "start", "labeler": labeler or _account(), **told, "seed": seed,
                 "share": sealed, "repeats": repeats,
                 "sealed": sorted(rows[:round(sealed * len(rows))].tolist())})
        self._start = entries[0]
        self._check(told, labeler)
        self.labeler, self.seed = self._start["labeler"], self._start["seed"]
        self.sealed = frozenset(self._start["sealed"])
        order = np.random.default_rng([self.seed, 1]).permutation(len(galaxies.names)).tolist()
        self._sealed_order = [row for row in order if row in self.sealed]
        self._order = [row for row in order if row not in self.sealed]
        self._first = None
        self._derive()

    def __len__(self):
        return len(self.galaxies.names)

    def _check(self, told, labeler):
        start, path = self._start, self.journal.path
        if start["kind"] != "start":
            raise wrong("journal", "a first line that says what is labeled", f"{path} without")
        for name, what in {"galaxies": "galaxies", "rows": "galaxies",
                           "questions": "questions"}.items():
            if start.get(name) != told[name]:
                raise wrong("journal", f"one of the same {what}, in the same order",
                            f"{path}, one of others",
                            "Write to another file, or go on with what it was begun with.")
        if labeler is not None and labeler != start["labeler"]:
            raise wrong("labeler", f"{start['labeler']!r}, who began {path}", repr(labeler),
                        "Each labeler writes to a file of his own.")

    def _derive(self):
        """Work out from the journal what stands."""
        self._answers, self._again = {}, {}
        for entry in standing(self.journal.entries):
            if entry["kind"] == "answer":
                self._take(entry)

    def _take(self, entry):
        answers = self._again if entry.get("again") else self._answers
        answers.pop(entry["row"], None)  # a correction is the newest
        answers[entry["row"]] = entry

    def answer(self, row, key=None, value=None, *, id, shown=None, ms=None):
        """Write down an answer; a second one of a row corrects the first.

        Parameters
        ----------
        row : int
            As `upcoming` gives it.
        key : str, optional
            See `~astromorph.labeling.keys.answer_keys`.
        value : float, optional
            In place of a key, for a question about a number.
        id : str
            New for each answer; the same answer sent twice is written once.
        shown : dict, optional
            How it was shown.
        ms : float, optional
            Milliseconds that it was looked at.

        Returns
        -------
        dict
            The entry of the journal.

        Raises
        ------
        ValueError
            If an argument is not as described.
        OSError
            If it cannot be written.
        """
        n = len(self)
        _check_row(row, 2 * n)
        said = {"key": key, "answers": self._meaning(key, value)}
        said |= {} if key is not None else {"value": float(value)}
        with self._turn:
            before = len(self.journal.entries)
            entry = self.journal.append(
                {"kind": "answer", "id": id, "row": row % n, "name": self.galaxies.names[row % n],
                 **said, **({"again": True} if row >= n else {}), "labeler": self.labeler,
                 "shown": shown or {}, "ms": ms})
            if len(self.journal.entries) > before:
                self._take(entry)
                self._first = None if row == self._first else self._first
        return entry

    def _meaning(self, key, value):
        if key is None:
            number = as_number(value, self.questions)
            return {self.questions[0].key: number}
        if key not in self.keys:
            raise wrong("key", f"one of {', '.join(self.keys)}", f"{key!r:.40}")
        return self.keys[key].answers

    def undo(self, of=None, *, id):
        """Take back an answer, or what took one back.

        Parameters
        ----------
        of : str, optional
            Its ``id``; by default that of the last answer that stands.
        id : str
            New for each.

        Returns
        -------
        dict
            The entry of the journal.

        Raises
        ------
        ValueError
            If there is nothing to take back.
        """
        with self._turn:
            stands = {entry["id"]: entry for entry in standing(self.journal.entries)
                      if "id" in entry}
            known = [entry for entry in self.journal.entries if entry.get("id") == id]
            if not known:
                of = of if of is not None else next(
                    (each for each, entry in reversed(stands.items())
                     if entry["kind"] == "answer"), None)
                if of not in stands:
                    raise wrong("of", "the id of an answer that stands", f"{of!r:.60}")
            entry = known[0] if known else self.journal.append(
                {"kind": "undo", "id": id, "of": of, "row": stands[of]["row"],
                 "again": stands[of].get("again", False), "labeler": self.labeler})
            self._derive()
        return entry

    def go(self, row):
        """Have a galaxy come next.

        Parameters
        ----------
        row : int
        """
        _check_row(row, 2 * len(self))
        self._first = row

    def set_order(self, rows):
        """Have galaxies come in an order; those of the sealed share come as they would.

        Parameters
        ----------
        rows : sequence of int
            Those that teach most in front; the others come after them.
        """
        with self._turn:
            rows = dict.fromkeys(int(row) for row in rows)
            wanted = [row for row in rows if row not in self.sealed]
            self._order = [*wanted, *(row for row in self._order if row not in rows)]

    def upcoming(self, n=16):
        """Tell which galaxies come next.

        Parameters
        ----------
        n : int
            How many, at most.

        Returns
        -------
        list of int
            Rows; one that comes again has the number of galaxies added to its row.
        """
        with self._turn:
            first = [] if self._first is None else [self._first]
            again = [row + len(self) for row in self._due()]
            pools = [(row for row in order if row not in self._answers)
                     for order in (self._order, self._sealed_order)]
            rows = list(dict.fromkeys([*first, *again, *self._mixed(pools, n)]))
        return rows[:n]

    def _mixed(self, pools, n):
        """The next rows of two orders, of the second one at its share, drawn place by place."""
        for place in range(len(self._answers), len(self._answers) + n):
            is_sealed = self._drawn(2, place) < self._start["share"]
            row = next(pools[is_sealed], None)
            row = next(pools[not is_sealed], None) if row is None else row
            if row is None:
                return
            yield row

    def _due(self):
        """Rows that should come again by now."""
        long_ago = list(self._answers)[:max(len(self._answers) - _REPEATED_AFTER, 0)]
        return [row for row in long_ago if row not in self._again
                and self._drawn(3, row) < self._start["repeats"]]

    def _drawn(self, what, number):
        """A random number of 0..1, always the same one."""
        return np.random.default_rng([self.seed, what, number]).random()

    def done(self):
        """Tell what was answered, the latest last.

        Returns
        -------
        list of dict
            The entries that count.
        """
        with self._turn:
            return sorted([*self._answers.values(), *self._again.values()],
                          key=lambda entry: entry["n"])

    def standing_answer(self, row):
        """The entry that counts of a row, as `upcoming` gives it, or None."""
        return (self._again if row >= len(self) else self._answers).get(row % len(self))

    def progress(self):
        """Tell how far the work is; nothing of it tells which galaxies are sealed.

        Returns
        -------
        dict
        """
        with self._turn:
            keys = Counter(entry["key"] for entry in self._answers.values() if entry["key"])
            return {"answered": len(self._answers), "total": len(self), "keys": dict(keys)}

    def labels(self, *, sealed=None):
        """Give the labels, in a form that `~astromorph.MorphologyClassifier.adapt` takes.

        Parameters
        ----------
        sealed : bool, optional
            Only those of the sealed share, or only the others; by default all.

        Returns
        -------
        `~astropy.table.Table`
            The rows of the galaxies that were answered, with the columns of the questions (NaN
            where there is no label), ``cannot_tell``, ``no_galaxy``, ``sealed``, ``labeler`` and
            ``time``.
        """
        with self._turn:
            entries = [entry for row, entry in sorted(self._answers.items())
                       if sealed is None or sealed == (row in self.sealed)]
        rows = [entry["row"] for entry in entries]
        table = without_answers(self.galaxies.table, self.questions)[rows]
        for question in self.questions:
            table[question.key] = np.array(
                [entry["answers"].get(question.key, np.nan) for entry in entries], float)
        for name, key in {"cannot_tell": CANNOT_TELL, "no_galaxy": NO_GALAXY}.items():
            table[name] = np.array([entry["key"] == key for entry in entries], bool)
        table["sealed"] = np.array([row in self.sealed for row in rows], bool)
        table["labeler"] = Column([self.labeler] * len(rows), dtype=str)
        table["time"] = Column([entry["time"] for entry in entries], dtype=str)
        return table

    def rows(self, *, sealed=None):
        """The rows of `labels`, in its order (list of int)."""
        with self._turn:
            return [row for row in sorted(self._answers)
                    if sealed is None or sealed == (row in self.sealed)]


def standing(entries):
    """Leave out what was taken back.

    Parameters
    ----------
    entries : list of dict
        Of a journal.

    Returns
    -------
    list of dict
        Those that stand; an undo that was undone does not.
    """
    gone, stand = set(), []
    for entry in reversed(entries):
        if entry.get("id") in gone:
            continue
        if entry["kind"] == "undo":
            gone.add(entry["of"])
        stand.append(entry)
    return stand[::-1]


def _check_row(row, n):
    if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < n:
        raise wrong("row", "the number of a row", f"{row!r:.40}")


def _plain(value):
    """As JSON gives it back."""
    import json

    return json.loads(json.dumps(value))


def _account():
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name
        return "me"
