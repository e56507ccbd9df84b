"""The HTML report says what the table holds, in one file that needs no other."""
import base64
import io
import sys
from collections import Counter
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from PIL import Image

from astromorph.flags import MorphFlag
from astromorph.report import write_report
from astromorph.questions import QUESTIONS

COLUMNS = [question.column for question in QUESTIONS]


class Page(HTMLParser):
    """Elements, addresses and text of a page; raises where elements are not nested."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.ids, self.links, self.images, self.rows = Counter(), [], [], [], []
        self.text, self._open = "", []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements[tag] += 1
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        self.images += [attributes] if tag == "img" else []
        self.rows += [[]] if tag == "tr" else []
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    def row(self, start):
        """Cells of the row whose first cell starts so."""
        found, = (cells for cells in self.rows if cells[0].startswith(start))
        return found


def classified(probabilities, flags=None, **columns):
    """A table as `classify` returns it."""
    probabilities = np.ma.masked_invalid(np.reshape(probabilities, (-1, 3)).astype(float))
    table = Table(columns)
    for name, values in zip(COLUMNS, probabilities.T):
        table[name] = MaskedColumn(values)
    table["morph_flag"] = np.zeros(len(table), int) if flags is None else np.array(flags, int)
    table.meta |= {"MORPHNET": "pinwheel", "MORPHSRV": "sdss", "MORPHWGT": "0123456789abcdef",
                   "MORPHVER": "0.1", "MORPHDAT": "2026-01-01T00:00:00"}
    return table


@pytest.fixture
def many():
    rng = np.random.default_rng(0)
    probabilities = rng.random((200, 3))
    probabilities[:3] = np.nan
    flags = np.zeros(200, int)
    flags[:3] = [MorphFlag.BLANK, MorphFlag.BLANK | MorphFlag.MISSING_BAND, MorphFlag.TIMED_OUT]
    flags[3] = MorphFlag.UNUSUAL
    return classified(probabilities, flags, name=[f"galaxy {row}" for row in range(200)])


def written(tmp_path, table, **options):
    write_report(table, tmp_path / "report.html", **options)
    return Page(tmp_path / "report.html")


def test_counts_and_outcomes(many, tmp_path):
    page = written(tmp_path, many)
    assert "Morphology of 200 galaxies" in page.text
    assert page.row("good")[1:3] == ["196", "98.0%"]
    assert page.row("BLANK")[1:] == ["2", "1.0%", "The image holds no signal: all pixels are "
                                     "equal, or none is valid.", "none"]
    assert page.row("UNUSUAL")[-1] == "with care"
    assert [cells[0] for cells in page.rows[1:6]] == ["good", "BLANK", "TIMED_OUT", "MISSING_BAND",
                                                      "UNUSUAL"]
    disk, edge_on, bar = (np.ma.filled(many[name], np.nan)[3:] for name in COLUMNS)
    assert page.row("disk")[1:4] == ["197", str((disk >= .5).sum()), str((disk < .5).sum())]
    likely = disk > .5
    assert page.row("edge-on")[1:4] == [str(likely.sum()), str((edge_on[likely] >= .5).sum()),
                                        str((edge_on[likely] < .5).sum())]
    asked = disk * (1 - edge_on)
    assert page.row("barred")[1] == str((asked > .5).sum())
    assert page.row("barred")[-2:] == [f"{asked.sum():.0f}", f"{(asked * bar).sum():.0f}"]


def test_sections_and_provenance(many, tmp_path):
    page = written(tmp_path, many)
    assert [name for name in page.ids if not name.endswith("-title")] == [
        "outcome", "disk", "edge_on", "bar", "provenance"]
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "given a disk or features that is not edge-on" in page.text
    for value in many.meta.values():
        assert value in page.text
    assert len(page.images) == 3
    assert "it was written without images" in page.text


def test_nothing_is_fetched(many, tmp_path):
    page = written(tmp_path, many)
    assert not page.elements["script"] and not page.elements["link"]
    assert all(link.startswith(("#", "data:image/")) for link in page.links)
    for image in page.images:
        kind, data = image["src"].removeprefix("data:image/").split(";base64,")
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert picture.format.lower() == kind
        assert image["alt"]


def gray(row):
    return np.full((40, 40, 3), (row % 200 + 28) / 255, np.float32) + np.eye(40)[..., None] / 10


def test_the_most_and_least_certain_are_shown(many, tmp_path):
    read = []

    def image(row):
        read.append(row)
        return gray(row)

    page = written(tmp_path, many, images=image)
    disk = np.ma.filled(many["P_disk"], np.nan)
    rows = np.arange(3, 200)
    best = rows[np.argsort(disk[rows])]
    doubt = rows[np.argsort(np.abs(disk[rows] - .5))]
    assert read[:24] == [*best[::-1][:8], *best[:8], *doubt[:8]]
    assert len(read) == 72 and len(page.images) == 75
    assert page.images[1]["alt"] == f"galaxy {best[-1]}: P_disk {disk[best[-1]]:.2f}"
    # Of the questions that follow, only galaxies of which they are likely asked.
    assert (disk[read[24:48]] > .5).all()
    edge_on = np.ma.filled(many["P_edge_on"], np.nan)
    assert (disk[read[48:]] * (1 - edge_on[read[48:]]) > .5).all()


def test_images_by_column_sequence_and_where_there_are_none(tmp_path):
    files = [str(tmp_path / f"{name}.png") for name in "abc"]
    for file in files[:2]:
        Image.fromarray((255 * gray(40)).astype(np.uint8)).save(file)
    table = classified([[.9, .1, .8]] * 3, file=np.array(files, "S"))
    page = written(tmp_path, table, images="file")
    assert page.text.count("MISSING_FILE") == 6
    assert len(page.images) == 3 + 2 * 6
    assert page.images[1]["alt"] == "b: P_disk 0.90"
    page = written(tmp_path, table, images=[gray(40), None, files[0]], overwrite=True)
    assert page.text.count("no image") == 6
    assert len(page.images) == 3 + 2 * 6


def test_names_are_escaped(tmp_path):
    name = '<b>"bold" & <script>alert(1)</script>'
    page = written(tmp_path, classified([[.9, .1, .8]], name=[name]), images=[gray(0)])
    assert not page.elements["b"] and not page.elements["script"]
    assert page.text.count(name) == 6 and page.images[1]["alt"].startswith(name)


def test_labels_bring_scores_and_diagrams(many, tmp_path):
    rng = np.random.default_rng(1)
    answers = np.stack([np.ma.filled(many[name], np.nan) for name in COLUMNS], 1)
    labels = (rng.random((200, 3)) < answers).astype(float)
    labels[:, 2] = np.nan
    labels[10:, 1], labels[:10, 1] = np.nan, 1
    page = written(tmp_path, many, labels=labels)
    assert page.ids.index("scores-title") > page.ids.index("bar")
    scores = page.rows[-3:]
    assert scores[0][:3] == ["disk or features", "197", f"{int(labels[3:, 0].sum())}"]
    assert scores[0][3].startswith(f"{(answers[labels[:, 0] == 1, 0] >= .5).mean():.3f}")
    assert scores[1][:3] == ["edge-on", "7", "7"] and scores[1][6].startswith("–")
    assert scores[2][:4] == ["barred", "0", "0", "– (–––)"]
    # Both diagrams of disk, the reliability of edge_on, neither of bar.
    assert len(page.images) == 3 + 2 + 1


def test_labels_of_the_table(many, tmp_path):
    many["disk"] = np.arange(200) % 2
    assert "scores" in written(tmp_path, many).ids
    many["disk"] = 7
    page = written(tmp_path, many, overwrite=True)
    assert "scores" not in page.ids and "does not use the labels of the table: table:" in page.text


@pytest.mark.parametrize("flags", [[], [MorphFlag.UNREADABLE] * 4])
def test_no_galaxy(flags, tmp_path):
    n = len(flags)
    table = classified(np.full((n, 3), np.nan), flags, name=["x"] * n)
    page = written(tmp_path, table, images=["x"] * n, labels=np.full((n, 3), np.nan))
    assert f"Morphology of {n} galaxies" in page.text
    assert page.text.count("No galaxy has this probability.") == 3
    assert not page.images
    assert page.row("good")[1] == "0"


def test_without_provenance(tmp_path):
    table = classified([[.9, .1, .8]])
    table.meta.clear()
    page = written(tmp_path, table, images=[gray(0)])
    assert "does not say how it was classified" in page.text
    assert page.images[1]["alt"] == "row 0: P_disk 0.90"


class Classifier:
    """What the report takes of one."""

    questions, all_questions = QUESTIONS, QUESTIONS
    model = SimpleNamespace(has_made=lambda table: table.meta.get("MORPHMDL") != "f" * 16)
    card = {"network": "pinwheel", "survey": "legacy", "frame_r90": 4.24, "size": 80,
            "sha256": "0123456789abcdef" * 4, "license": "BSD-3-Clause",
            "training": {"sets": ["gz2", "efigi"]}, "citations": ["Someone & Else 2020"],
            "adapted": {"galaxies": 321}, "test": [
                {"set": "gz2", "question": "disk", "n": 5, "TPR": .25, "precision": float("nan"),
                 "accuracy": .75, "AUC": 1.0}]}


def test_the_weights_are_summarized(many, tmp_path):
    page = written(tmp_path, many, classifier=Classifier())
    assert "legacy, 321 galaxies" in page.text and "Someone & Else 2020" in page.text
    assert page.rows[-1] == ["gz2", "disk", "5", "0.250", "–", "0.750", "1.000"]


def test_wrong_arguments(many, tmp_path):
    with pytest.raises(ValueError, match="returned. Received Table without P_disk, .* morph_flag"):
        written(tmp_path, Table({"a": [1]}))
    many.meta["MORPHMDL"] = "f" * 16
    with pytest.raises(ValueError, match="classifier: expected the one of the table, model ff"):
        written(tmp_path, many, classifier=Classifier())
    with pytest.raises(ValueError, match="images: expected 200 images, .* Received 1"):
        written(tmp_path, many, images=["a.jpg"])
    with pytest.raises(ValueError, match="images: expected the name of a column.* 'files'"):
        written(tmp_path, many, images="files")
    with pytest.raises(ValueError, match=r"labels: expected shape \(200, 3\)"):
        written(tmp_path, many, labels=[[1, 0, 1]])
    assert not list(tmp_path.iterdir())


def test_the_questions_are_those_of_the_table(many, tmp_path):
    many.remove_column("P_edge_on")
    many["bar"] = np.arange(200) % 2
    page = written(tmp_path, many)
    assert [name for name in page.ids if not name.endswith("-title")] == [
        "outcome", "disk", "bar", "scores", "provenance"]


def test_an_existing_file_stays(many, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_report(many, path)

    def full(path, data):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match="no space left"):
            write_report(many, path, overwrite=True)
    assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]
    write_report(many, path, overwrite=True)
    assert Page(path).elements["h1"] == 1 and list(tmp_path.iterdir()) == [path]


def test_without_jinja2(many, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r'pip install "astromorph-galaxies\[report\]"'):
        write_report(many, tmp_path / "report.html")


@pytest.mark.parametrize("first", [
    SkyCoord([1.0, 2], [1, 2], unit="deg"), Time(["2026-01-01", "2026-01-02"]), [1, 2] * u.deg])
def test_positions_and_times_are_no_names(first, tmp_path):
    table = classified(np.full((2, 3), 0.7), first=first, name=["NGC 1", "NGC 2"])
    images = {"images": lambda row: None}
    assert "NGC 1" in written(tmp_path, table, **images).text
    table.remove_column("name")
    assert "row 0" in written(tmp_path, table, overwrite=True, **images).text


def test_a_masked_name_is_none(tmp_path):
    names = MaskedColumn(["NGC 1", "NGC 2"], mask=[False, True])
    table = classified(np.full((2, 3), 0.7), name=names)
    text = written(tmp_path, table, images=lambda row: None).text
    assert "NGC 1" in text and "row 1" in text


def test_neighbors_of_an_embedded_table(classifier, tmp_path):
    from astromorph.datasets import load_sample

    options = {"images": "file", "r90": "petroR90", "progress": False}
    table = classifier.classify(load_sample(), **options)
    write_report(table, tmp_path / "without.html", classifier=classifier, images="file")
    assert "What looks alike" not in (tmp_path / "without.html").read_text()
    table = classifier.embed(table, views=1, **options)
    table["features"][0] = np.nan
    write_report(table, tmp_path / "with.html", classifier=classifier, images="file")
    section = (tmp_path / "with.html").read_text().split('id="alike"')[1].split("</section>")[0]
    assert section.count("<ul") == 4 and section.count("<img") == 4 * 8
    assert "row 0<" not in section and "row 0," not in section
