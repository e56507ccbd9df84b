"""The reference is complete: every public name, what it takes, gives and raises, and an example."""
import importlib
import inspect
import pkgutil
import re
import sys
from collections import Counter
from dataclasses import is_dataclass
from doctest import SKIP, DocTestParser
from pathlib import Path

import pytest

import astromorph

# The wheel may be tested without the extra that has them.
validate = pytest.importorskip("numpydoc.validate").validate
ModuleAnalyzer = pytest.importorskip("sphinx.pycode").ModuleAnalyzer

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
# What the house does otherwise.
IGNORED = {
    "GL01", "GL02", "GL03",  # the text starts and ends on the lines of the quotes
    "ES01", "SA01",  # more text and links only where they help
    "EX01",  # `examples_of` also finds the example of a method in that of its class
    "PR04",  # several parameters that are "as for" another function have the types of that one
    "RT02",  # several names on one line
    "RT03",  # a description, where the first line of the text does not say it all
    "SS05",  # takes "Positions" and "Probabilities" for verbs, too
}
ELSEWHERE = {
    # Lists its options by name, and inherits the signature of looking up a member.
    "astromorph.cutouts.fetch_cutouts": {"PR01", "PR02"}, "astromorph.flags.MorphFlag": {"PR01"},
    # A protocol is not made, so that it takes nothing.
    "astromorph.galaxies.GalaxySource": {"PR01"},
}
SKIPPED = {
    "astromorph.classifier.MorphologyClassifier.classify_region": "asks the survey's catalog",
    "astromorph.classifier.MorphologyClassifier.classify_catalog": "LSDB takes long to load",
    "astromorph.classifier.MorphologyClassifier.label": "opens a page and waits for answers",
    "astromorph.galaxies.catalogs.query_galaxies": "asks the survey's catalog",
    "astromorph.interop.SampLink": "needs TOPCAT", "astromorph.interop.send": "needs TOPCAT",
    "astromorph.model.TrainedModel.downloaded": "downloads",
    "astromorph.model.remote.fetch_weights": "downloads",
    "astromorph.partitions.classify_catalog": "LSDB takes long to load",
    "astromorph.partitions.write_extension": "LSDB takes long to load",
    "astromorph.services.transport.Transport.follow": "asks a service",
    "astromorph.services.transport.Transport.get": "asks a service",
}
"""Public names whose examples cannot run here, and why."""
MACHINERY = {"cli", "networks", "running"}
"""Packages that people use through others; the reference has some of their modules."""

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
                        and (inspect.isfunction(getattr(value, member))
                             or inspect.ismethod(getattr(value, member))))


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


def find(name):
    """The object of a full name."""
    value = importlib.import_module(DOCUMENTED[name])
    for part in name.removeprefix(f"{DOCUMENTED[name]}.").split("."):
        value = getattr(value, part)
    return value


def examples_of(name):
    """Lines of the example of a public name; of a method, perhaps those of its class."""
    lines = DocTestParser().get_examples(inspect.getdoc(find(name)) or "")
    owner, _, member = name.rpartition(".")
    if lines or owner not in DOCUMENTED:
        return lines
    lines = DocTestParser().get_examples(inspect.getdoc(find(owner)))
    return lines if any(f".{member}(" in line.source for line in lines) else []


def raises(value):
    """Whether a function, or what makes an object of a class, checks its arguments."""
    maker = value
    if inspect.isclass(value):
        maker = vars(value).get("__post_init__" if is_dataclass(value) else "__init__")
    return getattr(maker, "__module__", "") == value.__module__ and bool(re.search(
        r"^\s+(raise |check_\w+\()", inspect.getsource(inspect.unwrap(maker)), re.MULTILINE))


def test_what_raises_says_so():
    assert not [name for name in DOCUMENTED
                if raises(find(name)) and "\nRaises\n" not in inspect.getdoc(find(name))]


@pytest.mark.parametrize("module", BLOCKS)
def test_every_name_has_an_example(module):
    assert not [name for name in documented(module) if not examples_of(name)]


def test_examples_run():
    used = {name: [line.options.get(SKIP, False) for line in examples_of(name)
                   if f"{name.rpartition('.')[2]}(" in line.source] for name in DOCUMENTED}
    skipped = {name for name, lines in used.items() if lines and all(lines)}
    assert SKIPPED.keys() <= skipped
    assert not [name for name in skipped if not name.startswith(tuple(SKIPPED))]


def test_every_public_name_is_on_one_page():
    """Except for those that the page of their module skips: other packages use them."""
    pages = Counter(id(value) for module in BLOCKS for _, value in shown(module)
                    if not isinstance(value, (int, float, str)))
    assert set(pages.values()) == {1}
    packages = {f"astromorph.{each.name}" for each in pkgutil.iter_modules(astromorph.__path__)
                if each.ispkg and each.name not in MACHINERY}
    for module in ("astromorph", *sorted(packages | BLOCKS.keys())):
        home = importlib.import_module(module)
        left = set(re.findall(r":skip: (\w+)", BLOCKS.get(module, "")))
        here = {name for name, _ in shown(module)} if module in BLOCKS else set()
        assert not [name for name in set(getattr(home, "__all__", ())) - left - here
                    if id(getattr(home, name)) not in pages]


def test_constants_say_what_they_are():
    texts = {name for each in [name for name in sys.modules if name.startswith("astromorph.")]
             for _, name in ModuleAnalyzer.for_module(each).find_attr_docs()}
    constants = {name for module in BLOCKS for name, value in shown(module)
                 if not callable(value) and not type(value).__module__.startswith("astromorph.")}
    assert constants - texts == set()
