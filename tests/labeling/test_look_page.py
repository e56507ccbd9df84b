"""The gallery in a real browser: what is visible is there, and nothing else."""
from threading import Event

import numpy as np
import pytest
from astropy.table import Table
from loopback.labeling import DrawnGalaxies, row_of

from astromorph.labeling import gallery as galleries
from astromorph.labeling.gallery import Gallery
from astromorph.labeling.journal import read_journal
from astromorph.labeling.looking import LookConversation

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from astromorph.labeling.page import PageServer  # noqa: E402

HOSTILE = "<img src=x onerror='document.title=1'>"
READY = ".am-cell[data-place='0']:not([hidden])"
COLOR = """(place) => {
    const cell = document.querySelector(`.am-cell[data-place="${place}"]:not([hidden])`);
    const copy = new OffscreenCanvas(20, 20).getContext("2d");
    copy.drawImage(cell.querySelector("canvas"), 0, 0, 20, 20);
    return [...copy.getImageData(10, 10, 1, 1).data].slice(0, 3);
}"""
THERE = """() => {
    const cells = [...document.querySelectorAll(".am-cell:not([hidden])")];
    return cells.length > 0 && cells.every((cell) => cell.dataset.shown !== "");
}"""


class Galaxies(DrawnGalaxies):
    """More galaxies than there are colors."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.asked, self.gate = 0, Event()
        self.gate.set()

    def picture(self, row, stretch="linear", size=64):
        self.asked += 1
        self.gate.wait()
        picture, meta = super().picture(row % 512, stretch, 64)
        return picture, meta | ({"problem": HOSTILE} if row in self.problems else {})

    def close(self):
        pass


@pytest.fixture
def show(page, tmp_path, monkeypatch):
    """A function that shows a table of so many galaxies in the browser."""
    opened = []

    def begin(n=60, problems=(), names=None, **columns):
        monkeypatch.setattr(galleries, "LabelGalaxies", lambda data, model, **options: Galaxies(
            n, names=names, problems=problems))
        table = Table({"file": [f"{row}.jpg" for row in range(n)],
                       "P_disk": (np.arange(n) * 37 % n) / n, "P_edge_on": np.full(n, 0.5),
                       "P_bar": np.full(n, 0.5),
                       "morph_flag": np.arange(n, dtype=np.int32) % 10 // 9 * 64, **columns})
        conversation = LookConversation(
            Gallery(table, journal=tmp_path / "labels.csv.journal"), title=HOSTILE,
            labels=tmp_path / "labels.csv", output=tmp_path / "selected.csv")
        conversation.server = PageServer(conversation, token="t" * 24).__enter__()
        opened.append(conversation)
        page.tab.goto(conversation.server.address)
        page.tab.wait_for_selector(READY)
        page.tab.wait_for_function(THERE)
        return conversation

    yield begin
    for conversation in opened:
        conversation.server.stop()
        conversation.close()


def chosen(conversation):
    return np.flatnonzero(conversation.gallery.chosen).tolist()


def order(page, n=12):
    """The rows of the first places, as their pictures tell."""
    page.tab.wait_for_function(THERE)
    return [row_of(page.tab.evaluate(COLOR, place)) for place in range(n)]


def test_the_pictures_are_those_of_the_rows_in_their_order(page, show):
    conversation = show()
    assert order(page) == list(range(12))
    page.tab.select_option("select[aria-label='Sort by']", "P_disk")
    page.tab.click("button[aria-label='Largest first']")
    page.tab.wait_for_selector(f"{READY}[aria-label*='P_disk 0.9833']")
    assert order(page) == conversation.gallery.rows("P_disk", True)[:12].tolist()


def test_filters_by_flag_and_range(page, show):
    conversation = show()
    page.tab.select_option("select[aria-label='Flags']", "PARTIAL_FRAME")
    page.wait(lambda: page.text(".am-count").startswith("6 of"))
    assert order(page, 6) == [9, 19, 29, 39, 49, 59]
    page.tab.select_option("select[aria-label='Flags']", "")
    page.tab.select_option("select[aria-label='Only where']", "P_disk")
    page.tab.fill("input[aria-label='from']", "0.9")
    page.tab.keyboard.press("Enter")
    few = conversation.gallery.rows(ranges=[("P_disk", 0.9, None)]).tolist()
    page.wait(lambda: page.text(".am-count").startswith(f"{len(few)} of"))
    assert order(page, len(few)) == few
    page.tab.click("text=+ and")
    page.tab.select_option("select[aria-label='Only where']", "P_bar")
    page.tab.fill("input[aria-label='to']", "0.1")
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_selector("text=No galaxy is like that")
    page.tab.click(".am-chip")
    page.tab.fill("input[aria-label='to']", "")
    page.tab.keyboard.press("Enter")
    page.wait(lambda: page.text(".am-count") == "60 galaxies")


def test_selection_by_click_shift_and_control(page, show, tmp_path):
    conversation = show()
    click = page.tab.click
    click(".am-cell[data-place='2']")
    page.wait(lambda: chosen(conversation) == [2])
    click(".am-cell[data-place='5']", modifiers=["Shift"])
    page.wait(lambda: chosen(conversation) == [2, 3, 4, 5])
    click(".am-cell[data-place='4']", modifiers=["Control"])
    click(".am-cell[data-place='9']", modifiers=["Control"])
    page.wait(lambda: chosen(conversation) == [2, 3, 5, 9])
    page.wait(lambda: page.text(".am-top .am-quiet") == "4 selected")
    click("text=Save")
    page.tab.wait_for_selector("text=Saved:")
    assert Table.read(tmp_path / "selected.csv")["file"].tolist() == [
        f"{row}.jpg" for row in (2, 3, 5, 9)]
    page.tab.reload()
    page.tab.wait_for_selector(READY)
    page.tab.wait_for_selector(".am-cell[data-place='9'][aria-selected='true']")


def test_all_of_it_by_keys(page, show):
    conversation = show()
    press = page.tab.keyboard.press
    columns = page.tab.evaluate("""() => new Set([...document.querySelectorAll(
        ".am-cell:not([hidden])")].map((cell) => cell.getBoundingClientRect().left)).size""")
    for key in ("ArrowRight", "ArrowDown", "Space"):
        press(key)
    page.wait(lambda: chosen(conversation) == [columns + 1])
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        press(key)
    page.wait(lambda: chosen(conversation) == [columns + 2, columns + 3, columns + 4])
    press("End")
    page.tab.wait_for_selector(".am-cell.am-at[data-place='59']")
    here = page.tab.get_attribute(".am-cells", "aria-activedescendant")
    page.tab.wait_for_selector(f"#{here}[aria-posinset='60']")
    assert page.tab.is_visible(f"#{here}")
    press("Control+a")
    page.wait(lambda: len(chosen(conversation)) == 60)
    press("Escape")
    page.wait(lambda: chosen(conversation) == [])
    press("Enter")
    assert page.tab.locator(".am-look.am-open").count() == 1


def test_corrections_are_seen_written_and_taken_back(page, show, tmp_path):
    show()
    page.tab.click(".am-cell[data-place='3']")
    page.tab.keyboard.press("b")
    page.tab.wait_for_selector(".am-cell[data-place='3'] kbd:text('B')")
    page.tab.keyboard.press("ArrowRight")
    page.tab.click(".am-answer[data-key='S']")
    page.tab.wait_for_selector(".am-cell[data-place='4'][aria-label*='corrected: smooth']")
    page.tab.keyboard.press("z")
    page.tab.wait_for_selector(".am-cell[data-place='4']:not([aria-label*='corrected'])")
    entries = read_journal(tmp_path / "labels.csv.journal")
    assert [(each["kind"], each["row"]) for each in entries[1:]] == [
        ("answer", 3), ("answer", 4), ("undo", 4)]


def test_the_galaxy_and_its_answers_are_shown_and_hostile_text_is_text(page, show):
    names = [f"{HOSTILE}{row}" for row in range(60)]
    show(names=names, problems=[5], note=[HOSTILE] * 60)
    page.tab.click(".am-cell[data-place='9']")
    page.wait(lambda: page.text(".am-name") == names[9])
    facts = page.text(".am-told")
    assert "P_disk" in facts and "0.550" in facts and HOSTILE in facts
    assert "PARTIAL_FRAME The image does not cover" in facts
    page.tab.click(".am-cell[data-place='5']")
    page.tab.wait_for_selector(".am-frame .am-cover:visible")
    assert page.text(".am-frame .am-cover") == HOSTILE
    assert page.text(".am-cell[data-place='5'] .am-words") == "no image"
    assert page.tab.evaluate("document.querySelectorAll('.am-root img').length") == 0
    assert page.text("h1") == HOSTILE and page.tab.title() != "1"


def test_similar_galaxies_and_what_it_says_where_it_cannot_tell(page, show):
    show()
    page.tab.keyboard.press("f")
    page.tab.wait_for_selector(".am-note:has-text('cannot be compared')")
    angles = np.arange(60) * 0.02
    show(features=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    page.tab.click(".am-cell[data-place='7']")
    page.tab.keyboard.press("f")
    page.tab.wait_for_selector(f"{READY}[aria-label*='similarity']")
    rows = order(page, 5)
    assert rows[0] == 7 and set(rows[1:]) == {5, 6, 8, 9}
    page.tab.click(".am-chip")
    page.tab.wait_for_selector(f"{READY}:not([aria-label*='similarity'])")


def test_a_hundred_thousand_galaxies_are_scrolled_through(page, show):
    conversation = show(100_000)
    galaxies, cells = conversation.gallery.galaxies, []
    page.tab.keyboard.press("End")
    page.tab.wait_for_selector(".am-cell.am-at[data-place='99999']")
    page.tab.wait_for_function(THERE)
    before = galaxies.asked
    galaxies.gate.clear()
    for _ in range(30):  # screens of pictures that nobody waits for
        page.tab.evaluate("document.querySelector('.am-cells').scrollTop *= 0.9")
        page.tab.wait_for_timeout(15)
        cells.append(page.tab.evaluate("document.querySelectorAll('.am-cell').length"))
    galaxies.gate.set()
    page.tab.wait_for_function(THERE)
    # 30 screens have some 1,200 cells; how many are asked for depends on how quick the machine is.
    assert max(cells) < 100 and galaxies.asked - before < 400
    page.tab.keyboard.press("Control+a")
    page.wait(lambda: conversation.gallery.chosen.all())
    page.tab.keyboard.press("Home")
    assert order(page, 3) == [0, 1, 2]


def test_a_correction_without_a_connection_is_written_when_it_is_back(page, show):
    conversation = show()
    page.tab.click(".am-cell[data-place='8']")
    page.wait(lambda: chosen(conversation) == [8])
    conversation.server.stop()
    page.tab.wait_for_selector("text=Connection lost")
    page.tab.keyboard.press("e")
    assert conversation.gallery.n_answers == 0
    conversation.server = PageServer(conversation, port=conversation.server.port,
                                     token="t" * 24).__enter__()
    page.wait(lambda: conversation.gallery.n_answers == 1)
    page.tab.wait_for_selector(".am-cell.am-at[data-place='8'] kbd:text('E')")
    assert chosen(conversation) == [8]


def test_a_second_window_takes_over(page, show):
    conversation = show()
    page.tab.click(".am-cell[data-place='8']")
    page.wait(lambda: chosen(conversation) == [8])
    other = page.tab.context.new_page()
    other.goto(conversation.server.address)
    page.tab.wait_for_selector("text=opened in another window")
    other.wait_for_selector(".am-cell[data-place='8'][aria-selected='true']")
    other.wait_for_function(THERE)
    other.click(".am-cell[data-place='3']")
    page.wait(lambda: chosen(conversation) == [3])


def test_columns_of_odd_names_are_text_and_sort(page, show):
    conversation = show(**{HOSTILE: np.arange(60)[::-1], "__proto__": np.arange(60.0)})
    for name, first in ((HOSTILE, 59), ("__proto__", 0)):
        page.tab.select_option("select[aria-label='Sort by']", name)
        page.wait(lambda: f"{name} 0" in (page.tab.get_attribute(READY, "aria-label") or ""))
        assert order(page, 2) == conversation.gallery.rows(name)[:2].tolist()
        assert order(page, 1) == [first]
    assert page.tab.evaluate("document.querySelectorAll('.am-root img').length") == 0


def test_only_its_own_files_are_given_out(page, show):
    conversation = show()
    request, address = page.tab.request, conversation.server.address.partition("?")[0]
    for name in ("look.js", "look.css", "common.js"):
        assert request.get(f"{address}static/{name}").status == 200
    for name in ("look.html", "../looking.py", "%2e%2e/looking.py", "labels.csv"):
        assert request.get(f"{address}static/{name}").status == 404
    assert request.get(address).status == 403
    assert request.get(f"{address}?token=t").status == 403


def test_the_module_of_a_notebook_renders_without_the_page(page):
    widget = pytest.importorskip("astromorph.labeling.widget")
    page.tab.goto("about:blank")
    for kind in (widget.GalleryWidget, widget.LabelWidget):
        said = page.tab.evaluate("""async (text) => {
            const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
            const said = [], el = document.createElement("div");
            document.body.replaceChildren(el);
            const model = { on() {}, off() {}, send: (message) => said.push(message.type) };
            const close = (await import(url)).default.render({ model, el });
            const made = el.querySelectorAll("[data-lm-suppress-shortcuts=true]").length;
            close();
            return [made, said[0]];
        }""", kind._esm)
        assert said == [1, "ready"]
