"""Every ``code-block:: python`` of the README and the documentation runs, page by page, in order.

In a folder with the files that they name, and with the simulated services in place of the real
ones.
"""
import re
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from loopback import LoopbackServer
from loopback.redirect import redirected
from PIL import Image
from second_survey import galaxies

from astromorph import MorphologyClassifier, MorphFlag, services
from astromorph.services.transport import Transport

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def blocks(page):
    text = page.read_text(encoding="utf-8") + "\n"
    return [textwrap.dedent(code) for code in BLOCK.findall(text)]


SLOW = ("adapting", "whole_survey")
PAGES = [page for page in (ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst")))
         if blocks(page)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files that the examples read."""
    folder = tmp_path_factory.mktemp("files")
    images, labels = galaxies(60, [1, 2, 3], seed=0)
    (folder / "cutouts").mkdir()
    names = [f"galaxy{k}" for k in range(60)]
    for name, image in zip(names, images):
        Image.fromarray(image).save(folder / "cutouts" / f"{name}.jpg")
    labeled = Table({"file": [f"cutouts/{name}.jpg" for name in names]})
    for key, column in zip(("disk", "edge_on", "bar"), labels.T):
        labeled[key] = MaskedColumn(np.nan_to_num(column).astype(int), mask=np.isnan(column))
    for name in ("labeled.csv", "labels.csv", "test.csv"):
        labeled.write(folder / name)
    Table({"objid": names[:3], "ra": [10, 10.1, 10.2] * u.deg, "dec": np.zeros(3) * u.deg,
           "petroR90_r": [6.0, 7.0, 8.0] * u.arcsec}).write(folder / "cat.fits")
    write_mosaic(folder / "mosaic.fits", [10, 10.1, 10.2])
    table = Table({"objid": np.arange(12), "ra": 10 + np.arange(12.0), "dec": np.zeros(12)})
    table["petroR90_r"], table["radius"] = 6.0, 0.1
    table["file"] = labeled["file"][:12]
    table.write(folder / "galaxies.csv")
    record, = re.findall(r"^\.\. code-block:: toml\n\n((?:    .*\n|\n)+)",
                         (ROOT / "docs" / "new_survey.rst").read_text(), re.MULTILINE)
    (folder / "my_survey.toml").write_text(textwrap.dedent(record).replace(
        "CDS/P/MySurvey/color", "CDS/P/KiDS/DR5/color-gri"))  # one that the services know
    hips = folder / "hips" / "legacy-color"
    hips.mkdir(parents=True)
    (hips / "properties").write_text("hips_order = 3\nhips_tile_width = 512\n"
                                     "hips_frame = equatorial\nhips_tile_format = png\n")
    return folder


def write_mosaic(path, ra):
    """One band with galaxies at these right ascensions on the equator, a pixel to an arcsecond."""
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": np.mean(ra),
                          "CRVAL2": 0.0, "CRPIX1": 450.5, "CRPIX2": 50.5, "CDELT1": -1 / 3600,
                          "CDELT2": 1 / 3600, "FILTER": "r", "BUNIT": "nanomaggy"})
    y, x = np.mgrid[:100, :900]
    flux = np.random.default_rng(0).normal(0, 0.01, y.shape)
    for one in ra:
        at = 449.5 - 3600 * (one - np.mean(ra))
        flux += np.exp(-np.hypot((x - at) / 4, (y - 49.5) / 2))
    fits.writeto(path, flux.astype(np.float32), header)


@pytest.fixture(scope="module")
def hats_catalog(files):
    """``galaxies``, for the page on whole surveys."""
    lsdb = pytest.importorskip("lsdb")
    lsdb.from_dataframe(Table.read(files / "galaxies.csv").to_pandas(), catalog_name="galaxies",
                        margin_threshold=None).write_catalog(files / "galaxies")


@pytest.fixture
def quick_lessons(monkeypatch):
    """`adapt` goes over the galaxies once: what it brings is tested elsewhere."""
    adapt = MorphologyClassifier.adapt
    monkeypatch.setattr(MorphologyClassifier, "adapt",
                        lambda *args, **options: adapt(*args, epochs=1, folds=0, **options))


@pytest.fixture
def example_archive(monkeypatch):
    """The viewer answers for the archive that a service of one's own asks."""
    get = Transport.get

    def redirect(self, url, **options):
        parts = urlsplit(url)
        if parts.hostname == "archive.example":
            ra, dec = re.findall(r"-?\d+\.\d+", parts.path)
            url = f"{services.conf.viewer_url}/jpeg-cutout"
            options["params"] = {"ra": ra, "dec": dec, "layer": "sdss"}
        return get(self, url, **options)

    monkeypatch.setattr(Transport, "get", redirect)


# LSDB 0.11 with pandas 3.1; an extension has no margin, and needs none.
@pytest.mark.filterwarnings("ignore:The inplace keyword in NestedFrame")
@pytest.mark.filterwarnings("ignore:Right catalog does not have a margin")
@pytest.mark.parametrize("page", [
    pytest.param(page, marks=[pytest.mark.slow] if page.stem in SLOW else []) for page in PAGES],
    ids=[page.stem for page in PAGES])
def test_code_runs(page, files, tmp_path, monkeypatch, quick_lessons, example_archive, request):
    if page.stem == "whole_survey":
        request.getfixturevalue("hats_catalog")
    if page.stem == "other_tools":
        pytest.importorskip("onnx")
    plt.switch_backend("Agg")
    for path in files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASTROMORPH_CACHE", str(tmp_path / "cache"))
    space = {}
    if page.stem == "getting_started":  # where its doctests, which run elsewhere, have come to
        space["clf"] = MorphologyClassifier.from_pretrained("sdss")
        space["tbl"] = space["clf"].classify(sorted(Path("cutouts").glob("*.jpg"))[:3])
    with LoopbackServer() as server, redirected(server.url):
        for code in blocks(page):
            exec(compile(code, page.name, "exec"), space)
    tables = [value for value in space.values()
              if isinstance(value, Table) and "P_disk" in value.colnames]
    assert all((table["morph_flag"] & MorphFlag.UNCLASSIFIED == 0).all() for table in tables)
