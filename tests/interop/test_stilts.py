"""STILTS, the command line of TOPCAT, takes what classify gives with all of its columns."""
import csv
import io
import shutil
import subprocess

import pytest
from astropy import units as u

from astromorph.datasets import load_sample
from astromorph.interop import add_thumbnails
from astromorph.tables import write_table

pytestmark = pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed")


def stilts(*arguments):
    done = subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=True,
                          timeout=120)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def table(classifier):
    sample = load_sample()[:4]
    table = classifier.classify(sample, images="file", r90="petroR90", questions="all",
                                uncertainty="dropout", joint=True)
    table["ra"], table["dec"] = [1.0, 2.0, 3.0, 4.0] * u.deg, 5.0 * u.deg
    table = add_thumbnails(table, images="file", column="picture")
    return add_thumbnails(table, width=1 * u.arcmin)


def test_votable_is_valid(table, tmp_path):
    write_table(table, tmp_path / "t.vot")
    assert stilts("votlint", f"votable={tmp_path / 't.vot'}") == ""


@pytest.mark.parametrize("name", ["t.vot", "t.fits"])
def test_it_finds_the_pictures(table, tmp_path, name):
    """The column has the UCD by which TOPCAT knows an address, and the whole address."""
    path = tmp_path / name
    write_table(table, path)
    meta = list(csv.DictReader(io.StringIO(stilts("tpipe", f"in={path}", "cmd=meta", "omode=out",
                                                  "ofmt=csv"))))
    ucds = {row["Name"]: row["UCD"] for row in meta}
    assert list(ucds) == table.colnames
    assert ucds["thumbnail"] == ucds["picture"] == "meta.ref.url"
    assert ucds["P_disk"] == "stat.probability;src.morph"
    rows = list(csv.DictReader(io.StringIO(stilts(
        "tpipe", f"in={path}", "cmd=keepcols 'thumbnail picture P_disk'", "omode=out",
        "ofmt=csv"))))
    for row, own in zip(rows, table):
        assert (row["thumbnail"], row["picture"]) == (own["thumbnail"], own["picture"])
        assert float(row["P_disk"]) == pytest.approx(own["P_disk"], abs=1e-6)
