"""Every object of the reference says what it takes, gives and raises, as numpydoc wants it."""
import importlib
import inspect
import re
from pathlib import Path

import pytest

import astromorph

# Comes with the tools for the documentation.
validate = pytest.importorskip("numpydoc.validate").validate

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
# What the house does otherwise.
IGNORED = {
    "GL01", "GL02", "GL03",  # the text starts and ends on the lines of the quotes
    "ES01", "EX01", "SA01",  # more text, examples and links only where they help
    "PR04", "PR07", "RT02", "RT03",  # a type, or a description, where the name does not say it all
    "SS05",  # takes "Positions" and "Probabilities" for verbs, too
    "YD01",
}
ELSEWHERE = {
    # Lists its options by name, and inherits the signature of looking up a member.
    "astromorph.cutouts.fetch_cutouts": {"PR01", "PR02"}, "astromorph.flags.MorphFlag": {"PR01"},
    # A protocol is not made, so that it takes nothing.
    "astromorph.galaxies.GalaxySource": {"PR01"},
}


BLOCKS = {block.split()[0]: block for page in sorted(REFERENCE.glob("*.rst"))
          for block in re.split(r"\.\. automod(?:api|ule):: ", page.read_text())[1:]}


def documented(module, block):
    """Names of the functions, classes and methods that the reference has of a module."""
    home = importlib.import_module(module)
    for name in sorted(set(home.__all__) - set(re.findall(r":skip: (\w+)", block))):
        value = getattr(home, name)
        if callable(value) and f"{value.__module__}.".startswith(f"{module}."):
            yield f"{module}.{name}"
            if inspect.isclass(value):
                yield from (f"{module}.{name}.{member}" for member in vars(value)
                            if not member.startswith("_")
                            and inspect.isroutine(getattr(value, member)))


@pytest.mark.parametrize("module", BLOCKS)
def test_docstrings(module):
    wrong = []
    for name in documented(module, BLOCKS[module]):
        ignored = IGNORED.union(*(codes for start, codes in ELSEWHERE.items()
                                  if name.startswith(start)))
        wrong += [f"{name}: {code} {text}" for code, text in validate(name)["errors"]
                  if code not in ignored]
    assert not wrong, "\n".join(wrong)


def test_the_front_door_is_in_the_reference():
    documented = {name for module in BLOCKS for name in importlib.import_module(module).__all__}
    assert set(astromorph.__all__) <= documented
