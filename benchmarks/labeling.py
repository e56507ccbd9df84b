"""How fast the labeling page is, and whether it keeps its memory.

    python benchmarks/labeling.py --out docs [--data DATA] [--browser /usr/bin/chromium]

Playwright presses keys in a real browser without a screen. The galaxies are simulated JPEGs, or
the DECaLS galaxies of DATA. The server is a process of its own; between it and the browser is
nothing, or a proxy that delays all that passes, either way. From a key to the next picture counts
from when the browser got the key to when the frame with the picture was handed to the screen: the
task after the next animation frame.
"""
import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from documents import list_table, write_table
from throughput import make_files

KEYS = "SEBDDSX?"
DELAY = 0.15
PACE = 0.2  # seconds between two keys: five a second, more than anybody's
SHOWN = '.am-root[data-row]:not([data-row=""])'
WATCH = """
window.took = [];
window.late = 0;
window.addEventListener("keydown", (event) => {
    const root = document.querySelector(".am-root"), before = root.dataset.row;
    const look = () => {
        if (["", before].includes(root.dataset.row)) return requestAnimationFrame(look);
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => window.took.push(performance.now() - event.timeStamp);
        port2.postMessage(0);
    };
    requestAnimationFrame(look);
    setTimeout(() => { window.late += root.dataset.row === ""; });
}, true);
"""


def child(folder, files):
    """The server: says where it is, and serves until it is ended."""
    from astromorph.labeling.conversation import Conversation
    from astromorph.labeling.galaxies import LabelGalaxies
    from astromorph.labeling.page import PageServer
    from astromorph.labeling.session import LabelSession
    from astromorph.questions import QUESTIONS

    galaxies = LabelGalaxies(files.read_text().splitlines(), cutout_r90=8.48)
    session = LabelSession(galaxies, QUESTIONS, folder / "labels.journal", labeler="benchmark")
    server = PageServer(Conversation(session))
    print(server.address, flush=True)
    server.run()


@contextmanager
def serving(files):
    """(address, process, journal) of a server that has just begun."""
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [sys.executable, __file__, "--child", folder, files], stdout=subprocess.PIPE,
            text=True) as process:
        try:
            yield process.stdout.readline().strip(), process, Path(folder) / "labels.journal"
        finally:
            process.terminate()


@contextmanager
def delayed(address, seconds):
    """The address through a proxy that delays all that passes."""
    if not seconds:
        yield address
        return
    port = int(address.partition("127.0.0.1:")[2].partition("/")[0])
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def copy(reader, writer):
        """Take what comes at once, and give it on when it is due."""
        while data := await reader.read(1 << 16):
            loop.call_later(seconds, writer.write, data)
        loop.call_later(seconds, writer.close)

    async def meet(reader, writer):
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer),
                             return_exceptions=True)

    async def proxy():
        server = await asyncio.start_server(meet, "127.0.0.1", 0)
        ready.port = server.sockets[0].getsockname()[1]
        ready.set()

    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(proxy(), loop)
    ready.wait()
    yield address.replace(str(port), str(ready.port))


@contextmanager
def opened(browser, address):
    """The page, with the first picture on it."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    tab.add_init_script(WATCH)
    tab.goto(address)
    tab.wait_for_selector(SHOWN)
    tab.wait_for_timeout(2000)  # the pictures that come next
    yield tab
    context.close()


def label(tab, n, pace=0):
    """Press n keys, each once the picture is there; seconds."""
    began, before = time.perf_counter(), tab.evaluate("window.took.length")
    for k in range(n):
        tab.keyboard.press(KEYS[k % len(KEYS)])
        while tab.evaluate("window.took.length") <= before + k:
            time.sleep(0.002)
        time.sleep(max(0, began + (k + 1) * pace - time.perf_counter()))
    return time.perf_counter() - began


def memory(tab, session, process):
    """Megabytes of the page's JavaScript, of the browser's process of the page, of the server."""
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    used = {each["name"]: each["value"] for each in metrics}
    pages = [resident(pid) for pid in renderers()]
    return used["JSHeapUsedSize"] / 2**20, max(pages, default=np.nan), resident(process.pid)


def resident(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return np.nan
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def renderers():
    """Processes of the browser that show pages."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if b"--type=renderer" in words and b"chrom" in words:
            yield path.parent.name


def written(journal, n):
    """Whether all answers are on the disk, once each."""
    for _ in range(500):
        lines = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
        if len(lines) >= n:
            break
        time.sleep(0.02)
    return len(lines) == n == len({each["id"] for each in lines})


def quickness(browser, files, seconds, n):
    """Rows of the table: from a key to the next picture."""
    with serving(files) as (address, _, journal), delayed(address, seconds) as address:
        with opened(browser, address) as tab:
            label(tab, n, PACE)
            took, late = tab.evaluate("[window.took, window.late]")
            total = label(tab, n)
            complete = written(journal, 2 * n)
    name = f"{1000 * seconds:.0f} ms each way added" if seconds else "no latency added"
    middle, most = np.percentile(took, [50, 95])
    yield [f"key to next picture, {name}: median", f"{middle:.0f} ms"]
    yield [f"key to next picture, {name}: 95th percentile", f"{most:.0f} ms"]
    yield [f"pictures that were not there when they should be shown, {name}", f"{late} of {n}"]
    yield [f"{n} scripted labels, each once its picture is there, {name}", f"{total:.0f} s"]
    yield [f"all {2 * n} in the journal, once each", "yes" if complete else "no"]


def endurance(browser, files, n):
    """Rows of the table: memory along many labels."""
    with serving(files) as (address, process, journal), opened(browser, address) as tab:
        session = tab.context.new_cdp_session(tab)
        session.send("Performance.enable")
        label(tab, 100)
        measured = {100: memory(tab, session, process)}
        for done in range(500, n + 1, 500):
            label(tab, done - max(measured))
            measured[done] = memory(tab, session, process)
            print(done, *map("{:.1f}".format, measured[done]), flush=True)
        complete = written(journal, n)
    for k, name in enumerate(("JavaScript", "browser's process of the page", "server")):
        values = [f"{measured[at][k]:.1f}" for at in (100, 500, n // 2 // 500 * 500, n)
                  if at in measured]
        yield [f"memory, {name}, after 100, 500, {n // 2 // 500 * 500} and {n} labels",
               f"{', '.join(values)} MB"]
    yield [f"all {n} in the journal, once each", "yes" if complete else "no"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of real galaxies")
    parser.add_argument("--browser", default=shutil.which("chromium"))
    parser.add_argument("--labels", type=int, default=300)
    parser.add_argument("--many", type=int, default=3000, help="labels while memory is watched")
    parser.add_argument("--out", type=Path, help="for the table")
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(*args.child)
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        names = list_files(Path(folder), args.data, max(args.many, 2 * args.labels) * 11 // 10)
        files = Path(folder) / "files.txt"
        files.write_text("\n".join(names))
        browser = driver.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        rows = [*quickness(browser, files, 0, args.labels),
                *quickness(browser, files, DELAY, args.labels),
                *endurance(browser, files, args.many)]
        browser.close()
    galaxies = "DECaLS galaxies" if args.data else "simulated galaxies"
    table = "\n".join(list_table(f"The labeling page in chromium, {galaxies}", ["", ""], rows))
    print(table)
    if args.out:
        write_table(args.out, "label_page_table", table)


def list_files(folder, data, n):
    """n names of files, all different: links to fewer of them."""
    files = sorted((data / "decals").glob("*.jpg")) if data else make_files(folder, 200)
    names = [folder / f"galaxy{k:05d}.jpg" for k in range(n)]
    for k, name in enumerate(names):
        name.symlink_to(files[k % len(files)])
    return list(map(str, names))


if __name__ == "__main__":
    main()
