"""Write one self-contained HTML page about a classified table."""
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from astropy.table import Column, Table

from astromorph.atomic import check_writable, written_whole
from astromorph.distribution import missing
from astromorph.errors import wrong
from astromorph.flags import MorphFlag, flag_meanings
from astromorph.learning.embedding import COLUMN
from astromorph.learning.labels import read_test_labels
from astromorph.learning.neighbors import similar
from astromorph.learning.votes import has_votes
from astromorph.names import as_names, is_missing
from astromorph.questions import QUESTIONS, probability_asked, split_answers
from astromorph.report.kinds import report_kind
from astromorph.report.pictures import ImageSource
from astromorph.running import probabilities
from astromorph.scores import score_answers

__all__ = ["check_report", "write_report"]

_SHOWN = 8
"""Galaxies of each kind."""
_COMPARED = 4
"""Galaxies that are shown with those that look most like them."""
_SUFFIXES = (".jpg", ".jpeg", ".png", ".fits")
_PROVENANCE = {"MORPHNET": "Network", "MORPHSRV": "Weights for survey", "MORPHWGT": "Weights",
               "MORPHMDL": "Model", "MORPHPRC": "Precision",
               "MORPHVER": "astromorph version", "MORPHDAT": "Classified (UTC)"}


def write_report(table, path, *, classifier=None, images=None, labels=None,
                 overwrite: bool = False) -> None:
    """Write a page that summarizes a table of classified galaxies.

    The page counts the rows by flag. For each question it shows the distribution of the
    probability, and the most and the least certain galaxies. If there are labels, it adds scores, a
    reliability diagram and a ROC curve. If the table was embedded, it shows the neighbors of a few
    galaxies. At the end it says where the numbers come from. The page is one file; it needs no
    other file and no network.

    For a question that follows from others, the page shows only galaxies that probably (P > 0.5)
    meet its condition. For instance, it shows bars among galaxies that probably have a disk and are
    not edge-on.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The result of `~astromorph.classifier.MorphologyClassifier.classify`.
    path : path
        File to write, by convention ``*.html``.
    classifier : `~astromorph.classifier.MorphologyClassifier`, optional
        The classifier of the table. The page summarizes its card and shows its questions. Without
        it, the page shows the published questions that the table has columns of.
    images : str, sequence or callable, optional
        Images of the galaxies: the column of the table that holds them (usually file names), one
        image per row, or a function. The function takes the number of a row and returns its image,
        or None. An image is anything that `~astromorph.read_cutout` reads. `write_report` reads
        only the few images that the page shows.
    labels : array-like, Table or `~astromorph.learning.labels.Labels`, optional
        As for `~astromorph.MorphologyClassifier.adapt`; by default from the columns of the table,
        if it has labels or votes.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    DestinationError
        If the file exists and ``overwrite`` is False.
    OSError
        If the file cannot be written.
    ImportError
        If Jinja2 is not installed: ``pip install "astromorph-galaxies[report]"``.
    TypeError, ValueError
        If the table was not classified, or by other weights, or another argument has the wrong
        type or value.

    See Also
    --------
    plot_mosaic : Draw some galaxies and their probabilities.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from astromorph import MorphologyClassifier, write_report
    >>> from astromorph.datasets import load_sample
    >>> clf = MorphologyClassifier.from_pretrained("sdss")
    >>> tbl = clf.classify(load_sample(), images="file", r90="petroR90", progress=False)
    >>> with TemporaryDirectory() as folder:
    ...     write_report(tbl, Path(folder, "report.html"), classifier=clf, images="file")
    """
    template = check_report(path, overwrite=overwrite)  # raises an error before reading images
    questions = _shown_questions(table, classifier)
    _check(table, questions, classifier)
    source, labels, problem = (ImageSource.of(table, images),
                               *_find_labels(table, labels, questions))
    page = template.render(
        n=len(table), summary=_summary(table), outcomes=_outcomes(table),
        questions=_sections(table, questions, source, labels), alike=_alike(table, source),
        has_images=source is not None,
        has_labels=labels is not None, label_problem=problem,
        provenance={_PROVENANCE[key]: table.meta[key] for key in _PROVENANCE if key in table.meta},
        weights=classifier and _weights(classifier.card),
        written=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"))
    with written_whole(path, overwrite=overwrite) as part:
        part.write_bytes(page.encode())


def check_report(path, *, overwrite=False):
    """Raise the errors of `write_report` that can be known before the table exists.

    Parameters
    ----------
    path, overwrite
        As for `write_report`.

    Returns
    -------
    `jinja2.Template`

    Raises
    ------
    DestinationError, ImportError, OSError
        As `write_report`.
    """
    template = _template()
    check_writable(path, overwrite=overwrite)
    return template


def reports_nothing(path):
    """Tell whether a file is a report of a table in which no galaxy was classified.

    Parameters
    ----------
    path : path

    Returns
    -------
    bool
    """
    try:
        with open(path, "rb") as file:
            return b'<meta name="classified" content="0">' in file.read(1000)
    except OSError:
        return False


def _template():
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise missing("The HTML report", "Jinja2", "report") from error
    # The template escapes all text of the table, so that a name cannot break the page.
    return Environment(
        loader=PackageLoader("astromorph.report", ""), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=StrictUndefined).get_template("report.html")


def _shown_questions(table, classifier):
    """The questions that the table has columns of. If it has none, those that it should have."""
    columns = set(getattr(table, "colnames", ()))
    known, usual = ((classifier.all_questions, classifier.questions) if classifier
                    else (QUESTIONS, QUESTIONS))
    return [question for question in known if columns.issuperset(question.columns)] or usual


def _check(table, questions, classifier):
    expected = [*(column for question in questions for column in question.columns), "morph_flag"]
    if missing := [name for name in expected if name not in getattr(table, "colnames", ())]:
        raise wrong("table", "a table that `classify` returned",
                    f"{type(table).__name__} without {', '.join(missing)}")
    if classifier and classifier.model.has_made(table) is False:
        raise wrong("classifier", f"the one of the table, model {table.meta['MORPHMDL']}",
                    repr(classifier))


def _find_labels(table, labels, questions):
    """(labels or None, what is wrong with the table's labels or None)."""
    if labels is None and not has_votes(table, questions):
        return None, None
    try:
        return read_test_labels(table, labels, questions), None
    except (TypeError, ValueError) as error:
        if labels is not None:
            raise
        return None, str(error)  # the caller did not ask for labels: write the page without them


def _summary(table):
    flags = np.asarray(table["morph_flag"])
    failed = int(np.count_nonzero(flags & MorphFlag.UNCLASSIFIED))
    return {"rows": len(table), "classified": len(table) - failed, "not classified": failed,
            "classified with a warning": int(np.count_nonzero(flags)) - failed}


def _outcomes(table):
    """Number of rows with each flag: clean rows first, then flags without probabilities."""
    flags = np.asarray(table["morph_flag"])
    rows = [{"name": name, "meaning": meaning, "count": int(np.count_nonzero(flags & flag)),
             "failed": bool(flag & MorphFlag.UNCLASSIFIED)}
            for name, meaning in flag_meanings().items() for flag in [MorphFlag[name]]]
    good = {"name": "good", "meaning": "Nothing went wrong and nothing was assumed.",
            "count": int(np.count_nonzero(flags == 0)), "failed": False}
    return [good, *sorted((row for row in rows if row["count"]),
                          key=lambda row: (not row["failed"], -row["count"]))]


def _sections(table, questions, source, labels):
    """What the page shows of each question."""
    answers = split_answers(questions, probabilities(table, questions))
    reached = [np.broadcast_to(chance, len(table)) for chance in probability_asked(
        questions, [columns[:, 0] for columns in answers])]
    captions = _Captions(table, questions, answers, np.array(reached))
    return [{"question": question, "title": report_kind(question).title(question),
             "counts": report_kind(question).counts(question, columns, chance),
             "histogram": _histogram(question, columns, chance),
             "kinds": _kinds(question, columns, chance, source, captions),
             **scored}
            for question, columns, chance, scored
            in zip(questions, answers, reached, _scored(labels, answers, questions))]


def _histogram(question, columns, chance):
    if not np.isfinite(columns).any():
        return None
    given = ({"likely": chance > 0.5, "label": "condition probably met"} if question.parent
             else {})
    return report_kind(question).histogram(question, columns, given)


def _kinds(question, columns, chance, source, captions):
    """The galaxies to show: the most certain of each answer, and the least certain."""
    rows = np.flatnonzero(np.isfinite(columns).all(axis=1) & (chance > 0.5))
    return {name: [captions.of(row, source) for row in rows[chosen][:_SHOWN].tolist()]
            for name, chosen in report_kind(question).shown(question, columns[rows]).items()}


def _alike(table, source):
    """Some galaxies of a table with features, each with those that look most like it."""
    if source is None or COLUMN not in table.colnames or "MORPHEMB" not in table.meta:
        return []
    captions = _Captions(table, (), np.empty((0, len(table))), np.empty((0, len(table))))
    features = Table({"row": np.arange(len(table)), COLUMN: table[COLUMN]},
                     meta={"MORPHEMB": table.meta.get("MORPHEMB")})
    good = np.flatnonzero(np.isfinite(features[COLUMN]).all(axis=1))
    chosen = np.unique(good[np.linspace(0, len(good) - 1, _COMPARED).astype(int)]) if len(
        good) else good
    return [[captions.of(row, source) | {"similarity": None}, *(
        captions.of(int(other["row"]), source) | {"similarity": float(other["similarity"])}
        for other in similar(features, row, _SHOWN - 1))] for row in chosen.tolist()]


class _Captions:
    """The text under a galaxy."""

    def __init__(self, table, questions, answers, reached):
        ours = {*(column for question in questions for column in question.columns), "morph_flag"}
        self._names = next((table[name] for name in table.colnames
                            if name not in ours and _holds_names(table[name])), None)
        self._questions, self._answers, self._likely = questions, answers, reached > 0.5

    def of(self, row, source):
        picture, reason = source.read(row) if source else (None, None)
        return {"row": row, "name": self._name(row), "picture": picture, "reason": reason,
                "bars": [(*report_kind(question).bar(question, columns[row]), bool(likely))
                         for question, columns, likely
                         in zip(self._questions, self._answers, self._likely[:, row])]}

    def _name(self, row):
        name, = as_names([None if self._names is None else self._names[row]])
        if name is None:
            return f"row {row}"
        return Path(name).stem if name.lower().endswith(_SUFFIXES) else name


def _holds_names(column):
    """Whether a column may name galaxies; positions, times and other mixin columns do not."""
    return (isinstance(column, Column) and column.ndim == 1 and column.dtype.kind in "SUiuO"
            and (column.dtype.kind != "O"
                 or all(isinstance(name, (str, bytes, int)) or is_missing(name)
                        for name in column)))


def _scored(labels, answers, questions):
    """Scores and diagrams of each question that has labels."""
    if labels is None:
        return [{"scores": [], "plots": {}}] * len(questions)
    return [{"scores": _rows(score_answers(y[:, None], columns, [question])),
             "plots": report_kind(question).plots(question, y, columns)}
            for question, y, columns in zip(questions, labels.T, answers)]


def _rows(scores):
    """Each row of scores as a dictionary, without masked scores."""
    return [{name: row[name] for name in scores.colnames if row[name] is not np.ma.masked}
            for row in scores]


def _weights(card):
    """What the page shows of a card."""
    training, done = card.get("training", {}), card.get("adapted")
    calibrated = card.get("calibrated", {}).get("method") or training.get("calibrated_on")
    facts = {"Network": card["network"], "Survey": card["survey"],
             "Frame": f"{card['frame_r90']} R90 wide, {card['size']} pixels",
             "Trained on": ", ".join(training.get("sets", [])), "Recipe": training.get("recipe"),
             "Adapted to": done and f"{card['survey']}, {done['galaxies']} galaxies",
             "Calibrated": calibrated, "License": card.get("license"),
             "Made": card.get("made"), "SHA-256": card["sha256"]}
    return {"facts": {name: fact for name, fact in facts.items() if fact},
            "test": card.get("test", []), "citations": card.get("citations", [])}
