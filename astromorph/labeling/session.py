"""The labels that one person gave to a list of galaxies. The journal holds all of them."""
import getpass
import json
from collections import Counter
from dataclasses import asdict
from threading import RLock

import numpy as np

from astromorph.arguments import check_number
from astromorph.errors import wrong
from astromorph.labeling.entries import check_entries, check_start
from astromorph.labeling.journal import Journal
from astromorph.labeling.keys import answer_keys, as_number
from astromorph.labeling.tables import check_label_columns, label_table

__all__ = ["LabelSession", "standing", "subject"]

_REPEATED_AFTER = 20  # answers, so that nobody remembers the galaxy


class LabelSession:
    """The labels that one person gives to a list of galaxies.

    Parameters
    ----------
    galaxies : `~astromorph.labeling.galaxies.LabelGalaxies`
        Or anything with ``names``, ``digest`` and ``table``.
    questions : sequence of `~astromorph.questions.Question`
        See `~astromorph.labeling.keys.answer_keys`.
    journal : path or `~astromorph.labeling.journal.Journal`
        A new journal, or one of the same galaxies, questions and labeler to continue.
    labeler : str, optional
        Name of the labeler. By default the name in the journal, else the name of the account.
    seed : int
        The same seed gives the same sealed share. An existing journal keeps its own seed.
    sealed : float
        Share of galaxies that never train. They test the classifier. They come at random between
        the others.
    repeats : float
        Share of galaxies that come a second time, to measure how consistent the labeler is.

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
        check_number(seed, "seed", "a whole number, 0 or more",
                     lambda number: 0 <= number < 2**53 and number == int(number))
        self.galaxies, self.questions = galaxies, tuple(questions)
        self.keys = {each.key: each for each in answer_keys(self.questions)}
        check_label_columns(galaxies.table, self.questions)
        self.journal = journal if isinstance(journal, Journal) else Journal(journal)
        self._turn, self._promised, self._asked = RLock(), [], None
        try:
            self._begin(labeler, int(seed), sealed, repeats)
        except BaseException:
            self.journal.close()
            raise
        self._derive()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Close the journal, so that other processes can write to it."""
        self.journal.close()

    def __len__(self):
        return len(self.galaxies.names)

    def _begin(self, labeler, seed, sealed, repeats):
        """Write the first entry, or continue an existing journal."""
        n, told = len(self), subject(self.galaxies, self.questions)
        if not self.journal.entries:
            chosen = np.random.default_rng(seed).permutation(n)[:round(sealed * n)]
            self.journal.append(
                {"kind": "start", "labeler": labeler or _account(), **told, "seed": seed,
                 "share": sealed, "repeats": repeats, "sealed": sorted(chosen.tolist())})
        check_start(self.journal.entries, self.journal.path)
        start = self.journal.entries[0]
        _check_same(start, told, labeler, self.journal.path)
        check_entries(self.journal.entries, self.journal.path, self.galaxies.names)
        self.labeler, self.seed, self._share = start["labeler"], start["seed"], start["share"]
        self.sealed = frozenset(start["sealed"])
        order, chances = (np.random.default_rng([self.seed, kind]) for kind in (1, 2))
        order = order.permutation(n).tolist()
        self._orders = [[row for row in order if (row in self.sealed) == is_sealed]
                        for is_sealed in (False, True)]
        self._repeated = np.flatnonzero(chances.random(n) < start["repeats"]).tolist()

    def _derive(self):
        """Collect the answers that count from the journal."""
        self._answers, self._again = {}, {}
        for entry in standing(self.journal.entries):
            if entry["kind"] == "answer":
                self._take(entry)

    def _take(self, entry):
        answers = self._again if entry.get("again") else self._answers
        answers.pop(entry["row"], None)  # a correction counts as the newest answer
        answers[entry["row"]] = entry

    def answer(self, row, key=None, value=None, *, id, shown=None, ms=None):
        """Write an answer to the journal. A second answer for a row replaces the first.

        Parameters
        ----------
        row : int
            A number that `upcoming` gave.
        key : str, optional
            See `~astromorph.labeling.keys.answer_keys`.
        value : float, optional
            The number, in place of a key, for a question about a number.
        id : str
            Different for each answer. An answer that comes twice is written once.
        shown : dict, optional
            Stretch, zoom and inversion of the picture.
        ms : float, optional
            Milliseconds from the picture to the answer.

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
        said = self._said(key, value)
        with self._turn:
            before = len(self.journal.entries)
            entry = self.journal.append(
                {"kind": "answer", "id": id, "row": row % n, "name": self.galaxies.names[row % n],
                 **said, **({"again": True} if row >= n else {}), "labeler": self.labeler,
                 "shown": shown or {}, "ms": ms})
            if len(self.journal.entries) > before:
                self._take(entry)
                self._asked = None if row == self._asked else self._asked
        return entry

    def _said(self, key, value):
        """The parts of an entry that depend on the answer."""
        if key is None:
            number = as_number(value, self.questions)
            return {"key": None, "value": number, "answers": {self.questions[0].key: number}}
        if not isinstance(key, str) or key not in self.keys:
            raise wrong("key", f"one of {', '.join(self.keys)}", f"{key!r:.40}")
        return {"key": key, "answers": self.keys[key].answers}

    def undo(self, of=None, *, id):
        """Take back an answer, or an earlier undo.

        Parameters
        ----------
        of : str, optional
            The ``id`` of the answer or undo. By default that of the last answer that counts.
        id : str
            Different for each undo.

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
            if not known:
                self.go(entry["row"] + (len(self) if entry["again"] else 0))
        return entry

    def go(self, row):
        """Put a galaxy first.

        Parameters
        ----------
        row : int
        """
        _check_row(row, 2 * len(self))
        with self._turn:
            self._promised = [row, *(each for each in self._promised if each != row)]
            self._asked = row

    def set_order(self, rows):
        """Change the order of the galaxies that are not sealed.

        Galaxies that `upcoming` has already given keep their places. If only the sealed ones kept
        theirs, the labeler could recognize them.

        Parameters
        ----------
        rows : sequence of int
            The galaxies to label first. The others follow.
        """
        with self._turn:
            wanted = dict.fromkeys(int(row) for row in rows if row not in self.sealed)
            self._orders[0] = [*wanted, *(row for row in self._orders[0] if row not in wanted)]

    def upcoming(self, n=16):
        """Give the galaxies that come next.

        Parameters
        ----------
        n : int
            Largest number of galaxies.

        Returns
        -------
        list of int
            Rows. A galaxy that comes again has its row plus the number of galaxies.
        """
        with self._turn:
            self._promised = [row for row in self._promised if row == self._asked
                              or self.standing_answer(row) is None]
            promised = set(self._promised)
            while len(self._promised) < n and (row := self._draw(promised)) is not None:
                self._promised.append(row)
                promised.add(row)
            return self._promised[:n]

    def _draw(self, promised):
        """The next row that was not given yet. Each place is sealed with a fixed probability."""
        for row in self._repeated:
            if row + len(self) not in promised and self._is_due(row):
                return row + len(self)
        place = len(self._answers) + len(promised)
        chance = np.random.default_rng([self.seed, 3, place]).random()
        is_sealed = bool(chance < self._share)
        return next((row for order in (self._orders[is_sealed], self._orders[not is_sealed])
                     for row in order if row not in self._answers and row not in promised), None)

    def _is_due(self, row):
        """Whether it is time to show a galaxy for the second time."""
        return row in self._answers and row not in self._again and (
            self._answers[row]["n"] + _REPEATED_AFTER < len(self.journal.entries))

    def done(self):
        """Give the answers that count, the latest last.

        Returns
        -------
        list of dict
            Entries of the journal.
        """
        with self._turn:
            return sorted([*self._answers.values(), *self._again.values()],
                          key=lambda entry: entry["n"])

    def standing_answer(self, row):
        """The answer that counts for a row of `upcoming`, or None."""
        return (self._again if row >= len(self) else self._answers).get(row % len(self))

    def progress(self):
        """Count the answers. The counts do not show which galaxies are sealed.

        Returns
        -------
        dict
        """
        with self._turn:
            keys = Counter(entry["key"] for entry in self._answers.values() if entry["key"])
            return {"answered": len(self._answers), "total": len(self), "keys": dict(keys)}

    def labels(self, *, sealed=None):
        """Give the labels as a table for `~astromorph.MorphologyClassifier.adapt`.

        Parameters
        ----------
        sealed : bool, optional
            True for the sealed galaxies only, False for the others only. By default all.

        Returns
        -------
        `~astropy.table.Table`
            The galaxies with an answer. It has a column per question (NaN where there is no label),
            ``cannot_tell``, ``no_galaxy``, ``sealed``, ``labeler`` and ``time``.
        """
        with self._turn:
            entries = [entry for row, entry in sorted(self._answers.items())
                       if sealed is None or sealed == (row in self.sealed)]
        return label_table(self.galaxies.table, self.questions, entries, self.sealed)

    def rows(self, *, sealed=None):
        """The rows of `labels`, in its order (list of int)."""
        with self._turn:
            return [row for row in sorted(self._answers)
                    if sealed is None or sealed == (row in self.sealed)]


def standing(entries):
    """Leave out the answers that were taken back.

    Parameters
    ----------
    entries : list of dict
        Of a journal.

    Returns
    -------
    list of dict
        The entries that count. An undo that was itself undone does not count.
    """
    gone, stand = set(), []
    for entry in reversed(entries):
        if entry.get("id") in gone:
            continue
        if entry["kind"] == "undo":
            gone.add(entry["of"])
        stand.append(entry)
    return stand[::-1]


def subject(galaxies, questions):
    """Describe galaxies and questions, as the first entry of a journal does.

    Parameters
    ----------
    galaxies, questions
        As for `LabelSession`.

    Returns
    -------
    dict
    """
    return {"galaxies": galaxies.digest, "rows": len(galaxies.names), "questions": json.loads(
        json.dumps([asdict(each) for each in questions]))}


def _check_same(start, told, labeler, path):
    for name, what in {"galaxies": "galaxies", "rows": "galaxies",
                       "questions": "questions"}.items():
        if start.get(name) != told[name]:
            raise wrong("journal", f"one of the same {what}, in the same order",
                        f"{path}, one of others",
                        "Write to another file, or go on with what it was begun with.")
    if labeler is not None and labeler != start["labeler"]:
        raise wrong("labeler", f"{start['labeler']!r}, who began {path}", repr(labeler),
                    "Each labeler needs a file of their own.")


def _check_row(row, n):
    if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < n:
        raise wrong("row", "the number of a row", f"{row!r:.40}")


def _account():
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name
        return "me"
