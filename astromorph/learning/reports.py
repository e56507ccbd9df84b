"""Report what adapting a classifier changed."""
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table, hstack

from astromorph.metrics import balanced_threshold, score_table
from astromorph.scores import score_rows

__all__ = ["AdaptationReport"]

_SCORES = ("TPR", "precision", "accuracy", "AUC")


@dataclass(frozen=True)
class AdaptationReport:
    """Scores before and after adapting, on galaxies left out of the training; printable.

    Parameters
    ----------
    table : `~astropy.table.Table`
        One row per question: the number of labeled and of positive galaxies, whether the question
        was trained, and the scores before and after. The scores are TPR, precision, accuracy and
        AUC (each with a bootstrap interval, 68%) and ECE. ``threshold`` is the threshold at which
        completeness and purity are equal. ``meta`` says which galaxies the scores come from, and
        which weights the training started from.
    learning_curve : `~astropy.table.Table`, optional
        One row per question and number of training galaxies.
    heads : `~astropy.table.Table`, optional
        Scores of the questions that were taught to heads; see `~astromorph.scores.score_answers`.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import QUESTIONS
    >>> from astromorph.learning.reports import AdaptationReport
    >>> from astromorph.model import TrainedModel
    >>> labels = np.array([[0.0], [0], [1], [1]])
    >>> before = np.array([[0.2], [0.6], [0.5], [0.7]])
    >>> after = np.array([[0.1], [0.3], [0.6], [0.9]])
    >>> report = AdaptationReport.compare(labels, before, after, QUESTIONS[:1], [True], "a test")
    >>> report.changes()
    ['disk 0.750 and 1.000']
    >>> AdaptationReport.from_dict(report.to_dict()).better
    ['disk']
    >>> print(AdaptationReport.of(TrainedModel.bundled("sdss").card))  # never adapted
    None
    """

    table: Table | None
    learning_curve: Table | None = None
    heads: Table | None = None

    @classmethod
    def of(cls, card):
        """Make the report from a card.

        Parameters
        ----------
        card : `~astromorph.model.card.Card`
            Card of the weights.

        Returns
        -------
        AdaptationReport or None
            None if neither the network nor a head was trained.
        """
        report = cls.from_dict(card.adapted["report"]) if card.adapted else cls(None)
        scores = [row for head in card.heads if head.default
                  for row in head.training.get("scores", ())]
        report = replace(report, heads=score_rows(scores) if scores else None)
        return report if report.table or report.heads else None

    @property
    def better(self):
        """Keys of the questions whose ROC area rose (list of str)."""
        taught = () if self.table is None else self.table[self.table["trained"]]
        return [str(row["question"]) for row in taught if row["AUC_after"] > row["AUC_before"]]

    def changes(self):
        """List the ROC areas of each trained question before and after, where they are known.

        Returns
        -------
        list of str
        """
        return [f"{row['question']} {row['AUC_before']:.3f} and {row['AUC_after']:.3f}"
                for row in self.table[self.table["trained"]] if np.isfinite(row["AUC_after"])]

    @classmethod
    def compare(cls, labels, before, after, questions, trained, tested_by, learning_curve=None,
                started_from=""):
        """Score two classifiers on the same galaxies.

        Parameters
        ----------
        labels, before, after : `~numpy.ndarray`, shape (n, questions)
            Labels, and the probabilities of the two classifiers. Rows without ``after`` do not
            count.
        questions : sequence of `~astromorph.questions.Question`
            The columns.
        trained : sequence of bool
            Whether each question was trained.
        tested_by : str
            Where the scores come from.
        learning_curve : `~astropy.table.Table`, optional
            See `AdaptationReport`.
        started_from : str
            The weights of the first classifier.

        Returns
        -------
        AdaptationReport
        """
        before = np.where(np.isnan(after), np.nan, before)
        tables = []
        for name, answers in {"before": before, "after": after}.items():
            scores = score_table(labels, answers, questions)
            for column in scores.colnames[3:]:
                score, *limit = column.split("_")  # AUC_low becomes AUC_after_low
                scores.rename_column(column, "_".join([score, name, *limit]))
            tables.append(scores)
        table = hstack([tables[0], tables[1][tables[1].colnames[3:]]], metadata_conflicts="silent")
        table.add_column(trained, index=3, name="trained")
        table["threshold"] = [balanced_threshold(y, p) for y, p in zip(labels.T, after.T)]
        table["threshold"].format = ".3f"
        table.meta |= {"tested_by": tested_by, "started_from": started_from}
        return cls(table, learning_curve)

    @classmethod
    def from_dict(cls, card):
        """Make the report from the result of `to_dict`.

        Parameters
        ----------
        card : dict
            The columns and meta of each table.

        Returns
        -------
        AdaptationReport
        """
        tables = {name: None if part is None else Table(part["columns"], meta=part["meta"])
                  for name, part in card.items()}
        for table in filter(None, tables.values()):
            for column in table.itercols():
                column.format = ".3f" if column.dtype.kind == "f" else None
        return cls(**tables)

    def to_dict(self):
        """Return the report as plain lists and numbers, for JSON.

        Returns
        -------
        dict
        """
        return {name: None if table is None else {
            "columns": {column.name: column.tolist() for column in table.itercols()},
            "meta": dict(table.meta)} for name, table in vars(self).items() if name != "heads"}

    def __str__(self):
        lines = self._of_network() if self.table else []
        if self.heads:
            lines += ["Questions taught to heads, scores on galaxies left out of the fit (68% "
                      "interval):"]
            for row in self.heads:
                lines += [f"{row['question']}: {row['n']} galaxies", *_scores_of(row)]
        return "\n".join(lines)

    def _of_network(self):
        lines = [f"Scores before -> after (68% interval), by {self.table.meta['tested_by']}"]
        if start := self.table.meta.get("started_from"):
            lines.append(f"Started from {start}")
        for row in self.table:
            outcome = ("; too few labels, kept as it was" if not row["trained"] else
                       "" if row["question"] in self.better else "; no better than before")
            lines.append(f"{row['question']}: {row['n']} galaxies, {row['n_positive']} positive"
                         + outcome)
            lines += [f"    {name:9} {row[f'{name}_before']:.3f} -> {row[f'{name}_after']:.3f} "
                      f"({row[f'{name}_after_low']:.3f} to {row[f'{name}_after_high']:.3f})"
                      for name in _SCORES]
            lines.append(f"    completeness and purity balance at P = {row['threshold']:.3f}")
        if self.learning_curve is not None:
            lines += ["Learning curve:", *self.learning_curve.pformat(max_width=-1)]
        return lines


def _scores_of(row):
    """A line for each score that a row has."""
    names = [name for name in row.colnames if not name.endswith(("_low", "_high"))
             and name not in ("question", "n", "n_positive")]
    for name in names:
        if row[name] is not np.ma.masked:
            limits = [row[end] for end in (f"{name}_low", f"{name}_high")
                      if end in row.colnames and row[end] is not np.ma.masked]
            yield f"    {name:16} {row[name]:.3f}" + (
                " ({:.3f} to {:.3f})".format(*limits) if len(limits) == 2 else "")
