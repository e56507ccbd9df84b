"""Checks of the entries of a journal, which people may have edited."""
import json

from astromorph.errors import wrong
from astromorph.labeling.journal import MEND
from astromorph.labeling.keys import answer_keys, as_number
from astromorph.questions import Question

__all__ = ["check_entries", "check_start", "questions_of"]

_TEXTS = ("id", "name", "labeler", "time")


def check_entries(entries, path, names=None):
    """Raise unless a `~astromorph.labeling.session.LabelSession` could have written the entries.

    Parameters
    ----------
    entries : list of dict
        Of a journal, see `~astromorph.labeling.journal.read_journal`.
    path : path
        Path of the journal, for the error.
    names : list of str, optional
        Names of the galaxies.

    Raises
    ------
    ValueError
        If an entry is wrong. The message gives its line.
    """
    check_start(entries, path)
    n, questions = entries[0]["rows"], questions_of(entries)
    keys = {each.key: each.answers for each in answer_keys(questions)}
    earlier = set()
    for entry in entries[1:]:
        if entry["kind"] == "answer":
            _check(entry, lambda entry: _fault_of_answer(entry, n, names)
                   or _fault_of_key(entry, keys, questions), path)
        elif entry["kind"] == "undo":
            _check(entry, lambda entry: _fault_of_undo(entry, n, earlier), path)
        elif entry["kind"] == "start":
            _check(entry, lambda entry: "no second start", path)
        earlier.add(entry.get("id"))


def check_start(entries, path):
    """Raise unless the first entry describes the galaxies and questions.

    Parameters
    ----------
    entries, path
        As for `check_entries`.

    Raises
    ------
    ValueError
        If it does not describe them.
    """
    if not entries or entries[0]["kind"] != "start":
        raise wrong("journal", "a first line that says what is labeled", f"{path} without")
    _check(entries[0], _fault_of_start, path)


def questions_of(entries):
    """Give the questions of a journal (list of `~astromorph.questions.Question`)."""
    return [Question.from_json(record) for record in entries[0]["questions"]]


def _check(entry, find_fault, path):
    fault = find_fault(entry)
    if fault:
        raise wrong("journal", f"{fault} in line {entry['n']} of {path}",
                    f"{json.dumps(entry):.200}", MEND)


def _fault_of_start(entry):
    n = entry.get("rows")
    if not (_is_row(n) and n and all(isinstance(entry.get(name), str) for name in (
            "labeler", "galaxies", "time"))):
        return "labeler, galaxies, time and rows"
    if not (_is_row(entry.get("seed")) and all(
            type(entry.get(name)) in (int, float) and 0 <= entry[name] <= 0.5
            for name in ("share", "repeats"))):
        return "seed, and share and repeats in 0..0.5"
    sealed = entry.get("sealed")
    if not (isinstance(sealed, list) and all(_is_row(row, n) for row in sealed)
            and len(set(sealed)) == len(sealed) == round(entry["share"] * n)):
        return f"sealed, a list of {round(entry['share'] * n)} different rows below {n},"
    try:
        answer_keys(questions_of([entry]))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return "questions that can be labeled"
    return None


def _fault_of_answer(entry, n, names):
    if not all(isinstance(entry.get(name), str) for name in _TEXTS):
        return f"{', '.join(_TEXTS)}, each a text,"
    if not _is_row(entry.get("row"), n):
        return f"a row below {n}"
    if names is not None and entry["name"] != names[entry["row"]]:
        return f"the name {names[entry['row']]!r} for row {entry['row']}"
    return None if isinstance(entry.get("again", False), bool) else "again, true or false,"


def _fault_of_key(entry, keys, questions):
    """What is wrong with the answer: key and answers must agree."""
    key, answers = entry.get("key"), entry.get("answers")
    if isinstance(key, str) and key in keys:
        return None if answers == keys[key] else f"the answers {json.dumps(keys[key])} of key {key}"
    try:
        if key is None and answers == {questions[0].key: as_number(entry.get("value"), questions)}:
            return None
    except (TypeError, ValueError):
        pass
    return f"one of the keys {', '.join(keys)}, or a number that is the answer,"


def _fault_of_undo(entry, n, earlier):
    if not (isinstance(entry.get("id"), str) and isinstance(entry.get("of"), str)):
        return "id and of, each a text,"
    if entry["of"] not in earlier:
        return "of, the id of an earlier answer or undo,"
    return None if _is_row(entry.get("row"), n) else f"a row below {n}"


def _is_row(value, n=2**53):
    return type(value) is int and 0 <= value < n
