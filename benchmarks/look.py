"""Whether the gallery of a large table scrolls without jerking, and what memory it takes.

    python benchmarks/look.py IMAGES --out docs

A table of 100,000 rows, whose images are those of a folder again and again, is shown by
``astromorph look`` in Chromium without a screen (1280 x 800). Frames are counted while it is
scrolled through: at reading speed, from the first row to the last in 30 s, and by jumps; and while
a list without any cells is, which shows what else keeps the machine busy. The processor's time is
that of the page's main thread. Memory is that of all processes of the browser (proportional set
size), of the page's JavaScript, and of the server.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from accuracy import list_table
from astropy.table import Table
from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("ASTROMORPH_CHROMIUM") or shutil.which("chromium")
ROWS = 10**5
SCROLL = """([speed, seconds]) => new Promise((done) => {
    const list = document.querySelector(".am-cells"), frames = [], tasks = [];
    new PerformanceObserver((all) => tasks.push(...all.getEntries().map((each) => each.duration)))
        .observe({ type: "longtask" });
    const start = performance.now(), from = list.scrollTop;
    const whole = list.scrollHeight - list.clientHeight;
    let before = start, cells = 0;
    const step = (now) => {
        frames.push(now - before);
        before = now;
        const passed = (now - start) / 1000;
        if (speed > 0) list.scrollTop = from + speed * passed;
        else if (speed === 0) list.scrollTop = whole * passed / seconds;
        else if (Math.floor(passed * 4) !== Math.floor((passed - 0.017) * 4)) {
            list.scrollTop = whole * Math.random();
        }
        cells = Math.max(cells, document.querySelectorAll(".am-cell").length);
        if (passed < seconds) requestAnimationFrame(step);
        else done({ frames: frames.slice(2), tasks, cells });
    };
    requestAnimationFrame(step);
})"""
EMPTY = """() => {
    const list = document.createElement("div"), space = document.createElement("div");
    list.className = "am-cells";
    list.style.cssText = "height: 690px; overflow-y: scroll";
    space.style.height = "2900000px";
    list.append(space);
    document.body.replaceChildren(list);
}"""
WAYS = {"reading, 1,500 pixels a second": (1500, 15), "first to last row in 30 s": (0, 30),
        "four jumps a second": (-1, 15)}
THERE = """() => {
    const wall = document.querySelector(".am-cells").getBoundingClientRect();
    const seen = [...document.querySelectorAll(".am-cell:not([hidden])")].filter((cell) => {
        const box = cell.getBoundingClientRect();
        return box.bottom > wall.top && box.top < wall.bottom;
    });
    return seen.length > 0 && seen.every((cell) => cell.dataset.shown !== "");
}"""


def make_table(images, folder):
    """A table of files and random answers."""
    files = sorted(map(str, Path(images).rglob("*.jpg")))
    rng = np.random.default_rng(0)
    table = Table({"file": np.resize(files, ROWS), **{
        f"P_{name}": rng.random(ROWS).astype(np.float32) for name in ("disk", "edge_on", "bar")}})
    table["morph_flag"] = np.where(rng.random(ROWS) < 0.01, 64, 0).astype(np.int32)
    table.write(Path(folder) / "table.fits")
    return Path(folder) / "table.fits"


def start_server(table):
    """The process and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from astromorph.cli import main; main()", "look", str(table),
         "--images", "file", "--cutout-r90", "8.48", "--no-browser"],
        stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().split()[-1]


def memory(process):
    """Megabytes of a process and all that it started, what they share counted once."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        children.setdefault(int(parent), []).append(int(stat.parent.name))
    sizes, todo = [], [process]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes += [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return sum(sizes) / 1000


def browser_process(folder):
    """The process that runs with this folder of settings."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes()
        except OSError:
            continue
        if f"--user-data-dir={folder}".encode() in words and b"--type=" not in words:
            return int(line.parent.name)
    raise RuntimeError("the browser's process was not found")


def busy(tools):
    """Seconds that the page's main thread has computed."""
    metrics = tools.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in metrics if each["name"] == "TaskDuration")


def measure(table, folder):
    """Rows of the two tables."""
    server, address = start_server(table)
    try:
        return scroll(server, address, folder)
    finally:
        server.terminate()
        server.wait()


def scroll(server, address, folder):
    frames, sizes = [], []
    with sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=["--no-sandbox"],
            viewport={"width": 1280, "height": 800})
        tab = context.new_page()
        tools = context.new_cdp_session(tab)

        tools.send("Performance.enable", {"timeDomain": "threadTicks"})

        def run(way, speed, seconds):
            before = busy(tools)
            found = tab.evaluate(SCROLL, [speed, seconds])
            times = np.array(found["frames"])
            frames.append([way, str(len(times)), f"{np.median(times):.1f}",
                           f"{np.percentile(times, 99):.0f}", f"{times.max():.0f}",
                           str((times > 50).sum()), str(len(found["tasks"])),
                           f"{1000 * (busy(tools) - before) / len(times):.1f}",
                           str(found["cells"])])

        tab.evaluate(EMPTY)
        run("an empty list in the same browser", 1500, 15)
        frames[-1].append("")

        def note(when):
            tools.send("HeapProfiler.collectGarbage")
            heap = tab.evaluate("performance.memory.usedJSHeapSize") / 1e6
            sizes.append([when, f"{memory(browser_process(folder)):.0f}", f"{heap:.0f}",
                          f"{memory(server.pid):.0f}"])

        begun = time.monotonic()
        tab.goto(address)
        tab.wait_for_function(THERE)
        print(f"first pictures after {time.monotonic() - begun:.1f} s")
        note("at the start")
        for way, (speed, seconds) in WAYS.items():
            run(way, speed, seconds)
            begun = time.monotonic()
            tab.wait_for_function(THERE)
            frames[-1].append(f"{time.monotonic() - begun:.1f}")
            note(f"after {way}")
            print(frames[-1], sizes[-1], flush=True)
        context.close()
    return frames, sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="folder of JPEG images")
    parser.add_argument("--out", type=Path, help="folder for tables/look_table.rst")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        frames, sizes = measure(make_table(args.images, folder), f"{folder}/browser")
    lines = list_table(f"Scrolling through {ROWS:,} galaxies",
                      ["Way", "Frames", "Median (ms)", "99% (ms)", "Longest (ms)",
                       "Longer than 50 ms", "Tasks longer than 50 ms",
                       "Processor a frame (ms)", "Cells", "Pictures there after (s)"], frames)
    lines += list_table("Memory (MB)", ["When", "Browser", "JavaScript", "Server"], sizes)
    text = "\n".join(lines)
    print(text)
    if args.out:
        (args.out / "tables" / "look_table.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
