"""A real browser, the page in it, and labeling of drawn galaxies."""
import os
import shutil

import pytest
from loopback.labeling import DrawnGalaxies, Page

from astromorph.labeling.conversation import Conversation
from astromorph.labeling.session import LabelSession
from astromorph.questions import QUESTIONS

CHROMIUM = os.environ.get("ASTROMORPH_CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="session")
def browser():
    """Chromium, without a screen."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """A window of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(tab):
    """The page, in which the browser finds nothing to complain of."""
    page = Page(tab)
    yield page
    assert page.errors == []


@pytest.fixture
def talk(tmp_path):
    """A function that begins labeling drawn galaxies, or goes on with it."""
    opened = []

    def begin(n=40, questions=QUESTIONS, kind=Conversation, repeats=0, name="labels", **options):
        galaxies = DrawnGalaxies(n, **options)
        session = LabelSession(galaxies, questions, tmp_path / f"{name}.journal", labeler="me",
                               repeats=repeats)
        conversation = kind(session)
        opened.append(conversation)
        return conversation

    yield begin
    for each in opened:
        each.close()
