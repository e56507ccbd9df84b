"""The gallery of a classified table: order, filters, selection, corrections."""
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from astropy.table import Table

from astromorph.arguments import check_choice
from astromorph.errors import wrong
from astromorph.flags import MorphFlag, flag_meanings
from astromorph.galaxies.kinds import as_galaxies
from astromorph.labeling.columns import describe_row, find_answers, read_flags, read_numbers
from astromorph.labeling.galaxies import LabelGalaxies
from astromorph.labeling.keys import answer_keys
from astromorph.labeling.session import LabelSession
from astromorph.learning.embedding import COLUMN
from astromorph.learning.neighbors import similar
from astromorph.questions import QUESTIONS, as_questions
from astromorph.surveys import SURVEYS, get_survey
from astromorph.tables.positions import find_positions

__all__ = ["AT_ONCE", "FLAG_CHOICES", "Gallery"]

AT_ONCE = 2000
"""Largest number of galaxies that the network looks at to find similar ones."""
FLAG_CHOICES = ("none", "any", "unclassified")
"""Values of the filter by flag, besides the names of flags."""
_FRAME_R90 = 4.24  # width of the frame without weights
_IMAGES = ("file", "filename", "path", "image")


class Gallery:
    """A classified table, and the pictures of its galaxies.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table that `~astromorph.MorphologyClassifier.classify` returned.
    classifier : `~astromorph.MorphologyClassifier`, optional
        Gives the survey and the questions. For a table without ``features``, it also finds
        similar galaxies.
    questions : sequence of `~astromorph.questions.Question`, optional
        Questions that a correction answers, see `~astromorph.labeling.keys.answer_keys`. By
        default those of the table.
    journal : path, optional
        File for corrections, see `~astromorph.labeling.journal.Journal`. Without it, nothing can
        be corrected.
    labeler : str, optional
        Name of the person who corrects.
    images : str, optional
        The column of images. By default ``file``, if the table has no positions.
    **options
        Options of `~astromorph.MorphologyClassifier.classify` that select images.

    Attributes
    ----------
    table : `~astropy.table.Table`
    galaxies : `~astromorph.labeling.galaxies.LabelGalaxies`
    numbers : dict of str to `~numpy.ndarray`
        The columns of numbers, answers first. NaN where masked.
    flags : `~numpy.ndarray`
    chosen : `~numpy.ndarray` of bool
        Which rows are selected.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """

    def __init__(self, table, classifier=None, *, questions=None, journal=None, labeler=None,
                 images=None, **options):
        table = as_galaxies(table) if hasattr(table, "columns") else table
        if not isinstance(table, Table) or not len(table):
            raise wrong("table", "a table with galaxies", _kind(table))
        self.table, self.classifier, self.labeler = table, classifier, labeler
        self.options = {**options, "images": images or _image_column(table, options)}
        self.galaxies = LabelGalaxies(table, _frame(table, classifier, options), **self.options)
        known = QUESTIONS if classifier is None else classifier.all_questions
        self.questions, self.why_no_answers = _asked(table, questions, known, journal)
        self.answer_names = find_answers(table, (*known, *self.questions))
        self.numbers, self.flags = read_numbers(table, self.answer_names), read_flags(table)
        self.chosen = np.zeros(len(table), bool)
        self._journal, self._session, self._seen = journal, None, None
        if not self.why_no_answers and Path(journal).exists():
            self.session  # noqa: B018, what was corrected before is shown

    def __len__(self):
        return len(self.table)

    @property
    def selection(self):
        """The selected rows of the table, in its order."""
        return self.table[self.chosen]

    @property
    def session(self):
        """The `~astromorph.labeling.session.LabelSession` of corrections.

        The first correction makes the journal.
        """
        if self._session is None:
            if self.why_no_answers:
                raise wrong("journal", "galaxies that can be corrected", self.why_no_answers)
            self._session = LabelSession(self.galaxies, self.questions, self._journal,
                                         labeler=self.labeler, sealed=0, repeats=0)
        return self._session

    @property
    def has_answers(self):
        """Whether anything was ever corrected."""
        return self._session is not None

    @property
    def n_answers(self):
        """How many galaxies are corrected."""
        return self._session.progress()["answered"] if self.has_answers else 0

    def close(self):
        """Stop all downloads, and close the journal."""
        self.galaxies.close()
        if self.has_answers:
            self._session.journal.close()

    def rows(self, sort=None, descending=False, flag=None, ranges=()):
        """Select and sort galaxies.

        Parameters
        ----------
        sort : str, optional
            A name in `numbers`. By default the order of the table. Rows without this number come
            last.
        descending : bool
            Whether the largest comes first.
        flag : str, optional
            Select only rows with a flag: a name in `~astromorph.flags.MorphFlag`, or one of
            `FLAG_CHOICES`.
        ranges : sequence of (str, float or None, float or None)
            Columns with their lower and upper limit.

        Returns
        -------
        `~numpy.ndarray` of int

        Raises
        ------
        ValueError
            If there is no such column or flag.
        """
        rows = np.flatnonzero(self._kept(flag, ranges))
        if sort is None:
            return rows[::-1] if descending else rows
        values = self._column(sort)[rows]
        order = np.argsort(-values if descending else values, kind="stable")
        return rows[order]

    def _kept(self, flag, ranges):
        kept = _with_flag(self.flags, flag)
        for name, low, high in ranges:
            values = self._column(name)
            with np.errstate(invalid="ignore"):
                kept &= ((values >= (-np.inf if low is None else low))
                         & (values <= (np.inf if high is None else high)))
        return kept

    def _column(self, name):
        check_choice(name, "column", self.numbers)
        return self.numbers[name]

    def similar(self, row, among):
        """Find the galaxies that look most like one, by `~astromorph.similar`.

        Parameters
        ----------
        row : int
        among : sequence of int
            Rows to search. Without a column ``features``, the network looks at the first `AT_ONCE`.

        Returns
        -------
        rows : `~numpy.ndarray` of int
            The galaxy itself comes first.
        similarity : `~numpy.ndarray`

        Raises
        ------
        ValueError
            If there are neither features nor a classifier, or the galaxy has no features.
        """
        if COLUMN in self.table.colnames:
            features = self.table
        elif self.classifier is None:
            raise wrong("table", f"a column {COLUMN!r}, or a classifier", "neither",
                        "`embed` adds the column.")
        else:
            among = among[:AT_ONCE]
            features = self._look_at([row, *among])
        rows = np.array([row, *(each for each in among if each != row)])
        slim = Table({COLUMN: features[COLUMN][rows], "row": rows}, meta=dict(features.meta))
        found = similar(slim, 0, len(slim))
        return (np.array([row, *found["row"]]), np.array([1.0, *found["similarity"]]))

    def _look_at(self, rows):
        """A table with the features of these rows and of earlier calls."""
        if self._seen is None:
            self._seen = Table({COLUMN: np.full((len(self), 1), np.nan, np.float32),
                                "known": np.zeros(len(self), bool)})
        seen = self._seen
        new = sorted({int(row) for row in rows if not seen["known"][row]})
        if new:
            options = {**self.options, "progress": False, "views": 1}
            found = self.classifier.embed(self.table[new], **options)
            if seen[COLUMN].shape[1] != found[COLUMN].shape[1]:
                seen[COLUMN] = np.full((len(self), found[COLUMN].shape[1]), np.nan, np.float32)
            seen[COLUMN][new], seen["known"][new] = found[COLUMN], True
            seen.meta.update(found.meta)
        return seen

    def describe(self, row):
        """Say all that the table has of a galaxy, see `~astromorph.labeling.columns.describe_row`.

        Parameters
        ----------
        row : int

        Returns
        -------
        dict
        """
        return describe_row(self.table, row, self.answer_names, self.numbers,
                            int(self.flags[row]))


def _kind(table):
    return "none" if isinstance(table, Table) else type(table).__name__


def _image_column(table, options):
    """The column of files, if the table has no positions."""
    try:
        find_positions(table, ra=options.get("ra"), dec=options.get("dec"))
        return None
    except ValueError:
        return next((name for name in table.colnames if name.lower() in _IMAGES), None)


def _frame(table, classifier, options):
    """The survey and the width of the frame, without loading a network."""
    if classifier is not None:
        return classifier.model
    survey = str(options.get("survey") or table.meta.get("MORPHSRV", "sdss"))
    survey = options.get("survey") or (survey if survey in SURVEYS else "sdss")
    return SimpleNamespace(survey=get_survey(survey), frame_r90=_FRAME_R90)


def _asked(table, questions, known, journal):
    """The questions that corrections answer, or why nothing can be corrected."""
    if journal is None:
        return (), "no journal"
    if questions is None:
        there = [each for each in known if set(each.columns) <= set(table.colnames)]
        published = [each for each in there if each in QUESTIONS]
        questions = published if len(published) == len(QUESTIONS) else there[:1]
    if not questions:
        return (), ("the table answers no question that is known here; give yours by questions= "
                    "(--questions)")
    questions = as_questions(questions)
    answer_keys(questions)
    return questions, None


def _with_flag(flags, flag):
    if flag is None:
        return np.ones(len(flags), bool)
    if flag in FLAG_CHOICES:
        failed = flags & MorphFlag.UNCLASSIFIED.value
        return {"none": flags == 0, "any": flags != 0, "unclassified": failed != 0}[flag]
    check_choice(flag, "flag", (*FLAG_CHOICES, *flag_meanings()))
    return flags & MorphFlag[flag].value != 0
