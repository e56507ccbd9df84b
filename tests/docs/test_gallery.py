"""Each example runs as it is, in a new session or as a notebook, and leaves no file behind."""
import code
import json
import runpy
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = {path.stem: path for path in sorted((ROOT / "docs" / "examples").rglob("*.py"))}
PASTED = [name for name in EXAMPLES if not name.endswith("_notebook")]
NOTEBOOKS = ("cutouts", "adapt", "label_notebook", "whole_catalog")


class Session(code.InteractiveConsole):
    """A Python session that an error ends."""

    def showtraceback(self):
        raise

    def showsyntaxerror(self, *args, **options):
        raise


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty folder to work in, which takes the temporary files, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_in(folder):
    """What an example has left; TensorFlow removes its own files at the end of the session."""
    return [path.name for path in folder.iterdir() if not path.name.startswith("__autograph")]


@pytest.mark.parametrize("name", PASTED)
def test_example_can_be_pasted(name, empty, monkeypatch):
    """Line by line, as into the prompt, without the modules of the tests."""
    if name == "whole_catalog":
        pytest.importorskip("lsdb")
    plt.switch_backend("Agg")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "tests" not in Path(path).parts])
    session = Session()
    for line in EXAMPLES[name].read_text(encoding="utf-8").splitlines():
        needs_more = session.push(line)
    assert not (needs_more and session.push(""))
    plt.close("all")
    assert left_in(empty) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_says_what_to_read_next(name):
    _, found, links = EXAMPLES[name].read_text(encoding="utf-8").partition("# See also\n# ----")
    assert found and ":doc:`/" in links and "`~astromorph." in links


def notebook_of(name):
    """The notebook that the documentation offers for an example."""
    gallery = pytest.importorskip("sphinx_gallery.gen_gallery")
    from sphinx_gallery.notebook import jupyter_notebook
    from sphinx_gallery.py_source_parser import split_code_and_text_blocks

    _, blocks = split_code_and_text_blocks(str(EXAMPLES[name]))
    notebook = jupyter_notebook(blocks, gallery.DEFAULT_GALLERY_CONF, str(EXAMPLES[name].parent))
    return runpy.run_path(str(ROOT / "docs" / "notebooks.py"))["mend"](notebook)


@pytest.mark.parametrize("name", EXAMPLES)
def test_notebook_is_markdown_and_empty(name):
    notebook = notebook_of(name)
    text = "".join("".join(cell["source"]) for cell in notebook["cells"]
                   if cell["cell_type"] == "markdown")
    assert not [each for each in (":doc:", ":ref:", "~astromorph", "`_", ".. ") if each in text]
    assert not any(cell.get("outputs") or cell.get("execution_count")
                   for cell in notebook["cells"])
    assert len(json.dumps(notebook)) < 10_000


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs(name, empty, tmp_path_factory, monkeypatch):
    nbclient, nbformat = map(pytest.importorskip, ("nbclient", "nbformat"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TMPDIR", str(empty))
    # TensorFlow writes files of its own there, and imports them.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    home = tmp_path_factory.mktemp("home")
    for variable in ("HOME", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(home))
    notebook = nbformat.reads(json.dumps(notebook_of(name)), as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, startup_timeout=600, kernel_name="python3",
                            resources={"metadata": {"path": str(empty)}}).execute()
    shown = {kind for cell in notebook.cells for output in cell.get("outputs", ())
             for kind in output.get("data", ())}
    wanted = "application/vnd.jupyter.widget-view+json" if "label" in name else "text/html"
    assert wanted in shown
    assert left_in(empty) == []
