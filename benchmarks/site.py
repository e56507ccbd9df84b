"""Check the built documentation: no dead link, no table that is cut, navigation on every page.

    sphinx-build -b html docs docs/_build/html
    python benchmarks/site.py docs/_build/html [--width 1200] [--browser /usr/bin/chromium]

Prints what is wrong, and exits with 1 if there is anything. Without a browser it checks no widths.
"""
import argparse
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

NO_NAVIGATION = ("search.html", "genindex.html", "py-modindex.html")
CUT = """() => [...document.querySelectorAll('.bd-article table, .bd-article img')].filter(each => {
    const box = each.closest('.pst-scrollable-table-container') || each.parentElement;
    return box.scrollWidth > box.clientWidth + 1;
}).map(each => `${each.tagName} ${each.innerText.slice(0, 40)}`)"""


class Page(HTMLParser):
    """What a page links to, where links to it may lead, and how it looks."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.has_navigation, self.lettered = [], set(), False, False
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        has = {name: value or "" for name, value in attributes}
        self.anchors |= {has[name] for name in ("id", "name") if name in has}
        self.links += [has[name] for name in ("href", "src") if has.get(name)]
        self.lettered |= tag == "ol" and "alpha" in has.get("class", "")
        if has.get("id") == "pst-primary-sidebar":
            self.has_navigation = "hide-on-wide" not in has.get("class", "")


def read_pages(site):
    """Path in the site -> page."""
    return {path.relative_to(site).as_posix(): Page(path) for path in sorted(site.rglob("*.html"))
            if "_static" not in path.parts and "_modules" not in path.parts}


def dead_links(site, pages):
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            found = target.resolve().relative_to(site).as_posix() if target.exists() else None
            known = pages.get(found)
            if found is None or (known and parts.fragment
                                 and unquote(parts.fragment) not in known.anchors):
                yield f"{name}: dead link {link}"


def faults_of_pages(pages):
    for name, page in pages.items():
        if not page.has_navigation and name not in NO_NAVIGATION:
            yield f"{name}: no navigation at the left"
        if page.lettered:
            yield f"{name}: a list with letters; is it a cell that begins as a list does?"


def cut_tables(site, pages, browser, width):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": width, "height": 800})
        tab.route(re.compile("^https?:"), lambda route: route.abort())
        for name, page in pages.items():
            if "<table" in page.text:
                tab.goto((site / name).as_uri(), wait_until="domcontentloaded")
                yield from (f"{name}: cut at {width} px: {each}" for each in tab.evaluate(CUT))
        chromium.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=lambda path: Path(path).resolve())
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    options = parser.parse_args()
    pages = read_pages(options.site)
    faults = [*dead_links(options.site, pages), *faults_of_pages(pages)]
    if options.browser:
        faults += cut_tables(options.site, pages, options.browser, options.width)
    print(*faults, f"{len(pages)} pages, {len(faults)} faults", sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
