"""Say what data from a file may hold, and check it: values, lists, dictionaries and records.

A form specifies the data. The error of its ``check`` names the place, what is expected there, and
what came.
"""
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real

from astromorph.errors import wrong

__all__ = ["ANYTHING", "COUNT", "DICTIONARY", "FLAG", "FRACTION", "LIST", "NUMBER", "PLAIN",
           "SCALAR", "TEXT", "Columns", "Leaf", "Listed", "Maybe", "Named", "Record"]

_DEEPEST = 50
_LARGEST = 2**53  # whole numbers up to here are exact in 64 bits
_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 160


@dataclass(frozen=True)
class Leaf:
    """One value.

    Parameters
    ----------
    expected : str
        What is expected, in words.
    accepts : callable
        Takes a value and returns whether it fits.
    """

    expected: str
    accepts: Callable

    def check(self, value, place):
        """Raise unless the value fits; other forms have the same method.

        Parameters
        ----------
        value : object
            A value from a file.
        place : str
            Where it is, for the error.

        Raises
        ------
        `~astromorph.errors.ArgumentError`
            If it does not fit.

        Examples
        --------
        >>> from astromorph.model.forms import COUNT, Listed, Record
        >>> Record({"sizes": Listed(COUNT)}).check({"sizes": [1, -2]}, "file")
        Traceback (most recent call last):
        ...
        astromorph.errors.ArgumentError: file['sizes'][1]: expected a whole number from 0.
        Received -2.
        """
        if not self.accepts(value):
            raise wrong(place, self.expected, f"{_brief.repr(value):.200}")


def _is_count(value):
    return (isinstance(value, Integral) and not isinstance(value, bool)
            and 0 <= value <= _LARGEST)


def _is_number(value):
    return (isinstance(value, Real) and not isinstance(value, bool)
            and (not isinstance(value, Integral) or abs(value) <= _LARGEST))


def _is_scalar(value):
    return value is None or isinstance(value, (str, bool)) or _is_number(value)


def _is_plain(value, depth=_DEEPEST):
    if isinstance(value, dict):
        return all(isinstance(name, str) for name in value) and _is_plain([*value.values()], depth)
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_is_plain(each, depth - 1) for each in value)
    return _is_scalar(value)


TEXT = Leaf("text", lambda value: isinstance(value, str))
FLAG = Leaf("true or false", lambda value: isinstance(value, bool))
COUNT = Leaf("a whole number from 0", _is_count)
NUMBER = Leaf("a number, or NaN", _is_number)
FRACTION = Leaf("a number in 0..1, or NaN",
                lambda value: _is_number(value) and not (value < 0 or value > 1))
SCALAR = Leaf("text, a number, true, false or null", _is_scalar)
PLAIN = Leaf(f"values of JSON, nested at most {_DEEPEST} deep", _is_plain)
LIST = Leaf("a list", lambda value: isinstance(value, (list, tuple)))
DICTIONARY = Leaf("a dictionary", lambda value: isinstance(value, dict))
ANYTHING = Leaf("anything", lambda value: True)


@dataclass(frozen=True)
class Maybe:
    """A value of some form, or None."""

    form: object

    def check(self, value, place):
        """Check as `Leaf.check` does."""
        if value is not None:
            self.form.check(value, place)


@dataclass(frozen=True)
class Listed:
    """A list of values of one form."""

    form: object

    def check(self, value, place):
        """Check as `Leaf.check` does."""
        LIST.check(value, place)
        for i, each in enumerate(value):
            self.form.check(each, f"{place}[{i}]")


@dataclass(frozen=True)
class Named:
    """A dictionary with any names, and values of one form."""

    form: object

    def check(self, value, place):
        """Check as `Leaf.check` does."""
        DICTIONARY.check(value, place)
        for name, each in value.items():
            self.form.check(each, f"{place}[{name!r:.80}]")


@dataclass(frozen=True)
class Record:
    """A dictionary whose entries have forms of their own.

    Parameters
    ----------
    needed, known : dict of str to form
        Entries that must be there, and others that may be.
    others : form or None
        Form of all other entries; None if there may be no others.
    """

    needed: dict
    known: dict = field(default_factory=dict)
    others: object = ANYTHING

    def check(self, value, place):
        """Check as `Leaf.check` does."""
        DICTIONARY.check(value, place)
        forms = self.needed | self.known
        if missing := [name for name in self.needed if name not in value]:
            raise wrong(place, f"an entry {missing[0]!r}", f"only {_brief.repr(list(value))}")
        for name, each in value.items():
            form = forms.get(name, self.others)
            if form is None:
                raise wrong(place, f"only the entries {', '.join(forms)}", f"{name!r:.80}")
            form.check(each, f"{place}[{name!r:.80}]")


@dataclass(frozen=True)
class Columns(Record):
    """The columns of a table: a record of lists of equal length."""

    others: object = Listed(SCALAR)

    def check(self, value, place):
        """Check as `Leaf.check` does."""
        super().check(value, place)
        if len(lengths := {len(each) for each in value.values()}) > 1:
            raise wrong(place, "columns of equal length", f"lengths {sorted(lengths)}")
