"""The guide is in plain English: short sentences, and none of the phrases that had to be mended."""
import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *sorted((ROOT / "docs").glob("*.rst")),
         *sorted((ROOT / "docs" / "examples").rglob("*.*"))]
LONGEST = 30
MENDED = (
    "are got from", "is got from", "in any case", "such a sample is not for", "hardly tell",
    "more likely than not", "question is likely asked", "nobody looks whether", "looks unlike",
    "look unlike", "of which a", "of one's own", "will do as well", "is told as", "looks whether",
)


def read(page):
    """The text of a page, or of an example: its docstring and its comments."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".rst":
        return text
    comments = re.sub(r"^(?!# ).*$|^# %%$", "", text, flags=re.M)
    return f"{ast.get_docstring(ast.parse(text))}\n\n{re.sub('^# ', '', comments, flags=re.M)}"


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
    long = [sentence for sentence in sentences(read(page))
            if len(re.findall(r"[\w'’.-]*\w", sentence)) > LONGEST]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_mended_phrases_stay_away(page):
    text = " ".join(read(page).split()).lower()
    assert not [phrase for phrase in MENDED if phrase in text]


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
