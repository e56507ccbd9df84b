"""The reference is complete: every public name, what it takes, gives and raises, and an example."""
import importlib
import inspect
import pkgutil
import re
from collections import Counter
from doctest import SKIP, DocTestParser
from pathlib import Path

import pytest

import astromorph

# Comes with the tools for the documentation.
validate = pytest.importorskip("numpydoc.validate").validate

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
# What the house does otherwise.
IGNORED = {
    "GL01", "GL02", "GL03",  # the text starts and ends on the lines of the quotes
    "ES01", "SA01",  # more text and links only where they help
    "EX01",  # `examples_of` also finds the example of a method in that of its class
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
SKIPPED = {}
"""Public names whose examples cannot run here, and why."""
MACHINERY = {"cli", "networks", "running"}
"""Packages that people use through others; the reference has some of their modules."""
INTERNAL = {}
"""Names that a public package has for other packages of astromorph."""

BLOCKS = {block.split()[0]: block for page in sorted(REFERENCE.glob("*.rst"))
          for block in re.split(r"\.\. automod(?:api|ule):: ", page.read_text())[1:]}


def shown(module):
    """Names of a module that its block in the reference shows, and their values."""
    home, block = importlib.import_module(module), BLOCKS[module]
    for name in sorted(set(home.__all__) - set(re.findall(r":skip: (\w+)", block))):
        value = getattr(home, name)
        here = f"{getattr(value, '__module__', module)}.".startswith(f"{module}.")
        if here if callable(value) else ":include-all-objects:" in block:
            yield name, value


def documented(module):
    """Full names of the functions, classes and methods that the reference has of a module."""
    for name, value in shown(module):
        if callable(value):
            yield f"{module}.{name}"
        if inspect.isclass(value):
            yield from (f"{module}.{name}.{member}" for member in vars(value)
                        if not member.startswith("_")
                        and inspect.isroutine(getattr(value, member)))


DOCUMENTED = {name: module for module in BLOCKS for name in documented(module)}


@pytest.mark.parametrize("module", BLOCKS)
def test_docstrings(module):
    wrong = []
    for name in documented(module):
        ignored = IGNORED.union(*(codes for start, codes in ELSEWHERE.items()
                                  if name.startswith(start)))
        wrong += [f"{name}: {code} {text}" for code, text in validate(name)["errors"]
                  if code not in ignored]
    assert not wrong, "\n".join(wrong)
