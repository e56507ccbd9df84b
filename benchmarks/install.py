"""What an install takes: distributions, megabytes on disk, and seconds until it is imported.

    pip install uv
    python benchmarks/install.py dist/*.whl --out docs

It installs each into a fresh virtual environment of this Python, with bytecode as pip compiles it,
and removes the environment. Seconds are those of the processor, the least of some fresh processes,
less those of bare Python. The files are in the memory of the machine by then. Where an install or
an import fails, the table says so. The script needs the network for the package index only.
"""
import argparse
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

from documents import list_table, write_table

CLASSIFIER = "from astromorph import MorphologyClassifier"
READY = CLASSIFIER + "; MorphologyClassifier.from_pretrained('sdss')"
FINETUNE = "from zoobot.pytorch.training import finetune"
DATASETS = "from galaxy_datasets.pytorch.galaxy_dataset import CatalogDataset"


def installs(wheel):
    """Title, what to install, what to take out, and the codes to time, by title."""
    ours = {"import astromorph": "import astromorph", "classifier": CLASSIFIER,
            "weights loaded": READY}
    return [
        ("``astromorph-galaxies``", [wheel], [], ours),
        ("``astromorph-galaxies``, ``tensorflow-cpu``", [wheel, "tensorflow-cpu"], ["tensorflow"],
         ours),
        ("``astromorph-galaxies[all]``", [f"astromorph-galaxies[all] @ {wheel.resolve().as_uri()}"],
         [], ours),
        ("``tensorflow`` alone", ["tensorflow"], [], {"import tensorflow": "import tensorflow"}),
        ("``tensorflow-cpu`` alone", ["tensorflow-cpu"], [],
         {"import tensorflow": "import tensorflow"}),
        ("``zoobot``", ["zoobot[pytorch]"], [], {"``finetune``": FINETUNE}),
        ("``galaxy-datasets``", ["galaxy-datasets"], [], {"``CatalogDataset``": DATASETS}),
    ]


def measure(title, packages, without, codes, repeats):
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        uv("venv", "-q", "--python", sys.executable, folder)
        before = megabytes(folder)
        uv("pip", "install", "-q", "--compile-bytecode", "--python", python, *packages)
        if without:
            uv("pip", "uninstall", "-q", "--python", python, *without)
            # Both hold the same files: those of the one that stays were removed as well.
            uv("pip", "install", "-q", "--compile-bytecode", "--python", python, "--no-deps",
               "--reinstall", *packages[1:])
        versions = {found.name.replace("_", "-"): found.version for found in
                    distributions(path=[str(next(Path(folder).glob("lib/*/site-packages")))])}
        size = megabytes(folder) - before
        bare = seconds(python, "pass", repeats)
        times = [f"{name}: {took(python, code, repeats, bare)}" for name, code in codes.items()]
    name = packages[0] if isinstance(packages[0], str) else "astromorph-galaxies"
    version = versions.get(name.split("[")[0].split(" ")[0], "")
    return [f"{title} {version}".split("+")[0], len(versions), f"{size:.0f}", ", ".join(times)]


def uv(*arguments):
    subprocess.run(["uv", *map(str, arguments)], check=True)


def megabytes(folder):
    """What the files take on the disk, each counted once."""
    files = {(status.st_dev, status.st_ino): status.st_blocks * 512 / 1e6
             for status in (path.lstat() for path in Path(folder).rglob("*"))}
    return sum(files.values())


def seconds(python, code, repeats):
    """Least seconds of the processor in a fresh process; the first run is not counted."""
    times = []
    for _ in range(repeats + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([python, "-c", code], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times[1:])


def took(python, code, repeats, bare):
    """Seconds, or what kept it from being imported."""
    try:
        return f"{seconds(python, code, repeats) - bare:.2f} s"
    except subprocess.CalledProcessError as error:
        return "fails, " + error.stderr.decode().strip().splitlines()[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="begin of the titles to measure")
    parser.add_argument("--out", type=Path, help="folder for the table of the documentation")
    args = parser.parse_args()
    rows = []
    for title, packages, without, codes in installs(args.wheel):
        if args.only and not any(title.strip("`").startswith(name) for name in args.only):
            continue
        try:
            rows.append(measure(title, packages, without, codes, args.repeats))
        except subprocess.CalledProcessError:
            rows.append([title, "", "", "could not be installed"])
        print(rows[-1], flush=True)
    version = ".".join(map(str, sys.version_info[:2]))
    table = list_table(f"Fresh installs for Python {version} on {sys.platform}",
                       ["install", "distributions", "MB on disk", "processor seconds"], rows)
    if args.out:
        write_table(args.out, "install_table", table)


if __name__ == "__main__":
    main()
