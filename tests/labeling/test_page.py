"""The page in a real browser: each key answers what was seen, and nothing is lost."""
import pytest
from loopback.labeling import Page, answers, entries

from astromorph.labeling.conversation import Conversation
from astromorph.labeling.lessons import as_point
from astromorph.questions import Question

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from astromorph.labeling.page import PageServer  # noqa: E402


def test_each_key_answers_the_galaxy_that_was_seen(page, talk):
    keys = list("SEBD?XSDBE") * 3
    with PageServer(conversation := talk()) as server:
        rows = page.open(server.address).press(*keys)
        page.wait(lambda: len(answers(conversation)) == len(keys))
    assert answers(conversation) == list(zip(rows, keys))
    assert len(set(rows)) == len(rows)


def test_the_journal_says_what_was_answered_and_how_it_was_shown(page, talk):
    with PageServer(conversation := talk()) as server:
        rows = page.open(server.address).press("s")
        page.tab.keyboard.press("l")
        page.tab.keyboard.press("+")
        page.tab.keyboard.press("i")
        page.tab.wait_for_selector("button[aria-label*='asinh'][aria-pressed='true']")
        rows += page.press("B")
        page.wait(lambda: len(answers(conversation)) == 2)
    _, first, second = entries(conversation)
    assert first.pop("ms") >= 0 and len(first.pop("id")) == 36 and first.pop("time")
    assert first == {"n": 2, "kind": "answer", "row": rows[0], "name": f"galaxy{rows[0]:04d}.jpg",
                     "key": "S", "answers": {"disk": 0}, "labeler": "me",
                     "shown": {"stretch": "linear", "zoom": 1, "invert": False}}
    assert second["shown"] == {"stretch": "asinh", "zoom": 1.5, "invert": True}
    assert second["answers"] == {"disk": 1, "edge_on": 0, "bar": 1}


def test_answers_that_come_too_early_or_by_holding_a_key_do_not_count(page, talk):
    with PageServer(conversation := talk()) as server:
        page.open(server.address)
        page.tab.keyboard.down("S")
        for _ in range(5):
            page.tab.keyboard.down("S")  # of a key that is held
        page.tab.keyboard.up("S")
        for keys in ("Control+s", "Alt+e", "Meta+d", "q", "5"):
            page.tab.keyboard.press(keys)
        page.press("E")
        page.wait(lambda: len(answers(conversation)) == 2)
    assert [key for _, key in answers(conversation)] == ["S", "E"]


def test_undo_shows_the_galaxy_again(page, talk):
    with PageServer(conversation := talk()) as server:
        first, second = page.open(server.address).press("S", "E")
        page.tab.keyboard.press("z")
        page.tab.keyboard.press("z")
        assert page.seen() == first
        again = page.press("D", "B")
        page.wait(lambda: len(answers(conversation)) == 6)
        assert page.text(".am-count") == "2 of 40"
    assert again == [first, second]
    assert answers(conversation) == [(first, "S"), (second, "E"), (second, "undo"), (first, "undo"),
                                     (first, "D"), (second, "B")]


def test_arrows_go_back_to_correct_and_on_to_skip(page, talk):
    with PageServer(conversation := talk()) as server:
        first, second = page.open(server.address).press("S", "E")
        third = page.seen()
        page.tab.keyboard.press("ArrowLeft")
        page.tab.keyboard.press("ArrowLeft")
        assert page.seen() == first and "smooth" in page.text(".am-name")
        page.press("D")
        assert page.seen() == third
        page.tab.keyboard.press("ArrowRight")
        assert (fourth := page.seen()) != third
        page.press("X")
        page.tab.keyboard.press("ArrowLeft")
        assert page.seen() == third
        page.press("?")
        page.wait(lambda: len(answers(conversation)) == 5)
        assert page.text(".am-count") == "4 of 40"
    assert answers(conversation) == [(first, "S"), (second, "E"), (first, "D"), (fourth, "X"),
                                     (third, "?")]


def test_undo_of_a_correction_leaves_the_first_answer(page, talk):
    with PageServer(conversation := talk()) as server:
        row, = page.open(server.address).press("S")
        page.tab.keyboard.press("ArrowLeft")
        page.press("E")
        page.tab.keyboard.press("z")
        assert page.seen() == row and "smooth" in page.text(".am-name")
        page.wait(lambda: len(answers(conversation)) == 3)
        assert page.text(".am-count") == "1 of 40"
    assert conversation.session.standing_answer(row)["key"] == "S"


def test_a_list_is_gone_on_with_and_ends(page, talk):
    with PageServer(conversation := talk(5)) as server:
        rows = page.open(server.address).press("S", "E")
        page.wait(lambda: len(answers(conversation)) == 2)
        rows += page.open(server.address).press("B", "D", "X")
        page.tab.wait_for_selector("text=All galaxies are labeled.")
        page.wait(lambda: len(answers(conversation)) == 5)
        assert page.text(".am-count") == "5 of 5"
        page.wait(lambda: page.tab.locator(".am-strip li").count() == 5)
    assert sorted(rows) == list(range(5))


def test_a_galaxy_that_comes_twice_is_not_one_more(page, talk):
    with PageServer(conversation := talk(40, repeats=0.5)) as server:
        page.open(server.address)
        n = 0

        def is_at_end():
            return page.tab.is_visible("text=All galaxies are labeled.")

        while not is_at_end():
            page.press("S")
            n += 1
            page.wait(lambda: len(answers(conversation)) == n)
            page.wait(lambda: page.tab.get_attribute(".am-root", "data-row") or is_at_end())
        assert page.text(".am-count") == "40 of 40"
    assert n > 40


def test_answers_outlive_a_server(page, talk, tmp_path):
    keep = tmp_path / "address"
    with PageServer(conversation := talk(), keep=keep) as server:
        rows = page.open(server.address).press("S", "E")
        page.wait(lambda: len(answers(conversation)) == 2)
    conversation.close()
    page.tab.wait_for_selector("text=Connection lost")
    rows += page.press(*"BDX?S")
    page.tab.keyboard.press("z")
    assert "6 of 40" in page.text(".am-count")
    with PageServer(conversation := talk(), keep=keep) as again:
        assert again.address == server.address
        page.wait(lambda: len(answers(conversation)) == 8)
        page.tab.wait_for_selector(".am-note", state="hidden")
        rows += page.press("E")
        page.wait(lambda: len(answers(conversation)) == 9)
    assert answers(conversation) == [*zip(rows[:7], "SEBDX?S"), (rows[6], "undo"), (rows[7], "E")]
    assert rows[6] == rows[7]


class _Silent(Conversation):
    """Writes, and never says so."""

    def receive(self, message):
        replies = super().receive(message)
        return [] if message.get("type") == "answer" else replies


def test_an_answer_whose_receipt_is_lost_is_written_once(page, talk, tmp_path):
    keep = tmp_path / "address"
    with PageServer(conversation := talk(kind=_Silent), keep=keep) as server:
        rows = page.open(server.address).press(*"SEB")
        page.wait(lambda: len(answers(conversation)) == 3)
        page.tab.reload()  # the page forgets all but what waits for a receipt
        page.wait(lambda: page.tab.locator(".am-strip li").count() == 3)
    conversation.close()
    with PageServer(conversation := talk(), keep=keep) as server:
        rows += page.open(server.address).press("D")
        page.wait(lambda: len(answers(conversation)) == 4)
        assert page.text(".am-count") == "4 of 40"
        page.wait(lambda: page.tab.evaluate("sessionStorage.length") == 0)
    assert answers(conversation) == list(zip(rows, "SEBD"))


class _FullDisk(Conversation):
    full = True

    def receive(self, message):
        if self.full and message.get("type") == "answer":
            return [({"type": "error", "message": "the disk is full", "refused": False,
                      "id": message["id"]}, None)]
        return super().receive(message)


def test_what_cannot_be_written_is_said_and_sent_again(page, talk):
    with PageServer(conversation := talk(kind=_FullDisk)) as server:
        rows = page.open(server.address).press("S")
        page.tab.wait_for_selector("text=the disk is full")
        conversation.full = False
        page.wait(lambda: len(answers(conversation)) == 1)
        page.tab.wait_for_selector(".am-note", state="hidden")
    assert answers(conversation) == [(rows[0], "S")]


class _Strict(Conversation):
    def receive(self, message):
        return super().receive(message | {"key": "Q"} if message["type"] == "answer" else message)


def test_what_is_refused_is_asked_anew(page, talk):
    with PageServer(conversation := talk(kind=_Strict)) as server:
        row, = page.open(server.address).press("S")
        page.tab.wait_for_selector("text=expected one of")
        page.wait(lambda: page.text(".am-count") == "0 of 40")
        seen = []
        for _ in range(8):
            seen += page.press("ArrowRight")
    assert answers(conversation) == [] and row in seen


def test_names_are_text(page, talk):
    names = ['<img src=x onerror="alert(1)">.jpg', "\x1b[2J\x1b]0;owned\x07red.jpg",
             "</script><b>bold</b>.jpg", "‮gpj.exe", "../../etc/passwd"]
    with PageServer(talk(5, names=names)) as server:
        page.open(server.address)
        page.tab.on("dialog", lambda dialog: page.said.append("error: a dialog"))
        seen = []
        for _ in names:
            seen.append(names[page.seen()] in page.tab.text_content(".am-name"))
            page.press("S")
        assert page.tab.locator("img, b.x, .am-strip b").count() == 0
    assert all(seen)


def test_a_picture_that_could_not_be_read_is_answered_by_x_and_no_class(page, talk):
    with PageServer(conversation := talk(3, problems=(0, 1, 2))) as server:
        page.open(server.address)
        page.tab.wait_for_selector("text=It is no image.")
        page.press("S", "B")
        assert page.tab.is_disabled(".am-answer[data-key=S]")
        page.press("X", "?", "X")
        page.wait(lambda: len(answers(conversation)) == 3)
    assert [key for _, key in answers(conversation)] == ["X", "?", "X"]


def test_own_question_has_its_answers_on_digits(page, talk):
    ring = Question("ring", kind="grades", answers=("none", "weak", "strong"))
    with PageServer(conversation := talk(questions=[ring])) as server:
        page.open(server.address).press("1", "3", "9", "2", "?")
        page.wait(lambda: len(answers(conversation)) == 4)
    assert [key for _, key in answers(conversation)] == ["1", "3", "2", "?"]


def test_numbers_are_typed(page, talk):
    size = Question("size", kind="number", limits=(-10, 100), unit="arcsec")
    with PageServer(conversation := talk(questions=[size])) as server:
        page.open(server.address).press(*"-2,5")
        assert page.text(".am-typed") == "-2.5 arcsec"
        page.press("Enter", *"77", "Backspace", "Enter", "X")
        page.wait(lambda: len(answers(conversation)) == 3)
        page.press(*"999", "Enter")  # beyond the limits
        page.wait(lambda: "100" in page.text(".am-note"))
    lines = entries(conversation)[1:]
    assert [each.get("value", each["key"]) for each in lines] == [-2.5, 7, "X"]


def test_mouse_and_touch_answer_too(browser, talk):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True,
                                  is_mobile=True)
    tab = context.new_page()
    with PageServer(conversation := talk()) as server:
        tab.goto(server.address)
        for key in "SB?":
            tab.wait_for_selector('.am-root:not([data-row=""])')
            tab.tap(f".am-answer[data-key='{key}']")
        tab.tap("button[aria-label^='Take the last']")
        tab.wait_for_selector(".am-count >> text='2 of 40'")
        Page(tab).wait(lambda: len(answers(conversation)) == 4)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
    assert [key for _, key in answers(conversation)] == ["S", "B", "?", "undo"]


def test_a_second_window_takes_over(page, talk):
    with PageServer(talk()) as server:
        page.open(server.address)
        other = page.tab.context.new_page()
        other.goto(server.address)
        page.tab.wait_for_selector("text=opened in another window")
        other.wait_for_selector('.am-root:not([data-row=""])')
        assert not other.is_visible(".am-note")


def test_screen_readers_and_keyboards_reach_everything(page, talk):
    with PageServer(talk()) as server:
        page.open(server.address)
        nameless = page.tab.evaluate("""[...document.querySelectorAll("button")].filter(each =>
            !(each.getAttribute("aria-label") || each.textContent).trim()).length""")
        page.press("S")
        page.wait(lambda: "smooth" in page.tab.text_content("[aria-live=polite]"))
        said = page.tab.text_content("[aria-live=polite]")
        focused = set()
        for _ in range(30):
            page.tab.keyboard.press("Tab")
            focused.add(page.tab.evaluate("document.activeElement.getAttribute('aria-label')"))
        page.tab.locator(".am-answer[data-key=E]").focus()
        page.tab.keyboard.press("Enter")
        page.wait(lambda: page.text(".am-count") == "2 of 40")
        page.tab.keyboard.press("h")
        assert page.tab.is_visible("dialog")
        page.tab.keyboard.press("Escape")
        page.press("B")
        page.wait(lambda: page.text(".am-count") == "3 of 40")
    assert nameless == 0
    assert "galaxy0" in said
    assert {"smooth, key S", "no galaxy, key X", "Help and keys", "Invert the picture"} <= focused


class _Learner:
    """Says what it has learned, and what it is asked for."""

    on_change, taught = None, 0

    def start(self):
        pass

    stop = labels_changed = start

    def teach(self):
        self.taught += 1

    error = ""

    def state(self):
        value = 0.8 + 0.1 * self.taught
        unknown = [None] * 3
        points = [as_point(25, {"accuracy": [0.7, 0.6, 0.8], "completeness": [0.5, 0.3, 0.7],
                                "purity": unknown}),
                  as_point(50, {"accuracy": [value, 0.7, 0.95], "completeness": [0.75, 0.6, 0.9],
                                "purity": unknown})]
        sizes = [as_point(40, {"rms": [2.125, 1.5, 3.0]})]
        return {"status": "reading", "error": self.error, "message": self.error or "<b>Go on.</b>",
                "read": 7, "total": 40, "details": [
                    {"key": "disk", "title": "disk or features", "kind": "yes_no", "curve": points,
                     "forecast": "Another 50 labels would bring about 2%."},
                    {"key": "bar", "title": "barred", "kind": "yes_no", "curve": [], "labels": 3,
                     "sealed": 1, "forecast": ""},
                    {"key": "size", "title": "size", "kind": "number", "curve": sizes}],
                "suspects": [{"row": 5, "question": "disk", "label": 1.0, "P": 0.0123456}],
                "taught": None}


def _curves(page):
    return [each.get_attribute("aria-label") for each in page.tab.locator(".am-learning svg").all()]


def test_what_is_learned_is_drawn(page, talk):
    learner = _Learner()
    with PageServer(talk(kind=lambda session: Conversation(session, learner))) as server:
        page.open(server.address)
        page.tab.wait_for_selector(".am-learning svg")
        drawn, text = _curves(page), page.text(".am-learning")
        page.tab.click("text=Teach")
        page.tab.wait_for_selector("text=90%")
        learner.taught = 0
        learner.on_change()  # unasked
        page.tab.wait_for_selector(".am-learning >> text=80%")
    assert drawn == ["disk or features: accuracy 80%, between 70% and 95%, after 50 labels",
                     "size: rms 2.13, between 1.5 and 3, after 40 labels"]
    for words in ("<b>Go on.</b>", "Another 50 labels", "completeness 75%",
                  "3 labels to learn from, 1 to test it"):
        assert words in text
    assert "purity" not in page.text(".am-question >> nth=0")


def test_another_score_is_drawn(page, talk):
    learner = _Learner()
    with PageServer(conversation := talk(kind=lambda session: Conversation(
            session, learner))) as server:
        page.open(server.address)
        page.tab.click(".am-scores >> text=completeness")
        page.tab.wait_for_selector("svg[aria-label^='disk or features: completeness 75%']")
        assert _curves(page) == [
            "disk or features: completeness 75%, between 60% and 90%, after 50 labels",
            "size: rms 2.13, between 1.5 and 3, after 40 labels"]
        assert "accuracy 80%" in page.text(".am-question >> nth=0")
        learner.error = "something went wrong"
        learner.on_change()  # the choice stays
        page.tab.wait_for_selector(".am-failed >> text=something went wrong")
        page.tab.wait_for_selector(".am-scores [aria-pressed=true] >> text=completeness")
        assert _curves(page)[0].startswith("disk or features: completeness")
        page.tab.click(".am-scores >> text=purity")  # which is unknown
        page.tab.wait_for_selector(".am-question >> nth=0 >> text=The purity is unknown yet.")
        page.press("S")
        page.wait(lambda: len(answers(conversation)) == 1)  # keys still answer


def test_a_suspect_label_is_shown_again(page, talk):
    with PageServer(conversation := talk(kind=lambda session: Conversation(
            session, _Learner()))) as server:
        page.open(server.address)
        page.tab.click("text=Second look")
        page.tab.click(".am-item >> text=galaxy0005.jpg")
        page.wait(lambda: page.seen() == 5)
        told = 'disk: you said "1". By the other labels, that is 1% likely.'
        assert told in page.text(".am-list")
        page.press("S")
        page.wait(lambda: answers(conversation) == [(5, "S")])


def test_pictures_are_let_go(page, talk):
    page.tab.add_init_script("""
        window.open_ = 0; window.most = 0; const made = window.createImageBitmap;
        window.createImageBitmap = async (...args) => {
            const image = await made(...args);
            window.most = Math.max(window.most, ++window.open_);
            return image;
        };
        const close = ImageBitmap.prototype.close;
        ImageBitmap.prototype.close = function () { window.open_--; close.call(this); };""")
    with PageServer(conversation := talk(300)) as server:
        page.open(server.address).press(*"SE" * 60)
        page.wait(lambda: len(answers(conversation)) == 120)
    assert 16 < page.tab.evaluate("window.most") < 40
