"""What the wheel and the source distribution hold, and that two builds are equal.

They are built once, with the tools that are installed, of the files that git tracks: large ones are
cut short, since names and sizes do not matter here.
"""
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from astromorph.distribution import NAME

pytest.importorskip("build")
pytest.importorskip("hatch_vcs")
pytest.importorskip("hatch_fancy_pypi_readme")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LONGEST = 20_000  # bytes of a file that is copied whole
VERSION = "1.2.3"
INFO = f"{NAME.replace('-', '_')}-{VERSION}"


def tracked():
    """Names of the files of this checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split("\0")
    return {name for name in names if (ROOT / name).is_file()}


def build(source, out):
    """Build the source distribution, and the wheel from it."""
    environment = {**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION": VERSION,
                   "SOURCE_DATE_EPOCH": "1790000000", "PIP_NO_INPUT": "1"}
    environment.pop("PYTHONPATH", None)
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source],
                   env=environment, check=True, capture_output=True)
    return {path.name: path for path in out.iterdir()}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The checkout, with what a working copy gathers besides."""
    folder = tmp_path_factory.mktemp("source")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with open(ROOT / name, "rb") as file:
            long = os.fstat(file.fileno()).st_size > LONGEST and not name.endswith((".py", ".rst"))
            (folder / name).write_bytes(file.read(100 if long else -1))
    for name in ("notes.txt", "model/mine.npz", "__pycache__/flags.cpython-311.pyc"):
        (folder / "astromorph" / name).parent.mkdir(exist_ok=True)
        (folder / "astromorph" / name).write_text("stray")
    (folder / "demo.fits").write_text("stray")
    return folder


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    return build(source, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(built[f"{INFO}-py3-none-any.whl"]) as file:
        yield file


def test_two_builds_are_equal(source, built, tmp_path):
    for path in source.rglob("*"):
        os.utime(path, (1e9, 1e9))
    again = build(source, tmp_path)
    assert again.keys() == built.keys()
    assert len(built) == 2 and all(again[name].read_bytes() == path.read_bytes()
                                   for name, path in built.items())


def test_the_wheel_has_the_package_and_nothing_else(wheel):
    names = {name for name in wheel.namelist() if not name.startswith(f"{INFO}.dist-info/")}
    package = {name for name in tracked() if name.startswith("astromorph/")}
    assert names == package | {"astromorph/_version.py"}
    assert {"astromorph/py.typed", "astromorph/report/report.html",
            "astromorph/labeling/static/page.js", "astromorph/records/kids.toml",
            "astromorph/model/sdss-pinwheel.safetensors",
            "astromorph/datasets/sample/simulated_smooth_1.fits"} <= names


def test_the_wheel_says_what_it_is(wheel):
    about = message_from_bytes(wheel.read(f"{INFO}.dist-info/METADATA"))
    assert (about["Name"], about["Version"]) == (NAME, VERSION)
    assert about["License-Expression"] == "BSD-3-Clause"
    assert f"{INFO}.dist-info/licenses/LICENSE.rst" in wheel.namelist()
    assert "astromorph = astromorph.cli:main" in wheel.read(
        f"{INFO}.dist-info/entry_points.txt").decode()
    assert VERSION in wheel.read("astromorph/_version.py").decode()


def test_the_picture_of_the_readme_has_the_address_of_the_tag(wheel, built):
    """The package index shows no picture with a relative address."""
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    picture, = re.findall(r"image:: (\S+)", readme)
    assert (ROOT / picture).is_file()
    with tarfile.open(built[f"{INFO}.tar.gz"]) as file:
        contents = wheel.read(f"{INFO}.dist-info/METADATA"), file.extractfile(
            f"{INFO}/PKG-INFO").read()
    for about in map(message_from_bytes, contents):
        shown = about.get_payload(decode=True).decode()
        assert about["Description-Content-Type"] == "text/x-rst"
        assert shown.strip() == readme.replace(picture, address(picture)).strip()


def address(path):
    """The address of a file of the tag."""
    repository = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    owner = repository["Repository"].removeprefix("https://github.com/")
    return f"https://raw.githubusercontent.com/{owner}/v{VERSION}/{path}"


def test_the_source_distribution_has_what_git_tracks(built):
    with tarfile.open(built[f"{INFO}.tar.gz"]) as file:
        names = {name.removeprefix(f"{INFO}/") for name in file.getnames()}
    assert names - {"astromorph/notes.txt", "astromorph/model/mine.npz"} \
        == tracked() | {"PKG-INFO", "astromorph/_version.py"}
