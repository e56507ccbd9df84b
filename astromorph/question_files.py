"""Read questions from TOML files."""
import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

from astromorph.errors import ArgumentError, wrong
from astromorph.questions import Question, check_questions

__all__ = ["read_questions"]

_FIELDS = [each.name for each in fields(Question) if each.name not in ("key", "votes")]


def read_questions(path):
    """Read questions from a TOML file.

    Parameters
    ----------
    path : path
        A TOML file with one table per question. The name of the table is the question's key; its
        entries are the other parameters of `Question`.

    Returns
    -------
    tuple of Question

    Raises
    ------
    OSError
        If the file cannot be read.
    ArgumentError
        If the file is not TOML, or a question is invalid. The message names the file and the field.

    See Also
    --------
    astromorph.Question : Describe a question in Python.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from astromorph.question_files import read_questions
    >>> folder = TemporaryDirectory()
    >>> file = Path(folder.name) / "mine.toml"
    >>> _ = file.write_text('''
    ... [ring]
    ... kind = "grades"
    ... answers = ["none", "weak", "strong"]
    ... parent = "disk"
    ... ''')
    >>> read_questions(file)[0].columns
    ('P_ring_none', 'P_ring_weak', 'P_ring_strong')
    >>> folder.cleanup()
    """
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except ValueError as error:  # not TOML, or not UTF-8
        raise wrong("questions", "a TOML file with a table for each question",
                    f"{path}, which is not one ({error})") from error
    try:
        questions = tuple(_question(key, record) for key, record in given.items())
        check_questions(questions)
    except ArgumentError as error:
        raise wrong(f"{error.argument} in {path}", error.expected, error.received,
                    error.hint) from error
    return questions


def _question(key, record):
    if not isinstance(record, dict):
        raise wrong(key, f"a table, as [{key}] and lines below it", repr(record))
    for name in record:
        if name not in _FIELDS:
            near = get_close_matches(name, _FIELDS, 1)
            raise wrong(f"{key}.{name}", "a field of a Question", "an unknown one",
                        f"Did you mean {near[0]}?" if near else f"There are {', '.join(_FIELDS)}.")
    try:
        return Question(key, **record)
    except ArgumentError as error:
        raise wrong(f"{key}.{error.argument}", error.expected, error.received,
                    error.hint) from error
