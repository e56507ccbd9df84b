"""The examples as notebooks: reStructuredText becomes what a notebook can show."""
import re
import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
PAGES = f"{_PROJECT['urls']['Homepage']}en/latest"


def as_markdown(text):
    """Links to pages lead to the web, and names of the package are plain code."""
    text = re.sub(r":doc:`/([\w/]+)`", rf"[\1]({PAGES}/\1.html)", text)
    return re.sub(r"(?<!`)`~?(?:\w+\.)*(\w+)`(?!`)", r"`\1`", text)


def mend(notebook):
    """Mend the text of a notebook of sphinx-gallery, and return it."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = [as_markdown(text) for text in cell["source"]]
    return notebook
