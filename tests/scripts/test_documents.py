"""What the scripts in ``benchmarks`` write into the documentation."""
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def documents():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        import documents

        yield documents


def test_pictures_are_of_the_bundled_weights(documents):
    """Run the script that draws it anew."""
    notes = documents.read_notes(DOCS)
    assert {path.name for path in (DOCS / "_static").glob("*.[pj][np]g")} <= notes.keys()
    assert not {name for name, weights in notes.items() for key, digest in weights.items()
                if documents.digest(*key.split("-", 1)) != digest}


def test_cells_that_look_like_lists(documents):
    cells = ["(a) direct", "(0) source", "1. first", "a) one", "- x", "-0.1", "gz2 (b) part", ".97",
             "EFIGI, bars (.5 and more)"]
    assert [documents.escaped(cell) != cell for cell in cells] == [True] * 5 + [False] * 4


def test_tables_are_read_as_written(documents, tmp_path):
    lines = documents.list_table("Title", ["galaxies", ""], [["one", "(a) x"], ["two", ""]])
    documents.write_table(tmp_path, "one", lines, [("sdss", "pinwheel")])
    assert documents.read_list_table(tmp_path, "one") == [
        {"galaxies": "one", "column 2": "\\(a) x"}, {"galaxies": "two", "column 2": ""}]
    assert documents.read_notes(tmp_path)["one.rst"] == {
        "sdss-pinwheel": documents.digest("sdss", "pinwheel")}


def test_pictures_of_tables_have_their_weights(documents, tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    documents.write_table(tmp_path, "one", "text", [("sdss", "ds18")])
    documents.write_picture(tmp_path, "one.png", plt.figure(), tables=["one"])
    notes = documents.read_notes(tmp_path)
    assert notes["one.png"] == notes["one.rst"] != {}


def test_every_table_is_on_a_page():
    included = set(re.findall(r"include:: tables/(\S+)", "".join(
        page.read_text() for page in DOCS.glob("*.rst"))))
    assert {path.name for path in (DOCS / "tables").glob("*.rst")} <= included
