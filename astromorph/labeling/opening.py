"""Begin or continue to label, with a journal, a table, a learner and a page."""
from pathlib import Path
from threading import Lock

from astromorph.errors import wrong
from astromorph.labeling.agreement import compare_journals, own_agreement
from astromorph.labeling.conversation import Conversation
from astromorph.labeling.entries import check_entries
from astromorph.labeling.galaxies import LabelGalaxies
from astromorph.labeling.journal import read_journal
from astromorph.labeling.session import LabelSession, subject
from astromorph.labeling.tables import whole_numbers
from astromorph.progress import in_notebook
from astromorph.tables import check_columns, check_destination, write_table

__all__ = ["Comparison", "LabelTable", "check_others", "journal_of", "label", "open_conversation"]

_open = {}  # journals in use here: in a notebook, a cell may run again


def open_conversation(classifier, data, output, *, questions=None, labeler=None, seed=0, learn=True,
                      compare=(), overwrite=False, output_format=None, **options):
    """Begin or continue to label galaxies.

    Parameters
    ----------
    classifier, data, output, questions, labeler, seed, learn, compare, overwrite, **options
        See `~astromorph.MorphologyClassifier.label`.
    output_format : str, optional
        As for `~astromorph.tables.read_table`.

    Returns
    -------
    `~astromorph.labeling.conversation.Conversation`
        Close it at the end.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    OSError
        If the journal or the table cannot be written.
    """
    output, journal = Path(output), journal_of(output).absolute()
    format = check_destination(output, overwrite=overwrite or journal.exists(),
                               format=output_format)
    if journal in _open:
        _open.pop(journal).close()
    galaxies = LabelGalaxies(data, classifier.model, **options)
    check_columns(galaxies.table, format)
    questions = classifier.questions if questions is None else questions
    others = check_others(compare, galaxies, questions)
    session = LabelSession(galaxies, questions, journal, labeler=labeler, seed=seed)
    try:
        _open[journal] = Conversation(
            session, _learner(classifier, session) if learn else None,
            save=LabelTable(session, output, format), compare=Comparison(session, others),
            folder=output.with_name(f"{output.stem}_classifier"))
    except BaseException:
        session.close()
        raise
    return _open[journal]


def _learner(classifier, session):
    from astromorph.labeling.learner import Learner  # loads the networks

    return Learner(classifier, session)


def label(classifier, data, output, *, port=None, browser=True, **options):
    """Show galaxies to label, in a notebook or on a page that Ctrl-C ends.

    Parameters
    ----------
    classifier, data, output, port, browser, **options
        See `~astromorph.MorphologyClassifier.label`.

    Returns
    -------
    `~astromorph.labeling.widget.LabelWidget` or `~astropy.table.Table`
        See `~astromorph.MorphologyClassifier.label`.
    """
    if in_notebook():
        from astromorph.labeling.widget import LabelWidget  # says what is missing, if it is

        return LabelWidget(open_conversation(classifier, data, output, **options))
    from astromorph.labeling.page import serve

    conversation = open_conversation(classifier, data, output, **options)
    try:
        serve(conversation, port=port, browser=browser,
              keep=f"{conversation.session.journal.path}.page")
    finally:
        conversation.close()
    return conversation.session.labels()


def journal_of(path):
    """Give the name of the journal of a table. The name of a journal stays as it is.

    Parameters
    ----------
    path : path

    Returns
    -------
    `~pathlib.Path`
    """
    path = Path(path)
    return path if path.suffix == ".journal" else path.with_name(f"{path.name}.journal")


class LabelTable:
    """The file of a session's labels. Call it to write the file.

    Parameters
    ----------
    session : `~astromorph.labeling.session.LabelSession`
    path : `~pathlib.Path`
    format : str
        See `~astromorph.tables.write_table`.
    """

    def __init__(self, session, path, format):
        self._session, self._path, self._format, self._turn = session, path, format, Lock()

    def __call__(self):
        """Write the table and return its path. Without an answer, no new file is written."""
        with self._turn:
            table = whole_numbers(self._session.labels(), self._session.questions)
            if len(table) or self._path.exists():
                write_table(table, self._path, overwrite=True, format=self._format)
        return self._path


def check_others(paths, galaxies, questions):
    """Raise unless journals of other labelers can be compared with labels of some galaxies.

    Parameters
    ----------
    paths : iterable of path
        Their tables, or the journals.
    galaxies, questions
        As for `~astromorph.labeling.session.LabelSession`.

    Returns
    -------
    list of `~pathlib.Path`
        The journals.

    Raises
    ------
    ValueError
        If there is none, it is damaged, or it is of other galaxies or questions.
    """
    journals = [journal_of(path) for path in paths]
    for path in journals:
        compare_journals([{"kind": "start"} | subject(galaxies, questions)], _entries(path))
    return journals


def _entries(path):
    """The entries of another labeler's journal."""
    if not path.exists():
        raise wrong("compare", "the labels of somebody else, with their journal",
                    f"{path.with_suffix('')}, and no journal {path}",
                    "A journal is beside each table that `label` writes; copy both.")
    entries = read_journal(path)
    check_entries(entries, path)
    return entries


class Comparison:
    """How well a labeler agrees with others and with themselves. Call it to compare.

    Parameters
    ----------
    session : `~astromorph.labeling.session.LabelSession`
    others : iterable of path
        Journals of other labelers of the same galaxies.
    """

    def __init__(self, session, others=()):
        self._session, self._others = session, others

    def __call__(self):
        """The content of the message "compared" (dict)."""
        mine = self._session.journal.entries
        return {"own": _rows(own_agreement(mine).scores),
                "others": [self._with(_entries(path)) for path in self._others]}

    def _with(self, theirs):
        found = compare_journals(self._session.journal.entries, theirs)
        return {"labeler": theirs[0]["labeler"], "agreement": _rows(found.scores),
                "disagreements": _rows(found.disagreements)}


def _rows(table):
    return [dict(zip(table.colnames, row)) for row in zip(*(
        column.tolist() for column in table.itercols()))]
