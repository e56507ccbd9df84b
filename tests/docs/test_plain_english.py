"""The guide and the code are in plain English: short sentences, none of the mended phrases."""
import ast
import inspect
import re
import tokenize
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", ROOT / "CHANGES.rst",
         *sorted((ROOT / "docs").glob("*.rst")),
         *sorted((ROOT / "docs" / "examples").rglob("*.py")),
         *sorted((ROOT / "docs" / "examples").rglob("*.rst"))]
ROOMS = (
    "images", "tables", "galaxies", "cutouts", "services", "running", "datasets",
    "answers.py", "arguments.py", "atomic.py", "curves.py", "errors.py", "fits_layout.py",
    "flags.py", "metrics.py", "names.py", "partitions.py", "plots.py", "printing.py",
    "progress.py", "question_files.py", "questions.py", "scores.py", "survey_files.py",
    "survey_rules.py", "surveys.py", "__init__.py", "classifier.py", "learning", "report", "cli",
    "model", "networks",
)
"""Packages and modules of astromorph that are held to plain English."""
MODULES = [module for room in ROOMS for module in (
    [ROOT / "astromorph" / room] if room.endswith(".py")
    else sorted((ROOT / "astromorph" / room).rglob("*.py")))]
LONGEST = 30
MENDED = (
    "are got from", "is got from", "in any case", "such a sample is not for", "hardly tell",
    "more likely than not", "question is likely asked", "nobody looks whether", "looks unlike",
    "look unlike", "of which a", "of one's own", "will do as well", "is told as", "looks whether",
    "not as it should be", "what it should be", "is not as described", "to be had",
    "if they are others", "is no number", "are no numbers",
)


def read(page):
    """The text of a page, or of an example: its docstring and its comments."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".rst":
        return text
    comments = re.sub(r"^(?!# ).*$|^# %%$", "", text, flags=re.M)
    return f"{ast.get_docstring(ast.parse(text))}\n\n{re.sub('^# ', '', comments, flags=re.M)}"


def docstrings(module):
    """The docstrings of a module, its classes and its functions; also the texts below constants."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(
                node.value.value, str):
            yield inspect.cleandoc(node.value.value)


def comments(module):
    """The comments of a module; lines of comment that follow one another are one text."""
    with module.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline)
                  if token.type == tokenize.COMMENT]
    alone = [token for token in tokens if token.line.lstrip().startswith("#")]
    yield from (token.string.lstrip("# ") for token in tokens if token not in alone)
    for _, lines in groupby(enumerate(alone), lambda each: each[1].start[0] - each[0]):
        yield " ".join(token.string.lstrip("# ") for _, token in lines)


def prose(module):
    """All that a module says to people who read it, fields of numpydoc as paragraphs."""
    texts = [*docstrings(module), *comments(module)]
    return "\n\n".join(re.sub(r"^( *)(\S.*)\n(?=\1    )", r"\1\2\n\n", text, flags=re.M)
                       for text in texts)


def too_long(text):
    """The sentences of a text that are too long."""
    return [sentence for sentence in sentences(text)
            if len(re.findall(r"[\w'’.-]*\w", sentence)) > LONGEST]


def paragraphs(text):
    """Paragraphs and items of lists, each on one line: no code, directives, tables or titles."""
    text = re.sub(r"^( *)\.\. [^\n]*\n(?:\n|\1 +[^\n]*\n)*", "\n", text, flags=re.M)
    text = re.sub(r"::\n\n(?:\n|    +[^\n]*\n)+", ":\n\n", text)
    text = re.sub(r"^.*\n([=\-^~])\1{3,}$", "", text, flags=re.M)
    text = re.sub(r"^ *(=+ +)+=+ *\n(?:.+\n)*", "\n", text, flags=re.M)
    text = re.sub(r"^(?= *(?:[-*]|\d\.) )", "\n", text, flags=re.M)
    for block in re.split(r"\n\s*\n", text):
        if block.strip() and not block.lstrip().startswith(">>>"):
            yield " ".join(block.split())


def sentences(text):
    """Sentences of a page, as they are read: code and names of links are a word each."""
    for block in paragraphs(text + "\n"):
        block = re.sub(r":[\w:]+:(?=`)", "", block)
        block = re.sub(r"`([^`<>]+?)\s*<[^`>]*>`_*", r"\1", block)
        block = re.sub(r"``.+?``", "code", block)
        block = re.sub(r"`[^`]*`", "name", block)
        yield from re.split(r"(?<=[.!?])(?<!al\.)(?<!\.\.)[)*]*\s+", block)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_sentences_are_short(page):
    long = too_long(read(page))
    assert not long, "\n".join(long)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_mended_phrases_stay_away(page):
    text = " ".join(read(page).split()).lower()
    assert not [phrase for phrase in MENDED if phrase in text]


@pytest.mark.parametrize("module", MODULES, ids=[
    str(module.relative_to(ROOT / "astromorph")) for module in MODULES])
def test_modules_are_in_plain_english(module):
    long = too_long(prose(module))
    assert not long, "\n".join(long)
    text = " ".join(module.read_text(encoding="utf-8").split()).lower()
    assert not [phrase for phrase in MENDED if phrase in text]


def test_prose_of_a_module(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('''"""Title."""
N = 3
"""Number of things."""
# A comment that
# goes on.
def f(x):
    """Do it.

    Parameters
    ----------
    x : int
        First. And
        second.

    Examples
    --------
    >>> f(1)
    """
    text = "not prose"
    return x  # Beside a line
    # Another.
''')
    assert list(sentences(prose(module))) == [
        "Title.", "Number of things.", "Do it.", "x : int", "First.", "And second.",
        "Beside a line", "A comment that goes on.", "Another."]


def test_sentences_of_a_page():
    page = """
Title
=====

One sentence, with ``code that is
long`` and :doc:`a link <page>`. Another, of Nair et al. 2010, ends here::

    not prose

.. figure:: picture.png

   Not prose either.

- An item.
- A second item,
  which goes on.

===  ===
a    b
===  ===

    >>> 1 + 1
    2

The end.
"""
    assert list(sentences(page)) == [
        "One sentence, with code and a link.", "Another, of Nair et al. 2010, ends here:",
        "- An item.", "- A second item, which goes on.", "The end."]
