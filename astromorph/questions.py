"""The questions a classifier answers, one record each."""
from dataclasses import dataclass

__all__ = ["QUESTIONS", "Question"]


@dataclass(frozen=True)
class Question:
    """One yes/no question about a galaxy's shape.

    Parameters
    ----------
    key : str
        Short name, also the label column of a labeled table.
    column : str
        Name of the probability column (that of the published SDSS catalog,
        Dominguez Sanchez et al. 2018, MNRAS 476, 3661).
    positive, negative : str
        The two answers.
    parent : str or None
        Key of the question whose answer makes this one meaningful.
    description : str
        One line for table columns.
    ucd : str
        IVOA unified content descriptor of the column.
    """

    key: str
    column: str
    positive: str
    negative: str
    parent: str | None
    description: str
    ucd: str = "stat.probability;src.morph"


QUESTIONS = (
    Question("q1", "P_disk", "disk or features", "smooth", None,
             "Probability of a disk or features, against smooth"),
    Question("q2", "P_edge_on", "edge-on", "not edge-on", "q1",
             "Probability of being edge-on, given a disk or features"),
    Question("q3", "P_bar", "barred", "not barred", "q2",
             "Probability of a bar, given a disk or features that is not edge-on"),
)
