"""Draw the pictures of docs/label_page.rst: the labeling page with simulated galaxies.

    python benchmarks/labeling_pictures.py --out docs [--browser /usr/bin/chromium]

A script labels 100 of the galaxies that the page shows, by the names of the simulations, while a
classifier learns from them.
"""
import argparse
import shutil
import tempfile
from pathlib import Path

from documents import note_weights
from PIL import Image
from throughput import make_files

from astromorph import MorphologyClassifier
from astromorph.datasets import load_sample
from astromorph.labeling.opening import open_conversation
from astromorph.labeling.page import PageServer

KEYS = {"smooth": "S", "edge": "E", "bar": "B", "spiral": "D"}
SHOWN = '.am-root[data-row]:not([data-row=""])'


def key_of(row):
    """The key that is right for the galaxy of a row."""
    names = load_sample()["name"]
    return next(key for word, key in KEYS.items() if word in names[row % len(names)])


def label(tab, n):
    for _ in range(n):
        tab.wait_for_selector(SHOWN)
        tab.keyboard.press(key_of(int(tab.get_attribute(".am-root", "data-row"))))
    tab.wait_for_timeout(1500)


def take(tab, path):
    """A picture of the page, as a small JPEG."""
    tab.screenshot(path=path.with_suffix(".png"))
    with Image.open(path.with_suffix(".png")) as picture:
        picture.convert("RGB").save(path, quality=88)
    path.with_suffix(".png").unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "cutouts").mkdir()
        files = make_files(folder / "cutouts", 240)
        conversation = open_conversation(
            MorphologyClassifier.from_pretrained("sdss"), list(map(str, files)),
            folder / "labels.csv", labeler="Ann", cutout_r90=4.24)
        with PageServer(conversation) as server, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            tab.goto(server.address)
            label(tab, 9)
            take(tab, args.out / "_static" / "label_page.jpg")
            for _ in range(4):
                label(tab, 25)
                conversation.learner.wait(120)
            tab.wait_for_timeout(2000)
            take(tab, args.out / "_static" / "label_page_learned.jpg")
            tab.set_viewport_size({"width": 390, "height": 780})
            tab.wait_for_timeout(500)
            take(tab, args.out / "_static" / "label_page_phone.jpg")
            browser.close()
        conversation.close()
    for name in ("label_page.jpg", "label_page_learned.jpg", "label_page_phone.jpg"):
        note_weights(args.out, name, [("sdss", "pinwheel")])


if __name__ == "__main__":
    main()
