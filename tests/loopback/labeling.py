"""Drawn galaxies whose pictures tell their rows, and the page that shows them."""
import io
import json

import numpy as np
from astropy.table import Table
from PIL import Image

__all__ = ["DrawnGalaxies", "Page", "answers", "entries"]


class DrawnGalaxies:
    """Galaxies of one color each, from which `row_of` tells the row."""

    def __init__(self, n, names=None, problems=()):
        self.names = names or [f"galaxy{row:04d}.jpg" for row in range(n)]
        self.table = Table({"file": self.names})
        self.digest, self.problems = f"{n} drawn galaxies", problems

    def picture(self, row, stretch="linear", size=64):
        color = np.array([row // 64, row // 8 % 8, row % 8]) * 32 + 16
        file = io.BytesIO()
        Image.fromarray(np.full((size, size, 3), color, np.uint8)).save(
            file, "JPEG", quality=95, subsampling=0)
        meta = {"width": size, "height": size, "scale": 0.25, "north": 30.0}
        return file.getvalue(), meta | (
            {"problem": "It is no image."} if row in self.problems else {})

    def close(self):
        pass


def row_of(color):
    """The row whose picture has a color."""
    red, green, blue = (round((value - 16) / 32) for value in color)
    return red * 64 + green * 8 + blue


class Page:
    """The page in the browser, as a person sees it."""

    def __init__(self, tab):
        self.tab, self.said = tab, []
        tab.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    @property
    def errors(self):
        """What the browser complained of, other than a server that is not there."""
        return [text for text in self.said
                if text.startswith("error") and "ERR_CONNECTION_REFUSED" not in text]

    def open(self, address):
        self.tab.goto(address)
        self.tab.wait_for_selector('.am-root[data-row]:not([data-row=""])')
        return self

    def seen(self):
        """The row of the galaxy whose picture is on the screen, as its pixels tell."""
        return row_of(self.tab.evaluate("""() => {
            const canvas = document.querySelector(".am-sky"), half = canvas.width >> 1;
            return [...canvas.getContext("2d").getImageData(half, half, 1, 1).data].slice(0, 3);
        }"""))

    def press(self, *keys):
        """Press keys, each once the picture is there; the rows that were seen."""
        rows = []
        for key in keys:
            self.tab.wait_for_selector('.am-root:not([data-row=""])')
            rows.append(self.seen())
            self.tab.keyboard.press(key)
        return rows

    def text(self, selector):
        return self.tab.inner_text(selector)

    def wait(self, condition, seconds=10):
        """Wait for what a function of the test says."""
        for _ in range(int(seconds * 50)):
            if condition():
                return
            self.tab.wait_for_timeout(20)
        raise AssertionError(f"did not come: {condition}")


def entries(conversation):
    """The entries of a journal as they are on the disk."""
    return list(map(json.loads, conversation.session.journal.path.read_text().splitlines()))


def answers(conversation):
    """(row, key) of all answers and undos."""
    return [(each["row"], each.get("key", "undo")) for each in entries(conversation)[1:]]
