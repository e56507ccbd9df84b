"""The keys that answer questions."""
from dataclasses import dataclass, field

from astromorph.arguments import as_float
from astromorph.errors import wrong
from astromorph.learning.answers import check_answers
from astromorph.questions import check_questions

__all__ = ["CANNOT_TELL", "NO_GALAXY", "AnswerKey", "answer_keys", "as_number"]

CANNOT_TELL, NO_GALAXY = "?", "X"

# The leaves of the tree of the published questions: they exclude each other.
_LEAVES = (("S", "smooth", {"disk": 0}),
           ("E", "edge-on disk", {"disk": 1, "edge_on": 1}),
           ("B", "barred disk", {"disk": 1, "edge_on": 0, "bar": 1}),
           ("D", "disk without a bar", {"disk": 1, "edge_on": 0, "bar": 0}),
           ("U", "disk, unsure of a bar", {"disk": 1, "edge_on": 0}))
_MOST = 9  # keys that have digits


@dataclass(frozen=True)
class AnswerKey:
    """A key, and the answers that it gives.

    Parameters
    ----------
    key : str
        The character on the keyboard.
    title : str
        The answer, for people.
    answers : dict of str to int
        Key of a question -> label, as `~astromorph.learning.answers.check_answers` takes it.
        Empty if the galaxy gets no label.
    """

    key: str
    title: str
    answers: dict = field(default_factory=dict)


def answer_keys(questions):
    """Give the keys that answer questions.

    Parameters
    ----------
    questions : sequence of `~astromorph.questions.Question`
        Disk, edge-on and bar, which one key answers together, or one other question. A question
        about a number has no keys: people type the number.

    Returns
    -------
    tuple of AnswerKey
        The last two are "cannot tell" and "no galaxy".

    Raises
    ------
    ValueError
        If there are several questions other than these three, or more than nine answers.

    Examples
    --------
    >>> from astromorph.labeling.keys import answer_keys
    >>> from astromorph.questions import QUESTIONS
    >>> [each.key for each in answer_keys(QUESTIONS)]
    ['S', 'E', 'B', 'D', 'U', '?', 'X']
    """
    check_questions(questions)
    keys = [question.key for question in questions]
    if keys == ["disk", "edge_on", "bar"] and {each.kind for each in questions} == {"yes_no"}:
        answers = [AnswerKey(*leaf) for leaf in _LEAVES]
    elif len(keys) == 1:
        answers = _of_one(questions[0])
    else:
        raise wrong("questions", "one question, or disk, edge_on and bar in this order",
                    ", ".join(keys), "Label one question at a time, each into a table of its own.")
    return (*answers, AnswerKey(CANNOT_TELL, "cannot tell"), AnswerKey(NO_GALAXY, "no galaxy"))


def _of_one(question):
    if question.kind == "number":
        return []
    if question.kind == "yes_no":
        titles = {question.positive: 1, question.negative: 0}
    else:
        titles = {each.replace("_", " "): place for place, each in enumerate(question.answers)}
    if len(titles) > _MOST:
        raise wrong("questions", f"at most {_MOST} answers, one a digit",
                    f"{len(titles)} of {question.key}")
    return [AnswerKey(str(digit), title, {question.key: label})
            for digit, (title, label) in enumerate(titles.items(), 1)]


def as_number(value, questions):
    """Read the number that a person typed.

    Parameters
    ----------
    value : float or str
    questions : sequence of `~astromorph.questions.Question`

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the first question is not about a number, or its answer cannot be this number.
    """
    question = questions[0]
    if question.kind != "number":
        raise wrong("value", "a key", f"{value!r:.40}")
    try:
        number = as_float(None if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        number = float("inf")
    if number != number or abs(number) == float("inf"):
        raise wrong("value", "a finite number", f"{value!r:.40}")
    return float(check_answers([number], question, "value")[0])
