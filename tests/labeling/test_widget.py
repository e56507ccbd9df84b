"""The widget in JupyterLab, in a real browser: as the page, and no key reaches the notebook."""
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loopback.labeling import DrawnGalaxies, Page, answers

pytest.importorskip("anywidget")

from astromorph.labeling.conversation import Conversation  # noqa: E402
from astromorph.labeling.session import LabelSession  # noqa: E402
from astromorph.labeling.widget import LabelWidget  # noqa: E402
from astromorph.questions import QUESTIONS  # noqa: E402

# Keys of this page that command a notebook, too: b adds a cell, x cuts it, d d deletes it, z takes
# that back, l shows line numbers, i i interrupts the kernel, h shows help, s saves, e and 1 edit.
KEYS = "SBXDDEZZBL?IISXDDZ"
# And those that are only a notebook's: add cells, paste, turn one into text, select, edit.
OTHERS = ["a", "a", "c", "v", "m", "k", "j", "Enter", "ArrowUp", "ArrowDown", "Shift+Enter", "o"]
ROOTS = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
CELL = """
from loopback.labeling import DrawnGalaxies
from astromorph.labeling.conversation import Conversation
from astromorph.labeling.session import LabelSession
from astromorph.labeling.widget import LabelWidget
from astromorph.questions import QUESTIONS
session = LabelSession(DrawnGalaxies(40), QUESTIONS, "labels.journal", labeler="me", repeats=0)
LabelWidget(Conversation(session))
"""


@pytest.fixture
def conversation(tmp_path):
    session = LabelSession(DrawnGalaxies(40), QUESTIONS, tmp_path / "page.journal", labeler="me",
                           repeats=0)
    yield (conversation := Conversation(session))
    conversation.close()


def test_the_widget_answers_as_the_conversation_does(conversation, monkeypatch):
    sent = []
    monkeypatch.setattr(LabelWidget, "send", lambda self, message, buffers=None:
                        sent.append((message, buffers)))
    widget = LabelWidget(conversation)
    widget._receive(widget, {"type": "ready"}, [])
    row = sent[-1][0]["queue"][0]["row"]
    widget._receive(widget, {"type": "want", "rows": [row], "stretch": "linear"}, [])
    widget._receive(widget, {"type": "answer", "id": "a", "row": row, "key": "S"}, [])
    (state, none), ((picture, (jpeg,))), (written, _) = sent
    assert state["type"] == "state" and none is None
    assert picture["row"] == row and jpeg.startswith(b"\xff\xd8")
    assert written["type"] == "written" and answers(conversation) == [(row, "S")]


def test_a_view_gives_its_labels_and_lets_go_of_them(conversation, monkeypatch):
    monkeypatch.setattr(LabelWidget, "send", lambda self, message, buffers=None: None)
    widget, path = LabelWidget(conversation), conversation.session.journal.path
    widget._receive(widget, {"type": "answer", "id": "a", "row": 3, "key": "U"}, [])
    assert widget.labels["disk"].tolist() == [1] and widget.labels["edge_on"].tolist() == [0]
    widget.close()
    LabelSession(DrawnGalaxies(40), QUESTIONS, path).close()  # it is free


def test_an_error_is_said_where_the_answer_was_given(conversation, monkeypatch):
    sent = []
    monkeypatch.setattr(LabelWidget, "send", lambda self, message, buffers=None:
                        sent.append(message))
    widget = LabelWidget(conversation)
    monkeypatch.setattr(conversation, "receive", lambda message: 1 / 0)
    widget._receive(widget, {"type": "answer", "id": "a"}, [])
    assert sent == [{"type": "error", "message": "astromorph: division by zero", "refused": False,
                     "id": "a"}]


@pytest.fixture
def notebook(tmp_path):
    """The address of a notebook in JupyterLab that shows the widget once its cell was run."""
    pytest.importorskip("jupyterlab")
    cells = [{"cell_type": "code", "id": f"cell{k}", "source": source, "metadata": {},
              "outputs": [], "execution_count": None} for k, source in enumerate([CELL, "2 + 2"])]
    (tmp_path / "label.ipynb").write_text(json.dumps({
        "cells": cells, "metadata": {"kernelspec": {
            "name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4, "nbformat_minor": 5}))
    homes = {name: str(tmp_path / "home") for name in (
        "HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    environment = os.environ | homes | {"PYTHONPATH": os.pathsep.join(ROOTS)}
    log = tmp_path / "lab.log"
    with log.open("w") as file, subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
             "--port=0", "--IdentityProvider.token=secret", f"--ServerApp.root_dir={tmp_path}",
             "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
             "--LabApp.news_url="], cwd=tmp_path, env=environment, stderr=file) as process:
        try:
            yield f"{_address(log, process)}/lab/tree/label.ipynb?token=secret"
        finally:
            process.terminate()


def _address(log, process):
    for _ in range(300):
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            return found[0]
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


def press_all(page):
    """Press the keys, and wait for the next picture after each."""
    for key in KEYS:
        page.wait(lambda: page.tab.locator('.am-root:not([data-row=""])').count() == 1)
        page.tab.keyboard.press(key.lower())


@pytest.mark.slow
def test_no_key_reaches_the_notebook_and_the_journal_is_that_of_the_page(
        tab, notebook, conversation, tmp_path):
    page = Page(tab)
    tab.set_default_timeout(60_000)
    tab.goto(notebook)
    tab.locator(".jp-CodeCell").first.locator(".cm-content").click()
    tab.keyboard.press("Shift+Enter")
    tab.wait_for_selector('.am-root[data-row]:not([data-row=""])')
    cells = tab.locator(".jp-Notebook .jp-Cell").count()
    tab.click(".am-sky")
    press_all(page)
    for key in OTHERS:
        tab.keyboard.press(key)
    tab.wait_for_timeout(500)
    journal = tmp_path / "labels.journal"
    page.wait(lambda: len(journal.read_text().splitlines()) == 1 + len(said(KEYS)))
    assert tab.locator(".jp-Notebook .jp-Cell").count() == cells
    assert "2 + 2" in tab.text_content(".jp-Notebook .jp-Cell >> nth=1")
    assert tab.locator(".jp-Dialog, .jp-MarkdownCell").count() == 0
    assert tab.evaluate("document.activeElement.className") == "am-root"
    mine = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    assert [(each["kind"], each["row"], each.get("key")) for each in mine] == by_page(
        tab, conversation)


def said(keys):
    """The keys that are written down."""
    return [key for key in keys if key not in "LI"]


def by_page(tab, conversation):
    """What the page writes for the same keys."""
    from astromorph.labeling.page import PageServer

    with PageServer(conversation) as server:
        page = Page(tab).open(server.address)
        press_all(page)
        page.wait(lambda: len(answers(conversation)) == len(said(KEYS)))
    return [(each["kind"], each["row"], each.get("key"))
            for each in conversation.session.journal.entries[1:]]
